"""Oracle, mark and funding: the prices of a perpetual that are not traded prices.

    lead market ──every 3 s──▶ oracle ──┐
    mid - oracle ──150 s average────────┼─▶ mark = median(oracle + average, median(bid, ask, last), lead)
    best bid, best ask, last trade ─────┘
    impact prices ──every 5 s──▶ premium ──hourly mean──▶ funding

References
----------
Hyperliquid, "Robust price indices" and "Funding".
"""

import math

from mmpipe.enums import Side
from mmpipe.venue.sim.ledger import transfer
from mmpipe.venue.sim.market import FEE_ACCOUNT, Market, new_market
from mmpipe.venue.sim.matching import best_tick
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
NS_PER_S = 1_000_000_000
ORACLE_INTERVAL_NS = 3 * NS_PER_S
PREMIUM_INTERVAL_NS = 5 * NS_PER_S
BASIS_TIME_S = 150.0
IMPACT_NOTIONAL = 20_000_000_000  # 20,000 USDC in 1e-6
INTEREST_8H = 0.0001  # 0.01 % per 8 h
CLAMP_8H = 0.0005
HOURS = 8.0
RATE_CAP = 0.04  # per hour
CASH_PER_NOTIONAL = 100


@kernel
def price_block(market: Market, spot_ticks: int, symbol: int) -> None:
    """Bring oracle, mark and premium of one market up to the time of the block.

    Parameters
    ----------
    spot_ticks : int
        Bid plus ask of the lead market on this market's finest grid, twice its mid.
    """
    now_ns = market.header[0]["ts_ns"]
    price = market.prices[symbol]
    price["spot_tick"] = spot_ticks // 2
    if now_ns - price["oracle_ts_ns"] >= ORACLE_INTERVAL_NS:
        price["oracle_ts_ns"] = now_ns
        price["oracle_tick"] = price["spot_tick"]
    _mark(market, symbol)
    if now_ns - price["premium_ts_ns"] >= PREMIUM_INTERVAL_NS:
        price["premium_ts_ns"] = now_ns
        price["premium_sum"] += premium_of(market, symbol)
        price["premium_count"] += 1


@kernel
def premium_of(market: Market, symbol: int) -> float:
    """How far the impact prices lie outside the oracle, as a share of it; 0 while they surround it."""
    oracle_tick = market.prices[symbol]["oracle_tick"]
    if oracle_tick <= 0:
        return 0.0
    bid, ask = impact_tick(market, symbol, BUY), impact_tick(market, symbol, SELL)
    above = max(bid - oracle_tick, 0.0) if bid > 0.0 else 0.0
    below = max(oracle_tick - ask, 0.0) if ask > 0.0 else 0.0
    return (above - below) / oracle_tick


@kernel
def impact_tick(market: Market, symbol: int, side: int) -> float:
    """Average price at which `IMPACT_NOTIONAL` would trade against one side; 0 if the side is empty.

    Parameters
    ----------
    side : int
        +1: against the bids, -1: against the asks.
    """
    index = 0 if side == BUY else 1
    lots, notional = 0.0, 0.0
    for i in range(market.level_counts[symbol, index] - 1, -1, -1):
        level = market.levels[symbol, index, i]
        tick = float(side * level["key"])
        wanted = (IMPACT_NOTIONAL - notional) / tick
        taken = min(float(level["lots"]), wanted)
        lots += taken
        notional += taken * tick
        if taken == wanted:
            break
    return notional / lots if lots > 0.0 else 0.0


@kernel
def funding_rate(market: Market, symbol: int) -> float:
    """Rate of the running hour so far, as a share of the notional; positive: longs pay."""
    price = market.prices[symbol]
    count = price["premium_count"]
    premium = price["premium_sum"] / count if count > 0 else premium_of(market, symbol)
    rate_8h = premium + min(max(INTEREST_8H - premium, -CLAMP_8H), CLAMP_8H)
    return min(max(rate_8h / HOURS, -RATE_CAP), RATE_CAP)


@kernel
def pay_funding(market: Market, symbol: int) -> float:
    """Settle one hour: every position pays or receives on size times oracle price.

    What the longs pay the shorts receive; the odd units that rounding leaves go to the fee account.

    Returns
    -------
    float
        The hourly rate.
    """
    rate = funding_rate(market, symbol)
    price = market.prices[symbol]
    for account in range(market.cash.shape[0]):
        standing = market.standings[account, symbol]
        notional = float(standing["lots"] * price["oracle_tick"])
        paid = math.floor(notional * rate + 0.5) * CASH_PER_NOTIONAL
        standing["settled_cash"] = paid
        standing["funding_cash"] += paid
        standing["funding_all_cash"] += paid
        if standing["isolated"] != 0:
            standing["margin_cash"] -= paid
        transfer(market, account, FEE_ACCOUNT, paid)
    price["premium_sum"] = 0.0
    price["premium_count"] = 0
    return rate


@kernel
def _mark(market: Market, symbol: int) -> None:
    price = market.prices[symbol]
    now_ns = market.header[0]["ts_ns"]
    bid, ask = best_tick(market, symbol, BUY), best_tick(market, symbol, SELL)
    spot, oracle = price["spot_tick"], price["oracle_tick"]
    if bid == 0 or ask == 0:
        # A book of one side says nothing of a price.
        price["mark_tick"] = spot
        price["marked_ts_ns"] = now_ns
        return
    elapsed_s = (now_ns - price["marked_ts_ns"]) / NS_PER_S
    weight = 1.0 - math.exp(-elapsed_s / BASIS_TIME_S)
    price["marked_ts_ns"] = now_ns
    price["basis_tick"] += weight * (0.5 * (bid + ask) - oracle - price["basis_tick"])
    local = _median(bid, ask, price["last_tick"] if price["last_tick"] > 0 else (bid + ask) // 2)
    price["mark_tick"] = _median(oracle + math.floor(price["basis_tick"] + 0.5), local, spot)


@kernel
def _median(a: int, b: int, c: int) -> int:
    return max(min(a, b), min(max(a, b), c))


@example(price_block)
def _price_block_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 2, 0)


@example(premium_of)
def _premium_of_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0)


@example(impact_tick)
def _impact_tick_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0, 1)


@example(funding_rate)
def _funding_rate_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0)


@example(pay_funding)
def _pay_funding_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0)
