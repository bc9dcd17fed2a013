"""Directions, and what an account remembers."""

import pytest

from mmpipe.venue.sim.accounts import HISTORY_MAX, Account, Order, direction_of


def account() -> Account:
    return Account(0, "0x0")


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


def test_old_orders_are_forgotten_with_their_cloids() -> None:
    mine = account()
    for oid in range(1, HISTORY_MAX + 2):
        cloid = f"0x{oid:032x}"
        mine.oid_of_cloid[cloid] = oid
        mine.close(Order(oid, 0, 1, 1, 0, 1, "Alo", False, cloid, 0, "open", 0), "canceled", 1)
    assert mine.order(1) is None
    assert mine.order(2) is not None
    assert len(mine.oid_of_cloid) == len(mine.closed) == HISTORY_MAX
