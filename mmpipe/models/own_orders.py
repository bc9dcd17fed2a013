"""What execution reports of our orders, as the features stage needs it: position, queue place, markouts."""

from typing import Final

import numpy as np

from mmpipe.book import l2, queue_rank
from mmpipe.enums import LabelKind, ReportKind
from mmpipe.models.market_state import MarketState
from mmpipe.units import cash_of_notional
from ringbuf.jit import kernel

BPS: Final = 1e4
_MARKOUT: Final = int(LabelKind.FILL_MARKOUT)


def take_report(state: MarketState, row: np.void) -> None:
    """Take one REPORT row of a symbol in range.

    Parameters
    ----------
    state : MarketState
        Changed in place.
    row : REPORT record
        Kinds other than POSITION, ACK, FILL, CANCELLED and REJECT change nothing.
    """
    symbol, side, kind = int(row["symbol"]), int(row["side"]), int(row["kind"])
    if kind in (ReportKind.FILL, ReportKind.POSITION):
        state.symbols["inventory_lots"][symbol] = row["position_lots"]
    if side == 0:
        return
    lot_qty = float(state.instruments["lot_qty"][symbol])
    queue = state.queues[symbol, (0 if side > 0 else 1) :][:1]
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


def _expect_markout(state: MarketState, row: np.void, symbol: int, side: int) -> None:
    notional_cash = cash_of_notional(int(row["px_tick"]), int(row["qty_lots"]))
    if not (row["decision_mid_px"] > 0.0 and notional_cash > 0):
        return
    pending, ends = state.pendings[symbol], state.pending_ends[symbol : symbol + 1]
    if int(ends["head"][0]) - int(ends["tail"][0]) == len(pending):
        ends["tail"] += 1
    item = pending[int(ends["head"][0]) % len(pending) :][:1]
    ends["head"] += 1
    item["ts_ns"], item["cause_seq"], item["kind"], item["side"] = row["ts_ns"], row["tid"], _MARKOUT, side
    item["px"] = int(row["px_tick"]) * float(state.instruments["tick_px"][symbol])
    item["mid_px"] = row["decision_mid_px"]
    item["fee_bps"] = int(row["fee_cash"]) / notional_cash * BPS
    item["predicted_edge_bps"] = 0.0
    item["toxicity"] = state.toxicities["verdict"][symbol]
    item["regime"] = int(np.argmax(state.regimes["probs"][symbol]))


@kernel
def join_queue(state: MarketState, symbol: int, side: int, order_id: int, tick: int, own_qty: float) -> None:
    """An order of ours rests: it is taken to be behind all that its level shows."""
    level_qty = l2.qty_at(state.books[symbol], side, tick)
    queue_rank.join(state.queues[symbol, 0 if side > 0 else 1], order_id, tick, own_qty, level_qty)
