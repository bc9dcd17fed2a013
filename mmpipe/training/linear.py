"""Bayesian linear regression: weights, their covariance, and how much to believe the data, from the data.

    y ~ Normal(design @ weights, noise^2 / share),   weights ~ Normal(0, 1 / strength)

The intercept is free, and so may be columns that are known to count. Strength and noise maximise the
evidence. `share` says how much of a row is news: labels whose windows overlap tell the same thing several
times, and a posterior that counts them all is too sure.

References
----------
MacKay, "Bayesian interpolation" (1992).
López de Prado, "Advances in Financial Machine Learning" (2018), 4.4: average uniqueness of overlapping
labels.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

ROUNDS_MAX: Final = 200
CHANGE_MAX: Final = 1e-6  # of ln(strength) and ln(noise), at which they have converged
STRENGTH_RANGE: Final = (1e-4, 1e9)


@dataclass(frozen=True, slots=True)
class Linear:
    """Posterior of the weights of a design whose first column is 1.

    Attributes
    ----------
    mean : ndarray of float64, shape (k,)
        Posterior mean.
    covariance : ndarray of float64, shape (k, k)
        Posterior covariance.
    noise_std : float
        Of an outcome around its expectation, in its unit.
    strength : float
        Precision of the prior of each weight.
    """

    mean: np.ndarray
    covariance: np.ndarray
    noise_std: float
    strength: float


def fit_linear(design: np.ndarray, outcomes: np.ndarray, share: np.ndarray, free: int) -> Linear:
    """Fit by maximum evidence.

    Parameters
    ----------
    design : ndarray of float64, shape (n, k)
        First column 1, the others of about unit scale.
    outcomes : ndarray of float64, shape (n,)
        Finite.
    share : ndarray of float64, shape (n,)
        Share of each row that is news, > 0 to 1.
    free : int
        First columns that the prior leaves alone, >= 1: the intercept, and others, against which one label
        speaks so that a constant one stays 0.

    Raises
    ------
    ValueError
        Fewer than two rows, or a value that is not finite.
    """
    if not len(outcomes) > 1:
        raise ValueError(f"linear: {len(outcomes)} labels are too few; record a longer market")
    if not (np.isfinite(design).all() and np.isfinite(outcomes).all()):
        raise ValueError("linear: a value is not finite; leave out rows without an outcome")
    total = share.sum()
    known = design[:, :free]
    gram = (known.T * share) @ known + np.diag(np.arange(free) > 0).astype(float)
    held = design[:, free:]
    centre = np.linalg.solve(gram, (known.T * share) @ held)
    middle = np.linalg.solve(gram, (known.T * share) @ outcomes)
    columns, target = held - known @ centre, outcomes - known @ middle
    weighted = held * share[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ columns)
    values = np.maximum(values, 0.0)
    along = vectors.T @ (weighted.T @ target)
    square = float((share * outcomes) @ target)
    strength, noise = _evidence(values, along, square, float(total))
    scale = values / noise + strength
    weights = vectors @ (along / noise / scale)
    spread = (vectors / scale) @ vectors.T
    mean = np.concatenate((middle - centre @ weights, weights))
    # The free ones at the centre of the others are known to noise / total, independent of the weights.
    back = np.concatenate((-centre, np.eye(len(weights))))
    covariance = back @ spread @ back.T
    covariance[:free, :free] += noise * np.linalg.inv(gram)
    return Linear(mean, covariance, float(np.sqrt(noise)), strength)


def _evidence(values: np.ndarray, along: np.ndarray, square: float, total: float) -> tuple[float, float]:
    # MacKay's fixed point: each strength of evidence in turn, given the number of well-determined weights.
    strength, noise = 1.0, max(square / total, 1e-12)
    for _ in range(ROUNDS_MAX):
        scale = values / noise + strength
        weights = along / noise / scale
        determined = float((values / noise / scale).sum())
        residual = max(square - 2.0 * float(weights @ along) + float(values @ weights**2), 1e-12)
        found_noise = residual / max(total - determined, 1.0)
        found_strength = float(np.clip(determined / max(float(weights @ weights), 1e-12), *STRENGTH_RANGE))
        change = abs(np.log(found_noise / noise)) + abs(np.log(found_strength / strength))
        strength, noise = found_strength, found_noise
        if change < CHANGE_MAX:
            break
    return strength, noise


def uniqueness(start_ns: np.ndarray, end_ns: np.ndarray) -> np.ndarray:
    """Share of each label that is news: the mean of 1 / (labels under way) at its beginning and its end.

    Parameters
    ----------
    start_ns, end_ns : ndarray of int64, shape (n,)
        Window of each label.

    Returns
    -------
    ndarray of float64, shape (n,)
        > 0 to 1.
    """
    starts, ends = np.sort(start_ns), np.sort(end_ns)

    def under_way(ts_ns: np.ndarray) -> np.ndarray:
        count = np.searchsorted(starts, ts_ns, side="right") - np.searchsorted(ends, ts_ns, side="left")
        return np.asarray(np.maximum(count, 1), dtype=float)

    middle_ns = start_ns + (end_ns - start_ns) // 2
    shares: np.ndarray = np.mean([1.0 / under_way(ts) for ts in (start_ns, middle_ns, end_ns)], axis=0)
    return shares
