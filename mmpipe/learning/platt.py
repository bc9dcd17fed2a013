"""Calibration of a probability on its logit, `logit p = slope · logit(said) + intercept`, Bayesian.

Slope and intercept are normal around their configured values with unit standard deviation; outcomes are
Bernoulli. What was said is counted in bins of their logit, so the evidence is sums that fade like all others
(`bayes`). Outcomes whose horizons overlap share most of their path: their likelihood is tempered to the
independent part, which leaves the bins unbiased where events come in bursts. A slope below zero says that
it is of no use: the line is then the one of slope 0, the base rate.

References
----------
Platt, "Probabilistic outputs for support vector machines" (1999). Grünwald & van Ommen, "Inconsistency of
Bayesian inference for misspecified linear models" (2017), for tempering.
"""

from typing import Final

import numpy as np

from mmpipe.learning.bayes import Posterior, Sums

BINS: Final = 96
LOGIT_MAX: Final = 12.0  # a bin is a quarter of a nat wide
SUMS: Final = 3 * BINS + 1  # count, sum of logits and outcomes per bin; independent outcomes in all
PRIOR_STD: Final = 1.0
NEWTON_STEPS_MAX: Final = 50
TOLERANCE: Final = 1e-10


def platt_sums(said: float, happened: bool, share: float) -> np.ndarray:
    """Contribution of one outcome to the sums of `platt_posterior`.

    Parameters
    ----------
    said : float
        Probability before calibration, 0 to 1.
    happened : bool
        The outcome.
    share : float
        How much of an independent outcome it is, 0 to 1.

    Returns
    -------
    ndarray of float64, shape (SUMS,)
    """
    edge = 1.0 / (1.0 + np.exp(LOGIT_MAX))
    inside = min(max(said, edge), 1.0 - edge)
    logit = float(np.log(inside / (1.0 - inside)))
    index = min(int((logit + LOGIT_MAX) / (2.0 * LOGIT_MAX) * BINS), BINS - 1)
    sums = np.zeros(SUMS)
    sums[index], sums[BINS + index], sums[2 * BINS + index] = 1.0, logit, float(happened)
    sums[-1] = share
    return sums


def tempered(sums: Sums) -> Sums:
    """The same evidence as so many independent outcomes as it is worth, which is its `observations`."""
    count, independent = float(sums.values[:BINS].sum()), float(sums.values[-1])
    factor = min(independent / count, 1.0) if count > 0.0 else 0.0
    return Sums(sums.values * factor, sums.weight * factor, sums.observations * factor)


def platt_posterior(sums: Sums, prior_slope: float, prior_intercept: float) -> tuple[Posterior, Posterior]:
    """Slope and intercept: the mode of the posterior, and its curvature there.

    Parameters
    ----------
    sums : Sums
        Evidence made of `platt_sums`.
    prior_slope, prior_intercept : float
        Prior means.

    Returns
    -------
    tuple of Posterior and Posterior
        The slope, >= 0; the intercept. Where the best slope is below zero: 0, and the intercept beside it.
    """
    count, logits, happened = sums.values[: 3 * BINS].reshape(3, BINS)
    used = count > 0.0
    count, happened = count[used], happened[used]
    rows = np.stack([logits[used] / count, np.ones(len(count))], axis=1)
    prior = np.array([prior_slope, prior_intercept])
    line, precision = _mode(rows, count, happened, prior)
    std = np.sqrt(np.diag(np.linalg.inv(precision)))
    if line[0] < 0.0:
        flat, _ = _mode(rows[:, 1:], count, happened, prior[1:])
        line = np.array([0.0, flat[0]])
    return Posterior(float(line[0]), float(std[0])), Posterior(float(line[1]), float(std[1]))


def _mode(
    rows: np.ndarray, count: np.ndarray, happened: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # Newton on a concave log posterior, halving a step that does not rise.
    line = prior.copy()
    precision = np.eye(len(prior)) / PRIOR_STD**2
    height = _log_posterior(line, rows, count, happened, prior)
    for _ in range(NEWTON_STEPS_MAX):
        probs = 1.0 / (1.0 + np.exp(-(rows @ line)))
        slope = rows.T @ (happened - count * probs) - (line - prior) / PRIOR_STD**2
        precision = (rows.T * (count * probs * (1.0 - probs))) @ rows + np.eye(len(prior)) / PRIOR_STD**2
        step = np.linalg.solve(precision, slope)
        after = _log_posterior(line + step, rows, count, happened, prior)
        while after < height - TOLERANCE and np.abs(step).max() > TOLERANCE:
            step = step / 2.0
            after = _log_posterior(line + step, rows, count, happened, prior)
        line, height = line + step, after
        if np.abs(step).max() <= TOLERANCE:
            break
    return line, precision


def _log_posterior(
    line: np.ndarray, rows: np.ndarray, count: np.ndarray, happened: np.ndarray, prior: np.ndarray
) -> float:
    scores = rows @ line
    likelihood = float(happened @ scores - count @ np.logaddexp(0.0, scores))
    return likelihood - 0.5 * float(((line - prior) ** 2).sum()) / PRIOR_STD**2
