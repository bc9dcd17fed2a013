"""The bench of learners, short: what it promises holds on a tenth of its samples; it tells bad from good."""

from pathlib import Path

import numpy as np
import pytest

from bench import learning, learning_toxicity
from bench.learning_toxicity import CALM_TRADES, EPISODE_TRADES
from mmpipe.config import Config, load, settings_row

CONFIG: Config = load(Path(__file__).resolve().parents[2] / "pipeline.toml")


def test_every_case_of_toxicity_holds_on_less() -> None:
    rows = learning.GROUPS["toxicity"](CONFIG, 0.1, 1)
    assert [row["case"] for row in rows if not row["ok"]] == []
    for row in rows:
        assert set(row) == {"case", "value", "interval", "n", "ok"}
        assert row["interval"][0] <= row["value"] <= row["interval"][1]
    by_case = {row["case"]: row["value"] for row in rows}
    line = by_case["toxicity/line/delay_trades"]
    assert by_case["toxicity/optimum/delay_trades"] <= line + 0.05
    assert line + 1.0 < by_case["toxicity/baseline/lagged_logistic/delay_trades"]
    assert line + 10.0 < by_case["toxicity/baseline/window_50/delay_trades"]


def test_a_filter_without_evidence_fails() -> None:
    rng = np.random.default_rng(2)
    settings = settings_row(CONFIG.toxicity)
    weights = learning_toxicity.trained_weights(
        learning_toxicity.stream(rng, learning_toxicity.chain(rng, 6_000))
    )
    weights[3:13] = 0.0
    test = learning_toxicity.episodes(rng, 50)
    beliefs = learning_toxicity.line_beliefs(test, weights, settings, 1.0)
    assert learning_toxicity.delays(beliefs[:, :2], test.state, 0.8).mean() > 10.0


def test_delays_are_counted_from_the_first_informed_trade() -> None:
    state = np.repeat([0, 1, 0, -1, 0, 1], [CALM_TRADES, EPISODE_TRADES] * 3)
    numbers, length = np.zeros((len(state), 2)), CALM_TRADES + EPISODE_TRADES
    numbers[CALM_TRADES, 0] = 1.0
    numbers[length + CALM_TRADES + 4, 1] = 1.0
    numbers[length + CALM_TRADES, 0] = 1.0  # the other side's alarm is not his
    assert learning_toxicity.delays(numbers, state, 0.5).tolist() == [1, 5, EPISODE_TRADES]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_truth_has_the_strength_it_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    informed = learning_toxicity.stream(rng, np.ones(40_000, np.int64))
    nats = learning_toxicity.exact_log_ratios(informed)[:, 0]
    assert nats.mean() == pytest.approx(0.4946 + 1.4026 + 0.6035 + 2.0, abs=0.06)
