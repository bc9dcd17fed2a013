"""Seeded order flow: an efficient price, and participants who learn of it at different times.

The efficient price is a jump diffusion. The lead market shows it at once; informed traders take whatever
is stale beyond their cost; liquidity providers requote around a view that is late, and so are picked off;
noise traders buy and sell for no reason and pay for it. In a cascade, forced one-sided orders arrive and
providers leave. Nothing is fitted to data: the parameters of a scenario make it look like a market.

One block is `quote_block` (price, providers, lead quote), then the users' immediate orders, then
`take_block`: within a block resting orders and cancels come before takers, as on the venue.

References
----------
Merton (1976), Option pricing when underlying stock returns are discontinuous, J. Financial Economics 3;
Glosten, Milgrom (1985), Bid, ask and transaction prices, J. Financial Economics 14.
"""

import math

import numpy as np

from mmpipe.enums import Side, Tif
from mmpipe.units import tick_step
from mmpipe.venue.sim.chance import exponential, happens, normal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.market import ORDERS_MAX, Market, new_market
from mmpipe.venue.sim.matching import best_tick, cancel, submit
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
ALO = int(Tif.ALO)
IOC = int(Tif.IOC)
LADDER = 24  # crowd.LADDER
HISTORY = 4_096  # crowd.HISTORY
LEAD_TRADES = 8  # crowd.LEAD_TRADES
SIZE_SPREAD = 0.8  # standard deviation of the logarithm of a size
SIZE_MAX = 20.0  # of the median
DEEPER_SIZE = 0.35  # a provider's size grows so much per level
NOISE_REACH_BPS = 5.0  # a market order pays at most so much beyond the touch
LIQUIDATION_REACH_BPS = 40.0
STAYS = 0  # this provider widens but never withdraws, so that there is a price
AWAY_S = 1.0  # mean absence of a provider that withdrew
LAG_SPREAD = 0.6  # a delay is uniform within mean * (1 ± this)
LEAD_FOLLOW_PROB = 0.75  # a lead trade goes with the price


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
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    common_bps = _move_bps(crowd, phase["common_share"])
    for symbol in range(crowd.symbols.shape[0]):
        _advance_price(crowd, symbol, common_bps)
        for provider in range(crowd.providers.shape[1]):
            _provide(market, crowd, symbol, provider)
        _quote_lead(crowd, symbol)


@kernel
def take_block(market: Market, crowd: Crowd) -> None:
    """Let everybody who takes liquidity act once.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        Changed in place.
    """
    for symbol in range(crowd.symbols.shape[0]):
        _trade_informed(market, crowd, symbol)
        _trade_noise(market, crowd, symbol)
        _rest_noise(market, crowd, symbol)
        _liquidate(market, crowd, symbol)
        _trade_lead(crowd, symbol)


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
def _advance_price(crowd: Crowd, symbol: int, common_bps: float) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    own_bps = _move_bps(crowd, 1.0 - phase["common_share"])
    move_bps = common_bps + own_bps + phase["drift_bps_per_s"] * clock["dt_s"]
    crowd.symbols[symbol]["efficient_tick"] *= math.exp(move_bps * 1e-4)
    crowd.history[symbol, clock["block"] % HISTORY] = crowd.symbols[symbol]["efficient_tick"]


@kernel
def _lag_blocks(crowd: Crowd, mean_ms: float) -> int:
    share = 1.0 + LAG_SPREAD * (2.0 * uniform(crowd.chance) - 1.0)
    return min(int(mean_ms * 1e-3 * share / crowd.clock[0]["dt_s"] + 0.5), HISTORY - 1)


@kernel
def _lots(crowd: Crowd, symbol: int, median_usdc: float) -> int:
    factor = min(math.exp(SIZE_SPREAD * normal(crowd.chance)), SIZE_MAX)
    return max(int(median_usdc * factor * crowd.symbols[symbol]["lots_per_usdc"]), 1)


@kernel
def _provide(market: Market, crowd: Crowd, symbol: int, provider: int) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.providers[symbol, provider]
    if row["away_blocks"] > 0:
        row["away_blocks"] -= 1
        return
    if not happens(crowd.chance, 1e3 / phase["provider_refresh_ms"], clock["dt_s"]):
        return
    if provider != STAYS and uniform(crowd.chance) < phase["provider_withdraw_prob"]:
        row["away_blocks"] = int(exponential(crowd.chance, AWAY_S) / clock["dt_s"])
        _clear_ladder(market, crowd, symbol, provider)
        return
    row["lag_blocks"] = _lag_blocks(crowd, phase["provider_lag_ms"])
    row["seen_block"] = max(row["seen_block"], clock["block"] - row["lag_blocks"])
    view_tick = crowd.history[symbol, row["seen_block"] % HISTORY]
    if abs(view_tick - row["centre_tick"]) > phase["provider_patience_bps"] * 1e-4 * view_tick:
        row["centre_tick"] = view_tick
    step = tick_step(int(row["centre_tick"]), crowd.symbols[symbol]["ticks_in_unit"])
    centre = row["centre_tick"] / step
    half = row["half_spread_steps"] + phase["provider_width_bps"] * 1e-4 * centre
    bid_step = math.floor(centre - half)
    ask_step = max(math.ceil(centre + half), bid_step + 1)
    # What is wrong goes first, on both sides, so that the own old quote never blocks the new one.
    _keep_between(market, crowd, symbol, provider, bid_step * step, ask_step * step)
    _build(market, crowd, symbol, provider, BUY, bid_step, step)
    _build(market, crowd, symbol, provider, SELL, ask_step, step)


@kernel
def _owns(market: Market, oid: int) -> bool:
    return oid != 0 and market.orders[oid % ORDERS_MAX]["oid"] == oid


@kernel
def _keep_between(market: Market, crowd: Crowd, symbol: int, provider: int, bid: int, ask: int) -> None:
    account = crowd.providers[symbol, provider]["account"]
    for i in range(LADDER):
        oid = crowd.ladders[symbol, provider, 0, i]
        if _owns(market, oid) and market.orders[oid % ORDERS_MAX]["tick"] > bid:
            cancel(market, account, oid)
        oid = crowd.ladders[symbol, provider, 1, i]
        if _owns(market, oid) and market.orders[oid % ORDERS_MAX]["tick"] < ask:
            cancel(market, account, oid)


@kernel
def _build(
    market: Market, crowd: Crowd, symbol: int, provider: int, side: int, first_step: int, step: int
) -> None:
    # A price has a fixed place in the ladder, so that an order that is still wanted keeps its queue place.
    index = 0 if side == BUY else 1
    account = crowd.providers[symbol, provider]["account"]
    median_usdc = crowd.phases[crowd.clock[0]["phase"]]["provider_usdc"]
    opposite = best_tick(market, symbol, -side)
    if opposite != 0 and side * (first_step * step - opposite) >= 0:
        first_step = opposite // step - side
    for i in range(LADDER):
        at_step = first_step - side * i
        place = at_step % LADDER
        oid = crowd.ladders[symbol, provider, index, place]
        if _owns(market, oid):
            if market.orders[oid % ORDERS_MAX]["tick"] == at_step * step:
                continue
            cancel(market, account, oid)
        if at_step > 0:
            lots = _lots(crowd, symbol, median_usdc * (1.0 + DEEPER_SIZE * i))
            submit(market, account, symbol, side, at_step * step, lots, ALO, 0)
            crowd.ladders[symbol, provider, index, place] = market.header[0]["last_oid"]


@kernel
def _clear_ladder(market: Market, crowd: Crowd, symbol: int, provider: int) -> None:
    for index in range(2):
        for i in range(LADDER):
            account = crowd.providers[symbol, provider]["account"]
            cancel(market, account, crowd.ladders[symbol, provider, index, i])


@kernel
def _take(market: Market, account: int, symbol: int, side: int, limit_tick: float, lots: int) -> None:
    tick = math.floor(limit_tick) if side == BUY else math.ceil(limit_tick)
    if tick > 0:
        submit(market, account, symbol, side, tick, lots, IOC, 0)


@kernel
def _trade_informed(market: Market, crowd: Crowd, symbol: int) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    seen = max(clock["block"] - _lag_blocks(crowd, phase["informed_lag_ms"]), 0)
    known_tick = crowd.history[symbol, seen % HISTORY]
    cost_tick = phase["informed_cost_bps"] * 1e-4 * known_tick
    acts = happens(crowd.chance, phase["informed_per_s"], clock["dt_s"])
    for side in (BUY, SELL):
        touch = best_tick(market, symbol, -side)
        limit_tick = known_tick - side * cost_tick
        if acts and touch != 0 and side * (limit_tick - touch) >= 0.0:
            lots = _lots(crowd, symbol, phase["informed_usdc"])
            _take(market, crowd.symbols[symbol]["informed_account"], symbol, side, limit_tick, lots)


@kernel
def _trade_noise(market: Market, crowd: Crowd, symbol: int) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.symbols[symbol]
    if not happens(crowd.chance, phase["noise_per_s"], clock["dt_s"]):
        return
    if uniform(crowd.chance) >= phase["noise_repeat_prob"]:
        row["noise_side"] = -row["noise_side"]
    side = row["noise_side"]
    limit_tick = best_tick(market, symbol, -side) * (1.0 + side * NOISE_REACH_BPS * 1e-4)
    _take(market, row["noise_account"], symbol, side, limit_tick, _lots(crowd, symbol, phase["noise_usdc"]))


@kernel
def _rest_noise(market: Market, crowd: Crowd, symbol: int) -> None:
    # Small orders that come and go near the touch, on a side and in a place drawn at random.
    phase = crowd.phases[crowd.clock[0]["phase"]]
    row = crowd.symbols[symbol]
    if not happens(crowd.chance, phase["noise_limits_per_s"], crowd.clock[0]["dt_s"]):
        return
    place = int(uniform(crowd.chance) * crowd.noise_oids.shape[1])
    if _owns(market, crowd.noise_oids[symbol, place]):
        cancel(market, row["noise_account"], crowd.noise_oids[symbol, place])
    side = BUY if uniform(crowd.chance) < 0.5 else SELL
    touch = best_tick(market, symbol, side)
    if touch == 0:
        return
    step = tick_step(touch, row["ticks_in_unit"])
    tick = touch - side * step * int(exponential(crowd.chance, 3.0))
    if tick > 0:
        lots = _lots(crowd, symbol, phase["noise_usdc"])
        submit(market, row["noise_account"], symbol, side, tick, lots, ALO, 0)
        crowd.noise_oids[symbol, place] = market.header[0]["last_oid"]


@kernel
def _liquidate(market: Market, crowd: Crowd, symbol: int) -> None:
    phase = crowd.phases[crowd.clock[0]["phase"]]
    if not happens(crowd.chance, phase["liquidations_per_s"], crowd.clock[0]["dt_s"]):
        return
    side = BUY if phase["liquidation_side"] > 0.0 else SELL
    limit_tick = best_tick(market, symbol, -side) * (1.0 + side * LIQUIDATION_REACH_BPS * 1e-4)
    lots = _lots(crowd, symbol, phase["liquidation_usdc"])
    _take(market, crowd.symbols[symbol]["liquidated_account"], symbol, side, limit_tick, lots)


@kernel
def _quote_lead(crowd: Crowd, symbol: int) -> None:
    phase = crowd.phases[crowd.clock[0]["phase"]]
    quote = crowd.lead[symbol]
    centre = crowd.symbols[symbol]["efficient_tick"] * (1.0 + phase["lead_basis_bps"] * 1e-4)
    bid = math.floor(centre)
    quote["changed"] = 1 if bid != quote["bid_tick"] else 0
    if quote["changed"] == 1:
        quote["bid_tick"] = bid
        quote["ask_tick"] = bid + 1
        quote["bid_lots"] = _lots(crowd, symbol, phase["provider_usdc"])
        quote["ask_lots"] = _lots(crowd, symbol, phase["provider_usdc"])
        quote["update_id"] += 1


@kernel
def _trade_lead(crowd: Crowd, symbol: int) -> None:
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    quote = crowd.lead[symbol]
    now = crowd.history[symbol, clock["block"] % HISTORY]
    rising = now >= crowd.history[symbol, (clock["block"] - 1) % HISTORY]
    quote["trades"] = 0
    rate_left = phase["lead_trades_per_s"] * clock["dt_s"]
    while quote["trades"] < LEAD_TRADES and uniform(crowd.chance) < rate_left:
        rate_left -= 1.0
        buys = rising == (uniform(crowd.chance) < LEAD_FOLLOW_PROB)
        trade = crowd.lead_trades[symbol, quote["trades"]]
        quote["trades"] += 1
        quote["trade_id"] += 1
        trade["id"] = quote["trade_id"]
        trade["side"] = BUY if buys else SELL
        trade["tick"] = quote["ask_tick"] if buys else quote["bid_tick"]
        trade["lots"] = _lots(crowd, symbol, phase["noise_usdc"])


def _example_pair() -> tuple[object, ...]:
    instruments = np.array([[1_000_000.0, 10.0, 100_000.0]])
    return (new_market(1, 7, 150, 450), new_crowd(0, 20, np.zeros(1, PHASE), instruments))


@example(quote_block)
def _quote_block_example() -> tuple[object, ...]:
    return _example_pair()


@example(take_block)
def _take_block_example() -> tuple[object, ...]:
    return _example_pair()
