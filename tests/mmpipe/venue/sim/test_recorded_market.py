"""What fills own orders in a recorded market, and what must not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import EventFlag, EventKind, Tif, Venue
from mmpipe.records import ANSWER, EVENT, INTENT
from mmpipe.venue.sim.queue_models import MARKET, new_orders
from mmpipe.venue.sim.recorded_book import new_book
from mmpipe.venue.sim.recorded_market import (
    FILLED,
    FILLS_MAX,
    NO_LIQUIDITY,
    PART_FILLED,
    RESTED,
    WOULD_CROSS,
    apply_events,
    place_order,
)
from tests.oracles import recorded_market as oracle

DELTA, CLEAR, TRADE, BBO = EventKind.BOOK_DELTA, EventKind.BOOK_CLEAR, EventKind.TRADE, EventKind.BBO


class Sim:
    def __init__(self, power: float = 3.0) -> None:
        self.levels, self.sides = new_book(1)
        self.orders, self.positions = new_orders(), np.zeros(1, np.int64)
        self.market, self.fills = np.zeros(1, MARKET), np.zeros(FILLS_MAX, ANSWER)
        self.market["queue_power"] = power
        self.time = 0

    def state(self) -> tuple[np.ndarray, ...]:
        return (
            *(self.levels, self.sides, self.orders, self.positions),
            *(np.ones(1), self.market, self.fills),
        )

    def events(self, *events: tuple[Any, ...], exch_ts_ns: int | None = None) -> list[tuple[int, int, int]]:
        rows = np.zeros(len(events), EVENT)
        self.time += 1
        rows["local_ts_ns"] = self.time
        rows["exch_ts_ns"] = self.time if exch_ts_ns is None else exch_ts_ns
        for row, (kind, side, tick, qty) in zip(rows, events, strict=True):
            row["kind"], row["side"], row["px_tick"], row["qty"] = kind, side, tick, qty
        rows["flags"][-1] = EventFlag.LAST
        return self.apply(rows)

    def apply(self, rows: np.ndarray) -> list[tuple[int, int, int]]:
        assert apply_events(rows, 0, *self.state()) == len(rows)
        return self.take()

    def place(
        self, order_id: int, side: int, tick: int, lots: int, tif: Tif = Tif.ALO, reduce: int = 0
    ) -> int:
        intent = np.zeros(1, INTENT)
        intent["order_id"], intent["side"], intent["px_tick"], intent["qty_lots"] = order_id, side, tick, lots
        intent["tif"], intent["reduce_only"] = tif, reduce
        free = int(np.argmin(self.orders["live"]))
        return place_order(intent, free, *self.state())

    def take(self) -> list[tuple[int, int, int]]:
        count = int(self.market["fills"][0])
        self.market["fills"] = 0
        return [(int(f["order_id"]), int(f["px_tick"]), int(f["qty_lots"])) for f in self.fills[:count]]

    def ahead(self, order_id: int) -> float:
        (found,) = np.flatnonzero((self.orders["order_id"] == order_id) & (self.orders["live"] == 1))
        return float(self.orders["ahead_qty"][found])


def market(power: float = 3.0) -> Sim:
    sim = Sim(power)
    sim.events((CLEAR, 0, 0, 0.0), (DELTA, 1, 100, 10.0), (DELTA, 1, 99, 20.0), (DELTA, -1, 102, 10.0))
    return sim


def test_a_print_fills_only_what_is_beyond_the_queue() -> None:
    sim = market()
    assert sim.place(1, 1, 100, 5) == RESTED
    assert sim.ahead(1) == 10.0
    assert sim.events((TRADE, -1, 100, 10.0)) == []
    assert sim.events((TRADE, -1, 100, 2.0)) == [(1, 100, 2)]
    assert sim.events((TRADE, -1, 100, 9.0)) == [(1, 100, 3)]
    assert sim.events((TRADE, -1, 100, 9.0)) == []


def test_a_buyers_print_never_fills_a_buy() -> None:
    sim = market()
    sim.place(1, 1, 100, 5)
    assert sim.events((TRADE, 1, 100, 99.0), (TRADE, 1, 99, 99.0)) == []
    assert sim.ahead(1) == 10.0


def test_a_print_through_fills_at_our_price_at_most_its_volume() -> None:
    sim = market()
    sim.place(1, 1, 101, 5)
    assert sim.events((TRADE, -1, 100, 3.0)) == [(1, 101, 3)]


def test_one_print_is_shared_by_price_then_time() -> None:
    sim = market()
    for order_id, tick in ((1, 100), (2, 101), (3, 100)):
        sim.place(order_id, 1, tick, 5)
    # 12 lots: 5 through the better order, of the 12 two pass the queue of 10, none of them left over.
    assert sim.events((TRADE, -1, 100, 12.0)) == [(2, 101, 5)]
    sim = market()
    sim.place(1, 1, 100, 5)
    sim.place(3, 1, 100, 5)
    assert sim.events((TRADE, -1, 100, 11.0)) == [(1, 100, 1)]
    assert sim.events((TRADE, -1, 100, 6.0)) == [(1, 100, 4), (3, 100, 2)]


def test_decreases_never_fill() -> None:
    sim = market()
    sim.place(1, 1, 100, 5)
    assert sim.events((DELTA, 1, 100, 0.0)) == []
    assert sim.ahead(1) == 0.0
    assert sim.events((DELTA, 1, 100, 7.0)) == []
    assert sim.ahead(1) == 0.0


def test_a_quantity_appearing_across_our_price_fills_at_most_itself() -> None:
    sim = market()
    sim.place(1, 1, 101, 5)
    assert sim.events((DELTA, -1, 101, 3.0)) == [(1, 101, 3)]
    assert sim.events((DELTA, -1, 101, 3.0)) == []
    assert sim.events((DELTA, -1, 100, 9.0)) == [(1, 101, 2)]


def test_unseen_is_not_empty() -> None:
    sim = market()
    sim.place(1, 1, 99, 5)
    # The window moves up: 99 is no longer shown, then shown again; our place there never improved.
    sim.events((CLEAR, 0, 0, 0.0), (DELTA, 1, 101, 4.0), (DELTA, 1, 100, 9.0), (DELTA, -1, 103, 9.0))
    assert sim.ahead(1) == 20.0
    sim.events((CLEAR, 0, 0, 0.0), (DELTA, 1, 100, 4.0), (DELTA, 1, 99, 30.0), (DELTA, -1, 103, 9.0))
    assert sim.ahead(1) == 20.0
    assert sim.events((TRADE, -1, 99, 1.0)) == []


def test_missing_inside_the_window_is_empty() -> None:
    sim = market()
    sim.place(1, 1, 100, 5)
    sim.events((CLEAR, 0, 0, 0.0), (DELTA, 1, 101, 4.0), (DELTA, 1, 99, 9.0), (DELTA, -1, 103, 9.0))
    assert sim.ahead(1) == 0.0


def test_a_bbo_removes_what_is_better_and_what_it_crosses() -> None:
    sim = market()
    sim.place(1, 1, 101, 5)
    assert sim.events((BBO, -1, 104, 3.0)) == []
    assert sim.place(2, 1, 103, 1) == RESTED
    assert sim.events((BBO, 1, 104, 3.0)) == []
    assert sim.place(3, -1, 104, 1) == WOULD_CROSS
    assert sim.place(4, -1, 105, 1) == RESTED


def test_the_bbo_of_a_block_before_its_trade_counts_the_trade_once() -> None:
    sim = market(power=1.0)
    sim.place(1, 1, 100, 5)
    sim.events((DELTA, 1, 100, 14.0))
    # 10 ahead, 4 behind. The bbo after a trade of 6 arrives before the trade itself.
    sim.events((BBO, 1, 100, 8.0), exch_ts_ns=500)
    assert sim.events((TRADE, -1, 100, 6.0), exch_ts_ns=500) == []
    assert sim.ahead(1) == pytest.approx(4.0)


def test_history_is_no_flow_and_bad_numbers_are_counted() -> None:
    sim = market()
    sim.place(1, 1, 100, 5)
    rows = np.zeros(4, EVENT)
    rows["kind"], rows["side"], rows["px_tick"], rows["qty"] = TRADE, -1, 100, 50.0
    rows["flags"][0] = EventFlag.HISTORY
    rows["qty"][1] = np.nan
    rows["px_tick"][2] = 0
    rows["side"][3] = 0
    assert sim.apply(rows) == []
    assert sim.market["refused"][0] == 3
    rows["flags"], rows["venue"], rows["qty"], rows["px_tick"], rows["side"] = 0, Venue.LEAD, 50.0, 100, -1
    assert sim.apply(rows) == []


def test_a_taker_walks_the_book_and_what_it_took_is_gone_until_confirmed() -> None:
    sim = market()
    sim.events((DELTA, -1, 103, 5.0))
    assert sim.place(1, 1, 103, 12, Tif.IOC) == FILLED
    assert sim.take() == [(1, 102, 10), (1, 103, 2)]
    assert sim.place(2, 1, 103, 12, Tif.IOC) == PART_FILLED
    assert sim.take() == [(2, 103, 3)]
    assert sim.place(3, 1, 103, 12, Tif.IOC) == NO_LIQUIDITY
    sim.events((DELTA, -1, 102, 10.0))
    assert sim.place(4, 1, 102, 4, Tif.GTC) == FILLED
    assert sim.place(5, 1, 101, 4, Tif.IOC) == NO_LIQUIDITY
    assert sim.positions[0] == 10 + 2 + 3 + 4


def test_an_empty_book_fills_nobody() -> None:
    sim = Sim()
    assert sim.place(1, 1, 10**6, 4, Tif.IOC) == NO_LIQUIDITY
    assert sim.place(2, 1, 100, 4, Tif.GTC) == RESTED


def test_the_rest_of_a_gtc_order_rests() -> None:
    sim = market()
    assert sim.place(1, 1, 102, 12, Tif.GTC) == RESTED
    assert sim.take() == [(1, 102, 10)]
    assert sim.events((TRADE, -1, 101, 9.0)) == [(1, 102, 2)]


def test_reduce_only_never_turns_the_position() -> None:
    sim = market()
    sim.positions[0] = 3
    assert sim.place(1, -1, 103, 9, reduce=1) == RESTED
    assert sim.events((TRADE, 1, 104, 50.0)) == [(1, 103, 3)]
    assert sim.events((TRADE, 1, 104, 50.0)) == []
    assert sim.positions[0] == 0


side = st.sampled_from([1, -1])
tick = st.integers(95, 105)
lots = st.integers(1, 12)
step = st.one_of(
    st.tuples(st.just("depth"), side, tick, st.integers(0, 12)),
    st.tuples(st.just("trade"), side, tick, lots),
    st.tuples(st.just("place"), side, tick, lots),
)


@settings(max_examples=300)
@given(st.lists(step, max_size=60), st.sampled_from([1.0, 3.0]))
def test_fills_equal_the_slow_rules(steps: list[tuple[str, int, int, int]], power: float) -> None:
    sim, slow = Sim(power), oracle.Market(power)
    for number, (what, side, tick, size) in enumerate(steps, 1):
        before, known = int(sim.positions[0]), len(slow.fills)
        if what == "place":
            assert (sim.place(number, side, tick, size) == RESTED) == slow.place(number, side, tick, size)
            continue
        if what == "depth":
            got = sim.events((DELTA, side, tick, float(size)))
            slow.depth(side, tick, float(size))
        else:
            got = sim.events((TRADE, side, tick, float(size)))
            slow.trade(side, tick, float(size))
        assert got == slow.fills[known:]
        assert sum(filled for _, _, filled in got) <= size
        assert abs(int(sim.positions[0]) - before) == sum(filled for _, _, filled in got)
