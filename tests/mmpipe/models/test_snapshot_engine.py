"""The features stage's work: finite snapshots, the same bytes in any batches, toxicity, labels, refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.config import Config, load
from mmpipe.enums import Counter, EventFlag, EventKind, FeedState, LabelKind, Side, Toxicity, Trigger, Venue
from mmpipe.models.snapshot_engine import SnapshotEngine
from mmpipe.records import EVENT, INSTRUMENT, SNAPSHOT
from mmpipe.units import lot_qty, tick_px, ticks_per_unit

MS = 1_000_000
SIZE_DECIMALS = 4


@pytest.fixture(scope="module")
def config() -> Config:
    return load(Path(__file__).parents[3] / "pipeline.toml")


def _instruments(count: int) -> np.ndarray:
    rows = np.zeros(count, INSTRUMENT)
    rows["size_decimals"], rows["symbol"] = SIZE_DECIMALS, np.arange(count)
    rows["tick_px"], rows["lot_qty"] = tick_px(SIZE_DECIMALS), lot_qty(SIZE_DECIMALS)
    rows["ticks_per_unit"] = ticks_per_unit(SIZE_DECIMALS)
    return rows


class Tape:
    """Events in the order they are written."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self.now_ns = 1_000 * MS

    def add(self, kind: EventKind, side: int = 0, tick: int = 0, qty: float = 0.0, **fields: float) -> None:
        row = np.zeros(1, EVENT)
        row["kind"], row["side"], row["px_tick"], row["qty"] = kind, side, tick, qty
        row["px"], row["flags"] = tick * tick_px(SIZE_DECIMALS), EventFlag.LAST
        row["local_ts_ns"], row["exch_ts_ns"], row["seq"] = self.now_ns, self.now_ns, len(self.rows) + 1
        for name, value in fields.items():
            row[name] = value
        self.rows.append(row)

    def start(self) -> None:
        self.add(EventKind.STATUS, level=FeedState.LIVE)
        self.add(EventKind.BOOK_CLEAR, flags=0)
        for step in range(12):
            self.add(EventKind.BOOK_DELTA, 1, 430_000 - 10 * step, 5.0 + step, flags=0)
            self.add(EventKind.BOOK_DELTA, -1, 430_010 + 10 * step, 5.0 + step, flags=0)
        self.add(EventKind.BBO, 1, 430_000, 5.0)

    def timers(self, count: int) -> None:
        for _ in range(count):
            self.now_ns += 100 * MS
            self.add(EventKind.TIMER)

    def events(self) -> np.ndarray:
        return np.concatenate(self.rows)


def _run(config: Config, events: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    engine = SnapshotEngine(config, _instruments(2))
    snapshots, labels, at, turn = [np.zeros(0, SNAPSHOT)], [engine.labels().copy()], 0, 0
    seq = 1
    while at < len(events):
        size = sizes[turn % len(sizes)]
        made = engine.on_events(events[at : at + size], seq)
        snapshots.append(made.copy())
        labels.append(engine.labels().copy())
        seq, at, turn = seq + len(made), at + size, turn + 1
    return np.concatenate(snapshots), np.concatenate(labels), engine.counters


def _finite(rows: np.ndarray) -> bool:
    fields = [rows[name] for name in rows.dtype.names or () if rows[name].dtype.kind == "f"]
    return all(bool(np.isfinite(field).all()) for field in fields)


odd = st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-300, 1e300])
event = st.tuples(
    st.sampled_from(list(EventKind)),
    st.sampled_from([1, -1, 1, -1, 0]),
    st.integers(429_980, 430_030),
    st.one_of(st.integers(0, 50).map(float), odd),
    st.sampled_from([Venue.MAKER, Venue.MAKER, Venue.LEAD]),
    st.sampled_from([0, 1, 1, 1, 2, 4, 5]),
    st.integers(0, 300),
    st.sampled_from([0, 0, 0, 1, 9]),
    st.one_of(st.none(), st.none(), st.none(), odd),
)


def _tape(rows: list[tuple]) -> np.ndarray:
    tape = Tape()
    tape.start()
    for kind, side, tick, qty, venue, flags, wait_ms, symbol, px in rows:
        tape.now_ns += wait_ms * MS
        fields = {"venue": venue, "flags": flags, "symbol": symbol, "level": FeedState.LIVE}
        if px is not None:
            fields["px"] = px
        tape.add(kind, side, tick, qty, **fields)
    tape.timers(3)
    return tape.events()


@given(st.lists(event, max_size=60), st.lists(st.integers(1, 20), min_size=1, max_size=5))
@settings(max_examples=80, deadline=None)
def test_snapshots_are_finite_and_the_same_bytes_in_any_batches(
    config: Config, rows: list[tuple], sizes: list[int]
) -> None:
    events = _tape(rows)
    snapshots, labels, counters = _run(config, events, [256])
    again, labels_again, counters_again = _run(config, events, sizes)
    assert _finite(snapshots)
    assert _finite(labels)
    assert snapshots.tobytes() == again.tobytes()
    assert labels.tobytes() == labels_again.tobytes()
    assert counters.tobytes() == counters_again.tobytes()
    timers = snapshots[snapshots["trigger"] == Trigger.TIMER]
    assert np.allclose(timers["regime_probs"].sum(axis=1), 1.0)
    valid = snapshots[snapshots["book_valid"] == 1]
    assert (valid["best_bid_tick"] < valid["best_ask_tick"]).all()
    assert (valid["spread_bps"] > 0.0).all()
    assert (np.abs(snapshots["imbalance"]) <= 1.0).all()


def test_the_touch_of_a_known_book(config: Config) -> None:
    tape = Tape()
    tape.start()
    tape.timers(1)
    row = _run(config, tape.events(), [256])[0][-2:-1]
    assert (row["trigger"][0], row["symbol"][0], row["book_valid"][0]) == (Trigger.TIMER, 0, 1)
    assert row["mid_px"][0] == pytest.approx(4300.05)
    assert row["bid_depth_qty"][0].tolist() == [5.0 + step for step in range(10)]
    assert row["ask_offset_tick"][0].tolist() == [10 * step for step in range(10)]
    assert row["imbalance"][0] == 0.0
    assert row["bid_age_ms"][0, 1] == 100.0


def test_regime_probabilities_sum_to_one_before_the_first_timer(config: Config) -> None:
    tape = Tape()
    tape.start()
    assert np.allclose(_run(config, tape.events(), [256])[0]["regime_probs"].sum(axis=1), 1.0)


def _trades(config: Config, sides: list[int], qty: float) -> np.ndarray:
    tape = Tape()
    tape.start()
    for count in range(40):
        tape.now_ns += 400 * MS
        tape.add(EventKind.TRADE, 1 if count % 2 else -1, 430_000, 0.5)
    if qty > 1.0:  # a cascade meets a book that leans with it
        against = -sides[0]
        for step in range(5):
            tick = 430_010 + 10 * step if against < 0 else 430_000 - 10 * step
            tape.add(EventKind.BOOK_DELTA, against, tick, 1.0)
    for side in sides:
        tape.now_ns += 40 * MS
        reach = 0 if qty <= 1.0 else side * 200  # it also goes through several levels
        tape.add(EventKind.TRADE, side, 430_000 + reach, qty)
    snapshots = _run(config, tape.events(), [256])[0]
    return snapshots[snapshots["trigger"] == Trigger.TRADE]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_three_large_trades_of_one_side_are_toxic_and_poison_only_that_side(
    config: Config, side: int
) -> None:
    rows = _trades(config, [side] * 3, 40.0)
    assert rows["toxicity"][39] == Toxicity.BENIGN
    assert rows["toxicity"][-1] == Toxicity.TOXIC
    bid_bps, ask_bps = rows["bid_queue_value_bps"][-1], rows["ask_queue_value_bps"][-1]
    assert (ask_bps < bid_bps) if side == Side.BUY else (bid_bps < ask_bps)
    assert min(bid_bps, ask_bps) < 0.0


def test_quiet_alternating_flow_stays_benign(config: Config) -> None:
    rows = _trades(config, [1, -1] * 20, 0.5)
    assert (rows["toxicity"] == Toxicity.BENIGN).all()


def test_history_is_no_flow_and_bad_numbers_are_counted(config: Config) -> None:
    tape = Tape()
    tape.start()
    tape.add(EventKind.TRADE, 1, 430_000, 1.0, flags=EventFlag.HISTORY)
    tape.add(EventKind.TRADE, 1, 430_000, np.nan)
    tape.add(EventKind.BOOK_DELTA, 1, 429_990, -1.0)
    snapshots, _, counters = _run(config, tape.events(), [256])
    assert not (snapshots["trigger"] == Trigger.TRADE).any()
    assert counters[Counter.BAD_NUMBER] == 2


def test_a_timer_snapshot_is_scored_after_its_horizon_by_the_mid_of_then(config: Config) -> None:
    tape = Tape()
    tape.start()
    tape.timers(1)
    tape.add(EventKind.BBO, 1, 430_020, 5.0, flags=0)
    tape.add(EventKind.BBO, -1, 430_030, 5.0)
    tape.timers(10)
    snapshots, labels, _ = _run(config, tape.events(), [7])
    first = labels[(labels["kind"] == LabelKind.MID_MOVE) & (labels["symbol"] == 0)][0]
    timers = np.flatnonzero((snapshots["trigger"] == Trigger.TIMER) & (snapshots["symbol"] == 0))
    assert first["cause_seq"] == timers[0] + 1
    assert first["horizon_ns"] == 1_000 * MS
    assert first["move_bps"] == pytest.approx(0.20 / 4300.05 * 1e4)


def test_a_shadow_bid_that_a_sweep_fills_before_a_fall_lost_money(config: Config) -> None:
    tape = Tape()
    tape.start()
    tape.timers(1)
    tape.now_ns += 10 * MS
    tape.add(EventKind.TRADE, -1, 429_900, 60.0)
    tape.add(EventKind.BBO, -1, 429_900, 5.0, flags=0)
    tape.add(EventKind.BBO, 1, 429_890, 5.0)
    tape.timers(15)
    labels = _run(config, tape.events(), [9])[1]
    filled = labels[(labels["kind"] == LabelKind.SHADOW_QUOTE) & (labels["filled"] == 1)]
    bids = filled[filled["side"] == 1]
    assert len(bids) >= 2
    assert (bids["realized_as_bps"] > 0.0).all()
    assert (bids["realized_edge_bps"] < 0.0).all()
    assert (filled["side"] == 1).all()


def test_after_a_gap_no_book_until_the_next_clear(config: Config) -> None:
    tape = Tape()
    tape.start()
    tape.add(EventKind.GAP)
    tape.timers(1)
    tape.start()
    tape.timers(1)
    snapshots, _, counters = _run(config, tape.events(), [256])
    timers = snapshots[(snapshots["trigger"] == Trigger.TIMER) & (snapshots["symbol"] == 0)]
    assert timers["book_valid"].tolist() == [0, 1]
    assert timers["mid_px"][0] == 0.0
    assert timers["book_generation"].tolist() == [1, 2]
    assert counters[Counter.GAPS] == 1
