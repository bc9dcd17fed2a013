"""Blocks without users: fast, conserved, and the same as those of the exchange."""

import numpy as np

from mmpipe.venue.sim.block import run_blocks, simulated
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.scenarios import load_scenario
from tests.mmpipe.venue.sim.trader import Trader

COINS = coins_of(("BTC", "ETH"), ("BTCUSDT", "ETHUSDT"))
BLOCK_NS = 20_000_000


def test_the_market_in_process_is_that_of_the_exchange() -> None:
    # The same kernels in the same order: quotes, trades, oracle and mark of both are equal, block for block.
    trader = Trader(scenario="cascade")
    market, crowd, worth = simulated(7, 20, load_scenario("cascade").phases, start_table(COINS))
    theirs = trader.exchange.state
    market.prices["max_leverage"] = theirs.market.prices["max_leverage"]
    market.header["ts_ns"] = 1_800_000_000_000 * 1_000_000
    run_blocks(market, crowd, worth, 50, BLOCK_NS)
    for _ in range(400):
        trader.run(5)
        run_blocks(market, crowd, worth, 5, BLOCK_NS)
        assert (market.level_counts == theirs.market.level_counts).all()
        assert (market.prices == theirs.market.prices).all()
        assert (crowd.lead == theirs.crowd.lead).all()
    assert (market.levels["lots"] == theirs.market.levels["lots"]).all()


def test_count_of_fills_is_that_of_all_blocks() -> None:
    market, crowd, worth = simulated(7, 20, load_scenario("quiet").phases, start_table(COINS))
    fills = run_blocks(market, crowd, worth, 3_000, BLOCK_NS)
    assert fills == market.header["tid"][0] > 50
    assert market.header["ts_ns"][0] == 3_000 * BLOCK_NS
    assert is_conserved(market)
    assert np.isfinite(market.prices["basis_tick"]).all()
