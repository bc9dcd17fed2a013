"""What the venue answered, applied to the ledger: each trade once, each order through legal steps only.

An answer that contradicts what is known moves an order towards more exposure, never less: a refused cancel,
a lost answer or a rejection of something that rested makes it UNKNOWN, to be asked about. A rejected order
that turns out to rest or to fill is live again. "Not found" proves nothing while a delayed request could
still arrive. Answers nobody can use are counted and change nothing.
"""

from typing import Final

import numpy as np

from mmpipe.enums import AnswerKind, Counter, Reason, ReportKind
from mmpipe.execution.account import book_fill
from mmpipe.execution.orders import (
    CANCELLED,
    CANCELLING,
    CONTEXTS,
    FILLED,
    INTENT_STATUS,
    ORDER_SLOTS,
    REJECTED,
    REPORTS,
    RESTING,
    UNKNOWN,
    activate,
    end_order,
    find_order,
    is_live,
)
from mmpipe.execution.reconciliation import lose_session, note_open_order, note_position, synchronise
from mmpipe.execution.reporting import add_fill_context, make_unknown, report_order, report_symbol
from mmpipe.risk.seen_trades import first_sight
from ringbuf.jit import kernel

_RESTING: Final = int(AnswerKind.RESTING)
_FILLED: Final = int(AnswerKind.FILLED)
_REJECTED: Final = int(AnswerKind.REJECTED)
_CANCELLED: Final = int(AnswerKind.CANCELLED)
_CANCEL_REFUSED: Final = int(AnswerKind.CANCEL_REFUSED)
_NO_ANSWER: Final = int(AnswerKind.NO_ANSWER)
_FILL: Final = int(AnswerKind.FILL)
_OPEN_ORDER: Final = int(AnswerKind.OPEN_ORDER)
_POSITION: Final = int(AnswerKind.POSITION)
_SYNCED: Final = int(AnswerKind.SYNCED)
_NOT_FOUND: Final = int(AnswerKind.NOT_FOUND)
_DISCONNECTED: Final = int(AnswerKind.DISCONNECTED)
_REPORT_ACK: Final = int(ReportKind.ACK)
_REPORT_REJECT: Final = int(ReportKind.REJECT)
_REPORT_FILL: Final = int(ReportKind.FILL)
_REPORT_CANCELLED: Final = int(ReportKind.CANCELLED)
_REJECTS: Final = int(Counter.REJECTS)
_FILLS: Final = int(Counter.FILLS)
_ALIENS: Final = int(Counter.ALIEN_FILLS)
_DUPLICATES: Final = int(Counter.DUPLICATES)
_BAD: Final = int(Counter.BAD_NUMBER)
_OUT_OF_ORDER: Final = int(Counter.OUT_OF_ORDER)
_GONE: Final = int(Reason.VENUE_GONE)
_NO_REPLY: Final = int(Reason.VENUE_NO_ANSWER)
_IOC: Final = 2
_TICKS_MAX: Final = 1 << 40
_LOTS_MAX: Final = 1 << 40


@kernel
def apply_answers(answers: np.ndarray, start: int, ledgers: np.ndarray, outs: np.ndarray, now_ns: int) -> int:
    """Apply answers from index `start` on, as many as the buffers have room for.

    Parameters
    ----------
    answers : (n,) ANSWER
        In order of arrival.
    start : int
        First one to apply.
    ledgers : (1,) LEDGER
        Changed in place.
    outs : (1,) OUTGOING
        REPORT and FILL_CONTEXT rows are appended.
    now_ns : int
        Monotonic time.

    Returns
    -------
    int
        Index of the first answer that was not applied; `len(answers)` when all were.
    """
    ledger, out = ledgers[0], outs[0]
    for index in range(start, len(answers)):
        # One answer makes at the most a report per order.
        full = out["counts"][REPORTS] + ORDER_SLOTS + 64 > len(out["reports"])
        if full or out["counts"][CONTEXTS] >= len(out["contexts"]):
            return index
        answer = answers[index]
        kind = int(answer["kind"])
        if kind == _SYNCED:
            synchronise(ledger, out, now_ns)
        elif kind == _DISCONNECTED:
            lose_session(ledger, out, now_ns)
        elif not _is_sane(answer, ledger["session"]["symbols"]):
            ledger["counters"][_BAD] += 1
        elif kind == _FILL:
            apply_fill(answer, ledger, out, now_ns)
        elif kind == _OPEN_ORDER:
            note_open_order(answer, ledger, out, now_ns)
        elif kind == _POSITION:
            note_position(answer, ledger)
        else:
            slot = find_order(ledger["orders"], int(answer["order_id"]), int(answer["oid"]))
            if slot >= 0:
                activate(ledger, slot)  # what was over may come to life again
                _apply_to_order(answer, kind, slot, ledger, out, now_ns)
            else:
                ledger["counters"][_OUT_OF_ORDER] += 1
    return len(answers)


@kernel
def apply_fill(answer: np.void, ledger: np.void, out: np.void, now_ns: int) -> None:
    """Count one trade, once, whatever state its order is in.

    Parameters
    ----------
    answer : ANSWER record
        A sane FILL.
    ledger : LEDGER record
        Changed in place.
    out : OUTGOING record
        A FILL report and a FILL_CONTEXT are appended.
    now_ns : int
        Monotonic time.
    """
    symbol, lots = int(answer["symbol"]), int(answer["qty_lots"])
    if not first_sight(ledger["seen"], symbol, int(answer["tid"])):
        ledger["counters"][_DUPLICATES] += 1
        return
    account = ledger["accounts"][symbol]
    account["fold_lots"] += int(answer["side"]) * lots
    slot = find_order(ledger["orders"], int(answer["order_id"]), int(answer["oid"]))
    if slot >= 0:
        activate(ledger, slot)
        order = ledger["orders"][slot]
        if int(order["symbol"]) != symbol or int(order["side"]) != int(answer["side"]):
            slot = -1
    if slot < 0:
        ledger["counters"][_ALIENS] += 1
        if ledger["session"]["syncs"] == 0:
            return  # before the first reconciliation: the position it will tell includes this trade
    decided = ledger["orders"][slot]["decided_half_tick"] if slot >= 0 else 0
    book_fill(
        account, ledger["fresh"][symbol], int(answer["side"]), int(answer["px_tick"]), lots,
        int(answer["fee_cash"]), decided, now_ns,
    )  # fmt: skip
    ledger["counters"][_FILLS] += 1
    if slot >= 0:
        _fill_order(ledger, slot, lots, now_ns)
        add_fill_context(ledger, slot, answer, now_ns, out)
        report = report_order(ledger, slot, _REPORT_FILL, int(ledger["orders"][slot]["reason"]), now_ns, out)
    else:
        report = report_symbol(ledger, symbol, _REPORT_FILL, int(answer["reason"]), now_ns, out)
        report["decision_mid_px"] = report["mid_px"]
    report["order_id"] = answer["order_id"]
    report["oid"] = answer["oid"]
    report["tid"] = answer["tid"]
    report["fee_cash"] = answer["fee_cash"]
    report["px_tick"] = answer["px_tick"]
    report["qty_lots"] = lots
    report["side"] = answer["side"]
    report["maker_fill"] = answer["maker_fill"]


@kernel
def _is_sane(answer: np.void, symbols: int) -> bool:
    kind, lots = int(answer["kind"]), int(answer["qty_lots"])
    if not (
        int(answer["symbol"]) < symbols and abs(lots) < _LOTS_MAX and abs(int(answer["px_tick"])) < _TICKS_MAX
    ):
        return False
    if not _RESTING <= kind <= _DISCONNECTED:
        return False
    if kind == _POSITION:
        return True
    if lots < 0:
        return False
    if kind == _FILL or kind == _OPEN_ORDER:
        side = int(answer["side"])
        if not (lots > 0 and answer["px_tick"] > 0 and (side == 1 or side == -1)):
            return False
        return kind == _OPEN_ORDER or answer["tid"] > 0
    return True


@kernel
def _apply_to_order(
    answer: np.void, kind: int, slot: int, ledger: np.void, out: np.void, now_ns: int
) -> None:
    order = ledger["orders"][slot]
    if answer["oid"] != 0:
        order["oid"] = answer["oid"]
    if kind == _RESTING:
        _on_resting(ledger, slot, now_ns, out)
    elif kind == _FILLED:
        _on_filled(answer, ledger, slot, now_ns)
    elif kind == _CANCELLED:
        _on_cancelled(answer, ledger, slot, now_ns, out)
    elif kind == _REJECTED:
        _on_rejected(answer, ledger, slot, now_ns, out)
    elif kind == _NOT_FOUND:
        _on_not_found(ledger, slot, now_ns, out)
    elif int(order["status"]) == CANCELLING or (kind == _NO_ANSWER and int(order["status"]) == INTENT_STATUS):
        make_unknown(ledger, slot, _GONE if kind == _CANCEL_REFUSED else _NO_REPLY, now_ns, out)


@kernel
def _fill_order(ledger: np.void, slot: int, lots: int, now_ns: int) -> None:
    order = ledger["orders"][slot]
    filled = order["filled_lots"] + lots
    if filled > order["qty_lots"]:
        ledger["counters"][_BAD] += 1  # the venue filled more than was asked; the position has it all
    order["filled_lots"] = min(filled, order["qty_lots"])
    order["drain_lots"] = max(order["drain_lots"] - lots, 0)
    if is_live(order) and order["filled_lots"] == order["qty_lots"]:
        end_order(order, FILLED, 0, 0, now_ns)
    elif int(order["status"]) == REJECTED and order["filled_lots"] < order["qty_lots"]:
        order["status"] = UNKNOWN  # an error was answered and the order was executed all the same
        order["unknown_ts_ns"] = now_ns
        order["cancel_wanted"] = 1
    elif int(order["status"]) == REJECTED:
        order["status"] = FILLED


@kernel
def _on_resting(ledger: np.void, slot: int, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    status = int(order["status"])
    if status == REJECTED:
        order["cancel_wanted"] = 1  # it was given up; it may not stay
    if status == INTENT_STATUS or status == UNKNOWN or status == REJECTED:
        order["status"] = RESTING
        report_order(ledger, slot, _REPORT_ACK, int(order["reason"]), now_ns, out)


@kernel
def _on_filled(answer: np.void, ledger: np.void, slot: int, now_ns: int) -> None:
    order = ledger["orders"][slot]
    if not is_live(order) and int(order["status"]) != REJECTED:
        return
    executed, told = order["qty_lots"], int(answer["qty_lots"])
    # What an order that may not rest did not get at once is gone.
    if int(order["tif"]) == _IOC and 0 < told < executed:
        executed = told
    end_order(order, FILLED, executed - order["filled_lots"], 0, now_ns)


@kernel
def _on_cancelled(answer: np.void, ledger: np.void, slot: int, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    remainder = int(answer["qty_lots"])
    proven = 0 < remainder <= order["qty_lots"]
    drain = max(order["qty_lots"] - remainder - order["filled_lots"], 0)
    status = int(order["status"])
    if is_live(order):
        until_ns = 0
        if not proven:
            # Not told what was filled before the cancel: all of it may have been.
            drain = order["qty_lots"] - order["filled_lots"]
            until_ns = now_ns + ledger["session"]["answer_timeout_ns"]
        reason = int(order["cancel_reason"]) if order["cancel_reason"] else int(answer["reason"])
        end_order(order, CANCELLED, drain, until_ns, now_ns)
        report_order(ledger, slot, _REPORT_CANCELLED, reason, now_ns, out)
    elif proven and (status == CANCELLED or status == FILLED):
        order["drain_lots"] = min(order["drain_lots"], drain)
        order["drain_until_ns"] = 0


@kernel
def _on_rejected(answer: np.void, ledger: np.void, slot: int, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    if not is_live(order):
        return
    if order["filled_lots"] > 0 or int(order["status"]) == RESTING:
        make_unknown(ledger, slot, int(answer["reason"]), now_ns, out)
        return
    end_order(order, REJECTED, 0, 0, now_ns)
    ledger["counters"][_REJECTS] += 1
    report_order(ledger, slot, _REPORT_REJECT, int(answer["reason"]), now_ns, out)


@kernel
def _on_not_found(ledger: np.void, slot: int, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    asked_ns = order["asked_ts_ns"] if order["asked_ts_ns"] > 0 else now_ns
    if int(order["status"]) != UNKNOWN or asked_ns < order["ts_ns"] + ledger["session"]["lifetime_ns"]:
        return
    if order["filled_lots"] == 0 and order["oid"] == 0:
        end_order(order, REJECTED, 0, 0, now_ns)
        ledger["counters"][_REJECTS] += 1
        report_order(ledger, slot, _REPORT_REJECT, _GONE, now_ns, out)
    else:
        drain_until_ns = now_ns + ledger["session"]["answer_timeout_ns"]
        end_order(order, CANCELLED, order["qty_lots"] - order["filled_lots"], drain_until_ns, now_ns)
        report_order(ledger, slot, _REPORT_CANCELLED, _GONE, now_ns, out)
