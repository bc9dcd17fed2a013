"""The simulated market: it looks like one, it is reproducible, and informed flow picks makers off."""

from typing import Any

import numpy as np
import pytest

from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, Crowd, new_crowd
from mmpipe.venue.sim.flow import quote_block, take_block
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.market import CROWD_FIRST, Market, new_market
from mmpipe.venue.sim.matching import best_tick, depth, submit
from mmpipe.venue.sim.scenarios import load_scenario

BLOCK_MS = 20
PER_S = 1_000 // BLOCK_MS
COINS = coins_of(("BTC", "ETH"), ("BTCUSDT", "ETHUSDT"))
ME = CROWD_FIRST + ACCOUNTS_PER_SYMBOL * len(COINS)
INFORMED = [CROWD_FIRST + ACCOUNTS_PER_SYMBOL * i + 4 for i in range(len(COINS))]


class World:
    """Market and crowd, with what a block changed."""

    def __init__(self, scenario: str = "quiet", seed: int = 7) -> None:
        phases = load_scenario(scenario).phases
        self.market: Market = new_market(len(COINS), ME + 1, 150, 450)
        self.crowd: Crowd = new_crowd(seed, BLOCK_MS, phases, start_table(COINS))

    def step(self) -> np.ndarray:
        self.market.header["fills"] = 0
        self.market.header["events"] = 0
        quote_block(self.market, self.crowd)
        take_block(self.market, self.crowd)
        return self.market.fills[: int(self.market.header["fills"][0])]

    def touch(self, symbol: int) -> tuple[int, int]:
        return best_tick(self.market, symbol, 1), best_tick(self.market, symbol, -1)


def watch(world: World, seconds: int) -> dict[str, Any]:
    """Touch, lead, trades and depth of every block."""
    world.step()
    blocks = seconds * PER_S
    touch = np.zeros((blocks, len(COINS), 2), np.int64)
    lead = np.zeros((blocks, len(COINS)))
    trades, levels = [], []
    rows = np.zeros(100, np.dtype([("tick", "i8"), ("lots", "i8"), ("orders", "i8")], align=True))
    for i in range(blocks):
        fills = world.step().copy()
        trades.append(len(np.unique(fills[fills["symbol"] == 0]["taker_oid"])))
        touch[i] = [world.touch(symbol) for symbol in range(len(COINS))]
        lead[i] = world.crowd.lead["bid_tick"]
        levels.append(depth(world.market, 0, 1, rows))
    return {"touch": touch, "lead": lead, "trades": trades, "levels": levels, "world": world}


@pytest.fixture(scope="module")
def quiet() -> dict[str, Any]:
    return watch(World(), 200)


def spread_bps(seen: dict[str, Any], symbol: int) -> np.ndarray:
    bid, ask = seen["touch"][50:, symbol].T
    return (ask - bid) / bid * 1e4


@pytest.mark.parametrize("symbol", [0, 1])
def test_spread_of_a_thin_market_is_twice_the_providers_width(symbol: int) -> None:
    spread = spread_bps(watch(World("thin"), 60), symbol)
    width_bps = float(load_scenario("thin").phases["provider_width_bps"][0])
    assert (spread > 0.0).all()
    assert 1.6 * width_bps < np.median(spread) < 2.0 * width_bps + 1.0


@pytest.mark.parametrize("symbol", [0, 1])
def test_spread_is_one_or_two_ticks_most_of_the_time(quiet: dict[str, Any], symbol: int) -> None:
    touch = quiet["touch"][50:, symbol]
    spread = (touch[:, 1] - touch[:, 0]) // 10
    assert (spread >= 1).all()
    assert (spread <= 2).mean() > 0.85


@pytest.mark.parametrize("symbol", [0, 1])
def test_one_second_volatility_is_about_a_basis_point(quiet: dict[str, Any], symbol: int) -> None:
    mid = quiet["touch"][50::PER_S, symbol].mean(axis=1)
    assert 0.6 < np.diff(np.log(mid)).std() * 1e4 < 1.5


def test_several_trades_a_second_and_a_deep_book(quiet: dict[str, Any]) -> None:
    assert 2.0 < np.mean(quiet["trades"]) * PER_S < 8.0
    assert np.quantile(quiet["levels"][50:], 0.01) >= 10


@pytest.mark.parametrize("symbol", [0, 1])
def test_lead_moves_about_150_ms_earlier(quiet: dict[str, Any], symbol: int) -> None:
    lead = np.diff(np.log(quiet["lead"][50:, symbol]))
    maker = np.diff(np.log(quiet["touch"][50:, symbol].mean(axis=1)))
    lags = range(-25, 26)
    correlation = [np.corrcoef(lead[30:-30], maker[30 + lag : len(maker) - 30 + lag])[0, 1] for lag in lags]
    peak_ms = lags[int(np.argmax(correlation))] * BLOCK_MS
    assert 80 <= peak_ms <= 260


def test_money_and_positions_are_conserved(quiet: dict[str, Any]) -> None:
    market = quiet["world"].market
    assert (market.standings["lots"].sum(axis=0) == 0).all()
    assert market.cash.sum() == 0
    assert market.cash[0] > 0  # fees


def joined(world: World, symbol: int, side: int, lots: int) -> int:
    tick = world.touch(symbol)[0 if side > 0 else 1]
    submit(world.market, ME, symbol, side, tick, lots, 0, 0)
    return int(world.market.header["last_oid"][0])


def test_joining_the_touch_is_filled_within_seconds() -> None:
    world = World()
    waits = []
    for _ in range(100):
        world.step()
    for trial in range(60):
        oid = joined(world, 0, 1 if trial % 2 else -1, 1_000)
        for block in range(30 * PER_S):
            fills = world.step()
            if (fills["maker_oid"] == oid).any():
                waits.append(block / PER_S)
                break
    assert len(waits) >= 40
    assert np.median(waits) < 5.0


def markouts(scenario: str, from_informed: bool) -> np.ndarray:
    """Signed mid moves in bps, one second after each of our passive fills; negative is adverse."""
    world = World(scenario)
    informed = set(INFORMED)
    open_marks: list[tuple[int, int, int, float]] = []
    moves = []
    for block in range(150 * PER_S):
        if block > 50 and block % 10 == 0:
            for symbol in range(len(COINS)):
                for side in (1, -1):
                    joined(world, symbol, side, 100)
        fills = world.step()
        mids = [sum(world.touch(symbol)) / 2 for symbol in range(len(COINS))]
        for row in fills[fills["maker_account"] == ME]:
            if (int(row["taker_account"]) in informed) == from_informed:
                symbol = int(row["symbol"])
                open_marks.append((block + PER_S, symbol, -int(row["side"]), float(row["tick"])))
        while open_marks and open_marks[0][0] <= block:
            _, symbol, side, tick = open_marks.pop(0)
            moves.append(side * (mids[symbol] - tick) / tick * 1e4)
    return np.array(moves)


def test_informed_fills_are_adverse_and_noise_fills_are_not() -> None:
    informed, noise = markouts("quiet", True), markouts("quiet", False)
    assert len(informed) > 30
    assert len(noise) > 30
    assert informed.mean() + 2 * informed.std() / np.sqrt(len(informed)) < 0.0
    assert noise.mean() > informed.mean() + 0.2


def test_cascade_sells_off_withdraws_and_ends() -> None:
    world = World("cascade")
    liquidated = [int(row["liquidated_account"]) for row in world.crowd.symbols]
    spread: dict[int, list[float]] = {0: [], 1: [], 2: []}
    mid: dict[int, list[float]] = {0: [], 1: [], 2: []}
    forced = {0: 0, 1: 0, 2: 0}
    for block in range(60 * PER_S):
        fills = world.step()
        phase = int(world.crowd.clock["phase"][0])
        bid, ask = world.touch(0)
        if block > 50:
            spread[phase].append(ask - bid)
            mid[phase].append((ask + bid) / 2)
        forced[phase] += int(np.isin(fills["taker_account"], liquidated).sum())
    assert forced[0] == forced[2] == 0 < forced[1]
    assert np.mean(spread[1]) > 3 * np.mean(spread[0])
    assert np.diff(np.log(mid[1][::PER_S])).std() > 3 * np.diff(np.log(mid[0][::PER_S])).std()
    assert mid[1][-1] < mid[1][0]
    assert all(world.touch(symbol)[0] > 0 for symbol in range(len(COINS)))


def test_same_seed_same_bytes_another_seed_others() -> None:
    first, second, other = World(), World(), World(seed=8)
    for world in (first, second, other):
        for _ in range(300):
            world.step()
    assert all((a == b).all() for a, b in zip(first.market, second.market, strict=True))
    assert all((a == b).all() for a, b in zip(first.crowd, second.crowd, strict=True))
    assert first.touch(0) != other.touch(0) or first.touch(1) != other.touch(1)
