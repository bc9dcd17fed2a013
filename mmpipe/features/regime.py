"""Volatility regime as a four-state forward filter on how volatile the last seconds are against the baseline.

The observation is ln(ratio) of short-term volatility to its learned baseline. Each regime expects it around
its own mean with its own scale and Student's tails, so that one odd reading does not decide. A regime is
left at the rate 1 / dwell for the regimes its row of `jump` names. The filter works on log-likelihoods and
knows the past alone: what comes later never changes what was said (a smoother would look ahead).

    p_t(j) ~ density_j(y_t)^w * sum_i p_{t-1}(i) P_ij(dt),   P(dt) = (1 - leave) I + leave * jump,
    leave_i = 1 - exp(-dt / dwell_i),   w = min(dt / 1 s, 1)

Readings closer together than a second repeat each other, so each weighs its share of a second.

References
----------
Hamilton, "A new approach to the economic analysis of nonstationary time series" (1989), the filter.
"""

from math import log
from typing import Final

import numpy as np

from mmpipe.config import FeaturesConfig
from ringbuf.jit import kernel

STATES: Final = 4
RATIO_MIN: Final = 0.05  # a market that does not move at all is very quiet, not minus infinity
ROOT_MINUTE: Final = 7.745966692414834  # sqrt(60): per root second to per root minute
PROB_MIN: Final = 1e-300  # the logarithm of what is next to impossible

PRIOR: Final = (0.25, 0.6, 0.1, 0.05)  # before the first observation
# A neighbour is next; from the middle, the calmer and the wilder one are equally likely.
JUMP: Final = ((0.0, 1.0, 0.0, 0.0), (0.5, 0.0, 0.5, 0.0), (0.0, 0.5, 0.0, 0.5), (0.0, 0.0, 1.0, 0.0))

REGIME = np.dtype([("probs", "f8", (STATES,)), ("ts_ns", "i8")], align=True)
REGIME_MODEL = np.dtype(
    [
        ("means", "f8", (STATES,)),  # of ln(ratio), ascending: Regime in order
        ("scales", "f8", (STATES,)),  # > 0
        ("dwell_s", "f8", (STATES,)),  # mean time in a regime, > 0
        ("jump", "f8", (STATES, STATES)),  # where to, once left: rows sum to 1, diagonal 0
        ("degrees", "f8"),  # of freedom of Student's t, > 0; large: Gauss
    ],
    align=True,
)


def built_in_model(features: FeaturesConfig) -> np.ndarray:
    """The model that the configuration describes, shape (1,) REGIME_MODEL."""
    model = np.zeros(1, REGIME_MODEL)
    ratios = (
        features.regime_quiet_ratio,
        1.0,
        features.regime_volatile_ratio,
        features.regime_cascade_ratio,
    )
    model["means"] = [log(ratio) for ratio in ratios]
    model["scales"], model["dwell_s"] = features.regime_scale, features.regime_dwell_s
    model["jump"], model["degrees"] = JUMP, features.regime_tail_degrees
    return model


@kernel
def on_timer(state: np.void, ts_ns: int, sigma_s_bps: float, baseline_bps: float, model: np.ndarray) -> None:
    """Filter one observation.

    Parameters
    ----------
    state : REGIME record
        Changed in place.
    ts_ns : int
        Time of the TIMER.
    sigma_s_bps : float
        Volatility per root second.
    baseline_bps : float
        Volatility per root minute that counts as normal, > 0.
    model : (1,) REGIME_MODEL
        Configured or trained.
    """
    elapsed_s = max(ts_ns - state["ts_ns"], 0) * 1e-9 if state["ts_ns"] > 0 else 0.0
    state["ts_ns"] = max(ts_ns, state["ts_ns"])
    ratio = sigma_s_bps * ROOT_MINUTE / baseline_bps
    if not (ratio >= 0.0 and ratio < np.inf):
        return
    seen, weight = np.log(max(ratio, RATIO_MIN)), min(elapsed_s, 1.0)
    probs = state["probs"]
    before = (probs[0], probs[1], probs[2], probs[3])
    highest = -np.inf
    for to in range(STATES):
        expected = 0.0
        for of in range(STATES):
            leave = 1.0 - np.exp(-elapsed_s / model[0]["dwell_s"][of])
            expected += before[of] * (1.0 - leave if of == to else leave * model[0]["jump"][of, to])
        probs[to] = np.log(max(expected, PROB_MIN)) + weight * _log_density(seen, to, model)
        highest = max(highest, probs[to])
    total = 0.0
    for index in range(STATES):
        probs[index] = np.exp(probs[index] - highest)
        total += probs[index]
    for index in range(STATES):
        probs[index] /= total


@kernel
def most_probable(state: np.void) -> int:
    """The regime with the largest probability."""
    best = 0
    for index in range(1, STATES):
        if state["probs"][index] > state["probs"][best]:
            best = index
    return best


@kernel
def _log_density(seen: float, index: int, model: np.ndarray) -> float:
    # Student's t without what all regimes share.
    scale, degrees = model[0]["scales"][index], model[0]["degrees"]
    distance = (seen - model[0]["means"][index]) / scale
    return -np.log(scale) - (degrees + 1.0) / 2.0 * np.log1p(distance * distance / degrees)
