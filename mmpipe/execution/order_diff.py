"""The fewest requests between what rests and what is wanted, keeping places in queues.

An order at the wanted price with enough of the wanted size stays. Anything else of its side is cancelled,
but not before it has rested its minimum, unless it has become wrong to hold. A new order is placed only
beside an order that is already being cancelled (which still counts as exposure), never beside a live one,
and only if every pre-trade limit lets it pass.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Counter, IntentKind, Reason, ReportKind
from mmpipe.execution.orders import (
    CANCELLING,
    FREE,
    INTENT_STATUS,
    INTENTS,
    RESTING,
    UNKNOWN,
    is_live,
    only_exits,
    take_slot,
    worst_case,
)
from mmpipe.execution.reporting import add_intent, report_order
from mmpipe.execution.sizing import edge_doubt_bps
from mmpipe.risk.limits import check_order
from ringbuf.jit import kernel

SIZE_TOLERANCE_SHARE: Final = 0.25  # a remainder this much larger than wanted is too large
SIZE_LEFT_SHARE: Final = 0.25  # a remainder below this share of what is wanted is used up
_PLACE: Final = int(IntentKind.PLACE)
_CANCEL: Final = int(IntentKind.CANCEL)
_INTENT_REPORT: Final = int(ReportKind.INTENT)
_CANCEL_REPORT: Final = int(ReportKind.CANCEL_INTENT)
_ORDERS: Final = int(Counter.ORDERS)
_CANCELS: Final = int(Counter.CANCELS)
_REFUSED: Final = int(Counter.REFUSED_BY_LIMIT)
_OPEN_LIMIT: Final = int(Reason.LIMIT_OPEN_ORDERS)
_QUOTING: Final = int(Reason.QUOTING)
_ALO: Final = 0
_NS_PER_MS: Final = 1_000_000
_CANCELLING_MAX: Final = 1  # orders of a side on their way out beside which a new one may be placed


@kernel
def diff_side(
    ledger: np.void, forecasts: np.ndarray, row: np.void, block_reason: int, mode: int, doubt_bps: float,
    risk: np.ndarray, execution: np.ndarray, exposure: np.ndarray, now_ns: int, out: np.void,
) -> int:  # fmt: skip
    """Move one side of a symbol to what is wanted; returns the Reason it is or is not quoted.

    Parameters
    ----------
    ledger : LEDGER record
        Changed in place.
    forecasts : (1,) FORECAST
        The judgement behind it.
    row : DESIRED record
        What the side should be.
    block_reason : int
        Reason why nothing may be placed now; NONE: placing is allowed. Reducing orders then stay.
    mode : int
        Mode that wants it.
    doubt_bps : float
        Standard deviation of the forecast.
    risk, execution : (1,) settings of RiskConfig, ExecutionConfig
    exposure : (1,) EXPOSURE
        Overwritten.
    now_ns : int
        Monotonic time.
    out : OUTGOING record
        INTENT and REPORT rows are appended.
    """
    symbol = int(forecasts[0]["symbol"])
    kept, blockers = _clear_side(ledger, symbol, row, block_reason, execution[0], now_ns)
    send_cancels(ledger, symbol, now_ns, out)
    if not row["wanted"]:
        return int(row["reason"])
    if kept >= 0:
        return _QUOTING
    if block_reason != 0:
        return block_reason
    if blockers > 0:
        return int(row["reason"])
    slot = take_slot(ledger)
    if slot < 0 or out["counts"][INTENTS] >= len(out["intents"]):
        return _OPEN_LIMIT
    edge_std_bps = edge_doubt_bps(doubt_bps, row["queue_value_std_bps"])
    _write_order(ledger, slot, forecasts[0], row, mode, edge_std_bps, now_ns)
    add_intent(ledger, slot, _PLACE, int(row["reason"]), now_ns, out)
    worst_case(ledger, symbol, int(row["side"]), int(row["px_tick"]), exposure)
    instrument = ledger["instruments"][symbol : symbol + 1]
    last = int(out["counts"][INTENTS]) - 1
    refusal = check_order(out["intents"], last, exposure, instrument, risk, execution, now_ns)
    if refusal != 0:
        out["counts"][INTENTS] -= 1
        ledger["orders"][slot]["status"] = FREE
        ledger["counters"][_REFUSED] += 1
        return refusal
    _commit_order(ledger, slot, forecasts, now_ns, out)
    return _QUOTING


@kernel
def send_cancels(ledger: np.void, symbol: int, now_ns: int, out: np.void) -> None:
    """Decide a CANCEL for every order that shall go and can be cancelled now.

    Parameters
    ----------
    ledger : LEDGER record
        Orders become CANCELLING; those of unknown outcome are cancelled again after each answer timeout.
    symbol : int
        Whose orders; negative: all.
    now_ns : int
        Monotonic time.
    out : OUTGOING record
        INTENT and REPORT rows are appended.
    """
    for at in range(ledger["active_count"]):
        slot = ledger["active"][at]
        order = ledger["orders"][slot]
        if not order["cancel_wanted"] or (symbol >= 0 and int(order["symbol"]) != symbol):
            continue
        again_ns = order["cancel_ts_ns"] + ledger["session"]["answer_timeout_ns"]
        unknown = int(order["status"]) == UNKNOWN and (order["cancel_ts_ns"] == 0 or now_ns >= again_ns)
        if (int(order["status"]) != RESTING and not unknown) or out["counts"][INTENTS] >= len(out["intents"]):
            continue
        if int(order["status"]) == RESTING:
            order["status"] = CANCELLING
        order["cancel_ts_ns"] = now_ns
        # Cancels are never held back by the budget; it may only reach zero.
        ledger["session"]["tokens"] = max(ledger["session"]["tokens"] - 1.0, 0.0)
        ledger["counters"][_CANCELS] += 1
        add_intent(ledger, slot, _CANCEL, int(order["cancel_reason"]), now_ns, out)
        report_order(ledger, slot, _CANCEL_REPORT, int(order["cancel_reason"]), now_ns, out)


@kernel
def want_cancel(order: np.void, reason: int) -> None:
    """Mark a live order to be cancelled as soon as that is possible; the first reason stands."""
    if is_live(order) and not order["cancel_wanted"]:
        order["cancel_wanted"] = 1
        order["cancel_reason"] = reason


@kernel
def _clear_side(
    ledger: np.void, symbol: int, row: np.void, block_reason: int, settings: np.void, now_ns: int
) -> tuple[int, int]:
    # The slot of the order that stays (-1: none), and how many others stand in the way of a new one.
    kept = -1
    blockers = leaving = 0
    side = int(row["side"])
    for at in range(ledger["active_count"]):
        slot = ledger["active"][at]
        order = ledger["orders"][slot]
        status = int(order["status"])
        if not is_live(order) or int(order["symbol"]) != symbol or int(order["side"]) != side:
            continue
        if status == CANCELLING:
            leaving += 1
            continue
        if status == UNKNOWN or order["cancel_wanted"]:
            if status == RESTING:
                leaving += 1
            else:
                blockers += 1
            continue
        if kept < 0 and row["wanted"] and _fits(order, row):
            kept = slot
        elif block_reason != 0 and only_exits(ledger, slot):
            blockers += 1  # an exit that cannot be replaced is not given up
        elif row["hurry"] or now_ns - order["ts_ns"] >= settings["requote_min_ms"] * _NS_PER_MS:
            want_cancel(order, int(row["reason"]))
            if status == RESTING:
                leaving += 1
            else:
                blockers += 1
        else:
            blockers += 1
    if leaving > _CANCELLING_MAX:
        blockers += leaving
    return kept, blockers


@kernel
def _fits(order: np.void, row: np.void) -> bool:
    left, wanted = order["qty_lots"] - order["filled_lots"], row["qty_lots"]
    if order["px_tick"] != row["px_tick"] or int(order["tif"]) != int(row["tif"]):
        return False
    if row["reduce_only"] and not order["reduce_only"] and left > wanted:
        return False
    return SIZE_LEFT_SHARE * wanted <= left <= (1.0 + SIZE_TOLERANCE_SHARE) * wanted


@kernel
def _write_order(
    ledger: np.void, slot: int, forecast: np.void, row: np.void, mode: int, edge_std_bps: float, now_ns: int
) -> None:
    order = ledger["orders"][slot]
    symbol = int(forecast["symbol"])
    order["order_id"] = ledger["session"]["next_order_id"]
    order["ts_ns"] = now_ns
    order["cause_seq"] = forecast["seq"]
    order["cause_ts_ns"] = forecast["cause_ts_ns"]
    order["px_tick"] = row["px_tick"]
    order["qty_lots"] = row["qty_lots"]
    order["decided_half_tick"] = ledger["accounts"][symbol]["mark_half_tick"]
    order["mid_px"] = ledger["accounts"][symbol]["mid_px"]
    order["queue_value_bps"] = row["queue_value_bps"]
    order["queue_rank"] = row["queue_rank"]
    order["fill_prob"] = row["fill_prob"]
    order["predicted_edge_bps"] = row["queue_value_bps"]
    order["predicted_uncertainty_bps"] = edge_std_bps
    order["depth_bps"] = row["depth_bps"]
    order["symbol"] = symbol
    order["reason"] = row["reason"]
    order["side"] = row["side"]
    order["tif"] = row["tif"]
    order["reduce_only"] = row["reduce_only"]
    order["mode"] = mode
    order["status"] = FREE  # it is not exposure before it has passed


@kernel
def _commit_order(ledger: np.void, slot: int, forecasts: np.ndarray, now_ns: int, out: np.void) -> None:
    order = ledger["orders"][slot]
    order["status"] = INTENT_STATUS
    order["has_snapshot"] = 1
    ledger["snapshots"][slot] = forecasts[0]["snapshot"]
    ledger["session"]["next_order_id"] += 1
    ledger["session"]["tokens"] -= 1.0
    if int(order["tif"]) != _ALO:
        ledger["aggressive_ts_ns"][int(order["symbol"])] = now_ns
    ledger["counters"][_ORDERS] += 1
    report_order(ledger, slot, _INTENT_REPORT, int(order["reason"]), now_ns, out)
