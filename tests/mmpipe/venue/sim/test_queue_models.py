"""The queue ahead: worked numbers, bounds, and the drop that a later trade explains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.queue_models import OWN_ORDER, ahead_after_drop, pass_queue


def test_power_one_splits_a_cancellation_in_proportion() -> None:
    # 6 ahead, 4 behind, 5 cancelled: behind with probability 0.4, so 3 of them were ahead.
    assert ahead_after_drop(6.0, 10.0, 5.0, 1.0) == pytest.approx(3.0)


def test_power_three_by_hand() -> None:
    # 2 ahead, 8 behind: 512 / 520 behind, 4 * 8 / 520 ahead.
    assert ahead_after_drop(2.0, 10.0, 4.0, 3.0) == pytest.approx(2.0 - 4.0 * 8 / 520)


def test_what_cannot_have_been_behind_was_ahead() -> None:
    # 5 ahead, 5 behind, 8 gone at even odds: at most 5 of them behind, so 3 at least ahead; here 4 and 4.
    assert ahead_after_drop(5.0, 10.0, 8.0, 1.0) == pytest.approx(1.0)
    assert ahead_after_drop(9.0, 10.0, 10.0, 3.0) == 0.0
    assert ahead_after_drop(0.0, 10.0, 9.0, 3.0) == 0.0


whole = st.integers(0, 100).map(float)


@given(whole, whole, whole, st.sampled_from([1.0, 2.0, 3.0]))
def test_ahead_stays_between_nothing_and_the_level(
    ahead: float, behind: float, drop: float, power: float
) -> None:
    level = ahead + behind
    drop = min(drop, level)
    left = ahead_after_drop(ahead, level, drop, power)
    assert 0.0 <= left <= min(ahead, level - drop) + 1e-9
    assert left >= ahead - drop - 1e-9


def order(**fields: float) -> np.ndarray:
    row = np.zeros(1, OWN_ORDER)
    for name, value in fields.items():
        row[name] = value
    return row


def test_a_trade_takes_the_queue_and_gives_what_is_beyond() -> None:
    row = order(ahead_qty=5.0)
    assert pass_queue(row, 3.0, 1, 3.0) == 0.0
    assert row["ahead_qty"] == 2.0
    assert pass_queue(row, 2.0, 1, 3.0) == 0.0
    assert pass_queue(row, 4.0, 1, 3.0) == 4.0


def test_a_drop_that_the_trade_of_its_block_explains_is_taken_back() -> None:
    # 6 ahead, 4 behind; the bbo shows 5 less before the trade of 5 arrives: all 5 were ahead.
    row = order(ahead_qty=3.0, drop_ts_ns=77, drop_qty=5.0, drop_ahead_qty=6.0, drop_level_qty=5.0)
    assert pass_queue(row, 5.0, 77, 1.0) == 0.0
    assert row["ahead_qty"] == pytest.approx(1.0)
    # Of another block, the same trade comes on top.
    row = order(ahead_qty=3.0, drop_ts_ns=77, drop_qty=5.0, drop_ahead_qty=6.0, drop_level_qty=5.0)
    assert pass_queue(row, 5.0, 78, 1.0) == 2.0


def test_only_the_unexplained_part_of_a_drop_stays_a_cancellation() -> None:
    # 6 ahead, 4 behind, 5 gone, of which 2 traded: 4 ahead, 4 behind, 3 cancelled at even odds.
    row = order(ahead_qty=3.0, drop_ts_ns=77, drop_qty=5.0, drop_ahead_qty=6.0, drop_level_qty=5.0)
    pass_queue(row, 2.0, 77, 1.0)
    assert row["ahead_qty"] == pytest.approx(2.5)
