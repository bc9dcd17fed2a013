"""Margin at worst case and the prices of answers; the refusals themselves are in test_exchange."""

import numpy as np
import pytest

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Order
from mmpipe.venue.sim.instruments import coins_of
from mmpipe.venue.sim.order_checks import Checked, Refusal, affords, check_order, placed_item
from mmpipe.venue.sim.wire import Limit, OrderType, OrderWire

COIN = coins_of(("BTC",), ("BTCUSDT",))[0]
MARKS = np.array([1_000_000])
CASH = 1_000 * CASH_PER_USDC


def resting(side: int, lots: int) -> Order:
    return Order(1, 0, side, 1_000_000, lots, lots, "Alo", False, None, 0, "open", 0)


@pytest.mark.parametrize(
    ("position", "open_side", "open_lots", "side", "lots", "fits"),
    [
        (0, 1, 0, 1, 10_000, True),  # 10000 USDC at ten times
        (0, 1, 0, 1, 10_001, False),
        (0, 1, 6_000, 1, 4_001, False),  # what rests counts
        (0, 1, 6_000, -1, 10_000, True),  # only the worse side counts
        (10_000, 1, 0, -1, 20_000, True),
        (10_000, 1, 0, -1, 20_001, False),
        (20_000, 1, 0, -1, 5_000, True),  # reducing is always allowed
    ],
)
def test_ten_times_the_value_at_worst_case(
    position: int, open_side: int, open_lots: int, side: int, lots: int, fits: bool
) -> None:
    account = Account(0, "0x0", np.zeros(1, np.int64))
    account.open[1] = resting(open_side, open_lots)
    cash = CASH - position * 1_000_000 * 100
    order = Checked(side, 1_000_000, lots, 0)
    assert affords(account, cash, np.array([position]), MARKS, 0, order) == fits


def test_small_order_may_close_the_whole_position_only() -> None:
    wire = OrderWire(0, False, "100000", "0.00005", True, OrderType(Limit("Ioc")))
    assert isinstance(check_order(COIN, wire, 1_000_000, 5), Checked)
    assert isinstance(check_order(COIN, wire, 1_000_000, 6), Refusal)
    assert isinstance(check_order(COIN, wire, 1_000_000, -5), Refusal)


def test_average_price_over_levels() -> None:
    order = Order(9, 0, 1, 0, 0, 3, "Ioc", False, "0xc", 0, "filled", 0)
    item = placed_item(order, codes.FILLED, 3, 1_000_000 * 2 + 1_000_010, COIN)
    assert item == {"filled": {"totalSz": "0.00003", "avgPx": "100000.333333", "oid": 9, "cloid": "0xc"}}
    assert placed_item(order, codes.OPEN, 0, 0, COIN) == {"resting": {"oid": 9, "cloid": "0xc"}}
