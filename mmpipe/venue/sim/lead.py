"""The lead market: one tick wide around the efficient price, and trades that mostly go with it."""

import math

import numpy as np

from mmpipe.enums import Side
from mmpipe.venue.sim.chance import lognormal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
HISTORY = 4_096  # crowd.HISTORY
LEAD_TRADES = 8  # crowd.LEAD_TRADES
FOLLOW_PROB = 0.75  # a lead trade goes with the price
SIZE_SPREAD = 0.8  # standard deviation of the logarithm of a size
DEPTH_USDC = 50_000.0  # median at its touch
TRADE_USDC = 3_000.0  # median


@kernel
def quote_lead(crowd: Crowd, symbol: int) -> None:
    """Move the lead's best quotes to the efficient price.

    Parameters
    ----------
    crowd : Crowd
        `lead` is written.
    symbol : int
        Market.
    """
    phase = crowd.phases[crowd.clock[0]["phase"]]
    quote = crowd.lead[symbol]
    centre = crowd.symbols[symbol]["efficient_tick"] * (1.0 + phase["lead_basis_bps"] * 1e-4)
    bid = math.floor(centre)
    if bid != quote["bid_tick"]:
        quote["bid_tick"] = bid
        quote["ask_tick"] = bid + 1
        quote["bid_lots"] = _lots(crowd, symbol, DEPTH_USDC)
        quote["ask_lots"] = _lots(crowd, symbol, DEPTH_USDC)
        quote["update_id"] += 1


@kernel
def trade_lead(crowd: Crowd, symbol: int) -> None:
    """Trade on the lead market for one block; writes `lead_trades`."""
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    quote = crowd.lead[symbol]
    now = crowd.history[symbol, clock["block"] % HISTORY]
    rising = now >= crowd.history[symbol, (clock["block"] - 1) % HISTORY]
    quote["trades"] = 0
    rate_left = phase["lead_trades_per_s"] * clock["dt_s"]
    while quote["trades"] < LEAD_TRADES and uniform(crowd.chance) < rate_left:
        rate_left -= 1.0
        buys = rising == (uniform(crowd.chance) < FOLLOW_PROB)
        trade = crowd.lead_trades[symbol, quote["trades"]]
        quote["trades"] += 1
        quote["trade_id"] += 1
        trade["id"] = quote["trade_id"]
        trade["side"] = BUY if buys else SELL
        trade["tick"] = quote["ask_tick"] if buys else quote["bid_tick"]
        trade["lots"] = _lots(crowd, symbol, TRADE_USDC)


@kernel
def _lots(crowd: Crowd, symbol: int, median_usdc: float) -> int:
    usdc = lognormal(crowd.chance, median_usdc, SIZE_SPREAD)
    return math.floor(usdc * crowd.symbols[symbol]["lots_per_usdc"]) + 1


def _example_crowd() -> Crowd:
    return new_crowd(0, 20, np.zeros(1, PHASE), np.array([[1_000_000.0, 10.0, 100_000.0]]))


@example(quote_lead)
def _quote_lead_example() -> tuple[object, ...]:
    return (_example_crowd(), 0)


@example(trade_lead)
def _trade_lead_example() -> tuple[object, ...]:
    return (_example_crowd(), 0)
