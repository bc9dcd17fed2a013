"""Queue value: a worked number, its monotony, and NaN for everything that is not a number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import Param
from mmpipe.models.queue_value import queue_value_bps

BENIGN, NORMAL = 0, 1


def _params() -> np.ndarray:
    params = np.ones(len(Param))
    params[Param.ADVERSE_SELECTION_BENIGN_BPS] = 0.25
    params[Param.ADVERSE_SELECTION_NORMAL_BPS] = 1.0
    params[Param.ADVERSE_SELECTION_TOXIC_BPS] = 5.0
    params[Param.SIGMA_BASELINE_BPS] = 8.0
    return params


def test_a_worked_number() -> None:
    # 0.25 blended a fifth of the way to 5 is 1.2; twice the volatility: 2.4; at the back x 1.125
    value = queue_value_bps(4.0, 1.0, 0.2, BENIGN, 16.0, 0.5, _params())
    assert value == pytest.approx(4.0 - 2.4 * 1.125 - 0.5, abs=1e-12)


def test_quiet_flow_is_worth_having_and_an_attacked_side_is_not() -> None:
    assert queue_value_bps(2.0, 1.0, 0.01, BENIGN, 8.0, 0.5, _params()) > 0.0
    assert queue_value_bps(2.0, 1.0, 0.95, NORMAL, 8.0, 0.5, _params()) < 0.0


share = st.floats(0.0, 1.0)


@given(share, share, share, share, st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.floats(-5.0, 20.0))
@settings(max_examples=150, deadline=None)
def test_falls_with_rank_toxicity_volatility_and_fee_and_rises_with_distance(
    rank_a: float, rank_b: float, prob_a: float, prob_b: float, sigma_a: float, sigma_b: float, depth: float
) -> None:
    params = _params()
    (low_rank, high_rank), (low_prob, high_prob) = sorted((rank_a, rank_b)), sorted((prob_a, prob_b))
    low_sigma, high_sigma = sorted((sigma_a, sigma_b))
    value = queue_value_bps(depth, low_rank, low_prob, BENIGN, low_sigma, 1.5, params)
    assert abs(value) < np.inf
    slack = value + 1e-9
    assert queue_value_bps(depth, high_rank, low_prob, BENIGN, low_sigma, 1.5, params) <= slack
    assert queue_value_bps(depth, low_rank, high_prob, BENIGN, low_sigma, 1.5, params) <= slack
    assert queue_value_bps(depth, low_rank, low_prob, BENIGN, high_sigma, 1.5, params) <= slack
    assert queue_value_bps(depth, low_rank, low_prob, NORMAL, low_sigma, 1.5, params) <= slack
    assert queue_value_bps(depth, low_rank, low_prob, BENIGN, low_sigma, 2.5, params) < value
    assert queue_value_bps(depth + 1.0, low_rank, low_prob, BENIGN, low_sigma, 1.5, params) > value


GOOD = (4.0, 0.5, 0.2, BENIGN, 8.0, 1.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1, 2, 4, 5])
def test_what_is_not_finite_is_no_edge(position: int, bad: float) -> None:
    arguments = list(GOOD)
    arguments[position] = bad
    assert np.isnan(queue_value_bps(*arguments, _params()))


@pytest.mark.parametrize(("position", "bad"), [(1, -1.0), (1, 1.1), (2, -0.1), (2, 1.1), (4, -1.0)])
def test_what_is_out_of_range_is_no_edge(position: int, bad: float) -> None:
    arguments = list(GOOD)
    arguments[position] = bad
    assert np.isnan(queue_value_bps(*arguments, _params()))


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_baseline_that_cannot_be_is_no_edge(bad: float) -> None:
    params = _params()
    params[Param.SIGMA_BASELINE_BPS] = bad
    assert np.isnan(queue_value_bps(*GOOD, params))
