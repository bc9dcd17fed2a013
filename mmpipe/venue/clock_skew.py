"""How far the local wall clock is ahead of a venue's, and how late its messages are.

One way nothing can tell delay from skew: a message only says that the skew is at most its apparent delay
`local wall - venue time`, which may well be negative. A request that is answered with the venue's time says
more: the venue's stamp was made between question and answer.

    answered time s, asked at a, heard at b      a - s <= skew <= b - s
    message stamped s, heard at b                        skew <= b - s

The smallest delay of the last one to two minutes is what a message needs at best; what comes much later
than that is late.
"""

from typing import Final

import numpy as np

from ringbuf.jit import example, kernel

WINDOW_NS: Final = 60_000_000_000
CALM_NS: Final = 1_000_000_000  # without a late message: the next one begins another lateness
UNKNOWN: Final = 1 << 62
STAMP_NS: Final = 1_000_000  # venues stamp in whole milliseconds, rounded down

SKEW = np.dtype(
    [
        ("least_ns", "i8", (2,)),  # smallest delay of this window and of the one before
        ("window_ts_ns", "i8"),  # begin of this window, monotonic; 0: no message yet
        ("low_ns", "i8"),  # of the newest answered request
        ("high_ns", "i8"),
        ("asked", "i8"),  # requests answered
        ("late_ts_ns", "i8"),  # when the newest late message came, monotonic; 0: none
    ],
    align=True,
)


@kernel
def on_message(skews: np.ndarray, venue: int, delay_ns: int, ts_ns: int, late_ns: int) -> bool:
    """A stamped message came; True when a lateness begins.

    Parameters
    ----------
    skews : ndarray of SKEW
        Changed in place.
    venue : int
        Whose.
    delay_ns : int
        Local wall time of receipt minus the venue's stamp; any sign.
    ts_ns : int
        Time of receipt, monotonic.
    late_ns : int
        Over the smallest delay that is late.
    """
    skew = skews[venue]
    if skew["window_ts_ns"] == 0:
        skew["least_ns"][0] = skew["least_ns"][1] = delay_ns
        skew["window_ts_ns"] = ts_ns
    elif ts_ns - skew["window_ts_ns"] >= WINDOW_NS:
        skew["least_ns"][1] = skew["least_ns"][0]
        skew["least_ns"][0] = delay_ns
        skew["window_ts_ns"] = ts_ns
    skew["least_ns"][0] = min(skew["least_ns"][0], delay_ns)
    late = delay_ns - least_delay_ns(skews, venue) > late_ns
    began = late and (skew["late_ts_ns"] == 0 or ts_ns - skew["late_ts_ns"] > CALM_NS)
    if late:
        skew["late_ts_ns"] = ts_ns
    return began


@kernel
def on_answer(skews: np.ndarray, venue: int, asked_ns: int, heard_ns: int, stamp_ns: int) -> None:
    """A request for the venue's time was answered; all three are wall clocks."""
    skew = skews[venue]
    skew["low_ns"] = asked_ns - stamp_ns - STAMP_NS
    skew["high_ns"] = heard_ns - stamp_ns
    skew["asked"] += 1


@kernel
def least_delay_ns(skews: np.ndarray, venue: int) -> int:
    """Smallest apparent delay of the last one to two minutes; UNKNOWN before the first message."""
    skew = skews[venue]
    if skew["window_ts_ns"] == 0:
        return UNKNOWN
    return min(skew["least_ns"][0], skew["least_ns"][1])


@kernel
def bounds_ns(skews: np.ndarray, venue: int) -> tuple[int, int]:
    """Least and greatest skew that all observations allow; -UNKNOWN and UNKNOWN where nothing is known."""
    skew = skews[venue]
    low, high = -UNKNOWN, least_delay_ns(skews, venue)
    if skew["asked"] > 0:
        low, high = skew["low_ns"], min(high, skew["high_ns"])
    return min(low, high), high


@example(on_message)
def _on_message_example() -> tuple[object, ...]:
    return np.zeros(1, SKEW), 0, 0, 0, 0


@example(on_answer)
def _on_answer_example() -> tuple[object, ...]:
    return np.zeros(1, SKEW), 0, 0, 0, 0


@example(bounds_ns)
def _bounds_example() -> tuple[object, ...]:
    return np.zeros(1, SKEW), 0


@example(least_delay_ns)
def _least_delay_example() -> tuple[object, ...]:
    return np.zeros(1, SKEW), 0
