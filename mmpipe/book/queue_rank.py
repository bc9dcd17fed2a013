"""How much rests ahead of an order of ours in its price level, followed through trades and level changes.

The venue shows the quantity of a level, not its order. Trades at the price take from the front; any other
decrease is a cancel, which was ahead of us with the share that is ahead of us. A trade seen before the level
shrinks is not counted again when it does; the other order of arrival errs towards the front by at most that
trade. A level without quantity is unseen, not empty, as it would hold at least our own order.

References
----------
Rigtorp, "Estimating order queue position" (2013): trades from the front, cancels in proportion.
"""

import numpy as np

from ringbuf.jit import kernel

QUEUE = np.dtype(
    [
        ("order_id", "i8"),  # 0: no order
        ("tick", "i8"),
        ("ahead_qty", "f8"),  # resting before us, base units
        ("own_qty", "f8"),  # ours
        ("level_qty", "f8"),  # of the level when last looked at
        ("traded_qty", "f8"),  # traded at the price, and not yet seen to leave the level
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
        Base units; the level does not contain the order yet.
    """
    queue["order_id"], queue["tick"], queue["own_qty"] = order_id, tick, own_qty
    queue["ahead_qty"] = queue["level_qty"] = max(level_qty, 0.0)
    queue["traded_qty"] = 0.0


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
        queue["traded_qty"] += qty
    elif side * (tick - queue["tick"]) < 0:
        queue["ahead_qty"] = 0.0  # it traded through our price


@kernel
def on_level(queue: np.void, level_qty: float) -> None:
    """The quantity the settled book shows at our price, base units."""
    if queue["order_id"] == 0 or not (level_qty > 0.0):
        return
    dropped_qty = max(queue["level_qty"] - level_qty, 0.0)
    cancelled_qty = max(dropped_qty - queue["traded_qty"], 0.0)
    queue["traded_qty"] = max(queue["traded_qty"] - dropped_qty, 0.0)
    others_qty = level_qty + cancelled_qty - queue["own_qty"]
    if cancelled_qty > 0.0 and others_qty > 0.0:
        share = min(queue["ahead_qty"] / others_qty, 1.0)
        queue["ahead_qty"] = max(queue["ahead_qty"] - cancelled_qty * share, 0.0)
    queue["ahead_qty"] = min(queue["ahead_qty"], level_qty)
    queue["level_qty"] = level_qty


@kernel
def rank(queue: np.void, level_qty: float) -> float:
    """Share of the level ahead of our order, 0 to 1; -1 without an order."""
    if queue["order_id"] == 0:
        return -1.0
    total_qty = max(level_qty, queue["ahead_qty"] + queue["own_qty"])
    return min(queue["ahead_qty"] / total_qty, 1.0) if total_qty > 0.0 else 0.0
