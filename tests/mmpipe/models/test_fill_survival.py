"""Fill chance: a worked number, a probability, its monotony, and NaN for what is not a number."""

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import Param
from mmpipe.models.fill_survival import fill_prob


def _params() -> np.ndarray:
    params = np.ones(len(Param))
    params[Param.KAPPA_PER_BPS], params[Param.FILL_PROB_SCALE] = 0.8, 1.5
    return params


def test_a_worked_number() -> None:
    rate_per_s = 2.0 * exp(-0.8 * 0.5) / 2.0
    assert fill_prob(2.0, 0.5, 1.0, 3.0, _params()) == pytest.approx(1.0 - exp(-rate_per_s * 1.5 * 3.0))


positive = st.floats(0.0, 50.0)
pair = st.tuples(positive, positive).map(sorted)


@given(pair, pair, st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted), pair)
@settings(max_examples=150, deadline=None)
def test_a_probability_that_falls_with_rank_and_distance_and_rises_with_arrivals_and_horizon(
    arrivals: list[float], behind: list[float], rank: list[float], horizon: list[float]
) -> None:
    params = _params()
    prob = fill_prob(arrivals[0], behind[0], rank[0], horizon[0], params)
    assert 0.0 <= prob <= 1.0
    assert fill_prob(arrivals[1], behind[0], rank[0], horizon[0], params) >= prob
    assert fill_prob(arrivals[0], behind[0], rank[0], horizon[1], params) >= prob
    assert fill_prob(arrivals[0], behind[1], rank[0], horizon[0], params) <= prob
    assert fill_prob(arrivals[0], behind[0], rank[1], horizon[0], params) <= prob


def test_no_horizon_no_fill_and_a_silent_market_still_trades() -> None:
    assert fill_prob(5.0, 0.0, 0.0, 0.0, _params()) == 0.0
    assert fill_prob(0.0, 0.0, 0.0, 1.0, _params()) > 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_what_cannot_be_is_no_probability(position: int, bad: float) -> None:
    if position == 1 and bad == -1.0:
        pytest.skip("a price before the touch is legal")
    arguments = [2.0, 0.5, 0.5, 1.0]
    arguments[position] = bad
    assert np.isnan(fill_prob(*arguments, _params()))


@pytest.mark.parametrize("param", [Param.KAPPA_PER_BPS, Param.FILL_PROB_SCALE])
@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_parameter_that_cannot_be_is_no_probability(param: Param, bad: float) -> None:
    params = _params()
    params[param] = bad
    assert np.isnan(fill_prob(2.0, 0.5, 0.5, 1.0, params))
