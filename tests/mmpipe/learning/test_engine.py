"""The engine learns from joined outcomes, publishes on time with the right tier, and survives a restart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config, load
from mmpipe.enums import Counter, LabelKind, Outcome, Param, ReportKind, Toxicity
from mmpipe.learning.engine import LOOPS, STATE_KEY, TRADE_ROW_EVERY, LearningEngine
from mmpipe.learning.parameters import prior_of
from mmpipe.records import FILL_CONTEXT, LABEL, PARAMS, PREDICTION, REPORT

S = NS_PER_S


def config(**overrides: Any) -> Config:
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    return load(Path("pipeline.toml"), {"learning.min_observations": 20, **changed})


def label(kind: LabelKind, ts_ns: int, **fields: Any) -> np.ndarray:
    row = np.zeros(1, LABEL)
    row["kind"], row["ts_ns"], row["horizon_ns"], row["cause_ts_ns"] = kind, ts_ns, S, ts_ns - S
    for name, value in fields.items():
        row[name] = value
    return row


def moved(
    engine: LearningEngine, seq: int, ts_ns: int, divergence: float, move: float, symbol: int = 0
) -> None:
    prediction = np.zeros(1, PREDICTION)
    prediction["cause_seq"], prediction["ts_ns"], prediction["symbol"] = seq, ts_ns - S, symbol
    prediction["divergence_bps"], prediction["alpha_std_bps"] = divergence, 1.0
    engine.on_predictions(prediction)
    engine.on_labels(label(LabelKind.MID_MOVE, ts_ns, cause_seq=seq, move_bps=move, symbol=symbol))


def value(rows: np.ndarray, param: Param, symbol: int = 0) -> np.void:
    found = rows[(rows["param"] == param) & (rows["symbol"] == symbol)]
    assert len(found) == 1
    return found[0]


def test_priors_are_published_at_once_for_every_symbol_as_tier_0() -> None:
    engine, cfg = LearningEngine(config()), config()
    rows = engine.params(1)
    assert rows.dtype == PARAMS
    assert len(rows) == len(cfg.symbol) * len(Param)
    assert set(rows["tier"]) == {0}
    for row in rows:
        assert row["value"] == prior_of(cfg.priors, Param(row["param"]))


def test_published_once_per_interval() -> None:
    engine = LearningEngine(config(learning__publish_interval_s=2.0))
    times = [0, S, 2 * S - 1, 2 * S, 3 * S, 4 * S]
    assert [len(engine.params(now)) > 0 for now in times] == [True, False, False, True, False, True]


def test_beta_is_learned_after_enough_independent_observations() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(0)
    for step in range(1, 19):
        moved(engine, step, step * S, (d := rng.normal()), 1.2 * d)
    assert value(engine.params(19 * S), Param.LEAD_LAG_BETA)["tier"] == 0
    for step in range(19, 400):
        moved(engine, step, step * S, (d := rng.normal()), 1.2 * d)
    row = value(engine.params(400 * S), Param.LEAD_LAG_BETA)
    assert row["tier"] == 1
    assert row["value"] == pytest.approx(1.2, abs=0.1)
    assert value(engine.params(402 * S), Param.LEAD_LAG_BETA, symbol=1)["tier"] == 0


def test_overlapping_moves_count_as_the_part_they_do_not_share() -> None:
    engine = LearningEngine(config())
    moved(engine, 1, 100 * S, 1.0, 1.0)
    for step in range(1, 101):
        moved(engine, 1 + step, 100 * S + step * S // 10, 1.0, 1.0)
    assert value(engine.params(111 * S), Param.LEAD_LAG_BETA)["observations"] == 11


def test_a_move_without_its_prediction_teaches_volatility_only() -> None:
    engine = LearningEngine(config())
    engine.on_labels(label(LabelKind.MID_MOVE, S, cause_seq=5, move_bps=3.0))
    rows = engine.params(S)
    assert value(rows, Param.SIGMA_BASELINE_BPS)["observations"] == 1
    assert value(rows, Param.LEAD_LAG_BETA)["observations"] == 0


def test_shadow_quotes_teach_kappa_calibration_and_adverse_selection() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(4)
    for step in range(1, 801):
        filled = bool(rng.random() < 0.3)
        engine.on_labels(
            label(
                LabelKind.SHADOW_QUOTE,
                step * S // 10,
                filled=filled,
                wait_ns=S if filled else 5 * S,
                depth_bps=0.1 if rng.random() < 0.5 else 1.0,
                expected_fills=0.2,
                realized_as_bps=2.5,
                toxicity=Toxicity.NORMAL,
            )
        )
    rows = engine.params(80 * S)
    scale = value(rows, Param.FILL_PROB_SCALE)
    assert scale["tier"] == 1
    assert scale["value"] == pytest.approx(1.5, abs=4 * scale["std"])
    adverse = value(rows, Param.ADVERSE_SELECTION_NORMAL_BPS)
    assert adverse["value"] == pytest.approx(2.5, abs=0.2)
    assert adverse["tier"] == 1
    assert value(rows, Param.ADVERSE_SELECTION_TOXIC_BPS)["tier"] == 0
    # The same fill rate at 0.1 and 1 bp: fills do not decay with distance here.
    assert value(rows, Param.KAPPA_PER_BPS)["value"] < 0.3


def test_a_market_twice_as_lively_is_a_scale_of_two_on_the_hazard() -> None:
    engine, rng = LearningEngine(config(learning__fill_halflife_s=1e6)), np.random.default_rng(6)
    for step in range(1, 8_001):
        wait_s = min(rng.exponential(1.0 / 0.6), 5.0)
        fields = {"filled": wait_s < 5.0, "wait_ns": int(wait_s * S), "expected_fills": 0.3 * wait_s}
        engine.on_labels(label(LabelKind.SHADOW_QUOTE, step * S // 8, **fields))
    found = value(engine.params(1_000 * S), Param.FILL_PROB_SCALE)
    # 100 expected fills stand for the prior of 1.
    assert found["value"] == pytest.approx(2.0, abs=0.08)
    assert found["tier"] == 1


def test_the_level_of_fills_is_followed_within_its_own_half_life() -> None:
    engine, scales = LearningEngine(config(learning__fill_halflife_s=30.0)), []
    for step in range(1, 6_001):
        filled = step % (4 if step < 3_000 else 2) == 0
        fields = {"filled": filled, "wait_ns": S, "expected_fills": 0.25}
        engine.on_labels(label(LabelKind.SHADOW_QUOTE, step * S // 20, **fields))
        if step in (2_999, 5_000):
            scales.append(float(value(engine.params(step * S // 20), Param.FILL_PROB_SCALE)["value"]))
    assert scales[0] == pytest.approx(1.0, abs=0.02)
    assert scales[1] > 1.6


def _virtual_fill(ts_ns: int, predicted_bps: float, realized_bps: float, **fields: Any) -> np.ndarray:
    return label(
        LabelKind.SHADOW_MARKOUTS,
        ts_ns,
        cause_ts_ns=ts_ns - 61 * S,
        wait_ns=S,
        horizon_ns=5 * S,
        predicted_edge_bps=predicted_bps,
        realized_edge_bps=realized_bps,
        **fields,
    )


def test_the_bias_of_the_queue_value_is_learned_once_whatever_it_was_when_predicting() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(3)
    published = {-61: 0.0}
    for second in range(1, 1501):
        found = value(engine.params(second * S), Param.QUEUE_VALUE_BIAS_BPS)
        published[second] = bias = float(found["value"])
        # The model says 1 bp plus the bias that features had a minute ago; fills are worth 0.3 bps.
        predicted = 1.0 + published.get(second - 61, 0.0)
        engine.on_labels(_virtual_fill(second * S, predicted, 0.3 + rng.normal(0.0, 1.0)))
    assert found["tier"] == 1
    assert bias == pytest.approx(-0.7, abs=0.15)
    assert bias == pytest.approx(np.mean([published[second] for second in range(1300, 1500)]), abs=0.1)
    assert engine.loops()["queue_value_bias"]["inputs"] == 1500


def test_fills_of_one_horizon_are_one_observation_of_the_bias() -> None:
    engine = LearningEngine(config())
    for step in range(100):
        engine.on_labels(_virtual_fill(100 * S + step, 1.0, 0.0))
    assert value(engine.params(100 * S), Param.QUEUE_VALUE_BIAS_BPS)["observations"] == 0
    engine.on_labels(_virtual_fill(106 * S, 1.0, 0.0))
    assert value(engine.params(107 * S), Param.QUEUE_VALUE_BIAS_BPS)["observations"] == 1


def test_what_nobody_saw_teaches_nothing_and_is_no_bad_number() -> None:
    engine = LearningEngine(config())
    unseen = {"horizon_ns": 0, "move_bps": np.nan, "realized_as_bps": np.nan, "realized_edge_bps": np.nan}
    fields = {"filled": 1, "wait_ns": S, "expected_fills": 0.5, **unseen}
    for kind in (LabelKind.SHADOW_QUOTE, LabelKind.FILL_MARKOUT, LabelKind.SHADOW_MARKOUTS):
        engine.on_labels(label(kind, 70 * S, **fields))
    inputs = {name: loop["inputs"] for name, loop in engine.loops().items()}
    assert (inputs["adverse_selection"], inputs["queue_value_bias"], inputs["fill_prob"]) == (0, 0, 1)
    assert engine.counters[Counter.BAD_NUMBER] == 0


def test_a_censored_quote_says_nothing_about_the_chance_of_a_fill() -> None:
    engine = LearningEngine(config())
    row = label(LabelKind.SHADOW_QUOTE, S, wait_ns=S, expected_fills=0.5, outcome=Outcome.CANCELLED)
    engine.on_labels(row)
    assert engine.loops()["fill_prob"]["inputs"] == 0


def test_markouts_are_kept_as_means_and_ours_one_by_one() -> None:
    engine = LearningEngine(config())
    for step in range(4):
        engine.on_labels(_virtual_fill((70 + step) * S, 1.0, 0.5, side=1, markouts_bps=float(step)))
    engine.on_labels(label(LabelKind.FILL_MARKOUTS, 80 * S, cause_seq=77, side=-1, markouts_bps=-1.0))
    engine.params(80 * S)
    rows = [row for row in engine.drain_rows() if "markouts" in row.table]
    assert [row.table for row in rows] == ["fill_markouts", "markouts"]
    ours, means = rows[0].columns, rows[1].columns
    assert (ours["tid"], ours["markout_100ms"], ours["markout_60000ms"]) == (77, -1.0, -1.0)
    assert (means["fills"], means["edge_bps"], means["predicted_edge_bps"]) == (4, 0.5, 1.0)
    assert (means["side"], means["markout_60000ms"]) == (1, 1.5)
    again = LearningEngine(config())
    again.restore(engine.state())
    again.on_labels(_virtual_fill(90 * S, 1.0, 0.5, side=1, markouts_bps=6.5))
    again.params(90 * S)
    row = next(row for row in again.drain_rows() if row.table == "markouts")
    assert (row.columns["fills"], row.columns["markout_100ms"]) == (5, 2.5)


def test_learned_values_fade_back_to_the_prior() -> None:
    engine = LearningEngine(config(learning__decay_halflife_min=1.0))
    for step in range(1, 101):
        moved(engine, step, step * S, 1.0, 1.5)
    assert value(engine.params(100 * S), Param.LEAD_LAG_BETA)["tier"] == 1
    row = value(engine.params(4000 * S), Param.LEAD_LAG_BETA)
    assert (row["tier"], row["value"]) == (0, config().priors.lead_lag_beta)


def test_disabled_learning_keeps_the_priors() -> None:
    engine = LearningEngine(config(learning__enabled=False))
    for step in range(1, 101):
        moved(engine, step, step * S, 1.0, 1.5)
    row = value(engine.params(100 * S), Param.LEAD_LAG_BETA)
    assert (row["tier"], row["value"]) == (0, config().priors.lead_lag_beta)


def test_predictions_and_fills_become_scored_rows() -> None:
    engine = LearningEngine(config())
    moved(engine, 9, 5 * S, 1.0, 2.0)
    context, report = np.zeros(1, FILL_CONTEXT), np.zeros(2, REPORT)
    context["tid"], context["predicted_edge_bps"], context["predicted_uncertainty_bps"] = 77, 0.5, 0.2
    report["kind"], report["tid"], report["qty_lots"] = [ReportKind.FILL, ReportKind.ACK], 77, 3
    engine.on_fill_contexts(context)
    engine.on_reports(report)
    engine.on_labels(
        label(LabelKind.FILL_MARKOUT, 6 * S, cause_seq=77, realized_edge_bps=-0.4, realized_as_bps=1)
    )
    rows = engine.drain_rows()
    assert [row.table for row in rows].count("fills") == 3
    scored = {row.columns["kind"]: row.columns for row in rows if row.table == "predictions"}
    assert scored["mid_move"]["realized_bps"] == 2.0
    assert scored["mid_move"]["made_ts_ns"] == 4 * S
    assert (scored["fill_edge"]["predicted_bps"], scored["fill_edge"]["realized_bps"]) == (0.5, -0.4)
    assert scored["fill_edge"]["realized_as_bps"] == 1.0
    assert engine.drain_rows() == []
    assert engine.counters[Counter.SCORED] == 2
    assert engine.counters[Counter.FILLS] == 1


@pytest.mark.parametrize("field", ["move_bps", "realized_as_bps", "expected_fills", "depth_bps"])
def test_bad_numbers_are_counted_and_teach_nothing(field: str) -> None:
    engine = LearningEngine(config())
    for bad in (np.nan, np.inf):
        for kind in LabelKind:
            engine.on_labels(label(kind, S, wait_ns=1, filled=1, **{field: bad}))
    engine.on_labels(label(LabelKind.MID_MOVE, S, symbol=63))
    engine.on_labels(label(LabelKind.MID_MOVE, S, toxicity=9))
    row = label(LabelKind.MID_MOVE, S)
    row["kind"] = 99
    engine.on_labels(row)
    assert engine.counters[Counter.BAD_NUMBER] == 2 * len(LabelKind) + 3
    assert engine.counters[Counter.LABELS] == 0
    assert not engine.drain_rows()
    assert not engine.params(S)["observations"].any()


def test_a_restart_continues_where_it_stopped() -> None:
    engine, again = LearningEngine(config()), LearningEngine(config())
    for step in range(1, 101):
        moved(engine, step, step * S, 1.0, 1.5)
    again.restore(engine.state())
    want, got = engine.params(100 * S), again.params(100 * S)
    assert np.array_equal(want["value"], got["value"])
    assert value(got, Param.LEAD_LAG_BETA)["tier"] == 1
    saved = engine.state_row(0)
    assert (saved.table, saved.columns["key"]) == ("model_state", STATE_KEY)
    with pytest.raises(ValueError, match="version 0"):
        again.restore({**engine.state(), "version": 0})


def test_loops_say_what_they_consumed_and_when_they_last_changed() -> None:
    engine = LearningEngine(config())
    engine.params(0)
    assert all(loop["updates"] == 0 and loop["age_s"] is None for loop in engine.loops().values())
    for step in range(1, 101):
        moved(engine, step, step * S, 1.0, 1.5)
    engine.params(100 * S)
    engine.params(103 * S)
    loops = engine.loops()
    assert set(loops) == set(LOOPS)
    assert {"adverse_selection", "kappa", "fill_prob", "sigma_baseline", "queue_value_bias"} <= set(loops)
    assert loops["lead_lag_beta"]["inputs"] == 100
    assert loops["lead_lag_beta"]["updates"] >= 1
    assert loops["lead_lag_beta"]["consumer"] == "alpha.lead_lag"
    assert loops["lead_lag_beta"]["age_s"] == 0.0 or loops["lead_lag_beta"]["age_s"] == 3.0
    assert loops["kappa"]["inputs"] == 0


def judged(engine: LearningEngine, rng: np.random.Generator, start: int, count: int, line: tuple) -> None:
    # One aggressor a second; his belief is right up to a line on the logit.
    slope, intercept = line
    for step in range(start, start + count):
        logit = rng.normal(-1.0, 2.0)
        toxic = rng.random() < 1.0 / (1.0 + np.exp(-(slope * logit + intercept)))
        belief, ts_ns = 1.0 / (1.0 + np.exp(-logit)), step * S
        fields = {"predicted_fill_prob": belief, "filled": toxic, "cause_ts_ns": ts_ns - S}
        engine.on_labels(label(LabelKind.TRADE, ts_ns, **fields))


def test_toxicity_is_calibrated_by_what_came_of_trades() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(0)
    judged(engine, rng, 2, 10, (0.5, -0.4))
    early = engine.params(12 * S)
    assert (value(early, Param.TOXICITY_SLOPE)["value"], value(early, Param.TOXICITY_SLOPE)["tier"]) == (1, 0)
    judged(engine, rng, 12, 1_500, (0.5, -0.4))
    rows = engine.params(1_512 * S)
    for param, true in ((Param.TOXICITY_SLOPE, 0.5), (Param.TOXICITY_INTERCEPT, -0.4)):
        row = value(rows, param)
        assert row["tier"] == 1
        assert abs(row["value"] - true) < 3.0 * row["std"] < 0.4
        assert value(rows, param, symbol=1)["tier"] == 0
    loop = engine.loops()["toxicity"]
    assert (loop["inputs"], loop["consumer"]) == (1_510, "features.toxicity")
    assert loop["updates"] == 2
    stored = [row for row in engine.drain_rows() if row.columns.get("kind") == "TRADE"]
    assert len(stored) == -(-1_510 // TRADE_ROW_EVERY)
    assert engine.counters[Counter.LABELS] == 1_510


def test_aggressors_of_one_burst_count_as_the_seconds_they_fill() -> None:
    engine = LearningEngine(config())
    for step in range(500):
        fields = {"predicted_fill_prob": 0.2, "filled": step % 2, "cause_ts_ns": 10 * S + step * S // 100}
        engine.on_labels(label(LabelKind.TRADE, 11 * S + step * S // 100, **fields))
    row = value(engine.params(16 * S), Param.TOXICITY_INTERCEPT)
    assert row["observations"] <= 6
    assert row["tier"] == 0


def test_a_belief_that_means_nothing_is_published_as_slope_0_and_the_base_rate() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(1)
    judged(engine, rng, 2, 1_000, (-0.5, -2.0))
    rows = engine.params(1_002 * S)
    assert value(rows, Param.TOXICITY_SLOPE)["value"] == 0.0
    base = 1.0 / (1.0 + np.exp(-value(rows, Param.TOXICITY_INTERCEPT)["value"]))
    assert 0.1 < base < 0.3


@pytest.mark.parametrize("wrong", [{"predicted_fill_prob": 1.5}, {"horizon_ns": 0}])
def test_a_trade_label_that_cannot_be_is_counted(wrong: dict[str, Any]) -> None:
    engine = LearningEngine(config())
    engine.on_labels(label(LabelKind.TRADE, 5 * S, **wrong))
    assert engine.counters[Counter.BAD_NUMBER] == 1
    assert engine.loops()["toxicity"]["inputs"] == 0
