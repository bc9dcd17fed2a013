"""From an expected move to the inventory wanted, how sure that is, and what comes too early for it.

    drift  = share of alpha that comes before the target can be reached        moves the prices quoted
    held   = alpha - drift                                                      moves the inventory wanted
    edge   = max(|held| - noise floor, 0)
    target = sign(held) * min(edge * share per bp, maximum share) * held^2 / (held^2 + std^2) * maximum

A forecast is split, never counted twice. The target is reached one quote at a time, each filled by an
aggressor of the other side at the soonest, the first one included: without inventory to win a fill still
is at a price from before the move. Where taking pays at once, the target is reached at once. The last
factor is Kelly's shrinkage for an estimated edge: a forecast that is mostly noise wants little.

References
----------
Kelly, "A new interpretation of information rate" (1956); Baker, McHale, "Optimal betting under parameter
uncertainty" (2013), the shrinkage; Gueant, Lehalle, Fernandez-Tapia (2013), section 5, the drift.
"""

import math
from typing import Final

import numpy as np

from ringbuf.jit import kernel

ROOT_2: Final = 1.4142135623730951


@kernel
def target_share(held_bps: float, std_bps: float, settings: np.void) -> float:
    """Inventory wanted as a share of the largest allowed, -1 to 1; 0 when an input is not finite.

    Parameters
    ----------
    held_bps, std_bps : float
        Expected move that inventory can still earn, and its standard deviation, bps.
    settings : settings record of AlphaConfig
        Noise floor, share per bp, largest share.
    """
    if not (abs(held_bps) < np.inf and 0.0 < std_bps < np.inf):
        return 0.0
    edge_bps = max(abs(held_bps) - settings["noise_floor_bps"], 0.0)
    share = min(edge_bps * settings["target_per_bps_share"], settings["target_max_share"])
    share *= held_bps * held_bps / (held_bps * held_bps + std_bps * std_bps)
    return share if held_bps > 0.0 else -share


@kernel
def target_std_share(held_bps: float, std_bps: float, settings: np.void) -> float:
    """How far the inventory wanted may be off, as a share of the largest allowed; 0 where none is wanted.

    Parameters
    ----------
    held_bps, std_bps : float
        As in `target_share`.
    settings : settings record of AlphaConfig
        As in `target_share`.
    """
    if target_share(held_bps, std_bps, settings) == 0.0:
        return 0.0
    share = min(std_bps * settings["target_per_bps_share"], settings["target_max_share"])
    return share * held_bps * held_bps / (held_bps * held_bps + std_bps * std_bps)


@kernel
def reach_s(gap_units: float, fills_per_s: float, horizon_s: float) -> float:
    """Time until a target so many quotes away can be reached, seconds, at most the horizon.

    Parameters
    ----------
    gap_units : float
        Distance in full quotes, >= 0.
    fills_per_s : float
        Aggressors that would fill them, >= 0.
    horizon_s : float
        > 0.
    """
    if not (1.0 + gap_units) < fills_per_s * horizon_s:
        return horizon_s
    return (1.0 + gap_units) / fills_per_s


@kernel
def early_share(reach_seconds: float, lag_s: float, horizon_s: float) -> float:
    """Share of a followed move that comes before a time, 0 to 1; the maker follows exponentially.

    Parameters
    ----------
    reach_seconds : float
        0 to `horizon_s`.
    lag_s : float
        Mean time the maker takes to follow, > 0.
    horizon_s : float
        By which the whole of the forecast has come, > 0.
    """
    return (1.0 - np.exp(-reach_seconds / lag_s)) / (1.0 - np.exp(-horizon_s / lag_s))


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
