"""What one more order at a price would be worth: expected edge of being filled there, and chance of a fill.

    queue value = distance from the mid - expected adverse selection - maker fee          (bps)
    fill chance = 1 - exp(-rate x horizon),  rate = arrivals x exp(-kappa x distance) x share of the queue

The adverse selection is the learned one of benign and toxic flow, blended by the probability that the flow
that would fill us is informed, and grows with volatility over its baseline: a fill at the back of the queue
comes with the sweeps. This is the one place where toxicity enters a price. What is not known is NaN, which
no caller takes for an edge.

References
----------
Requirement: queue value = spread - expected adverse selection by regime - fee, as a heuristic baseline.
Avellaneda, Stoikov, "High-frequency trading in a limit order book" (2008): arrivals decay with distance.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param
from ringbuf.jit import kernel

VALUE = np.dtype(
    [
        ("queue_value_bps", "f8"),  # expected edge of a fill; NaN: not known
        ("fill_prob", "f8"),  # within the fill horizon; NaN: not known
        ("queue_rank", "f8"),  # share of the level ahead of us, 1: behind all of it
        ("depth_bps", "f8"),  # distance from the mid, > 0 behind it
    ],
    align=True,
)

_BENIGN: Final = int(Param.ADVERSE_SELECTION_BENIGN_BPS)
_NORMAL: Final = int(Param.ADVERSE_SELECTION_NORMAL_BPS)
_TOXIC: Final = int(Param.ADVERSE_SELECTION_TOXIC_BPS)
_KAPPA: Final = int(Param.KAPPA_PER_BPS)
_SCALE: Final = int(Param.FILL_PROB_SCALE)
_BASELINE: Final = int(Param.SIGMA_BASELINE_BPS)
_INTENSITY_MIN_PER_S: Final = 0.05  # a market without a trade for a while still trades
_VOLATILITY_RATIO_MAX: Final = 5.0
_SWEEP_SHARE: Final = 0.25  # of adverse selection that the last in the queue suffers more than the first


@kernel
def value_level(
    side: int,
    tick: int,
    queue_rank: float,
    snapshots: np.ndarray,
    params: np.ndarray,
    tick_px: float,
    execution: np.ndarray,
    out: np.void,
) -> None:
    """Value of an order of ours resting at a price.

    Parameters
    ----------
    side, tick : int
        Of the order.
    queue_rank : float
        Share of the level ahead of it, 0 to 1; negative: it would join now, behind all.
    snapshots : (1,) SNAPSHOT
        The market.
    params : (PARAMS_COUNT,) float64
        Learned parameters of the symbol, index Param.
    tick_px : float
        Price of a tick.
    execution : (1,) settings of ExecutionConfig
        Fees and fill horizon.
    out : VALUE record
        Written in whole.
    """
    snapshot = snapshots[0]
    mid_px = snapshot["mid_px"]
    depth_bps = np.nan
    if mid_px > 0.0:
        depth_bps = side * (mid_px - tick * tick_px) / mid_px * 1e4
    rank = queue_rank if queue_rank >= 0.0 else 1.0
    out["depth_bps"] = depth_bps
    out["queue_rank"] = rank
    out["queue_value_bps"] = (
        depth_bps - _adverse_bps(side, rank, snapshot, params) - execution[0]["maker_fee_bps"]
    )
    out["fill_prob"] = _fill_prob(side, depth_bps, rank, snapshot, params, execution[0]["fill_horizon_s"])


@kernel
def _adverse_bps(side: int, rank: float, snapshot: np.void, params: np.ndarray) -> float:
    # Informed sellers fill a bid, informed buyers an ask.
    toxic_prob = snapshot["toxic_sell_prob"] if side > 0 else snapshot["toxic_buy_prob"]
    ratio = max(snapshot["sigma_1m_bps"] / params[_BASELINE], 1.0)
    if not (0.0 <= toxic_prob <= 1.0 and ratio < np.inf):
        return np.nan
    calm_bps = params[_BENIGN] if int(snapshot["toxicity"]) == 0 else params[_NORMAL]
    blend_bps = calm_bps + toxic_prob * (params[_TOXIC] - calm_bps)
    return blend_bps * min(ratio, _VOLATILITY_RATIO_MAX) * (1.0 + _SWEEP_SHARE * (rank - 0.5))


@kernel
def _fill_prob(
    side: int, depth_bps: float, rank: float, snapshot: np.void, params: np.ndarray, horizon_s: float
) -> float:
    arrivals_per_s = snapshot["sell_intensity_per_s"] if side > 0 else snapshot["buy_intensity_per_s"]
    behind_bps = max(depth_bps - snapshot["spread_bps"] / 2.0, 0.0)
    share = 1.0 / (1.0 + rank)
    rate_per_s = max(arrivals_per_s, _INTENSITY_MIN_PER_S) * np.exp(-params[_KAPPA] * behind_bps) * share
    # `max` would swallow a NaN.
    if not (arrivals_per_s >= 0.0 and depth_bps < np.inf):
        return np.nan
    return min(1.0 - np.exp(-rate_per_s * params[_SCALE] * horizon_s), 1.0)
