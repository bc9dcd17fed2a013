"""Positions, entry prices and cash: moved, never made."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.ledger import charge_fees, deposit, exchange_lots, is_conserved, transfer
from mmpipe.venue.sim.market import FEE_ACCOUNT, Market, new_market

FILLS = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(1, 1_000), st.integers(1, 50), st.integers(0, 2)),
    max_size=30,
)


def market_of_five() -> Market:
    return new_market(1, 5, 150, 450)


def fill(market: Market, maker: int, taker: int, side: int, tick: int, lots: int) -> np.void:
    return market.fills[exchange_lots(market, maker, taker, 0, side, tick, lots)]


def test_entry_price_and_closed_profit_of_a_round_trip_through_zero() -> None:
    market = market_of_five()
    closed, entry = [], []
    for side, tick, lots in ((1, 100, 10), (1, 110, 10), (-1, 115, 5), (-1, 100, 25), (1, 90, 10)):
        closed.append(int(fill(market, 3, 2, side, tick, lots)["taker_closed"]))
        entry.append(int(market.standings[2, 0]["entry_notional"]))
    # Cash units per tick and lot: 100.
    assert closed == [0, 0, 5 * 10 * 100, -15 * 5 * 100, 10 * 10 * 100]
    assert entry == [1_000, 2_100, 1_575, 1_000, 0]  # 20 at 105; short 10 at 100; flat
    assert market.cash[2] == sum(closed)


@given(FILLS)
def test_closed_profit_and_entry_add_up_to_the_cash(fills: list[tuple[int, int, int, int]]) -> None:
    market, paid, closed = market_of_five(), Fraction(0), 0
    for side, tick, lots, other in fills:
        closed += int(fill(market, 2 + other if other else 1, 2, side, tick, lots)["taker_closed"])
        paid -= side * tick * lots * 100
    standing = market.standings[2, 0]
    sign = np.sign(standing["lots"])
    assert closed - sign * int(standing["entry_notional"]) * 100 == paid == market.cash[2]
    assert is_conserved(market)


def test_both_fees_go_to_the_fee_account() -> None:
    market = market_of_five()
    row = fill(market, 3, 2, 1, 1_000_000, 100_000)
    charge_fees(market, 0, 1_000_000 * 100_000)
    assert (row["maker_fee"], row["taker_fee"]) == (1_500_000_000, 4_500_000_000)  # 15 and 45 USDC
    assert market.cash[FEE_ACCOUNT] == 6_000_000_000
    assert is_conserved(market)


def test_margin_of_an_isolated_position_is_freed_in_its_share() -> None:
    market = market_of_five()
    market.standings[2, 0]["isolated"] = 1
    market.standings[2, 0]["leverage"] = 10
    fill(market, 3, 2, 1, 1_000, 40)
    assert market.standings[2, 0]["margin_cash"] == 1_000 * 40 * 100 // 10
    fill(market, 3, 2, -1, 2_000, 10)
    assert market.standings[2, 0]["margin_cash"] == 1_000 * 30 * 100 // 10
    fill(market, 3, 2, -1, 2_000, 40)  # and 10 short
    assert market.standings[2, 0]["margin_cash"] == 2_000 * 10 * 100 // 10


def test_money_that_appears_is_noticed() -> None:
    market = market_of_five()
    deposit(market, 2, 500)
    transfer(market, 2, 3, 200)
    assert is_conserved(market)
    market.cash[3] += 1
    assert not is_conserved(market)
    market.cash[3] -= 1
    market.standings[3, 0]["lots"] += 1
    assert not is_conserved(market)
