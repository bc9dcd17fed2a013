"""Where the maker's mid has been in the last minute and more: every change with its time.

    mid at any past moment   the last change at or before it, by binary search
    realised variance        sums of squared returns, differences of a running total

A void book leaves a mark, so that nothing is judged by a mid nobody could see. PATH_MAX changes are kept;
what is older is not known any more, and said to be so.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

PATH_MAX: Final = 8192  # changes; more than a hundred a second for a minute

MID_PATH = np.dtype(
    [
        ("count", "i8"),  # changes ever
        ("ts_ns", "i8", (PATH_MAX,)),
        ("mid_px", "f8", (PATH_MAX,)),  # 0: the book became void
        ("squares", "f8", (PATH_MAX,)),  # bps^2, running total of squared returns up to this change
    ],
    align=True,
)


@kernel
def on_mid(path: np.void, ts_ns: int, mid_px: float) -> None:
    """Take the mid after a message.

    Parameters
    ----------
    path : MID_PATH record
        Changed in place, if the mid is another one.
    ts_ns : int
        Receive time; not before the last one.
    mid_px : float
        > 0; 0 when the book is void.
    """
    last = (path["count"] - 1) % PATH_MAX
    before_px, total = 0.0, 0.0
    if path["count"] > 0:
        before_px, total = path["mid_px"][last], path["squares"][last]
        if mid_px == before_px:
            return
    if before_px > 0.0 and mid_px > 0.0:
        return_bps = (mid_px - before_px) / before_px * 1e4
        total += return_bps * return_bps
    at = path["count"] % PATH_MAX
    path["ts_ns"][at], path["mid_px"][at], path["squares"][at] = ts_ns, mid_px, total
    path["count"] += 1


@kernel
def mid_at(path: np.void, ts_ns: int) -> float:
    """The mid in force at a time, quote units; 0 when it was void or is not known (any more)."""
    index = _last_at(path, ts_ns)
    return path["mid_px"][index % PATH_MAX] if index >= 0 else 0.0


@kernel
def squares_since(path: np.void, ts_ns: int) -> float:
    """Sum of squared returns after a time, bps^2; from the oldest known change where that is later."""
    if path["count"] == 0:
        return 0.0
    index = max(_last_at(path, ts_ns), path["count"] - PATH_MAX, 0)
    newest = (path["count"] - 1) % PATH_MAX
    return path["squares"][newest] - path["squares"][index % PATH_MAX]


@kernel
def _last_at(path: np.void, ts_ns: int) -> int:
    # Number of the last change at or before `ts_ns`, -1: none that is still known.
    times = path["ts_ns"]
    low, high = max(path["count"] - PATH_MAX, 0), path["count"]
    first = low
    while low < high:
        middle = (low + high) >> 1
        if times[middle % PATH_MAX] <= ts_ns:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > first else -1
