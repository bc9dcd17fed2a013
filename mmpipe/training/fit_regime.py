"""Fit of the regime filter: four volatility states with Student's tails, by expectation-maximisation.

Offline the whole series may be smoothed; what is fitted is only what the live forward filter runs on.
States are ordered by their means, so that none is ever called by another's name. A Dirichlet prior that
favours staying keeps a state from being a single odd second, and several starts keep the first local
optimum from deciding.

References
----------
Baum et al., "A maximization technique occurring in the statistical analysis of probabilistic functions of
Markov chains" (1970). Peel and McLachlan, "Robust mixture modelling using the t distribution" (2000), for
the tails.
"""

from dataclasses import dataclass
from math import lgamma
from typing import Final

import numpy as np

STATES: Final = 4
STARTS: Final = 4
ROUNDS_MAX: Final = 40
GAIN_MIN: Final = 1e-6  # log-likelihood per reading, at which a start has converged
STICKY: Final = 50.0  # readings a state is believed to last in advance
SCALE_MIN: Final = 0.05
SPACE_MIN: Final = 1e-3  # between two means
READINGS_MIN: Final = 200
SEEN_MIN: Final = 5.0  # readings a state must have held to speak for itself


@dataclass(frozen=True, slots=True)
class RegimeFit:
    """States of the fitted chain, by rising mean.

    Attributes
    ----------
    means, scales, dwell_s : ndarray of float64, shape (4,)
        Of ln(ratio); mean time in a state, s.
    jump : ndarray of float64, shape (4, 4)
        Where to, once left.
    log_likelihood : float
        Per reading.
    """

    means: np.ndarray
    scales: np.ndarray
    dwell_s: np.ndarray
    jump: np.ndarray
    log_likelihood: float


def fit_regime(
    readings: np.ndarray, step_s: float, degrees: float, floors: np.ndarray, widths: np.ndarray, seed: int
) -> RegimeFit:
    """Fit the chain to one series.

    Parameters
    ----------
    readings : ndarray of float64, shape (n,)
        ln(short-term over baseline volatility), one per `step_s`.
    step_s : float
        Seconds between two, > 0.
    degrees : float
        Of freedom of the tails.
    floors, widths : ndarray of float64, shape (4,)
        Least mean of each state, rising, -inf: any; and its scale while hardly a reading was in it. What is
        called a cascade is one, also where the recording holds none: a calm market's liveliest quarter of
        the time is not.
    seed : int
        Of the starts.

    Raises
    ------
    ValueError
        Fewer than READINGS_MIN readings, or one that is not finite.
    """
    if not (len(readings) >= READINGS_MIN and np.isfinite(readings).all()):
        raise ValueError(
            f"regime: {READINGS_MIN} finite readings are needed, got {len(readings)}; record longer"
        )
    rng = np.random.default_rng(seed)
    best: RegimeFit | None = None
    for start in range(STARTS):
        shares = (np.arange(STATES) + 0.5) / STATES
        if start:
            shares = np.sort(rng.uniform(0.02, 0.98, STATES))
        found = _climb(readings, np.quantile(readings, shares), step_s, degrees, floors, widths)
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
    assert best is not None, "there is at least one start"
    return best


def _climb(
    readings: np.ndarray, means: np.ndarray, step_s: float, degrees: float, floors: np.ndarray,
    widths: np.ndarray,
) -> RegimeFit:  # fmt: skip
    means = np.maximum(means, floors)
    scales = np.full(STATES, max(float(readings.std()) / 2.0, SCALE_MIN))
    stay = 1.0 - 1.0 / STICKY
    moves = np.full((STATES, STATES), (1.0 - stay) / (STATES - 1)) + np.eye(STATES) * (
        stay - (1.0 - stay) / (STATES - 1)
    )
    before = -np.inf
    for _ in range(ROUNDS_MAX):
        density = _density(readings, means, scales, degrees)
        weights, pairs, height = _smooth(density, moves)
        square = ((readings[:, None] - means) / scales) ** 2
        pull = weights * (degrees + 1.0) / (degrees + square)
        means = (pull * readings[:, None]).sum(axis=0) / np.maximum(pull.sum(axis=0), 1e-12)
        seen = weights.sum(axis=0) >= SEEN_MIN
        means = np.maximum(means, floors)
        spread = (pull * (readings[:, None] - means) ** 2).sum(axis=0)
        scales = np.sqrt(spread / np.maximum(weights.sum(axis=0), 1e-12))
        scales = np.where(seen, np.maximum(scales, SCALE_MIN), widths)
        counts = pairs + np.eye(STATES) * STICKY + 0.1
        moves = counts / counts.sum(axis=1, keepdims=True)
        if height - before < GAIN_MIN * len(readings):
            break
        before = height
    order = np.argsort(means)
    means = means[order] + SPACE_MIN * np.arange(STATES)
    moves = moves[np.ix_(order, order)]
    leave = 1.0 - np.diag(moves)
    jump = moves - np.diag(np.diag(moves))
    jump /= jump.sum(axis=1, keepdims=True)
    dwell_s = -step_s / np.log1p(-np.clip(leave, 1e-9, 1.0 - 1e-9))
    return RegimeFit(means, scales[order], dwell_s, jump, height / len(readings))


def _density(readings: np.ndarray, means: np.ndarray, scales: np.ndarray, degrees: float) -> np.ndarray:
    # Logarithm of Student's t of every reading in every state, shape (n, 4).
    square = ((readings[:, None] - means) / scales) ** 2
    constant = lgamma((degrees + 1.0) / 2.0) - lgamma(degrees / 2.0) - 0.5 * np.log(degrees * np.pi)
    logs: np.ndarray = constant - np.log(scales) - 0.5 * (degrees + 1.0) * np.log1p(square / degrees)
    return logs


def _smooth(logs: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    # Posterior of the states, expected moves between them, log-likelihood: scaled forward and backward pass.
    top = logs.max(axis=1)
    density = np.exp(logs - top[:, None])
    count = len(logs)
    forward, scale = np.zeros((count, STATES)), np.zeros(count)
    state = np.full(STATES, 1.0 / STATES)
    for t in range(count):
        state = (state @ moves if t else state) * density[t]
        scale[t] = state.sum()
        state = state / scale[t]
        forward[t] = state
    backward = np.ones((count, STATES))
    for t in range(count - 2, -1, -1):
        backward[t] = moves @ (density[t + 1] * backward[t + 1]) / scale[t + 1]
    weights = forward * backward
    later = density[1:] * backward[1:] / scale[1:, None]
    pairs = moves * (forward[:-1].T @ later)
    return weights, pairs, float(np.log(scale).sum() + top.sum())
