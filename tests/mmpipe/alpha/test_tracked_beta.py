"""The tracked coefficient is the exact Gaussian posterior, follows a change, and comes home without news."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.alpha import tracked_beta
from mmpipe.alpha.tracked_beta import BETA, BETA_MAX

S = 1_000_000_000


def begun(slow: float = 0.5, std: float = 0.25, noise: float = 1.0) -> np.ndarray:
    beta = np.zeros(1, BETA)
    tracked_beta.begin(beta[0], slow, std, noise)
    return beta


def test_one_outcome_is_the_product_of_two_normals() -> None:
    beta = begun(0.5, 0.5, 1.0)
    tracked_beta.learn(beta[0], 2.0, 3.0)
    # Prior 0.5 with precision 4, observation 1.5 with precision 4: half way, precision 8.
    assert beta["value"][0] == pytest.approx(1.0)
    assert beta["variance"][0] == pytest.approx(1.0 / 8.0)
    # The innovation was 2 with variance 2, half of it noise: judged before it was learned from.
    assert beta["noise_sq"][0] == pytest.approx(1.0 + 0.5 * (4.0 * 0.5 - 1.0))


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=30))
def test_it_stays_bounded_and_only_grows_surer(pairs: list[tuple[float, float]]) -> None:
    beta = begun()
    for x, y in pairs:
        before = float(beta["variance"][0])
        tracked_beta.learn(beta[0], x, y)
        assert abs(float(beta["value"][0])) <= BETA_MAX
        assert 0.0 < beta["variance"][0] <= before
        assert beta["noise_sq"][0] > 0.0


def follow(beta: np.ndarray, truth: float, seconds: int, start: int, rng: np.random.Generator) -> float:
    mid = 100.0
    for second in range(start, start + seconds):
        x = float(rng.normal(0.0, 3.0))
        tracked_beta.track(beta[0], x, mid, second * S, S, 300.0, 0.5, 0.25)
        mid *= 1.0 + (truth * x + rng.normal()) * 1e-4
    return float(beta["value"][0])


def test_it_follows_the_truth_and_the_truth_when_it_changes() -> None:
    beta, rng = begun(), np.random.default_rng(1)
    assert follow(beta, 0.9, 400, 1, rng) == pytest.approx(0.9, abs=0.12)
    assert follow(beta, 0.2, 400, 401, rng) == pytest.approx(0.2, abs=0.12)


def test_without_news_it_returns_to_the_slow_value() -> None:
    beta, rng = begun(), np.random.default_rng(2)
    follow(beta, 1.0, 200, 1, rng)
    for second in range(201, 201 + 1500):
        tracked_beta.track(beta[0], 0.0, 100.0, second * S, S, 300.0, 0.5, 0.25)
    assert beta["value"][0] == pytest.approx(0.5, abs=0.05)
    assert math.sqrt(beta["variance"][0]) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("mid_px", [0.0, math.nan])
def test_an_outcome_nobody_saw_teaches_nothing(mid_px: float) -> None:
    beta = begun()
    tracked_beta.track(beta[0], 5.0, 100.0, S, S, 300.0, 0.5, 0.25)
    tracked_beta.track(beta[0], 5.0, mid_px, 2 * S, S, 300.0, 0.5, 0.25)
    tracked_beta.track(beta[0], 5.0, 150.0, 3 * S, S, 300.0, 0.5, 0.25)
    tracked_beta.track(beta[0], 5.0, 200.0, 10 * S, S, 300.0, 0.5, 0.25)  # much too late
    assert beta["observations"][0] == 0
    assert beta["value"][0] == 0.5


def test_outcomes_do_not_overlap() -> None:
    beta = begun()
    for tenth in range(101):
        tracked_beta.track(beta[0], 1.0, 100.0, S + tenth * S // 10, S, 300.0, 0.5, 0.25)
    assert beta["observations"][0] == 10
