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
        Kinds other than POSITION, ACK, FILL, CANCELLED and REJECT change nothing.
    """
    symbol, side, kind = int(row["symbol"]), int(row["side"]), int(row["kind"])
    if kind in (ReportKind.FILL, ReportKind.POSITION):
        state["own"]["inventory_lots"][symbol] = row["position_lots"]
    if side == 0:
        return
    lot_qty = float(state["instrument"]["lot_qty"][symbol])
    queue = state[symbol]["queues"][(0 if side > 0 else 1) :][:1]
    mine = int(queue["order_id"][0]) == int(row["order_id"])
    if kind == ReportKind.ACK:
        qty = float(row["qty_lots"]) * lot_qty
        join_queue(state, symbol, side, int(row["order_id"]), int(row["px_tick"]), qty)
    elif kind in (ReportKind.CANCELLED, ReportKind.REJECT) and mine:
        queue[:] = np.zeros(1, queue.dtype)
    elif kind == ReportKind.FILL:
        if mine:
            queue["own_qty"] -= float(row["qty_lots"]) * lot_qty
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
    fill["toxicity"] = state[symbol]["toxicity"]["verdict"]
    fill["regime"] = regime.most_probable(state[symbol]["regime"])


@kernel
def join_queue(state: np.ndarray, symbol: int, side: int, order_id: int, tick: int, own_qty: float) -> None:
    """An order of ours rests: it is taken to be behind all that its level shows."""
    level_qty, _ = l2.level_at(state[symbol]["book"], side, tick)
    queue_rank.join(state[symbol]["queues"][0 if side > 0 else 1], order_id, tick, own_qty, level_qty)
