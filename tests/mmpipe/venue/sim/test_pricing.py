"""Oracle, mark and funding of a small book."""

import numpy as np
import pytest

from mmpipe.enums import Tif
from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim.ledger import exchange_lots, is_conserved
from mmpipe.venue.sim.market import FEE_ACCOUNT, Market, new_market
from mmpipe.venue.sim.matching import submit
from mmpipe.venue.sim.pricing import (
    ORACLE_INTERVAL_NS,
    funding_rate,
    impact_tick,
    pay_funding,
    premium_of,
    price_block,
)

S = 1_000_000_000
ALO = int(Tif.ALO)


def book(bid: int, ask: int, lots: int = 10**9) -> Market:
    market = new_market(1, 6, 150, 450)
    submit(market, 2, 0, 1, bid, lots, ALO, 0)
    submit(market, 3, 0, -1, ask, lots, ALO, 0)
    return market


def at(market: Market, ts_ns: int, spot: int) -> tuple[int, int]:
    market.header["ts_ns"] = ts_ns
    price_block(market, 2 * spot, 0)
    return int(market.prices[0]["oracle_tick"]), int(market.prices[0]["mark_tick"])


def test_oracle_is_taken_every_three_seconds() -> None:
    market = book(990, 1_010)
    assert at(market, 100 * S, 1_000)[0] == 1_000
    assert at(market, 100 * S + ORACLE_INTERVAL_NS - 1, 1_100)[0] == 1_000
    assert at(market, 100 * S + ORACLE_INTERVAL_NS, 1_100)[0] == 1_100


def test_mark_is_the_median_of_three() -> None:
    market = book(990, 1_010)
    market.prices["marked_ts_ns"] = 100 * S  # no basis learned yet
    market.prices["last_tick"] = 1_010
    # oracle + 0 = 1,000; median(990, 1,010, last 1,010) = 1,010; lead 1,005.
    assert at(market, 100 * S, 1_000) == (1_000, 1_000)
    assert at(market, 100 * S, 1_005) == (1_000, 1_005)
    assert at(market, 100 * S, 1_200) == (1_000, 1_010)


def test_one_bad_price_does_not_move_the_mark() -> None:
    market = book(490, 510)  # this book has crashed, the lead has not
    market.prices["marked_ts_ns"] = 100 * S
    assert at(market, 100 * S, 1_000) == (1_000, 1_000)


def test_empty_side_is_marked_by_the_lead() -> None:
    market = new_market(1, 4, 150, 450)
    assert at(market, S * 100, 777) == (777, 777)


def test_impact_price_is_an_average_over_levels() -> None:
    market = new_market(1, 4, 150, 450)
    submit(market, 2, 0, -1, 1_000_000, 10_000, ALO, 0)  # 10,000 USDC
    submit(market, 2, 0, -1, 2_000_000, 10_000, ALO, 0)  # 20,000 USDC, half of it needed
    assert impact_tick(market, 0, -1) == pytest.approx(20_000e6 / 15_000)
    assert impact_tick(market, 0, 1) == 0.0


@pytest.mark.parametrize(
    ("bid", "ask", "premium"),
    [(990, 1_010, 0.0), (1_020, 1_030, 0.02), (970, 980, -0.02)],
)
def test_premium_is_how_far_the_book_lies_beside_the_oracle(bid: int, ask: int, premium: float) -> None:
    market = book(bid, ask)
    market.prices["oracle_tick"] = 1_000
    assert premium_of(market, 0) == pytest.approx(premium)


@pytest.mark.parametrize(
    ("premium", "rate"),
    [(0.0, 0.0001 / 8), (0.0003, 0.0001 / 8), (0.02, 0.0195 / 8), (-0.02, -0.0195 / 8), (1.0, 0.04)],
)
def test_rate_is_premium_plus_clamped_interest(premium: float, rate: float) -> None:
    market = book(990, 1_010)
    market.prices["premium_sum"], market.prices["premium_count"] = 3 * premium, 3
    assert funding_rate(market, 0) == pytest.approx(rate)


def test_longs_pay_shorts_on_size_times_oracle() -> None:
    market = book(990_000, 1_010_000)
    market.prices["oracle_tick"] = 1_000_000
    exchange_lots(market, 4, 5, 0, 1, 1_000_000, 100_000)  # 5 buys 100,000 USDC from 4
    market.prices["premium_sum"], market.prices["premium_count"] = 0.0, 1
    before = market.cash.copy()
    assert pay_funding(market, 0) == pytest.approx(0.0000125)
    assert (market.cash - before)[[4, 5]].tolist() == [125_000_000, -125_000_000]  # 1.25 USDC
    assert market.standings[5, 0]["funding_cash"] == 125_000_000
    assert market.prices[0]["premium_count"] == 0
    assert is_conserved(market)


def test_odd_units_go_to_the_fee_account() -> None:
    market = book(990, 1_010)
    market.prices["oracle_tick"] = 1_000
    for taker, lots in ((4, 10), (5, 10)):
        exchange_lots(market, 3, taker, 0, 1, 1_000, lots)
    market.prices["premium_sum"], market.prices["premium_count"] = 0.30007, 1
    before = market.cash.copy()
    pay_funding(market, 0)
    change = market.cash - before
    assert change.sum() == 0
    assert change[FEE_ACCOUNT] != 0
    assert abs(int(change[FEE_ACCOUNT])) < CASH_PER_USDC
    assert np.all(change % 100 == 0)
