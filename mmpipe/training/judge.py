"""How models do on time they were not fitted to: one recording, cut in two, every model beside its rivals.

A model was fitted to the first part; the live kernels are asked about the second. Reported is the
score, the base rate's (of the second part itself, known in hindsight), the built-in heuristic's, intervals
by resampled stretches of time, reliability. These figures use nothing of the second part; what a line's
own online calibration makes of the same models is the matter of `judge_line`.
"""

from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.config import Config
from mmpipe.enums import ModelKind, Outcome
from mmpipe.models.fill_survival import STANDARD_HORIZONS_S
from mmpipe.models.model_inputs import DEPTH
from mmpipe.models.parameters import prior_values
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training import bootstrap, metrics
from mmpipe.training.dataset import embargo_s, split_by_time
from mmpipe.training.fit_fill_survival import SurvivalFit
from mmpipe.training.fit_queue_value import ValueFit
from mmpipe.training.live_models import fill_probs_all, value_all
from mmpipe.training.logistic import Logistic
from mmpipe.training.quote_rows import QuoteRows

BLOCK_S: Final = 10.0  # stretches that are resampled: at least the longest label
TEST_MIN: Final = 50  # rows; below it nothing is said
DIGITS: Final = 6

Span = tuple[int, int]
Report = dict[str, Any]


def split_trades(trades: np.ndarray, span_ns: Span, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Aggressors (TRADE_SAMPLE, in order of time) that train and that test."""
    ts_ns = trades["ts_ns"].astype(np.int64)
    known_ns = ts_ns + config.labels.toxic_horizon_ms * NS_PER_MS
    parts = split_by_time(ts_ns, known_ns, span_ns, embargo_s(config))
    return trades[parts.train], trades[parts.test]


def split_quotes(rows: QuoteRows, span_ns: Span, config: Config) -> tuple[QuoteRows, QuoteRows]:
    """Virtual quotes that train and that test, by when their outcome was known at the latest."""
    known_ns = rows.joined_ns + int(config.features.shadow_horizon_ms * NS_PER_MS)
    parts = split_by_time(rows.joined_ns, known_ns, span_ns, embargo_s(config))
    return rows.where(parts.train), rows.where(parts.test)


def split_fills(rows: QuoteRows, span_ns: Span, config: Config) -> tuple[QuoteRows, QuoteRows]:
    """Fills whose edge is known, those that train and those that test."""
    known = rows.judged()
    parts = split_by_time(known.joined_ns, known.judged_ns, span_ns, embargo_s(config))
    return known.where(parts.train), known.where(parts.test)


def report_toxicity(fitted: Logistic, test: np.ndarray, seed: int) -> Report:
    """Probability that an aggressor is informed: Brier skill, log-loss, calibration.

    Parameters
    ----------
    fitted : Logistic
        On TOXICITY_INPUTS.
    test : ndarray of TRADE_SAMPLE, shape (n,)
        In order of time.
    seed : int
        Of the resampling.
    """
    if len(test) < TEST_MIN:
        return silent(f"{len(test)} aggressors in the test part, {TEST_MIN} are needed")
    ts_ns, outcomes = test["ts_ns"].astype(np.int64), test["toxic"].astype(np.int64)
    probs, heuristic = fitted.probs(test["inputs"]), np.clip(test["forecast"], 0.0, 1.0)
    return {
        "toxic_test": int(outcomes.sum()),
        **scores(ts_ns, probs, outcomes, seed),
        "heuristic": short_scores(ts_ns, heuristic, outcomes, seed),
        "gain_over_heuristic": gain(ts_ns, probs, heuristic, outcomes, seed),
    }


def report_fill_survival(fitted: SurvivalFit, test: QuoteRows, config: Config, seed: int) -> Report:
    """Chance of a fill within the standard horizons: the scores of each, by its seconds."""
    if len(test) < TEST_MIN:
        return silent(f"{len(test)} virtual quotes in the test part, {TEST_MIN} are needed")
    params = _priors(config, len(test))
    models = with_arrays(built_in_models(), ModelKind.FILL_SURVIVAL, "hazards", fitted.arrays)
    probs = fill_probs(models, test.inputs, params)
    heuristic = fill_probs(built_in_models(), test.inputs, params)
    report: Report = {"notes": list(fitted.notes)}
    for index, horizon_s in enumerate(STANDARD_HORIZONS_S):
        known, filled = filled_within(test, horizon_s)
        ts_ns, outcomes = test.joined_ns[known], filled[known]
        said = probs[known, index]
        report[f"{horizon_s:g}"] = {
            **scores(ts_ns, said, outcomes, seed),
            "heuristic": short_scores(ts_ns, heuristic[known, index], outcomes, seed),
            "gain_over_heuristic": gain(ts_ns, said, heuristic[known, index], outcomes, seed),
        }
    return report


def report_queue_value(fitted: ValueFit | None, test: QuoteRows, config: Config, seed: int) -> Report:
    """Rank correlation of expected with realised edge of fills, and the error; without a fit: built in."""
    if len(test) < TEST_MIN:
        return silent(f"{len(test)} judged fills in the test part, {TEST_MIN} are needed")
    fee_bps, params, models = config.execution.maker_fee_bps, _priors(config, len(test)), built_in_models()
    heuristic = values(models, test, fee_bps, params)
    if fitted is not None:
        models = with_arrays(models, ModelKind.QUEUE_VALUE, fitted.form, fitted.arrays)
    said = values(models, test, fee_bps, params)
    return {
        "form": "built in" if fitted is None else fitted.form,
        "notes": [] if fitted is None else list(fitted.notes),
        **value_scores(test, said[:, 0], seed),
        "uncertainty_bps": rounded(float(said[:, 1].mean())),
        "heuristic": value_scores(test, heuristic[:, 0], seed),
        "depth_alone": value_scores(test, test.inputs[:, DEPTH], seed),
    }


def _priors(config: Config, count: int) -> np.ndarray:
    return np.tile(prior_values(config), (count, 1))


def scores(ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """Everything about a probability, with intervals and the reliability diagram."""
    parts = metrics.murphy(probs, outcomes)
    low_high = _interval(bootstrap.calibration_interval, ts_ns, probs, outcomes, seed)
    return {
        **short_scores(ts_ns, probs, outcomes, seed),
        "ece_interval": low_high,
        "murphy": {name: rounded(value) for name, value in parts._asdict().items()},
        "reliability": [
            {name: rounded(value) for name, value in row._asdict().items()}
            for row in metrics.reliability(probs, outcomes)
        ],
    }


def short_scores(ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """Brier score, the base rate's, skill with its interval, log-loss, calibration error and its noise."""
    return {
        "n": len(probs),
        "rate": rounded(float(outcomes.mean())),
        "said": rounded(float(probs.mean())),
        "brier": rounded(metrics.brier(probs, outcomes)),
        "brier_base": rounded(metrics.base_brier(outcomes)),
        "skill": rounded(metrics.skill(probs, outcomes)),
        "skill_interval": _interval(bootstrap.skill_interval, ts_ns, probs, outcomes, seed),
        "log_loss": rounded(metrics.log_loss(probs, outcomes)),
        "ece": rounded(metrics.expected_calibration_error(probs, outcomes)),
        "ece_noise": _interval(bootstrap.calibration_noise, ts_ns, probs, outcomes, seed),
    }


def gain(ts_ns: np.ndarray, ours: np.ndarray, rival: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """By how much a rival's Brier score exceeds ours on the same rows, > 0 is better, with its interval."""
    gains = (rival - outcomes) ** 2 - (ours - outcomes) ** 2
    try:
        low, high = bootstrap.gain_interval(ts_ns, gains, BLOCK_S, np.random.default_rng(seed))
    except ValueError:
        low = high = float("nan")
    interval = [rounded(low), rounded(high)] if np.isfinite([low, high]).all() else None
    return {"brier": rounded(float(gains.mean())), "interval": interval}


def value_scores(test: QuoteRows, said_bps: np.ndarray, seed: int) -> Report:
    """Rank correlation of expected with realised edge, with its interval; error; means."""
    sound = np.isfinite(said_bps)
    said, ts_ns, edge = said_bps[sound], test.joined_ns[sound], test.edge_bps[sound]
    if not len(said) > 1:
        return silent("the model says nothing finite")
    return {
        "n": len(said),
        "rank_corr": rounded(metrics.rank_correlation(said, edge)),
        "interval": _interval(bootstrap.rank_correlation_interval, ts_ns, said, edge, seed),
        "rmse": rounded(metrics.rmse(said, edge)),
        "mean_said_bps": rounded(float(said.mean())),
        "mean_realised_bps": rounded(float(edge.mean())),
    }


def fill_probs(models: np.ndarray, inputs: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Chances of a fill at the standard horizons, shape (n, 3); `params` of shape (n, PARAMS_COUNT)."""
    out = np.zeros((len(inputs), len(STANDARD_HORIZONS_S)))
    fill_probs_all(models, np.ascontiguousarray(inputs), params, out)
    return out


def values(models: np.ndarray, rows: QuoteRows, fee_bps: float, params: np.ndarray) -> np.ndarray:
    """Expected edge and its uncertainty, bps, shape (n, 2); `params` of shape (n, PARAMS_COUNT)."""
    out = np.zeros((len(rows), 2))
    value_all(models, np.ascontiguousarray(rows.inputs), rows.toxicity, fee_bps, params, out)
    return out


def filled_within(rows: QuoteRows, horizon_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Which quotes were watched for a horizon, and which of all filled within it: (n,) bool, (n,) int64."""
    known = ~((rows.outcome == Outcome.CANCELLED) & (rows.wait_s < horizon_s))
    filled = (rows.outcome == Outcome.FILLED) & (rows.wait_s <= horizon_s)
    return known, filled.astype(np.int64)


def _interval(
    of: Any, ts_ns: np.ndarray, said: np.ndarray, happened: np.ndarray, seed: int
) -> list[float | None] | None:
    # None where the test part is too short to resample.
    try:
        low, high = of(ts_ns, said, happened, BLOCK_S, np.random.default_rng(seed))
    except ValueError:
        return None
    return [rounded(low), rounded(high)] if np.isfinite([low, high]).all() else None


def rounded(value: float) -> float | None:
    """As reports write it; None where it is not finite."""
    return round(value, DIGITS) if np.isfinite(value) else None


def silent(why: str) -> Report:
    """Nothing can be said, and why."""
    return {"n": 0, "why_not": why}
