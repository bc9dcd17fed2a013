"""Expected edge of a fill at a price, in bps of the mid: the heuristic in place of a learned model.

    value = distance from the mid - expected adverse selection - maker fee

What a fill costs depends on who trades against the order (the learned means, blended by the probability that
the aggressor who would fill it is informed), on volatility over its baseline, and on the place in the queue:
the back is filled by sweeps. It knows no inventory and no forecast: execution and alpha add those, once.

References
----------
Requirement: queue value = spread - expected adverse selection by regime - fee, before there is a model.
Moallemi and Yuan, "A model for queue position valuation in a limit order book" (2016): the value of a
position falls with the quantity ahead and changes sign.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param, Toxicity
from ringbuf.jit import kernel

_BENIGN: Final = int(Param.ADVERSE_SELECTION_BENIGN_BPS)
_NORMAL: Final = int(Param.ADVERSE_SELECTION_NORMAL_BPS)
_TOXIC: Final = int(Param.ADVERSE_SELECTION_TOXIC_BPS)
_BASELINE: Final = int(Param.SIGMA_BASELINE_BPS)
_BENIGN_FLOW: Final = int(Toxicity.BENIGN)
_VOLATILITY_RATIO_MAX: Final = 5.0
_SWEEP_SHARE: Final = 0.25  # of adverse selection that the last in the queue suffers more than the first


@kernel
def queue_value_bps(
    depth_bps: float,
    queue_rank: float,
    toxic_prob: float,
    toxicity: int,
    sigma_1m_bps: float,
    maker_fee_bps: float,
    params: np.ndarray,
) -> float:
    """Expected edge of a fill, in bps of the mid.

    Parameters
    ----------
    depth_bps : float
        Distance of the order from the mid, > 0 behind it; half the spread at the touch.
    queue_rank : float
        Share of the level ahead of it, 0 front to 1 back.
    toxic_prob : float
        That the aggressor who would fill it is informed, 0 to 1: sellers for a bid, buyers for an ask.
    toxicity : int
        Verdict, Toxicity: which learned mean holds when the aggressor is not informed.
    sigma_1m_bps : float
        Volatility per root minute, >= 0.
    maker_fee_bps : float
        Negative for a rebate.
    params : ndarray of float64, shape (PARAMS_COUNT,)
        Learned parameters of the symbol, index Param; SIGMA_BASELINE_BPS > 0.

    Returns
    -------
    float
        bps, > 0 worth having; NaN, which is never an edge, when an input is not finite or out of range.
    """
    baseline_bps = params[_BASELINE]
    if not (0.0 <= queue_rank <= 1.0 and 0.0 <= toxic_prob <= 1.0):
        return np.nan
    if not (0.0 <= sigma_1m_bps < np.inf and 0.0 < baseline_bps < np.inf):
        return np.nan
    volatility = min(max(sigma_1m_bps / baseline_bps, 1.0), _VOLATILITY_RATIO_MAX)
    calm_bps = params[_BENIGN] if toxicity == _BENIGN_FLOW else params[_NORMAL]
    blend_bps = calm_bps + toxic_prob * (params[_TOXIC] - calm_bps)
    adverse_bps = blend_bps * volatility * (1.0 + _SWEEP_SHARE * (queue_rank - 0.5))
    value_bps = depth_bps - adverse_bps - maker_fee_bps
    return value_bps if abs(value_bps) < np.inf else np.nan
