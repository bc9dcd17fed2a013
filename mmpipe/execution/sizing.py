"""How many lots a quote has: the configured size, shrunk by doubt, inside the room that is left.

Kelly's bet is edge over variance; when the edge itself is uncertain the growth-optimal bet shrinks by
edge^2 / (edge^2 + uncertainty^2). The shrink has a floor: below it a request costs more than it can earn.

References
----------
Baker, McHale, "Optimal betting under parameter uncertainty: improving the Kelly criterion" (2013).
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

SHRINK_MIN: Final = 0.2
_CASH_PER_TICK_LOT: Final = 100
_MIN_NOTIONAL_CASH: Final = 1_000_000_000


@kernel
def doubt_shrink(edge_bps: float, uncertainty_bps: float) -> float:
    """Share of the full size that an uncertain edge deserves, `SHRINK_MIN` to 1; 0 when an input is NaN.

    Parameters
    ----------
    edge_bps : float
        Expected edge; <= 0 gives the floor.
    uncertainty_bps : float
        Standard deviation of the edge, >= 0.
    """
    if not (abs(edge_bps) < np.inf and uncertainty_bps >= 0.0):
        return 0.0
    if edge_bps <= 0.0:
        return SHRINK_MIN
    squared = edge_bps * edge_bps
    return max(squared / (squared + uncertainty_bps * uncertainty_bps), SHRINK_MIN)


@kernel
def edge_doubt_bps(alpha_std_bps: float, value_std_bps: float) -> float:
    """Uncertainty of an expected edge: of the forecast and of the queue value, which err independently.

    Parameters
    ----------
    alpha_std_bps, value_std_bps : float
        Standard deviations, >= 0.

    Returns
    -------
    float
        bps; NaN when an input is.
    """
    return np.sqrt(alpha_std_bps * alpha_std_bps + value_std_bps * value_std_bps)


@kernel
def lots_of_usdc(usdc: float, mid_px: float, lot_qty: float) -> int:
    """Whole lots that `usdc` buys at the mid, rounded down; 0 when an input is not a positive number."""
    if not (usdc > 0.0 and mid_px > 0.0 and lot_qty > 0.0 and usdc < np.inf):
        return 0
    # A lot that is hit exactly must not be lost to the last bit of a division.
    return int(usdc / (mid_px * lot_qty) + 1e-9)


@kernel
def smallest_lots(tick: int, instrument: np.ndarray) -> int:
    """Fewest lots the venue takes at a price.

    Parameters
    ----------
    tick : int
        Price, > 0.
    instrument : (1,) INSTRUMENT
        `min_notional_cash`.
    """
    cash = max(instrument[0]["min_notional_cash"], _MIN_NOTIONAL_CASH)
    return -(-cash // (tick * _CASH_PER_TICK_LOT))
