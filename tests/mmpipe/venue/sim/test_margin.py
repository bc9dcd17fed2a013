"""Worth and margin: the venue's own numbers, the worst case of orders, isolated positions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim.ledger import deposit, exchange_lots
from mmpipe.venue.sim.margin import (
    WORTH,
    affords,
    isolated_value_cash,
    liquidation_tick,
    maintenance_cash,
    weigh,
)
from mmpipe.venue.sim.market import Market, new_market

ME, OTHER = 2, 3


def market_at(tick: int, max_leverage: int = 20) -> Market:
    market = new_market(2, 4, 150, 450)
    market.prices["mark_tick"] = tick
    market.prices["max_leverage"] = max_leverage
    return market


def worth_of(market: Market, account: int = ME) -> dict[str, float]:
    worth = np.zeros(1, WORTH)
    weigh(market, account, worth)
    return {name: int(worth[0][name]) / CASH_PER_USDC for name in WORTH.names or ()}


def test_the_venues_own_account() -> None:
    # A real account: 4.5 BTC from 81,285 at a mark of 83,926, ten times leverage of at most forty.
    market = market_at(839_260, 40)
    exchange_lots(market, OTHER, ME, 0, 1, 812_850, 450_000)
    market.standings[ME, 0]["leverage"] = 10
    deposit(market, ME, round((-339_414.3 + 81_285.0 * 4.5) * CASH_PER_USDC))
    worth = worth_of(market)
    assert worth["value_cash"] == pytest.approx(38_252.7)
    assert worth["notional_cash"] == pytest.approx(377_667.0)
    assert worth["used_cash"] == pytest.approx(37_766.7)
    assert worth["maintenance_cash"] == pytest.approx(4_720.8375)
    assert worth["value_cash"] - worth["used_cash"] == pytest.approx(486.0)  # withdrawable
    # The documented formula; the real account showed a lower price, having collateral elsewhere.
    px = 83_926 - (38_252.7 - 4_720.8375) / 4.5 / (1 - 1 / 80)
    assert liquidation_tick(market, ME, 0) == pytest.approx(px * 10)


@pytest.mark.parametrize(
    ("position", "bids", "asks", "side", "lots", "fits"),
    [
        (0, 0, 0, 1, 10_000, True),  # 10,000 USDC at ten times
        (0, 0, 0, 1, 10_001, False),
        (0, 6_000, 0, 1, 4_001, False),  # what rests counts
        (0, 6_000, 0, -1, 10_000, True),  # only the worse side counts
        (10_000, 0, 0, -1, 20_000, True),
        (10_000, 0, 0, -1, 20_001, False),
        (20_000, 0, 0, -1, 5_000, True),  # reducing is always allowed
    ],
)
def test_ten_times_the_value_at_worst_case(
    position: int, bids: int, asks: int, side: int, lots: int, fits: bool
) -> None:
    market = market_at(1_000_000)
    deposit(market, ME, 1_000 * CASH_PER_USDC)
    if position:
        exchange_lots(market, OTHER, ME, 0, 1, 1_000_000, position)
    standing = market.standings[ME, 0]
    standing["bid_lots"], standing["ask_lots"], standing["leverage"] = bids, asks, 10
    assert affords(market, ME, 0, side, lots, 1_000_000) == fits


def test_margin_is_shared_by_all_markets() -> None:
    market = market_at(1_000_000)
    deposit(market, ME, 1_000 * CASH_PER_USDC)
    market.standings["leverage"][ME] = 10
    market.standings[ME, 1]["bid_lots"] = 6_000
    assert affords(market, ME, 0, 1, 4_000, 1_000_000)
    assert not affords(market, ME, 0, 1, 4_001, 1_000_000)


def test_isolated_position_loses_its_own_margin_only() -> None:
    market = market_at(1_000_000)
    deposit(market, ME, 1_000 * CASH_PER_USDC)
    standing = market.standings[ME, 0]
    standing["isolated"], standing["leverage"] = 1, 10
    exchange_lots(market, OTHER, ME, 0, 1, 1_000_000, 5_000)  # 5,000 USDC, 500 of margin
    before = worth_of(market)
    assert (before["cross_cash"], before["isolated_cash"]) == (500.0, 500.0)
    market.prices["mark_tick"] = 950_000
    after = worth_of(market)
    assert (after["cross_cash"], after["isolated_cash"]) == (500.0, 250.0)
    assert isolated_value_cash(market, ME, 0) == 250 * CASH_PER_USDC
    # Liquidated where its value is the maintenance margin: 500 + 5000 (x - 1) = 5000 x / 40.
    tick = liquidation_tick(market, ME, 0)
    assert tick == pytest.approx(4_500 / (5_000 * (1 - 1 / 40)) * 1_000_000)


@given(
    st.integers(-50_000, 50_000).filter(bool),
    st.integers(1, 5_000),
    st.integers(900_000, 1_100_000),
    st.sampled_from([3, 10, 40]),
)
def test_equity_is_the_maintenance_margin_at_the_liquidation_price(
    lots: int, usdc: int, mark: int, leverage: int
) -> None:
    market = market_at(mark, leverage)
    deposit(market, ME, usdc * CASH_PER_USDC)
    exchange_lots(market, OTHER, ME, 0, 1 if lots > 0 else -1, 1_000_000, abs(lots))
    tick = liquidation_tick(market, ME, 0)
    if math.isnan(tick):
        return
    # Exact in ticks: a tick to the safe side holds, a tick to the other does not.
    direction = 1 if lots > 0 else -1
    for offset, safe in ((2, True), (-2, False)):
        market.prices["mark_tick"] = round(tick) + direction * offset
        if market.prices["mark_tick"][0] > 0:
            holds = worth_of(market)["value_cash"] >= maintenance_cash(market, ME, 0) / CASH_PER_USDC
            assert holds == safe


def test_flat_account_has_no_liquidation_price() -> None:
    assert math.isnan(liquidation_tick(market_at(1_000_000), ME, 0))
