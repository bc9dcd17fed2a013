"""Pre-trade limits: what an order could lead to at worst, held against every limit, before it may leave.

The worst case counts the position and every lot that may still be filled on one side: resting, in flight,
being cancelled, of unknown outcome, and cancelled ones whose fills have not all arrived. Cancels are never
blocked, and an order that can only shrink the position is never blocked by a limit on exposure (US SEC
rule 15c3-5, EU RTS 6 article 15 name most of these controls). Every comparison is written so that NaN fails.
Nothing here remembers anything: the ledger of execution fills in an EXPOSURE for each question.
"""

from typing import Final

import numpy as np

from mmpipe.config import ExecutionConfig, RiskConfig, settings_dtype
from mmpipe.enums import IntentKind, Reason, Tif
from mmpipe.records import INSTRUMENT, INTENT
from mmpipe.units import tick_step
from ringbuf.jit import example, kernel

EXPOSURE = np.dtype(
    [
        ("position_lots", "i8"),
        ("buy_lots", "i8"),  # that may still be bought by live, unknown and draining orders
        ("sell_lots", "i8"),
        ("open_orders", "i8"),  # live orders of the symbol
        ("high_buy_tick", "i8"),  # best own bid that is live, 0: none
        ("low_sell_tick", "i8"),  # best own ask that is live, 0: none
        ("twins", "i8"),  # live orders of the same side at the same price that are not being cancelled
        ("gross_usdc", "f8"),  # worst case of all other symbols at their mids
        ("aggressive_ts_ns", "i8"),  # when the last taking order was decided
        ("tokens", "f8"),  # requests that may be sent now, the reserve for cancels included
        ("unknown_orders", "i8"),  # of unknown outcome, all symbols
    ],
    align=True,
)

MIN_NOTIONAL_CASH: Final = 1_000_000_000  # the venue takes no order below 10 USDC
_CASH_PER_TICK_LOT: Final = 100
_NS_PER_MS: Final = 1_000_000
_CANCEL: Final = int(IntentKind.CANCEL)
_BUY: Final = 1
_ALO: Final = int(Tif.ALO)
_NONE: Final = int(Reason.NONE)
_ORDER_SIZE: Final = int(Reason.LIMIT_ORDER_SIZE)
_POSITION: Final = int(Reason.LIMIT_POSITION)
_NOTIONAL: Final = int(Reason.LIMIT_NOTIONAL)
_COLLAR: Final = int(Reason.LIMIT_COLLAR)
_PASSIVE: Final = int(Reason.LIMIT_PASSIVE_VOLUME)
_OPEN: Final = int(Reason.LIMIT_OPEN_ORDERS)
_RATE: Final = int(Reason.LIMIT_RATE)
_TICK_LOT: Final = int(Reason.LIMIT_TICK_LOT)
_INTERVAL: Final = int(Reason.LIMIT_AGGRESSIVE_INTERVAL)
_SELF_CROSS: Final = int(Reason.SELF_CROSS)
_UNKNOWN: Final = int(Reason.UNKNOWN_ORDERS)


@kernel
def check_order(
    intents: np.ndarray,
    index: int,
    exposure: np.ndarray,
    instrument: np.ndarray,
    risk: np.ndarray,
    execution: np.ndarray,
    now_ns: int,
) -> int:
    """Reason why an intent must not leave, or Reason.NONE.

    Parameters
    ----------
    intents : (n,) INTENT
        The order is `intents[index]`; its `mid_px` is the reference of collar and notionals.
    index : int
        Row of `intents`.
    exposure : (1,) EXPOSURE
        Worst case of the symbol before this order.
    instrument : (1,) INSTRUMENT
        Grid and smallest notional of the symbol.
    risk, execution : (1,) settings of RiskConfig, ExecutionConfig
        Limits and collar.
    now_ns : int
        Monotonic time.

    Returns
    -------
    int
        A Reason; NONE lets the order pass. A CANCEL always passes.
    """
    intent, limit = intents[index], risk[0]
    if int(intent["kind"]) == _CANCEL:
        return _NONE
    reason = _check_form(intent, instrument[0])
    if reason == _NONE:
        reason = _check_price(intent, exposure[0], instrument[0], execution[0]["collar_bps"])
    if reason == _NONE:
        reason = _check_pace(intent, exposure[0], limit, now_ns)
    if reason != _NONE or reduces(intent, exposure[0]):
        return reason
    return _check_exposure(intent, exposure[0], instrument[0], limit)


@kernel
def reduces(intent: np.void, exposure: np.void) -> bool:
    """True when the order, with all live ones of its side, can only shrink the position.

    Parameters
    ----------
    intent : INTENT record
        A PLACE.
    exposure : EXPOSURE record
        Before it.
    """
    side = int(intent["side"])
    held = -side * int(exposure["position_lots"])
    live = exposure["buy_lots"] if side == _BUY else exposure["sell_lots"]
    return held > 0 and int(intent["qty_lots"]) + live <= held


@kernel
def refill(tokens: float, elapsed_ns: int, risk: np.ndarray) -> float:
    """Tokens of the request budget after `elapsed_ns`: one second's worth above the reserve at the most.

    Parameters
    ----------
    tokens : float
        Requests left.
    elapsed_ns : int
        Since they were counted, >= 0.
    risk : (1,) settings of RiskConfig
        `requests_per_s_max`, `cancel_reserve`.
    """
    rate = risk[0]["requests_per_s_max"]
    return min(tokens + rate * max(elapsed_ns, 0) / 1e9, max(rate, 1.0) + risk[0]["cancel_reserve"])


@kernel
def _check_form(intent: np.void, instrument: np.void) -> int:
    tick, lots, side = int(intent["px_tick"]), int(intent["qty_lots"]), int(intent["side"])
    if not (tick > 0 and lots > 0 and (side == 1 or side == -1) and int(intent["tif"]) <= 2):
        return _TICK_LOT
    if tick % tick_step(tick, int(instrument["ticks_per_unit"])) != 0:
        return _TICK_LOT
    smallest = max(MIN_NOTIONAL_CASH, int(instrument["min_notional_cash"]))
    # The division keeps an absurd size from wrapping around 64 bits.
    if lots < -(-smallest // (tick * _CASH_PER_TICK_LOT)):
        return _TICK_LOT
    return _NONE


@kernel
def _check_price(intent: np.void, exposure: np.void, instrument: np.void, collar_bps: float) -> int:
    mid_px = intent["mid_px"]
    px = int(intent["px_tick"]) * instrument["tick_px"]
    if not (0.0 < mid_px < np.inf and abs(px - mid_px) <= mid_px * collar_bps * 1e-4):
        return _COLLAR
    tick = int(intent["px_tick"])
    if int(intent["side"]) == _BUY:
        crossed = exposure["low_sell_tick"] > 0 and tick >= exposure["low_sell_tick"]
    else:
        crossed = exposure["high_buy_tick"] > 0 and tick <= exposure["high_buy_tick"]
    return _SELF_CROSS if crossed else _NONE


@kernel
def _check_pace(intent: np.void, exposure: np.void, risk: np.void, now_ns: int) -> int:
    # One request more, and what is reserved for cancels must still be there.
    if not (exposure["tokens"] - 1.0 >= risk["cancel_reserve"]):
        return _RATE
    # The same order again while the first lives is a repeated execution, not a second idea.
    if exposure["twins"] > 0 or exposure["open_orders"] >= risk["open_orders_max"]:
        return _OPEN
    if int(intent["tif"]) != _ALO:
        since_ns = now_ns - exposure["aggressive_ts_ns"]
        if exposure["aggressive_ts_ns"] > 0 and since_ns < risk["aggressive_interval_ms"] * _NS_PER_MS:
            return _INTERVAL
    return _NONE


@kernel
def _check_exposure(intent: np.void, exposure: np.void, instrument: np.void, risk: np.void) -> int:
    side, lots = int(intent["side"]), int(intent["qty_lots"])
    lot_usdc = intent["mid_px"] * instrument["lot_qty"]
    order_usdc = (
        lots * max(intent["px_tick"] * instrument["tick_px"], intent["mid_px"]) * instrument["lot_qty"]
    )
    if not (order_usdc <= risk["order_usdc_max"]):
        return _ORDER_SIZE
    if exposure["unknown_orders"] > risk["unknown_max"]:
        return _UNKNOWN
    live = lots + (exposure["buy_lots"] if side == _BUY else exposure["sell_lots"])
    other = exposure["sell_lots"] if side == _BUY else exposure["buy_lots"]
    worst_lots = side * exposure["position_lots"] + live
    if not (worst_lots * lot_usdc <= risk["position_usdc_max"]):
        return _POSITION
    if int(intent["tif"]) == _ALO and not (live * lot_usdc <= risk["passive_usdc_max"]):
        return _PASSIVE
    gross_lots = max(abs(worst_lots), abs(side * exposure["position_lots"] - other))
    if not (exposure["gross_usdc"] + gross_lots * lot_usdc <= risk["gross_usdc_max"]):
        return _NOTIONAL
    return _NONE


@example(check_order)
def _check_order_example() -> tuple[object, ...]:
    return (
        np.zeros(1, INTENT),
        0,
        np.zeros(1, EXPOSURE),
        np.zeros(1, INSTRUMENT),
        np.zeros(1, settings_dtype(RiskConfig)),
        np.zeros(1, settings_dtype(ExecutionConfig)),
        0,
    )
