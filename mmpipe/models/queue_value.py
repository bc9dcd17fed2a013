"""Expected edge of a fill at a place in the queue, in bps of the mid, and how certain that is.

    value = distance from the mid - expected loss - maker fee + learned bias

The distance is known to the digit; what is modelled is the *loss*: how much of the distance is gone when the
fill is judged (`labels.horizon_s` after it), because who fills a quote tends to be right. Of a label it is

    loss = depth_bps - maker fee - realized_edge_bps

so that a place further out than any the model was fitted on is still valued by its own distance. The more
evidence, the richer the form:

    built in   learned means by toxicity, blended by the chance that the filler is informed, times volatility
    linear     Bayesian regression with interactions; uncertainty of the posterior mean
    trees      bags of monotone boosted trees; uncertainty is the spread between bags

Value falls with the share of the queue ahead in every form: the back is filled by sweeps. In the built-in
form by its formula; in the linear one rank and quantity ahead enter linearly with slopes that depend on the
state and are not let below zero; trees that do not rise with both are refused when an artefact is loaded.

References
----------
Requirement: queue value = spread - expected adverse selection by regime - fee, before there is a model.
Moallemi and Yuan, "A model for queue position valuation in a limit order book" (2016): the value of a
position falls with the quantity ahead and changes sign.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param, Toxicity
from mmpipe.models.model_inputs import AHEAD, DEPTH, HALF_SPREAD, INPUTS, RANK, SIGMA_1M, TOXIC_FILLERS
from mmpipe.models.trees import over_bags, walk
from mmpipe.models.weights import BUILT_IN, DIRECTIONS, LINEAR, built_in_models
from mmpipe.records import PARAMS_COUNT
from ringbuf.jit import example, kernel

_BENIGN: Final = int(Param.ADVERSE_SELECTION_BENIGN_BPS)
_NORMAL: Final = int(Param.ADVERSE_SELECTION_NORMAL_BPS)
_TOXIC: Final = int(Param.ADVERSE_SELECTION_TOXIC_BPS)
_BASELINE: Final = int(Param.SIGMA_BASELINE_BPS)
_BIAS: Final = int(Param.QUEUE_VALUE_BIAS_BPS)
_BENIGN_FLOW: Final = int(Toxicity.BENIGN)
_VOLATILITY_RATIO_MAX: Final = 5.0
_SWEEP_SHARE: Final = 0.25  # of adverse selection that the last in the queue suffers more than the first
_DOUBT_SHARE: Final = 0.5  # of what the built-in form deducts: it was fitted to nothing
_RANK_UNIT: Final = RANK + 1
_AHEAD_UNIT: Final = AHEAD + 1
_ROWS: Final = 4


def loss_target_bps(labels: np.ndarray, maker_fee_bps: float) -> np.ndarray:
    """What a model of queue value is fitted to, of LABEL rows of fills.

    Parameters
    ----------
    labels : ndarray of LABEL, shape (n,)
        Filled ones, with `depth_bps` and `realized_edge_bps`.
    maker_fee_bps : float
        Fee that `realized_edge_bps` has off.

    Returns
    -------
    ndarray of float64, shape (n,)
        bps, > 0 lost.
    """
    loss: np.ndarray = labels["depth_bps"] - maker_fee_bps - labels["realized_edge_bps"]
    return loss


@kernel
def queue_value(
    models: np.ndarray, inputs: np.ndarray, toxicity: int, maker_fee_bps: float, params: np.ndarray
) -> tuple[float, float]:
    """Expected edge of a fill.

    Parameters
    ----------
    models : (1,) MODELS
        Scratch is overwritten.
    inputs : (INPUTS,) float64
        By `model_inputs.FEATURE_NAMES`.
    toxicity : int
        Verdict, Toxicity: which learned mean holds, in the built-in form, when the filler is not informed.
    maker_fee_bps : float
        Negative for a rebate.
    params : (PARAMS_COUNT,) float64
        Learned parameters of the symbol, index Param; SIGMA_BASELINE_BPS > 0.

    Returns
    -------
    mean_bps : float
        > 0 worth having; NaN, which is never an edge, when an input is not finite or out of range.
    std_bps : float
        Uncertainty of that expectation, not of a single outcome, >= 0; NaN with the mean.
    """
    place = abs(inputs[DEPTH]) + inputs[AHEAD] + abs(inputs[HALF_SPREAD])
    if not (place < np.inf and 0.0 <= inputs[RANK] <= 1.0 and inputs[AHEAD] >= 0.0):
        return np.nan, np.nan
    if models[0]["value_form"] == BUILT_IN:
        loss_bps, std_bps = built_in_loss_bps(inputs, toxicity, params)
    else:
        loss_bps, std_bps = loss_bps_of(models, inputs)
    mean_bps = inputs[DEPTH] - loss_bps - maker_fee_bps + params[_BIAS]
    if not (abs(mean_bps) < np.inf and 0.0 <= std_bps < np.inf):
        return np.nan, np.nan
    return mean_bps, std_bps


@kernel
def built_in_loss_bps(inputs: np.ndarray, toxicity: int, params: np.ndarray) -> tuple[float, float]:
    """Loss and its uncertainty without a fitted model; arguments as for `queue_value`.

    loss = (calm + P(informed) (toxic - calm)) x volatility ratio x (1 + (rank - 1/2) / 4)
    """
    baseline_bps, sigma_bps, toxic_prob = params[_BASELINE], inputs[SIGMA_1M], inputs[TOXIC_FILLERS]
    if not (0.0 <= toxic_prob <= 1.0 and 0.0 <= sigma_bps < np.inf and 0.0 < baseline_bps < np.inf):
        return np.nan, np.nan
    volatility = min(max(sigma_bps / baseline_bps, 1.0), _VOLATILITY_RATIO_MAX)
    calm_bps = params[_BENIGN] if toxicity == _BENIGN_FLOW else params[_NORMAL]
    blend_bps = calm_bps + toxic_prob * (params[_TOXIC] - calm_bps)
    loss_bps = blend_bps * volatility * (1.0 + _SWEEP_SHARE * (inputs[RANK] - 0.5))
    return loss_bps, _DOUBT_SHARE * abs(loss_bps)


@kernel
def loss_bps_of(models: np.ndarray, inputs: np.ndarray) -> tuple[float, float]:
    """Loss and its uncertainty by the fitted model in force.

    Parameters
    ----------
    models : (1,) MODELS
        Of form LINEAR or TREES; scratch is overwritten.
    inputs : (INPUTS,) float64
        Finite.

    Returns
    -------
    mean_bps, std_bps : float
    """
    if models[0]["value_form"] == LINEAR:
        return _linear_loss_bps(models[0], inputs)
    walk(models[0], inputs)
    return over_bags(models[0])


@kernel
def _linear_loss_bps(model: np.void, inputs: np.ndarray) -> tuple[float, float]:
    units, terms = model["scratch_units"], model["scratch_terms"]
    units[0] = 1.0
    for index in range(INPUTS):
        value = min(max(inputs[index], model["linear_low"][index]), model["linear_high"][index])
        units[1 + index] = (value - model["linear_centre"][index]) * model["linear_rate"][index]
    mean_bps, rank_slope, ahead_slope = 0.0, 0.0, 0.0
    for term in range(model["terms"]):
        first, second = model["linear_pairs"][term, 0], model["linear_pairs"][term, 1]
        terms[term], coef = units[first] * units[second], model["linear_coefs"][term]
        if first == _RANK_UNIT or second == _RANK_UNIT:
            rank_slope += coef * units[second if first == _RANK_UNIT else first]
        elif first == _AHEAD_UNIT or second == _AHEAD_UNIT:
            ahead_slope += coef * units[second if first == _AHEAD_UNIT else first]
        else:
            mean_bps += coef * terms[term]
    mean_bps += max(rank_slope, 0.0) * units[_RANK_UNIT] + max(ahead_slope, 0.0) * units[_AHEAD_UNIT]
    return mean_bps, np.sqrt(_variance(model))


@kernel
def _variance(model: np.void) -> float:
    # Of the terms' sum under the posterior: the squared length of F' terms. Four rows at once, or else the
    # compiler does not go over the columns in vectors (1.3 -> 0.46 us, 96 terms). Rows past the last are 0.
    terms, factor, spread = model["scratch_terms"], model["linear_factor"], model["scratch_spread"]
    for column in range(DIRECTIONS):
        spread[column] = 0.0
    for term in range(0, model["terms"], _ROWS):
        i0, i1, i2, i3 = np.uint64(term), np.uint64(term + 1), np.uint64(term + 2), np.uint64(term + 3)
        t0, t1, t2, t3 = terms[i0], terms[i1], terms[i2], terms[i3]
        for column in range(DIRECTIONS):
            left = t0 * factor[i0, column] + t1 * factor[i1, column]
            right = t2 * factor[i2, column] + t3 * factor[i3, column]
            spread[column] = spread[column] + (left + right)
    variance = 0.0
    for column in range(DIRECTIONS):
        variance += spread[column] * spread[column]
    return variance


@example(queue_value)
def _queue_value_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros(INPUTS), 0, 1.5, np.ones(PARAMS_COUNT)


@example(loss_bps_of)
def _loss_bps_of_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros(INPUTS)
