"""Piecewise-exponential hazards of competing causes by Newton's method: Poisson regression in disguise.

    hazard_c(t, x) = exp(base_c[bin of t] + gain_c[bin of t] * (weights_c @ x))

Of cause c, an order at risk for `exposure` seconds of a bin adds `event * log hazard - exposure * hazard`
to the log-likelihood, which is that of a Poisson count of mean exposure * hazard. Causes separate: for
each, the others censor. Weights that must not be positive are kept at 0 when they would be (active set,
with the Karush-Kuhn-Tucker conditions as the end), so that what is monotone by construction is so after the
fit. What was seen at the join says most about the next moment and little about five seconds later: the
gains, > 0, say how much; they and the weights are fitted in turn.

References
----------
Holford, "The analysis of rates and of survivorship using log-linear models" (1980).
Prentice et al., "The analysis of failure times in the presence of competing risks" (1978).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

STEPS_MAX: Final = 100
DECREMENT_MAX: Final = 1e-11  # log-likelihood per row still to be won, at which the fit has converged
GRADIENT_MAX: Final = 1e-9  # per row, by which a held weight must pull before it is let go
GAIN_RANGE: Final = (0.02, 10.0)
GAIN_PRECISION: Final = 4.0  # of the prior of a gain around 1
ETA_MAX: Final = 30.0  # of a log hazard: more is no rate of this world


@dataclass(frozen=True, slots=True)
class Hazard:
    """Hazard of one cause.

    Attributes
    ----------
    base : ndarray of float64, shape (bins,)
        ln(1/s) of each time bin at x = 0.
    weights : ndarray of float64, shape (inputs,)
        Of the inputs.
    covariance : ndarray of float64, shape (bins + inputs,) * 2
        Of (base, weights); zeros where a weight is held at 0.
    gains : ndarray of float64, shape (bins,)
        How much of the weights' say each bin feels, > 0; 1: all of it.
    """

    base: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    gains: np.ndarray


def exposures(waits_s: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """Seconds at risk in each bin.

    Parameters
    ----------
    waits_s : ndarray of float64, shape (n,)
        Until the end, whatever ended it.
    edges_s : ndarray of float64, shape (bins + 1,)
        Rising from 0; what lasts longer is censored at the last.

    Returns
    -------
    ndarray of float64, shape (n, bins)
    """
    found: np.ndarray = np.clip(waits_s[:, None], edges_s[:-1], edges_s[1:]) - edges_s[:-1]
    return found


def events(waits_s: np.ndarray, happened: np.ndarray, edges_s: np.ndarray) -> np.ndarray:
    """1 in the bin in which the cause happened, shape (n, bins); nothing beyond the last edge."""
    found = np.zeros((len(waits_s), len(edges_s) - 1))
    bins = np.searchsorted(edges_s, waits_s, side="left") - 1
    inside = happened & (bins < found.shape[1])
    found[np.flatnonzero(inside), np.maximum(bins[inside], 0)] = 1.0
    return found


def fit_hazard(
    inputs: np.ndarray,
    exposure: np.ndarray,
    event: np.ndarray,
    strength: np.ndarray,
    not_positive: np.ndarray,
    gains: np.ndarray,
    start: "Hazard | None" = None,
) -> Hazard:
    """Fit one cause, its gains given.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, k)
        Finite, of about unit scale.
    exposure, event : ndarray of float64, shape (n, bins)
        As `exposures` and `events` make them.
    strength : ndarray of float64, shape (k,)
        Precision of the prior of each weight, >= 0; 0 keeps none, infinity keeps the weight at 0.
    not_positive : ndarray of bool, shape (k,)
        Weights that are held at or below 0.
    gains : ndarray of float64, shape (bins,)
        > 0; ones for proportional hazards.
    start : Hazard, optional
        Where to begin: a fit of about the same.

    Raises
    ------
    ValueError
        The cause never happened, an input is not finite, or Newton's method does not converge.
    """
    if not event.sum() > 0.0:
        raise ValueError("hazard: the cause never happened; record a longer market")
    if not np.isfinite(inputs).all():
        raise ValueError("hazard: an input is not finite; the kernel that writes it is wrong")
    free = np.isfinite(strength)
    bins = exposure.shape[1]
    base = np.log((event.sum(axis=0) + 0.5) / (exposure.sum(axis=0) + 0.5 / _rate(event, exposure)))
    weights = np.zeros(inputs.shape[1])
    if start is not None:
        base, weights = start.base, np.where(free, start.weights, 0.0)
        free &= ~(not_positive & (weights == 0.0))
    for _ in range(2 * inputs.shape[1] + 1):
        base, weights, covariance, gradient = _newton(
            inputs, exposure, event, np.where(free, strength, 0.0), free, base, weights, gains
        )
        wrong = free & not_positive & (weights > 0.0)
        if wrong.any():
            worst = int(np.argmax(np.where(wrong, weights, -np.inf)))
            free[worst], weights[worst] = False, 0.0
            continue
        # A held weight whose log-likelihood rises to the negative side is let go again.
        held = ~free & not_positive & np.isfinite(strength) & (gradient[bins:] < -GRADIENT_MAX * len(inputs))
        if not held.any():
            return Hazard(base, weights, covariance, gains)
        free[int(np.argmin(np.where(held, gradient[bins:], np.inf)))] = True
    raise ValueError("hazard: the weights held at 0 do not settle; look for inputs that say the same")


def fit_gains(hazard: Hazard, inputs: np.ndarray, exposure: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Gains of the bins, the weights given: in each a Poisson regression on one number.

    Returns
    -------
    ndarray of float64, shape (bins,)
        Within GAIN_RANGE, their mean over events 1, so that weights keep their size. A weak normal prior
        around 1 holds them where a bin saw few events.
    """
    eta = inputs @ hazard.weights
    gains = hazard.gains.copy()
    for k in range(len(gains)):
        base, gain = hazard.base[k], hazard.gains[k]
        for _ in range(STEPS_MAX):
            mean = exposure[:, k] * np.exp(np.minimum(base + gain * eta, ETA_MAX))
            missing = event[:, k] - mean
            slope = np.array([missing.sum(), missing @ eta - GAIN_PRECISION * (gain - 1.0)])
            cross = mean @ eta
            curve = np.array([[mean.sum() + 1e-9, cross], [cross, mean @ eta**2 + GAIN_PRECISION]])
            step = np.clip(np.linalg.solve(curve, slope), -1.0, 1.0)
            base, gain = base + step[0], gain + step[1]
            if np.abs(step).max() < 1e-8:
                break
        gains[k] = np.clip(gain, *GAIN_RANGE)
    share = event.sum(axis=0) / event.sum()
    found: np.ndarray = np.clip(gains / float(share @ gains), *GAIN_RANGE)
    return found


def _rate(event: np.ndarray, exposure: np.ndarray) -> float:
    return float(event.sum() / exposure.sum())


def _newton(
    inputs: np.ndarray,
    exposure: np.ndarray,
    event: np.ndarray,
    strength: np.ndarray,
    free: np.ndarray,
    base: np.ndarray,
    weights: np.ndarray,
    gains: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    bins = exposure.shape[1]
    moving = np.concatenate((np.ones(bins, dtype=bool), free))
    penalty = np.concatenate((np.full(bins, 1e-6), strength))
    rows_hit, bins_hit = event @ gains, event.sum(axis=0)
    point = np.concatenate((base, weights))

    def value(at: np.ndarray) -> tuple[float, np.ndarray]:
        eta = inputs @ at[bins:]
        log_rate = np.minimum(eta[:, None] * gains + at[:bins], ETA_MAX)
        mean = exposure * np.exp(log_rate)
        return float(rows_hit @ eta + bins_hit @ at[:bins] - mean.sum() - 0.5 * penalty @ at**2), mean

    best, mean = value(point)
    for _ in range(STEPS_MAX):
        row, column = mean @ gains, mean.sum(axis=0)
        gradient = np.concatenate((bins_hit - column, inputs.T @ (rows_hit - row))) - penalty * point
        hessian = np.zeros((len(point), len(point)))
        hessian[:bins, :bins] = np.diag(column)
        hessian[bins:, bins:] = (inputs * (mean @ gains**2)[:, None]).T @ inputs
        hessian[bins:, :bins] = inputs.T @ (mean * gains)
        hessian[:bins, bins:] = hessian[bins:, :bins].T
        hessian += np.diag(penalty + 1e-9)
        step = np.zeros(len(point))
        step[moving] = np.linalg.solve(hessian[np.ix_(moving, moving)], gradient[moving])
        if float(gradient[moving] @ step[moving]) <= DECREMENT_MAX * len(inputs):
            break
        share = 1.0
        while not (found := value(point + share * step))[0] >= best - 1e-12 * abs(best):
            share /= 2.0
            if share < 1e-10:
                break
        if share < 1e-10:
            break
        point = point + share * step
        best, mean = found
    else:
        raise ValueError(f"hazard: no convergence in {STEPS_MAX} steps; use a stronger prior")
    covariance = np.zeros_like(hessian)
    covariance[np.ix_(moving, moving)] = np.linalg.inv(hessian[np.ix_(moving, moving)])
    return point[:bins], point[bins:], covariance, gradient


def incidence(
    hazards: tuple[Hazard, ...], inputs: np.ndarray, edges_s: np.ndarray, horizon_s: float
) -> np.ndarray:
    """Chance that the first cause happens within a horizon and before any other, closed form per bin.

    Parameters
    ----------
    hazards : tuple of Hazard
        The cause asked for comes first.
    inputs : ndarray of float64, shape (n, k)
        As in the fit.
    edges_s : ndarray of float64, shape (bins + 1,)
        Of the bins; the last hazard goes on for ever.
    horizon_s : float
        >= 0.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    rates = [np.exp(h.base + (inputs @ h.weights)[:, None] * h.gains) for h in hazards]
    total = sum(rates)
    alive = np.ones(len(inputs))
    chance = np.zeros(len(inputs))
    for k in range(len(edges_s) - 1):
        stop_s = horizon_s if k == len(edges_s) - 2 else min(horizon_s, edges_s[k + 1])
        spent_s = max(stop_s - edges_s[k], 0.0)
        died = -np.expm1(-total[:, k] * spent_s)
        chance += alive * rates[0][:, k] / total[:, k] * died
        alive = alive * (1.0 - died)
    return chance
