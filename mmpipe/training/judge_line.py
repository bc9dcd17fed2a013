"""The same models as a line runs them: weights frozen, calibrated online by the line's own learner.

A capture with the artefacts in force holds what the line would have said: the forecast of toxicity, the
inputs that the other models were shown, and the parameters in force at each moment (`line_learner`). A
forecast is made with what was published before it; its outcome moves the parameters after its horizon.
Scores and intervals are those of `judge`.
"""

import numpy as np

from mmpipe.config import Config
from mmpipe.enums import Param
from mmpipe.models.fill_survival import STANDARD_HORIZONS_S
from mmpipe.training import judge
from mmpipe.training.dataset import Capture
from mmpipe.training.judge import Report
from mmpipe.training.live_models import calibrated_all


def line_toxicity(line: Capture, config: Config, seed: int) -> Report:
    """What was said of each aggressor, calibrated as it is published; scores of the second part."""
    test = judge.split_trades(line.trades, line.span_ns, config)[1]
    if len(test) < judge.TEST_MIN:
        return judge.silent(f"{len(test)} aggressors in the test part, {judge.TEST_MIN} are needed")
    params = line.learned.in_force(test["ts_ns"], test["symbol"])
    probs = np.zeros(len(test))
    slopes, intercepts = params[:, Param.TOXICITY_SLOPE].copy(), params[:, Param.TOXICITY_INTERCEPT].copy()
    calibrated_all(np.ascontiguousarray(test["forecast"]), slopes, intercepts, probs)
    return judge.short_scores(test["ts_ns"].astype(np.int64), probs, test["toxic"].astype(np.int64), seed)


def line_fill_survival(line: Capture, models: np.ndarray, config: Config, seed: int) -> Report:
    """Chance of a fill by horizon with the level that was learned; scores of the second part."""
    test = judge.split_quotes(line.quotes, line.span_ns, config)[1]
    if len(test) < judge.TEST_MIN:
        return judge.silent(f"{len(test)} virtual quotes in the test part, {judge.TEST_MIN} are needed")
    probs = judge.fill_probs(models, test.inputs, line.learned.in_force(test.joined_ns, test.symbol))
    report: Report = {}
    for index, horizon_s in enumerate(STANDARD_HORIZONS_S):
        known, filled = judge.filled_within(test, horizon_s)
        said = probs[known, index]
        report[f"{horizon_s:g}"] = judge.short_scores(test.joined_ns[known], said, filled[known], seed)
    return report


def line_queue_value(line: Capture, models: np.ndarray, config: Config, seed: int) -> Report:
    """Expected edge of a fill with the bias that was learned; scores of the second part."""
    test = judge.split_fills(line.quotes, line.span_ns, config)[1]
    if len(test) < judge.TEST_MIN:
        return judge.silent(f"{len(test)} judged fills in the test part, {judge.TEST_MIN} are needed")
    params = line.learned.in_force(test.joined_ns, test.symbol)
    said = judge.values(models, test, config.execution.maker_fee_bps, params)
    return judge.value_scores(test, said[:, 0], seed)
