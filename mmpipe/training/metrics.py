"""How good predictions are, against what is known without a model, and how sure that is.

A probability is judged by proper scores (Brier, log-loss) against the base rate of the same outcomes, known
in hindsight: a stricter rival than any base rate known beforehand. An expectation is judged by the rank
correlation with what was realised. Outcomes that overlap in time are not independent: every interval comes
from resampling whole stretches of time (`bootstrap`).

References
----------
Brier, "Verification of forecasts expressed in terms of probability" (1950).
Murphy, "A new vector partition of the probability score" (1973).
Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
"""

from typing import Final, NamedTuple

import numpy as np

BINS: Final = 10
Z_95: Final = 1.959963984540054
PROB_FLOOR: Final = 1e-12  # of the log-loss: a certain forecast that fails is bad, not infinite


class Murphy(NamedTuple):
    """Brier = reliability - resolution + uncertainty, exactly when predictions in a bin are equal."""

    reliability: float
    resolution: float
    uncertainty: float


class Reliable(NamedTuple):
    """One bin of a reliability diagram: outcomes among predictions of about the same size."""

    total: int
    predicted: float  # mean prediction
    observed: float  # share of outcomes
    low: float  # Wilson's 95 % interval of the share
    high: float


def checked(probs: np.ndarray, outcomes: np.ndarray) -> None:
    """Refuse what cannot be judged.

    Parameters
    ----------
    probs : ndarray of float64, shape (n,)
        0 to 1.
    outcomes : ndarray, shape (n,)
        0 or 1.

    Raises
    ------
    ValueError
        Different lengths, none at all, a probability outside 0 to 1, another outcome.
    """
    if not (len(probs) == len(outcomes) > 0):
        raise ValueError(f"metrics: {len(probs)} predictions for {len(outcomes)} outcomes; give one each")
    if not (np.min(probs) >= 0.0 and np.max(probs) <= 1.0):
        raise ValueError("metrics: a probability is not between 0 and 1; look for NaN in the inputs")
    if not np.isin(outcomes, (0, 1)).all():
        raise ValueError("metrics: an outcome is neither 0 nor 1")


def brier(probs: np.ndarray, outcomes: np.ndarray) -> float:
    """Mean squared error of probabilities, 0 to 1."""
    checked(probs, outcomes)
    return float(np.mean((probs - outcomes) ** 2))


def base_brier(outcomes: np.ndarray) -> float:
    """Brier score of always saying the base rate of these outcomes: p (1 - p)."""
    rate = float(np.mean(outcomes))
    return rate * (1.0 - rate)


def skill(probs: np.ndarray, outcomes: np.ndarray) -> float:
    """1 - Brier / base Brier; NaN where all outcomes are equal: nothing can be told."""
    base = base_brier(outcomes)
    return 1.0 - brier(probs, outcomes) / base if base > 0.0 else float("nan")


def log_loss(probs: np.ndarray, outcomes: np.ndarray) -> float:
    """Mean negative log-likelihood, nats."""
    checked(probs, outcomes)
    return float(np.mean(log_losses(probs, outcomes)))


def log_losses(probs: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Negative log-likelihood of each outcome, nats, shape (n,)."""
    inside = np.clip(probs, PROB_FLOOR, 1.0 - PROB_FLOOR)
    losses: np.ndarray = -np.where(outcomes > 0, np.log(inside), np.log1p(-inside))
    return losses


def bins_of(probs: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Bin of each prediction: as many predictions in each as ties allow, shape (n,) of int64.

    Equal predictions share a bin. Bins of equal width would leave most of them empty where outcomes are rare.
    """
    edges = np.unique(np.quantile(probs, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    found: np.ndarray = np.unique(np.searchsorted(edges, probs, side="left"), return_inverse=True)[1]
    return found


def murphy(probs: np.ndarray, outcomes: np.ndarray, bins: int = BINS) -> Murphy:
    """Reliability (0 is best), resolution (more is better) and uncertainty of a forecast."""
    checked(probs, outcomes)
    counts, predicted, observed = _per_bin(probs, outcomes, bins)
    rate = float(np.mean(outcomes))
    share = counts / counts.sum()
    return Murphy(
        float(share @ (predicted - observed) ** 2),
        float(share @ (observed - rate) ** 2),
        rate * (1.0 - rate),
    )


def expected_calibration_error(probs: np.ndarray, outcomes: np.ndarray, bins: int = BINS) -> float:
    """Mean distance of prediction and share of outcomes over bins, weighted by their counts, 0 to 1."""
    checked(probs, outcomes)
    counts, predicted, observed = _per_bin(probs, outcomes, bins)
    return float(counts / counts.sum() @ np.abs(predicted - observed))


def reliability(probs: np.ndarray, outcomes: np.ndarray, bins: int = BINS) -> list[Reliable]:
    """The reliability diagram, from the smallest predictions to the largest."""
    checked(probs, outcomes)
    counts, predicted, observed = _per_bin(probs, outcomes, bins)
    low, high = wilson(observed * counts, counts)
    columns = zip(counts, predicted, observed, low, high, strict=True)
    return [Reliable(int(n), float(p), float(o), float(a), float(b)) for n, p, o, a, b in columns]


def wilson(hits: np.ndarray, counts: np.ndarray, z: float = Z_95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share.

    Parameters
    ----------
    hits, counts : ndarray, shape (n,)
        Successes of trials; counts > 0.
    z : float
        Standard normal quantile.

    Returns
    -------
    tuple of ndarray
        Lower and upper end, 0 to 1.
    """
    share = hits / counts
    middle = (share + z * z / (2.0 * counts)) / (1.0 + z * z / counts)
    half = z / (1.0 + z * z / counts) * np.sqrt(share * (1.0 - share) / counts + (z / (2.0 * counts)) ** 2)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs, shape (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: np.ndarray = (last - (counts - 1) / 2.0)[inverse]
    return shared


def rank_correlation(predicted: np.ndarray, realised: np.ndarray) -> float:
    """Spearman's rank correlation, -1 to 1; NaN where one of them never changes."""
    if not (len(predicted) == len(realised) > 1):
        raise ValueError(f"metrics: {len(predicted)} predictions for {len(realised)} values; two at least")
    if not (np.isfinite(predicted).all() and np.isfinite(realised).all()):
        raise ValueError("metrics: a value is not finite; leave out what has no outcome")
    left, right = ranks(predicted), ranks(realised)
    if not (left.std() > 0.0 and right.std() > 0.0):
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def rmse(predicted: np.ndarray, realised: np.ndarray) -> float:
    """Root of the mean squared difference, in the unit of the values."""
    return float(np.sqrt(np.mean((predicted - realised) ** 2)))


def _per_bin(probs: np.ndarray, outcomes: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    index = bins_of(probs, bins)
    counts = np.bincount(index).astype(float)
    predicted: np.ndarray = np.bincount(index, probs) / counts
    observed: np.ndarray = np.bincount(index, outcomes.astype(float)) / counts
    return counts, predicted, observed
