"""Blocks of a market without users: what simulation runs in-process, as fast as the machine allows.

The order of things within a block is that of `exchange.Exchange.run_block`, which has users between them.
"""

import numpy as np

from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, PHASE, Crowd, new_crowd
from mmpipe.venue.sim.flow import quote_block, take_block
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.liquidation import liquidate_block
from mmpipe.venue.sim.margin import WORTH
from mmpipe.venue.sim.market import CROWD_FIRST, Market, new_market
from mmpipe.venue.sim.pricing import price_block
from ringbuf.jit import example, kernel


@kernel
def clear_block(market: Market, crowd: Crowd, worth: np.ndarray) -> None:
    """What follows trading in every block: oracle, mark, liquidations.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        Its lead market is the spot price.
    worth : (1,) WORTH
        Room to work in.
    """
    for symbol in range(crowd.symbols.shape[0]):
        quote = crowd.lead[symbol]
        price_block(market, quote["bid_tick"] + quote["ask_tick"], symbol)
    liquidate_block(market, worth)


@kernel
def run_blocks(market: Market, crowd: Crowd, worth: np.ndarray, count: int, block_ns: int) -> int:
    """Run blocks nobody but the crowd takes part in.

    Parameters
    ----------
    worth : (1,) WORTH
        Room to work in.
    count : int
        Blocks.
    block_ns : int
        Length of one.

    Returns
    -------
    int
        Fills in all of them; the tapes hold those of the last.
    """
    fills = 0
    for _ in range(count):
        head = market.header[0]
        head["ts_ns"] += block_ns
        head["fills"] = 0
        head["events"] = 0
        quote_block(market, crowd)
        take_block(market, crowd)
        clear_block(market, crowd, worth)
        assert is_conserved(market), "cash is what was paid in, and lots sum to zero"
        fills += head["fills"]
    return fills


def simulated(
    seed: int, block_ms: int, phases: np.ndarray, instruments: np.ndarray
) -> tuple[Market, Crowd, np.ndarray]:
    """A market with its crowd and without users, ready for `run_blocks`.

    Parameters
    ----------
    seed, block_ms, phases, instruments
        As `crowd.new_crowd`.
    """
    symbols = len(instruments)
    market = new_market(symbols, CROWD_FIRST + ACCOUNTS_PER_SYMBOL * symbols, 150, 450)
    for name in ("oracle_tick", "mark_tick", "spot_tick"):
        market.prices[name] = instruments[:, 0]
    return market, new_crowd(seed, block_ms, phases, instruments), np.zeros(1, WORTH)


def _example_run() -> tuple[object, ...]:
    return simulated(0, 20, np.zeros(1, PHASE), np.array([[1_000_000.0, 10.0, 100_000.0]]))


@example(clear_block)
def _clear_block_example() -> tuple[object, ...]:
    return _example_run()


@example(run_blocks)
def _run_blocks_example() -> tuple[object, ...]:
    return (*_example_run(), 0, 1)
