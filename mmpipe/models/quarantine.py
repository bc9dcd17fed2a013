"""Crossed and locked books: not used, left to uncross by themselves for a while, then asked for anew."""

from typing import Final

import numpy as np

from mmpipe.enums import CommandKind, Venue
from mmpipe.models.market_state import Settings
from ringbuf.jit import kernel

_MAKER: Final = int(Venue.MAKER)
_LEAD: Final = int(Venue.LEAD)
_RESYNC: Final = int(CommandKind.RESYNC)


@kernel
def crossed_since(book: np.void, since_ns: int, ts_ns: int) -> int:
    """Time since when a book is crossed, monotonic ns; 0: it is not. `since_ns` is the answer before."""
    if book["crossed"] == 0:
        return 0
    return since_ns if since_ns > 0 else ts_ns


@kernel
def end_quarantine(
    state: np.ndarray, settings: Settings, symbol: int, ts_ns: int, resyncs: np.ndarray, counts: np.ndarray
) -> None:
    """Ask for books anew that stayed crossed for longer than the configured patience.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        Times are reset, so that a book is asked for once per patience.
    symbol, ts_ns : int
        Whose, and when.
    resyncs : ndarray of COMMAND
        RESYNC rows are appended.
    counts : (3,) int64
        Number of resyncs at index 2.
    """
    own, patience_ns = state[symbol]["own"], settings.feed[0]["crossed_patience_ms"] * 1_000_000
    for venue in (_MAKER, _LEAD):
        since_ns = own["crossed_ts_ns"] if venue == _MAKER else own["lead_crossed_ts_ns"]
        if since_ns == 0 or ts_ns - since_ns <= patience_ns or counts[2] == len(resyncs):
            continue
        if venue == _MAKER:
            own["crossed_ts_ns"] = ts_ns  # once per patience
        else:
            own["lead_crossed_ts_ns"] = ts_ns
        row = resyncs[counts[2]]
        row["ts_ns"], row["kind"], row["venue"], row["symbol"] = ts_ns, _RESYNC, venue, symbol
        counts[2] += 1
