"""Skew between two clocks: worked numbers, bounds that always hold the truth, lateness."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.clock_skew import (
    CALM_NS,
    SKEW,
    STAMP_NS,
    UNKNOWN,
    WINDOW_NS,
    bounds_ns,
    least_delay_ns,
    on_answer,
    on_message,
)

MS = 1_000_000


def test_the_recorder_of_2024_is_known_to_be_behind() -> None:
    # Its messages seem to arrive 1.27 s before they were sent: the clock is behind by at least that.
    skews = np.zeros(2, SKEW)
    for number in range(100):
        on_message(skews, 1, (-1_268 + number % 7) * MS, 1 + number * 10 * MS, 250 * MS)
    assert least_delay_ns(skews, 1) == -1_268 * MS
    assert bounds_ns(skews, 1) == (-UNKNOWN, -1_268 * MS)
    assert bounds_ns(skews, 0) == (-UNKNOWN, UNKNOWN)


def test_an_answered_question_bounds_it_from_both_sides() -> None:
    skews = np.zeros(2, SKEW)
    on_answer(skews, 0, 1_000 * MS, 1_040 * MS, 1_020 * MS)
    assert bounds_ns(skews, 0) == (-20 * MS - STAMP_NS, 20 * MS)
    on_message(skews, 0, 5 * MS, 1, 250 * MS)
    assert bounds_ns(skews, 0) == (-20 * MS - STAMP_NS, 5 * MS)


@given(
    st.integers(-5_000, 5_000),
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=30
    ),
)
def test_the_true_skew_is_always_within_the_bounds(skew_ms: int, trips: list[tuple[int, int, int]]) -> None:
    skews = np.zeros(1, SKEW)
    now_ms = 1_000_000
    for out_ms, back_ms, message_ms in trips:
        now_ms += 10_000
        stamp_ms = now_ms + out_ms - skew_ms  # on the venue's clock, whole milliseconds
        on_answer(skews, 0, now_ms * MS, (now_ms + out_ms + back_ms) * MS, stamp_ms * MS)
        on_message(skews, 0, (message_ms + skew_ms) * MS, now_ms * MS, 250 * MS)
        low_ns, high_ns = bounds_ns(skews, 0)
        assert low_ns <= skew_ms * MS <= high_ns


def test_the_least_delay_forgets_after_two_windows() -> None:
    skews = np.zeros(1, SKEW)
    on_message(skews, 0, 5 * MS, 1, 250 * MS)
    on_message(skews, 0, 20 * MS, 1 + WINDOW_NS, 250 * MS)
    assert least_delay_ns(skews, 0) == 5 * MS
    on_message(skews, 0, 20 * MS, 1 + 2 * WINDOW_NS, 250 * MS)
    assert least_delay_ns(skews, 0) == 20 * MS


def test_a_lateness_is_counted_once_and_again_after_a_calm() -> None:
    skews = np.zeros(1, SKEW)
    delays = [(0, 5), (10, 255), (11, 256), (12, 400), (13, 5), (14, 300)]
    began = [on_message(skews, 0, delay * MS, 1 + at * MS, 250 * MS) for at, delay in delays]
    assert began == [False, False, True, False, False, False]
    later_ns = 1 + 14 * MS + CALM_NS
    assert not on_message(skews, 0, 300 * MS, later_ns, 250 * MS)
    assert on_message(skews, 0, 300 * MS, later_ns + CALM_NS + 1, 250 * MS)
