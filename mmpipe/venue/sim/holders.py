"""Leveraged holders: the fuel of a liquidation cascade, and the label that says when one runs.

When a phase begins that has any, HOLDERS accounts get positions whose liquidation prices lie spread behind
the market. A push reaches the first, `liquidation` sells it in the book, the sale leaves its trace in the
efficient price, and the next one is reached. What starts and ends a cascade is known exactly: its first
forced trade, and the last one that is followed by none for `QUIET_NS`.
"""

import math

import numpy as np

from mmpipe.venue.sim.chance import uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.ledger import deposit, exchange_lots
from mmpipe.venue.sim.market import Market, new_market
from ringbuf.jit import example, kernel

HOLDERS = 48  # crowd.HOLDERS
LABELS = 256  # crowd.LABELS
QUIET_NS = 3_000_000_000
SPARE = 2.0  # a holder's size is uniform between 0 and this times the average
NEAREST_SHARE = 0.1  # of the furthest distance: nobody is liquidated by the noise of a calm market
CASH_PER_NOTIONAL = 100


@kernel
def seat_holders(market: Market, crowd: Crowd, symbol: int) -> None:
    """Give the holders of one market their positions, once per phase that has any.

    Parameters
    ----------
    market : Market
        Positions, cash and the tape of fills are changed; no price is.
    crowd : Crowd
        `symbols["seated_phase"]` is changed.
    symbol : int
        Market.
    """
    clock = crowd.clock[0]
    phase = crowd.phases[clock["phase"]]
    row = crowd.symbols[symbol]
    if phase["levered_usdc"] == 0.0 or row["seated_phase"] == clock["phases_begun"]:
        return
    row["seated_phase"] = clock["phases_begun"]
    side = 1 if phase["levered_usdc"] > 0.0 else -1
    tick = market.prices[symbol]["mark_tick"]
    average_usdc = abs(phase["levered_usdc"]) / HOLDERS
    for i in range(HOLDERS):
        account = row["holder_account"] + i
        if market.standings[account, symbol]["lots"] != 0:
            continue
        usdc = average_usdc * SPARE * uniform(crowd.chance)
        lots = math.floor(usdc * row["lots_per_usdc"]) + 1
        start = market.header[0]["fills"]
        exchange_lots(market, row["counter_account"], account, symbol, side, tick, lots)
        market.header[0]["fills"] = start  # an agreement between two, not a trade of this market
        _fund(market, crowd, symbol, account, lots * tick)
        market.margined[account] = 1


@kernel
def follow_cascade(market: Market, crowd: Crowd, symbol: int) -> None:
    """Begin, continue or end the label of a cascade from what liquidations did in the last block."""
    clock = crowd.clock[0]
    row = crowd.symbols[symbol]
    now_ns = market.header[0]["ts_ns"]
    forced = market.prices[symbol]["forced_lots"]
    if forced != 0:
        if row["label"] < 0:
            row["label"] = clock["labels"] % LABELS
            clock["labels"] += 1
            fresh = crowd.labels[row["label"]]
            fresh["symbol"] = symbol
            fresh["start_ts_ns"] = now_ns
            fresh["end_ts_ns"] = 0
            fresh["lots"] = 0
        crowd.labels[row["label"]]["lots"] += forced
        row["forced_ts_ns"] = now_ns
    elif row["label"] >= 0 and now_ns - row["forced_ts_ns"] > QUIET_NS:
        crowd.labels[row["label"]]["end_ts_ns"] = row["forced_ts_ns"]
        row["label"] = -1


@kernel
def _fund(market: Market, crowd: Crowd, symbol: int, account: int, notional: int) -> None:
    # Cash such that equity meets maintenance where the price has moved by the drawn distance.
    furthest = crowd.phases[crowd.clock[0]["phase"]]["levered_distance_bps"] * 1e-4
    distance = furthest * (NEAREST_SHARE + (1.0 - NEAREST_SHARE) * uniform(crowd.chance))
    share = 1.0 / (2.0 * market.prices[symbol]["max_leverage"])
    equity = notional * (distance + share * (1.0 - distance)) * CASH_PER_NOTIONAL
    side = 1 if market.standings[account, symbol]["lots"] > 0 else -1
    have = market.cash[account] + side * notional * CASH_PER_NOTIONAL
    deposit(market, account, math.floor(equity) - have)


def _example_pair() -> tuple[object, ...]:
    instruments = np.array([[1_000_000.0, 10.0, 100_000.0]])
    return (new_market(1, 60, 150, 450), new_crowd(0, 20, np.zeros(1, PHASE), instruments), 0)


@example(seat_holders)
def _seat_holders_example() -> tuple[object, ...]:
    return _example_pair()


@example(follow_cascade)
def _follow_cascade_example() -> tuple[object, ...]:
    return _example_pair()
