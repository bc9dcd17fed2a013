"""How long the slow spread between the venues has kept its level: Bayesian online changepoint detection.

Hypotheses of how old the present level is, each with what it knows of the level (normal-inverse-gamma):

    P(r+1) ∝ P(r) p(x | r) (1 - H),     P(0) ∝ H sum P(r) p(x | r)

Asked once every few seconds, beside the path of a tick. P(r = 0) is the hazard itself whatever happens, so a
change is read from the drop of the most probable age, never from that. At most RUNS_MAX hypotheses are
kept; the least probable goes.

References
----------
Adams, MacKay, "Bayesian online changepoint detection", 2007; Murphy, "Conjugate Bayesian analysis of the
Gaussian distribution", 2007, for the predictive distribution.
"""

import math
from typing import Final

import numpy as np

from ringbuf.jit import kernel

RUNS_MAX: Final = 64
_PI: Final = 3.141592653589793

LEVEL = np.dtype(
    [
        ("count", "i8"),  # hypotheses; 0: nothing seen
        ("age", "i8", (RUNS_MAX,)),  # observations since the change
        ("prob", "f8", (RUNS_MAX,)),
        ("mean", "f8", (RUNS_MAX,)),
        ("kappa", "f8", (RUNS_MAX,)),
        ("shape", "f8", (RUNS_MAX,)),
        ("scale", "f8", (RUNS_MAX,)),
        ("best", "i8"),  # index of the most probable
        ("changes", "i8"),  # times the most probable age dropped to less than half
    ],
    align=True,
)
PRIOR = np.dtype(
    [
        ("hazard", "f8"),  # chance of a change per observation, in (0, 1)
        ("mean", "f8"),
        ("kappa", "f8"),  # observations the mean is worth, > 0
        ("shape", "f8"),  # > 0
        ("scale", "f8"),  # > 0
    ],
    align=True,
)


@kernel
def observe(level: np.void, x: float, prior: np.void) -> int:
    """Take one observation.

    Parameters
    ----------
    level : LEVEL record
        Changed in place.
    x : float
        Finite.
    prior : PRIOR record
        What is believed of a new level.

    Returns
    -------
    int
        Most probable age, observations.
    """
    assert abs(x) < np.inf, "a level is observed by a number"
    if level["count"] == 0:
        _put(level, 0, prior)
        level["prob"][0], level["count"] = 1.0, 1
    before = level["age"][level["best"]]
    hazard, total = prior["hazard"], 0.0
    top = -np.inf
    for run in range(level["count"]):
        top = max(top, _log_density(level, run, x))
    for run in range(level["count"]):
        level["prob"][run] *= np.exp(_log_density(level, run, x) - top)
        total += level["prob"][run]
        _learn(level, run, x)
    for run in range(level["count"]):
        level["prob"][run] *= (1.0 - hazard) / total
    slot = _free_slot(level)
    _put(level, slot, prior)
    level["prob"][slot] = hazard
    best = 0
    for run in range(1, level["count"]):
        if level["prob"][run] > level["prob"][best]:
            best = run
    level["best"] = best
    if 2 * level["age"][best] <= before:
        level["changes"] += 1
    return level["age"][best]


@kernel
def mean_of(level: np.void) -> float:
    """Level of the most probable hypothesis; 0 before the first observation."""
    return level["mean"][level["best"]] if level["count"] > 0 else 0.0


@kernel
def age_of(level: np.void) -> int:
    """Most probable age, observations."""
    return level["age"][level["best"]] if level["count"] > 0 else 0


@kernel
def _put(level: np.void, slot: int, prior: np.void) -> None:
    level["age"][slot] = 0
    level["mean"][slot], level["kappa"][slot] = prior["mean"], prior["kappa"]
    level["shape"][slot], level["scale"][slot] = prior["shape"], prior["scale"]


@kernel
def _free_slot(level: np.void) -> int:
    if level["count"] < RUNS_MAX:
        level["count"] += 1
        return level["count"] - 1
    least = 0
    for run in range(1, RUNS_MAX):
        if level["prob"][run] < level["prob"][least]:
            least = run
    # What is given up was so unlikely that the rest need not be scaled for long; yet they sum to one.
    kept = 1.0 - level["prob"][least]
    for run in range(RUNS_MAX):
        level["prob"][run] /= kept
    return least


@kernel
def _log_density(level: np.void, run: int, x: float) -> float:
    # Student t with 2 shape degrees of freedom.
    kappa, shape = level["kappa"][run], level["shape"][run]
    spread_sq = level["scale"][run] * (kappa + 1.0) / (shape * kappa)
    distance = x - level["mean"][run]
    return (
        math.lgamma(shape + 0.5)
        - math.lgamma(shape)
        - 0.5 * np.log(2.0 * shape * _PI * spread_sq)
        - (shape + 0.5) * np.log(1.0 + distance * distance / (2.0 * shape * spread_sq))
    )


@kernel
def _learn(level: np.void, run: int, x: float) -> None:
    kappa, distance = level["kappa"][run], x - level["mean"][run]
    level["scale"][run] += 0.5 * kappa * distance * distance / (kappa + 1.0)
    level["mean"][run] += distance / (kappa + 1.0)
    level["kappa"][run] = kappa + 1.0
    level["shape"][run] += 0.5
    level["age"][run] += 1
