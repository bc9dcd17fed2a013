"""A SNAPSHOT says what its state holds at the moment of its event: windows, unseen levels, our place."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.config import load
from mmpipe.enums import Counter, EventFlag, EventKind, FeedState, ReportKind, Trigger, Venue
from mmpipe.features import rolling
from mmpipe.models.snapshot_engine import EVENTS_MAX, SnapshotEngine
from mmpipe.records import EVENT, INSTRUMENT, REPORT
from mmpipe.units import lot_qty, tick_px

MS = 1_000_000
SIZE_DECIMALS = 4
BID, ASK = 430_000, 430_010
CONFIG = load(Path(__file__).parents[3] / "pipeline.toml")


class Market:
    """One symbol, fed row by row."""

    def __init__(self, levels: int = 12) -> None:
        rows = np.zeros(1, INSTRUMENT)
        rows["size_decimals"], rows["tick_px"] = SIZE_DECIMALS, tick_px(SIZE_DECIMALS)
        rows["lot_qty"], rows["ticks_per_unit"] = lot_qty(SIZE_DECIMALS), 100
        self.engine = SnapshotEngine(CONFIG, rows)
        self.now_ns, self.seq = 1_000_000 * MS, 0
        self.add(EventKind.STATUS, level=FeedState.LIVE)
        self.add(EventKind.BOOK_CLEAR, flags=0)
        for step in range(levels):
            self.add(EventKind.BOOK_DELTA, 1, BID - 10 * step, 5.0, flags=0)
            self.add(EventKind.BOOK_DELTA, -1, ASK + 10 * step, 5.0, flags=int(step == levels - 1))

    def add(
        self, kind: EventKind, side: int = 0, tick: int = 0, qty: float = 0.0, **fields: float
    ) -> np.ndarray:
        row = np.zeros(1, EVENT)
        row["kind"], row["side"], row["px_tick"], row["qty"] = kind, side, tick, qty
        row["px"], row["flags"] = tick * tick_px(SIZE_DECIMALS), EventFlag.LAST
        self.seq += 1
        row["local_ts_ns"] = row["exch_ts_ns"] = self.now_ns
        row["seq"] = self.seq
        for name, value in fields.items():
            row[name] = value
        return self.engine.on_events(row, self.seq).copy()

    def timer(self, ms: int = 100) -> np.ndarray:
        self.now_ns += ms * MS
        return self.add(EventKind.TIMER)[0]

    def report(self, kind: ReportKind, side: int, tick: int, lots: int) -> None:
        row = np.zeros(1, REPORT)
        row["kind"], row["side"], row["px_tick"], row["qty_lots"], row["order_id"] = kind, side, tick, lots, 7
        self.engine.on_reports(row)


def test_windows_are_of_the_moment_of_the_event_not_of_the_last_timer() -> None:
    market = Market()
    market.timer()
    market.add(EventKind.TRADE, 1, ASK, 1.0)
    market.add(EventKind.BOOK_DELTA, 1, BID, 8.0)
    assert market.timer(0)["ofi_500ms"] == pytest.approx(3.0)
    market.now_ns += 499 * MS
    [snapshot] = market.add(EventKind.BOOK_DELTA, -1, ASK, 6.0)
    assert (snapshot["trigger"], snapshot["ofi_500ms"]) == (Trigger.BBO, pytest.approx(3.0 - 1.0))
    market.now_ns += 1 * MS
    [snapshot] = market.add(EventKind.BOOK_DELTA, -1, ASK, 5.0)
    assert snapshot["ofi_500ms"] == pytest.approx(-1.0 + 1.0)
    assert snapshot["ofi_500ms_lags"][0] == pytest.approx(3.0)
    assert snapshot["ofi_2s"] == pytest.approx(3.0)
    assert snapshot["trades_in_2s"] == 1
    market.now_ns += 1_499 * MS
    assert market.timer(0)["vwap_direction"] == 1.0
    assert market.timer(1)["vwap_direction"] == 0.0
    assert market.timer(0)["trades_in_2s"] == 0


def test_flow_behind_the_touch_is_seen_by_the_levels_alone() -> None:
    market = Market()
    market.add(EventKind.BOOK_DELTA, 1, BID - 20, 45.0)
    snapshot = market.timer(10)
    assert snapshot["ofi_500ms"] == 0.0
    assert snapshot["mlofi_500ms"] == pytest.approx(40.0 * 377 / 2389 / (90.0 / 10))
    assert market.timer(500)["mlofi_500ms_lags"][0] == pytest.approx(snapshot["mlofi_500ms"], rel=1e-6)


def test_a_level_the_book_never_showed_is_unseen_not_empty() -> None:
    market = Market(levels=3)
    market.add(EventKind.BOOK_DELTA, 1, BID - 30, 100.0)  # a fourth bid, no fourth ask
    snapshot = market.timer()
    assert snapshot["bid_age_ms"].tolist() == [100.0] * 4 + [-1.0] * 6
    assert snapshot["ask_age_ms"].tolist() == [100.0] * 3 + [-1.0] * 7
    assert snapshot["bid_depth_qty"][3] == 100.0
    assert snapshot["imbalance"] == 0.0  # over the three levels that both sides show


def test_the_microprice_starts_as_the_mid_weighted_by_quantity() -> None:
    market = Market()
    market.add(EventKind.BOOK_DELTA, 1, BID, 15.0)
    snapshot = market.timer()
    weighted_px = (snapshot["best_bid_px"] * 5.0 + snapshot["best_ask_px"] * 15.0) / 20.0
    assert snapshot["microprice_px"] == pytest.approx(weighted_px, rel=1e-12)


def test_a_book_after_a_gap_is_a_beginning_not_a_change() -> None:
    market = Market()
    market.add(EventKind.GAP)
    market.add(EventKind.STATUS, level=FeedState.LIVE)
    market.add(EventKind.BOOK_CLEAR, flags=0)
    market.add(EventKind.BOOK_DELTA, 1, BID + 500, 9.0, flags=0)
    market.add(EventKind.BOOK_DELTA, -1, ASK + 500, 2.0)
    snapshot = market.timer(10)
    assert snapshot["best_bid_tick"] == BID + 500
    assert snapshot["ofi_500ms"] == snapshot["mlofi_500ms"] == 0.0
    assert market.engine._state["microprice"]["moves"][0] == 0.0


def test_the_microprice_is_estimated_at_a_timer_and_then_decides() -> None:
    # After a heavy side the mid moves a spread its way nine times of ten, whatever comes then.
    market, steps = Market(), int(CONFIG.features.microprice_interval_s * 10)
    rng, step_ticks, place, heavy = np.random.default_rng(4), 10, 0, 1
    weighted, found, sides = [], [], []
    for _ in range(2 * steps):
        place += step_ticks * (heavy if rng.uniform() < 0.9 else -heavy)
        heavy = 1 if rng.uniform() < 0.5 else -1
        market.add(EventKind.BOOK_CLEAR, flags=0)
        market.add(EventKind.BOOK_DELTA, 1, BID + place, 10.0 + 8.0 * heavy, flags=0)
        market.add(EventKind.BOOK_DELTA, -1, ASK + place, 10.0 - 8.0 * heavy)
        snapshot = market.timer()
        sides.append(heavy)
        found.append((snapshot["microprice_px"] - snapshot["mid_px"]) / tick_px(SIZE_DECIMALS) / step_ticks)
        weighted.append(0.4 * heavy)
    assert found[: steps - 1] == pytest.approx(weighted[: steps - 1], abs=1e-6)
    assert market.engine._state["microprice"]["updates"][0] >= 1
    # 0.9 - 0.1 of a spread, and nothing after that
    assert np.array(found[-100:]) * sides[-100:] == pytest.approx(np.full(100, 0.8), abs=0.08)


def test_our_rank_says_how_uncertain_it_is() -> None:
    market = Market()
    market.report(ReportKind.ACK, 1, BID, 10_000)  # one unit behind five
    assert market.timer()["bid_queue_rank_std"] == 0.0
    market.add(EventKind.BOOK_DELTA, 1, BID, 6.0)  # ours
    market.add(EventKind.BOOK_DELTA, 1, BID, 11.0)  # five behind us
    market.add(EventKind.BOOK_DELTA, 1, BID, 7.0)  # four were cancelled, nobody says where
    snapshot = market.timer()
    assert snapshot["bid_queue_rank"] == pytest.approx(3.0 / 7.0)
    assert snapshot["bid_queue_rank_std"] == pytest.approx(2.0 / 7.0, rel=1e-6)
    assert snapshot["ask_queue_rank_std"] == 0.0


def test_an_order_deeper_than_the_book_shows_is_behind_everything_and_may_be_anywhere() -> None:
    market = Market(levels=3)
    market.report(ReportKind.ACK, 1, BID - 500, 10_000)
    snapshot = market.timer()
    assert (snapshot["bid_queue_rank"], snapshot["bid_queue_rank_std"]) == (1.0, pytest.approx(12**-0.5))


def test_the_lead_s_touch_leans() -> None:
    market = Market()
    market.add(EventKind.BBO, 1, BID, 3.0, venue=Venue.LEAD, flags=0)
    market.add(EventKind.BBO, -1, ASK, 1.0, venue=Venue.LEAD)
    assert market.timer()["lead_imbalance"] == 0.5


def test_the_rows_of_one_sweep_excite_as_one_trade() -> None:
    sweep, single = Market(), Market()
    for tick in (ASK, ASK + 10, ASK + 20):
        sweep.add(EventKind.TRADE, 1, tick, 1.0)
    single.add(EventKind.TRADE, 1, ASK, 1.0)
    leaning = sweep.timer()["hawkes_asymmetry"]
    assert leaning == single.timer()["hawkes_asymmetry"] > 0.0
    assert sweep.timer()["hawkes_asymmetry"] < leaning


def test_what_finds_no_room_in_a_window_is_counted() -> None:
    market, more = Market(), 10
    rows = np.zeros(rolling.EVENTS_MAX + more, EVENT)
    rows["kind"], rows["side"], rows["px_tick"], rows["qty"] = EventKind.TRADE, 1, ASK, 1.0
    rows["px"], rows["flags"] = ASK * tick_px(SIZE_DECIMALS), EventFlag.LAST
    rows["local_ts_ns"] = rows["exch_ts_ns"] = market.now_ns + np.arange(len(rows))
    for at in range(0, len(rows), EVENTS_MAX):
        market.engine.on_events(rows[at : at + EVENTS_MAX], 1)
    market.timer(1)
    assert market.engine.counters[Counter.WINDOW_OVERFLOWS] == more
