"""Traders who know nothing: when they come, on which side, and how large they are.

They come less often to a long queue (the queue-reactive rate of market orders), bring one another about for
a while (self-excitation), and are more or less active for minutes at a time. All three are in the
recording: the counts of neighbouring seconds are correlated at 0.37, those half a minute apart still at 0.22.

References
----------
Hawkes (1971), Spectra of some self-exciting and mutually exciting point processes, Biometrika 58;
Bacry, Mastromatteo, Muzy (2015), Hawkes processes in finance, Market Microstructure and Liquidity 1.
"""

import math

import numpy as np

from mmpipe.enums import Side, Tif
from mmpipe.venue.sim.chance import exponential, lognormal, normal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.market import Market, new_market
from mmpipe.venue.sim.matching import best_tick, submit
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
IOC = int(Tif.IOC)
REACH_BPS = 5.0  # a market order pays at most so much beyond the touch
MIN_USDC = 10.0  # the venue takes nothing smaller
AVERAGE_QUEUE = 3.0  # orders at the touch at which `noise_per_s` holds
TRADES_MAX = 1_000  # per block, so that a wrong scenario ends


@kernel
def trade_noise(market: Market, crowd: Crowd, symbol: int) -> None:
    """Let the noise traders of one market act for one block.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        Activity and excitation are changed in place.
    symbol : int
        Market.
    """
    _breathe(crowd, symbol)
    phase = crowd.phases[crowd.clock[0]["phase"]]
    row = crowd.symbols[symbol]
    left_s = crowd.clock[0]["dt_s"]
    for _ in range(TRADES_MAX):
        rate = noise_rate(crowd, symbol)
        if rate <= 0.0:
            break
        left_s -= exponential(crowd.chance, 1.0 / rate)
        if left_s < 0.0:
            break
        if uniform(crowd.chance) >= phase["noise_repeat_prob"]:
            row["noise_side"] = -row["noise_side"]
        side = row["noise_side"]
        limit_tick = best_tick(market, symbol, -side) * (1.0 + side * REACH_BPS * 1e-4)
        usdc = max(lognormal(crowd.chance, phase["noise_usdc"], phase["noise_usdc_spread"]), MIN_USDC)
        lots = math.floor(usdc * row["lots_per_usdc"]) + 1
        take(market, row["noise_account"], symbol, side, limit_tick, lots)
        row["excited_per_s"] += phase["excitation"] / phase["excitation_time_s"]


@kernel
def noise_rate(crowd: Crowd, symbol: int) -> float:
    """Orders per second of the noise traders of one market, as things stand."""
    phase = crowd.phases[crowd.clock[0]["phase"]]
    row = crowd.symbols[symbol]
    queue = 0.5 * (crowd.queues[symbol, 0, 0] + crowd.queues[symbol, 1, 0])
    shy = math.exp(-phase["noise_queue_decay"] * (queue - AVERAGE_QUEUE))
    slow = math.exp(row["activity_log"] - 0.5 * phase["activity_spread"] ** 2)
    return phase["noise_per_s"] * (1.0 - phase["excitation"]) * shy * slow + row["excited_per_s"]


@kernel
def take(market: Market, account: int, symbol: int, side: int, limit_tick: float, lots: int) -> None:
    """Send an immediate order with a limit that need not lie on the grid."""
    tick = math.floor(limit_tick) if side == BUY else math.ceil(limit_tick)
    if tick > 0:
        submit(market, account, symbol, side, tick, lots, IOC, 0)


@kernel
def _breathe(crowd: Crowd, symbol: int) -> None:
    # Activity is an Ornstein-Uhlenbeck process, stepped exactly; excitation dies away.
    dt_s = crowd.clock[0]["dt_s"]
    phase = crowd.phases[crowd.clock[0]["phase"]]
    row = crowd.symbols[symbol]
    kept = math.exp(-dt_s / phase["activity_time_s"])
    shock = phase["activity_spread"] * math.sqrt(1.0 - kept * kept) * normal(crowd.chance)
    row["activity_log"] = kept * row["activity_log"] + shock
    row["excited_per_s"] *= math.exp(-dt_s / phase["excitation_time_s"])


def _example_pair() -> tuple[object, ...]:
    instruments = np.array([[1_000_000.0, 10.0, 100_000.0]])
    return (new_market(1, 60, 150, 450), new_crowd(0, 20, np.zeros(1, PHASE), instruments))


@example(trade_noise)
def _trade_noise_example() -> tuple[object, ...]:
    return (*_example_pair(), 0)
