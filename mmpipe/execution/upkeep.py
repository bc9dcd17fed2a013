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
    FREE,
    INTENT_STATUS,
    REJECTED,
    RESTING,
    UNKNOWN,
    Ledger,
    Outgoing,
    end_order,
    find_order,
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
def count_time(ledger: Ledger, state: np.void, symbol: int, now_ns: int) -> None:
    """Add the time since the last count to the mode, and to quotable and quoted time.

    Parameters
    ----------
    ledger : Ledger
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
    ledger: Ledger, states: np.ndarray, risk: np.ndarray, cancel_reason: int, keep_exits: bool,
    age_max_ns: int, now_ns: int, out: Outgoing,
) -> None:  # fmt: skip
    """One tick of time.

    Parameters
    ----------
    ledger : Ledger
        Changed in place.
    states : (symbols,) MODE_STATE
        Reasons of a symbol whose judgement grew old are overwritten.
    risk : (1,) settings of RiskConfig
        Request budget.
    cancel_reason : int
        Reason to cancel what rests; NONE: no such reason.
    keep_exits : bool
        Spare orders that can only shrink the position. A judgement that grew old always spares them: a
        position without an exit is worse than an exit at an old price.
    age_max_ns : int
        Age of a judgement that nothing may rest on.
    now_ns : int
        Monotonic time.
    out : Outgoing
        INTENT and REPORT rows are appended.
    """
    session = ledger.session[0]
    if session["tokens_ts_ns"] > 0:
        session["tokens"] = refill(session["tokens"], now_ns - session["tokens_ts_ns"], risk)
    session["tokens_ts_ns"] = now_ns
    for slot in range(len(ledger.orders)):
        order = ledger.orders[slot]
        # Asked here: a call that hands the whole ledger over costs more than most slots deserve.
        if not is_live(order) and (int(order["status"]) == FREE or order["drain_until_ns"] == 0):
            continue
        _age_order(ledger, slot, states, cancel_reason, keep_exits, age_max_ns, now_ns, out)
    for symbol in range(len(states)):
        state = states[symbol]
        if state["snapshot_ts_ns"] > 0 and not now_ns - state["snapshot_ts_ns"] <= age_max_ns:
            state["bid_reason"] = state["ask_reason"] = _OLD
        count_time(ledger, state, symbol, now_ns)
    send_cancels(ledger, -1, now_ns, out)


@kernel
def report_positions(ledger: Ledger, now_ns: int, out: Outgoing) -> None:
    """A POSITION report for every symbol, which readers that restarted begin from."""
    for symbol in range(len(ledger.accounts)):
        report_symbol(ledger, symbol, _POSITION, 0, now_ns, out)


@kernel
def restore_intents(ledger: Ledger, intents: np.ndarray) -> None:
    """Take INTENTs of an earlier life: orders of unknown outcome, all of them to be cancelled.

    Parameters
    ----------
    ledger : Ledger
        Changed in place.
    intents : (n,) INTENT
        As journalled.
    """
    for index in range(len(intents)):
        if int(intents[index]["kind"]) == _PLACE:
            _restore(ledger, intents[index])


@kernel
def _restore(ledger: Ledger, intent: np.void) -> None:
    slot = take_slot(ledger.orders)
    assert slot >= 0, "more orders of unknown outcome than the table holds"
    order = ledger.orders[slot]
    order["order_id"], order["oid"], order["ts_ns"] = intent["order_id"], intent["oid"], intent["ts_ns"]
    order["cause_seq"], order["cause_ts_ns"] = intent["cause_seq"], intent["cause_ts_ns"]
    order["px_tick"], order["qty_lots"] = intent["px_tick"], intent["qty_lots"]
    order["mid_px"], order["symbol"], order["side"] = intent["mid_px"], intent["symbol"], intent["side"]
    order["tif"], order["reduce_only"] = intent["tif"], intent["reduce_only"]
    order["reason"], order["status"] = intent["reason"], UNKNOWN
    order["cancel_wanted"], order["cancel_reason"] = 1, _RESTORED  # judged by a process that is gone


@kernel
def withdraw(ledger: Ledger, order_id: int, reason: int, now_ns: int, out: Outgoing) -> None:
    """An order was decided and journalled but must not be sent any more: it never rested."""
    slot = find_order(ledger.orders, order_id, 0)
    if slot >= 0 and int(ledger.orders[slot]["status"]) == INTENT_STATUS:
        end_order(ledger.orders[slot], REJECTED, 0, 0, now_ns)
        report_order(ledger, slot, _REJECT, reason, now_ns, out)


@kernel
def fill_board(ledger: Ledger, states: np.ndarray, symbol: int, boards: np.ndarray) -> None:
    """Write what a screen shows of one symbol.

    Parameters
    ----------
    ledger : Ledger
        Read only.
    states : (symbols,) MODE_STATE
        Read only.
    symbol : int
        Whose.
    boards : (symbols,) BOARD
        The row of `symbol` is written in whole, but for `seq` and padding.
    """
    board, state, account = boards[symbol], states[symbol], ledger.accounts[symbol]
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
    for slot in range(len(ledger.orders)):
        order = ledger.orders[slot]
        if int(order["symbol"]) != symbol or not is_live(order):
            continue
        board["open_orders"] += 1
        if int(order["status"]) == RESTING and int(order["side"]) > 0:
            board["bid_tick"], board["bid_lots"] = order["px_tick"], order["qty_lots"] - order["filled_lots"]
        elif int(order["status"]) == RESTING:
            board["ask_tick"], board["ask_lots"] = order["px_tick"], order["qty_lots"] - order["filled_lots"]


@kernel
def live_count(ledger: Ledger) -> int:
    """Orders that may rest at the venue, as far as is known."""
    count = 0
    for slot in range(len(ledger.orders)):
        if is_live(ledger.orders[slot]):
            count += 1
    return count


@kernel
def unknown_count(orders: np.ndarray) -> int:
    """Orders of unknown outcome; `orders` is (ORDER_SLOTS,) ORDER."""
    count = 0
    for slot in range(len(orders)):
        if int(orders[slot]["status"]) == UNKNOWN:
            count += 1
    return count


@kernel
def _age_order(
    ledger: Ledger, slot: int, states: np.ndarray, cancel_reason: int, keep_exits: bool, age_max_ns: int,
    now_ns: int, out: Outgoing,
) -> None:  # fmt: skip
    order = ledger.orders[slot]
    status = int(order["status"])
    patience_ns = ledger.session[0]["answer_timeout_ns"]
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
def _is_quoting(ledger: Ledger, symbol: int) -> bool:
    for slot in range(len(ledger.orders)):
        order = ledger.orders[slot]
        if int(order["status"]) == RESTING and int(order["symbol"]) == symbol and not order["cancel_wanted"]:
            return True
    return False
