"""What the venue lists after a (re)connection, held against the ledger until both say the same.

Orders the venue lists and the ledger does not know are adopted and cancelled. Orders the ledger holds and
the venue does not list become UNKNOWN: the list may be older than the order. The venue's position is taken
over at the first reconciliation, later only when two reconciliations in a row found the same difference:
a fill may be on its way while the list is made.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Counter, Reason, ReportKind
from mmpipe.execution.account import adopt
from mmpipe.execution.orders import (
    CANCELLED,
    CANCELLING,
    FREE,
    INTENT_STATUS,
    REJECTED,
    RESTING,
    UNKNOWN,
    activate,
    end_order,
    find_order,
    is_live,
    take_slot,
)
from mmpipe.execution.reporting import make_unknown, report_order, report_symbol
from ringbuf.jit import kernel

_ACK: Final = int(ReportKind.ACK)
_POSITION: Final = int(ReportKind.POSITION)
_CANCELLED_REPORT: Final = int(ReportKind.CANCELLED)
_SESSION_LOST: Final = int(Reason.VENUE_SESSION_LOST)
_NOT_RECONCILED: Final = int(Reason.NOT_RECONCILED)
_MISMATCH: Final = int(Reason.POSITION_MISMATCH)
_GONE: Final = int(Reason.VENUE_GONE)
_RECONCILIATIONS: Final = int(Counter.RECONCILIATIONS)
_BAD: Final = int(Counter.BAD_NUMBER)


@kernel
def note_open_order(answer: np.void, ledger: np.void, out: np.void, now_ns: int) -> None:
    """An order the venue lists as open; one nobody knows here is adopted, to be cancelled.

    Parameters
    ----------
    answer : ANSWER record
        A sane OPEN_ORDER.
    ledger : LEDGER record
        Changed in place.
    out : OUTGOING record
        An ACK report is appended for an order that was in doubt.
    now_ns : int
        Monotonic time.
    """
    slot = find_order(ledger["orders"], int(answer["order_id"]), int(answer["oid"]))
    if slot < 0:
        _adopt_order(answer, ledger, now_ns)
        return
    activate(ledger, slot)
    order = ledger["orders"][slot]
    order["listed"] = 1
    order["oid"] = answer["oid"]
    status = int(order["status"])
    if status == REJECTED:
        order["cancel_wanted"] = 1
    if status == INTENT_STATUS or status == UNKNOWN or status == REJECTED:
        order["status"] = RESTING
        report_order(ledger, slot, _ACK, int(order["reason"]), now_ns, out)


@kernel
def note_position(answer: np.void, ledger: np.void) -> None:
    """The venue's position of a symbol, kept until SYNCED."""
    account = ledger["accounts"][int(answer["symbol"])]
    account["venue_lots"] = answer["qty_lots"]
    account["venue_told"] = 1


@kernel
def synchronise(ledger: np.void, out: np.void, now_ns: int) -> None:
    """Everything of one reconciliation was delivered: compare, take over, or stay unreconciled.

    Parameters
    ----------
    ledger : LEDGER record
        `session["synced"]` is 1 afterwards exactly when no position is in doubt.
    out : OUTGOING record
        Reports of orders in doubt and of positions that were taken over are appended.
    now_ns : int
        Monotonic time.
    """
    session = ledger["session"]
    for slot in range(len(ledger["orders"])):
        if int(ledger["orders"][slot]["status"]) != FREE:
            _check_listed(ledger, slot, now_ns, out)
    mismatch = 0
    for symbol in range(ledger["session"]["symbols"]):
        account = ledger["accounts"][symbol]
        gap = account["venue_lots"] - account["position_lots"]
        if account["venue_told"] and gap != 0:
            if session["syncs"] == 0 or gap == account["gap_lots"]:
                adopt(account, gap, now_ns)
                report_symbol(ledger, symbol, _POSITION, _MISMATCH, now_ns, out)
                gap = 0
            else:
                mismatch = 1
        account["gap_lots"] = gap if account["venue_told"] else 0
        account["venue_told"] = 0
    session["mismatch"] = mismatch
    session["synced"] = 1 - mismatch
    session["syncs"] += 1
    ledger["counters"][_RECONCILIATIONS] += 1


@kernel
def lose_session(ledger: np.void, out: np.void, now_ns: int) -> None:
    """The session is down: what was in flight has no answer any more.

    Parameters
    ----------
    ledger : LEDGER record
        Not reconciled afterwards.
    out : OUTGOING record
        UNKNOWN reports are appended.
    now_ns : int
        Monotonic time.
    """
    ledger["session"]["synced"] = 0
    for slot in range(len(ledger["orders"])):
        order = ledger["orders"][slot]
        order["listed"] = 0
        if int(order["status"]) == INTENT_STATUS or int(order["status"]) == CANCELLING:
            make_unknown(ledger, slot, _SESSION_LOST, now_ns, out)
    for symbol in range(ledger["session"]["symbols"]):
        ledger["accounts"][symbol]["venue_told"] = 0


@kernel
def _check_listed(ledger: np.void, slot: int, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    status = int(order["status"])
    settled_ns = ledger["session"]["answer_timeout_ns"]
    if not is_live(order) and now_ns - order["ended_ts_ns"] >= settled_ns:
        order["drain_lots"] = 0  # all fills were delivered long after its end
    elif is_live(order) and not order["listed"]:
        if order["order_id"] == 0:
            end_order(order, CANCELLED, order["qty_lots"] - order["filled_lots"], now_ns + settled_ns, now_ns)
            report_order(ledger, slot, _CANCELLED_REPORT, _GONE, now_ns, out)
        elif status == RESTING or status == CANCELLING:
            make_unknown(ledger, slot, _SESSION_LOST, now_ns, out)
    order["listed"] = 0


@kernel
def _adopt_order(answer: np.void, ledger: np.void, now_ns: int) -> None:
    slot = take_slot(ledger)
    if slot < 0:
        ledger["counters"][_BAD] += 1
        return
    order = ledger["orders"][slot]
    order["order_id"] = answer["order_id"]
    order["oid"] = answer["oid"]
    order["ts_ns"] = now_ns
    order["px_tick"] = answer["px_tick"]
    order["qty_lots"] = answer["qty_lots"]
    order["symbol"] = answer["symbol"]
    order["side"] = answer["side"]
    order["status"] = RESTING
    order["cancel_wanted"] = 1
    order["cancel_reason"] = _NOT_RECONCILED
    order["listed"] = 1
