from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.features.mid_path import MID_PATH, PATH_MAX, mid_at, on_mid, squares_since


def path(changes: list[tuple[int, float]]) -> np.void:
    state = np.zeros(1, MID_PATH)[0]
    for ts_ns, mid_px in changes:
        on_mid(state, ts_ns, mid_px)
    return state


def test_a_worked_path() -> None:
    state = path([(10, 100.0), (20, 101.0), (30, 101.0), (40, 100.0)])
    assert [mid_at(state, ts_ns) for ts_ns in (9, 10, 19, 20, 39, 40, 99)] == [
        0,
        100,
        100,
        101,
        101,
        100,
        100,
    ]
    up, down = 100.0**2, (1 / 101 * 1e4) ** 2
    assert squares_since(state, 10) == pytest.approx(up + down)
    assert squares_since(state, 20) == pytest.approx(down)
    assert squares_since(state, 40) == 0.0


def test_a_void_book_is_no_mid_and_no_return() -> None:
    state = path([(10, 100.0), (20, 0.0), (30, 110.0)])
    assert [mid_at(state, ts_ns) for ts_ns in (19, 20, 29, 30)] == [100.0, 0.0, 0.0, 110.0]
    assert squares_since(state, 0) == 0.0


def test_what_the_ring_lost_is_not_known() -> None:
    state = path([(index, 100.0 + index % 2) for index in range(PATH_MAX + 10)])
    assert mid_at(state, 9) == 0.0
    assert mid_at(state, 10) == 100.0
    assert squares_since(state, 0) > 0.0


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(99, 103)), min_size=1, max_size=60), st.integers(0, 300)
)
def test_the_mid_is_that_of_the_last_change(steps: list[tuple[int, int]], ts_ns: int) -> None:
    now_ns, changes = 0, []
    for wait_ns, mid in steps:
        now_ns += wait_ns
        changes.append((now_ns, float(mid)))
    state = path(changes)
    known = [mid_px for at_ns, mid_px in changes if at_ns <= ts_ns]
    assert mid_at(state, ts_ns) == (known[-1] if known else 0.0)
    after = [((b - a) / a * 1e4) ** 2 for (_, a), (at_ns, b) in pairwise(changes) if at_ns > ts_ns]
    assert squares_since(state, ts_ns) == pytest.approx(sum(after), abs=1e-6)
