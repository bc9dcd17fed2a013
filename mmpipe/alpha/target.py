"""From an expected move to the inventory wanted, and how sure that is.

    edge   = max(|alpha| - noise floor, 0)
    target = sign(alpha) * min(edge * share per bp, maximum share) * alpha^2 / (alpha^2 + std^2) * maximum

The last factor is Kelly's shrinkage for an estimated edge: a forecast that is mostly noise wants little.

References
----------
Kelly, "A new interpretation of information rate" (1956); Baker, McHale, "Optimal betting under parameter
uncertainty" (2013), the shrinkage.
"""

import math
from typing import Final

import numpy as np

from ringbuf.jit import kernel

ROOT_2: Final = 1.4142135623730951


@kernel
def target_share(alpha_bps: float, std_bps: float, settings: np.void) -> float:
    """Inventory wanted as a share of the largest allowed, -1 to 1; 0 when an input is not finite.

    Parameters
    ----------
    alpha_bps, std_bps : float
        Expected move and its standard deviation, bps.
    settings : settings record of AlphaConfig
        Noise floor, share per bp, largest share.
    """
    if not (abs(alpha_bps) < np.inf and 0.0 < std_bps < np.inf):
        return 0.0
    edge_bps = max(abs(alpha_bps) - settings["noise_floor_bps"], 0.0)
    share = min(edge_bps * settings["target_per_bps_share"], settings["target_max_share"])
    share *= alpha_bps * alpha_bps / (alpha_bps * alpha_bps + std_bps * std_bps)
    return share if alpha_bps > 0.0 else -share


@kernel
def edge_prob(queue_value_bps: float, alpha_bps: float, side: int, std_bps: float) -> float:
    """P(edge > 0) of a fill on one side: queue value plus the move in its favour, under normal noise.

    Parameters
    ----------
    queue_value_bps, alpha_bps : float
        Expected edge before and move after the fill, bps.
    side : int
        +1 a fill of our bid, -1 of our ask.
    std_bps : float
        > 0.

    Returns
    -------
    float
        0 to 1; 0 when an input is not finite.
    """
    mean_bps = queue_value_bps + side * alpha_bps
    if not (abs(mean_bps) < np.inf and 0.0 < std_bps < np.inf):
        return 0.0
    return 0.5 * (1.0 + math.erf(mean_bps / std_bps / ROOT_2))
