"""The simulated market: it looks like one, it is reproducible, and informed flow picks makers off."""

from typing import Any

import numpy as np
import pytest

from mmpipe.venue.sim.block import run_blocks, simulated
from mmpipe.venue.sim.flow import quote_block, take_block
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.market import DEPTH, Market
from mmpipe.venue.sim.matching import best_tick, depth, submit
from mmpipe.venue.sim.scenarios import load_scenario

BLOCK_MS = 20
BLOCK_NS = BLOCK_MS * 1_000_000
PER_S = 1_000 // BLOCK_MS
COINS = coins_of(("BTC", "ETH"), ("BTCUSDT", "ETHUSDT"))
ME = 1  # the backstop trades nothing in a calm market: its account stands in for ours


class World:
    """Market and crowd, with what a block changed."""

    def __init__(
        self, scenario: str = "quiet", seed: int = 7, block_ms: int = BLOCK_MS, **changes: float
    ) -> None:
        phases = load_scenario(scenario).phases.copy()
        for key, value in changes.items():
            phases[key] = value
        self.market, self.crowd, self.worth = simulated(seed, block_ms, phases, start_table(COINS))
        self.block_ns = block_ms * 1_000_000

    def step(self) -> np.ndarray:
        run_blocks(self.market, self.crowd, self.worth, 1, self.block_ns)
        return self.market.fills[: int(self.market.header["fills"][0])]

    def touch(self, symbol: int) -> tuple[int, int]:
        return best_tick(self.market, symbol, 1), best_tick(self.market, symbol, -1)


def watch(world: World, seconds: int) -> dict[str, Any]:
    """Touch, lead, trades and depth of every block."""
    for _ in range(PER_S):
        world.step()
    blocks = seconds * PER_S
    touch = np.zeros((blocks, len(COINS), 2), np.int64)
    lead = np.zeros((blocks, len(COINS)))
    trades, levels = [], []
    rows = np.zeros(100, DEPTH)
    for i in range(blocks):
        fills = world.step().copy()
        trades.append(len(np.unique(fills[fills["symbol"] == 0]["taker_oid"])))
        touch[i] = [world.touch(symbol) for symbol in range(len(COINS))]
        lead[i] = world.crowd.lead["bid_tick"]
        levels.append(depth(world.market, 0, 1, rows))
    return {"touch": touch, "lead": lead, "trades": trades, "levels": levels, "world": world}


@pytest.fixture(scope="module")
def quiet() -> dict[str, Any]:
    return watch(World(), 300)


def spread_bps(seen: dict[str, Any], symbol: int) -> np.ndarray:
    bid, ask = seen["touch"][:, symbol].T
    return (ask - bid) / bid * 1e4


@pytest.mark.parametrize("symbol", [0, 1])
def test_spread_of_a_thin_market_is_twice_its_width(symbol: int) -> None:
    spread = spread_bps(watch(World("thin"), 60), symbol)
    width_bps = float(load_scenario("thin").phases["width_bps"][0])
    assert (spread > 0.0).all()
    assert 1.6 * width_bps < np.median(spread) < 2.0 * width_bps + 1.0


@pytest.mark.parametrize("symbol", [0, 1])
def test_spread_is_one_or_two_ticks_most_of_the_time(quiet: dict[str, Any], symbol: int) -> None:
    touch = quiet["touch"][:, symbol]
    spread = (touch[:, 1] - touch[:, 0]) // 10
    assert (spread >= 1).all()
    assert (spread <= 2).mean() > 0.85


@pytest.mark.parametrize("symbol", [0, 1])
def test_one_second_volatility_is_about_a_basis_point(quiet: dict[str, Any], symbol: int) -> None:
    mid = quiet["touch"][::PER_S, symbol].mean(axis=1)
    assert 0.5 < np.diff(np.log(mid)).std() * 1e4 < 1.4


def test_a_trade_or_two_a_second_and_a_deep_book(quiet: dict[str, Any]) -> None:
    assert 0.8 < np.mean(quiet["trades"]) * PER_S < 2.5
    assert np.quantile(quiet["levels"], 0.01) >= 10


@pytest.mark.parametrize("symbol", [0, 1])
def test_lead_moves_about_150_ms_earlier(quiet: dict[str, Any], symbol: int) -> None:
    lead = np.diff(np.log(quiet["lead"][:, symbol]))
    maker = np.diff(np.log(quiet["touch"][:, symbol].mean(axis=1)))
    lags = range(-25, 26)
    correlation = [np.corrcoef(lead[30:-30], maker[30 + lag : len(maker) - 30 + lag])[0, 1] for lag in lags]
    peak_ms = lags[int(np.argmax(correlation))] * BLOCK_MS
    assert 60 <= peak_ms <= 260


def test_lead_leads_by_what_the_scenario_says() -> None:
    seen = watch(World("lead-lag"), 200)
    lead = np.diff(np.log(seen["lead"][:, 0]))
    maker = np.diff(np.log(seen["touch"][:, 0].mean(axis=1)))
    lags = range(0, 40)
    correlation = [np.corrcoef(lead[:-50], maker[lag : len(maker) - 50 + lag])[0, 1] for lag in lags]
    assert 220 <= lags[int(np.argmax(correlation))] * BLOCK_MS <= 480


def test_the_market_is_the_same_in_longer_and_shorter_blocks() -> None:
    # Without the slow tide of activity, whose few waves within ten minutes differ from run to run.
    trades, wide = [], []
    for block_ms in (10, 70):
        world = World(block_ms=block_ms, activity_spread=0.0, excitation=0.0)
        seconds, count, spreads = 600, 0, []
        for _ in range(seconds * 1_000 // block_ms):
            fills = world.step()
            count += len(np.unique(fills[fills["symbol"] == 1]["taker_oid"]))
            bid, ask = world.touch(1)
            spreads.append(ask - bid > 10)
        trades.append(count / seconds)
        wide.append(np.mean(spreads[100:]))
    assert trades[0] == pytest.approx(trades[1], rel=0.2)
    assert wide[0] == pytest.approx(wide[1], abs=0.05)


def joined(world: World, symbol: int, side: int, lots: int) -> int:
    tick = world.touch(symbol)[0 if side > 0 else 1]
    submit(world.market, ME, symbol, side, tick, lots, 0, 0)
    return int(world.market.header["last_oid"][0])


def fills_and_markouts(scenario: str, seconds: int, horizon_s: float) -> list[tuple[bool, float, float]]:
    """Our passive fills at the touch: taker informed, mid move after the fill in bps, and mark-out."""
    world = World(scenario)
    informed = set(world.crowd.symbols["informed_account"].tolist())
    waiting: list[tuple[int, int, int, float, float, bool]] = []
    done = []
    for block in range(seconds * PER_S):
        if block > 50 and block % 10 == 0:
            for symbol in range(len(COINS)):
                for side in (1, -1):
                    joined(world, symbol, side, 100)
        before = [sum(world.touch(symbol)) / 2 for symbol in range(len(COINS))]
        fills = world.step()
        mids = [sum(world.touch(symbol)) / 2 for symbol in range(len(COINS))]
        for row in fills[fills["maker_account"] == ME]:
            symbol, by_informed = int(row["symbol"]), int(row["taker_account"]) in informed
            due = block + int(horizon_s * PER_S)
            waiting.append((due, symbol, -int(row["side"]), float(row["tick"]), before[symbol], by_informed))
        while waiting and waiting[0][0] <= block:
            _, symbol, side, tick, mid, by_informed = waiting.pop(0)
            move = side * (mids[symbol] - mid) / mid * 1e4
            done.append((by_informed, move, side * (mids[symbol] - tick) / tick * 1e4))
    return done


def below_zero(values: np.ndarray) -> bool:
    return bool(values.mean() + 2 * values.std() / np.sqrt(len(values)) < 0.0)


@pytest.mark.parametrize("scenario", ["quiet", "thin"])
def test_the_mid_moves_against_a_passive_fill(scenario: str) -> None:
    # E[mid move | passive fill] < 0 (DeLise 2024): a fill is bad news, whoever brought it.
    moves = np.array([move for _, move, _ in fills_and_markouts(scenario, 300, 1.0)])
    assert len(moves) > 100
    assert below_zero(moves)


def test_informed_fills_are_adverse_and_noise_fills_are_less_so() -> None:
    done = fills_and_markouts("thin", 400, 1.0)
    informed = np.array([move for by_informed, move, _ in done if by_informed])
    noise = np.array([move for by_informed, move, _ in done if not by_informed])
    assert min(len(informed), len(noise)) > 20
    assert below_zero(informed)
    assert noise.mean() > informed.mean() + 0.5


def test_thin_market_pays_a_patient_maker_more_than_it_costs() -> None:
    # What the newcomer's default promises: an edge beyond the maker fee of 1.5 bps.
    marked = np.array([mark for _, _, mark in fills_and_markouts("thin", 300, 1.0)])
    assert marked.mean() > 1.5


def test_flash_crash_leaves_the_lead_at_twice_this_market() -> None:
    world = World("flash-crash")
    lowest, leads = 1e9, []
    for _ in range(40 * PER_S):
        world.step()
        if min(world.touch(1)) > 0:
            lowest = min(lowest, sum(world.touch(1)) / 2)
        leads.append(float(world.crowd.lead["bid_tick"][1]))
    assert max(leads) / min(leads) < 1.01
    assert 1.9 < leads[-1] / lowest < 2.1


@pytest.mark.parametrize("scenario", ["quiet", "thin", "volatile", "trend", "cascade", "flash-crash"])
def test_there_is_a_price_on_both_sides_and_money_is_conserved(scenario: str) -> None:
    # A sweep may leave a side empty until its providers come back, which takes half a second at the most.
    world = World(scenario)
    empty = [0, 0]
    for _ in range(60 * PER_S):
        world.step()
        for symbol in range(len(COINS)):
            bid, ask = world.touch(symbol)
            assert bid < ask or min(bid, ask) == 0
            empty[symbol] = empty[symbol] + 1 if min(bid, ask) == 0 else 0
            assert empty[symbol] <= 25
    assert is_conserved(world.market)
    assert world.market.cash[0] > 0  # fees


def test_same_seed_same_bytes_another_seed_others() -> None:
    first, second, other = World("cascade"), World("cascade"), World("cascade", seed=8)
    for world in (first, second, other):
        for _ in range(35 * PER_S):
            world.step()
    assert all((a == b).all() for a, b in zip(first.market, second.market, strict=True))
    assert all((a == b).all() for a, b in zip(first.crowd, second.crowd, strict=True))
    assert first.touch(0) != other.touch(0) or first.touch(1) != other.touch(1)


def test_a_delisted_market_is_left_alone() -> None:
    world = World()
    world.step()
    market: Market = world.market
    market.prices["delisted"][1] = 1
    market.header["fills"] = 0
    before = market.level_counts[1].copy(), market.levels[1].copy()
    for _ in range(50):
        quote_block(market, world.crowd)
        take_block(market, world.crowd)
    assert (market.level_counts[1] == before[0]).all()
    assert (market.levels[1] == before[1]).all()
