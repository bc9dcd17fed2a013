"""Rebuilds a recorded book from its depth alone and writes down the touch at the end of every message.

Best quotes are left aside on purpose: they would hide a crossed book by moving the touch away from it.
"""

from typing import Final

import numpy as np

from mmpipe.book.l2 import BOOK, apply, best_tick, is_valid, judge
from mmpipe.enums import EventKind
from mmpipe.records import EVENT
from ringbuf.jit import example, kernel

TOUCH: Final = np.dtype([("ts_ns", "i8"), ("bid_tick", "i8"), ("ask_tick", "i8")], align=True)

_CLEAR: Final = int(EventKind.BOOK_CLEAR)
_DELTA: Final = int(EventKind.BOOK_DELTA)
_GAP: Final = int(EventKind.GAP)


@kernel
def rebuild(book: np.ndarray, rows: np.ndarray, touches: np.ndarray, counts: np.ndarray) -> int:
    """Apply depth rows to a book.

    Parameters
    ----------
    book : ndarray of BOOK, shape (1,)
        Goes on from where it is.
    rows : ndarray of EVENT, shape (n,)
        Of one market; rows of other kinds than depth and GAP are passed over.
    touches : ndarray of TOUCH, shape (n,)
        Receives the best ticks after each depth message that leaves a valid book.
    counts : ndarray of int64, shape (2,)
        Times the book became crossed or locked, or a row could not be, are added to the first; the second
        receives the row of the first time, if it was negative.

    Returns
    -------
    int
        Touches written.
    """
    written = 0
    for index in range(len(rows)):
        kind = rows[index]["kind"]
        if not (kind == _CLEAR or kind == _DELTA or kind == _GAP):
            continue
        possible = apply(book[0], rows[index])
        if judge(book[0], rows[index]) or not possible:
            counts[0] += 1
            if counts[1] < 0:
                counts[1] = index
        if book[0]["dirty"] == 0 and is_valid(book[0]):
            touches[written]["ts_ns"] = rows[index]["local_ts_ns"]
            touches[written]["bid_tick"] = best_tick(book[0], 1)
            touches[written]["ask_tick"] = best_tick(book[0], -1)
            written += 1
    return written


@example(rebuild)
def _rebuild_example() -> tuple[object, ...]:
    return np.zeros(1, BOOK), np.zeros(4, EVENT), np.zeros(4, TOUCH), np.zeros(2, np.int64)


def rebuilt(rows: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Touches of one market's depth from nothing, times crossed, and the row of the first time or -1.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        In order.
    """
    touches, counts = np.zeros(len(rows), TOUCH), np.array([0, -1], np.int64)
    written = rebuild(np.zeros(1, BOOK), rows, touches, counts)
    return touches[:written], int(counts[0]), int(counts[1])
