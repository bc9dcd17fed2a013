"""Triggers, small orders and the prices of answers; the refusals themselves are in test_exchange."""

from typing import Literal

import pytest

from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim import wire
from mmpipe.venue.sim.accounts import Order, Trigger
from mmpipe.venue.sim.instruments import coins_of
from mmpipe.venue.sim.order_checks import Checked, Refusal, check_order, check_trigger, placed_item
from mmpipe.venue.sim.wire import Limit, OrderType, OrderWire

COIN = coins_of(("BTC",), ("BTCUSDT",))[0]


def trigger(px: str, tpsl: Literal["tp", "sl"], buys: bool) -> Trigger | Refusal:
    kind = OrderType(trigger=wire.Trigger(True, px, tpsl))
    return check_trigger(COIN, OrderWire(0, buys, px, "1", True, kind), 1_000_000, False)


@pytest.mark.parametrize(
    ("px", "tpsl", "buys", "sleeps"),
    [
        ("99000", "sl", False, True),  # a stop sells below
        ("101000", "sl", False, False),
        ("101000", "sl", True, True),  # and buys above
        ("101000", "tp", False, True),  # a profit is taken above
        ("99000", "tp", False, False),
        ("99000", "tp", True, True),
        ("99000.5", "sl", False, False),  # not on the grid
        ("x", "sl", False, False),
    ],
)
def test_trigger_must_not_be_reached_already(
    px: str, tpsl: Literal["tp", "sl"], buys: bool, sleeps: bool
) -> None:
    assert isinstance(trigger(px, tpsl, buys), Trigger) == sleeps


def test_small_order_may_close_the_whole_position_only() -> None:
    small = OrderWire(0, False, "100000", "0.00005", True, OrderType(Limit("Ioc")))
    assert isinstance(check_order(COIN, small, 1_000_000, 5), Checked)
    assert isinstance(check_order(COIN, small, 1_000_000, 6), Refusal)
    assert isinstance(check_order(COIN, small, 1_000_000, -5), Refusal)


def test_average_price_over_levels() -> None:
    order = Order(9, 0, 1, 0, 0, 3, "Ioc", False, "0xc", 0, "filled", 0)
    item = placed_item(order, codes.FILLED, 3, 1_000_000 * 2 + 1_000_010, COIN)
    assert item == {"filled": {"totalSz": "0.00003", "avgPx": "100000.333333", "oid": 9, "cloid": "0xc"}}
    assert placed_item(order, codes.OPEN, 0, 0, COIN) == {"resting": {"oid": 9, "cloid": "0xc"}}
