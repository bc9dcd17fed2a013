"""Position and profit of one symbol in integers: every change of equity belongs to exactly one part.

    equity = cash + position x mark                         (change since the first mark)
           = spread + adverse + inventory + fees + funding  (to the unit, at every moment)

- spread: what the mid at the decision was better than the fill price, side x lots x (decision mid - price).
- adverse: how far the mid ran against (or with) a fill, from the decision to the fill and then for one
  label horizon. - inventory: all later moves of the mark on what is held. - fees: paid, < 0.

The mid at the decision, not at the fill, is the reference: with the mid at the fill, spread and adverse
selection would be one number with two names. The mark is the mid in half ticks, an exact integer.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

FRESH_FILLS: Final = 256  # fills inside one label horizon; the oldest of more counts as inventory

ACCOUNT = np.dtype(
    [
        ("position_lots", "i8"),
        ("fold_lots", "i8"),  # sum of all fills seen, what the journal adds up to
        ("cash", "i8"),
        ("spread_cash", "i8"),
        ("adverse_cash", "i8"),
        ("inventory_cash", "i8"),
        ("fees_cash", "i8"),  # < 0: paid
        ("funding_cash", "i8"),
        ("mark_half_tick", "i8"),  # best bid + best ask in ticks, 0: no mark yet
        ("mid_px", "f8"),
        ("entry_tick", "f8"),  # average price of what is held
        ("entry_ts_ns", "i8"),  # when the position left zero or changed sign
        ("funding_ts_ns", "i8"),  # next settlement as last seen, wall ns
        ("venue_lots", "i8"),  # the venue's position in the reconciliation under way
        ("venue_told", "i8"),  # 1: it was told
        ("gap_lots", "i8"),  # venue minus ours at the last reconciliation
        ("fresh_lots", "i8"),  # signed sum of the fills inside their label horizon
        ("fresh_head", "i8"),
        ("fresh_count", "i8"),
    ],
    align=True,
)
FRESH = np.dtype([("ts_ns", "i8"), ("lots", "i8")], align=True)

_CASH_PER_HALF_TICK_LOT: Final = 50
_FUNDING_PERIOD_NS: Final = 28_800_000_000_000  # the quoted rate is per eight hours


@kernel
def mark(account: np.void, fresh: np.ndarray, half_tick: int, now_ns: int, horizon_ns: int) -> None:
    """Move the mark; what it earns or costs goes to adverse (fresh fills) and inventory (the rest).

    Parameters
    ----------
    account : ACCOUNT record
        Changed in place.
    fresh : (FRESH_FILLS,) FRESH
        Ring of the symbol's recent fills.
    half_tick : int
        New mid in half ticks, > 0.
    now_ns : int
        Monotonic time.
    horizon_ns : int
        How long the mark after a fill counts as adverse selection.
    """
    _start_mark(account, half_tick)
    _expire(account, fresh, now_ns - horizon_ns)
    move = (half_tick - account["mark_half_tick"]) * _CASH_PER_HALF_TICK_LOT
    account["adverse_cash"] += account["fresh_lots"] * move
    account["inventory_cash"] += (account["position_lots"] - account["fresh_lots"]) * move
    account["mark_half_tick"] = half_tick
    assert equity(account) == parts(account), "every change of equity belongs to a part"


@kernel
def book_fill(
    account: np.void, fresh: np.ndarray, side: int, tick: int, lots: int, fee_cash: int,
    decided_half_tick: int, now_ns: int,
) -> None:  # fmt: skip
    """Add one fill.

    Parameters
    ----------
    account : ACCOUNT record
        Changed in place.
    fresh : (FRESH_FILLS,) FRESH
        Ring of the symbol's recent fills.
    side, tick, lots : int
        Of the fill; +1 bought, -1 sold; lots > 0.
    fee_cash : int
        Paid, 1e-8 quote units; negative is a rebate.
    decided_half_tick : int
        Mid in half ticks when the order was decided; 0 where nobody decided it.
    now_ns : int
        Monotonic time.
    """
    _start_mark(account, 2 * tick)
    mark_half_tick = account["mark_half_tick"]
    decided = decided_half_tick if decided_half_tick > 0 else mark_half_tick
    signed = side * lots
    account["spread_cash"] += signed * (decided - 2 * tick) * _CASH_PER_HALF_TICK_LOT
    account["adverse_cash"] += signed * (mark_half_tick - decided) * _CASH_PER_HALF_TICK_LOT
    account["fees_cash"] -= fee_cash
    account["cash"] -= signed * 2 * tick * _CASH_PER_HALF_TICK_LOT + fee_cash
    _enter(account, signed, tick, now_ns)
    account["position_lots"] += signed
    _remember(account, fresh, signed, now_ns)
    assert equity(account) == parts(account), "every change of equity belongs to a part"


@kernel
def adopt(account: np.void, lots: int, now_ns: int) -> None:
    """Take over `lots` that no fill of ours explains, at the mark: equity does not change.

    Parameters
    ----------
    account : ACCOUNT record
        Changed in place.
    lots : int
        Signed.
    now_ns : int
        Monotonic time.
    """
    account["cash"] -= lots * account["mark_half_tick"] * _CASH_PER_HALF_TICK_LOT
    _enter(account, lots, account["mark_half_tick"] / 2.0, now_ns)
    account["position_lots"] += lots


@kernel
def pay_funding(account: np.void, rate_8h: float, next_ts_ns: int) -> None:
    """Charge one funding settlement when the next one moved on, at the rate last quoted.

    Parameters
    ----------
    account : ACCOUNT record
        Changed in place.
    rate_8h : float
        Fraction per eight hours; > 0: longs pay. A rate that is not a number charges nothing.
    next_ts_ns : int
        Next settlement, wall ns; 0: unknown.
    """
    passed_ns = next_ts_ns - account["funding_ts_ns"]
    if account["funding_ts_ns"] > 0 and 0 < passed_ns <= _FUNDING_PERIOD_NS and abs(rate_8h) < 1.0:
        notional = account["position_lots"] * account["mark_half_tick"] * _CASH_PER_HALF_TICK_LOT
        paid = int(np.round(notional * rate_8h * passed_ns / _FUNDING_PERIOD_NS))
        account["funding_cash"] -= paid
        account["cash"] -= paid
    if next_ts_ns > 0:
        account["funding_ts_ns"] = next_ts_ns


@kernel
def equity(account: np.void) -> int:
    """Change of equity since the first mark, cash units."""
    return account["cash"] + account["position_lots"] * account["mark_half_tick"] * _CASH_PER_HALF_TICK_LOT


@kernel
def parts(account: np.void) -> int:
    """Sum of the parts of `equity`, cash units."""
    return (
        account["spread_cash"]
        + account["adverse_cash"]
        + account["inventory_cash"]
        + account["fees_cash"]
        + account["funding_cash"]
    )


@kernel
def _start_mark(account: np.void, half_tick: int) -> None:
    # What was taken over before any price was known starts at the first one, a mid or a fill.
    if account["mark_half_tick"] == 0:
        account["cash"] -= account["position_lots"] * half_tick * _CASH_PER_HALF_TICK_LOT
        account["mark_half_tick"] = half_tick
        if account["entry_tick"] == 0.0:
            account["entry_tick"] = half_tick / 2.0


@kernel
def _enter(account: np.void, signed: int, tick: float, now_ns: int) -> None:
    before = account["position_lots"]
    after = before + signed
    if before == 0 or before * after < 0:
        account["entry_tick"] = float(tick)
        account["entry_ts_ns"] = now_ns
    elif before * signed > 0:
        account["entry_tick"] = (account["entry_tick"] * before + tick * signed) / after


@kernel
def _remember(account: np.void, fresh: np.ndarray, signed: int, now_ns: int) -> None:
    if account["fresh_count"] == FRESH_FILLS:
        _forget_oldest(account, fresh)
    slot = (account["fresh_head"] + account["fresh_count"]) % FRESH_FILLS
    fresh[slot]["ts_ns"] = now_ns
    fresh[slot]["lots"] = signed
    account["fresh_lots"] += signed
    account["fresh_count"] += 1


@kernel
def _expire(account: np.void, fresh: np.ndarray, before_ns: int) -> None:
    while account["fresh_count"] > 0 and fresh[account["fresh_head"]]["ts_ns"] < before_ns:
        _forget_oldest(account, fresh)


@kernel
def _forget_oldest(account: np.void, fresh: np.ndarray) -> None:
    head = account["fresh_head"]
    account["fresh_lots"] -= fresh[head]["lots"]
    account["fresh_head"] = (head + 1) % FRESH_FILLS
    account["fresh_count"] -= 1
