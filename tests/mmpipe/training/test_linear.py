"""Bayesian linear regression: known weights, an interval that covers, overlapping labels that weigh less."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.training.linear import fit_linear, uniqueness


def design(rng: np.random.Generator, count: int, inputs: int) -> np.ndarray:
    return np.concatenate((np.ones((count, 1)), rng.normal(size=(count, inputs))), axis=1)


def test_the_posterior_covers_the_truth() -> None:
    inside = total = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = np.concatenate(([0.7], rng.normal(size=8) * 0.3))
        rows = design(rng, 300, 8)
        fitted = fit_linear(rows, rows @ truth + rng.normal(size=300) * 2.0, np.ones(300), 1)
        std = np.sqrt(np.diag(fitted.covariance))
        inside += int((np.abs(fitted.mean - truth) < 1.645 * std).sum())
        total += len(truth)
        assert fitted.noise_std == pytest.approx(2.0, rel=0.2)
    assert 0.84 < inside / total < 0.96


@pytest.mark.parametrize("free", [1, 2])
def test_it_equals_the_normal_equations_at_the_strength_it_found(free: int) -> None:
    rng = np.random.default_rng(1)
    rows, share = design(rng, 200, 4), rng.uniform(0.2, 1.0, 200)
    outcomes = rows @ [0.5, 1.0, 0.0, -1.0, 0.2] + rng.normal(size=200)
    fitted = fit_linear(rows, outcomes, share, free)
    precision = (rows * share[:, None]).T @ rows / fitted.noise_std**2
    one_label = [1.0 / fitted.noise_std**2] * (free - 1)
    precision += np.diag([0.0, *one_label] + [fitted.strength] * (5 - free))
    assert fitted.covariance == pytest.approx(np.linalg.inv(precision), abs=1e-10)
    right = (rows * share[:, None]).T @ outcomes / fitted.noise_std**2
    assert fitted.mean == pytest.approx(np.linalg.solve(precision, right), abs=1e-8)


def test_noise_is_believed_to_be_noise() -> None:
    rng = np.random.default_rng(2)
    rows = design(rng, 500, 60)
    outcomes = rng.normal(size=500)
    fitted = fit_linear(rows, outcomes, np.ones(500), 1)
    plain = np.linalg.lstsq(rows, outcomes, rcond=None)[0]
    assert np.abs(fitted.mean[1:]).max() < 0.5 * np.abs(plain[1:]).max()


def test_a_column_that_is_known_to_count_is_not_shrunk() -> None:
    rng = np.random.default_rng(3)
    rows = design(rng, 200, 60)
    outcomes = 1.2 * rows[:, 1] + rng.normal(size=200) * 4.0
    held, free = (fit_linear(rows, outcomes, np.ones(200), known).mean[1] for known in (1, 2))
    plain = np.linalg.lstsq(rows[:, :2], outcomes, rcond=None)[0][1]
    assert free == pytest.approx(plain, abs=0.1)
    assert abs(held) < 0.5 * plain
    rows[:, 1] = 0.0
    assert fit_linear(rows, outcomes, np.ones(200), 2).mean[1] == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=20))
def test_shares_of_news(windows: list[tuple[int, int]]) -> None:
    start = np.array([first for first, _ in windows])
    end = start + [length for _, length in windows]
    share = uniqueness(start, end)
    for row in range(len(windows)):
        points = (start[row], start[row] + (end[row] - start[row]) // 2, end[row])
        slow = np.mean([1.0 / int(((start <= ts) & (end >= ts)).sum()) for ts in points])
        assert share[row] == pytest.approx(slow)
    assert ((share > 0.0) & (share <= 1.0)).all()


def test_labels_that_say_the_same_ten_times_are_believed_once() -> None:
    rng = np.random.default_rng(3)
    rows = design(rng, 100, 2)
    outcomes = rng.normal(size=100)
    once = fit_linear(rows, outcomes, np.ones(100), 1)
    ten = fit_linear(np.repeat(rows, 10, axis=0), np.repeat(outcomes, 10), np.full(1000, 0.1), 1)
    assert ten.covariance == pytest.approx(once.covariance, rel=1e-4)
    with pytest.raises(ValueError, match="not finite"):
        fit_linear(rows, np.full(100, np.nan), np.ones(100), 1)
    with pytest.raises(ValueError, match="too few"):
        fit_linear(rows[:1], outcomes[:1], np.ones(1), 1)
