"""Chance that a resting order is filled within a horizon: exponential survival with a rate of its own.

    rate = arrivals of the other side x exp(-kappa x distance behind the touch) / (1 + queue rank)

Monotone by construction: falling with rank and distance, rising with arrivals and horizon. It says nothing
about what the fill is worth (`queue_value`), and our own cancel is no competitor of the fill.

References
----------
Avellaneda and Stoikov, "High-frequency trading in a limit order book" (2008): arrivals fall exponentially
with distance.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param
from ringbuf.jit import kernel

_KAPPA: Final = int(Param.KAPPA_PER_BPS)
_SCALE: Final = int(Param.FILL_PROB_SCALE)
_ARRIVALS_MIN_PER_S: Final = 0.05  # a market without a trade for a while still trades


@kernel
def fill_prob(
    arrivals_per_s: float, behind_bps: float, queue_rank: float, horizon_s: float, params: np.ndarray
) -> float:
    """Probability that an order is filled within `horizon_s`.

    Parameters
    ----------
    arrivals_per_s : float
        Aggressors of the other side, >= 0: sellers for a bid, buyers for an ask.
    behind_bps : float
        Distance behind the touch; at or before it counts as none.
    queue_rank : float
        Share of the level ahead of it, 0 front to 1 back.
    horizon_s : float
        Seconds, >= 0.
    params : ndarray of float64, shape (PARAMS_COUNT,)
        Learned parameters of the symbol, index Param: KAPPA_PER_BPS > 0, FILL_PROB_SCALE > 0.

    Returns
    -------
    float
        0 to 1; NaN when an input is not finite or out of range.
    """
    kappa_per_bps, scale = params[_KAPPA], params[_SCALE]
    if not (0.0 <= arrivals_per_s < np.inf and abs(behind_bps) < np.inf and 0.0 <= queue_rank <= 1.0):
        return np.nan
    if not (0.0 <= horizon_s < np.inf and 0.0 < kappa_per_bps < np.inf and 0.0 < scale < np.inf):
        return np.nan
    reach = np.exp(-kappa_per_bps * max(behind_bps, 0.0))
    rate_per_s = max(arrivals_per_s, _ARRIVALS_MIN_PER_S) * reach / (1.0 + queue_rank)
    return 1.0 - np.exp(-rate_per_s * scale * horizon_s)
