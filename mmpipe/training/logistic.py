"""Logistic regression by Newton's method, with a normal prior on the weights.

    minimise  sum of log-losses + strength / 2 * |weights|^2      (the intercept is free)

Inputs are standardised inside, so that one strength fits all of them; they come bounded. Rare outcomes are
not weighted up: a probability is wanted, not a verdict.

References
----------
Bishop, "Pattern Recognition and Machine Learning" (2006), 4.3.3 and 4.5.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

STEPS_MAX: Final = 100
GRADIENT_MAX: Final = 1e-9  # per row, at which the fit has converged


@dataclass(frozen=True, slots=True)
class Logistic:
    """P(1) = 1 / (1 + exp(-(bias + weights @ (x - means) / scales))).

    Attributes
    ----------
    weights, means, scales : ndarray of float64, shape (inputs,)
        Of the standardised inputs; scales > 0.
    bias : float
        Intercept, nats.
    prior_log_odds : float
        ln(p / (1 - p)) of the outcomes it was fitted on, nats.
    """

    weights: np.ndarray
    means: np.ndarray
    scales: np.ndarray
    bias: float
    prior_log_odds: float

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Log-odds of inputs of shape (n, inputs), nats, shape (n,)."""
        logits: np.ndarray = self.bias + standardised(inputs, self.means, self.scales) @ self.weights
        return logits

    def probs(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities of inputs of shape (n, inputs), shape (n,)."""
        return sigmoid(self.logits(inputs))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logits)), without overflow."""
    small = np.exp(-np.abs(logits))
    probs: np.ndarray = np.where(logits >= 0.0, 1.0, small) / (1.0 + small)
    return probs


def standardised(inputs: np.ndarray, means: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """(inputs - means) / scales."""
    scaled: np.ndarray = (inputs - means) / scales
    return scaled


def moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each input; a constant input gets scale 1 and so no say."""
    means, scales = inputs.mean(axis=0), inputs.std(axis=0)
    return means, np.where(scales > 1e-12 * (1.0 + np.abs(means)), scales, 1.0)


def fit_logistic(inputs: np.ndarray, outcomes: np.ndarray, strength: float) -> Logistic:
    """Fit weights and intercept.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, k)
        Finite.
    outcomes : ndarray, shape (n,)
        0 or 1, both present.
    strength : float
        Precision of the prior of each standardised weight, > 0.

    Raises
    ------
    ValueError
        An input is not finite, one outcome is missing, or Newton's method does not converge.
    """
    if not np.isfinite(inputs).all():
        column = int(np.flatnonzero(~np.isfinite(inputs).all(axis=0))[0])
        raise ValueError(f"logistic: input {column} is not finite; the kernel that writes it is wrong")
    rate = float(np.mean(outcomes))
    if not 0.0 < rate < 1.0:
        raise ValueError(f"logistic: all {len(outcomes)} outcomes are {rate:.0f}; record a longer market")
    means, scales = moments(inputs)
    design = np.concatenate((np.ones((len(inputs), 1)), standardised(inputs, means, scales)), axis=1)
    prior = np.full(design.shape[1], strength)
    prior[0] = 0.0
    prior_log_odds = float(np.log(rate / (1.0 - rate)))
    start = np.zeros(design.shape[1])
    start[0] = prior_log_odds
    solution = _newton(design, outcomes.astype(float), prior, start)
    return Logistic(solution[1:], means, scales, float(solution[0]), prior_log_odds)


def _newton(design: np.ndarray, outcomes: np.ndarray, prior: np.ndarray, start: np.ndarray) -> np.ndarray:
    weights, loss = start, _loss(design, outcomes, prior, start)
    for _ in range(STEPS_MAX):
        probs = sigmoid(design @ weights)
        gradient = design.T @ (probs - outcomes) + prior * weights
        if np.max(np.abs(gradient)) <= GRADIENT_MAX * len(design):
            return weights
        hessian = (design * (probs * (1.0 - probs))[:, None]).T @ design + np.diag(prior + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        share = 1.0
        while not (found := _loss(design, outcomes, prior, weights - share * step)) <= loss + 1e-12 * loss:
            share /= 2.0
            if share < 1e-10:
                return weights
        weights, loss = weights - share * step, found
    raise ValueError(f"logistic: no convergence in {STEPS_MAX} steps; use a stronger prior")


def _loss(design: np.ndarray, outcomes: np.ndarray, prior: np.ndarray, weights: np.ndarray) -> float:
    logits = design @ weights
    losses = np.logaddexp(0.0, logits) - outcomes * logits
    return float(losses.sum() + 0.5 * prior @ weights**2)
