"""Conjugate posteriors whose evidence fades with time and whose prior never does.

A posterior is its prior plus sums over what was observed. Forgetting multiplies the sums only,
`a ← a0 + l (a - a0) + x` with `l = 2^(-dt / halflife)`, so without news it returns to the prior
(West & Harrison, "Bayesian Forecasting and Dynamic Models", 1997; power prior: Ibrahim & Chen,
"Power Prior Distributions for Regression Models", 2000). Discounted counts understate what is known:
the weights' sum saturates at 1 / (1 - l), the sample they stand for at (1 + l) / (1 - l). Intervals
therefore use (sum of weights)² / (sum of squared weights), which is both of these at their place.

These are functions of numbers; which market quantity goes where is said in `parameters.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

NOISE_PRIOR_OBSERVATIONS: Final = 6.0  # the fewest for which the noise's own variance exists, with room
DEPTH_BINS: Final = 48
DEPTH_BPS_MIN: Final = 0.01  # below it a quote is as good as at the mid
DEPTH_BPS_MAX: Final = 30.0
NEWTON_STEPS_MAX: Final = 100
LOG_KAPPA_TOLERANCE: Final = 1e-10


@dataclass(frozen=True, slots=True)
class Posterior:
    """Point estimate and standard deviation of one number."""

    value: float
    std: float


@dataclass(frozen=True, slots=True)
class Sums:
    """Evidence at one moment: the sums of a model, their weight, and the sample that weight is worth."""

    values: np.ndarray
    weight: float
    observations: float


class Evidence:
    """Discounted sums of what was observed, without the prior.

    Parameters
    ----------
    size : int
        Number of sums the model keeps.
    """

    def __init__(self, size: int) -> None:
        self._values = np.zeros(size)
        self._weight = 0.0
        self._weight_sq = 0.0
        self._ts_ns = 0

    def add(self, values: Sequence[float] | np.ndarray, share: float, ts_ns: int, halflife_ns: float) -> None:
        """Forget up to `ts_ns`, then add one observation.

        Parameters
        ----------
        values : sequence of float
            The observation's contribution to each sum, at full weight.
        share : float
            How much of an independent observation it is, in (0, 1]: overlapping horizons share one.
        ts_ns : int
            When it was observed; an earlier time than the last forgets nothing.
        halflife_ns : float
            Time after which an observation weighs half.
        """
        keep = self._keep(ts_ns, halflife_ns)
        self._values = self._values * keep + share * np.asarray(values, float)
        self._weight = self._weight * keep + share
        self._weight_sq = self._weight_sq * keep * keep + share
        self._ts_ns = max(self._ts_ns, ts_ns)

    def at(self, now_ns: int, halflife_ns: float) -> Sums:
        """The sums as they weigh at `now_ns`; changes nothing."""
        keep = self._keep(now_ns, halflife_ns)
        sample = self._weight**2 / self._weight_sq if self._weight_sq > 0.0 else 0.0
        # Fading evidence is worth less than it was, although its relative weights stay the same.
        return Sums(self._values * keep, self._weight * keep, sample * keep)

    def state(self) -> dict[str, Any]:
        """Everything but the time, which belongs to one boot of one machine."""
        return {"values": self._values.tolist(), "weight": self._weight, "weight_sq": self._weight_sq}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over `state()` of an equal model.

        Raises
        ------
        ValueError
            The state is of another size or not finite.
        """
        values = np.asarray(state["values"], float)
        weights = (float(state["weight"]), float(state["weight_sq"]))
        sound = np.isfinite(values).all() and np.isfinite(weights).all()
        if values.shape != self._values.shape or not sound:
            raise ValueError(f"{self._values.size} finite sums expected, the state has {values.size}")
        self._values, (self._weight, self._weight_sq) = values, weights
        self._ts_ns = 0

    def _keep(self, now_ns: int, halflife_ns: float) -> float:
        if self._ts_ns == 0 or now_ns <= self._ts_ns:
            return 1.0
        return float(2.0 ** (-(now_ns - self._ts_ns) / halflife_ns))


@dataclass(frozen=True, slots=True)
class LinearPrior:
    """What is believed of `y = slope x + noise` before evidence.

    Attributes
    ----------
    slope : float
        Prior mean of the slope.
    precision : float
        Sum of x² the prior slope is worth.
    noise : float
        Prior standard deviation of the noise, in units of y.
    """

    slope: float
    precision: float
    noise: float


def linear_sums(x: float, y: float) -> tuple[float, float, float]:
    """Contribution of one pair to the sums of a line through the origin: x², xy, y²."""
    return x * x, x * y, y * y


def linear_posterior(sums: Sums, prior: LinearPrior) -> tuple[Posterior, Posterior]:
    """Slope and noise of a line through the origin, normal-inverse-gamma.

    Parameters
    ----------
    sums : Sums
        Evidence made of `linear_sums`; with x = 1 the slope is a mean.
    prior : LinearPrior
        Belief without evidence.

    Returns
    -------
    tuple of Posterior and Posterior
        The slope; the standard deviation of the noise, > 0.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", 3rd ed. 2013, section 14.2.
    """
    xx, xy, yy = (float(value) for value in sums.values)
    precision = prior.precision + xx
    slope = (prior.precision * prior.slope + xy) / precision
    shape = 0.5 * (NOISE_PRIOR_OBSERVATIONS + sums.weight)
    scale = prior.noise**2 * (0.5 * NOISE_PRIOR_OBSERVATIONS - 1.0)
    # Never negative in exact arithmetic; rounding may take it a hair below the prior's part.
    scale += max(0.5 * (yy + prior.precision * prior.slope**2 - precision * slope**2), 0.0)
    variance = scale / (shape - 1.0)
    sample = max(sums.observations, sums.weight)
    worth = (NOISE_PRIOR_OBSERVATIONS + sums.weight) / (NOISE_PRIOR_OBSERVATIONS + sample)
    noise = variance**0.5
    # Variance of an inverse gamma, carried to the root by its derivative 1 / (2 noise).
    noise_std = 0.5 * noise / max(shape - 2.0, 0.5) ** 0.5
    return Posterior(slope, (variance / precision * worth) ** 0.5), Posterior(noise, noise_std * worth**0.5)


def ratio_posterior(sums: Sums, prior_ratio: float, prior_expected: float) -> Posterior:
    """How many times more often something happened than was expected, gamma.

    Parameters
    ----------
    sums : Sums
        Evidence (happened, expected): counts and the sum of predicted probabilities.
    prior_ratio : float
        Ratio without evidence, > 0.
    prior_expected : float
        Expected count the prior is worth, > 0.
    """
    happened, expected = (float(value) for value in sums.values)
    shape = prior_ratio * prior_expected + happened
    rate = prior_expected + expected
    return Posterior(shape / rate, shape**0.5 / rate)


def depth_sums(depth_bps: float, exposure_s: float, filled: bool) -> np.ndarray:
    """Contribution of one quote to the sums of `decay_posterior`.

    Parameters
    ----------
    depth_bps : float
        Distance from the mid, clamped to the bins' range.
    exposure_s : float
        Time it was quoted until the fill or the horizon, > 0.
    filled : bool
        Whether it was filled.

    Returns
    -------
    ndarray of float64, shape (3 * DEPTH_BINS,)
        Exposure per bin, exposure times depth per bin, fills per bin.
    """
    sums = np.zeros((3, DEPTH_BINS))
    depth = min(max(depth_bps, DEPTH_BPS_MIN), DEPTH_BPS_MAX)
    bin_index = int(np.log(depth / DEPTH_BPS_MIN) / np.log(DEPTH_BPS_MAX / DEPTH_BPS_MIN) * (DEPTH_BINS - 1))
    sums[:, bin_index] = exposure_s, exposure_s * depth, float(filled)
    return sums.ravel()


def decay_posterior(sums: Sums, prior_kappa: float, prior_shape: float) -> Posterior:
    """Decay of the fill rate with distance, `rate(depth) = A exp(-kappa depth)`, by Poisson regression.

    Fills at depth d are Poisson with mean A exp(-kappa d) T for exposure T; A is profiled out, which
    leaves a log-concave likelihood of kappa, and kappa has a gamma prior.

    Parameters
    ----------
    sums : Sums
        Evidence made of `depth_sums`.
    prior_kappa : float
        Prior mean, per bp, > 0.
    prior_shape : float
        Shape of the gamma prior, > 0: its relative variance is 1 / shape.

    Returns
    -------
    Posterior
        Mode of log kappa as kappa (the prior's mean when there is no evidence), and the standard
        deviation by the curvature there.

    References
    ----------
    Laruelle, "Limit order books: estimation of the fill intensity", 2013; Cameron & Trivedi,
    "Regression Analysis of Count Data", 2013, ch. 3.
    """
    exposure, exposure_depth, fills = sums.values.reshape(3, DEPTH_BINS)
    used = exposure > 0.0
    log_exposure = np.log(exposure[used])
    depth = exposure_depth[used] / exposure[used]
    fill_count = float(fills[used].sum())
    fill_depth = float(fills[used] @ depth)
    rate = prior_shape / prior_kappa

    def slope_and_curvature(kappa: float) -> tuple[float, float]:
        mean, variance = _tilted_moments(log_exposure, depth, kappa)
        slope = prior_shape / kappa - rate - fill_depth + fill_count * mean
        return slope * kappa, (slope - prior_shape / kappa - fill_count * variance * kappa) * kappa

    log_kappa = _log_root(slope_and_curvature, np.log(prior_kappa))
    kappa = float(np.exp(log_kappa))
    _, curvature = slope_and_curvature(kappa)
    return Posterior(kappa, kappa / max(-curvature, 1e-12) ** 0.5)


def _tilted_moments(log_exposure: np.ndarray, depth: np.ndarray, kappa: float) -> tuple[float, float]:
    # Mean and variance of depth under exposure * exp(-kappa * depth).
    if not depth.size:
        return 0.0, 0.0
    log_weight = log_exposure - kappa * depth
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ depth)
    return mean, float(weight @ (depth - mean) ** 2)


def _log_root(slope_and_curvature: Any, start: float) -> float:
    # Root of the score in log kappa: Newton inside a bracket that halves when Newton leaves it.
    low, high = start - 20.0, start + 20.0
    point = start
    for _ in range(NEWTON_STEPS_MAX):
        slope, curvature = slope_and_curvature(float(np.exp(point)))
        low, high = (point, high) if slope > 0.0 else (low, point)
        step = point - slope / curvature if curvature < 0.0 else low
        following = step if low < step < high else 0.5 * (low + high)
        if abs(following - point) <= LOG_KAPPA_TOLERANCE:
            return following
        point = following
    return point
