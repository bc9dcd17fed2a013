"""The table of our orders and what they could still do: integer accounting, worst case first.

                       place                ack                 cancel
      FREE ──▶ INTENT ───────▶ (venue) ─▶ RESTING ─────▶ CANCELLING ─▶ CANCELLED
                 │  no answer      │          │ filled        │ refused, no answer
                 ▼                 ▼          ▼               ▼
              UNKNOWN ◀───────  REJECTED    FILLED          UNKNOWN ──(query)──▶ any of the others

INTENT, RESTING, CANCELLING and UNKNOWN are live: their remainder counts as exposure. A terminal order
still counts what the venue says was filled and has not been told yet (`drain_lots`): a cancel may be
answered before the fill it lost the race to. Terminal orders stay in the table, for late fills, until
their slot is needed. The table knows no venue and no socket; answers are applied in `answers.py`.
"""

from typing import Final

import numpy as np

from mmpipe.config import Config
from mmpipe.enums import Counter, OrderStatus
from mmpipe.execution.account import ACCOUNT, FRESH, FRESH_FILLS
from mmpipe.records import FILL_CONTEXT, INSTRUMENT, INTENT, REPORT, SNAPSHOT, SYMBOLS_MAX
from mmpipe.risk.seen_trades import SEEN
from ringbuf.jit import kernel

ORDER_SLOTS: Final = 256
REPORT_ROWS: Final = 2_048
INTENT_ROWS: Final = 512

ORDER = np.dtype(
    [
        ("order_id", "i8"),  # 0: not placed by this pipeline
        ("oid", "i8"),
        ("ts_ns", "i8"),  # decided
        ("cause_seq", "i8"),  # FORECAST.seq
        ("cause_ts_ns", "i8"),
        ("px_tick", "i8"),
        ("qty_lots", "i8"),
        ("filled_lots", "i8"),
        ("drain_lots", "i8"),  # filled at the venue as far as known, and not told yet
        ("drain_until_ns", "i8"),  # when an unproven drain ends, 0: only by proof
        ("decided_half_tick", "i8"),
        ("cancel_ts_ns", "i8"),  # when the cancel was decided
        ("asked_ts_ns", "i8"),  # when its outcome was last asked for
        ("unknown_ts_ns", "i8"),
        ("ended_ts_ns", "i8"),
        ("mid_px", "f8"),
        ("queue_value_bps", "f8"),
        ("queue_rank", "f8"),
        ("fill_prob", "f8"),
        ("predicted_edge_bps", "f8"),
        ("predicted_uncertainty_bps", "f8"),
        ("depth_bps", "f8"),
        ("symbol", "u2"),
        ("reason", "u2"),  # Reason of the order
        ("cancel_reason", "u2"),
        ("side", "i1"),
        ("tif", "u1"),
        ("reduce_only", "u1"),
        ("status", "u1"),
        ("mode", "u1"),
        ("cancel_wanted", "u1"),
        ("listed", "u1"),  # seen among the open orders of the reconciliation under way
        ("has_snapshot", "u1"),
    ],
    align=True,
)

SESSION = np.dtype(
    [
        ("symbols", "i8"),  # how many are traded
        ("synced", "i8"),  # 1: reconciled since the last loss of the session
        ("syncs", "i8"),  # reconciliations since start
        ("mismatch", "i8"),  # 1: the last reconciliation found another position
        ("next_order_id", "i8"),
        ("tokens", "f8"),
        ("tokens_ts_ns", "i8"),
        ("horizon_ns", "i8"),  # label horizon
        ("lifetime_ns", "i8"),  # after which the venue refuses a request that comes late
        ("answer_timeout_ns", "i8"),
    ],
    align=True,
)


# Everything execution knows about its orders and positions, as one record: handing over ten arrays instead
# costs a call from Python a microsecond, and seventy machine words at each call within.
LEDGER = np.dtype(
    [
        ("session", SESSION),
        ("counters", "i8", (len(Counter),)),
        ("accounts", ACCOUNT, (SYMBOLS_MAX,)),
        ("instruments", INSTRUMENT, (SYMBOLS_MAX,)),
        ("aggressive_ts_ns", "i8", (SYMBOLS_MAX,)),  # when the last taking order of each symbol was decided
        ("modes", "u1", (SYMBOLS_MAX,)),  # of each symbol, for the reports
        ("active_count", "i8"),
        ("active", "i8", (ORDER_SLOTS,)),  # slots of orders that live or drain, rising; some may be over
        ("orders", ORDER, (ORDER_SLOTS,)),
        ("fresh", FRESH, (SYMBOLS_MAX, FRESH_FILLS)),
        ("seen", SEEN, (1,)),  # trade ids that were counted
        ("snapshots", SNAPSHOT, (ORDER_SLOTS,)),  # of the decision behind the order in the same slot
    ],
    align=True,
)

# What one call produced: rows, and how many of each.
OUTGOING = np.dtype(
    [
        ("counts", "i8", (3,)),  # index REPORTS, CONTEXTS, INTENTS
        ("intents", INTENT, (INTENT_ROWS,)),
        ("reports", REPORT, (REPORT_ROWS,)),
        ("contexts", FILL_CONTEXT, (ORDER_SLOTS,)),
    ],
    align=True,
)

REPORTS: Final = 0
CONTEXTS: Final = 1
INTENTS: Final = 2

FREE: Final = int(OrderStatus.FREE)
INTENT_STATUS: Final = int(OrderStatus.INTENT)
RESTING: Final = int(OrderStatus.RESTING)
CANCELLING: Final = int(OrderStatus.CANCELLING)
UNKNOWN: Final = int(OrderStatus.UNKNOWN)
FILLED: Final = int(OrderStatus.FILLED)
CANCELLED: Final = int(OrderStatus.CANCELLED)
REJECTED: Final = int(OrderStatus.REJECTED)


def new_ledger(config: Config, instruments: np.ndarray, epoch: int) -> np.ndarray:
    """An empty ledger; order ids start at `epoch << 32 | 1`.

    Parameters
    ----------
    config : Config
        Timeouts and the label horizon.
    instruments : (symbols,) INSTRUMENT
    epoch : int
        Of this life of execution, > every earlier one, below 2**31.

    Returns
    -------
    ndarray of LEDGER, shape (1,)
    """
    assert 0 <= epoch < 1 << 31, f"epoch {epoch} does not fit an order id"
    ledger: np.ndarray = np.zeros(1, LEDGER)
    session = ledger["session"]
    session["symbols"] = len(instruments)
    session["next_order_id"] = (epoch << 32) | 1
    session["tokens"] = config.risk.requests_per_s_max + config.risk.cancel_reserve
    session["horizon_ns"] = config.features.label_horizon_ms * 1_000_000
    session["lifetime_ns"] = config.execution.expires_after_ms * 1_000_000
    session["answer_timeout_ns"] = config.execution.answer_timeout_ms * 1_000_000
    ledger["instruments"][0, : len(instruments)] = instruments
    return ledger


@kernel
def is_live(order: np.void) -> bool:
    """True while the order may rest at the venue, as far as is known."""
    status = int(order["status"])
    return INTENT_STATUS <= status <= UNKNOWN


@kernel
def exposed_lots(order: np.void) -> int:
    """Lots the order may still fill: its remainder while it lives, what drains after that."""
    if is_live(order):
        return order["qty_lots"] - order["filled_lots"]
    return order["drain_lots"]


@kernel
def only_exits(ledger: np.void, slot: int) -> bool:
    """True when the order, with all live ones of its side, can only shrink the position.

    Parameters
    ----------
    ledger : LEDGER record
    slot : int
        Of a live order.
    """
    symbol, side = int(ledger["orders"][slot]["symbol"]), int(ledger["orders"][slot]["side"])
    left = -side * ledger["accounts"][symbol]["position_lots"]
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if is_live(order) and int(order["symbol"]) == symbol and int(order["side"]) == side:
            left -= exposed_lots(order)
    return left >= 0


@kernel
def activate(ledger: np.void, slot: int) -> None:
    """Have every scan look at an order: to be called before it may begin to live or to drain.

    Parameters
    ----------
    ledger : LEDGER record
        `active` is changed; a slot that is there stays once.
    slot : int
        Of the order.
    """
    active = ledger["active"]
    at = ledger["active_count"]
    while at > 0 and active[at - 1] > slot:
        at -= 1
    if at > 0 and active[at - 1] == slot:
        return
    for above in range(ledger["active_count"], at, -1):
        active[above] = active[above - 1]
    active[at] = slot
    ledger["active_count"] += 1


@kernel
def forget_settled(ledger: np.void) -> None:
    """Take the orders out of the scans that neither live nor drain any more."""
    active, kept = ledger["active"], 0
    for at in range(ledger["active_count"]):
        order = ledger["orders"][active[at]]
        if is_live(order) or order["drain_lots"] > 0 or order["drain_until_ns"] > 0:
            active[kept] = active[at]
            kept += 1
    ledger["active_count"] = kept


@kernel
def find_order(orders: np.ndarray, order_id: int, oid: int) -> int:
    """Slot of an order by our id, or by the venue's when we have none; -1: not in the table."""
    for slot in range(len(orders)):
        if int(orders[slot]["status"]) != FREE:
            if order_id != 0 and orders[slot]["order_id"] == order_id:
                return slot
            if order_id == 0 and oid != 0 and orders[slot]["oid"] == oid:
                return slot
    return -1


@kernel
def take_slot(ledger: np.void) -> int:
    """Empty the best slot for a new order: a free one, else the one that ended longest ago; -1: none."""
    orders, oldest = ledger["orders"], -1
    for slot in range(len(orders)):
        if int(orders[slot]["status"]) == FREE:
            oldest = slot
            break
        if exposed_lots(orders[slot]) == 0 and not is_live(orders[slot]):
            if oldest < 0 or orders[slot]["ended_ts_ns"] < orders[oldest]["ended_ts_ns"]:
                oldest = slot
    if oldest >= 0:
        _wipe(orders[oldest])
        activate(ledger, oldest)
    return oldest


@kernel
def end_order(order: np.void, status: int, drain_lots: int, drain_until_ns: int, now_ns: int) -> None:
    """Make an order terminal; `drain_lots` of it still count until their fills are told.

    Parameters
    ----------
    order : ORDER record
        Changed in place.
    status : int
        FILLED, CANCELLED or REJECTED.
    drain_lots : int
        Filled at the venue and not told yet, >= 0.
    drain_until_ns : int
        When the drain ends without proof; 0: by proof only.
    now_ns : int
        Monotonic time.
    """
    assert status >= FILLED, "an order ends in a terminal status"
    order["status"] = status
    order["drain_lots"] = max(drain_lots, 0)
    order["drain_until_ns"] = drain_until_ns
    order["cancel_wanted"] = 0
    order["ended_ts_ns"] = now_ns


@kernel
def worst_case(ledger: np.void, symbol: int, side: int, tick: int, out: np.ndarray) -> None:
    """Fill an EXPOSURE with what all orders of a symbol could lead to.

    Parameters
    ----------
    ledger : LEDGER record
    symbol : int
    side, tick : int
        Of the order that is asked about: live orders equal to it count as twins.
    out : (1,) EXPOSURE
        Written in whole.
    """
    row = out[0]
    row["position_lots"] = ledger["accounts"][symbol]["position_lots"]
    row["buy_lots"] = row["sell_lots"] = row["open_orders"] = row["twins"] = 0
    row["high_buy_tick"] = row["low_sell_tick"] = row["unknown_orders"] = 0
    row["gross_usdc"] = 0.0
    row["aggressive_ts_ns"] = ledger["aggressive_ts_ns"][symbol]
    row["tokens"] = ledger["session"]["tokens"]
    for other in range(ledger["session"]["symbols"]):
        if other != symbol:
            row["gross_usdc"] += _worst_usdc(ledger, other)
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if int(order["status"]) == UNKNOWN:
            row["unknown_orders"] += 1
        if int(order["status"]) != FREE and int(order["symbol"]) == symbol:
            _add_order(order, side, tick, row)


@kernel
def _add_order(order: np.void, side: int, tick: int, row: np.void) -> None:
    lots = exposed_lots(order)
    if int(order["side"]) > 0:
        row["buy_lots"] += lots
    else:
        row["sell_lots"] += lots
    if not is_live(order):
        return
    own_tick = order["px_tick"]
    row["open_orders"] += 1
    if int(order["side"]) > 0:
        row["high_buy_tick"] = max(row["high_buy_tick"], own_tick)
    elif row["low_sell_tick"] == 0 or own_tick < row["low_sell_tick"]:
        row["low_sell_tick"] = own_tick
    if int(order["side"]) == side and own_tick == tick and int(order["status"]) != CANCELLING:
        row["twins"] += 1


@kernel
def _worst_usdc(ledger: np.void, symbol: int) -> float:
    buys = sells = 0
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if int(order["status"]) != FREE and int(order["symbol"]) == symbol:
            if int(order["side"]) > 0:
                buys += exposed_lots(order)
            else:
                sells += exposed_lots(order)
    held = ledger["accounts"][symbol]["position_lots"]
    lots = max(abs(held + buys), abs(held - sells))
    if lots == 0:
        return 0.0
    # No mid with something held is no number, and no number passes no limit.
    mid_px = ledger["accounts"][symbol]["mid_px"]
    if not (mid_px > 0.0):
        return np.nan
    return lots * mid_px * ledger["instruments"][symbol]["lot_qty"]


@kernel
def _wipe(order: np.void) -> None:
    # What is not set by every writer of a slot.
    order["oid"] = order["cause_seq"] = order["cause_ts_ns"] = 0
    order["filled_lots"] = order["drain_lots"] = order["drain_until_ns"] = 0
    order["decided_half_tick"] = order["cancel_ts_ns"] = order["asked_ts_ns"] = 0
    order["unknown_ts_ns"] = order["ended_ts_ns"] = 0
    order["mid_px"] = order["queue_value_bps"] = order["fill_prob"] = 0.0
    order["queue_rank"] = -1.0
    order["predicted_edge_bps"] = order["predicted_uncertainty_bps"] = order["depth_bps"] = 0.0
    order["reason"] = order["cancel_reason"] = 0
    order["tif"] = order["reduce_only"] = order["mode"] = 0
    order["cancel_wanted"] = order["listed"] = order["has_snapshot"] = 0
