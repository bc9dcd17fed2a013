"""Logistic regression: known weights are found, scikit-learn agrees, what cannot be fitted is refused."""

import numpy as np
import pytest

from mmpipe.training.logistic import fit_logistic, sigmoid

WEIGHTS = np.array([1.0, -0.5, 0.0])


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(count, 3)) * [1.0, 2.0, 5.0] + [0.0, 1.0, -3.0]
    logits = -3.0 + ((inputs - [0.0, 1.0, -3.0]) / [1.0, 2.0, 5.0]) @ WEIGHTS
    return inputs, (rng.uniform(size=count) < sigmoid(logits)).astype(int)


def test_known_weights_of_a_rare_outcome_are_found() -> None:
    inputs, outcomes = drawn(60_000)
    fitted = fit_logistic(inputs, outcomes, 1e-6)
    information = 0.05 * len(inputs)  # about rate * (1 - rate) * n
    assert np.abs(fitted.weights - WEIGHTS).max() < 4.0 / np.sqrt(information)
    assert fitted.bias == pytest.approx(-3.0, abs=0.1)
    rate = outcomes.mean()
    assert fitted.prior_log_odds == pytest.approx(np.log(rate / (1.0 - rate)))
    assert fitted.probs(inputs).mean() == pytest.approx(rate, abs=1e-6)


def test_scikit_learn_agrees_under_the_same_prior() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    inputs, outcomes = drawn(3_000)
    fitted = fit_logistic(inputs, outcomes, 20.0)
    scaled = (inputs - fitted.means) / fitted.scales
    other = linear_model.LogisticRegression(C=1.0 / 20.0, tol=1e-10, max_iter=1000).fit(scaled, outcomes)
    assert fitted.weights == pytest.approx(other.coef_[0], abs=1e-6)
    assert fitted.bias == pytest.approx(other.intercept_[0], abs=1e-6)


def test_a_stronger_prior_means_smaller_weights_and_a_constant_input_none() -> None:
    inputs, outcomes = drawn(2_000)
    inputs[:, 2] = 7.0
    weak, strong = (fit_logistic(inputs, outcomes, strength) for strength in (0.1, 1e4))
    assert np.abs(strong.weights).max() < 0.2 * np.abs(weak.weights).max()
    assert weak.weights[2] == 0.0


def test_separated_outcomes_converge_under_the_prior() -> None:
    inputs = np.linspace(-1.0, 1.0, 200)[:, None]
    fitted = fit_logistic(inputs, (inputs[:, 0] > 0.0).astype(int), 1.0)
    assert 1.0 < fitted.weights[0] < 100.0


def test_refusals() -> None:
    inputs, outcomes = drawn(100)
    with pytest.raises(ValueError, match="all 100 outcomes are 0"):
        fit_logistic(inputs, np.zeros(100, dtype=int), 1.0)
    inputs[3, 1] = np.nan
    with pytest.raises(ValueError, match="input 1 is not finite"):
        fit_logistic(inputs, outcomes, 1.0)


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e3, 0.0, 1e3])).tolist() == [0.0, 0.5, 1.0]
