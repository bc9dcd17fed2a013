"""How much rests ahead of an order of ours in its price level, followed through trades and level changes.

The venue shows the quantity of a level, not its order. Trades at the price take from the front; any other
decrease is a cancel, which was ahead of us with the share that is ahead of us. A trade seen before the level
shrinks is not counted again when it does; the other order of arrival errs towards the front by at most that
trade. A level without quantity is unseen, not empty, as it would hold at least our own order.

Which cancels were ahead is never told, so the place is known within bounds and with a variance:

    least ahead   every cancel was ahead             most ahead   none was, while that is possible
    variance      a cancel of c is one order, ahead with probability p: c^2 p (1 - p), and what was
                  uncertain before shrinks with the queue

References
----------
Rigtorp, "Estimating order queue position" (2013): trades from the front, cancels in proportion.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

UNSEEN_STD: Final = 0.2886751345948129  # of a share that may be anything: sqrt(1 / 12)

QUEUE = np.dtype(
    [
        ("order_id", "i8"),  # 0: no order
        ("tick", "i8"),
        ("ahead_qty", "f8"),  # resting before us, base units
        ("own_qty", "f8"),  # ours
        ("level_qty", "f8"),  # of the level when last looked at
        ("traded_qty", "f8"),  # traded at the price, and not yet seen to leave the level
        ("least_ahead_qty", "f8"),  # bounds of ahead_qty
        ("most_ahead_qty", "f8"),
        ("ahead_variance", "f8"),  # of ahead_qty, base units squared
        ("unseen", "i8"),  # 1: the book never showed the level since the order joined
    ],
    align=True,
)


@kernel
def join(queue: np.void, order_id: int, tick: int, own_qty: float, level_qty: float) -> None:
    """Start behind everything the level shows.

    Parameters
    ----------
    queue : QUEUE record
        Overwritten.
    order_id, tick : int
        Of the order.
    own_qty, level_qty : float
        Base units; the level does not contain the order yet. Negative: deeper than the book shows.
    """
    queue["order_id"], queue["tick"], queue["own_qty"] = order_id, tick, own_qty
    queue["ahead_qty"] = queue["level_qty"] = max(level_qty, 0.0)
    queue["least_ahead_qty"] = queue["most_ahead_qty"] = queue["ahead_qty"]
    queue["traded_qty"] = queue["ahead_variance"] = 0.0
    queue["unseen"] = 1 if level_qty < 0.0 else 0


@kernel
def on_trade(queue: np.void, side: int, tick: int, qty: float) -> None:
    """A trade against orders of our side.

    Parameters
    ----------
    queue : QUEUE record
        Changed in place.
    side : int
        Ours: +1 bid, -1 ask.
    tick : int
        Of the trade.
    qty : float
        Base units.
    """
    if queue["order_id"] == 0:
        return
    if tick == queue["tick"]:
        queue["ahead_qty"] = max(queue["ahead_qty"] - qty, 0.0)
        queue["least_ahead_qty"] = max(queue["least_ahead_qty"] - qty, 0.0)
        queue["most_ahead_qty"] = max(queue["most_ahead_qty"] - qty, 0.0)
        queue["traded_qty"] += qty
    elif side * (tick - queue["tick"]) < 0:
        # It traded through our price.
        queue["ahead_qty"] = queue["least_ahead_qty"] = queue["most_ahead_qty"] = 0.0
        queue["unseen"] = 0


@kernel
def on_level(queue: np.void, level_qty: float) -> None:
    """The quantity the settled book shows at our price, base units."""
    if queue["order_id"] == 0 or not (level_qty > 0.0):
        return
    if queue["unseen"] == 1:
        _first_seen(queue, level_qty)
        return
    dropped_qty = max(queue["level_qty"] - level_qty, 0.0)
    cancelled_qty = max(dropped_qty - queue["traded_qty"], 0.0)
    queue["traded_qty"] = max(queue["traded_qty"] - dropped_qty, 0.0)
    others_qty = level_qty + cancelled_qty - queue["own_qty"]
    if cancelled_qty > 0.0 and others_qty > 0.0:
        share, left = min(queue["ahead_qty"] / others_qty, 1.0), max(1.0 - cancelled_qty / others_qty, 0.0)
        spread_variance = cancelled_qty * cancelled_qty * share * (1.0 - share)
        queue["ahead_variance"] = queue["ahead_variance"] * left * left + spread_variance
        queue["ahead_qty"] = max(queue["ahead_qty"] - cancelled_qty * share, 0.0)
        queue["least_ahead_qty"] = max(queue["least_ahead_qty"] - cancelled_qty, 0.0)
    queue["most_ahead_qty"] = min(queue["most_ahead_qty"], level_qty)
    queue["least_ahead_qty"] = min(queue["least_ahead_qty"], level_qty)
    queue["ahead_qty"] = min(queue["ahead_qty"], level_qty)
    queue["level_qty"] = level_qty


@kernel
def rank(queue: np.void, level_qty: float) -> float:
    """Share of the level ahead of our order, 0 to 1; -1 without an order, 1 while the level is unseen."""
    if queue["order_id"] == 0:
        return -1.0
    if queue["unseen"] == 1:
        return 1.0
    total_qty = _total_qty(queue, level_qty)
    return min(queue["ahead_qty"] / total_qty, 1.0) if total_qty > 0.0 else 0.0


@kernel
def rank_std(queue: np.void, level_qty: float) -> float:
    """Standard deviation of `rank`, 0 to 0.5; 0 without an order.

    Notes
    -----
    At most half the distance of the bounds, which no distribution between them exceeds (Popoviciu 1935).
    """
    if queue["order_id"] == 0:
        return 0.0
    if queue["unseen"] == 1:
        return UNSEEN_STD
    half_qty = (queue["most_ahead_qty"] - queue["least_ahead_qty"]) / 2.0
    std_qty = min(np.sqrt(queue["ahead_variance"]), max(half_qty, 0.0))
    total_qty = _total_qty(queue, level_qty)
    return min(std_qty / total_qty, 0.5) if total_qty > 0.0 else 0.0


@kernel
def _total_qty(queue: np.void, level_qty: float) -> float:
    return max(level_qty, queue["ahead_qty"] + queue["own_qty"])


@kernel
def _first_seen(queue: np.void, level_qty: float) -> None:
    # All but ours may be ahead, or have come since: the worst is taken, and anything is possible.
    others_qty = max(level_qty - queue["own_qty"], 0.0)
    queue["level_qty"], queue["ahead_qty"], queue["most_ahead_qty"] = level_qty, others_qty, others_qty
    queue["least_ahead_qty"], queue["ahead_variance"] = 0.0, others_qty * others_qty / 12.0
    queue["traded_qty"], queue["unseen"] = 0.0, 0
