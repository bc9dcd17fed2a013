"""What execution reports of our orders, as the features stage needs it: position, queue place, markouts."""

from typing import Final

import numpy as np

from mmpipe.book import l2, queue_rank
from mmpipe.enums import ReportKind
from mmpipe.features import markouts, regime
from mmpipe.units import cash_of_notional
from ringbuf.jit import kernel

BPS: Final = 1e4


def take_report(state: np.ndarray, row: np.void) -> None:
    """Take one REPORT row of a symbol in range.

    Parameters
    ----------
    state : (symbols,) MARKET
        Changed in place.
    row : REPORT record
        Kinds other than POSITION, INTENT, ACK, FILL, CANCELLED and REJECT change nothing.
    """
    symbol, side, kind = int(row["symbol"]), int(row["side"]), int(row["kind"])
    if kind in (ReportKind.FILL, ReportKind.POSITION):
        state["own"]["inventory_lots"][symbol] = row["position_lots"]
    if side == 0:
        return
    lot_qty = float(state["instrument"]["lot_qty"][symbol])
    queue = state[symbol]["queues"][(0 if side > 0 else 1) :][:1]
    mine = int(queue["order_id"][0]) == int(row["order_id"])
    if kind in (ReportKind.INTENT, ReportKind.ACK):
        qty, acknowledged = float(row["qty_lots"]) * lot_qty, kind == ReportKind.ACK
        order_id, tick, ts_ns = int(row["order_id"]), int(row["px_tick"]), int(row["ts_ns"])
        join_queue(state, symbol, side, order_id, tick, qty, acknowledged, ts_ns)
    elif kind in (ReportKind.CANCELLED, ReportKind.REJECT) and mine:
        queue[:] = np.zeros(1, queue.dtype)
    elif kind == ReportKind.FILL:
        if mine:
            part_filled(state, symbol, side, float(row["qty_lots"]) * lot_qty)
            if not queue["own_qty"][0] > lot_qty / 2.0:
                queue[:] = np.zeros(1, queue.dtype)
        _expect_markout(state, row, symbol, side)


def _expect_markout(state: np.ndarray, row: np.void, symbol: int, side: int) -> None:
    notional_cash = cash_of_notional(int(row["px_tick"]), int(row["qty_lots"]))
    if not (row["decision_mid_px"] > 0.0 and notional_cash > 0):
        return
    fee_bps = int(row["fee_cash"]) / notional_cash * BPS
    decision_px, tick = float(row["decision_mid_px"]), int(row["px_tick"])
    expect_fill(state, symbol, int(row["ts_ns"]), int(row["tid"]), side, tick, decision_px, fee_bps)


@kernel
def expect_fill(
    state: np.ndarray,
    symbol: int,
    ts_ns: int,
    tid: int,
    side: int,
    tick: int,
    decision_px: float,
    fee_bps: float,
) -> None:
    """A fill of ours waits for the mids that say what it was worth.

    Parameters
    ----------
    state : (symbols,) MARKET
        Fills of `symbol` are changed.
    symbol, ts_ns, tid, side, tick : int
        Of the fill.
    decision_px : float
        Mid when its order was decided, > 0.
    fee_bps : float
        Paid on it.
    """
    fills = state[symbol]["fills"]
    fill = fills[markouts.append(state[symbol]["fill_ends"], fills)]
    px = tick * state[symbol]["instrument"]["tick_px"]
    fill["filled_ts_ns"] = fill["decided_ts_ns"] = ts_ns
    fill["cause_seq"], fill["virtual"], fill["side"], fill["level"] = tid, 0, side, 0
    fill["mid_px"], fill["depth_bps"] = decision_px, side * (decision_px - px) / decision_px * BPS
    fill["fee_bps"], fill["queue_rank"], fill["ahead_qty"] = fee_bps, 0.0, 0.0
    fill["predicted_edge_bps"] = fill["predicted_std_bps"] = fill["predicted_fill_prob"] = 0.0
    fill["fill_factor"] = 0.0
    fill["toxicity"] = state[symbol]["toxicity"]["verdict"]
    fill["regime"] = regime.most_probable(state[symbol]["regime"])


@kernel
def join_queue(
    state: np.ndarray,
    symbol: int,
    side: int,
    order_id: int,
    tick: int,
    own_qty: float,
    acknowledged: bool,
    ts_ns: int,
) -> None:
    """An order of ours is sent, or rests: it is behind all that its level shows without it.

    Parameters
    ----------
    state : (symbols,) MARKET
        Queues of `symbol` are changed.
    symbol, side, order_id, tick : int
        Of the order.
    own_qty : float
        Base units.
    acknowledged : bool
        The venue says that it rests; False: it was sent just now.
    ts_ns : int
        Of the report.
    """
    index = 0 if side > 0 else 1
    book, sent = state[symbol]["book"], state[symbol]["sent"][index]
    queue = state[symbol]["queues"][index] if acknowledged else sent
    if acknowledged and sent["order_id"] == order_id:
        state[symbol]["queues"][index] = sent  # followed since it was sent
        sent["order_id"] = 0
    else:
        level_qty, _ = l2.level_at(book, side, tick)
        queue_rank.join(queue, order_id, tick, own_qty, level_qty, level_qty, book["exch_ts_ns"])
    if acknowledged:
        queue_rank.acknowledge(queue, ts_ns)


@kernel
def on_book(queue: np.void, book: np.void, side: int, ts_ns: int, exch_ts_ns: int) -> None:
    """Let the place of an order of ours follow the book after a message.

    Parameters
    ----------
    queue : QUEUE record
        Changed in place.
    book : BOOK record
        Valid.
    side, ts_ns, exch_ts_ns : int
        Of the order; of the message: received, and the venue's time.
    """
    if queue["order_id"] != 0:
        level_qty, stated_ns = l2.level_at(book, side, queue["tick"])
        if level_qty >= 0.0:
            queue_rank.on_level(queue, level_qty, stated_ns == ts_ns, ts_ns, exch_ts_ns)


@kernel
def part_filled(state: np.ndarray, symbol: int, side: int, qty: float) -> None:
    """A part of our order, base units, was filled."""
    queue_rank.on_fill(state[symbol]["queues"][0 if side > 0 else 1], qty)
