"""Liquidity providers: a book whose orders come and go at rates that depend on the queue they join or leave.

Around the price the providers believe in, level by level and side by side:

    arrivals   join_per_s while the level is empty, limit_per_s while it is not; who comes to an empty
               level fills all empty ones of the side
    cancels    cancel_per_s * n / (1 + n / 4): more with the queue, but less and less
    flight     flee_per_s for every order the move of the view has left on the wrong side; its owner
               takes all such orders away at once

Events within a block are drawn one after another from their total rate, each from the state the last one
left, so that the law does not depend on the length of a block. A level left alone is a birth-death process
with the stationary law pi(n) = pi(0) prod arrive(j - 1) / cancel(j).

References
----------
Huang, Lehalle, Rosenbaum (2015), Simulating and analyzing order book data: the queue-reactive model,
J. American Statistical Association 110; Gillespie (1977), Exact stochastic simulation of coupled chemical
reactions, J. Physical Chemistry 81.
"""

import math

import numpy as np

from mmpipe.enums import Side, Tif
from mmpipe.units import tick_step
from mmpipe.venue.sim.chance import exponential, lognormal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.market import ORDERS_MAX, Market, new_market
from mmpipe.venue.sim.matching import cancel, submit
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
ALO = int(Tif.ALO)
LEVELS = 24  # crowd.LEVELS
PLACES = 64  # crowd.PLACES
DEEP = 6  # crowd.DEEP
MAKERS = 3  # crowd.MAKERS
NEAR_LEVELS = 5
CANCEL_HALF = 4.0  # queue length at which a further order adds half as much to the rate of cancels
SIZE_SPREAD = 0.8  # standard deviation of the logarithm of a size
EVENTS_MAX = 20_000  # per block, so that a wrong scenario ends


@kernel
def requote(market: Market, crowd: Crowd, symbol: int) -> None:
    """Let the providers of one market act for one block.

    Parameters
    ----------
    market : Market
        Changed in place.
    crowd : Crowd
        `symbols["centre_tick"]` is what the providers believe; their orders are changed.
    symbol : int
        Market.
    """
    _place_ladder(crowd, symbol)
    _survey(market, crowd, symbol)
    phase = crowd.phases[crowd.clock[0]["phase"]]
    left_s = crowd.clock[0]["dt_s"]
    for _ in range(EVENTS_MAX):
        rate = _total_rate(crowd, phase, symbol)
        if rate <= 0.0:
            break
        left_s -= exponential(crowd.chance, 1.0 / rate)
        if left_s < 0.0:
            break
        _happen(market, crowd, phase, symbol, uniform(crowd.chance) * rate)
    _keep_a_price(market, crowd, phase, symbol)


@kernel
def arrival_rate(phase: np.void, queue: int) -> float:
    """Arrivals per second at a level with so many orders of providers."""
    if queue >= DEEP:
        return 0.0
    return phase["join_per_s"] if queue == 0 else phase["limit_per_s"]


@kernel
def cancel_rate(phase: np.void, queue: int) -> float:
    """Cancels per second at a level with so many orders of providers."""
    return phase["cancel_per_s"] * queue / (1.0 + queue / CANCEL_HALF)


@kernel
def _place_ladder(crowd: Crowd, symbol: int) -> None:
    phase = crowd.phases[crowd.clock[0]["phase"]]
    row = crowd.symbols[symbol]
    row["step"] = tick_step(max(math.floor(row["centre_tick"]), 1), row["ticks_in_unit"])
    centre = row["centre_tick"] / row["step"]
    half = phase["width_bps"] * 1e-4 * centre
    row["bid_step"] = math.floor(centre - half)
    row["ask_step"] = max(math.ceil(centre + half), row["bid_step"] + 1)


@kernel
def _level_of(crowd: Crowd, symbol: int, side: int, tick: int) -> int:
    # Levels count from the inside; below 0 the order is on the wrong side of the view.
    row = crowd.symbols[symbol]
    inside = row["bid_step"] if side == BUY else row["ask_step"]
    # Rounded away from the book's inside, so that a price between two steps is not too good.
    step = -(-tick // row["step"]) if side == BUY else tick // row["step"]
    return side * (inside - step)


@kernel
def _survey(market: Market, crowd: Crowd, symbol: int) -> None:
    # Counts what stands where; what has come to lie too deep leaves.
    row = crowd.symbols[symbol]
    row["wrong"] = 0
    for index in range(2):
        side = BUY if index == 0 else SELL
        crowd.queues[symbol, index, :] = 0
        for place in range(PLACES):
            for j in range(DEEP):
                oid = crowd.oids[symbol, index, place, j]
                if oid == 0:
                    continue
                order = market.orders[oid % ORDERS_MAX]
                if order["oid"] != oid:
                    crowd.oids[symbol, index, place, j] = 0
                    continue
                level = _level_of(crowd, symbol, side, order["tick"])
                if level < 0:
                    row["wrong"] += 1
                elif level < LEVELS:
                    crowd.queues[symbol, index, level] += 1
                else:
                    cancel(market, order["account"], oid)
                    crowd.oids[symbol, index, place, j] = 0


@kernel
def _total_rate(crowd: Crowd, phase: np.void, symbol: int) -> float:
    rate = crowd.symbols[symbol]["wrong"] * phase["flee_per_s"]
    for index in range(2):
        for level in range(LEVELS):
            queue = crowd.queues[symbol, index, level]
            rate += arrival_rate(phase, queue) + cancel_rate(phase, queue)
    return rate


@kernel
def _happen(market: Market, crowd: Crowd, phase: np.void, symbol: int, point: float) -> None:
    # The event whose stretch of the total rate contains `point`.
    row = crowd.symbols[symbol]
    point -= row["wrong"] * phase["flee_per_s"]
    if point < 0.0:
        _flee(market, crowd, symbol)
        return
    for index in range(2):
        for level in range(LEVELS):
            queue = crowd.queues[symbol, index, level]
            point -= arrival_rate(phase, queue)
            if point < 0.0:
                _join(market, crowd, phase, symbol, index, level)
                return
            point -= cancel_rate(phase, queue)
            if point < 0.0:
                _leave(market, crowd, symbol, index, level)
                return


@kernel
def _join(market: Market, crowd: Crowd, phase: np.void, symbol: int, index: int, level: int) -> None:
    # Whoever comes to a level that was empty brings a whole ladder: every empty level of the side is filled.
    if crowd.queues[symbol, index, level] > 0:
        _arrive(market, crowd, phase, symbol, index, level)
        return
    for each in range(LEVELS):
        if crowd.queues[symbol, index, each] == 0:
            _arrive(market, crowd, phase, symbol, index, each)


@kernel
def _arrive(market: Market, crowd: Crowd, phase: np.void, symbol: int, index: int, level: int) -> None:
    row = crowd.symbols[symbol]
    side = BUY if index == 0 else SELL
    at_step = (row["bid_step"] if index == 0 else row["ask_step"]) - side * level
    if at_step <= 0:
        return
    place = at_step % PLACES
    for j in range(DEEP):
        if crowd.oids[symbol, index, place, j] != 0:
            continue
        median = phase["far_usdc"]
        if level < NEAR_LEVELS:
            median = phase["touch_usdc"] if level == 0 else phase["near_usdc"]
        lots = math.floor(lognormal(crowd.chance, median, SIZE_SPREAD) * row["lots_per_usdc"]) + 1
        account = row["maker_account"] + j % MAKERS
        submit(market, account, symbol, side, at_step * row["step"], lots, ALO, 0)
        oid = market.header[0]["last_oid"]
        # A post-only order that would trade with a stale one is refused, and comes again.
        if market.orders[oid % ORDERS_MAX]["oid"] == oid:
            crowd.oids[symbol, index, place, j] = oid
            crowd.queues[symbol, index, level] += 1
        return


@kernel
def _leave(market: Market, crowd: Crowd, symbol: int, index: int, level: int) -> None:
    # One order of the level, each as likely as any other.
    wanted = math.floor(uniform(crowd.chance) * crowd.queues[symbol, index, level])
    row = crowd.symbols[symbol]
    side = BUY if index == 0 else SELL
    place = ((row["bid_step"] if index == 0 else row["ask_step"]) - side * level) % PLACES
    for j in range(DEEP):
        oid = crowd.oids[symbol, index, place, j]
        order = market.orders[oid % ORDERS_MAX]
        if oid == 0 or order["oid"] != oid or _level_of(crowd, symbol, side, order["tick"]) != level:
            continue
        if wanted == 0:
            cancel(market, order["account"], oid)
            crowd.oids[symbol, index, place, j] = 0
            crowd.queues[symbol, index, level] -= 1
            return
        wanted -= 1


@kernel
def _flee(market: Market, crowd: Crowd, symbol: int) -> None:
    # One order on the wrong side is drawn, and its owner cancels all such orders of that owner in one go.
    row = crowd.symbols[symbol]
    wanted = math.floor(uniform(crowd.chance) * row["wrong"])
    account = _owner_of_wrong(market, crowd, symbol, wanted)
    for index in range(2):
        side = BUY if index == 0 else SELL
        for place in range(PLACES):
            for j in range(DEEP):
                if _is_wrong(market, crowd, symbol, index, place, j):
                    order = market.orders[crowd.oids[symbol, index, place, j] % ORDERS_MAX]
                    if order["account"] == account and order["side"] == side:
                        cancel(market, account, crowd.oids[symbol, index, place, j])
                        crowd.oids[symbol, index, place, j] = 0
                        row["wrong"] -= 1


@kernel
def _owner_of_wrong(market: Market, crowd: Crowd, symbol: int, wanted: int) -> int:
    for index in range(2):
        for place in range(PLACES):
            for j in range(DEEP):
                if _is_wrong(market, crowd, symbol, index, place, j):
                    if wanted == 0:
                        oid = crowd.oids[symbol, index, place, j]
                        return market.orders[oid % ORDERS_MAX]["account"]
                    wanted -= 1
    return -1


@kernel
def _is_wrong(market: Market, crowd: Crowd, symbol: int, index: int, place: int, j: int) -> bool:
    oid = crowd.oids[symbol, index, place, j]
    order = market.orders[oid % ORDERS_MAX]
    if oid == 0 or order["oid"] != oid:
        return False
    return _level_of(crowd, symbol, BUY if index == 0 else SELL, order["tick"]) < 0


@kernel
def _keep_a_price(market: Market, crowd: Crowd, phase: np.void, symbol: int) -> None:
    # A side that was swept clean gets its outermost level back at once.
    for index in range(2):
        if market.level_counts[symbol, index] == 0:
            _arrive(market, crowd, phase, symbol, index, LEVELS - 1)


def _example_pair() -> tuple[object, ...]:
    instruments = np.array([[1_000_000.0, 10.0, 100_000.0]])
    return (new_market(1, 60, 150, 450), new_crowd(0, 20, np.zeros(1, PHASE), instruments))


@example(requote)
def _requote_example() -> tuple[object, ...]:
    return (*_example_pair(), 0)
