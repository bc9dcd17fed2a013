"""Own orders in a recorded market: place in the queue, and what each recorded event fills.

The quantity ahead of an order starts as the level's quantity when it joins. Trades at its price reduce
it. A decrease beyond what was traded was a cancellation, ahead of us or behind: with F ahead and B behind,
it was behind with probability Bⁿ / (Bⁿ + Fⁿ). A bbo often arrives before the trade of the same block that
caused it: such a decrease is taken back when the trade explains it. Own orders fill when a trade passes
their queue (at most the print's volume, shared among own orders by price, then time), when a trade goes
through their price, or when a quantity of the other side appears at or beyond it (at most that quantity).
The recorded market never reacts to us.

References
----------
Rigtorp, "Estimating order queue position", 2013; hftbacktest 2.4.4, `PowerProbQueueFunc` (whose partial
fills and depth-limited snapshots over-fill; the differences are the tests).
"""

import numpy as np

from mmpipe.enums import AnswerKind
from mmpipe.venue.sim.recorded_book import (
    new_book,
    quantity_at,
    side_index,
)
from ringbuf.jit import example, kernel

OWN_ORDERS_MAX = 256
LOT_TOLERANCE = 1e-6  # of a lot: sums of decimal quantities are a hair off whole lots

OWN_ORDER = np.dtype(
    [
        ("order_id", "i8"),
        ("oid", "i8"),
        ("serial", "i8"),  # order of arrival
        ("key", "i8"),  # side * tick: larger is better
        ("leaves_lots", "i8"),
        ("ahead_qty", "f8"),
        ("traded_qty", "f8"),  # at this price since the level last changed
        ("drop_ts_ns", "i8"),  # venue time of the last decrease, 0: none to take back
        ("drop_qty", "f8"),  # its part not yet explained by trades
        ("drop_ahead_qty", "f8"),  # ahead before it
        ("drop_level_qty", "f8"),  # the level's quantity after it
        ("event", "i8"),  # last event that was applied to it
        ("symbol", "i8"),
        ("side", "i8"),
        ("reduce_only", "i8"),
        ("live", "i8"),
    ],
    align=True,
)
MARKET = np.dtype(
    [
        ("queue_power", "f8"),  # n above, > 0
        ("events", "i8"),  # applied so far
        ("tid", "i8"),  # last trade id given
        ("serial", "i8"),
        ("fills", "i8"),  # rows in the fill buffer
        ("refused", "i8"),  # events with unusable numbers
    ],
    align=True,
)

FILL = int(AnswerKind.FILL)


def new_orders() -> np.ndarray:
    """An empty table of own orders, OWN_ORDER of shape (OWN_ORDERS_MAX,)."""
    return np.zeros(OWN_ORDERS_MAX, OWN_ORDER)


@kernel
def ahead_after_drop(ahead_qty: float, level_qty: float, drop_qty: float, power: float) -> float:
    """Quantity ahead after cancellations of unknown place in the queue.

    Parameters
    ----------
    ahead_qty : float
        Ahead of the order before, base units, >= 0.
    level_qty : float
        The level's quantity before, >= `drop_qty`.
    drop_qty : float
        Cancelled, >= 0.
    power : float
        Exponent n of the probability that it was behind.

    Returns
    -------
    float
        Between 0 and the level's quantity after.
    """
    behind = max(level_qty - ahead_qty, 0.0)
    weight_behind = behind**power
    weight_ahead = max(ahead_qty, 0.0) ** power
    total = weight_behind + weight_ahead
    behind_prob = weight_behind / total if total > 0.0 else 1.0
    # What cannot have been behind was ahead.
    left = ahead_qty - (1.0 - behind_prob) * drop_qty + min(behind - behind_prob * drop_qty, 0.0)
    return max(min(left, level_qty - drop_qty), 0.0)


@kernel
def on_level_change(
    orders: np.ndarray,
    symbol: int,
    key: int,
    side: int,
    before: float,
    after: float,
    exch_ts_ns: int,
    power: float,
) -> None:
    """Move the queue of own orders at one price whose quantity went from `before` to `after`."""
    for index in range(orders.shape[0]):
        order = orders[index]
        if order["live"] == 0 or order["symbol"] != symbol or order["side"] != side or order["key"] != key:
            continue
        drop = before - after - order["traded_qty"]
        order["traded_qty"] = 0.0
        if drop <= 0.0:
            order["ahead_qty"] = min(order["ahead_qty"], after)
            continue
        order["drop_ts_ns"] = exch_ts_ns
        order["drop_qty"] = drop
        order["drop_ahead_qty"] = order["ahead_qty"]
        order["drop_level_qty"] = after
        order["ahead_qty"] = ahead_after_drop(order["ahead_qty"], after + drop, drop, power)


@kernel
def pass_queue(order_row: np.ndarray, qty: float, exch_ts_ns: int, power: float) -> float:
    """A trade of `qty` at the order's price; returns what it traded beyond the queue ahead.

    Parameters
    ----------
    order_row : ndarray of OWN_ORDER, shape (1,)
        The order; its queue moves.
    qty : float
        Volume that reached its price, base units.
    exch_ts_ns : int
        Venue time of the trade.
    power : float
        Exponent of the queue model.
    """
    order = order_row[0]
    if order["drop_ts_ns"] == exch_ts_ns and exch_ts_ns > 0 and order["drop_qty"] > 0.0:
        explained = min(qty, order["drop_qty"])
        order["drop_qty"] -= explained
        order["drop_ahead_qty"] -= explained
        if order["drop_ahead_qty"] > 0.0:
            level_qty = order["drop_level_qty"] + order["drop_qty"]
            order["ahead_qty"] = ahead_after_drop(
                order["drop_ahead_qty"], level_qty, order["drop_qty"], power
            )
        else:
            order["ahead_qty"] = order["drop_ahead_qty"]
            order["drop_qty"] = 0.0
        qty -= explained
    order["ahead_qty"] -= qty
    order["traded_qty"] += qty
    beyond = max(-order["ahead_qty"], 0.0)
    order["ahead_qty"] = max(order["ahead_qty"], 0.0)
    return beyond


@kernel
def next_order(orders: np.ndarray, symbol: int, side: int, key_min: int, event: int) -> int:
    """Own order of one side with the best price, then the longest rest, that `event` has not met.

    Returns its index, -1 when there is none with a key >= `key_min`.
    """
    best = -1
    for index in range(orders.shape[0]):
        order = orders[index]
        if order["live"] == 0 or order["symbol"] != symbol or order["side"] != side:
            continue
        if order["key"] < key_min or order["event"] == event:
            continue
        better = best < 0 or order["key"] > orders[best]["key"]
        earlier = (
            best >= 0 and order["key"] == orders[best]["key"] and order["serial"] < orders[best]["serial"]
        )
        if better or earlier:
            best = index
    return best


@kernel
def fill_order(
    orders: np.ndarray, index: int, lots: int, positions: np.ndarray, market: np.ndarray, fills: np.ndarray
) -> int:
    """Fill up to `lots` of a resting order at its price and write one row; returns the lots filled.

    A reduce-only order fills no more than the position it reduces. The row's times are set by the caller
    in `fills[market[0]["fills"]]` beforehand.
    """
    order = orders[index]
    symbol = order["symbol"]
    side = order["side"]
    lots = min(lots, order["leaves_lots"])
    if order["reduce_only"] == 1:
        lots = min(lots, max(-side * positions[symbol], 0))
    if lots <= 0:
        return 0
    order["leaves_lots"] -= lots
    if order["leaves_lots"] == 0:
        order["live"] = 0
    write_fill(
        positions, market, fills, order["order_id"], order["oid"], symbol, side, side * order["key"], lots
    )
    fills[market[0]["fills"] - 1]["maker_fill"] = 1
    return lots


@kernel
def write_fill(
    positions: np.ndarray,
    market: np.ndarray,
    fills: np.ndarray,
    order_id: int,
    oid: int,
    symbol: int,
    side: int,
    tick: int,
    lots: int,
) -> None:
    """Append one FILL row and move the position; times are those already in the slot after the last row."""
    counters = market[0]
    fill = fills[counters["fills"]]
    counters["tid"] += 1
    counters["fills"] += 1
    positions[symbol] += side * lots
    fill["kind"] = FILL
    fill["order_id"] = order_id
    fill["oid"] = oid
    fill["tid"] = counters["tid"]
    fill["symbol"] = symbol
    fill["side"] = side
    fill["px_tick"] = tick
    fill["qty_lots"] = lots
    fill["maker_fill"] = 0
    following = fills[counters["fills"]]
    following["ts_ns"] = fill["ts_ns"]
    following["exch_ts_ns"] = fill["exch_ts_ns"]


@kernel
def join_queue(
    orders: np.ndarray, index: int, levels: np.ndarray, sides: np.ndarray, market: np.ndarray
) -> None:
    """Put a new resting order behind everything known at its price."""
    order = orders[index]
    at = side_index(order["side"])
    market[0]["serial"] += 1
    order["serial"] = market[0]["serial"]
    order["event"] = market[0]["events"]
    order["traded_qty"] = 0.0
    order["drop_ts_ns"] = 0
    order["drop_qty"] = 0.0
    order["ahead_qty"] = quantity_at(
        levels[order["symbol"], at], sides[order["symbol"], at]["count"], order["key"]
    )
    order["live"] = 1


@example(join_queue)
def _join_queue_example() -> tuple[object, ...]:
    levels, sides = new_book(1)
    return new_orders(), 0, levels, sides, np.zeros(1, MARKET)


@example(ahead_after_drop)
def _ahead_after_drop_example() -> tuple[object, ...]:
    return 1.0, 1.0, 1.0, 1.0
