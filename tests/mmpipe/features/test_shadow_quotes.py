"""Virtual quotes: worked numbers, the exact queue in any order of arrival, outcomes, what cannot be known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.l2 import BOOK, apply, judge
from mmpipe.enums import EventFlag, EventKind, LabelKind, Outcome
from mmpipe.features.markouts import FILL, FILL_ENDS, FILLS_MAX
from mmpipe.features.mid_path import MID_PATH, on_mid
from mmpipe.features.shadow_quotes import (
    SHADOW,
    SHADOW_ENDS,
    SHADOWS_MAX,
    censor,
    harvest,
    join,
    on_book,
    on_trade,
)
from mmpipe.records import EVENT, LABEL
from ringbuf.jit import kernel
from tests.oracles.queue_tracking import Level

MS = 1_000_000
TICK, STEP, ADVERSE_STEPS = 1_000, 10, 3
HORIZON_NS = 5_000 * MS
TRADE, BOOK_MESSAGE, LOST = 0, 1, 2


@kernel
def _play(
    books: np.ndarray, ends: np.ndarray, shadows: np.ndarray, rows: np.ndarray, kinds: np.ndarray
) -> None:
    for index in range(len(rows)):
        row = rows[index]
        ts_ns, exch_ns = row["local_ts_ns"], row["exch_ts_ns"]
        if kinds[index] == 0:
            side, tick = int(row["side"]), int(row["px_tick"])
            on_trade(ends[0], shadows, ts_ns, exch_ns, side, tick, row["qty"])
        elif kinds[index] == 2:
            censor(ends[0], shadows, ts_ns)
        else:
            apply(books[0], row)
            judge(books[0], row)
            if (int(row["flags"]) & 1) != 0:
                on_book(ends[0], shadows, books[0], ts_ns, exch_ns, 3)


class Market:
    """A book with levels each STEP ticks, mirrored for an ask; messages are told in terms of a bid."""

    def __init__(self, side: int, level_qty: float, ahead_share: float = 1.0, own_qty: float = 2.0) -> None:
        self.side, self.now_ns = side, 100 * MS
        self.books, self.ends = np.zeros(1, BOOK), np.zeros(1, SHADOW_ENDS)
        self.shadows, self.path = np.zeros(SHADOWS_MAX, SHADOW), np.zeros(1, MID_PATH)
        self.fill_ends, self.fills = np.zeros(1, FILL_ENDS), np.zeros(FILLS_MAX, FILL)
        self.told: list[tuple[int, np.ndarray]] = []
        on_mid(self.path[0], self.now_ns, 100.5)
        self.book({TICK: level_qty, TICK - 2 * STEP: 50.0}, ask=TICK + STEP)
        index = join(self.ends[0], self.shadows, self.books[0], side, self.at(TICK), ahead_share)
        assert index == 0
        shadow = self.shadows[:1]
        shadow["joined_ts_ns"], shadow["step"], shadow["own_qty"] = self.now_ns, STEP, own_qty
        shadow["mid_px"], shadow["cause_seq"] = 100.5, 9

    def at(self, tick: int) -> int:
        """The tick, or its mirror image around TICK + STEP / 2."""
        return tick if self.side > 0 else 2 * TICK + STEP - tick

    def tell(self, what: int, exch_ms: int | None = None, **fields: float) -> None:
        row = np.zeros(1, EVENT)
        row["local_ts_ns"] = self.now_ns
        row["exch_ts_ns"] = self.now_ns if exch_ms is None else exch_ms * MS
        for name, value in fields.items():
            row[name] = value
        row["px"] = row["px_tick"] * 0.1
        self.told.append((what, row))

    def trade(self, tick: int, qty: float, exch_ms: int | None = None) -> None:
        """By an aggressor against our side."""
        self.now_ns += MS
        self.tell(TRADE, exch_ms, side=-self.side, px_tick=self.at(tick), qty=qty)

    def book(self, levels: dict[int, float], ask: int, exch_ms: int | None = None) -> None:
        """Both sides anew; `levels` of our side."""
        self.now_ns += MS
        self.tell(BOOK_MESSAGE, exch_ms, kind=EventKind.BOOK_CLEAR)
        for tick, qty in levels.items():
            row = {"side": self.side, "px_tick": self.at(tick), "qty": qty}
            self.tell(BOOK_MESSAGE, exch_ms, kind=EventKind.BOOK_DELTA, **row)
        row = {"side": -self.side, "px_tick": self.at(ask), "qty": 5.0, "flags": EventFlag.LAST}
        self.tell(BOOK_MESSAGE, exch_ms, kind=EventKind.BOOK_DELTA, **row)
        self.play()

    def play(self) -> np.void:
        """The virtual quote after all that was told."""
        rows = np.concatenate([row for _, row in self.told]) if self.told else np.zeros(0, EVENT)
        kinds = np.array([kind for kind, _ in self.told], np.int64)
        self.told = []
        _play(self.books, self.ends, self.shadows, rows, kinds)
        return self.shadows[0]

    def label(self, ts_ns: int) -> np.ndarray:
        """LABELs at a TIMER."""
        self.play()
        labels = np.zeros(4, LABEL)
        labels["markouts_bps"] = 7.0  # rows are used again
        ends, fill_ends = self.ends[0], self.fill_ends[0]
        count = harvest(
            ends, self.shadows, fill_ends, self.fills, self.path[0], ts_ns, HORIZON_NS, 1.5, 3, labels, 0
        )
        return labels[:count]


@pytest.mark.parametrize("side", [1, -1])
def test_trades_take_the_front_then_ours_in_parts(side: int) -> None:
    market = Market(side, 10.0)
    market.trade(TICK, 9.0)
    market.trade(TICK, 2.0)
    shadow = market.play()
    assert (shadow["queue"]["ahead_qty"], shadow["own_qty"], shadow["outcome"]) == (0.0, 1.0, Outcome.WAITING)
    market.trade(TICK, 1.0)
    assert market.play()["outcome"] == Outcome.FILLED
    assert market.shadows[0]["ended_ts_ns"] == market.now_ns


@pytest.mark.parametrize("side", [1, -1])
def test_trades_of_the_other_side_or_at_better_prices_change_nothing(side: int) -> None:
    market = Market(side, 10.0)
    market.trade(TICK + STEP, 50.0)
    market.side = -side
    market.tell(TRADE, side=side, px_tick=TICK if side > 0 else market.at(TICK), qty=50.0)
    assert market.play()["queue"]["ahead_qty"] == 10.0


@pytest.mark.parametrize("side", [1, -1])
def test_a_cancel_is_ahead_in_proportion_and_a_trade_explains_its_part(side: int) -> None:
    market = Market(side, 20.0, ahead_share=0.5)
    market.trade(TICK, 4.0)
    market.book({TICK: 8.0, TICK - 20: 50.0}, TICK + STEP)  # 4 traded; of 16 left, 6 ahead, 8 cancelled
    assert market.play()["queue"]["ahead_qty"] == pytest.approx(3.0)


def test_a_trade_through_or_a_touch_that_reaches_the_price_fills() -> None:
    through = Market(1, 10.0)
    through.trade(TICK - 1, 0.1)
    assert through.play()["outcome"] == Outcome.FILLED
    reached = Market(1, 10.0)
    reached.book({TICK - STEP: 5.0}, ask=TICK)
    assert reached.play()["outcome"] == Outcome.FILLED


@pytest.mark.parametrize("side", [1, -1])
def test_left_behind_is_told_from_not_yet(side: int) -> None:
    market = Market(side, 10.0)
    market.book({TICK + 2 * STEP: 1.0, TICK: 10.0}, TICK + 3 * STEP)
    assert market.play()["outcome"] == Outcome.WAITING
    market.book({TICK + 3 * STEP: 1.0, TICK: 10.0}, TICK + 4 * STEP)
    assert market.play()["outcome"] == Outcome.ADVERSE


def test_an_unseen_level_is_not_an_empty_one_and_an_empty_one_is() -> None:
    market = Market(1, 10.0)
    market.book({TICK + STEP: 1.0}, TICK + 2 * STEP)  # nothing below is shown
    assert market.play()["queue"]["ahead_qty"] == 10.0
    market.book({TICK - STEP: 1.0}, TICK + 2 * STEP)  # the best is below: everybody before us has gone
    assert market.play()["queue"]["ahead_qty"] == 0.0
    assert market.shadows[0]["outcome"] == Outcome.WAITING


def test_a_trade_the_joined_book_shows_already_is_not_lived_through() -> None:
    market = Market(1, 10.0)
    market.trade(TICK - 5, 50.0, exch_ms=101)  # of the very block of the book that was joined
    shadow = market.play()
    assert (shadow["outcome"], shadow["queue"]["ahead_qty"]) == (Outcome.WAITING, 10.0)


def test_the_book_before_its_trades_or_after_counts_them_once() -> None:
    for book_first in (True, False):
        market = Market(1, 20.0, ahead_share=0.5)
        steps = [
            lambda market=market: market.book({TICK: 13.0, TICK - 20: 50.0}, TICK + STEP, exch_ms=200),
            lambda market=market: market.trade(TICK, 3.0, exch_ms=200),
        ]
        for step in steps if book_first else reversed(steps):
            step()
        # 3 traded: 7 ahead of 17; 4 of them cancelled, 7 / 17 of which were ahead.
        assert market.play()["queue"]["ahead_qty"] == pytest.approx(7 - 4 * 7 / 17)


def test_what_was_traded_between_two_books_does_not_explain_a_later_cancel() -> None:
    market = Market(1, 10.0, ahead_share=0.5)
    market.trade(TICK, 2.0)
    market.book({TICK: 10.0, TICK - 20: 50.0}, TICK + STEP)  # 2 joined behind meanwhile
    market.book({TICK: 8.0, TICK - 20: 50.0}, TICK + STEP)
    assert market.play()["queue"]["ahead_qty"] == pytest.approx(3 - 2 * 3 / 10)


block = st.tuples(
    st.lists(st.integers(1, 9), max_size=4),  # trades
    st.integers(0, 12),  # who queues up meanwhile
    st.integers(0, 4),  # trades that arrive before the book
)


@given(
    st.sampled_from([1, -1]),
    st.integers(1, 30),
    st.sampled_from([0.2, 0.5, 1.0]),
    st.integers(1, 9),
    st.lists(block, min_size=1, max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_without_cancels_it_is_the_exact_queue_in_any_order_of_arrival(
    side: int, level_qty: int, share: float, own_qty: int, blocks: list[tuple[list[int], int, int]]
) -> None:
    market = Market(side, 10.0 * level_qty, share, own_qty)
    level = Level(round(10 * level_qty * share), own_qty, 10 * level_qty - round(10 * level_qty * share))
    for number, (trades, joins, early) in enumerate(blocks):
        exch_ms = 1_000 + 100 * number
        for qty in trades:
            level.trade(qty)
        level.add(joins)
        for qty in trades[:early]:
            market.trade(TICK, qty, exch_ms)
        levels = {TICK: level.shown, TICK - 2 * STEP: 50.0}
        market.book({tick: qty for tick, qty in levels.items() if qty}, TICK + STEP, exch_ms)
        for qty in trades[early:]:
            market.trade(TICK, qty, exch_ms)
        shadow = market.play()
        assert (shadow["outcome"] == Outcome.FILLED) == (level.ours == 0)
        if level.ours == 0:
            return
        assert shadow["queue"]["ahead_qty"] == pytest.approx(level.ahead, abs=1e-9)
        assert shadow["own_qty"] == pytest.approx(level.ours, abs=1e-9)


step = st.tuples(
    st.integers(0, 2),
    st.integers(-3, 3),
    st.integers(0, 20).map(float),
    st.integers(-3, 3),
)


@given(st.sampled_from([1, -1]), st.lists(step, max_size=30))
@settings(max_examples=150, deadline=None)
def test_the_place_never_gets_worse_and_a_fill_was_within_reach(
    side: int, steps: list[tuple[int, int, float, int]]
) -> None:
    market, ahead = Market(side, 10.0), 10.0
    reached = False
    for kind, ticks, qty, late_ms in steps:
        if kind == TRADE:
            market.trade(TICK + ticks, qty + 1.0, market.now_ns // MS + 1 - late_ms)
            reached |= ticks <= 0
        else:
            market.book({TICK: qty, TICK - 2 * STEP: 50.0}, TICK + STEP * (1 if ticks > -3 else 0))
            reached |= ticks == -3
        shadow = market.play()
        assert 0.0 <= shadow["queue"]["ahead_qty"] <= ahead
        assert shadow["own_qty"] <= 2.0
        if shadow["outcome"] == Outcome.FILLED:
            assert reached
            return


def test_a_lost_book_censors_and_a_label_says_so() -> None:
    market = Market(-1, 10.0)
    market.now_ns += 300 * MS
    market.tell(LOST)
    label = market.label(market.now_ns)[0]
    assert (label["kind"], label["outcome"], label["filled"]) == (
        LabelKind.SHADOW_QUOTE,
        Outcome.CANCELLED,
        0,
    )
    assert (label["wait_ns"], label["side"], label["symbol"]) == (300 * MS, -1, 3)
    assert (label["cause_seq"], label["queue_rank"], label["ahead_qty"]) == (9, 1.0, 10.0)
    assert not label["markouts_bps"].any()
    assert market.ends["resting"][0] == 0


def test_the_horizon_ends_it_and_a_fill_after_it_is_none() -> None:
    market = Market(1, 1.0)
    joined_ns = market.now_ns
    assert len(market.label(joined_ns + HORIZON_NS - 1)) == 0
    market.now_ns = joined_ns + HORIZON_NS
    market.trade(TICK, 50.0)
    label = market.label(joined_ns + HORIZON_NS + 100 * MS)[0]
    assert (label["outcome"], label["wait_ns"]) == (Outcome.HORIZON, HORIZON_NS)


def test_a_filled_one_goes_on_to_its_markouts_and_the_ranks_close() -> None:
    market = Market(1, 1.0)
    assert join(market.ends[0], market.shadows, market.books[0], 1, TICK - 2 * STEP, 1.0) == 1
    market.shadows["joined_ts_ns"][1], market.shadows["own_qty"][1] = market.now_ns, 1.0
    market.trade(TICK, 50.0)
    assert len(market.label(market.now_ns)) == 0
    assert (market.ends["resting"][0], market.shadows["tick"][0]) == (1, TICK - 2 * STEP)
    fill = market.fills[0]
    assert (fill["filled_ts_ns"], fill["virtual"], fill["side"]) == (market.now_ns, 1, 1)
    assert (fill["mid_px"], fill["fee_bps"], market.fill_ends["head"][0]) == (100.5, 1.5, 1)


def test_a_join_without_room_is_counted() -> None:
    market = Market(1, 1.0)
    market.ends["resting"] = SHADOWS_MAX
    assert join(market.ends[0], market.shadows, market.books[0], 1, TICK, 1.0) == -1
    assert market.ends["lost"][0] == 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3).map(float)), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_where_it_was_found_last_never_misleads(steps: list[tuple[int, float]]) -> None:
    market, levels = Market(1, 10.0), {TICK: 10.0, TICK - 2 * STEP: 50.0}
    for step, qty in steps:
        levels[TICK - 5 * STEP + step * STEP // 2] = qty
        levels[TICK] = max(levels[TICK], 1.0)
        market.book({tick: left for tick, left in levels.items() if left}, TICK + STEP)
        assert market.play()["queue"]["level_qty"] == levels[TICK]
