"""The learner of a capture: nothing is in force before it was published, and a denser capture is thinned."""

from pathlib import Path

import numpy as np

from mmpipe import config as configuration
from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import LabelKind, Param
from mmpipe.models.parameters import prior_values
from mmpipe.records import LABEL
from mmpipe.training.dataset import with_keys
from mmpipe.training.line_learner import LineLearner

S = NS_PER_S
CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SCALE = int(Param.FILL_PROB_SCALE)


def quotes(second: int, every_ms: int) -> np.ndarray:
    rows = np.zeros(S // (every_ms * NS_PER_MS), LABEL)
    rows["cause_ts_ns"] = second * S + np.arange(len(rows)) * every_ms * NS_PER_MS
    rows["ts_ns"], rows["horizon_ns"] = rows["cause_ts_ns"] + S, S
    rows["kind"], rows["wait_ns"], rows["filled"], rows["expected_fills"] = LabelKind.SHADOW_QUOTE, S, 1, 0.1
    return rows


def test_an_outcome_moves_what_is_said_after_it_was_published_and_never_before() -> None:
    learner = LineLearner(CONFIG, 2, CONFIG.features.shadow_interval_ms)
    for second in range(1, 201):
        learner.hear(quotes(second - 1, 100), second * S)
    learned = learner.learned()
    moments = np.array([0, S, 150 * S, 150 * S + 1, 300 * S])
    found = learned.in_force(moments, np.zeros(5, np.int64))
    assert (found[0] == prior_values(CONFIG)).all()
    assert found[2, SCALE] != found[3, SCALE]  # published at 150 s, in force after it
    assert found[4, SCALE] > 2.0
    assert (learned.in_force(moments, np.ones(5, np.int64))[:, SCALE] == 1.0).all()


def test_a_denser_capture_is_heard_as_a_line_would_hear_it() -> None:
    dense = with_keys(CONFIG, {"features.shadow_interval_ms": 250}, 1)
    heard = []
    for config, every_ms in ((dense, 250), (with_keys(CONFIG, {}, 1), 1_000)):
        learner = LineLearner(config, 1, CONFIG.features.shadow_interval_ms)
        for second in range(1, 61):
            learner.hear(quotes(second, every_ms), (second + 2) * S)
        heard.append(learner.learned().values[:, 0, SCALE])
    assert (heard[0] == heard[1]).all()
    assert heard[0][-1] > heard[0][0]
