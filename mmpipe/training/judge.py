"""How models do on time they were not fitted to: one recording, cut in two, every model beside its rivals.

Each function fits on the first part, asks the live kernels about the second, and reports what happened: the
score, the base rate's (of the second part itself, known in hindsight), the built-in heuristic's, intervals
by resampled stretches of time, reliability. These figures use nothing of the second part. A live line also
calibrates as outcomes come in; what that makes of the same predictions stands beside them as `online`, each
calibrated by what had resolved before it.
"""

from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import LabelKind, ModelKind, Outcome
from mmpipe.models.fill_survival import STANDARD_HORIZONS_S
from mmpipe.models.model_inputs import DEPTH
from mmpipe.models.parameters import prior_values
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training import bootstrap, metrics
from mmpipe.training.dataset import Capture, embargo_s, split_by_time
from mmpipe.training.fit_fill_survival import SurvivalFit, fit_fill_survival
from mmpipe.training.fit_queue_value import ValueFit, fit_queue_value
from mmpipe.training.fit_toxicity import fit_toxicity
from mmpipe.training.live_models import fill_probs_all, value_all
from mmpipe.training.logistic import Logistic
from mmpipe.training.online import calibrated_online
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


def judge_toxicity(source: Capture, config: Config, seed: int) -> Report:
    """Fit on the first part, judge on the second."""
    train, test = split_trades(source.trades, source.span_ns, config)
    try:
        fitted, strength = fit_toxicity(train["inputs"], train["toxic"].astype(np.int64))
    except ValueError as error:
        return _silent(str(error))
    about = {"n_train": len(train), "toxic_train": int(train["toxic"].sum()), "strength": strength}
    return {**about, **report_toxicity(fitted, test, config, seed)}


def report_toxicity(fitted: Logistic, test: np.ndarray, config: Config, seed: int) -> Report:
    """Probability that an aggressor is informed: Brier skill, log-loss, calibration.

    Parameters
    ----------
    fitted : Logistic
        On TOXICITY_INPUTS.
    test : ndarray of TRADE_SAMPLE, shape (n,)
        In order of time.
    config : Config
        Horizons.
    seed : int
        Of the resampling.
    """
    if len(test) < TEST_MIN:
        return _silent(f"{len(test)} aggressors in the test part, {TEST_MIN} are needed")
    ts_ns, outcomes = test["ts_ns"].astype(np.int64), test["toxic"].astype(np.int64)
    known_ns = ts_ns + config.labels.toxic_horizon_ms * NS_PER_MS
    probs, heuristic = fitted.probs(test["inputs"]), np.clip(test["belief"], 0.0, 1.0)
    online = calibrated_online(ts_ns, known_ns, probs, outcomes, _halflife_s(config))
    return {
        "toxic_test": int(outcomes.sum()),
        **scores(ts_ns, probs, outcomes, seed),
        "online": short_scores(ts_ns, online, outcomes, seed),
        "heuristic": short_scores(ts_ns, heuristic, outcomes, seed),
        "gain_over_heuristic": gain(ts_ns, probs, heuristic, outcomes, seed),
    }


def judge_fill_survival(source: Capture, config: Config, seed: int) -> Report:
    """Fit on the first part, judge on the second."""
    train, test = split_quotes(source.quotes, source.span_ns, config)
    try:
        fitted = fit_fill_survival(train.inputs, train.wait_s, train.outcome)
    except ValueError as error:
        return _silent(str(error))
    return {"n_train": len(train), **report_fill_survival(fitted, test, config, seed)}


def report_fill_survival(fitted: SurvivalFit, test: QuoteRows, config: Config, seed: int) -> Report:
    """Chance of a fill within the standard horizons: the scores of each, by its seconds."""
    if len(test) < TEST_MIN:
        return _silent(f"{len(test)} virtual quotes in the test part, {TEST_MIN} are needed")
    params = prior_values(config)
    models = with_arrays(built_in_models(), ModelKind.FILL_SURVIVAL, "hazards", fitted.arrays)
    probs = fill_probs(models, test.inputs, params)
    heuristic = fill_probs(built_in_models(), test.inputs, params)
    report: Report = {"notes": list(fitted.notes)}
    for index, horizon_s in enumerate(STANDARD_HORIZONS_S):
        known, filled = filled_within(test, horizon_s)
        ts_ns, outcomes = test.joined_ns[known], filled[known]
        said, known_ns = probs[known, index], ts_ns + int(horizon_s * NS_PER_S)
        online = calibrated_online(ts_ns, known_ns, said, outcomes, _halflife_s(config))
        report[f"{horizon_s:g}"] = {
            **scores(ts_ns, said, outcomes, seed),
            "online": short_scores(ts_ns, online, outcomes, seed),
            "heuristic": short_scores(ts_ns, heuristic[known, index], outcomes, seed),
            "gain_over_heuristic": gain(ts_ns, said, heuristic[known, index], outcomes, seed),
        }
    return report


def judge_queue_value(source: Capture, config: Config, seed: int) -> Report:
    """Fit on the first part, judge on the second."""
    train, test = split_fills(source.quotes, source.span_ns, config)
    loss_bps = train.loss_bps(config.execution.maker_fee_bps)
    try:
        fitted = fit_queue_value(train.inputs, loss_bps, train.joined_ns, train.judged_ns, seed)
    except ValueError as error:
        return _silent(str(error))
    return {"n_train": len(train), **report_queue_value(fitted, test, config, seed)}


def report_queue_value(fitted: ValueFit, test: QuoteRows, config: Config, seed: int) -> Report:
    """Expected edge of a fill: rank correlation with what was realised, and its error in bps."""
    if len(test) < TEST_MIN:
        return _silent(f"{len(test)} judged fills in the test part, {TEST_MIN} are needed")
    fee_bps, params = config.execution.maker_fee_bps, prior_values(config)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, fitted.form, fitted.arrays)
    said = values(models, test, fee_bps, params)
    return {
        "form": fitted.form,
        "notes": list(fitted.notes),
        **value_scores(test, said[:, 0], seed),
        "uncertainty_bps": _rounded(float(said[:, 1].mean())),
        "heuristic": value_scores(test, values(built_in_models(), test, fee_bps, params)[:, 0], seed),
        "depth_alone": value_scores(test, test.inputs[:, DEPTH], seed),
    }


def report_microprice(source: Capture, config: Config, seed: int) -> Report:
    """Microprice less mid against the move of the mid over the label horizon, on the second part."""
    labels = source.labels[source.labels["kind"] == LabelKind.MID_MOVE]
    labels = labels[np.argsort(labels["cause_ts_ns"], kind="stable")]
    ts_ns = labels["cause_ts_ns"].astype(np.int64)
    test = split_by_time(ts_ns, ts_ns + labels["horizon_ns"], source.span_ns, embargo_s(config)).test
    if test.sum() < TEST_MIN:
        return _silent(f"{test.sum()} moves in the test part, {TEST_MIN} are needed")
    rows, moves = source.snapshots_of(labels["cause_seq"][test]), labels["move_bps"][test]
    said = (rows["microprice_px"] - rows["mid_px"]) / rows["mid_px"] * 1e4
    interval = _interval(bootstrap.rank_correlation_interval, ts_ns[test], said, moves, seed)
    return {
        "n": len(said),
        "rank_corr": _rounded(metrics.rank_correlation(said, moves)),
        "interval": interval,
        "rmse": _rounded(metrics.rmse(said, moves)),
        "rmse_of_nothing": _rounded(float(np.sqrt(np.mean(moves**2)))),
    }


def scores(ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """Everything about a probability, with intervals and the reliability diagram."""
    parts = metrics.murphy(probs, outcomes)
    low_high = _interval(bootstrap.calibration_interval, ts_ns, probs, outcomes, seed)
    return {
        **short_scores(ts_ns, probs, outcomes, seed),
        "ece_interval": low_high,
        "murphy": {name: _rounded(value) for name, value in parts._asdict().items()},
        "reliability": [
            {name: _rounded(value) for name, value in row._asdict().items()}
            for row in metrics.reliability(probs, outcomes)
        ],
    }


def short_scores(ts_ns: np.ndarray, probs: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """Brier score, the base rate's, skill with its interval, log-loss, calibration error."""
    return {
        "n": len(probs),
        "rate": _rounded(float(outcomes.mean())),
        "said": _rounded(float(probs.mean())),
        "brier": _rounded(metrics.brier(probs, outcomes)),
        "brier_base": _rounded(metrics.base_brier(outcomes)),
        "skill": _rounded(metrics.skill(probs, outcomes)),
        "skill_interval": _interval(bootstrap.skill_interval, ts_ns, probs, outcomes, seed),
        "log_loss": _rounded(metrics.log_loss(probs, outcomes)),
        "ece": _rounded(metrics.expected_calibration_error(probs, outcomes)),
    }


def gain(ts_ns: np.ndarray, ours: np.ndarray, rival: np.ndarray, outcomes: np.ndarray, seed: int) -> Report:
    """By how much a rival's Brier score exceeds ours on the same rows, > 0 is better, with its interval."""
    gains = (rival - outcomes) ** 2 - (ours - outcomes) ** 2
    try:
        low, high = bootstrap.gain_interval(ts_ns, gains, BLOCK_S, np.random.default_rng(seed))
    except ValueError:
        low = high = float("nan")
    interval = [_rounded(low), _rounded(high)] if np.isfinite([low, high]).all() else None
    return {"brier": _rounded(float(gains.mean())), "interval": interval}


def value_scores(test: QuoteRows, said_bps: np.ndarray, seed: int) -> Report:
    """Rank correlation of expected with realised edge, with its interval; error; means."""
    sound = np.isfinite(said_bps)
    said, ts_ns, edge = said_bps[sound], test.joined_ns[sound], test.edge_bps[sound]
    if not len(said) > 1:
        return _silent("the model says nothing finite")
    return {
        "n": len(said),
        "rank_corr": _rounded(metrics.rank_correlation(said, edge)),
        "interval": _interval(bootstrap.rank_correlation_interval, ts_ns, said, edge, seed),
        "rmse": _rounded(metrics.rmse(said, edge)),
        "mean_said_bps": _rounded(float(said.mean())),
        "mean_realised_bps": _rounded(float(edge.mean())),
    }


def fill_probs(models: np.ndarray, inputs: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Chances of a fill at the standard horizons, shape (n, 3)."""
    out = np.zeros((len(inputs), len(STANDARD_HORIZONS_S)))
    fill_probs_all(models, np.ascontiguousarray(inputs), params, out)
    return out


def values(models: np.ndarray, rows: QuoteRows, fee_bps: float, params: np.ndarray) -> np.ndarray:
    """Expected edge and its uncertainty, bps, shape (n, 2)."""
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
    return [_rounded(low), _rounded(high)] if np.isfinite([low, high]).all() else None


def _rounded(value: float) -> float | None:
    return round(value, DIGITS) if np.isfinite(value) else None


def _silent(why: str) -> Report:
    return {"n": 0, "why_not": why}


def _halflife_s(config: Config) -> float:
    return config.learning.decay_halflife_min * 60.0
