"""Rows that tell the others what happened to an order: REPORT, FILL_CONTEXT, INTENT.

Fields are filled in from the ledger, and the one status change that is always told is made here. The
buffers are the caller's and are sized for the largest call.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Counter, IntentKind, ReportKind
from mmpipe.execution.orders import CONTEXTS, INTENTS, REPORTS, UNKNOWN
from ringbuf.jit import kernel

_REPORTS_COUNTER: Final = int(Counter.REPORTS)
_UNKNOWNS_COUNTER: Final = int(Counter.UNKNOWN_OUTCOMES)
_UNKNOWN_REPORT: Final = int(ReportKind.UNKNOWN)
_PLACE: Final = int(IntentKind.PLACE)


@kernel
def report_order(ledger: np.void, slot: int, kind: int, reason: int, now_ns: int, out: np.void) -> np.void:
    """Append a REPORT about the order in `slot`; returned for the caller to add to.

    Parameters
    ----------
    ledger : LEDGER record
    slot : int
        Of the order.
    kind, reason : int
        ReportKind, Reason.
    now_ns : int
        Monotonic time.
    out : OUTGOING record
        Appended to.
    """
    order = ledger["orders"][slot]
    report = report_symbol(ledger, int(order["symbol"]), kind, reason, now_ns, out)
    report["cause_seq"] = order["cause_seq"]
    report["cause_ts_ns"] = order["cause_ts_ns"]
    report["order_id"] = order["order_id"]
    report["oid"] = order["oid"]
    report["px_tick"] = order["px_tick"]
    report["qty_lots"] = order["qty_lots"]
    report["decision_mid_px"] = order["mid_px"]
    report["side"] = order["side"]
    return report


@kernel
def report_symbol(ledger: np.void, symbol: int, kind: int, reason: int, now_ns: int, out: np.void) -> np.void:
    """Append a REPORT that is about no order; arguments as for `report_order`."""
    report = out["reports"][out["counts"][REPORTS]]
    out["counts"][REPORTS] += 1
    ledger["counters"][_REPORTS_COUNTER] += 1
    report["seq"] = report["cause_seq"] = report["cause_ts_ns"] = report["order_id"] = 0
    report["oid"] = report["tid"] = report["fee_cash"] = report["px_tick"] = report["qty_lots"] = 0
    report["decision_mid_px"] = 0.0
    report["maker_ev_bps"] = report["taker_ev_bps"] = 0.0
    report["side"] = report["maker_fill"] = 0
    report["ts_ns"] = now_ns
    report["position_lots"] = ledger["accounts"][symbol]["position_lots"]
    report["mid_px"] = ledger["accounts"][symbol]["mid_px"]
    report["kind"] = kind
    report["mode"] = ledger["modes"][symbol]
    report["prev_mode"] = ledger["modes"][symbol]
    report["reason"] = reason
    report["symbol"] = symbol
    return report


@kernel
def make_unknown(ledger: np.void, slot: int, reason: int, now_ns: int, out: np.void) -> None:
    """The outcome of a live order is not known any more: it keeps counting and is asked about.

    Parameters
    ----------
    ledger : LEDGER record
        Changed in place.
    slot : int
        Of the order.
    reason : int
        Reason, for the report.
    now_ns : int
        Monotonic time.
    out : OUTGOING record
        An UNKNOWN report is appended.
    """
    order = ledger["orders"][slot]
    order["status"] = UNKNOWN
    order["unknown_ts_ns"] = now_ns
    order["asked_ts_ns"] = 0
    ledger["counters"][_UNKNOWNS_COUNTER] += 1
    report_order(ledger, slot, _UNKNOWN_REPORT, reason, now_ns, out)


@kernel
def add_fill_context(ledger: np.void, slot: int, answer: np.void, now_ns: int, out: np.void) -> None:
    """Append the decision behind a fill, with the SNAPSHOT it was made on; none for adopted orders."""
    order = ledger["orders"][slot]
    if not order["has_snapshot"]:
        return
    context = out["contexts"][out["counts"][CONTEXTS]]
    out["counts"][CONTEXTS] += 1
    context["seq"] = 0
    context["ts_ns"] = now_ns
    context["cause_seq"] = order["cause_seq"]
    context["cause_ts_ns"] = order["cause_ts_ns"]
    context["tid"] = answer["tid"]
    context["order_id"] = order["order_id"]
    context["predicted_edge_bps"] = order["predicted_edge_bps"]
    context["predicted_uncertainty_bps"] = order["predicted_uncertainty_bps"]
    context["depth_bps"] = order["depth_bps"]
    context["queue_rank"] = order["queue_rank"]
    context["fill_prob"] = order["fill_prob"]
    context["symbol"] = order["symbol"]
    context["side"] = order["side"]
    context["mode"] = order["mode"]
    context["snapshot"] = ledger["snapshots"][slot]


@kernel
def add_intent(ledger: np.void, slot: int, kind: int, reason: int, now_ns: int, out: np.void) -> None:
    """Append an INTENT about the order in `slot`; arguments as for `report_order`."""
    order = ledger["orders"][slot]
    intent = out["intents"][out["counts"][INTENTS]]
    out["counts"][INTENTS] += 1
    intent["seq"] = 0
    intent["ts_ns"] = now_ns
    intent["cause_seq"] = order["cause_seq"]
    intent["cause_ts_ns"] = order["cause_ts_ns"]
    intent["order_id"] = order["order_id"]
    intent["oid"] = order["oid"]
    intent["px_tick"] = order["px_tick"]
    intent["qty_lots"] = order["qty_lots"] if kind == _PLACE else order["qty_lots"] - order["filled_lots"]
    intent["mid_px"] = order["mid_px"]
    intent["queue_value_bps"] = order["queue_value_bps"]
    intent["fill_prob"] = order["fill_prob"]
    intent["predicted_edge_bps"] = order["predicted_edge_bps"]
    intent["predicted_uncertainty_bps"] = order["predicted_uncertainty_bps"]
    intent["depth_bps"] = order["depth_bps"]
    intent["symbol"] = order["symbol"]
    intent["reason"] = reason
    intent["kind"] = kind
    intent["side"] = order["side"]
    intent["tif"] = order["tif"]
    intent["reduce_only"] = order["reduce_only"]
