"""Virtual quotes in the line: where they join, what whole markets make of them, and what a fill costs."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.commands.replay import read_recording
from mmpipe.config import Config, load
from mmpipe.enums import (
    Counter,
    EventFlag,
    EventKind,
    FeedState,
    LabelKind,
    Outcome,
    Param,
    ReportKind,
    Toxicity,
)
from mmpipe.models.shadow_joins import PLACES
from mmpipe.models.snapshot_engine import EVENTS_MAX, LABELS_MAX, SnapshotEngine
from mmpipe.records import EVENT, INSTRUMENT, LABEL, MARKOUTS, PARAMS, REPORT, SNAPSHOT
from mmpipe.replay.timeline import timeline
from mmpipe.units import lot_qty, tick_px, ticks_per_unit
from tests.line.synthetic import synthetic_market

ROOT = Path(__file__).parents[3]
NORM = Path(os.environ.get("MMPIPE_DATA", "../shared/data")) / "norm"
MS, S = 1_000_000, 1_000_000_000
BID, STEP = 430_000, 10
DECIMALS = 4


@pytest.fixture(scope="module")
def config() -> Config:
    return load(ROOT / "pipeline.toml")


def _played(
    config: Config, events: np.ndarray, instruments: np.ndarray
) -> tuple[SnapshotEngine, np.ndarray, np.ndarray]:
    engine, seq = SnapshotEngine(config, instruments), 1
    snapshots, labels = [np.zeros(0, SNAPSHOT)], [np.zeros(0, LABEL)]
    for at in range(0, len(events), EVENTS_MAX):
        made = engine.on_events(events[at : at + EVENTS_MAX], seq)
        made["seq"] = seq + np.arange(len(made))
        seq += len(made)
        snapshots.append(made.copy())
        labels.append(engine.labels().copy())
    while len(tail := engine.flush(int(events["local_ts_ns"][-1]))):
        labels.append(tail.copy())
    return engine, np.concatenate(snapshots), np.concatenate(labels)


def _instruments() -> np.ndarray:
    rows = np.zeros(1, INSTRUMENT)
    rows["tick_px"], rows["lot_qty"] = tick_px(DECIMALS), lot_qty(DECIMALS)
    rows["ticks_per_unit"], rows["size_decimals"] = ticks_per_unit(DECIMALS), DECIMALS
    return rows


def _quiet(seconds: float, spread_steps: int = 2, timer_ms: int = 100) -> np.ndarray:
    rows = np.zeros(2_000, EVENT)
    rows["local_ts_ns"] = rows["exch_ts_ns"] = 10 * S
    count = 2
    rows["kind"][:2], rows["level"][0], rows["flags"][0] = [EventKind.STATUS, EventKind.BOOK_CLEAR], 2, 1
    rows["level"][0] = FeedState.LIVE
    for level in range(10):
        for side, tick in ((1, BID - STEP * level), (-1, BID + STEP * (spread_steps + level))):
            rows["kind"][count], rows["side"][count] = EventKind.BOOK_DELTA, side
            rows["px_tick"][count], rows["qty"][count] = tick, 3.0 + level
            count += 1
    rows["flags"][count - 1] = EventFlag.LAST
    for number in range(1, int(seconds * 1e3 / timer_ms) + 1):
        rows["kind"][count], rows["flags"][count] = EventKind.TIMER, EventFlag.LAST
        rows["local_ts_ns"][count] = 10 * S + number * timer_ms * MS
        count += 1
    rows["px"] = rows["px_tick"] * tick_px(DECIMALS)
    return rows[:count]


def test_they_join_the_best_and_one_step_on_either_side_of_it_from_varying_places(config: Config) -> None:
    engine, snapshots, labels = _played(config, _quiet(30.0), _instruments())
    quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
    # The step before the best bid and the one before the best ask are one price, empty on both sides.
    first = quotes[quotes["cause_seq"] == quotes["cause_seq"][0]]
    assert sorted(zip(first["side"].tolist(), first["level"].tolist(), strict=True)) == [
        (-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)
    ]  # fmt: skip
    assert first["ahead_qty"][first["level"] == 0].tolist() == [3.0, 3.0]
    assert first["ahead_qty"][first["level"] == -1].tolist() == [4.0, 4.0]
    assert first["ahead_qty"][first["level"] == 1].tolist() == [0.0, 0.0]
    assert first["depth_bps"][first["level"] == 1] == pytest.approx([0.0, 0.0], abs=1e-9)
    seqs = np.unique(quotes["cause_seq"])
    at_best = quotes[(quotes["level"] == 0) & (quotes["side"] == 1)]
    assert at_best["queue_rank"].tolist() == [PLACES[number % len(PLACES)] for number in range(len(seqs))]
    assert engine.counters[Counter.SHADOW_QUOTES] == len(quotes)
    joined = snapshots[np.isin(snapshots["seq"], seqs)]
    assert (joined["ts_ns"] == np.unique(quotes["cause_ts_ns"])).all()


def test_nobody_trades_and_every_quote_waits_out_its_horizon(config: Config) -> None:
    _, _, labels = _played(config, _quiet(30.0), _instruments())
    quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
    ended = quotes[quotes["outcome"] == Outcome.HORIZON]
    assert len(ended) > 100
    assert (ended["wait_ns"] == config.features.shadow_horizon_ms * MS).all()
    # Built in, nothing competes: the chance that was said is that of the hazard over the whole wait.
    assert 1.0 - np.exp(-ended["expected_fills"]) == pytest.approx(ended["predicted_fill_prob"])
    censored = quotes[quotes["outcome"] != Outcome.HORIZON]
    assert (censored["outcome"] == Outcome.CANCELLED).all()
    assert (censored["cause_ts_ns"] > 40 * S - config.features.shadow_horizon_ms * MS).all()


def test_a_level_that_is_not_shown_is_not_joined(config: Config) -> None:
    events = _quiet(3.0)
    deeper = (events["kind"] == EventKind.BOOK_DELTA) & (np.abs(events["px_tick"] - (BID + STEP)) > STEP)
    events["flags"][np.flatnonzero(events["kind"] == EventKind.BOOK_DELTA)[-1]] = 0
    events = events[~deeper]
    events["flags"][np.flatnonzero(events["kind"] == EventKind.BOOK_DELTA)[-1]] = EventFlag.LAST
    _, _, labels = _played(config, events, _instruments())
    quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
    assert set(quotes["level"].tolist()) == {0, 1}


def test_the_bias_in_force_is_in_the_prediction_of_quotes_and_of_the_touch(config: Config) -> None:
    events, instruments = _quiet(9.0), _instruments()
    values = []
    for bias_bps in (0.0, 0.75):
        engine = SnapshotEngine(config, instruments)
        params = np.zeros(1, PARAMS)
        params["param"], params["value"] = Param.QUEUE_VALUE_BIAS_BPS, bias_bps
        engine.on_params(params)
        touch = engine.on_events(events, 1)["bid_queue_value_bps"][-1]
        labels = engine.labels()
        quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
        values.append((touch, quotes["predicted_edge_bps"].max()))
    assert np.array(values[1]) - np.array(values[0]) == pytest.approx([0.75, 0.75])


def test_our_own_fill_is_judged_at_exact_moments_from_the_mid_of_its_decision(config: Config) -> None:
    events = _quiet(70.0)
    engine = SnapshotEngine(config, _instruments())
    report = np.zeros(1, REPORT)
    report["kind"], report["side"], report["tid"], report["ts_ns"] = ReportKind.FILL, 1, 77, 12 * S + 5
    report["px_tick"], report["qty_lots"] = BID, 100
    report["decision_mid_px"] = (BID + 2 * STEP) * tick_px(DECIMALS)
    labels = []
    for at in range(0, len(events), 10):
        if int(events["local_ts_ns"][at]) > 12 * S and not labels:
            engine.on_reports(report)
        engine.on_events(events[at : at + 10], 1)
        if int(events["local_ts_ns"][at]) > 12 * S:
            labels.append(engine.labels().copy())
    rows = np.concatenate(labels)
    early = rows[rows["kind"] == LabelKind.FILL_MARKOUT][0]
    late = rows[rows["kind"] == LabelKind.FILL_MARKOUTS][0]
    assert (early["cause_seq"], late["cause_seq"], early["horizon_ns"]) == (77, 77, S)
    step_bps = STEP / (BID + 2 * STEP) * 1e4
    assert late["depth_bps"] == pytest.approx(2 * step_bps)
    assert late["realized_as_bps"] == pytest.approx(step_bps)
    assert late["realized_edge_bps"] == pytest.approx(step_bps)
    assert not late["markouts_bps"].any()


def test_a_flush_in_parts_loses_nothing(config: Config) -> None:
    engine = SnapshotEngine(config, _instruments())
    ends, fills = engine._state["fill_ends"], engine._state["fills"]
    ends["head"], fills["side"] = LABELS_MAX + 500, 1
    fills["filled_ts_ns"], fills["cause_seq"] = 100 * S, np.arange(fills.shape[1])
    parts = []
    while len(part := engine.flush(100 * S)):
        parts.append(part.copy())
    assert [len(part) for part in parts] == [LABELS_MAX, 500]
    assert np.concatenate(parts)["cause_seq"].tolist() == list(range(LABELS_MAX + 500))


@pytest.fixture(scope="module")
def thin(config: Config) -> np.ndarray:
    """LABELs of the embedded market `thin`."""
    maker, _, instrument = synthetic_market("thin", 3, 150.0)
    return _played(config, np.concatenate(list(timeline([maker], config.feed))), instrument)[2]


def test_a_passive_fill_is_followed_by_a_move_against_it(thin: np.ndarray) -> None:
    # DeLise (2024): the negative drift of passive fills, which a simulator must show to be of use.
    fills = thin[thin["kind"] == LabelKind.SHADOW_MARKOUTS]
    assert len(fills) > 100
    quotes = thin[(thin["kind"] == LabelKind.SHADOW_QUOTE) & (thin["filled"] == 1)]
    since_decision, at_once = -quotes["realized_as_bps"], fills["markouts_bps"][:, 0]
    for moves, errors in ((since_decision, 4.0), (at_once, 2.0)):
        moves = moves[np.isfinite(moves)]
        assert moves.mean() < -errors * moves.std() / np.sqrt(len(moves))


def test_outcomes_of_the_embedded_market_are_complete(thin: np.ndarray) -> None:
    quotes = thin[thin["kind"] == LabelKind.SHADOW_QUOTE]
    filled = quotes[quotes["outcome"] == Outcome.FILLED]
    assert (filled["filled"] == 1).all()
    assert (quotes["filled"][quotes["outcome"] != Outcome.FILLED] == 0).all()
    for outcome in (Outcome.FILLED, Outcome.ADVERSE):
        assert (quotes["outcome"] == outcome).sum() > 20, outcome.name
    assert len(np.unique(quotes[["cause_seq", "side", "level"]])) == len(quotes)
    assert set(quotes["toxicity"].tolist()) <= set(Toxicity)


def test_the_place_in_the_queue_is_worth_something(thin: np.ndarray) -> None:
    quotes = thin[(thin["kind"] == LabelKind.SHADOW_QUOTE) & (thin["level"] == 0)]
    front, back = quotes[quotes["queue_rank"] == min(PLACES)], quotes[quotes["queue_rank"] == 1.0]
    assert len(front) > 50
    assert front["filled"].mean() > back["filled"].mean()


@pytest.fixture(scope="module")
def recorded(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """SNAPSHOTs and LABELs of half an hour of ETH."""
    path = NORM / "hl_ETH_20250904.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent: set MMPIPE_DATA to the folder of recorded markets")
    recording = read_recording(path)
    events = np.concatenate(list(timeline([recording.events], config.feed)))
    return _played(config, events, recording.instruments)[1:]


def test_a_recorded_market_is_labelled_from_end_to_end(recorded: tuple[np.ndarray, np.ndarray]) -> None:
    snapshots, labels = recorded
    quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
    for outcome in (Outcome.FILLED, Outcome.ADVERSE, Outcome.HORIZON, Outcome.CANCELLED):
        assert (quotes["outcome"] == outcome).sum() > 20, outcome.name
    first_ns, last_ns = int(snapshots["ts_ns"][0]), int(snapshots["ts_ns"][-1])
    gaps = np.diff(np.unique(np.concatenate(([first_ns], quotes["cause_ts_ns"], [last_ns]))))
    # One hole of 17.5 s is in the data; otherwise there is no stretch without a label.
    assert np.sort(gaps)[-2:].tolist() == pytest.approx([4e9, 18.5e9], abs=4e9)
    joined = snapshots[snapshots["seq"] == quotes["cause_seq"][0]][0]
    assert joined["mid_px"] == quotes["mid_px"][0]
    assert joined["ts_ns"] == quotes["cause_ts_ns"][0]


def test_markouts_of_a_recorded_market_are_nan_only_at_its_tail_and_its_hole(
    recorded: tuple[np.ndarray, np.ndarray],
) -> None:
    snapshots, labels = recorded
    fills = labels[labels["kind"] == LabelKind.SHADOW_MARKOUTS]
    filled_ns, end_ns = fills["cause_ts_ns"] + fills["wait_ns"], int(labels["ts_ns"].max())
    unseen = snapshots["ts_ns"][(snapshots["book_valid"] == 0)]
    horizons_ns = (np.array([0.1, 0.5, 1.0, 3.0, 5.0, 10.0, 30.0, 60.0]) * 1e9).astype(np.int64)
    assert fills["markouts_bps"].shape[1] == MARKOUTS == len(horizons_ns)
    for column, horizon_ns in enumerate(horizons_ns):
        due_ns = filled_ns + horizon_ns
        known = due_ns <= end_ns
        nearest = np.searchsorted(unseen, due_ns)
        near = np.minimum(
            np.abs(unseen[np.clip(nearest, 0, len(unseen) - 1)] - due_ns),
            np.abs(unseen[np.clip(nearest - 1, 0, len(unseen) - 1)] - due_ns),
        )
        nan = np.isnan(fills["markouts_bps"][:, column])
        assert (nan | known).all()
        assert (near[nan & known] <= 200 * MS).all()
        assert nan[~known].all()
    quotes = labels[labels["kind"] == LabelKind.SHADOW_QUOTE]
    assert np.isnan(quotes["realized_edge_bps"]).mean() < 0.01


def test_a_recorded_passive_fill_costs_what_the_requirement_says_it_does(
    recorded: tuple[np.ndarray, np.ndarray],
) -> None:
    fills = recorded[1][recorded[1]["kind"] == LabelKind.SHADOW_MARKOUTS]
    means = np.nanmean(fills["markouts_bps"], axis=0)
    assert (means[:5] < 0.0).all()
    for side in (1, -1):
        assert np.nanmean(fills["markouts_bps"][fills["side"] == side, 2]) < 0.0
