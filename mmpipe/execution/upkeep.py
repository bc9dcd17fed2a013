"""What happens to orders by time alone: answers that did not come, judgements that grew old, hours counted.

Nothing here places an order. Whatever is late or in doubt moves towards fewer orders at the venue and more
exposure in the ledger.
"""

from typing import Final

import numpy as np

from mmpipe.enums import IntentKind, Reason, ReportKind
from mmpipe.execution.account import equity
from mmpipe.execution.order_diff import send_cancels, want_cancel
from mmpipe.execution.orders import (
    CANCELLING,
    INTENT_STATUS,
    REJECTED,
    RESTING,
    UNKNOWN,
    end_order,
    find_order,
    forget_settled,
    is_live,
    only_exits,
    take_slot,
)
from mmpipe.execution.reporting import make_unknown, report_order, report_symbol
from mmpipe.risk.limits import refill
from ringbuf.jit import kernel

_NO_ANSWER: Final = int(Reason.VENUE_NO_ANSWER)
_OLD: Final = int(Reason.FORECAST_OLD)
_RESTORED: Final = int(Reason.NOT_RECONCILED)
_POSITION: Final = int(ReportKind.POSITION)
_REJECT: Final = int(ReportKind.REJECT)
_PLACE: Final = int(IntentKind.PLACE)


@kernel
def count_time(ledger: np.void, state: np.void, symbol: int, now_ns: int) -> None:
    """Add the time since the last count to the mode, and to quotable and quoted time.

    Parameters
    ----------
    ledger : LEDGER record
        Read: is a quote of the symbol resting?
    state : MODE_STATE record
        Changed in place.
    symbol : int
        Whose.
    now_ns : int
        Monotonic time.
    """
    elapsed_ns = now_ns - state["counted_ts_ns"]
    if state["counted_ts_ns"] > 0 and elapsed_ns > 0:
        state["mode_ns"][int(state["mode"])] += elapsed_ns
        if state["quotable"]:
            state["quotable_ns"] += elapsed_ns
            if _is_quoting(ledger, symbol):
                state["quoting_ns"] += elapsed_ns
    state["counted_ts_ns"] = now_ns


@kernel
def keep_up(
    ledgers: np.ndarray, desks: np.ndarray, cancel_reason: int, keep_exits: bool, age_max_ns: int,
    now_ns: int, outs: np.ndarray,
) -> None:  # fmt: skip
    """One tick of time.

    Parameters
    ----------
    ledgers : (1,) LEDGER
        Changed in place.
    desks : (1,) DESK
        Reasons of a symbol whose judgement grew old are overwritten; the request budget is read.
    cancel_reason : int
        Reason to cancel what rests; NONE: no such reason.
    keep_exits : bool
        Spare orders that can only shrink the position. A judgement that grew old always spares them: a
        position without an exit is worse than an exit at an old price.
    age_max_ns : int
        Age of a judgement that nothing may rest on.
    now_ns : int
        Monotonic time.
    outs : (1,) OUTGOING
        INTENT and REPORT rows are appended.
    """
    ledger, out, states = ledgers[0], outs[0], desks[0]["states"]
    session = ledger["session"]
    if session["tokens_ts_ns"] > 0:
        session["tokens"] = refill(session["tokens"], now_ns - session["tokens_ts_ns"], desks[0]["risk"])
    session["tokens_ts_ns"] = now_ns
    forget_settled(ledger)
    for at in range(ledger["active_count"]):
        _age_order(ledger, ledger["active"][at], states, cancel_reason, keep_exits, age_max_ns, now_ns, out)
    for symbol in range(session["symbols"]):
        state = states[symbol]
        if state["snapshot_ts_ns"] > 0 and not now_ns - state["snapshot_ts_ns"] <= age_max_ns:
            state["bid_reason"] = state["ask_reason"] = _OLD
        count_time(ledger, state, symbol, now_ns)
    send_cancels(ledger, -1, now_ns, out)


@kernel
def report_positions(ledgers: np.ndarray, now_ns: int, outs: np.ndarray) -> None:
    """A POSITION report for every symbol, which readers that restarted begin from."""
    ledger, out = ledgers[0], outs[0]
    for symbol in range(ledger["session"]["symbols"]):
        report_symbol(ledger, symbol, _POSITION, 0, now_ns, out)


@kernel
def restore_intents(ledgers: np.ndarray, intents: np.ndarray) -> None:
    """Take INTENTs of an earlier life: orders of unknown outcome, all of them to be cancelled.

    Parameters
    ----------
    ledgers : (1,) LEDGER
        Changed in place.
    intents : (n,) INTENT
        As journalled.
    """
    ledger = ledgers[0]
    for index in range(len(intents)):
        if int(intents[index]["kind"]) == _PLACE:
            _restore(ledger, intents[index])


@kernel
def _restore(ledger: np.void, intent: np.void) -> None:
    slot = take_slot(ledger)
    assert slot >= 0, "more orders of unknown outcome than the table holds"
    order = ledger["orders"][slot]
    order["order_id"], order["oid"], order["ts_ns"] = intent["order_id"], intent["oid"], intent["ts_ns"]
    order["cause_seq"], order["cause_ts_ns"] = intent["cause_seq"], intent["cause_ts_ns"]
    order["px_tick"], order["qty_lots"] = intent["px_tick"], intent["qty_lots"]
    order["mid_px"], order["symbol"], order["side"] = intent["mid_px"], intent["symbol"], intent["side"]
    order["tif"], order["reduce_only"] = intent["tif"], intent["reduce_only"]
    order["reason"], order["status"] = intent["reason"], UNKNOWN
    order["cancel_wanted"], order["cancel_reason"] = 1, _RESTORED  # judged by a process that is gone


@kernel
def withdraw(ledgers: np.ndarray, order_id: int, reason: int, now_ns: int, outs: np.ndarray) -> None:
    """An order was decided and journalled but must not be sent any more: it never rested."""
    ledger, out = ledgers[0], outs[0]
    slot = find_order(ledger["orders"], order_id, 0)
    if slot >= 0 and int(ledger["orders"][slot]["status"]) == INTENT_STATUS:
        end_order(ledger["orders"][slot], REJECTED, 0, 0, now_ns)
        report_order(ledger, slot, _REJECT, reason, now_ns, out)


@kernel
def fill_board(ledgers: np.ndarray, desks: np.ndarray, symbol: int, boards: np.ndarray) -> None:
    """Write what a screen shows of one symbol.

    Parameters
    ----------
    ledgers : (1,) LEDGER
        Read only.
    desks : (1,) DESK
        Read only.
    symbol : int
        Whose.
    boards : (symbols,) BOARD
        The row of `symbol` is written in whole, but for `seq` and padding.
    """
    ledger = ledgers[0]
    board, state, account = boards[symbol], desks[0]["states"][symbol], ledger["accounts"][symbol]
    board["ts_ns"], board["symbol"] = state["counted_ts_ns"], symbol
    board["mode"], board["toxicity"] = state["mode"], state["toxicity"]
    board["bid_reason"], board["ask_reason"] = state["bid_reason"], state["ask_reason"]
    board["target_lots"] = state["target_lots"]
    board["quoting_ns"], board["quotable_ns"] = state["quoting_ns"], state["quotable_ns"]
    board["maker_ev_bps"], board["taker_ev_bps"] = state["maker_ev_bps"], state["taker_ev_bps"]
    for mode in range(len(state["mode_ns"])):
        board["mode_ns"][mode] = state["mode_ns"][mode]
    board["position_lots"], board["position_journal_lots"] = account["position_lots"], account["fold_lots"]
    board["mid_px"], board["equity_cash"] = account["mid_px"], equity(account)
    board["spread_cash"], board["adverse_cash"] = account["spread_cash"], account["adverse_cash"]
    board["inventory_cash"], board["fees_cash"] = account["inventory_cash"], account["fees_cash"]
    board["funding_cash"] = account["funding_cash"]
    board["bid_tick"] = board["ask_tick"] = board["bid_lots"] = board["ask_lots"] = 0
    board["open_orders"] = 0
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if int(order["symbol"]) != symbol or not is_live(order):
            continue
        board["open_orders"] += 1
        if int(order["status"]) == RESTING and int(order["side"]) > 0:
            board["bid_tick"], board["bid_lots"] = order["px_tick"], order["qty_lots"] - order["filled_lots"]
        elif int(order["status"]) == RESTING:
            board["ask_tick"], board["ask_lots"] = order["px_tick"], order["qty_lots"] - order["filled_lots"]


@kernel
def live_count(ledgers: np.ndarray) -> int:
    """Orders that may rest at the venue, as far as is known; `ledgers` is (1,) LEDGER."""
    ledger, count = ledgers[0], 0
    for at in range(ledger["active_count"]):
        if is_live(ledger["orders"][ledger["active"][at]]):
            count += 1
    return count


@kernel
def unknown_count(ledgers: np.ndarray) -> int:
    """Orders of unknown outcome; `ledgers` is (1,) LEDGER."""
    ledger, count = ledgers[0], 0
    for at in range(ledger["active_count"]):
        if int(ledger["orders"][ledger["active"][at]]["status"]) == UNKNOWN:
            count += 1
    return count


@kernel
def _age_order(
    ledger: np.void, slot: int, states: np.ndarray, cancel_reason: int, keep_exits: bool, age_max_ns: int,
    now_ns: int, out: np.void,
) -> None:  # fmt: skip
    order = ledger["orders"][slot]
    status = int(order["status"])
    patience_ns = ledger["session"]["answer_timeout_ns"]
    since_ns = order["cancel_ts_ns"] if status == CANCELLING else order["ts_ns"]
    if (status == INTENT_STATUS or status == CANCELLING) and now_ns - since_ns > patience_ns:
        make_unknown(ledger, slot, _NO_ANSWER, now_ns, out)
    if not is_live(order):
        if order["drain_until_ns"] > 0 and now_ns >= order["drain_until_ns"]:
            order["drain_lots"] = order["drain_until_ns"] = 0
        return
    judged_ns = states[int(order["symbol"])]["snapshot_ts_ns"]
    if cancel_reason != 0 and not (keep_exits and only_exits(ledger, slot)):
        want_cancel(order, cancel_reason)
    elif not now_ns - judged_ns <= age_max_ns and not only_exits(ledger, slot):
        want_cancel(order, _OLD)


@kernel
def _is_quoting(ledger: np.void, symbol: int) -> bool:
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if int(order["status"]) == RESTING and int(order["symbol"]) == symbol and not order["cancel_wanted"]:
            return True
    return False
