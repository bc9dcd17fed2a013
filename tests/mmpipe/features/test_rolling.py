"""Sliding windows: the definition itself as oracle, exact to the unit; what a full ring does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.features import rolling

SPANS_NS = (5, 20, 50)
WINDOWS = np.dtype(rolling.sliding_fields(2, len(SPANS_NS)), align=True)


def fresh() -> np.ndarray:
    return np.zeros(1, WINDOWS)


def take(rows: np.ndarray, ts_ns: int, first: int, second: int) -> None:
    index = rolling.place(rows[0], ts_ns, SPANS_NS)
    rolling.add(rows[0], index, 0, first)
    rolling.add(rows[0], index, 1, second)


def test_a_window_is_open_at_its_old_end_and_closed_at_now() -> None:
    rows = fresh()
    take(rows, 100, 7, 1)
    rolling.advance(rows[0], 104, SPANS_NS)
    assert rows["sums"][0].tolist() == [[7, 1]] * 3
    rolling.advance(rows[0], 105, SPANS_NS)
    assert rows["sums"][0].tolist() == [[0, 0], [7, 1], [7, 1]]
    rolling.advance(rows[0], 150, SPANS_NS)
    assert not rows["sums"].any()


EVENTS = st.lists(
    st.tuples(st.integers(-3, 30), st.integers(-(10**15), 10**15), st.integers(-9, 9), st.booleans()),
    max_size=80,
)


@given(EVENTS)
@settings(max_examples=200, deadline=None)
def test_sums_are_what_happened_in_the_window_at_any_moment(
    events: list[tuple[int, int, int, bool]],
) -> None:
    rows, now_ns, latest_ns, seen = fresh(), 1_000, 0, []
    for wait_ns, first, second, only_time in events:
        now_ns += wait_ns
        latest_ns = max(latest_ns, now_ns)  # a clock that went back stands still
        if only_time:
            rolling.advance(rows[0], now_ns, SPANS_NS)
        else:
            take(rows, now_ns, first, second)
            seen.append((latest_ns, first, second))
        for window, span_ns in enumerate(SPANS_NS):
            inside = [event for event in seen if latest_ns - span_ns < event[0] <= latest_ns]
            expected = [sum(event[1] for event in inside), sum(event[2] for event in inside)]
            assert rows["sums"][0, window].tolist() == expected
    assert rolling.take_lost(rows[0]) == 0


def test_a_full_ring_loses_its_oldest_counts_it_and_stays_exact() -> None:
    rows, more = fresh(), 100
    for number in range(rolling.EVENTS_MAX + more):
        # All within the longest window; the clock is stretched so that nothing leaves by time.
        rows["now_ns"] = number
        rows["event_ts_ns"][0, number % rolling.EVENTS_MAX] = 0
        index = rolling.place(rows[0], number + 1, (1 << 40, 1 << 41, 1 << 42))
        rolling.add(rows[0], index, 0, number)
    assert rows["sums"][0, :, 0].tolist() == [sum(range(more, rolling.EVENTS_MAX + more))] * 3
    assert rolling.take_lost(rows[0]) == more
    assert rolling.take_lost(rows[0]) == 0


def test_events_of_one_moment_share_a_place() -> None:
    rows = fresh()
    for _ in range(5):
        take(rows, 100, 3, 0)
    assert rows["head"][0] == 1
    assert rows["sums"][0, 0, 0] == 15


def test_lots_are_rounded_and_nonsense_is_bounded() -> None:
    assert rolling.lots_of(0.3, 0.1) == 3
    assert rolling.lots_of(1e300, 1e-5) == rolling.LOTS_MAX
    assert rolling.lots_of(1e-300, 1e-5) == 0
