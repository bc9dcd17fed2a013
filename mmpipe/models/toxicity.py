"""Is the flow informed? A three-state filter (benign, toxic-buy, toxic-sell) that moves with every aggressor.

A logistic on what one aggressor looks like (`trade_features`) with the prior log-odds of its training taken
off is his log-likelihood ratio; the prior is the filter's business:

    before him     benign ─h/2─▶ toxic-buy, ─h/2─▶ toxic-sell      h: hazard_per_trade
    between        toxic ─▶ benign at the rate ln2 / decay_halflife_s
    by him         own side × exp(llr), other side × exp(llr_against)

so the beliefs are the exact posterior of that chain. A further row of the same aggressor revises his evidence
from the same beliefs before him. The verdict is on the beliefs: it has hysteresis, a minimum
dwell, and after a maximum dwell the belief begins anew, so that no verdict outlives its evidence.

A belief is about a side that is at work, an outcome about one aggressor, and those who follow an informed one
are hardly more informed than others: in recorded markets a forecast gets worse with every share of what was
believed before. So what is said of an aggressor is

    logit forecast = prior log-odds + slope_met · logit(belief he met) + llr

with slope 0 where the logistic was fitted to aggressors. The built-in weights were fitted to cascades, where
whoever trades is at work: their slope is 1, and the forecast is the belief. It fades like the beliefs, and
is published calibrated on the logit by what the learner saw come of it.

References
----------
Wald, "Sequential analysis" (1947): evidence adds up in log-likelihood ratios.
Rabiner, "A tutorial on hidden Markov models" (1989), forward variable. Platt, "Probabilistic outputs for
support vector machines" (1999), calibration.
"""

from typing import Final

import numpy as np

from mmpipe.config import ToxicityConfig
from mmpipe.enums import Param, Toxicity
from mmpipe.models.trade_features import INPUTS, TOXICITY_INPUTS
from ringbuf.jit import kernel

LN2: Final = 0.6931471805599453
LLR_MAX: Final = 6.0  # nats of one aggressor: a damaged number must not decide alone for ever
BELIEF_MIN: Final = 1e-9
_BENIGN: Final = int(Toxicity.BENIGN)
_NORMAL: Final = int(Toxicity.NORMAL)
_TOXIC: Final = int(Toxicity.TOXIC)
_SLOPE: Final = int(Param.TOXICITY_SLOPE)
_INTERCEPT: Final = int(Param.TOXICITY_INTERCEPT)

# Layout of the weights, one flat float64 array: numbers, then a weight, a mean and a scale per input.
BIAS: Final = 0
PRIOR_LOG_ODDS: Final = 1  # of informed flow in what the logistic was trained on
LLR_AGAINST: Final = 2  # of an aggressor for the other side's informed flow, <= 0
SLOPE_MET: Final = 3  # of the log-odds of the belief that an aggressor met, in the forecast of him; 0 to 1
FIRST_WEIGHT: Final = 4
WEIGHTS: Final = FIRST_WEIGHT + 3 * INPUTS

TOXICITY = np.dtype(
    [
        ("buy_prob", "f8"),  # published: an aggressive buyer now is informed, poisons our ask
        ("sell_prob", "f8"),
        ("buy_forecast", "f8"),  # … before the learner's calibration
        ("sell_forecast", "f8"),
        ("buy_belief", "f8"),  # of the filter
        ("sell_belief", "f8"),
        ("buy_evidence", "f8"),  # nats of the side's newest aggressor, faded like the beliefs
        ("sell_evidence", "f8"),
        ("buy_before", "f8"),  # beliefs the newest aggressor met
        ("sell_before", "f8"),
        ("ts_ns", "i8"),  # the beliefs are of this time
        ("verdict", "i8"),  # Toxicity
        ("toxic_side", "i8"),  # while the verdict is Toxic: whose flow is
        ("side_before", "i8"),  # … before the newest aggressor
        ("toxic_since_ts_ns", "i8"),
    ],
    align=True,
)


def pack_weights(
    weights: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    bias: float,
    prior_log_odds: float,
    llr_against: float,
    slope_met: float,
) -> np.ndarray:
    """The flat array the kernels read.

    Parameters
    ----------
    weights, means, scales : ndarray of float64, shape (INPUTS,)
        Of the logistic, by TOXICITY_INPUTS; scales > 0.
    bias, prior_log_odds : float
        Of the logistic; ln(p / (1 - p)) of informed flow in its training set.
    llr_against : float
        Log-likelihood ratio of any aggressor for informed flow of the other side, <= 0.
    slope_met : float
        Of the belief that an aggressor met, in the forecast of him, 0 to 1.

    Returns
    -------
    ndarray of float64, shape (WEIGHTS,)

    Raises
    ------
    ValueError
        A number is missing, not finite or out of range.
    """
    parts = (np.array([bias, prior_log_odds, llr_against, slope_met]), weights, means, scales)
    packed = np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])
    if packed.shape != (WEIGHTS,) or not np.isfinite(packed).all():
        raise ValueError(f"toxicity: {WEIGHTS} finite numbers expected, got {packed.size}; train it again")
    if not (np.asarray(scales) > 0.0).all() or not llr_against <= 0.0:
        raise ValueError("toxicity: scales must be > 0 and llr_against <= 0; train it again")
    assert 0.0 <= slope_met <= 1.0, "the slope of what an aggressor met lies between 0 and 1"
    return packed


def built_in_weights(settings: ToxicityConfig) -> np.ndarray:
    """The weights of `[toxicity]`, which decide where no artefact is named."""
    by_input = {
        "log_size": settings.llr_log_size,
        "log_gap": settings.llr_log_gap,
        "imbalance": settings.llr_imbalance,
        "flow_fast": settings.llr_flow_fast,
        "flow_slow": settings.llr_flow_slow,
        "spread_change": settings.llr_spread_change,
        "depth_change": settings.llr_depth_change,
        "run_length": settings.llr_run_length,
        "swept": settings.llr_swept,
        "divergence": settings.llr_divergence,
    }
    weights = np.array([by_input[name] for name in TOXICITY_INPUTS])
    zeros, ones = np.zeros(INPUTS), np.ones(INPUTS)
    return pack_weights(weights, zeros, ones, settings.llr_bias, 0.0, settings.llr_against, 1.0)


@kernel
def trade_llr(inputs: np.ndarray, weights: np.ndarray) -> float:
    """Log-likelihood ratio of one aggressor for informed flow of his side.

    Parameters
    ----------
    inputs : (INPUTS,) float64
        By TOXICITY_INPUTS.
    weights : (WEIGHTS,) float64
        Of `pack_weights`.

    Returns
    -------
    float
        Nats, -LLR_MAX to LLR_MAX; 0 when an input is not finite.
    """
    llr = weights[BIAS] - weights[PRIOR_LOG_ODDS]
    for index in range(INPUTS):
        scaled = (inputs[index] - weights[FIRST_WEIGHT + INPUTS + index]) / weights[
            FIRST_WEIGHT + 2 * INPUTS + index
        ]
        llr += weights[FIRST_WEIGHT + index] * scaled
    if not (abs(llr) < np.inf):
        return 0.0
    return min(max(llr, -LLR_MAX), LLR_MAX)


@kernel
def on_trade(
    state: np.void,
    ts_ns: int,
    side: int,
    llr: float,
    weights: np.ndarray,
    fresh: bool,
    settings: np.ndarray,
    params: np.ndarray,
) -> None:
    """Filter one aggressor, or revise the newest.

    Parameters
    ----------
    state : TOXICITY record
        Changed in place.
    ts_ns, side : int
        Of the trade.
    llr : float
        His evidence for informed flow of his side, nats.
    weights : (WEIGHTS,) float64
        His evidence for the other side, and what the forecast is made of.
    fresh : bool
        False: a further row of the aggressor before, whose evidence `llr` replaces.
    settings : (1,) settings of ToxicityConfig
        Hazard and thresholds.
    params : (PARAMS_COUNT,) float64
        Calibration.
    """
    if fresh:
        _fade(state, ts_ns, settings)
        _judge(state, ts_ns, settings)
        state["side_before"] = state["toxic_side"]
        hazard = settings[0]["hazard_per_trade"] / 2.0
        benign = 1.0 - state["buy_belief"] - state["sell_belief"]
        state["buy_before"] = state["buy_belief"] + hazard * benign
        state["sell_before"] = state["sell_belief"] + hazard * benign
    buy, sell = state["buy_before"], state["sell_before"]
    benign = max(1.0 - buy - sell, BELIEF_MIN)
    llr_against = weights[LLR_AGAINST]
    buy *= np.exp(llr if side > 0 else llr_against)
    sell *= np.exp(llr if side < 0 else llr_against)
    total = benign + buy + sell
    state["buy_belief"], state["sell_belief"] = buy / total, sell / total
    if side > 0:
        state["buy_evidence"] = llr
    else:
        state["sell_evidence"] = llr
    _judge(state, ts_ns, settings)
    publish(state, weights, params)


@kernel
def advance(
    state: np.void, ts_ns: int, weights: np.ndarray, settings: np.ndarray, params: np.ndarray
) -> None:
    """Let belief fade with time, look at the verdict again, and publish with the newest calibration."""
    _fade(state, ts_ns, settings)
    _judge(state, ts_ns, settings)
    publish(state, weights, params)


@kernel
def publish(state: np.void, weights: np.ndarray, params: np.ndarray) -> None:
    """Forecast from the beliefs and the newest evidence, calibrated into the probabilities that decide."""
    slope, intercept = params[_SLOPE], params[_INTERCEPT]
    buy = forecast(state["buy_belief"], state["buy_evidence"], weights)
    sell = forecast(state["sell_belief"], state["sell_evidence"], weights)
    state["buy_forecast"], state["sell_forecast"] = buy, sell
    state["buy_prob"] = calibrated(buy, slope, intercept)
    state["sell_prob"] = calibrated(sell, slope, intercept)


@kernel
def forecast(belief: float, evidence: float, weights: np.ndarray) -> float:
    """Probability that an aggressor is informed, before the learner's calibration.

    Parameters
    ----------
    belief : float
        After him, 0 to 1.
    evidence : float
        His part of its log-odds, nats.
    weights : (WEIGHTS,) float64
        Of `pack_weights`.
    """
    prior, slope_met = weights[PRIOR_LOG_ODDS], weights[SLOPE_MET]
    if prior == 0.0 and slope_met == 1.0:
        return belief
    inside = min(max(belief, BELIEF_MIN), 1.0 - BELIEF_MIN)
    met = np.log(inside / (1.0 - inside)) - evidence
    return 1.0 / (1.0 + np.exp(-(prior + slope_met * met + evidence)))


@kernel
def calibrated(said: float, slope: float, intercept: float) -> float:
    """Platt's map of what was said: 1 / (1 + exp(-(slope logit(said) + intercept))); 1 and 0: as it is.

    Parameters
    ----------
    said : float
        0 to 1; within BELIEF_MIN of its ends it is taken for them.
    slope, intercept : float
        >= 0: 0 says that it means nothing and the intercept alone counts; any.
    """
    if slope == 1.0 and intercept == 0.0:
        return said
    inside = min(max(said, BELIEF_MIN), 1.0 - BELIEF_MIN)
    return 1.0 / (1.0 + np.exp(-(slope * np.log(inside / (1.0 - inside)) + intercept)))


@kernel
def _fade(state: np.void, ts_ns: int, settings: np.ndarray) -> None:
    if state["ts_ns"] > 0 and ts_ns > state["ts_ns"]:
        elapsed_s = (ts_ns - state["ts_ns"]) * 1e-9
        fade = np.exp(-LN2 * elapsed_s / settings[0]["decay_halflife_s"])
        state["buy_belief"] *= fade
        state["sell_belief"] *= fade
        state["buy_evidence"] *= fade
        state["sell_evidence"] *= fade
    state["ts_ns"] = max(state["ts_ns"], ts_ns)


@kernel
def _judge(state: np.void, ts_ns: int, settings: np.ndarray) -> None:
    # Belief to verdict: hysteresis on the side that is toxic, a minimum dwell, a maximum after which belief
    # begins anew.
    limits = settings[0]
    buy, sell = state["buy_belief"], state["sell_belief"]
    worst_side = 1 if buy >= sell else -1
    worst = max(buy, sell)
    if state["verdict"] == _TOXIC:
        dwelt_ns = ts_ns - state["toxic_since_ts_ns"]
        if dwelt_ns >= limits["dwell_max_ms"] * 1_000_000:
            state["buy_belief"] = state["sell_belief"] = limits["hazard_per_trade"] / 2.0
            state["buy_before"] = state["sell_before"] = limits["hazard_per_trade"] / 2.0
            state["verdict"], state["toxic_side"] = _NORMAL, 0
            return
        own = buy if state["toxic_side"] > 0 else sell
        turned = worst > limits["toxic_enter_prob"] and worst_side != state["toxic_side"]
        if turned:
            state["toxic_side"], state["toxic_since_ts_ns"] = worst_side, ts_ns
            return
        if own >= limits["toxic_leave_prob"] or dwelt_ns < limits["dwell_ms"] * 1_000_000:
            return
    elif worst > limits["toxic_enter_prob"]:
        state["verdict"], state["toxic_side"] = _TOXIC, worst_side
        state["toxic_since_ts_ns"] = ts_ns
        return
    state["toxic_side"] = 0
    state["verdict"] = _NORMAL if worst > limits["normal_prob"] else _BENIGN
