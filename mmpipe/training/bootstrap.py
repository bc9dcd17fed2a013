"""Intervals of statistics of a time series: whole stretches of time are drawn again, with replacement.

Labels overlap (a markout of five seconds every second), calm and storm come in stretches; single rows drawn
again would pretend that all of them are news. Stretches begin anywhere and wrap round at the end, so that
every row is as likely as any other. A statistic is a function of column sums, so that a thousand draws cost
one running total.

References
----------
Künsch, "The jackknife and the bootstrap for general stationary observations" (1989).
Politis and Romano, "A circular block-resampling procedure for stationary data" (1992).
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.training import metrics

DRAWS: Final = 1_000
LEVEL: Final = 0.95
BLOCKS_MIN: Final = 5  # fewer stretches say nothing about each other

Statistic = Callable[[np.ndarray], np.ndarray]


def block_sums(
    ts_ns: np.ndarray, columns: np.ndarray, block_s: float, rng: np.random.Generator, draws: int = DRAWS
) -> np.ndarray:
    """Sums of columns over resampled series.

    Parameters
    ----------
    ts_ns : ndarray of int64, shape (n,)
        In order.
    columns : ndarray of float64, shape (n, k)
        What is summed.
    block_s : float
        Length of a stretch, s, at least the horizon of the labels.
    rng : Generator
        Seeded.
    draws : int
        Resampled series.

    Returns
    -------
    ndarray of float64, shape (draws, k)

    Raises
    ------
    ValueError
        Fewer than BLOCKS_MIN stretches.
    """
    span_ns = int(ts_ns[-1] - ts_ns[0]) + 1
    block_ns = int(block_s * NS_PER_S)
    blocks = -(-span_ns // block_ns)
    if not blocks >= BLOCKS_MIN:
        raise ValueError(f"bootstrap: {span_ns / NS_PER_S:.1f} s are too few for stretches of {block_s:g} s")
    wrapped = np.concatenate((ts_ns - ts_ns[0], ts_ns - ts_ns[0] + span_ns))
    totals = np.concatenate((np.zeros((1, columns.shape[1])), np.cumsum(np.tile(columns, (2, 1)), axis=0)))
    starts = rng.integers(0, span_ns, size=(draws, blocks))
    low = np.searchsorted(wrapped, starts.ravel())
    high = np.searchsorted(wrapped, starts.ravel() + block_ns)
    sums: np.ndarray = (totals[high] - totals[low]).reshape(draws, blocks, -1).sum(axis=1)
    return sums


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Central interval of resampled values; NaN, NaN where a tenth of them or more mean nothing."""
    found = values[np.isfinite(values)]
    if not len(found) > 0.9 * len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(found, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return float(low), float(high)


def skill_interval(
    ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of the Brier skill against the base rate of the same (resampled) outcomes."""
    losses = (probs - outcomes) ** 2
    columns = np.stack([losses, outcomes.astype(float), np.ones(len(probs))], axis=1)
    sums = block_sums(ts_ns, columns, block_s, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = sums[:, 1] / sums[:, 2]
        skills = 1.0 - sums[:, 0] / sums[:, 2] / (rate * (1.0 - rate))
    return interval(skills)


def gain_interval(
    ts_ns: np.ndarray, gains: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of a mean, e.g. of what a loss falls by against a rival's on the same rows."""
    sums = block_sums(ts_ns, np.stack([gains, np.ones(len(gains))], axis=1), block_s, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(sums[:, 0] / sums[:, 1])


def loss_skill_interval(
    ts_ns: np.ndarray, losses: np.ndarray, base: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of 1 - sum of losses / sum of a rival's losses on the same rows."""
    sums = block_sums(ts_ns, np.stack([losses, base], axis=1), block_s, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(1.0 - sums[:, 0] / sums[:, 1])


def rank_correlation_interval(
    ts_ns: np.ndarray, predicted: np.ndarray, realised: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of the rank correlation; the ranks are those of the whole series."""
    x = metrics.ranks(predicted) / len(predicted)
    y = metrics.ranks(realised) / len(realised)
    columns = np.stack([x, y, x * y, x * x, y * y, np.ones(len(x))], axis=1)
    sums = block_sums(ts_ns, columns, block_s, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y, mean_xy, mean_xx, mean_yy = (sums[:, k] / sums[:, 5] for k in range(5))
        spread = np.sqrt((mean_xx - mean_x**2) * (mean_yy - mean_y**2))
        return interval((mean_xy - mean_x * mean_y) / spread)


def calibration_interval(
    ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """Interval of the expected calibration error; biased upwards, as the error itself is on few rows."""
    index = metrics.bins_of(probs)
    bins = int(index.max()) + 1
    member = (index[:, None] == np.arange(bins)).astype(float)
    columns = np.concatenate((member, member * (probs - outcomes)[:, None]), axis=1)
    sums = block_sums(ts_ns, columns, block_s, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(np.abs(sums[:, bins:]).sum(axis=1) / sums[:, :bins].sum(axis=1))


def calibration_noise(
    ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, block_s: float, rng: np.random.Generator
) -> tuple[float, float]:
    """What the calibration error of a perfect forecast would be on so few rows: mean, and 95 % quantile.

    The error is a mean of absolute values, so it is never 0 and larger where outcomes come in bursts. What is
    left over in each bin and stretch of time, its bin's own mean taken off, is given a sign at random: the
    wild bootstrap of a forecast that is right in every bin.

    References
    ----------
    Liu, "Bootstrap procedures under some non-i.i.d. models" (1988).

    Raises
    ------
    ValueError
        Fewer than BLOCKS_MIN stretches.
    """
    stretch = ((ts_ns - ts_ns[0]) // int(block_s * NS_PER_S)).astype(np.int64)
    blocks = int(stretch[-1]) + 1
    if not blocks >= BLOCKS_MIN:
        raise ValueError(f"bootstrap: {blocks} stretches of {block_s:g} s are too few")
    index = metrics.bins_of(probs)
    off = outcomes - probs
    off = off - (np.bincount(index, off) / np.bincount(index))[index]
    left = np.zeros((blocks, int(index.max()) + 1))
    np.add.at(left, (stretch, index), off)
    signs = rng.integers(0, 2, size=(DRAWS, blocks)) * 2.0 - 1.0
    errors = np.abs(signs @ left).sum(axis=1) / len(probs)
    return float(errors.mean()), float(np.quantile(errors, LEVEL))
