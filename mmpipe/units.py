"""Signs and units, said once.

- A bid, a buyer, a long position and a positive edge are > 0; ask, seller and short are < 0.
- `bps` are 1e-4 of the mid price. `_ns` are nanoseconds. `_per_s` is a rate per second.
- Prices travel as float `_px` and as integer `_tick` on the finest grid of the instrument,
  sizes as float `_qty` and as integer `_lots`.
- Money is an integer count of 1e-8 quote units (`_cash`). On a Hyperliquid perpetual the finest
  tick is 10^-(6-szDecimals) and the lot 10^-szDecimals, so one tick times one lot is exactly
  1e-6 USDC whatever the asset: notional in cash units is `tick * lots * CASH_PER_TICK_LOT`.
"""

from typing import Final

from ringbuf.jit import example, kernel

BPS: Final = 1e-4
CASH_PER_USDC: Final = 100_000_000
CASH_PER_TICK_LOT: Final = 100  # 1e-6 USDC in units of 1e-8
PX_DECIMALS: Final = 6  # a perpetual's price has at most 6 - szDecimals decimals


def tick_px(size_decimals: int) -> float:
    """Price of one tick of a perpetual's finest grid, in quote units.

    Parameters
    ----------
    size_decimals : int
        The venue's `szDecimals`, 0 to 6.
    """
    return float(10.0 ** -(PX_DECIMALS - size_decimals))


def lot_qty(size_decimals: int) -> float:
    """Size of one lot of a perpetual, in base units."""
    return float(10.0**-size_decimals)


def cash_of_notional(tick: int, lots: int) -> int:
    """Notional of `lots` at `tick` in cash units, exact."""
    return tick * lots * CASH_PER_TICK_LOT


def usdc(cash: int) -> float:
    """Cash units as USDC, for screens and reports only."""
    return cash / CASH_PER_USDC


def ticks_per_unit(size_decimals: int) -> int:
    """Ticks of a perpetual's finest grid in one quote unit."""
    return int(10 ** (PX_DECIMALS - size_decimals))


@kernel
def tick_step(tick: int, ticks_in_unit: int) -> int:
    """Ticks of the finest grid between two prices the venue accepts near `tick`.

    A price may have five significant figures, and is always allowed to be an integer.

    Parameters
    ----------
    tick : int
        Price in ticks of the finest grid, > 0.
    ticks_in_unit : int
        Ticks in one quote unit, a power of ten: the step is never coarser than this.

    Returns
    -------
    int
        A power of ten, 1 to `ticks_in_unit`.
    """
    step = 1
    bound = 100_000
    while tick >= bound and step < ticks_in_unit:
        step *= 10
        bound *= 10
    return step


@example(tick_step)
def _tick_step_example() -> tuple[object, ...]:
    return 841_430, 10
