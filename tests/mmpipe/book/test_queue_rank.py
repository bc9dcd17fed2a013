"""Place in the queue: worked numbers, any order of arrival, when ours is shown, bounds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.queue_rank import (
    ABSENT,
    POSSIBLE,
    QUEUE,
    SETTLED_NS,
    SHOWN,
    UNSEEN_STD,
    acknowledge,
    join,
    on_fill,
    on_level,
    on_trade,
    rank,
    rank_std,
)
from ringbuf.jit import kernel

TRADE, LEVEL, ANSWER, FILL = range(4)
MS = 1_000_000


@kernel
def _play(queues: np.ndarray, order_id: int, steps: np.ndarray, ranks: np.ndarray) -> None:
    # a step: kind, tick, quantity, venue time in ms, 0: none; received a second later, one after the other
    join(queues[0], order_id, 100, 1.0, 9.0, 9.0, 1)
    for index in range(len(steps)):
        kind, tick, qty, exch_ns = (
            steps[index, 0],
            int(steps[index, 1]),
            steps[index, 2],
            int(steps[index, 3]) * MS,
        )
        ts_ns = 1_000 * MS + index * MS
        if kind == TRADE:
            on_trade(queues[0], 1, tick, qty, exch_ns)
        elif kind == LEVEL:
            on_level(queues[0], qty, True, ts_ns, exch_ns)
        elif kind == ANSWER:
            acknowledge(queues[0], ts_ns + tick * MS)
        else:
            on_fill(queues[0], qty)
        ranks[index] = rank(queues[0], queues[0]["level_qty"])


def _played(steps: list[tuple[float, ...]], order_id: int = 7) -> tuple[np.ndarray, np.ndarray]:
    queues, ranks = np.zeros(1, QUEUE), np.zeros(len(steps))
    rows = [(*step, 0.0)[:4] for step in steps]
    _play(queues, order_id, np.array(rows, np.float64).reshape(-1, 4), ranks)
    return queues[0], ranks


def test_ours_shows_then_a_trade_takes_from_the_front() -> None:
    queue, ranks = _played([(1, 100, 10.0), (0, 100, 4.0)])
    assert queue["ahead_qty"] == 5.0
    assert ranks.tolist() == [0.9, 0.5]


def test_a_trade_is_not_counted_again_when_the_level_shrinks() -> None:
    queue, _ = _played([(1, 100, 10.0), (0, 100, 4.0), (1, 100, 6.0)])
    assert queue["ahead_qty"] == 5.0
    assert queue["waiting_qty"] == 0.0


def test_a_cancel_is_ahead_with_the_share_that_is_ahead() -> None:
    # 9 ahead, ours 1, 9 behind: half of what others hold is ahead, so half of a cancel of 6 is.
    queue, _ = _played([(1, 100, 10.0), (1, 100, 19.0), (1, 100, 13.0)])
    assert queue["ahead_qty"] == 6.0


def test_a_trade_through_leaves_nothing_ahead_and_a_better_one_changes_nothing() -> None:
    assert _played([(0, 99, 1.0)])[0]["ahead_qty"] == 0.0
    assert _played([(0, 101, 1.0)])[0]["ahead_qty"] == 9.0


def test_a_level_that_must_hold_ours_is_not_empty_and_one_before_ours_came_is() -> None:
    assert _played([(1, 100, 10.0), (1, 100, 0.0)])[0]["ahead_qty"] == 9.0
    assert _played([(1, 100, 0.0)])[0]["ahead_qty"] == 0.0


def test_without_an_order_there_is_no_rank() -> None:
    queue, ranks = _played([(0, 100, 4.0), (1, 100, 3.0)], order_id=0)
    assert queue["ahead_qty"] == 9.0
    assert ranks.tolist() == [-1.0, -1.0]


def test_a_trade_after_the_level_it_changed_takes_back_its_part_of_a_cancel() -> None:
    # 9 ahead, ours, 9 behind; of 6 that left, 4 were traded: 5 ahead of 14, and of a cancel of 2 its share.
    shown = [(LEVEL, 100, 10.0, 10), (LEVEL, 100, 19.0, 20)]
    early = _played([*shown, (TRADE, 100, 4.0, 30), (LEVEL, 100, 13.0, 30)])[0]
    late = _played([*shown, (LEVEL, 100, 13.0, 30), (TRADE, 100, 4.0, 30)])[0]
    assert early["ahead_qty"] == late["ahead_qty"] == pytest.approx(5.0 - 2.0 * 5.0 / 14.0)
    assert early["ahead_variance"] == late["ahead_variance"]
    # … also when other changes of the level came in between.
    after = [(LEVEL, 100, 15.0, 40), (LEVEL, 100, 12.0, 50)]
    early = _played([*shown, (TRADE, 100, 4.0, 30), (LEVEL, 100, 13.0, 30), *after])[0]
    late = _played([*shown, (LEVEL, 100, 13.0, 30), *after, (TRADE, 100, 4.0, 30)])[0]
    assert late["ahead_qty"] == early["ahead_qty"] < 5.0
    assert late["ahead_variance"] == early["ahead_variance"]


def test_a_trade_from_before_the_join_is_in_the_level_that_was_joined() -> None:
    queues = np.zeros(1, QUEUE)
    join(queues[0], 7, 100, 0.0, 9.0, 9.0, 5 * MS)
    assert on_trade(queues[0], 1, 100, 4.0, 5 * MS) == on_trade(queues[0], 1, 99, 4.0, 4 * MS) == 0.0
    assert queues["ahead_qty"][0] == 9.0
    assert on_trade(queues[0], 1, 100, 11.0, 6 * MS) == 2.0
    assert on_trade(queues[0], 1, 99, 1.0, 6 * MS) == np.inf


def test_ours_is_shown_when_the_level_rises_by_its_size() -> None:
    queue, _ = _played([(LEVEL, 100, 12.0), (LEVEL, 100, 13.0)])
    assert (queue["own_shown"], queue["ahead_qty"], rank_std(queue, 13.0)) == (SHOWN, 12.0, 0.0)
    queue, _ = _played([(LEVEL, 100, 9.5), (LEVEL, 100, 9.0)])  # too little: not yet, all of it is ahead
    assert (queue["own_shown"], queue["ahead_qty"]) == (ABSENT, 9.0)
    queue, _ = _played([(LEVEL, 100, 1.0)])  # alone there
    assert (queue["own_shown"], queue["ahead_qty"]) == (SHOWN, 0.0)


def test_a_rise_by_more_may_hold_ours_and_a_trade_of_its_block_may_have_hidden_it() -> None:
    queue, _ = _played([(LEVEL, 100, 12.0)])
    assert (queue["own_shown"], queue["least_ahead_qty"], queue["most_ahead_qty"]) == (POSSIBLE, 9.0, 11.0)
    assert (queue["ahead_qty"], rank_std(queue, 12.0)) == (10.0, 1.0 / 12.0)
    assert (
        _played([(LEVEL, 100, 12.0), (ANSWER, 500, 0.0)])[0]["own_shown"] == ABSENT
    )  # long before the answer
    assert _played([(ANSWER, 0, 0.0), (LEVEL, 100, 12.0)])[0]["own_shown"] == SHOWN
    queue, _ = _played([(LEVEL, 100, 7.0, 30), (TRADE, 100, 3.0, 30)])  # 9 - 3 + 1
    assert (queue["own_shown"], queue["ahead_qty"]) == (SHOWN, 6.0)


def test_after_the_answer_a_level_may_hold_ours_and_some_time_later_it_must() -> None:
    queue, _ = _played([(ANSWER, 0, 0.0), (LEVEL, 100, 8.0)])
    assert (queue["least_ahead_qty"], queue["most_ahead_qty"]) == (7.0, 8.0)
    queue, _ = _played([(ANSWER, -SETTLED_NS // MS, 0.0), (LEVEL, 100, 8.0)])
    assert (queue["own_shown"], queue["ahead_qty"]) == (SHOWN, 7.0)


def test_a_fill_says_that_nothing_is_ahead() -> None:
    queue, ranks = _played([(LEVEL, 100, 10.0), (FILL, 100, 0.25)])
    assert (queue["own_qty"], ranks[-1], rank_std(queue, 10.0)) == (0.75, 0.0, 0.0)


step = st.tuples(
    st.sampled_from([TRADE, LEVEL]),
    st.sampled_from([99.0, 100.0, 101.0]),
    st.integers(0, 20).map(float),
    st.integers(1, 30),
)


@given(st.lists(step, min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_ahead_stays_within_its_bounds_and_rank_a_share(steps: list[tuple[float, ...]]) -> None:
    for shown in ([], [(LEVEL, 100, 10.0, 1)]):
        queue, ranks = _played([*shown, *steps])
        assert 0.0 <= queue["least_ahead_qty"] <= queue["ahead_qty"] <= queue["most_ahead_qty"]
        assert ((ranks >= 0.0) & (ranks <= 1.0)).all()
        assert 0.0 <= rank_std(queue, float(queue["level_qty"])) <= 0.5
        if shown:
            assert queue["ahead_qty"] <= 9.0


def test_a_cancel_of_unknown_place_is_uncertain() -> None:
    # 9 ahead, ours 1, 9 behind; a cancel of 6 was one order, ahead with probability 1/2.
    queue, _ = _played([(1, 100, 10.0), (1, 100, 19.0), (1, 100, 13.0)])
    assert (queue["least_ahead_qty"], queue["most_ahead_qty"]) == (3.0, 9.0)
    assert queue["ahead_variance"] == 6.0**2 / 4
    assert rank_std(queue, 13.0) == 3.0 / 13.0
    # Another of 3 among 12 others: what was uncertain shrinks to three quarters, a new doubt joins it.
    queue, _ = _played([(1, 100, 10.0), (1, 100, 19.0), (1, 100, 13.0), (1, 100, 10.0)])
    assert queue["ahead_qty"] == 4.5
    assert queue["ahead_variance"] == 9.0 * 0.75**2 + 3.0**2 / 4
    # The next trade takes 4 of what was ahead, whatever that was.
    queue, _ = _played([(1, 100, 10.0), (1, 100, 19.0), (1, 100, 13.0), (0, 100, 4.0), (1, 100, 9.0)])
    assert (queue["least_ahead_qty"], queue["ahead_qty"], queue["most_ahead_qty"]) == (0.0, 2.0, 5.0)
    assert rank_std(queue, 9.0) == 2.5 / 9.0  # no more than half the distance of the bounds


def test_without_cancels_the_place_is_certain() -> None:
    queue, _ = _played([(1, 100, 10.0), (0, 100, 4.0), (1, 100, 6.0), (1, 100, 20.0)])
    assert queue["least_ahead_qty"] == queue["ahead_qty"] == queue["most_ahead_qty"] == 5.0
    assert rank_std(queue, 20.0) == 0.0


def test_a_level_deeper_than_the_book_shows_may_be_anything_until_it_is_seen() -> None:
    queues = np.zeros(1, QUEUE)
    join(queues[0], 7, 100, 1.0, -1.0, -1.0, 0)
    acknowledge(queues[0], MS)
    assert rank(queues[0], 0.0) == 1.0
    assert rank_std(queues[0], 0.0) == pytest.approx(UNSEEN_STD)
    on_level(queues[0], 13.0, True, 2 * MS, 0)
    assert queues["ahead_qty"][0] == 12.0
    assert rank_std(queues[0], 13.0) == pytest.approx(12.0 / math.sqrt(12.0) / 13.0)
    on_trade(queues[0], 1, 99, 1.0, 0)
    assert rank(queues[0], 1.0) == rank_std(queues[0], 1.0) == 0.0


def test_no_order_is_not_uncertain() -> None:
    assert rank_std(np.zeros(1, QUEUE)[0], 10.0) == 0.0


def _true_queue(rng: np.random.Generator, steps: int) -> tuple[float, float, float, float, float]:
    # A real queue of whole orders, seen as a venue shows it: quantity of the level and trades.
    ahead = [float(rng.integers(1, 5)) for _ in range(10)]
    behind: list[float] = []
    queues, own = np.zeros(1, QUEUE), 1.0
    join(queues[0], 1, 100, own, sum(ahead), sum(ahead), 0)
    on_level(queues[0], sum(ahead) + own, True, 0, 0)
    for _ in range(steps):
        action = rng.integers(0, 4)
        if action == 0 and ahead:
            on_trade(queues[0], 1, 100, ahead.pop(0), 0)
        elif action == 1:
            behind.append(float(rng.integers(1, 5)))
        elif ahead or behind:
            at = int(rng.integers(0, len(ahead) + len(behind)))
            (ahead if at < len(ahead) else behind).pop(at if at < len(ahead) else at - len(ahead))
        on_level(queues[0], sum(ahead) + own + sum(behind), True, 0, 0)
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
