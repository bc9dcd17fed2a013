"""A cascade that feeds itself, and its label."""

import numpy as np
import pytest

from mmpipe.venue.sim.block import run_blocks, simulated
from mmpipe.venue.sim.crowd import HOLDERS
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.margin import liquidation_tick
from mmpipe.venue.sim.scenarios import load_scenario

BLOCK_NS = 20_000_000
TABLE = start_table(coins_of(("ETH",), ("ETHUSDT",)))


class World:
    def __init__(self, seed: int = 7, **changes: float) -> None:
        self.phases = load_scenario("cascade").phases.copy()
        for key, value in changes.items():
            self.phases[key] = value
        self.market, self.crowd, self.worth = simulated(seed, 20, self.phases, TABLE)
        self.market.prices["max_leverage"] = 25
        self.market.header["ts_ns"] = 10**18
        self.forced: list[tuple[int, int]] = []

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds * 50)):
            run_blocks(self.market, self.crowd, self.worth, 1, BLOCK_NS)
            lots = int(self.market.prices["forced_lots"][0])
            if lots:
                self.forced.append((int(self.market.header["ts_ns"][0]), lots))

    @property
    def efficient(self) -> float:
        return float(self.crowd.symbols["efficient_tick"][0])


def test_holders_are_long_and_their_prices_lie_spread_below() -> None:
    world = World()
    world.run(1)
    first = int(world.crowd.symbols["holder_account"][0])
    lots = world.market.standings["lots"][first : first + HOLDERS, 0]
    assert (lots > 0).all()
    notional = lots.sum() * 430_000 / 1e6
    assert 2e6 < notional < 6e6
    ticks = np.array([liquidation_tick(world.market, first + i, 0) for i in range(HOLDERS)])
    below_bps = (1 - ticks / world.efficient) * 1e4
    assert below_bps.min() > -2.0
    assert below_bps.max() < 260.0
    assert np.quantile(below_bps, 0.5) > 60.0
    assert is_conserved(world.market)


def test_a_cascade_is_labelled_from_its_first_to_its_last_forced_trade() -> None:
    world = World()
    world.run(29)
    assert not world.forced
    assert world.crowd.clock["labels"][0] == 0
    world.run(20)
    labels = world.crowd.labels[: int(world.crowd.clock["labels"][0])]
    times = np.array([ts for ts, _ in world.forced])
    gaps = np.flatnonzero(np.diff(times) > 3_000_000_000 + BLOCK_NS)
    # Seen one block later: the flow looks at what liquidations did in the block before.
    assert labels["start_ts_ns"].tolist() == (times[np.concatenate([[0], gaps + 1])] + BLOCK_NS).tolist()
    ended = labels[labels["end_ts_ns"] > 0]
    assert ended["end_ts_ns"][0] == times[np.concatenate([gaps, [len(times) - 1]])][0] + BLOCK_NS
    assert labels["lots"].sum() == sum(lots for _, lots in world.forced)
    assert labels["lots"][0] < 0


@pytest.mark.parametrize("seed", range(1, 13))
def test_calm_is_calm_and_the_push_ignites_it_whatever_the_seed(seed: int) -> None:
    world = World(seed)
    world.run(29.5)
    assert not world.forced
    world.run(8)
    assert world.forced


def test_it_is_the_trace_of_the_sales_that_feeds_it() -> None:
    fed, starved = World(), World(impact_bps_per_musdc=0.0)
    for world in (fed, starved):
        world.run(43)
    assert sum(lots for _, lots in fed.forced) < 1.5 * sum(lots for _, lots in starved.forced)
    assert fed.efficient < starved.efficient


def test_holders_are_seated_once_a_phase() -> None:
    world = World()
    world.run(2)
    first = int(world.crowd.symbols["holder_account"][0])
    before = world.market.standings["lots"][first : first + HOLDERS, 0].copy()
    world.run(5)
    assert (world.market.standings["lots"][first : first + HOLDERS, 0] == before).all()


def test_without_leverage_nobody_is_seated() -> None:
    world = World(levered_usdc=0.0)
    world.run(45)
    assert not world.forced
    assert world.market.standings["lots"][int(world.crowd.symbols["counter_account"][0]), 0] == 0
