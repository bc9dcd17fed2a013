"""Place in the queue: worked numbers, bounds under any sequence, silence without an order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.queue_rank import QUEUE, join, on_level, on_trade, rank
from ringbuf.jit import kernel


@kernel
def _play(queues: np.ndarray, order_id: int, steps: np.ndarray, ranks: np.ndarray) -> None:
    # a step: kind (0 trade, 1 level), tick, quantity
    join(queues[0], order_id, 100, 1.0, 9.0)
    for index in range(len(steps)):
        if steps[index, 0] == 0.0:
            on_trade(queues[0], 1, int(steps[index, 1]), steps[index, 2])
        else:
            on_level(queues[0], steps[index, 2])
        ranks[index] = rank(queues[0], queues[0]["level_qty"])


def _played(steps: list[tuple[float, float, float]], order_id: int = 7) -> tuple[np.ndarray, np.ndarray]:
    queues, ranks = np.zeros(1, QUEUE), np.zeros(len(steps))
    _play(queues, order_id, np.array(steps, np.float64).reshape(-1, 3), ranks)
    return queues[0], ranks


def test_ours_shows_then_a_trade_takes_from_the_front() -> None:
    queue, ranks = _played([(1, 100, 10.0), (0, 100, 4.0)])
    assert queue["ahead_qty"] == 5.0
    assert ranks.tolist() == [0.9, 0.5]


def test_a_trade_is_not_counted_again_when_the_level_shrinks() -> None:
    queue, _ = _played([(1, 100, 10.0), (0, 100, 4.0), (1, 100, 6.0)])
    assert queue["ahead_qty"] == 5.0
    assert queue["traded_qty"] == 0.0


def test_a_cancel_is_ahead_with_the_share_that_is_ahead() -> None:
    # 9 ahead, ours 1, 9 behind: half of what others hold is ahead, so half of a cancel of 6 is.
    queue, _ = _played([(1, 100, 19.0), (1, 100, 13.0)])
    assert queue["ahead_qty"] == 6.0


def test_a_trade_through_leaves_nothing_ahead_and_a_better_one_changes_nothing() -> None:
    assert _played([(0, 99, 1.0)])[0]["ahead_qty"] == 0.0
    assert _played([(0, 101, 1.0)])[0]["ahead_qty"] == 9.0


def test_an_unseen_level_is_not_an_empty_one() -> None:
    assert _played([(1, 100, 0.0)])[0]["ahead_qty"] == 9.0


def test_without_an_order_there_is_no_rank() -> None:
    queue, ranks = _played([(0, 100, 4.0), (1, 100, 3.0)], order_id=0)
    assert queue["ahead_qty"] == 9.0
    assert ranks.tolist() == [-1.0, -1.0]


step = st.tuples(
    st.sampled_from([0.0, 1.0]), st.sampled_from([99.0, 100.0, 101.0]), st.integers(0, 20).map(float)
)


@given(st.lists(step, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_ahead_never_grows_and_rank_stays_a_share(steps: list[tuple[float, float, float]]) -> None:
    before = 9.0
    for count in range(1, len(steps) + 1):
        queue, ranks = _played(steps[:count])
        assert 0.0 <= queue["ahead_qty"] <= before
        assert 0.0 <= ranks[-1] <= 1.0
        before = float(queue["ahead_qty"])
