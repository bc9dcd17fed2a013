"""Detection measured by the running features stage: on markets whose cascade is known, and on calm ones."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from mmpipe.clock import NS_PER_S
from mmpipe.config import load
from mmpipe.dashboard.status import detection_view
from mmpipe.enums import LabelKind, Param, Toxicity, Trigger
from mmpipe.models.snapshot_engine import EVENTS_MAX, SnapshotEngine
from mmpipe.records import PARAMS
from mmpipe.replay.timeline import timeline
from tests.line.synthetic import synthetic_market

pytestmark = pytest.mark.timeout(600)  # a cold cache compiles the exchange and the features first
CONFIG = load(Path(__file__).resolve().parents[3] / "pipeline.toml")
PUSH_S, PUSH_END_S = 30.0, 33.0  # of the scenario `cascade`: the fall begins, and what follows is its own


@lru_cache(maxsize=4)
def judged(scenario: str, seed: int, seconds: float) -> tuple[SnapshotEngine, np.ndarray, np.ndarray]:
    """The engine after a market, snapshots of trades, labels of trades."""
    maker, lead, instrument = synthetic_market(scenario, seed, seconds)
    engine, seq = SnapshotEngine(CONFIG, instrument), 1
    snapshots, labels = [], []
    for chunk in timeline([maker, lead], CONFIG.feed):
        for at in range(0, len(chunk), EVENTS_MAX):
            made = engine.on_events(chunk[at : at + EVENTS_MAX], seq)
            made["seq"] = np.arange(seq, seq + len(made))
            seq += len(made)
            snapshots.append(made[made["trigger"] == Trigger.TRADE].copy())
            labels.append(engine.labels()[engine.labels()["kind"] == LabelKind.TRADE].copy())
    return engine, np.concatenate(snapshots), np.concatenate(labels)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_cascade_is_toxic_for_the_bid_before_it_feeds_itself_and_not_before_the_push(seed: int) -> None:
    engine, trades, _ = judged("cascade", seed, 45.0)
    after_s = (trades["ts_ns"] - trades["ts_ns"][0]) / NS_PER_S
    toxic = trades["toxicity"] == Toxicity.TOXIC
    assert not toxic[after_s < PUSH_S - 2.0].any()
    first = trades[toxic][0]
    assert PUSH_S - 2.0 < after_s[toxic][0] < PUSH_END_S
    assert first["toxic_sell_prob"] > 0.8
    assert first["toxic_buy_prob"] < 0.05
    assert first["bid_queue_value_bps"] < first["ask_queue_value_bps"]
    board = engine.model_board(0)[0]
    assert board["episodes"] >= board["episodes_seen"] >= 1
    assert 0.0 <= board["delay_trades_p50"] <= 5.0
    assert 0.0 <= board["delay_ms_p50"] <= 500.0
    assert board["delay_trades_p95"] >= board["delay_trades_p50"]
    shown = detection_view(board)
    assert shown["delay_trades"]["p50"] == pytest.approx(board["delay_trades_p50"], abs=0.05)
    assert shown["delay_ms"]["p50"] == pytest.approx(board["delay_ms_p50"], abs=0.05)


def test_the_probability_beats_the_base_rate_over_cascades() -> None:
    boards = [judged("cascade", seed, 45.0)[0].model_board(0)[0] for seed in (1, 2)]
    assert sum(board["brier"] for board in boards) < sum(board["brier_base"] for board in boards)


def test_a_calm_market_alarms_nobody() -> None:
    engine, trades, _ = judged("thin", 3, 60.0)
    assert (trades["toxicity"] == Toxicity.TOXIC).mean() <= 0.001
    assert engine.model_board(0)["false_alarms"][0] == 0


def test_every_aggressor_is_judged_once_and_its_snapshot_is_named() -> None:
    engine, trades, labels = judged("cascade", 1, 45.0)
    board = engine.model_board(0)[0]
    assert board["trades_judged"] == len(labels) > 100
    assert board["trades_toxic"] == labels["filled"].sum() > 0
    assert len(np.unique(labels["cause_seq"])) == len(labels)
    by_seq = {int(row["seq"]): row for row in trades}
    for label in labels:
        cause = by_seq[int(label["cause_seq"])]
        assert cause["trade_side"] == label["side"]
        own = cause["toxic_buy_prob"] if label["side"] > 0 else cause["toxic_sell_prob"]
        assert own == label["predicted_fill_prob"]  # not calibrated yet


def test_the_view_of_a_board_and_what_calibration_makes_of_it() -> None:
    engine, _, _ = judged("thin", 3, 60.0)
    rows = np.zeros(2, PARAMS)
    rows["param"], rows["value"] = [Param.TOXICITY_SLOPE, Param.TOXICITY_INTERCEPT], [0.0, -3.0]
    engine.on_params(rows)
    view = detection_view(engine.model_board(0)[0])
    assert view["calibration"] == {"slope": 0.0, "intercept": -3.0, "signal": False}
    assert view["trades_judged"] > 0
    assert view["delay_ms"] is None or view["episodes"] > 0
    empty = detection_view(SnapshotEngine(CONFIG, synthetic_market("thin", 3, 60.0)[2]).model_board(0)[0])
    assert (empty["brier"], empty["delay_trades"], empty["trades_judged"]) == (None, None, 0)
    assert empty["calibration"]["signal"]
