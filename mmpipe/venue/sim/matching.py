"""Price-time matching over integer ticks and lots, as Hyperliquid matches.

A taker walks the opposite side from the best level, oldest order first, at the makers' prices. Post-only
orders that would cross are refused, immediate orders never rest, and an order that meets one of its own
account cancels the resting one ("expire maker"). A resting reduce-only order is filled at most down to a
flat position and is cancelled when there is nothing left to reduce.

Money is conserved exactly (`ledger`): each fill moves lots and cash between two accounts and the fees to
account 0. Margin and liquidation are `clearing`'s; here everybody can pay.

References
----------
Gould, Porter, Williams, McDonald, Fenn, Howison (2013), Limit order books, Quantitative Finance 13.
"""

import numpy as np

from mmpipe.enums import Side, Tif
from mmpipe.venue.sim.ledger import charge_fees, exchange_lots
from mmpipe.venue.sim.market import (
    BAD_ALO_REJECTED,
    CANCELED,
    DEPTH,
    FILLED,
    IOC_REJECTED,
    NO_LIQUIDITY_REJECTED,
    NO_ROOM_REJECTED,
    NO_SLOT,
    OPEN,
    ORDERS_MAX,
    PLACE,
    REDUCE_ONLY_CANCELED,
    REDUCE_ONLY_REJECTED,
    REQUEST,
    SELF_TRADE_CANCELED,
    TAPE_MAX,
    TAPE_RESERVE,
    UNKNOWN_ORDER,
    Market,
    new_market,
)
from mmpipe.venue.sim.resting import count_resting, free_slot, level_of, log_order, remove, rest, take_slot
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
ALO = int(Tif.ALO)
IOC = int(Tif.IOC)


@kernel
def process(market: Market, requests: np.ndarray, count: int) -> None:
    """Apply requests in order and write each outcome into its row.

    Parameters
    ----------
    market : Market
        Changed in place.
    requests : (n,) REQUEST
        `oid`, `status`, `filled_lots` and `filled_notional` are written.
    count : int
        Rows used.
    """
    for i in range(count):
        row = requests[i]
        if row["kind"] == PLACE:
            row["status"] = submit(
                market,
                row["account"],
                row["symbol"],
                row["side"],
                row["tick"],
                row["lots"],
                row["tif"],
                row["reduce_only"],
            )
            head = market.header[0]
            row["oid"] = head["last_oid"]
            row["filled_lots"] = head["last_lots"]
            row["filled_notional"] = head["last_notional"]
        else:
            row["status"] = cancel_as(market, row["account"], row["oid"], row["kind"])


@kernel
def submit(
    market: Market, account: int, symbol: int, side: int, tick: int, lots: int, tif: int, reduce_only: int
) -> int:
    """Match one order and rest what is left, if it may rest.

    Parameters
    ----------
    side : int
        +1 buys, -1 sells.
    tick : int
        Limit on the finest grid, > 0.
    lots : int
        > 0.
    tif : int
        `mmpipe.enums.Tif`.
    reduce_only : int
        1: only ever towards a flat position.

    Returns
    -------
    int
        OPEN, FILLED, CANCELED (immediate and filled in part) or a `_REJECTED` status. The header holds
        oid, lots and notional of what happened at once.
    """
    head = market.header[0]
    head["last_lots"] = 0
    head["last_notional"] = 0
    head["serial"] += 1
    slot = head["free_slot"]
    room = head["fills"] < TAPE_MAX - TAPE_RESERVE and head["events"] < TAPE_MAX - TAPE_RESERVE
    head["last_oid"] = head["serial"] * ORDERS_MAX + max(slot, 0)
    if reduce_only != 0:
        lots = min(lots, -side * market.standings[account, symbol]["lots"])
        if lots <= 0:
            return REDUCE_ONLY_REJECTED
    if slot == NO_SLOT or not room:
        return NO_ROOM_REJECTED
    crosses = _crosses(market, symbol, side, tick)
    if tif == ALO and crosses:
        return BAD_ALO_REJECTED
    if tif == IOC and not crosses:
        empty = market.level_counts[symbol, _opposite_index(side)] == 0
        return NO_LIQUIDITY_REJECTED if empty else IOC_REJECTED
    take_slot(market, slot)
    order = market.orders[slot]
    order["oid"] = head["last_oid"]
    order["tick"] = tick
    order["lots"] = lots
    order["orig_lots"] = lots
    order["account"] = account
    order["symbol"] = symbol
    order["side"] = side
    order["reduce_only"] = reduce_only
    if crosses:
        _match(market, slot)
    return _settle(market, slot, tif)


@kernel
def cancel(market: Market, account: int, oid: int) -> int:
    """Take one resting order of `account` off the book; CANCELED, or UNKNOWN_ORDER if there is none."""
    return cancel_as(market, account, oid, CANCELED)


@kernel
def cancel_as(market: Market, account: int, oid: int, status: int) -> int:
    """As `cancel`, but the tape gives `status` as the reason."""
    slot = oid % ORDERS_MAX
    order = market.orders[slot]
    if oid <= 0 or order["oid"] != oid or order["account"] != account:
        return UNKNOWN_ORDER
    remove(market, slot, status)
    return CANCELED


@kernel
def shrink(market: Market, oid: int, lots: int) -> bool:
    """Make a resting order smaller, keeping its place; with no lots left it ends as reduce-only.

    Returns
    -------
    bool
        False if it is not in the book or is not larger.
    """
    slot = oid % ORDERS_MAX
    order = market.orders[slot]
    if oid <= 0 or order["oid"] != oid or order["lots"] <= lots:
        return False
    if lots <= 0:
        remove(market, slot, REDUCE_ONLY_CANCELED)
        return True
    taken = order["lots"] - lots
    index = 0 if order["side"] == BUY else 1
    level = market.levels[order["symbol"], index, level_of(market, slot)]
    level["lots"] -= taken
    count_resting(market, slot, -taken)
    order["lots"] = lots
    log_order(market, slot, OPEN)
    return True


@kernel
def best_tick(market: Market, symbol: int, side: int) -> int:
    """Best price of one side (+1 bids, -1 asks) in ticks, 0 when the side is empty."""
    index = 0 if side == BUY else 1
    count = market.level_counts[symbol, index]
    if count == 0:
        return 0
    return side * market.levels[symbol, index, count - 1]["key"]


@kernel
def depth(market: Market, symbol: int, side: int, out: np.ndarray) -> int:
    """Best levels of one side, best first.

    Parameters
    ----------
    side : int
        +1 bids, -1 asks.
    out : (n,) DEPTH
        Receives at most n levels.

    Returns
    -------
    int
        Levels written.
    """
    index = 0 if side == BUY else 1
    count = market.level_counts[symbol, index]
    written = min(count, out.shape[0])
    for i in range(written):
        level = market.levels[symbol, index, count - 1 - i]
        out[i]["tick"] = side * level["key"]
        out[i]["lots"] = level["lots"]
        out[i]["orders"] = level["orders"]
    return written


@kernel
def _opposite_index(side: int) -> int:
    return 1 if side == BUY else 0


@kernel
def _crosses(market: Market, symbol: int, side: int, tick: int) -> bool:
    opposite = best_tick(market, symbol, -side)
    return opposite != 0 and side * (tick - opposite) >= 0


@kernel
def _match(market: Market, slot: int) -> None:
    taker = market.orders[slot]
    symbol = taker["symbol"]
    index = _opposite_index(taker["side"])
    while taker["lots"] > 0 and _crosses(market, symbol, taker["side"], taker["tick"]):
        count = market.level_counts[symbol, index]
        maker_slot = market.levels[symbol, index, count - 1]["head"]
        maker = market.orders[maker_slot]
        if maker["account"] == taker["account"]:
            remove(market, maker_slot, SELF_TRADE_CANCELED)
            continue
        lots = min(taker["lots"], maker["lots"])
        if maker["reduce_only"] != 0:
            lots = min(lots, -maker["side"] * market.standings[maker["account"], symbol]["lots"])
            if lots <= 0:
                remove(market, maker_slot, REDUCE_ONLY_CANCELED)
                continue
        _fill(market, slot, maker_slot, lots)
        maker["lots"] -= lots
        taker["lots"] -= lots
        market.levels[symbol, index, count - 1]["lots"] -= lots
        count_resting(market, maker_slot, -lots)
        if maker["lots"] == 0:
            remove(market, maker_slot, FILLED)


@kernel
def _fill(market: Market, taker_slot: int, maker_slot: int, lots: int) -> None:
    head = market.header[0]
    taker = market.orders[taker_slot]
    maker = market.orders[maker_slot]
    index = exchange_lots(
        market, maker["account"], taker["account"], taker["symbol"], taker["side"], maker["tick"], lots
    )
    market.fills[index]["maker_oid"] = maker["oid"]
    market.fills[index]["taker_oid"] = taker["oid"]
    notional = maker["tick"] * lots
    charge_fees(market, index, notional)
    head["last_lots"] += lots
    head["last_notional"] += notional
    price = market.prices[taker["symbol"]]
    price["last_tick"] = maker["tick"]
    price["volume_lots"] += lots
    price["volume_notional"] += notional


@kernel
def _settle(market: Market, slot: int, tif: int) -> int:
    # What is left of a taker rests, ends, or has nowhere to go.
    order = market.orders[slot]
    if order["lots"] == 0:
        log_order(market, slot, FILLED)
        free_slot(market, slot)
        return FILLED
    if tif == IOC:
        filled = order["lots"] < order["orig_lots"]
        if filled:
            log_order(market, slot, CANCELED)
        free_slot(market, slot)
        return CANCELED if filled else IOC_REJECTED
    if not rest(market, slot):
        log_order(market, slot, CANCELED)
        free_slot(market, slot)
        return CANCELED if order["lots"] < order["orig_lots"] else NO_ROOM_REJECTED
    log_order(market, slot, OPEN)
    return OPEN


@example(process)
def _process_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), np.zeros(1, REQUEST), 1)


@example(submit)
def _submit_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 0, 1, 1, 1, 0, 0)


@example(cancel)
def _cancel_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 1)


@example(shrink)
def _shrink_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 1)


@example(best_tick)
def _best_tick_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0, 1)


@example(depth)
def _depth_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 0, 1, np.zeros(1, DEPTH))
