"""Order-flow imbalance: the paper's cases, five levels against their definition, what was not seen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.l2 import BOOK
from mmpipe.features import ofi

MS = 1_000_000
START = 1_000_000 * MS
LOT_QTY = 0.5
Levels = list[tuple[int, int]]  # tick, lots; best first


def fresh() -> np.ndarray:
    return np.zeros(1, ofi.OFI)


def book(bids: Levels, asks: Levels) -> np.void:
    rows = np.zeros(1, BOOK)
    for index, levels in enumerate((bids, asks)):
        rows["count"][0, index] = len(levels)
        for rank, (tick, lots) in enumerate(levels):
            at = len(levels) - 1 - rank
            rows["key"][0, index, at] = tick if index == 0 else -tick
            rows["qty"][0, index, at] = lots * LOT_QTY
    return rows[0]


def show(rows: np.ndarray, ts_ns: int, bids: Levels, asks: Levels) -> None:
    ofi.on_book(rows[0], ts_ns, book(bids, asks), LOT_QTY)


def test_the_worked_cases_of_the_paper() -> None:
    # Same prices: the change of quantities; a better bid counts whole, a bid that left counts whole against.
    rows = fresh()
    touches = [
        (100, 5, 101, 5),
        (100, 8, 101, 5),
        (100, 8, 101, 3),
        (101, 2, 102, 4),
        (100, 6, 102, 4),
    ]
    expected = [0, 3, 2, 2 + 3, -2]
    for step, ((bid, bid_lots, ask, ask_lots), flow) in enumerate(zip(touches, expected, strict=True)):
        show(rows, START + step * 500 * MS, [(bid, bid_lots)], [(ask, ask_lots)])
        ofi.advance(rows[0], START + step * 500 * MS)
        assert ofi.touch_lots(rows[0], 0, 0) == flow
        lags = [ofi.touch_lots(rows[0], lag, lag) for lag in range(1, 5)]
        assert lags == [expected[step - lag] if step >= lag else 0 for lag in range(1, 5)]


def test_five_levels_by_hand() -> None:
    rows = fresh()
    show(rows, START, [(100, 4), (99, 2)], [(101, 6), (102, 8)])
    show(rows, START + MS, [(100, 4), (99, 7)], [(101, 6), (102, 8)])
    # 5 lots at the second bid, weight exp(-1/2), over a mean level of (4 + 7 + 6 + 8) / 4 lots
    expected = 5 * 621 / 2389 / (25 / 4)
    assert ofi.levels_ratio(rows[0], 0) == pytest.approx(expected, rel=1e-12)
    assert ofi.touch_lots(rows[0], 0, 0) == 0


def test_an_unseen_level_is_not_an_empty_one() -> None:
    rows = fresh()
    deep = [(100 - step, 5) for step in range(8)]
    asks = [(101 + step, 5) for step in range(8)]
    show(rows, START, deep, asks)
    show(rows, START + MS, deep[:3], asks)  # a message that shows three levels: nothing happened
    assert ofi.levels_ratio(rows[0], 0) == 0.0
    show(rows, START + 2 * MS, deep, asks)  # nor when they are shown again
    assert ofi.levels_ratio(rows[0], 0) == 0.0


def slow_level(before: tuple[int, int], after: tuple[int, int]) -> int:
    # Bids; asks are mirrored.
    flow = after[1] if after[0] >= before[0] else 0
    return flow - (before[1] if after[0] <= before[0] else 0)


def levels(first: int, step: int) -> st.SearchStrategy[Levels]:
    return st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 9)),
        min_size=1,
        max_size=7,
        unique_by=lambda level: level[0],
    ).map(lambda found: [(first + step * offset, lots) for offset, lots in sorted(found)])


@given(st.lists(st.tuples(st.integers(0, 700), levels(99, -1), levels(100, 1)), max_size=25))
@settings(max_examples=150, deadline=None)
def test_windows_hold_what_happened_in_their_time(steps: list[tuple[int, Levels, Levels]]) -> None:
    rows, now_ns, before = fresh(), START, None
    flows: list[tuple[int, int, float, int, int]] = []
    weights = [1024, 621, 377, 228, 139]
    for wait_ms, bids, asks in steps:
        now_ns += wait_ms * MS
        show(rows, now_ns, bids, asks)
        ofi.advance(rows[0], now_ns)
        if before is not None:
            touch = slow_level(before[0][0], bids[0])
            mirrored = [[(-tick, lots) for tick, lots in side] for side in (before[1], asks)]
            touch -= slow_level(mirrored[0][0], mirrored[1][0])
            weighted = sum(w * slow_level(a, b) for w, a, b in zip(weights, before[0], bids, strict=False))
            weighted -= sum(w * slow_level(a, b) for w, a, b in zip(weights, *mirrored, strict=False))
            shown = [*bids[:5], *asks[:5]]
            if touch or weighted:
                flows.append((now_ns, touch, weighted, sum(lots for _, lots in shown), len(shown)))
        before = (bids, asks)
        for window in range(5):
            newest = now_ns - window * 500 * MS
            inside = [flow for flow in flows if newest - 500 * MS < flow[0] <= newest]
            assert ofi.touch_lots(rows[0], window, window) == sum(flow[1] for flow in inside)
            mean = sum(flow[3] for flow in inside) / max(sum(flow[4] for flow in inside), 1)
            expected = sum(flow[2] for flow in inside) / 2389 / mean if inside else 0.0
            assert ofi.levels_ratio(rows[0], window) == pytest.approx(expected, rel=1e-12, abs=1e-12)
        two_s = sum(flow[1] for flow in flows if flow[0] > now_ns - 2_000 * MS)
        assert ofi.touch_lots(rows[0], 0, ofi.WINDOW_2S) == two_s


@given(levels(99, -1), levels(100, 1), levels(99, -1), levels(100, 1))
@settings(max_examples=100, deadline=None)
def test_bid_and_ask_exchanged_is_the_opposite(a: Levels, b: Levels, c: Levels, d: Levels) -> None:
    def mirrored(side: Levels) -> Levels:
        return [(199 - tick, lots) for tick, lots in side]

    rows, other = fresh(), fresh()
    show(rows, START, a, b)
    show(rows, START + MS, c, d)
    show(other, START, mirrored(b), mirrored(a))
    show(other, START + MS, mirrored(d), mirrored(c))
    assert ofi.touch_lots(rows[0], 0, 0) == -ofi.touch_lots(other[0], 0, 0)
    assert ofi.levels_ratio(rows[0], 0) == pytest.approx(-ofi.levels_ratio(other[0], 0), rel=1e-12)


def test_a_void_book_is_a_beginning_not_a_change() -> None:
    rows = fresh()
    show(rows, START, [(100, 5)], [(101, 5)])
    ofi.forget_book(rows[0])
    show(rows, START + MS, [(200, 5)], [(201, 5)])
    assert ofi.touch_lots(rows[0], 0, 4) == 0
