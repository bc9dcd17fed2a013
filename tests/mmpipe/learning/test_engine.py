"""The engine learns from joined outcomes, publishes on time with the right tier, and survives a restart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config, load
from mmpipe.enums import Counter, LabelKind, Param, ReportKind, Toxicity
from mmpipe.learning.engine import STATE_KEY, LearningEngine
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
                predicted_fill_prob=0.2,
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


def test_calibration_does_not_chase_its_own_output() -> None:
    engine, rng = LearningEngine(config()), np.random.default_rng(6)
    scale = 1.0
    for second in range(1, 301):
        scale = float(value(engine.params(second * S), Param.FILL_PROB_SCALE)["value"])
        for _ in range(5):
            row = label(LabelKind.SHADOW_QUOTE, second * S + S // 2, filled=rng.random() < 0.4, wait_ns=S)
            row["predicted_fill_prob"], row["cause_ts_ns"] = 0.2 * scale, second * S + 1
            engine.on_labels(row)
    assert scale == pytest.approx(2.0, abs=0.25)


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


@pytest.mark.parametrize("field", ["move_bps", "realized_as_bps", "predicted_fill_prob", "depth_bps"])
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
    assert engine.counters[Counter.BAD_NUMBER] == 9
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
    assert set(loops) == {"lead_lag_beta", "adverse_selection", "kappa", "fill_prob", "sigma_baseline"}
    assert loops["lead_lag_beta"]["inputs"] == 100
    assert loops["lead_lag_beta"]["updates"] >= 1
    assert loops["lead_lag_beta"]["consumer"] == "alpha.lead_lag"
    assert loops["lead_lag_beta"]["age_s"] == 0.0 or loops["lead_lag_beta"]["age_s"] == 3.0
    assert loops["kappa"]["inputs"] == 0
