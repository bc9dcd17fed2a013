"""What an event of the lead market changes: its whole book from two streams, its touch, its state."""

from typing import Final

import numpy as np

from mmpipe.book import l2
from mmpipe.enums import Counter, EventFlag, EventKind, FeedState
from mmpipe.features import lead
from mmpipe.models.quarantine import crossed_since
from ringbuf.jit import kernel

_TRADE: Final = int(EventKind.TRADE)
_DELTA: Final = int(EventKind.BOOK_DELTA)
_BBO: Final = int(EventKind.BBO)
_FUNDING: Final = int(EventKind.FUNDING)
_GAP: Final = int(EventKind.GAP)
_STATUS: Final = int(EventKind.STATUS)
_LAST: Final = int(EventFlag.LAST)
_GAPPED: Final = int(FeedState.GAPPED)
_CROSSED: Final = int(Counter.CROSSED_BOOKS)
_GAPS: Final = int(Counter.GAPS)
_BAD: Final = int(Counter.BAD_NUMBER)


@kernel
def on_lead(state: np.ndarray, event: np.void, counters: np.ndarray) -> bool:
    """Take one event of the lead.

    Parameters
    ----------
    state : (symbols,) MARKET
        Changed in place.
    event : EVENT record
        Of venue LEAD.
    counters : ndarray of int64
        Gaps, crossed books and rows that cannot be are counted.

    Returns
    -------
    bool
        True when the lead's mid moved: waiting for the next TIMER would cost most of its head start.
    """
    kind, symbol = int(event["kind"]), int(event["symbol"])
    leads, book, own = state[symbol]["lead"], state[symbol]["lead_book"], state[symbol]["own"]
    before_px = lead.mid(leads)
    if kind == _STATUS:
        leads["state"] = event["level"]
        return False
    if kind == _TRADE or kind == _FUNDING:
        return False
    if kind == _GAP:
        leads["state"] = _GAPPED
        leads["bid_px"] = leads["ask_px"] = 0.0
        counters[_GAPS] += 1
    if not l2.apply(book, event):
        counters[_BAD] += 1
        return False
    if kind == _BBO:
        lead.on_quote(leads, int(event["side"]), event["px"], event["qty"], event["local_ts_ns"])
    if event["px_tick"] > 0:
        own["lead_tick_px"] = event["px"] / event["px_tick"]  # the lead's grid is its own
    if l2.judge(book, event):
        counters[_CROSSED] += 1
    if (int(event["flags"]) & _LAST) == 0:
        return False
    own["lead_crossed_ts_ns"] = crossed_since(book, own["lead_crossed_ts_ns"], event["local_ts_ns"])
    if kind == _DELTA and l2.is_valid(book):
        tick_px = own["lead_tick_px"]
        bid_px, ask_px = l2.best_tick(book, 1) * tick_px, l2.best_tick(book, -1) * tick_px
        bid_qty = book["qty"][0, book["count"][0] - 1]
        ask_qty = book["qty"][1, book["count"][1] - 1]
        lead.on_book(leads, bid_px, bid_qty, ask_px, ask_qty, event["local_ts_ns"])
    return lead.mid(leads) != before_px
