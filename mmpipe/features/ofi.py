"""Order-flow imbalance, at the touch and over five levels, in exact windows of 500 ms and 2 s with lags.

    e = [bid >= bid'] q_b - [bid <= bid'] q_b' - [ask <= ask'] q_a + [ask >= ask'] q_a'

summed over changes of the book; > 0 is pressure to buy. The same is taken at each of the five best prices of
a side by rank, weighted by exp(-rank / 2) and divided by the mean quantity of a level, which makes books of
different depth comparable. A rank counts only where it was seen before and after: on a book that shows few
levels, one that is not shown is unseen, not empty.

References
----------
Cont, Kukanov, Stoikov, "The price impact of order book events" (2014), equation 5.
Cont, Cucuringu, Zhang, "Cross-impact of order flow imbalance in equity markets" (2023), equations 1 to 3.
"""

from typing import Final

import numpy as np

from mmpipe.features import rolling
from ringbuf.jit import kernel

LEVELS: Final = 5
LAGS: Final = 4
# Nested windows: a lag is the difference of two, exact because the sums are whole numbers.
SPANS_NS: Final = (500_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000, 2_500_000_000)
WINDOW_2S: Final = 3  # index into SPANS_NS
WEIGHTS: Final = (1024, 621, 377, 228, 139)  # 1024 exp(-rank / 2)
WEIGHTS_SUM: Final = 2389

TOUCH_FLOW: Final = 0  # values of an event: lots
WEIGHTED_FLOW: Final = 1  # lots times WEIGHTS
DEPTH: Final = 2  # lots on the levels seen
LEVELS_SEEN: Final = 3

OFI = np.dtype(
    [
        ("seen", "i8", (2,)),  # levels of each side at the last look, 0: a beginning
        ("key", "i8", (2, LEVELS)),  # side x tick, as the book keeps them: larger is better
        ("lots", "i8", (2, LEVELS)),
        *rolling.sliding_fields(4, len(SPANS_NS)),
    ],
    align=True,
)


@kernel
def on_book(state: np.void, ts_ns: int, book: np.void, lot_qty: float) -> None:
    """Take the book after a message.

    Parameters
    ----------
    state : OFI record
        Changed in place.
    ts_ns : int
        Receive time.
    book : BOOK record
        Valid; read only.
    lot_qty : float
        Smallest quantity, base units, > 0.
    """
    touch, weighted, depth, levels = 0, 0, 0, 0
    known = state["seen"][0] > 0 and state["seen"][1] > 0
    for index in range(2):
        sign = 1 - 2 * index
        shown = min(book["count"][index], LEVELS)
        for rank in range(shown):
            position = book["count"][index] - 1 - rank
            key = book["key"][index, position]
            lots = rolling.lots_of(book["qty"][index, position], lot_qty)
            if known and rank < state["seen"][index]:
                flow = sign * _level_flow(key, lots, state["key"][index, rank], state["lots"][index, rank])
                weighted += WEIGHTS[rank] * flow
                if rank == 0:
                    touch += flow
            state["key"][index, rank], state["lots"][index, rank] = key, lots
            depth += lots
            levels += 1
        state["seen"][index] = shown
    if touch != 0 or weighted != 0:
        place = rolling.place(state, ts_ns, SPANS_NS)
        rolling.add(state, place, TOUCH_FLOW, touch)
        rolling.add(state, place, WEIGHTED_FLOW, weighted)
        rolling.add(state, place, DEPTH, depth)
        rolling.add(state, place, LEVELS_SEEN, levels)


@kernel
def forget_book(state: np.void) -> None:
    """The book is void: the next one is a beginning, not a change."""
    state["seen"][0] = state["seen"][1] = 0


@kernel
def advance(state: np.void, ts_ns: int) -> None:
    """Move time on: what is older than a window leaves it."""
    rolling.advance(state, ts_ns, SPANS_NS)


@kernel
def touch_lots(state: np.void, first: int, last: int) -> int:
    """Imbalance at the touch, lots, over windows `first` to `last` of 500 ms, 0 the newest.

    Parameters
    ----------
    state : OFI record
        Read only; of the time `advance` moved it to.
    first, last : int
        0 <= first <= last < 5.
    """
    return _between(state, TOUCH_FLOW, first, last)


@kernel
def levels_ratio(state: np.void, window: int) -> float:
    """Imbalance over five levels in one window of 500 ms, in mean level quantities; 0 without a change.

    Parameters
    ----------
    state : OFI record
        Read only.
    window : int
        0 the newest, 1 the one before it, at most 4.
    """
    depth = _between(state, DEPTH, window, window)
    if depth <= 0:
        return 0.0
    mean_lots = depth / _between(state, LEVELS_SEEN, window, window)
    return _between(state, WEIGHTED_FLOW, window, window) / (WEIGHTS_SUM * mean_lots)


@kernel
def _level_flow(key: int, lots: int, before_key: int, before_lots: int) -> int:
    if key > before_key:
        return lots
    return -before_lots if key < before_key else lots - before_lots


@kernel
def _between(state: np.void, value: int, first: int, last: int) -> int:
    total = state["sums"][last, value]
    return total - state["sums"][first - 1, value] if first > 0 else total
