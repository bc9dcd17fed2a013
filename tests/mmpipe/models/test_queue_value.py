"""Queue value: worked numbers of each form, slow oracles, falling with the queue, NaN for what is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import ModelKind, Param
from mmpipe.models.model_inputs import AHEAD, DEPTH, HALF_SPREAD, INPUTS, RANK, SIGMA_1M, TOXIC_FILLERS
from mmpipe.models.queue_value import loss_bps_of, loss_target_bps, queue_value
from mmpipe.models.weights import built_in_models, leading_factor, with_arrays
from mmpipe.records import LABEL
from tests.mmpipe.models import made_models

BENIGN, NORMAL = 0, 1
BUILT_IN = built_in_models()


def _params(bias_bps: float = 0.0) -> np.ndarray:
    params = np.ones(len(Param))
    params[Param.ADVERSE_SELECTION_BENIGN_BPS] = 0.25
    params[Param.ADVERSE_SELECTION_NORMAL_BPS] = 1.0
    params[Param.ADVERSE_SELECTION_TOXIC_BPS] = 5.0
    params[Param.SIGMA_BASELINE_BPS] = 8.0
    params[Param.QUEUE_VALUE_BIAS_BPS] = bias_bps
    return params


def _inputs(depth: float, rank: float, toxic_prob: float, sigma: float) -> np.ndarray:
    inputs = np.zeros(INPUTS)
    inputs[DEPTH], inputs[RANK], inputs[TOXIC_FILLERS], inputs[SIGMA_1M] = depth, rank, toxic_prob, sigma
    return inputs


def value(
    depth: float, rank: float, toxic_prob: float, verdict: int, sigma: float, fee: float, params: np.ndarray
) -> float:
    return queue_value(BUILT_IN, _inputs(depth, rank, toxic_prob, sigma), verdict, fee, params)[0]


def fitted(form: str, seed: int = 1) -> np.ndarray:
    return with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, form, getattr(made_models, form)(seed))


def test_a_worked_number() -> None:
    # 0.25 blended a fifth of the way to 5 is 1.2; twice the volatility: 2.4; at the back x 1.125
    mean, std = queue_value(BUILT_IN, _inputs(4.0, 1.0, 0.2, 16.0), BENIGN, 0.5, _params(0.3))
    assert mean == pytest.approx(4.0 - 2.4 * 1.125 - 0.5 + 0.3, abs=1e-12)
    assert std == pytest.approx(1.35, abs=1e-12)


def test_a_worked_number_of_the_linear_form() -> None:
    # 1 + 2 z(spread) + 0.5 z(rank) - z(rank) z(sigma); z(sigma) = 2 makes the slope of the rank negative: 0
    pairs = np.array([(0, 0), (0, HALF_SPREAD + 1), (0, RANK + 1), (RANK + 1, SIGMA_1M + 1)])
    arrays = {
        "pairs": pairs, "coefs": np.array([1.0, 2.0, 0.5, -1.0]), "factor": leading_factor(np.eye(4) * 0.04),
        "centre": np.zeros(INPUTS), "scale": np.full(INPUTS, 2.0), "low": np.full(INPUTS, -9.0),
        "high": np.full(INPUTS, 9.0),
    }  # fmt: skip
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "linear", arrays)
    inputs = _inputs(3.0, 1.0, 0.1, 0.0)
    inputs[HALF_SPREAD] = 1.0
    mean, std = queue_value(models, inputs, BENIGN, 0.5, _params())
    assert mean == pytest.approx(3.0 - (1.0 + 2.0 * 0.5 + 0.5 * 0.5) - 0.5, abs=1e-12)
    assert std == pytest.approx(0.2 * np.sqrt(1.0 + 0.25 + 0.25 + 0.0), abs=1e-12)
    inputs[SIGMA_1M] = 4.0
    mean, _ = queue_value(models, inputs, BENIGN, 0.5, _params())
    assert mean == pytest.approx(3.0 - (1.0 + 2.0 * 0.5) - 0.5, abs=1e-12)


def _slow_linear(arrays: made_models.Arrays, inputs: np.ndarray) -> tuple[float, float]:
    z = (np.clip(inputs, arrays["low"], arrays["high"]) - arrays["centre"]) / arrays["scale"]
    units = np.concatenate([[1.0], z])
    terms = np.array([units[first] * units[second] for first, second in arrays["pairs"]])
    total, slopes = 0.0, {RANK + 1: 0.0, AHEAD + 1: 0.0}
    for (first, second), coef in zip(arrays["pairs"].tolist(), arrays["coefs"], strict=True):
        for place in slopes:
            if place in (first, second):
                slopes[place] += coef * units[second if first == place else first]
                break
        else:
            total += coef * units[first] * units[second]
    total += sum(max(slope, 0.0) * units[place] for place, slope in slopes.items())
    return total, float(np.sqrt(terms @ arrays["factor"] @ arrays["factor"].T @ terms))


@given(st.integers(0, 2**31), st.integers(1, 45))
@settings(max_examples=60, deadline=None)
def test_the_linear_form_is_what_it_says(seed: int, terms: int) -> None:
    arrays = made_models.linear(seed, terms)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "linear", arrays)
    for inputs in made_models.rows(seed, 3):
        mean, std = loss_bps_of(models, inputs)
        slow_mean, slow_std = _slow_linear(arrays, inputs)
        assert mean == pytest.approx(slow_mean, abs=1e-9)
        assert std == pytest.approx(slow_std, abs=1e-9)


def test_a_covariance_of_few_terms_is_kept_whole_and_a_large_one_by_its_widest_directions() -> None:
    root = np.random.default_rng(1).normal(size=(90, 90))
    small, large = (root @ root.T)[:20, :20], root @ root.T
    factor = leading_factor(small)
    assert np.allclose(factor @ factor.T, small, atol=1e-9)
    kept = np.trace(leading_factor(large) @ leading_factor(large).T)
    assert kept == pytest.approx(np.sort(np.linalg.eigvalsh(large))[-32:].sum())


def test_quiet_flow_is_worth_having_and_an_attacked_side_is_not() -> None:
    assert value(2.0, 1.0, 0.01, BENIGN, 8.0, 0.5, _params()) > 0.0
    assert value(2.0, 1.0, 0.95, NORMAL, 8.0, 0.5, _params()) < 0.0


share = st.floats(0.0, 1.0)


@given(share, share, share, share, st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.floats(-5.0, 20.0))
@settings(max_examples=150, deadline=None)
def test_falls_with_rank_toxicity_volatility_and_fee_and_rises_with_distance(
    rank_a: float, rank_b: float, prob_a: float, prob_b: float, sigma_a: float, sigma_b: float, depth: float
) -> None:
    params = _params()
    (low_rank, high_rank), (low_prob, high_prob) = sorted((rank_a, rank_b)), sorted((prob_a, prob_b))
    low_sigma, high_sigma = sorted((sigma_a, sigma_b))
    best = value(depth, low_rank, low_prob, BENIGN, low_sigma, 1.5, params)
    assert abs(best) < np.inf
    slack = best + 1e-9
    assert value(depth, high_rank, low_prob, BENIGN, low_sigma, 1.5, params) <= slack
    assert value(depth, low_rank, high_prob, BENIGN, low_sigma, 1.5, params) <= slack
    assert value(depth, low_rank, low_prob, BENIGN, high_sigma, 1.5, params) <= slack
    assert value(depth, low_rank, low_prob, NORMAL, low_sigma, 1.5, params) <= slack
    assert value(depth, low_rank, low_prob, BENIGN, low_sigma, 2.5, params) < best
    assert value(depth + 1.0, low_rank, low_prob, BENIGN, low_sigma, 1.5, params) > best


@given(st.integers(0, 2**31), share, share, st.floats(0.0, 10.0), st.floats(0.0, 10.0))
@settings(max_examples=150, deadline=None)
def test_the_linear_form_falls_with_the_queue_whatever_its_coefficients(
    seed: int, rank_a: float, rank_b: float, ahead_a: float, ahead_b: float
) -> None:
    models, inputs = fitted("linear", seed), made_models.rows(seed, 1)[0]
    values = []
    for rank, ahead in (
        (min(rank_a, rank_b), min(ahead_a, ahead_b)),
        (max(rank_a, rank_b), max(ahead_a, ahead_b)),
    ):
        inputs[RANK], inputs[AHEAD] = rank, ahead
        values.append(queue_value(models, inputs, BENIGN, 1.5, _params())[0])
    assert values[1] <= values[0] + 1e-9


@pytest.mark.parametrize("form", ["linear", "trees"])
def test_distance_fee_and_bias_count_in_full_in_every_form(form: str) -> None:
    models, inputs = fitted(form), made_models.rows(3, 1)[0]
    inputs[DEPTH] = 40.0  # further out than any label
    near = queue_value(models, inputs, BENIGN, 1.5, _params())[0]
    inputs[DEPTH] = 41.0
    assert queue_value(models, inputs, BENIGN, 1.5, _params())[0] == pytest.approx(near + 1.0, abs=1e-9)
    assert queue_value(models, inputs, BENIGN, 0.5, _params(0.25))[0] == pytest.approx(near + 2.25, abs=1e-9)


def test_the_target_of_a_label_is_what_the_value_leaves_out() -> None:
    labels = np.zeros(1, LABEL)
    labels["depth_bps"], labels["realized_edge_bps"] = 2.0, -1.0
    # 2 bps of distance less 1.5 of fee would be 0.5; -1 came: 1.5 was lost.
    assert loss_target_bps(labels, 1.5).tolist() == [1.5]


@pytest.mark.parametrize("form", ["built in", "linear", "trees"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("index", [DEPTH, RANK, AHEAD, HALF_SPREAD])
def test_what_cannot_be_is_no_edge(form: str, bad: float, index: int) -> None:
    models = BUILT_IN if form == "built in" else fitted(form)
    inputs = _inputs(4.0, 0.5, 0.2, 8.0)
    assert all(np.isfinite(queue_value(models, inputs, BENIGN, 1.5, _params())))
    if bad == -1.0 and index in (DEPTH, HALF_SPREAD):
        pytest.skip("an order through the mid has a value, if a bad one")
    inputs[index] = bad
    assert np.isnan(queue_value(models, inputs, BENIGN, 1.5, _params())).all()


def test_a_rank_beyond_the_level_is_no_edge() -> None:
    assert np.isnan(value(4.0, 1.1, 0.2, BENIGN, 8.0, 1.5, _params()))


@pytest.mark.parametrize(("index", "bad"), [(TOXIC_FILLERS, 1.1), (TOXIC_FILLERS, -0.1), (SIGMA_1M, -1.0)])
def test_a_state_that_cannot_be_is_no_edge(index: int, bad: float) -> None:
    inputs = _inputs(4.0, 0.5, 0.2, 8.0)
    inputs[index] = bad
    assert np.isnan(queue_value(BUILT_IN, inputs, BENIGN, 1.5, _params())).all()


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_a_baseline_that_cannot_be_is_no_edge(bad: float) -> None:
    params = _params()
    params[Param.SIGMA_BASELINE_BPS] = bad
    assert np.isnan(value(4.0, 0.5, 0.2, BENIGN, 8.0, 1.5, params))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bias_or_fee_that_is_none_is_no_edge(bad: float) -> None:
    assert np.isnan(value(4.0, 0.5, 0.2, BENIGN, 8.0, 1.5, _params(bad)))
    assert np.isnan(value(4.0, 0.5, 0.2, BENIGN, 8.0, bad, _params()))
