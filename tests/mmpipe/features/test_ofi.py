import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.features import ofi

MS = 1_000_000
START = 1_000_000 * MS


def fresh() -> np.ndarray:
    return np.zeros(1, ofi.OFI)


def test_the_worked_cases_of_the_paper() -> None:
    # Same prices: the change of quantities; a better bid counts whole, a bid that left counts whole against.
    rows = fresh()
    touches = [
        (100, 5.0, 101, 5.0),
        (100, 8.0, 101, 5.0),
        (100, 8.0, 101, 3.0),
        (101, 2.0, 102, 4.0),
        (100, 6.0, 102, 4.0),
    ]
    expected = [0.0, 3.0, 2.0, 2.0 + 3.0, -2.0]
    for step, (touch, flow) in enumerate(zip(touches, expected, strict=True)):
        now_ns = START + step * 200 * MS
        ofi.on_touch(rows[0], now_ns, *touch)
        assert ofi.window(rows[0], 0, 1) == flow


TOUCHES = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(90, 99), st.integers(1, 9), st.integers(100, 109), st.integers(1, 9)
    ),
    max_size=40,
)


def slow_flow(before: tuple[int, int, int, int], after: tuple[int, int, int, int]) -> int:
    bid0, qb0, ask0, qa0 = before
    bid1, qb1, ask1, qa1 = after
    bid_part = qb1 if bid1 > bid0 else -qb0 if bid1 < bid0 else qb1 - qb0
    ask_part = qa1 if ask1 < ask0 else -qa0 if ask1 > ask0 else qa1 - qa0
    return bid_part - ask_part


@given(TOUCHES)
def test_windows_hold_what_happened_in_their_time(steps: list[tuple[int, int, int, int, int]]) -> None:
    rows = fresh()
    now_ns, flows, before = START, [], None
    for wait_ms, *touch in steps:
        now_ns += wait_ms * MS
        ofi.on_touch(rows[0], now_ns, touch[0], float(touch[1]), touch[2], float(touch[3]))
        current = (touch[0], touch[1], touch[2], touch[3])
        if before is not None:
            flows.append((now_ns // ofi.BUCKET_NS, slow_flow(before, current)))
        before = current
        newest = now_ns // ofi.BUCKET_NS
        for first, count in ((0, 5), (0, 20), (5, 5), (20, 5)):
            expected = sum(
                flow for bucket, flow in flows if newest - first - count < bucket <= newest - first
            )
            assert ofi.window(rows[0], first, count) == expected


def test_a_void_book_is_a_beginning_not_a_change() -> None:
    rows = fresh()
    ofi.on_touch(rows[0], START, 100, 5.0, 101, 5.0)
    ofi.forget_touch(rows[0])
    ofi.on_touch(rows[0], START, 200, 5.0, 201, 5.0)
    assert ofi.window(rows[0], 0, 20) == 0.0
