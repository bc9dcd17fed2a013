"""Order-flow imbalance at the touch, in windows of 100 ms buckets.

    e = [bid >= bid'] q_b - [bid <= bid'] q_b' - [ask <= ask'] q_a + [ask >= ask'] q_a'

summed over changes of the best quotes; > 0 is pressure to buy.

References
----------
Cont, Kukanov, Stoikov, "The price impact of order book events" (2014), equation 5.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

BUCKETS: Final = 32  # a power of two >= 25: five windows of 500 ms
BUCKET_NS: Final = 100_000_000
WINDOW_BUCKETS: Final = 5  # 500 ms
LONG_BUCKETS: Final = 20  # 2 s

OFI = np.dtype(
    [
        ("bucket", "i8"),  # number of the newest bucket, 0: nothing yet
        ("sums", "f8", (BUCKETS,)),
        ("bid_tick", "i8"),
        ("ask_tick", "i8"),
        ("bid_qty", "f8"),
        ("ask_qty", "f8"),
        ("started", "i8"),
    ],
    align=True,
)


@kernel
def on_touch(
    state: np.void, ts_ns: int, bid_tick: int, bid_qty: float, ask_tick: int, ask_qty: float
) -> None:
    """Take the best quotes after a message.

    Parameters
    ----------
    state : OFI record
        Changed in place.
    ts_ns : int
        Receive time.
    bid_tick, ask_tick : int
        Best prices, ticks.
    bid_qty, ask_qty : float
        Quantities there, base units.
    """
    advance(state, ts_ns)
    if state["started"] == 1:
        flow = 0.0
        if bid_tick >= state["bid_tick"]:
            flow += bid_qty
        if bid_tick <= state["bid_tick"]:
            flow -= state["bid_qty"]
        if ask_tick <= state["ask_tick"]:
            flow -= ask_qty
        if ask_tick >= state["ask_tick"]:
            flow += state["ask_qty"]
        state["sums"][state["bucket"] % BUCKETS] += flow
    state["started"] = 1
    state["bid_tick"], state["bid_qty"] = bid_tick, bid_qty
    state["ask_tick"], state["ask_qty"] = ask_tick, ask_qty


@kernel
def forget_touch(state: np.void) -> None:
    """The book is void: the next touch is a beginning, not a change."""
    state["started"] = 0


@kernel
def advance(state: np.void, ts_ns: int) -> None:
    """Move time on: buckets that passed without a change are zero."""
    bucket = ts_ns // BUCKET_NS
    if bucket <= state["bucket"]:
        return
    first = max(state["bucket"] + 1, bucket - BUCKETS + 1)
    for number in range(first, bucket + 1):
        state["sums"][number % BUCKETS] = 0.0
    state["bucket"] = bucket


@kernel
def window(state: np.void, first: int, count: int) -> float:
    """Sum of `count` buckets that begin `first` buckets before the newest one."""
    total = 0.0
    for back in range(first, first + count):
        total += state["sums"][(state["bucket"] - back) % BUCKETS]
    return total
