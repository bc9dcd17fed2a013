"""Fill chance: worked numbers, competing risks against integration, monotony by construction, refusals."""

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import ModelKind, Param
from mmpipe.models.fill_survival import (
    STANDARD_HORIZONS_S,
    expected_fills,
    fill_factor,
    fill_prob,
    fill_probs_standard,
)
from mmpipe.models.model_inputs import AHEAD, BEHIND, FILLERS, HALF_SPREAD, INPUTS, PLACE_COUNT, RANK
from mmpipe.models.weights import built_in_models, with_arrays
from tests.mmpipe.models import made_models

BUILT_IN = built_in_models()


def _params(scale: float = 1.5) -> np.ndarray:
    params = np.ones(len(Param))
    params[Param.KAPPA_PER_BPS], params[Param.FILL_PROB_SCALE] = 0.8, scale
    return params


def _inputs(arrivals_per_s: float, behind_bps: float, rank: float) -> np.ndarray:
    inputs = np.zeros(INPUTS)
    inputs[FILLERS], inputs[BEHIND], inputs[RANK] = np.log1p(arrivals_per_s), behind_bps, rank
    return inputs


def built_in(arrivals: float, behind: float, rank: float, horizon: float, params: np.ndarray) -> float:
    return fill_prob(BUILT_IN, _inputs(arrivals, behind, rank), horizon, params)


def fitted(arrays: made_models.Arrays) -> np.ndarray:
    return with_arrays(built_in_models(), ModelKind.FILL_SURVIVAL, "hazards", arrays)


def test_a_worked_number() -> None:
    rate_per_s = 2.0 * exp(-0.8 * 0.5) / 2.0
    assert built_in(2.0, 0.5, 1.0, 3.0, _params()) == pytest.approx(1.0 - exp(-rate_per_s * 1.5 * 3.0))


def test_a_worked_number_of_competing_hazards() -> None:
    # Half a fill and half a loss per second for 1 s, then fills alone at 1 per second.
    arrays = {name: np.zeros(INPUTS) for name in ("fill_coefs", "adverse_coefs", "low", "high")}
    arrays |= {
        "ends_s": np.array([1.0, inf]), "fill_log": np.log([0.5, 1.0]),
        "adverse_log": np.array([np.log(0.5), -700.0]), "fill_gains": np.ones(2), "adverse_gains": np.ones(2),
    }  # fmt: skip
    models, inputs, params = fitted(arrays), _inputs(1.0, 0.0, 0.5), _params(1.0)
    first = 0.5 * (1.0 - exp(-1.0))
    assert fill_prob(models, inputs, 1.0, params) == pytest.approx(first, abs=1e-12)
    second = first + exp(-1.0) * (1.0 - exp(-1.0))
    assert fill_prob(models, inputs, 2.0, params) == pytest.approx(second, abs=1e-12)


def test_expected_fills_are_the_hazard_waited_whatever_the_scale() -> None:
    params = _params(1.5)
    factor = fill_factor(BUILT_IN, _inputs(2.0, 0.5, 1.0), params)
    assert factor == pytest.approx(2.0 * exp(-0.8 * 0.5) / 2.0)
    assert expected_fills(BUILT_IN, factor, 3.0) == pytest.approx(3.0 * factor)
    # Half a fill per second for 1 s, then 1 per second; being left behind is no part of it.
    arrays = {name: np.zeros(INPUTS) for name in ("fill_coefs", "adverse_coefs", "low", "high")}
    arrays |= {
        "ends_s": np.array([1.0, inf]), "fill_log": np.log([0.5, 1.0]),
        "adverse_log": np.zeros(2), "fill_gains": np.ones(2), "adverse_gains": np.ones(2),
    }  # fmt: skip
    models = fitted(arrays)
    factor = fill_factor(models, _inputs(1.0, 0.0, 0.5), params)
    waits = [expected_fills(models, factor, wait_s) for wait_s in (0.0, 0.5, 1.0, 3.0)]
    assert waits == pytest.approx([0.0, 0.25, 0.5, 2.5])
    unknown = fill_factor(models, _inputs(1.0, 0.0, 2.0), params)
    assert np.isnan([unknown, expected_fills(models, unknown, 1.0)]).all()


@given(st.integers(0, 2**31), st.floats(0.01, 8.0))
@settings(max_examples=30, deadline=None)
def test_the_closed_form_is_the_integral(seed: int, horizon_s: float) -> None:
    arrays = made_models.hazards(seed)
    inputs = 0.3 * made_models.rows(seed, 1)[0]  # hazards that a step of a thousandth follows
    clipped = np.clip(inputs, arrays["low"], arrays["high"])
    kappa, scale = 0.8, 1.5
    beyond = max(inputs[BEHIND] - arrays["high"][BEHIND], 0.0)
    effect = arrays["fill_coefs"] @ clipped - kappa * beyond
    fill = np.exp(arrays["fill_log"] + arrays["fill_gains"] * effect) * scale
    adverse = np.exp(arrays["adverse_log"] + arrays["adverse_gains"] * (arrays["adverse_coefs"] @ clipped))
    edges = np.minimum(np.concatenate([[0.0], arrays["ends_s"]]), horizon_s)
    steps, alive, filled = 4_000, 1.0, 0.0
    for piece in range(len(fill)):
        dt = (edges[piece + 1] - edges[piece]) / steps
        both = fill[piece] + adverse[piece]
        times = (np.arange(steps) + 0.5) * dt  # midpoint rule
        filled += alive * float((fill[piece] * np.exp(-both * times)).sum()) * dt
        alive *= np.exp(-both * dt * steps)
    assert fill_prob(fitted(arrays), inputs, horizon_s, _params()) == pytest.approx(filled, abs=1e-4)


def test_standard_horizons_are_as_one_by_one() -> None:
    for seed in range(5):
        for models in (BUILT_IN, fitted(made_models.hazards(seed))):
            inputs, out = made_models.rows(seed, 1)[0], np.zeros(3)
            fill_probs_standard(models, inputs, _params(), out)
            single = [fill_prob(models, inputs, horizon_s, _params()) for horizon_s in STANDARD_HORIZONS_S]
            assert out == pytest.approx(single, abs=1e-12)


positive = st.floats(0.0, 50.0)
pair = st.tuples(positive, positive).map(sorted)
shares = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(sorted)


@given(pair, pair, shares, pair)
@settings(max_examples=150, deadline=None)
def test_a_probability_that_falls_with_rank_and_distance_and_rises_with_arrivals_and_horizon(
    arrivals: list[float], behind: list[float], rank: list[float], horizon: list[float]
) -> None:
    params = _params()
    prob = built_in(arrivals[0], behind[0], rank[0], horizon[0], params)
    assert 0.0 <= prob <= 1.0
    slack = 1e-12
    assert built_in(arrivals[1], behind[0], rank[0], horizon[0], params) >= prob - slack
    assert built_in(arrivals[0], behind[0], rank[0], horizon[1], params) >= prob - slack
    assert built_in(arrivals[0], behind[1], rank[0], horizon[0], params) <= prob + slack
    assert built_in(arrivals[0], behind[0], rank[1], horizon[0], params) <= prob + slack


@given(st.integers(0, 2**31), pair, shares, pair, pair)
@settings(max_examples=200, deadline=None)
def test_fitted_hazards_of_any_coefficients_are_monotone(
    seed: int, behind: list[float], rank: list[float], ahead: list[float], horizon: list[float]
) -> None:
    models, inputs, params = fitted(made_models.hazards(seed)), made_models.rows(seed, 1)[0], _params()

    def prob(at: int, horizon_s: float) -> float:
        inputs[BEHIND], inputs[RANK], inputs[AHEAD] = behind[at], rank[at], ahead[at]
        return fill_prob(models, inputs, horizon_s, params)

    near = prob(0, horizon[0])
    assert 0.0 <= near <= 1.0
    assert prob(1, horizon[0]) <= near + 1e-12
    assert prob(0, horizon[1]) >= near - 1e-12


def test_far_behind_every_label_nothing_fills() -> None:
    arrays = made_models.hazards(1)
    arrays["fill_coefs"][:PLACE_COUNT] = 0.0  # distance had no effect within the labels
    inputs = made_models.rows(1, 1)[0]
    inputs[BEHIND] = 40.0
    assert fill_prob(fitted(arrays), inputs, 3.0, _params()) < 1e-6


def test_no_horizon_no_fill_and_a_silent_market_still_trades() -> None:
    assert built_in(5.0, 0.0, 0.0, 0.0, _params()) == 0.0
    assert built_in(0.0, 0.0, 0.0, 1.0, _params()) > 0.0


@pytest.mark.parametrize("form", ["built in", "hazards"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("index", [RANK, AHEAD, BEHIND, HALF_SPREAD, FILLERS])
def test_what_cannot_be_is_no_probability(form: str, bad: float, index: int) -> None:
    models = BUILT_IN if form == "built in" else fitted(made_models.hazards(1))
    inputs, out = _inputs(2.0, 0.5, 0.5), np.zeros(3)
    assert fill_prob(models, inputs, 1.0, _params()) > 0.0
    if bad == -1.0 and index in (BEHIND, HALF_SPREAD):
        pytest.skip("a price before the touch is legal")
    if form == "hazards" and index == FILLERS:
        pytest.skip("a number of the state that is none comes with a spread that is none")
    inputs[index] = bad
    assert np.isnan(fill_prob(models, inputs, 1.0, _params()))
    fill_probs_standard(models, inputs, _params(), out)
    assert np.isnan(out).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
def test_a_horizon_that_cannot_be_is_no_probability(bad: float) -> None:
    assert np.isnan(built_in(2.0, 0.5, 0.5, bad, _params()))


@pytest.mark.parametrize("param", [Param.KAPPA_PER_BPS, Param.FILL_PROB_SCALE])
@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_parameter_that_cannot_be_is_no_probability(param: Param, bad: float) -> None:
    params = _params()
    params[param] = bad
    assert np.isnan(built_in(2.0, 0.5, 0.5, 1.0, params))
