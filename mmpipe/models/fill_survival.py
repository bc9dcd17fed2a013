"""Chance that a resting order is filled within a horizon, while it may be left behind instead.

Two things compete for a resting order: the fill, and an adverse move of the touch after which nobody would
have left it there. Each has a hazard of its own, constant in pieces of time since the join:

    lambda_c(t, x) = exp(base_c[piece of t] + gain_c[piece of t] (coefs_c . x))  c in fill, adverse
    P(fill by T) = sum over pieces of  S x lambda_f / lambda x (1 - exp(-lambda dt)),  lambda the sum

with S the chance that neither happened before the piece. The gains, > 0, let what was seen at the join fade:
a book that leans decides the next half second, not the fifth. Our own cancel is no competitor of the fill.

Why it is monotone. Let both causes have independent latent times with these hazards: then
P(fill by T) = P(T_f <= T and T_f < T_a). It rises with T because the event grows. The inputs of the place
(rank, what is ahead, distance) enter the fill hazard alone, with coefficients <= 0 and gains > 0: a larger
rank multiplies the hazard of each piece by some r <= 1, so that the latent fill time of the same draw comes
later while that of the adverse move stays, and the event shrinks. An artefact whose coefficients break this
is refused. Without an artefact the fill hazard is

    arrivals of the other side x exp(-kappa x distance behind the touch) / (1 + queue rank)

and nothing competes. In both forms the learned FILL_PROB_SCALE multiplies the fill hazard. What it is learned
from is exact for that: fills are Poisson with mean scale x (the hazard over the time an order waited,
`expected_fills`), whatever ended the wait.

References
----------
Avellaneda and Stoikov (2008): arrivals fall exponentially with distance. Prentice et al. (1978): competing
risks by cause-specific hazards; Friedman (1982): piecewise-exponential survival as Poisson regression.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param
from mmpipe.models.model_inputs import AHEAD, BEHIND, FILLERS, HALF_SPREAD, INPUTS, RANK
from mmpipe.models.weights import BUILT_IN, built_in_models
from mmpipe.records import PARAMS_COUNT
from ringbuf.jit import example, kernel

STANDARD_HORIZONS_S: Final = (0.5, 1.0, 3.0)
HORIZONS: Final = 3
_KAPPA: Final = int(Param.KAPPA_PER_BPS)
_SCALE: Final = int(Param.FILL_PROB_SCALE)
_ARRIVALS_MIN_PER_S: Final = 0.05  # a market without a trade for a while still trades
_LOG_HAZARD_MAX: Final = 20.0  # over the base: keeps every product finite


@kernel
def fill_prob(models: np.ndarray, inputs: np.ndarray, horizon_s: float, params: np.ndarray) -> float:
    """Probability that an order is filled within `horizon_s`.

    Parameters
    ----------
    models : (1,) MODELS
    inputs : (INPUTS,) float64
        By `model_inputs.FEATURE_NAMES`.
    horizon_s : float
        Seconds, >= 0.
    params : (PARAMS_COUNT,) float64
        Learned parameters of the symbol, index Param: KAPPA_PER_BPS > 0, FILL_PROB_SCALE > 0.

    Returns
    -------
    float
        0 to 1; NaN when an input is not finite or out of range.
    """
    fill, adverse = _factors(models, inputs, params)
    if not (0.0 <= horizon_s < np.inf and abs(fill) < np.inf and abs(adverse) < np.inf):
        return np.nan
    alive, filled, start_s = 1.0, 0.0, 0.0
    for piece in range(models[0]["pieces"]):
        end_s = min(models[0]["hazard_ends_s"][piece], horizon_s)
        fill_per_s, adverse_per_s = _hazards(models, piece, fill, adverse, params[_SCALE])
        left = np.exp(-(fill_per_s + adverse_per_s) * (end_s - start_s))
        filled += alive * _share(fill_per_s, adverse_per_s) * (1.0 - left)
        alive *= left
        start_s = end_s
        if start_s >= horizon_s:
            break
    return min(filled, 1.0)


@kernel
def fill_probs_standard(models: np.ndarray, inputs: np.ndarray, params: np.ndarray, out: np.ndarray) -> None:
    """Probabilities of a fill within 0.5, 1 and 3 s, in one pass; arguments as for `fill_prob`.

    Parameters
    ----------
    out : (3,) float64
        Written, by STANDARD_HORIZONS_S; NaN throughout where `fill_prob` is.
    """
    fill, adverse = _factors(models, inputs, params)
    if not (abs(fill) < np.inf and abs(adverse) < np.inf):
        out[0] = out[1] = out[2] = np.nan
        return
    alive, filled, start_s, piece = 1.0, 0.0, 0.0, 0
    for index in range(HORIZONS):
        horizon_s = STANDARD_HORIZONS_S[index]
        while start_s < horizon_s:
            end_s = min(models[0]["hazard_ends_s"][piece], horizon_s)
            fill_per_s, adverse_per_s = _hazards(models, piece, fill, adverse, params[_SCALE])
            left = np.exp(-(fill_per_s + adverse_per_s) * (end_s - start_s))
            filled += alive * _share(fill_per_s, adverse_per_s) * (1.0 - left)
            alive *= left
            start_s = end_s
            if end_s >= models[0]["hazard_ends_s"][piece]:
                piece += 1
        out[index] = min(filled, 1.0)


@kernel
def fill_factor(models: np.ndarray, inputs: np.ndarray, params: np.ndarray) -> float:
    """What sets the fill hazard of a place, arguments as for `fill_prob`: `expected_fills` takes it.

    Returns
    -------
    float
        Built in: the hazard, 1/s; otherwise what is added to the log hazards, nats; NaN where not known.
    """
    return _factors(models, inputs, params)[0]


@kernel
def expected_fills(models: np.ndarray, factor: float, wait_s: float) -> float:
    """Fill hazard over the time an order waited, before FILL_PROB_SCALE.

    Parameters
    ----------
    models : (1,) MODELS
    factor : float
        Of `fill_factor` at the join.
    wait_s : float
        >= 0, until whatever ended it.

    Returns
    -------
    float
        Fills, >= 0; NaN with the factor.
    """
    fills, start_s = 0.0, 0.0
    for piece in range(models[0]["pieces"]):
        end_s = min(models[0]["hazard_ends_s"][piece], wait_s)
        fills += _hazards(models, piece, factor, 0.0, 1.0)[0] * (end_s - start_s)
        start_s = end_s
        if start_s >= wait_s:
            break
    return fills


@kernel
def _factors(models: np.ndarray, inputs: np.ndarray, params: np.ndarray) -> tuple[float, float]:
    # Built in: the two hazards; otherwise what is added to the log hazards, but for the gain. NaN: not known.
    kappa_per_bps, scale = params[_KAPPA], params[_SCALE]
    if not (0.0 < kappa_per_bps < np.inf and 0.0 < scale < np.inf):
        return np.nan, np.nan
    place = abs(inputs[BEHIND]) + abs(inputs[HALF_SPREAD]) + inputs[AHEAD]
    if not (place < np.inf and 0.0 <= inputs[RANK] <= 1.0 and inputs[AHEAD] >= 0.0):
        return np.nan, np.nan
    if models[0]["survival_form"] == BUILT_IN:
        arrivals_per_s = np.expm1(inputs[FILLERS])
        if not 0.0 <= arrivals_per_s < np.inf:
            return np.nan, np.nan
        reach = np.exp(-kappa_per_bps * max(inputs[BEHIND], 0.0))
        return max(arrivals_per_s, _ARRIVALS_MIN_PER_S) * reach / (1.0 + inputs[RANK]), 0.0
    fill, adverse = 0.0, 0.0
    for index in range(INPUTS):
        value = min(max(inputs[index], models[0]["hazard_low"][index]), models[0]["hazard_high"][index])
        fill += models[0]["hazard_fill_coefs"][index] * value
        adverse += models[0]["hazard_adverse_coefs"][index] * value
    if not (abs(fill) < np.inf and abs(adverse) < np.inf):
        return np.nan, np.nan
    beyond_bps = max(inputs[BEHIND] - models[0]["hazard_high"][BEHIND], 0.0)
    return min(fill, _LOG_HAZARD_MAX) - kappa_per_bps * beyond_bps, min(adverse, _LOG_HAZARD_MAX)


@kernel
def _hazards(
    models: np.ndarray, piece: int, fill: float, adverse: float, scale: float
) -> tuple[float, float]:
    if models[0]["survival_form"] == BUILT_IN:
        return fill * scale, adverse
    fill = models[0]["hazard_fill"][piece] * np.exp(models[0]["hazard_fill_gains"][piece] * fill)
    adverse = models[0]["hazard_adverse"][piece] * np.exp(models[0]["hazard_adverse_gains"][piece] * adverse)
    return fill * scale, adverse


@kernel
def _share(fill_per_s: float, adverse_per_s: float) -> float:
    # Of what ends in a piece, the part that fills; nothing ends where both are 0.
    total_per_s = fill_per_s + adverse_per_s
    return fill_per_s / total_per_s if total_per_s > 0.0 else 0.0


@example(fill_prob)
def _fill_prob_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros(INPUTS), 1.0, np.ones(PARAMS_COUNT)


@example(fill_probs_standard)
def _fill_probs_standard_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros(INPUTS), np.ones(PARAMS_COUNT), np.zeros(HORIZONS)


@example(fill_factor)
def _fill_factor_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros(INPUTS), np.ones(PARAMS_COUNT)


@example(expected_fills)
def _expected_fills_example() -> tuple[object, ...]:
    return built_in_models(), 1.0, 1.0
