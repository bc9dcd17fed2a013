"""From a divergence of the lead to an expected move of the maker, with what is not known about it.

    alpha = beta * divergence * freshness  +  w_micro * (microprice - mid)  +  w_flow * OFI / (2 * depth)
    std^2 = noise^2 + (sigma * sqrt(h))^2 * (1 - freshness)

beta and its noise are learned; freshness fades linearly to 0 with the age of the lead's quote. Without a
live lead the lead-lag part is nothing and its share of the uncertainty returns to the market's own.

References
----------
Cont, Kukanov, Stoikov, "The price impact of order book events" (2014): impact of 1 / (2 * depth) ticks.
"""

from typing import Final

import numpy as np

from mmpipe.enums import FeedState, Param
from mmpipe.units import tick_step
from ringbuf.jit import kernel

_BETA: Final = int(Param.LEAD_LAG_BETA)
_NOISE: Final = int(Param.LEAD_LAG_NOISE_BPS)
_LIVE: Final = int(FeedState.LIVE)
DIVERGENCE_MAX_BPS: Final = 100.0  # more is another market, not a signal


@kernel
def freshness(snapshot: np.void, age_max_ms: float) -> float:
    """Share of the lead's signal that is still worth something, 0 (not live, too old) to 1."""
    if int(snapshot["lead_feed"]) != _LIVE or not (snapshot["lead_mid_px"] > 0.0):
        return 0.0
    if not (abs(snapshot["lead_divergence_bps"]) <= DIVERGENCE_MAX_BPS):
        return 0.0
    return max(1.0 - snapshot["lead_age_ns"] / (age_max_ms * 1e6), 0.0)


@kernel
def lead_move_bps(snapshot: np.void, params: np.ndarray, fresh: float) -> float:
    """Move of the maker's mid that the lead's divergence predicts, bps."""
    return params[_BETA] * snapshot["lead_divergence_bps"] * fresh


@kernel
def micro_move_bps(snapshot: np.void) -> float:
    """Where the quantities at the touch say the mid goes, bps; 0 without a valid book."""
    if not (snapshot["mid_px"] > 0.0):
        return 0.0
    return (snapshot["microprice_px"] - snapshot["mid_px"]) / snapshot["mid_px"] * 1e4


@kernel
def flow_move_bps(snapshot: np.void, instrument: np.void) -> float:
    """Move that the order flow of the last 500 ms makes, bps; 0 without a valid book."""
    depth_qty = (snapshot["bid_depth_qty"][0] + snapshot["ask_depth_qty"][0]) / 2.0
    if not (snapshot["mid_px"] > 0.0 and depth_qty > 0.0):
        return 0.0
    step_px = tick_step(snapshot["best_bid_tick"], instrument["ticks_per_unit"]) * instrument["tick_px"]
    return snapshot["ofi_500ms"] / (2.0 * depth_qty) * step_px / snapshot["mid_px"] * 1e4


@kernel
def move_std_bps(snapshot: np.void, params: np.ndarray, fresh: float, horizon_s: float) -> float:
    """Standard deviation of the move over the horizon around what is predicted, bps, > 0."""
    own = snapshot["sigma_ewma_bps"] * np.sqrt(horizon_s)
    return np.sqrt(params[_NOISE] * params[_NOISE] + own * own * (1.0 - fresh))
