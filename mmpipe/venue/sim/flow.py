"""One block of the simulated market: what becomes known, who quotes, who takes.

    quote_block   price ▸ views ▸ providers (queue_reactive) ▸ lead market
    …             the users' orders that may trade at once
    take_block    informed ▸ noise ▸ lead trades

The efficient price is a jump diffusion. The lead market shows it at once; informed traders take whatever
is stale beyond their cost; providers move their ladder around a view that is late, and so are picked off;
noise traders buy and sell for no reason and pay for it. The numbers of the scenario `quiet` are fitted to a
recording of ETH on Hyperliquid (bench/venue.py prints the comparison).

References
----------
Merton (1976), Option pricing when underlying stock returns are discontinuous, J. Financial Economics 3;
Glosten, Milgrom (1985), Bid, ask and transaction prices, J. Financial Economics 14.
"""

import math

import numpy as np

from mmpipe.enums import Side
from mmpipe.venue.sim.chance import exponential, happens, lognormal, normal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.holders import follow_cascade, seat_holders
from mmpipe.venue.sim.lead import quote_lead, trade_lead
from mmpipe.venue.sim.market import Market, new_market
from mmpipe.venue.sim.matching import best_tick
from mmpipe.venue.sim.noise import take, trade_noise
from mmpipe.venue.sim.queue_reactive import requote
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
HISTORY = 4_096  # crowd.HISTORY
INFORMED_SPREAD = 0.5  # standard deviation of the logarithm of the informed traders' delay


@kernel
def quote_block(market: Market, crowd: Crowd) -> None:
    """Advance the efficient price by one block and let the providers and the lead market requote.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        Changed in place.
    """
    _advance_clock(crowd)
    common_bps = _move_bps(crowd, crowd.phases[crowd.clock[0]["phase"]]["common_share"])
    for symbol in range(crowd.symbols.shape[0]):
        if market.prices[symbol]["delisted"] != 0:
            continue
        _advance_price(market, crowd, symbol, common_bps)
        seat_holders(market, crowd, symbol)
        follow_cascade(market, crowd, symbol)
        _look(crowd, symbol)
        requote(market, crowd, symbol)
        quote_lead(crowd, symbol)


@kernel
def take_block(market: Market, crowd: Crowd) -> None:
    """Let everybody who takes liquidity act.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        Changed in place.
    """
    for symbol in range(crowd.symbols.shape[0]):
        if market.prices[symbol]["delisted"] != 0:
            crowd.lead[symbol]["trades"] = 0
            continue
        _trade_informed(market, crowd, symbol)
        trade_noise(market, crowd, symbol)
        trade_lead(crowd, symbol)


@kernel
def _advance_clock(crowd: Crowd) -> None:
    clock = crowd.clock[0]
    clock["block"] += 1
    clock["phase_blocks"] += 1
    if clock["phase_blocks"] * clock["dt_s"] > crowd.phases[clock["phase"]]["duration_s"]:
        clock["phase"] = (clock["phase"] + 1) % crowd.phases.shape[0]
        clock["phase_blocks"] = 1
        clock["phases_begun"] += 1


@kernel
def _move_bps(crowd: Crowd, share: float) -> float:
    # One block's jump diffusion that carries `share` of the phase's variance.
    dt_s = crowd.clock[0]["dt_s"]
    phase = crowd.phases[crowd.clock[0]["phase"]]
    sigma = phase["volatility_bps"] * math.sqrt(share)
    move = sigma * math.sqrt((1.0 - phase["jump_share"]) * dt_s) * normal(crowd.chance)
    if happens(crowd.chance, phase["jumps_per_s"], dt_s):
        # A two-sided exponential of mean size m has variance 2 m^2.
        mean = sigma * math.sqrt(phase["jump_share"] / (2.0 * phase["jumps_per_s"]))
        jump = exponential(crowd.chance, mean)
        move += jump if uniform(crowd.chance) < 0.5 else -jump
    return move


@kernel
def _advance_price(market: Market, crowd: Crowd, symbol: int, common_bps: float) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.symbols[symbol]
    own_bps = _move_bps(crowd, 1.0 - phase["common_share"])
    # Liquidations of the last block leave a trace: this is what lets a cascade feed itself.
    forced_musdc = market.prices[symbol]["forced_lots"] / row["lots_per_usdc"] * 1e-6
    move_bps = common_bps + own_bps + phase["drift_bps_per_s"] * clock["dt_s"]
    move_bps += phase["impact_bps_per_musdc"] * forced_musdc
    row["efficient_tick"] *= math.exp(move_bps * 1e-4)
    closing = 1.0 - math.exp(-clock["dt_s"] / phase["gap_time_s"])
    row["gap_log"] += closing * (phase["gap_bps"] * 1e-4 - row["gap_log"])
    crowd.history[symbol, clock["block"] % HISTORY] = row["efficient_tick"]


@kernel
def _lag_blocks(crowd: Crowd, median_ms: float, spread: float) -> int:
    lag_s = lognormal(crowd.chance, median_ms * 1e-3, spread)
    return min(math.floor(lag_s / crowd.clock[0]["dt_s"] + 0.5), HISTORY - 1)


@kernel
def _look(crowd: Crowd, symbol: int) -> None:
    # The providers see a price that is some time old, never one older than they have seen.
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.symbols[symbol]
    if row["centre_tick"] != 0.0 and not happens(crowd.chance, 1e3 / phase["view_refresh_ms"], clock["dt_s"]):
        return
    lag = _lag_blocks(crowd, phase["view_lag_ms"], phase["view_lag_spread"])
    row["seen_block"] = max(row["seen_block"], clock["block"] - lag)
    view_tick = crowd.history[symbol, row["seen_block"] % HISTORY] * math.exp(row["gap_log"])
    if abs(view_tick - row["centre_tick"]) > phase["view_patience_bps"] * 1e-4 * view_tick:
        row["centre_tick"] = view_tick


@kernel
def _trade_informed(market: Market, crowd: Crowd, symbol: int) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.symbols[symbol]
    lag = _lag_blocks(crowd, phase["informed_lag_ms"], INFORMED_SPREAD)
    known_tick = crowd.history[symbol, max(clock["block"] - lag, 0) % HISTORY] * math.exp(row["gap_log"])
    cost_tick = phase["informed_cost_bps"] * 1e-4 * known_tick
    acts = happens(crowd.chance, phase["informed_per_s"], clock["dt_s"])
    for side in (BUY, SELL):
        touch = best_tick(market, symbol, -side)
        limit_tick = known_tick - side * cost_tick
        if acts and touch != 0 and side * (limit_tick - touch) >= 0.0:
            usdc = lognormal(crowd.chance, phase["informed_usdc"], phase["informed_usdc_spread"])
            lots = math.floor(usdc * row["lots_per_usdc"]) + 1
            take(market, row["informed_account"], symbol, side, limit_tick, lots)


def _example_pair() -> tuple[object, ...]:
    instruments = np.array([[1_000_000.0, 10.0, 100_000.0]])
    return (new_market(1, 60, 150, 450), new_crowd(0, 20, np.zeros(1, PHASE), instruments))


@example(quote_block)
def _quote_block_example() -> tuple[object, ...]:
    return _example_pair()


@example(take_block)
def _take_block_example() -> tuple[object, ...]:
    return _example_pair()
