"""Orders at rest: first-in first-out lists inside sorted price levels, the free slots, and the order tape.

Only `matching` decides what rests and what leaves; here the links and sums stay consistent.
"""

from mmpipe.enums import Side
from mmpipe.venue.sim.market import NO_SLOT, TAPE_MAX, Market
from ringbuf.jit import kernel

BUY = int(Side.BUY)
LEVELS_LIMIT = 2_048  # market.LEVELS_MAX


@kernel
def rest(market: Market, slot: int) -> bool:
    """Put an order at the end of its level; False if there is no room for another level."""
    order = market.orders[slot]
    symbol = order["symbol"]
    index = 0 if order["side"] == BUY else 1
    key = order["side"] * order["tick"]
    at = _position_of(market, symbol, index, key)
    count = market.level_counts[symbol, index]
    if at == count or market.levels[symbol, index, at]["key"] != key:
        if count == LEVELS_LIMIT:
            return False
        for i in range(count, at, -1):
            market.levels[symbol, index, i] = market.levels[symbol, index, i - 1]
        market.level_counts[symbol, index] = count + 1
        fresh = market.levels[symbol, index, at]
        fresh["key"] = key
        fresh["lots"] = 0
        fresh["orders"] = 0
        fresh["head"] = NO_SLOT
        fresh["tail"] = NO_SLOT
    level = market.levels[symbol, index, at]
    order["prev"] = level["tail"]
    order["next"] = NO_SLOT
    if level["tail"] == NO_SLOT:
        level["head"] = slot
    else:
        market.orders[level["tail"]]["next"] = slot
    level["tail"] = slot
    level["lots"] += order["lots"]
    level["orders"] += 1
    count_resting(market, slot, order["lots"])
    return True


@kernel
def remove(market: Market, slot: int, status: int) -> None:
    """Take an order off the book for the given reason; a level without orders disappears."""
    order = market.orders[slot]
    symbol = order["symbol"]
    index = 0 if order["side"] == BUY else 1
    at = level_of(market, slot)
    level = market.levels[symbol, index, at]
    level["lots"] -= order["lots"]
    level["orders"] -= 1
    count_resting(market, slot, -order["lots"])
    if order["prev"] == NO_SLOT:
        level["head"] = order["next"]
    else:
        market.orders[order["prev"]]["next"] = order["next"]
    if order["next"] == NO_SLOT:
        level["tail"] = order["prev"]
    else:
        market.orders[order["next"]]["prev"] = order["prev"]
    if level["orders"] == 0:
        count = market.level_counts[symbol, index] - 1
        for i in range(at, count):
            market.levels[symbol, index, i] = market.levels[symbol, index, i + 1]
        market.level_counts[symbol, index] = count
    log_order(market, slot, status)
    free_slot(market, slot)


@kernel
def level_of(market: Market, slot: int) -> int:
    """Place of a resting order's level among the levels of its side."""
    order = market.orders[slot]
    index = 0 if order["side"] == BUY else 1
    return _position_of(market, order["symbol"], index, order["side"] * order["tick"])


@kernel
def count_resting(market: Market, slot: int, lots: int) -> None:
    """Add signed lots to what the order's owner has at rest on its side."""
    order = market.orders[slot]
    standing = market.standings[order["account"], order["symbol"]]
    if order["side"] == BUY:
        standing["bid_lots"] += lots
    else:
        standing["ask_lots"] += lots


@kernel
def log_order(market: Market, slot: int, status: int) -> None:
    """Write what happened to an order onto the tape of the block."""
    head = market.header[0]
    order = market.orders[slot]
    if head["events"] == TAPE_MAX:
        return
    row = market.events[head["events"]]
    head["events"] += 1
    row["oid"] = order["oid"]
    row["ts_ns"] = head["ts_ns"]
    row["account"] = order["account"]
    row["symbol"] = order["symbol"]
    row["side"] = order["side"]
    row["status"] = status
    row["tick"] = order["tick"]
    row["lots"] = order["lots"]
    row["orig_lots"] = order["orig_lots"]


@kernel
def take_slot(market: Market, slot: int) -> None:
    """Take the first free slot, which is `slot`, out of the free list."""
    market.header[0]["free_slot"] = market.orders[slot]["next"]


@kernel
def free_slot(market: Market, slot: int) -> None:
    """Forget an order and give its slot back."""
    market.orders[slot]["oid"] = 0
    market.orders[slot]["next"] = market.header[0]["free_slot"]
    market.header[0]["free_slot"] = slot


@kernel
def _position_of(market: Market, symbol: int, index: int, key: int) -> int:
    # First level whose key is not below `key`.
    low = 0
    high = market.level_counts[symbol, index]
    while low < high:
        middle = (low + high) // 2
        if market.levels[symbol, index, middle]["key"] < key:
            low = middle + 1
        else:
            high = middle
    return low
