"""What an event of the maker market changes: its book and touch, flow, toxicity, places in the queues."""

from typing import Final

import numpy as np

from mmpipe.book import l2, queue_rank
from mmpipe.enums import Counter, EventFlag, EventKind, FeedState, Trigger
from mmpipe.features import (
    flow,
    hawkes,
    lead,
    microprice,
    mid_path,
    ofi,
    shadow_quotes,
    volatility,
    vpin,
)
from mmpipe.models import own_orders, toxicity, trade_features
from mmpipe.models.market_state import Settings
from mmpipe.models.quarantine import crossed_since
from ringbuf.jit import kernel

_TRADE: Final = int(EventKind.TRADE)
_FUNDING: Final = int(EventKind.FUNDING)
_GAP: Final = int(EventKind.GAP)
_STATUS: Final = int(EventKind.STATUS)
_LAST: Final = int(EventFlag.LAST)
_HISTORY: Final = int(EventFlag.HISTORY)
_GAPPED: Final = int(FeedState.GAPPED)
_ON_BBO: Final = int(Trigger.BBO)
_ON_TRADE: Final = int(Trigger.TRADE)
_CROSSED: Final = int(Counter.CROSSED_BOOKS)
_GAPS: Final = int(Counter.GAPS)
_BAD: Final = int(Counter.BAD_NUMBER)


@kernel
def on_maker(state: np.ndarray, settings: Settings, event: np.void, counters: np.ndarray) -> int:
    """Take one event of the maker.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        Changed in place; read only.
    event : EVENT record
        Of venue MAKER.
    counters : ndarray of int64
        Gaps, crossed books and rows that cannot be are counted.

    Returns
    -------
    int
        Trigger of the SNAPSHOT it deserves, 0: none.
    """
    kind, symbol = int(event["kind"]), int(event["symbol"])
    own = state[symbol]["own"]
    if kind == _TRADE:
        return _ON_TRADE if _on_trade(state, settings, event, counters) else 0
    if kind == _STATUS:
        own["maker_feed"], own["book_limit_ns"] = event["level"], event["remote_seq"]
    elif kind == _FUNDING:
        if abs(event["px"]) < 1.0:
            own["funding_rate_8h"], own["next_funding_ts_ns"] = event["px"], event["remote_seq"]
        else:
            counters[_BAD] += 1
    else:
        if kind == _GAP:
            counters[_GAPS] += 1
            own["maker_feed"] = _GAPPED
            _forget_book(state, symbol)
        if not l2.apply(state[symbol]["book"], event):
            counters[_BAD] += 1
            return 0
        if l2.judge(state[symbol]["book"], event):
            counters[_CROSSED] += 1
        if (int(event["flags"]) & _LAST) == 0:
            return 0
        own["crossed_ts_ns"] = crossed_since(
            state[symbol]["book"], own["crossed_ts_ns"], event["local_ts_ns"]
        )
        if _on_touch(state, settings, symbol, event):
            return _ON_BBO
    return 0


@kernel
def _on_trade(state: np.ndarray, settings: Settings, event: np.void, counters: np.ndarray) -> bool:
    side, qty, px = int(event["side"]), event["qty"], event["px"]
    if not (0.0 < qty < np.inf and 0.0 < px < np.inf) or not (side == 1 or side == -1):
        counters[_BAD] += 1
        return False
    if (int(event["flags"]) & _HISTORY) != 0:
        return False
    symbol, ts_ns, tick = int(event["symbol"]), event["local_ts_ns"], int(event["px_tick"])
    lot_qty, halflife_s = state[symbol]["instrument"]["lot_qty"], settings.features[0]["intensity_halflife_s"]
    flow.on_trade(state[symbol]["flow"], ts_ns, side, px, qty, lot_qty, halflife_s)
    vpin.on_trade(state[symbol]["vpin"], ts_ns, side, qty, settings.features)
    _judge_flow(state, settings, symbol, event)
    if state[symbol]["aggressor"]["fresh"] == 1:
        # The rows of one sweep are one arrival: nothing excited them but its size.
        hawkes.on_trade(state[symbol]["hawkes"], ts_ns, side, settings.features)
    index = 1 if side > 0 else 0
    queue_rank.on_trade(state[symbol]["queues"][index], -side, tick, qty, event["exch_ts_ns"])
    queue_rank.on_trade(state[symbol]["sent"][index], -side, tick, qty, event["exch_ts_ns"])
    ends, shadows = state[symbol]["shadow_ends"], state[symbol]["shadows"]
    shadow_quotes.on_trade(ends, shadows, ts_ns, event["exch_ts_ns"], side, tick, qty)
    return True


@kernel
def _judge_flow(state: np.ndarray, settings: Settings, symbol: int, event: np.void) -> None:
    aggressor, weights = state[symbol]["aggressor"], settings.toxicity_weights
    ts_ns, side = event["local_ts_ns"], int(event["side"])
    trade_features.begin(aggressor, ts_ns, event["exch_ts_ns"], side)
    met_px = (aggressor["met_px"][0] + aggressor["met_px"][1]) / 2.0
    offset_bps = lead.divergence_bps(state[symbol]["lead"], met_px)
    trade_features.on_trade(aggressor, side, event["px"], event["qty"], offset_bps)
    llr = toxicity.trade_llr(aggressor["inputs"], weights)
    toxicity.on_trade(
        state[symbol]["toxicity"],
        ts_ns,
        side,
        llr,
        weights,
        aggressor["fresh"] == 1,
        settings.toxicity,
        state[symbol]["params"],
    )


@kernel
def _on_touch(state: np.ndarray, settings: Settings, symbol: int, event: np.void) -> bool:
    # True when the best quotes changed in price or quantity.
    book, own, ts_ns = state[symbol]["book"], state[symbol]["own"], event["local_ts_ns"]
    ends, shadows = state[symbol]["shadow_ends"], state[symbol]["shadows"]
    if book["started"] == 0:
        shadow_quotes.censor(ends, shadows, ts_ns)
    if not l2.is_valid(book):
        changed = own["bid_tick"] != 0
        own["bid_tick"] = own["ask_tick"] = 0
        _forget_book(state, symbol)
        mid_path.on_mid(state[symbol]["mid_path"], ts_ns, 0.0)
        stamp_ns = event["exch_ts_ns"]
        trade_features.on_touch(state[symbol]["aggressor"], ts_ns, stamp_ns, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        return changed
    adverse_steps = settings.labels[0]["adverse_ticks"]
    shadow_quotes.on_book(ends, shadows, book, ts_ns, event["exch_ts_ns"], adverse_steps)
    bid_tick, ask_tick = l2.best_tick(book, 1), l2.best_tick(book, -1)
    bid_qty = book["qty"][0, book["count"][0] - 1]
    ask_qty = book["qty"][1, book["count"][1] - 1]
    tick_px = state[symbol]["instrument"]["tick_px"]
    trade_features.on_touch(
        state[symbol]["aggressor"],
        ts_ns,
        event["exch_ts_ns"],
        bid_tick * tick_px,
        ask_tick * tick_px,
        bid_qty,
        ask_qty,
        _depth_qty(book, 0),
        _depth_qty(book, 1),
    )
    for index in range(2):
        own_orders.on_book(state[symbol]["queues"][index], book, 1 - 2 * index, ts_ns, event["exch_ts_ns"])
        own_orders.on_book(state[symbol]["sent"][index], book, 1 - 2 * index, ts_ns, event["exch_ts_ns"])
    ofi.on_book(state[symbol]["ofi"], ts_ns, book, state[symbol]["instrument"]["lot_qty"])
    if (
        bid_tick == own["bid_tick"]
        and ask_tick == own["ask_tick"]
        and bid_qty == own["bid_qty"]
        and ask_qty == own["ask_qty"]
    ):
        return False
    microprice.on_touch(state[symbol]["microprice"], bid_tick, bid_qty, ask_tick, ask_qty)
    mid_px = (bid_tick + ask_tick) * tick_px / 2.0
    mid_path.on_mid(state[symbol]["mid_path"], ts_ns, mid_px)
    volatility.on_mid(state[symbol]["volatility"], ts_ns, mid_px, settings.features[0]["sigma_halflife_s"])
    own["bid_tick"], own["ask_tick"], own["bid_qty"], own["ask_qty"] = bid_tick, ask_tick, bid_qty, ask_qty
    return True


@kernel
def _forget_book(state: np.ndarray, symbol: int) -> None:
    # What is seen next is a beginning, not a change.
    ofi.forget_book(state[symbol]["ofi"])
    microprice.forget_touch(state[symbol]["microprice"])


@kernel
def _depth_qty(book: np.void, index: int) -> float:
    total_qty = 0.0
    for back in range(1, trade_features.DEPTH_LEVELS + 1):
        total_qty += book["qty"][index, book["count"][index] - back] if book["count"][index] >= back else 0.0
    return total_qty
