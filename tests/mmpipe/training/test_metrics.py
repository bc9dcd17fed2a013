"""Scores of probabilities and expectations: worked numbers, libraries as oracles, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.training import metrics

PROBS = np.array([0.1, 0.1, 0.8, 0.8])
OUTCOMES = np.array([0, 1, 1, 1])


def drawn(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probs = rng.uniform(0.0, 1.0, count)
    return probs, (rng.uniform(size=count) < probs).astype(int)


def test_a_worked_example() -> None:
    # (0.01 + 0.81 + 0.04 + 0.04) / 4 against 0.75 * 0.25
    assert metrics.brier(PROBS, OUTCOMES) == pytest.approx(0.225, abs=1e-15)
    assert metrics.base_brier(OUTCOMES) == 0.1875
    assert metrics.skill(PROBS, OUTCOMES) == pytest.approx(-0.2, abs=1e-15)
    parts = metrics.murphy(PROBS, OUTCOMES)
    # bins (0.1: 1 of 2) and (0.8: 2 of 2)
    assert parts.reliability == pytest.approx(0.5 * 0.16 + 0.5 * 0.04, abs=1e-15)
    assert parts.resolution == pytest.approx(0.0625, abs=1e-15)
    assert metrics.expected_calibration_error(PROBS, OUTCOMES) == pytest.approx(0.3, abs=1e-15)
    assert metrics.log_loss(np.array([0.5, 0.5]), np.array([0, 1])) == pytest.approx(np.log(2.0))


@given(st.lists(st.tuples(st.sampled_from([0.05, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=60))
def test_the_parts_of_murphy_add_up_where_predictions_of_a_bin_are_equal(
    rows: list[tuple[float, bool]],
) -> None:
    probs, outcomes = np.array([p for p, _ in rows]), np.array([int(y) for _, y in rows])
    parts = metrics.murphy(probs, outcomes, bins=1000)
    whole = parts.reliability - parts.resolution + parts.uncertainty
    assert whole == pytest.approx(metrics.brier(probs, outcomes), abs=1e-12)


def test_scikit_learn_and_scipy_agree() -> None:
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    stats = pytest.importorskip("scipy.stats")
    probs, outcomes = drawn(1, 5_000)
    assert metrics.brier(probs, outcomes) == pytest.approx(sklearn_metrics.brier_score_loss(outcomes, probs))
    assert metrics.log_loss(probs, outcomes) == pytest.approx(sklearn_metrics.log_loss(outcomes, probs))
    rng = np.random.default_rng(2)
    left, right = rng.integers(0, 20, 400), rng.normal(size=400)
    assert metrics.rank_correlation(left, right) == pytest.approx(stats.spearmanr(left, right).statistic)
    assert metrics.ranks(left) == pytest.approx(stats.rankdata(left))


def test_a_calibrated_forecast_is_reliable_and_a_wrong_one_is_not() -> None:
    probs, outcomes = drawn(3, 20_000)
    assert metrics.expected_calibration_error(probs, outcomes) < 0.02
    assert metrics.expected_calibration_error(probs**2, outcomes) > 0.1
    inside = [row.low <= row.predicted <= row.high for row in metrics.reliability(probs, outcomes)]
    assert sum(inside) >= 8
    assert sum(row.total for row in metrics.reliability(probs, outcomes)) == len(probs)


def test_wilson_of_ten_in_hundred() -> None:
    low, high = metrics.wilson(np.array([10.0]), np.array([100.0]))
    assert low[0] == pytest.approx(0.05522914, abs=1e-7)
    assert high[0] == pytest.approx(0.17436566, abs=1e-7)
    low, high = metrics.wilson(np.array([0.0]), np.array([5.0]))
    assert low[0] == 0.0
    assert high[0] > 0.3


def test_equal_predictions_share_a_bin() -> None:
    probs = np.array([0.2] * 50 + [0.7])
    index = metrics.bins_of(probs)
    assert set(index[:50]) == {0}
    assert index[50] == 1
    assert len(metrics.reliability(np.full(30, 0.3), np.array([0, 1, 0] * 10))) == 1


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="3 predictions for 2 outcomes"):
        metrics.brier(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="not between 0 and 1"):
        metrics.brier(np.array([np.nan]), np.array([1]))
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        metrics.log_loss(np.array([0.5]), np.array([2]))
    with pytest.raises(ValueError, match="not finite"):
        metrics.rank_correlation(np.array([1.0, np.nan]), np.array([1.0, 2.0]))
    assert np.isnan(metrics.skill(np.array([0.5, 0.5]), np.array([0, 0])))
    assert np.isnan(metrics.rank_correlation(np.ones(3), np.arange(3)))
