"""Accounts that cannot hold their positions: sold in the book, taken over, closed against others."""

import numpy as np
import pytest

from mmpipe.enums import Tif
from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.ledger import deposit, exchange_lots, is_conserved
from mmpipe.venue.sim.liquidation import PAUSE_NS, cancel_account, close_market, liquidate_block
from mmpipe.venue.sim.margin import WORTH
from mmpipe.venue.sim.market import BACKSTOP_ACCOUNT, Market, new_market
from mmpipe.venue.sim.matching import submit

S = 1_000_000_000
MAKER, ME, WINNER, RICH = 2, 3, 4, 5
ALO = int(Tif.ALO)
MARK = 1_000_000


def market_with_long(usdc: int, lots: int = 50_000) -> Market:
    """ME bought `lots` at MARK from WINNER with `usdc` behind it; a deep book around MARK."""
    market = new_market(1, 6, 150, 450)
    market.header["ts_ns"] = 1_000 * S
    market.prices["max_leverage"] = 20
    for name in ("mark_tick", "oracle_tick", "spot_tick"):
        market.prices[name] = MARK
    deposit(market, MAKER, 10**9 * CASH_PER_USDC)
    deposit(market, ME, usdc * CASH_PER_USDC)
    deposit(market, WINNER, 10_000 * CASH_PER_USDC)
    exchange_lots(market, WINNER, ME, 0, 1, MARK, lots)
    market.margined[ME] = market.margined[WINNER] = 1
    market.header["fills"] = 0
    for step in range(1, 40):
        submit(market, MAKER, 0, 1, MARK - 10 * step, 10**6, ALO, 0)
        submit(market, MAKER, 0, -1, MARK + 10 * step, 10**6, ALO, 0)
    return market


def run(market: Market, mark: int) -> np.ndarray:
    market.prices["mark_tick"] = mark
    market.header["fills"] = 0
    liquidate_block(market, np.zeros(1, WORTH))
    assert is_conserved(market)
    return market.fills[: int(market.header["fills"][0])]


def test_healthy_account_is_left_alone() -> None:
    market = market_with_long(2_000)
    assert len(run(market, 990_000)) == 0
    assert market.prices[0]["forced_lots"] == 0


def test_below_maintenance_it_is_sold_in_the_book_and_its_orders_go() -> None:
    # 50,000 USDC of notional, 1,250 of maintenance; at -1.8 % a value of 2,000 - 900 = 1,100.
    market = market_with_long(2_000)
    submit(market, ME, 0, 1, 900_000, 10, ALO, 0)
    fills = run(market, 982_000)
    assert (fills["cause"] == codes.LIQUIDATED).all()
    assert (fills["taker_account"] == ME).all()
    assert fills["lots"].sum() == 50_000
    assert market.prices[0]["forced_lots"] == -50_000
    assert market.standings[ME, 0]["lots"] == 0
    assert market.standings[ME, 0]["bid_lots"] == 0
    events = market.events[: int(market.header["events"][0])]
    assert codes.LIQUIDATED_CANCELED in events["status"][events["account"] == ME]
    assert 0 < market.cash[ME] < 2_000 * CASH_PER_USDC


def test_large_position_is_sold_a_fifth_at_a_time() -> None:
    market = market_with_long(9_000, 200_000)
    assert run(market, 978_000)["lots"].sum() == 40_000
    assert len(run(market, 978_000)) == 0
    market.header["ts_ns"] += PAUSE_NS
    assert run(market, 968_000)["lots"].sum() == 32_000


def test_backstop_takes_over_below_two_thirds() -> None:
    market = market_with_long(2_000)
    fills = run(market, 974_000)  # value 700, two thirds of maintenance 812
    (fill,) = fills
    assert (fill["cause"], fill["maker_account"], fill["taker_account"]) == (
        codes.BACKSTOPPED,
        ME,
        BACKSTOP_ACCOUNT,
    )
    assert market.standings[BACKSTOP_ACCOUNT, 0]["lots"] == 50_000
    assert market.cash[ME] == 0
    assert market.prices[0]["forced_lots"] == 0  # nothing went through the book


def test_below_zero_the_winner_is_closed_at_the_oracle_price() -> None:
    market = market_with_long(2_000)
    market.prices["oracle_tick"] = 970_000
    fills = run(market, 950_000)
    (fill,) = fills
    assert fill["cause"] == codes.DELEVERAGED
    assert fill["tick"] == 970_000
    assert {int(fill["maker_account"]), int(fill["taker_account"])} == {ME, WINNER}
    assert market.standings[ME, 0]["lots"] == market.standings[WINNER, 0]["lots"] == 0
    assert market.cash[ME] == 500 * CASH_PER_USDC
    assert market.cash[WINNER] == 11_500 * CASH_PER_USDC


def test_debt_without_a_position_is_the_backstops() -> None:
    market = market_with_long(2_000)
    run(market, 950_000)  # closed at the oracle price, which is still MARK
    market.prices["oracle_tick"] = 950_000
    market.cash[ME] -= 5_000 * CASH_PER_USDC
    market.cash[BACKSTOP_ACCOUNT] += 5_000 * CASH_PER_USDC
    run(market, 950_000)
    assert market.cash[ME] < 0 or market.cash[BACKSTOP_ACCOUNT] < 5_000 * CASH_PER_USDC


def test_isolated_position_does_not_touch_the_rest() -> None:
    market = new_market(2, 6, 150, 450)
    market.header["ts_ns"] = 1_000 * S
    market.prices["max_leverage"] = 20
    for name in ("mark_tick", "oracle_tick", "spot_tick"):
        market.prices[name] = MARK
    deposit(market, ME, 50_000 * CASH_PER_USDC)
    market.margined[ME] = 1
    standing = market.standings[ME, 0]
    standing["isolated"], standing["leverage"] = 1, 20
    exchange_lots(market, WINNER, ME, 0, 1, MARK, 20_000)
    exchange_lots(market, WINNER, ME, 1, 1, MARK, 20_000)
    submit(market, MAKER, 0, 1, 960_000, 10**6, ALO, 0)
    market.prices["mark_tick"] = [973_000, MARK]
    market.header["fills"] = 0
    liquidate_block(market, np.zeros(1, WORTH))
    assert market.standings[ME, 0]["lots"] == 0
    assert market.standings[ME, 1]["lots"] == 20_000
    assert is_conserved(market)


@pytest.mark.parametrize("oracle", [900_000, 1_000_000, 1_100_000])
def test_delisting_cancels_everything_and_settles_at_the_oracle(oracle: int) -> None:
    market = market_with_long(20_000)
    market.prices["oracle_tick"] = oracle
    close_market(market, 0)
    assert (market.standings["lots"] == 0).all()
    assert (market.level_counts == 0).all()
    assert market.cash[ME] == 20_000 * CASH_PER_USDC + 50_000 * (oracle - MARK) * 100
    assert is_conserved(market)


def test_cancel_account_is_bound_to_account_and_market() -> None:
    market = new_market(2, 6, 150, 450)
    for account, symbol in ((ME, 0), (ME, 1), (RICH, 0)):
        submit(market, account, symbol, 1, 100 + account, 5, ALO, 0)
    cancel_account(market, ME, 0, codes.CANCELED)
    assert market.standings["bid_lots"][[ME, ME, RICH], [0, 1, 0]].tolist() == [0, 5, 5]
    cancel_account(market, ME, -1, codes.CANCELED)
    assert market.standings["bid_lots"][[ME, ME, RICH], [0, 1, 0]].tolist() == [0, 0, 5]
