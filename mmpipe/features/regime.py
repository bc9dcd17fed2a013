"""Volatility regime as a four-state forward filter on how volatile the last seconds are against the baseline.

The observation is ln(ratio) of short-term volatility to its learned baseline; each regime expects it around
its configured ratio with one width. States keep with probability exp(-dt / dwell) and otherwise move to a
neighbour. Probabilities are floored, so that no regime is ever impossible.

References
----------
Hamilton, "A new approach to the economic analysis of nonstationary time series" (1989), the filter.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

STATES: Final = 4
WIDTH: Final = 0.5  # standard deviation of ln(ratio) within a regime
FLOOR: Final = 1e-4
RATIO_MIN: Final = 0.05  # a market that does not move at all is very quiet, not minus infinity
ROOT_MINUTE: Final = 7.745966692414834  # sqrt(60): per root second to per root minute

PRIOR: Final = (0.25, 0.6, 0.1, 0.05)  # before the first observation

REGIME = np.dtype([("probs", "f8", (STATES,)), ("ts_ns", "i8")], align=True)


@kernel
def on_timer(
    state: np.void, ts_ns: int, sigma_s_bps: float, baseline_bps: float, settings: np.ndarray
) -> None:
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
    settings : (1,) settings of FeaturesConfig
        Ratios and dwell.
    """
    probs = state["probs"]
    elapsed_s = max(ts_ns - state["ts_ns"], 0) * 1e-9 if state["ts_ns"] > 0 else 0.0
    state["ts_ns"] = ts_ns
    ratio = sigma_s_bps * ROOT_MINUTE / baseline_bps
    if not (ratio >= 0.0 and ratio < np.inf):
        return
    leave = 1.0 - np.exp(-elapsed_s / settings[0]["regime_dwell_s"])
    seen = np.log(max(ratio, RATIO_MIN))
    before0, before1, before2, before3 = probs[0], probs[1], probs[2], probs[3]
    probs[0] = before0 * (1.0 - leave) + before1 * leave / 2.0
    probs[1] = before1 * (1.0 - leave) + before0 * leave + before2 * leave / 2.0
    probs[2] = before2 * (1.0 - leave) + before1 * leave / 2.0 + before3 * leave
    probs[3] = before3 * (1.0 - leave) + before2 * leave / 2.0
    total = 0.0
    for index in range(STATES):
        probs[index] = max(probs[index] * _likelihood(seen, index, settings[0], elapsed_s), 1e-300)
        total += probs[index]
    for index in range(STATES):
        probs[index] = max(probs[index] / total, FLOOR)
    total = probs[0] + probs[1] + probs[2] + probs[3]
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
def _likelihood(seen: float, index: int, settings: np.void, elapsed_s: float) -> float:
    centre = 0.0
    if index == 0:
        centre = np.log(settings["regime_quiet_ratio"])
    elif index == 2:
        centre = np.log(settings["regime_volatile_ratio"])
    elif index == 3:
        centre = np.log(settings["regime_cascade_ratio"])
    distance = (seen - centre) / WIDTH
    # Readings closer together than a second repeat each other: each weighs its share of a second.
    return np.exp(-0.5 * distance * distance * min(elapsed_s, 1.0))
