"""Entry prices, directions and nonce windows."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.accounts import HISTORY_MAX, NONCES_KEPT, Account, NonceWindow, Order, direction_of

NOW_MS = 1_800_000_000_000


def account() -> Account:
    return Account(0, "0x0", np.zeros(1, np.int64))


def test_entry_price_and_closed_profit_of_a_round_trip_through_zero() -> None:
    mine = account()
    assert mine.book_fill(0, 1, 100, 10, 0) == 0
    assert mine.book_fill(0, 1, 110, 10, 10) == 0
    assert mine.entry_notional[0] == 2_100  # 20 at 105
    assert mine.book_fill(0, -1, 115, 5, 20) == 5 * 10 * 100  # cash units per tick and lot: 100
    assert mine.book_fill(0, -1, 100, 25, 15) == -15 * 5 * 100
    assert mine.entry_notional[0] == 1_000  # short 10 at 100
    assert mine.book_fill(0, 1, 90, 10, -10) == 10 * 10 * 100
    assert mine.entry_notional[0] == 0


@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(1, 1_000), st.integers(1, 50)), max_size=30))
def test_closed_profit_and_entry_add_up_to_the_cash(fills: list[tuple[int, int, int]]) -> None:
    mine, position, paid, closed = account(), 0, Fraction(0), 0
    for side, tick, lots in fills:
        closed += mine.book_fill(0, side, tick, lots, position)
        position += side * lots
        paid -= side * tick * lots * 100
    sign = (position > 0) - (position < 0)
    assert closed - sign * int(mine.entry_notional[0]) * 100 == paid


@pytest.mark.parametrize(
    ("side", "lots", "start", "text"),
    [
        (1, 1, 0, "Open Long"),
        (-1, 1, 0, "Open Short"),
        (-1, 1, 1, "Close Long"),
        (1, 1, -2, "Close Short"),
        (-1, 3, 1, "Long > Short"),
        (1, 3, -1, "Short > Long"),
    ],
)
def test_directions_in_the_venues_words(side: int, lots: int, start: int, text: str) -> None:
    assert direction_of(side, lots, start) == text


def test_nonce_above_the_smallest_of_the_highest_hundred() -> None:
    window = NonceWindow()
    for i in range(NONCES_KEPT):
        assert window.refuse(NOW_MS + 2 * i, NOW_MS) is None
    assert window.refuse(NOW_MS + 1, NOW_MS) is None  # drops NOW_MS
    assert window.refuse(NOW_MS, NOW_MS) == f"Invalid nonce: nonce too low {NOW_MS} < {NOW_MS + 1}"
    assert window.refuse(NOW_MS + 2, NOW_MS) == f"Invalid nonce: duplicate nonce {NOW_MS + 2}"


def test_nonce_far_from_the_wall_clock_is_refused() -> None:
    window = NonceWindow()
    assert "too low" in str(window.refuse(NOW_MS - 3 * 86_400_000, NOW_MS))
    assert "too high" in str(window.refuse(NOW_MS + 2 * 86_400_000, NOW_MS))
    assert window.refuse(NOW_MS, NOW_MS) is None


def test_old_orders_are_forgotten_with_their_cloids() -> None:
    mine = account()
    for oid in range(1, HISTORY_MAX + 2):
        cloid = f"0x{oid:032x}"
        mine.oid_of_cloid[cloid] = oid
        mine.close(Order(oid, 0, 1, 1, 0, 1, "Alo", False, cloid, 0, "open", 0), "canceled", 1)
    assert mine.order(1) is None
    assert mine.order(2) is not None
    assert len(mine.oid_of_cloid) == len(mine.closed) == HISTORY_MAX
