"""The recorded book as the fill model needs it: quantity per price, where unseen is not empty.

A depth-limited snapshot (Hyperliquid shows 20 levels) says nothing about prices outside its window: a
level that leaves the window keeps its last quantity, and an own order there keeps its place in the queue.
Only levels at or better than the worst one shown, and missing there, are empty.

Each side is an array ascending in `key = side * tick`, so that the best price is last and the busy end is
cheap to insert at; both sides share one code. What own taker orders took stays taken until the venue
confirms the level again. Not here: own orders, see `queue_models.py`.
"""

import numpy as np

from ringbuf.jit import kernel

LEVELS_MAX = 4096  # per symbol and side; the deepest are dropped

LEVEL = np.dtype(
    [
        ("key", "i8"),  # side * tick
        ("qty", "f8"),  # base units, > 0
        ("taken_qty", "f8"),  # by own taker orders since the last confirmation
        ("generation", "i8"),  # snapshot that last showed it
    ],
    align=True,
)
BOOK_SIDE = np.dtype(
    [
        ("count", "i8"),
        ("generation", "i8"),  # snapshots begun
        ("window_key", "i8"),  # worst price shown by the snapshot being read
        ("in_snapshot", "i8"),  # 1 between BOOK_CLEAR and the message's last row
    ],
    align=True,
)
NOT_SHOWN = 1 << 62


def new_book(symbol_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Empty books: LEVEL rows of shape (symbols, 2, LEVELS_MAX), BOOK_SIDE rows of shape (symbols, 2).

    Index 0 of the middle axis is the bid side, 1 the ask side.
    """
    return np.zeros((symbol_count, 2, LEVELS_MAX), LEVEL), np.zeros((symbol_count, 2), BOOK_SIDE)


@kernel
def side_index(side: int) -> int:
    """0 for the bid side, 1 for the ask side."""
    return 0 if side > 0 else 1


@kernel
def level_index(levels: np.ndarray, count: int, key: int) -> int:
    """First index whose key is >= `key`; `count` when there is none."""
    low = 0
    high = count
    while low < high:
        middle = (low + high) >> 1
        if levels[middle]["key"] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def quantity_at(levels: np.ndarray, count: int, key: int) -> float:
    """Last known quantity at a price, 0 when it is empty or was never shown."""
    index = level_index(levels, count, key)
    if index < count and levels[index]["key"] == key:
        return float(levels[index]["qty"])
    return 0.0


@kernel
def set_quantity(levels: np.ndarray, book_side: np.ndarray, key: int, qty: float) -> float:
    """Replace the quantity at a price; returns the one before.

    Parameters
    ----------
    levels : ndarray of LEVEL, shape (LEVELS_MAX,)
        One side, ascending in key.
    book_side : ndarray of BOOK_SIDE, shape (1,)
        Its count and generation.
    key : int
        side * tick.
    qty : float
        New quantity; 0 deletes.
    """
    side = book_side[0]
    count = side["count"]
    index = level_index(levels, count, key)
    known = index < count and levels[index]["key"] == key
    before = levels[index]["qty"] if known else 0.0
    if not (qty > 0.0):
        if known:
            for at in range(index, count - 1):
                levels[at] = levels[at + 1]
            side["count"] = count - 1
        return before
    if not known:
        if count == levels.shape[0]:
            if index == 0:
                return 0.0
            # Full: the deepest level goes, everything below the insertion moves down by one.
            index -= 1
            for at in range(index):
                levels[at] = levels[at + 1]
        else:
            for at in range(count, index, -1):
                levels[at] = levels[at - 1]
            side["count"] = count + 1
    levels[index]["key"] = key
    levels[index]["qty"] = qty
    levels[index]["taken_qty"] = 0.0
    levels[index]["generation"] = side["generation"]
    return before
