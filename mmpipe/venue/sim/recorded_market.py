"""The recorded market at work: EVENT rows move book and queues and fill own orders; takers walk the book.

Which rule fills what is said in `queue_models.py`; how levels appear and vanish in `recorded_book.py`.
"""

import numpy as np

from mmpipe.enums import EventFlag, EventKind, Tif, Venue
from mmpipe.records import ANSWER, EVENT, INTENT
from mmpipe.venue.sim.queue_models import (
    LOT_TOLERANCE,
    MARKET,
    OWN_ORDERS_MAX,
    fill_order,
    join_queue,
    new_orders,
    next_order,
    on_level_change,
    pass_queue,
    write_fill,
)
from mmpipe.venue.sim.recorded_book import NOT_SHOWN, new_book, set_quantity, side_index
from ringbuf.jit import example, kernel

FILLS_MAX = 4096  # rows of the fill buffer

TRADE = int(EventKind.TRADE)
BOOK_DELTA = int(EventKind.BOOK_DELTA)
BOOK_CLEAR = int(EventKind.BOOK_CLEAR)
BBO = int(EventKind.BBO)
LAST = int(EventFlag.LAST)
HISTORY = int(EventFlag.HISTORY)
MAKER = int(Venue.MAKER)
ALO = int(Tif.ALO)
GTC = int(Tif.GTC)
RESTED = 0
FILLED = 1
WOULD_CROSS = 2
NO_LIQUIDITY = 3
PART_FILLED = 4


@kernel
def apply_events(
    events: np.ndarray,
    start: int,
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    positions: np.ndarray,
    lot_qty: np.ndarray,
    market: np.ndarray,
    fills: np.ndarray,
) -> int:
    """Apply EVENT rows of the maker venue in order, writing what they fill.

    Parameters
    ----------
    events : ndarray of EVENT, shape (n,)
        Any kinds and venues; `local_ts_ns` does not go back.
    start : int
        First row to apply.
    levels, sides : ndarray of LEVEL and BOOK_SIDE
        As `new_book` makes them.
    orders : ndarray of OWN_ORDER, shape (OWN_ORDERS_MAX,)
        Own resting orders.
    positions : ndarray of int64, shape (symbols,)
        Signed lots, moved by fills.
    lot_qty : ndarray of float64, shape (symbols,)
        Base units of one lot.
    market : ndarray of MARKET, shape (1,)
        Counters and settings; its `fills` is where the next row goes.
    fills : ndarray of ANSWER, shape (FILLS_MAX,)
        FILL rows; fee and seq are left to the caller.

    Returns
    -------
    int
        First row not applied: the number of rows, or less when the fill buffer has to be emptied first.
    """
    for index in range(start, events.shape[0]):
        if market[0]["fills"] + OWN_ORDERS_MAX * 4 >= fills.shape[0]:
            return index
        event = events[index]
        symbol = event["symbol"]
        if event["venue"] != MAKER or symbol >= positions.shape[0]:
            continue
        market[0]["events"] += 1
        fills[market[0]["fills"]]["ts_ns"] = event["local_ts_ns"]
        fills[market[0]["fills"]]["exch_ts_ns"] = event["exch_ts_ns"]
        _apply_event(event, levels, sides, orders, positions, lot_qty[symbol], market, fills)
        if event["flags"] & LAST != 0 and sides[symbol, 0]["in_snapshot"] == 1:
            _end_snapshot(levels, sides, orders, symbol, event["exch_ts_ns"], market)
    return events.shape[0]


@kernel
def place_order(
    request: np.ndarray,
    index: int,
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    positions: np.ndarray,
    lot_qty: np.ndarray,
    market: np.ndarray,
    fills: np.ndarray,
) -> int:
    """Match a new order against the book; rest what is left of a GTC or post-only order.

    Parameters
    ----------
    request : ndarray of INTENT, shape (1,)
        A checked PLACE; `oid` is the one to give it.
    index : int
        Free row of `orders`.
    levels, sides, orders, positions, lot_qty, market, fills : ndarray
        As for `apply_events`.

    Returns
    -------
    int
        RESTED, FILLED, WOULD_CROSS, NO_LIQUIDITY (nothing done) or PART_FILLED (the rest is gone).
    """
    intent = request[0]
    symbol = int(intent["symbol"])
    side = int(intent["side"])
    at = side_index(-side)
    # A price of the other side is marketable when its key is at least this.
    reach_key = -side * intent["px_tick"]
    count = sides[symbol, at]["count"]
    marketable = count > 0 and levels[symbol, at, count - 1]["key"] >= reach_key
    if marketable and intent["tif"] == ALO:
        return WOULD_CROSS
    left = int(intent["qty_lots"])
    if intent["reduce_only"] == 1:
        left = min(left, max(-side * positions[symbol], 0))
    wanted = left
    for depth in range(count - 1, -1, -1):
        level = levels[symbol, at, depth]
        if level["key"] < reach_key or left == 0 or market[0]["fills"] + 2 >= fills.shape[0]:
            break
        lots = min(left, int((level["qty"] - level["taken_qty"]) / lot_qty[symbol] + LOT_TOLERANCE))
        if lots > 0:
            level["taken_qty"] += lots * lot_qty[symbol]
            left -= lots
            tick = -side * level["key"]
            order_id, oid = int(intent["order_id"]), int(intent["oid"])
            write_fill(positions, market, fills, order_id, oid, symbol, side, tick, lots)
    if left == 0 and wanted > 0:
        return FILLED
    if intent["tif"] != GTC and intent["tif"] != ALO:
        return NO_LIQUIDITY if left == wanted else PART_FILLED
    _rest(request, orders, index, int(intent["qty_lots"]) - (wanted - left))
    join_queue(orders, index, levels, sides, market)
    return RESTED


@kernel
def _rest(request: np.ndarray, orders: np.ndarray, index: int, leaves_lots: int) -> None:
    intent = request[0]
    order = orders[index]
    order["order_id"] = intent["order_id"]
    order["oid"] = intent["oid"]
    order["symbol"] = intent["symbol"]
    order["side"] = intent["side"]
    order["key"] = intent["side"] * intent["px_tick"]
    order["leaves_lots"] = leaves_lots
    order["reduce_only"] = intent["reduce_only"]


@kernel
def _apply_event(
    event: np.void,
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    positions: np.ndarray,
    lot_qty: float,
    market: np.ndarray,
    fills: np.ndarray,
) -> None:
    kind = event["kind"]
    if kind == BOOK_CLEAR:
        _begin_snapshot(sides, event["symbol"])
    elif kind in (TRADE, BOOK_DELTA, BBO):
        sound = event["px_tick"] > 0 and event["qty"] >= 0.0 and event["qty"] < 1e15 and event["side"] != 0
        if not sound:
            market[0]["refused"] += 1
        elif kind == TRADE:
            if event["flags"] & HISTORY == 0:
                _trade(event, lot_qty, orders, positions, market, fills)
        elif kind == BOOK_DELTA:
            _depth(event, levels, sides, orders, positions, lot_qty, market, fills)
        elif event["qty"] > 0.0:
            _bbo(event, levels, sides, orders, positions, lot_qty, market, fills)


@kernel
def _begin_snapshot(sides: np.ndarray, symbol: int) -> None:
    for at in range(2):
        sides[symbol, at]["generation"] += 1
        sides[symbol, at]["window_key"] = NOT_SHOWN
        sides[symbol, at]["in_snapshot"] = 1


@kernel
def _end_snapshot(
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    symbol: int,
    exch_ts_ns: int,
    market: np.ndarray,
) -> None:
    for at in range(2):
        book_side = sides[symbol, at : at + 1]
        book_side[0]["in_snapshot"] = 0
        index = book_side[0]["count"] - 1
        while index >= 0 and levels[symbol, at, index]["key"] >= book_side[0]["window_key"]:
            if levels[symbol, at, index]["generation"] != book_side[0]["generation"]:
                key = levels[symbol, at, index]["key"]
                _change(levels, sides, orders, symbol, 1 - 2 * at, key, 0.0, exch_ts_ns, market)
            index -= 1


@kernel
def _change(
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    symbol: int,
    side: int,
    key: int,
    qty: float,
    exch_ts_ns: int,
    market: np.ndarray,
) -> float:
    # One price takes a new quantity; own queues there move. Returns by how much it grew.
    at = side_index(side)
    before = set_quantity(levels[symbol, at], sides[symbol, at : at + 1], key, qty)
    on_level_change(orders, symbol, key, side, before, qty, exch_ts_ns, market[0]["queue_power"])
    return qty - before


@kernel
def _depth(
    event: np.void,
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    positions: np.ndarray,
    lot_qty: float,
    market: np.ndarray,
    fills: np.ndarray,
) -> None:
    symbol = event["symbol"]
    side = int(event["side"])
    key = side * event["px_tick"]
    grown = _change(levels, sides, orders, symbol, side, key, event["qty"], event["exch_ts_ns"], market)
    book_side = sides[symbol, side_index(side)]
    if book_side["in_snapshot"] == 1 and event["qty"] > 0.0:
        book_side["window_key"] = min(book_side["window_key"], key)
    # The other side now offers at or beyond our price: what appeared would have met us.
    left = int(grown / lot_qty + LOT_TOLERANCE)
    while left > 0:
        index = next_order(orders, symbol, -side, -key, market[0]["events"])
        if index < 0:
            return
        orders[index]["event"] = market[0]["events"]
        left -= fill_order(orders, index, left, positions, market, fills)


@kernel
def _bbo(
    event: np.void,
    levels: np.ndarray,
    sides: np.ndarray,
    orders: np.ndarray,
    positions: np.ndarray,
    lot_qty: float,
    market: np.ndarray,
    fills: np.ndarray,
) -> None:
    # Nothing is better than the best: better levels of its side and crossed ones of the other are gone.
    symbol = event["symbol"]
    side = int(event["side"])
    key = side * event["px_tick"]
    for own in range(2):
        at = side_index(side) if own == 0 else side_index(-side)
        reach = key + 1 if own == 0 else -key
        turn = side if own == 0 else -side
        while sides[symbol, at]["count"] > 0:
            best_key = levels[symbol, at, sides[symbol, at]["count"] - 1]["key"]
            if best_key < reach:
                break
            _change(levels, sides, orders, symbol, turn, best_key, 0.0, event["exch_ts_ns"], market)
    _depth(event, levels, sides, orders, positions, lot_qty, market, fills)


@kernel
def _trade(
    event: np.void,
    lot_qty: float,
    orders: np.ndarray,
    positions: np.ndarray,
    market: np.ndarray,
    fills: np.ndarray,
) -> None:
    # A seller fills own buys: those above the print by what is left of it, those at it past their queue.
    symbol = event["symbol"]
    side = -int(event["side"])
    print_key = side * event["px_tick"]
    qty = event["qty"]
    taken = 0.0  # of the print, by own orders
    while True:
        index = next_order(orders, symbol, side, print_key, market[0]["events"])
        if index < 0:
            return
        order = orders[index]
        order["event"] = market[0]["events"]
        if order["key"] > print_key:
            available = qty - taken
        else:
            # Own orders ahead at this price are not in the recorded queue; what they took is not ours.
            beyond = pass_queue(orders[index : index + 1], qty, event["exch_ts_ns"], market[0]["queue_power"])
            available = min(beyond, qty) - taken
        lots = int(available / lot_qty + LOT_TOLERANCE)
        taken += fill_order(orders, index, lots, positions, market, fills) * lot_qty


def _example_state() -> tuple[np.ndarray, ...]:
    levels, sides = new_book(1)
    return (
        levels,
        sides,
        new_orders(),
        np.zeros(1, np.int64),
        np.ones(1),
        np.zeros(1, MARKET),
        np.zeros(FILLS_MAX, ANSWER),
    )


@example(apply_events)
def _apply_events_example() -> tuple[object, ...]:
    return np.zeros(1, EVENT), 0, *_example_state()


@example(place_order)
def _place_order_example() -> tuple[object, ...]:
    return np.zeros(1, INTENT), 0, *_example_state()
