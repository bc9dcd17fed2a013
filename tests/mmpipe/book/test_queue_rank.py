"""Place in the queue: worked numbers, bounds under any sequence, silence without an order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.queue_rank import QUEUE, UNSEEN_STD, join, on_level, on_trade, rank, rank_std
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


def test_a_cancel_of_unknown_place_is_uncertain() -> None:
    # 9 ahead, ours 1, 9 behind; a cancel of 6 was one order, ahead with probability 1/2.
    queue, _ = _played([(1, 100, 19.0), (1, 100, 13.0)])
    assert (queue["least_ahead_qty"], queue["most_ahead_qty"]) == (3.0, 9.0)
    assert queue["ahead_variance"] == 6.0**2 / 4
    assert rank_std(queue, 13.0) == 3.0 / 13.0
    # Another of 3 among 12 others: what was uncertain shrinks to three quarters, a new doubt joins it.
    queue, _ = _played([(1, 100, 19.0), (1, 100, 13.0), (1, 100, 10.0)])
    assert queue["ahead_qty"] == 4.5
    assert queue["ahead_variance"] == 9.0 * 0.75**2 + 3.0**2 / 4
    # The next trade takes 4 of what was ahead, whatever that was.
    queue, _ = _played([(1, 100, 19.0), (1, 100, 13.0), (0, 100, 4.0), (1, 100, 9.0)])
    assert (queue["least_ahead_qty"], queue["ahead_qty"], queue["most_ahead_qty"]) == (0.0, 2.0, 5.0)
    assert rank_std(queue, 9.0) == 2.5 / 9.0  # no more than half the distance of the bounds


def test_without_cancels_the_place_is_certain() -> None:
    queue, _ = _played([(1, 100, 10.0), (0, 100, 4.0), (1, 100, 6.0), (1, 100, 20.0)])
    assert queue["least_ahead_qty"] == queue["ahead_qty"] == queue["most_ahead_qty"] == 5.0
    assert rank_std(queue, 20.0) == 0.0


def test_a_level_deeper_than_the_book_shows_may_be_anything_until_it_is_seen() -> None:
    queues = np.zeros(1, QUEUE)
    join(queues[0], 7, 100, 1.0, -1.0)
    assert rank(queues[0], 0.0) == 1.0
    assert rank_std(queues[0], 0.0) == pytest.approx(UNSEEN_STD)
    on_level(queues[0], 13.0)
    assert queues["ahead_qty"][0] == 12.0
    assert rank_std(queues[0], 13.0) == pytest.approx(12.0 / math.sqrt(12.0) / 13.0)
    on_trade(queues[0], 1, 99, 1.0)
    assert rank(queues[0], 1.0) == rank_std(queues[0], 1.0) == 0.0


def test_no_order_is_not_uncertain() -> None:
    assert rank_std(np.zeros(1, QUEUE)[0], 10.0) == 0.0


def _true_queue(rng: np.random.Generator, steps: int) -> tuple[float, float, float, float, float]:
    # A real queue of whole orders, seen as a venue shows it: quantity of the level and trades.
    ahead = [float(rng.integers(1, 5)) for _ in range(10)]
    behind: list[float] = []
    queues, own = np.zeros(1, QUEUE), 1.0
    join(queues[0], 1, 100, own, sum(ahead))
    on_level(queues[0], sum(ahead) + own)
    for _ in range(steps):
        action = rng.integers(0, 4)
        if action == 0 and ahead:
            on_trade(queues[0], 1, 100, ahead.pop(0))
        elif action == 1:
            behind.append(float(rng.integers(1, 5)))
        elif ahead or behind:
            at = int(rng.integers(0, len(ahead) + len(behind)))
            (ahead if at < len(ahead) else behind).pop(at if at < len(ahead) else at - len(ahead))
        on_level(queues[0], sum(ahead) + own + sum(behind))
    level = sum(ahead) + own + sum(behind)
    least, most = float(queues["least_ahead_qty"][0]), float(queues["most_ahead_qty"][0])
    return sum(ahead), float(queues["ahead_qty"][0]), rank_std(queues[0], level) * level, least, most


def test_the_true_place_is_within_the_bounds_and_as_far_off_as_it_is_said_to_be() -> None:
    rng = np.random.default_rng(5)
    played = np.array([_true_queue(rng, 8) for _ in range(1_500)])
    true, estimate, std, least, most = played.T
    assert ((least <= true + 1e-9) & (true <= most + 1e-9)).all()
    assert abs((estimate - true).mean()) < 0.1
    uncertain = std > 0.0
    assert uncertain.mean() > 0.5
    errors = (estimate - true)[uncertain] / std[uncertain]
    assert 0.8 < np.sqrt((errors**2).mean()) < 1.25
    assert (estimate[~uncertain] == true[~uncertain]).all()
