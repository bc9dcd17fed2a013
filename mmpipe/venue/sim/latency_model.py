"""How long a request takes to the venue and an answer back: two constants per way, first in first out.

Replay has one clock, that of the recorder, on which market data appears when it was received. A request
sent at t therefore reaches the recorded market at t + entry, where entry contains the delay of the feed:
the market that is seen at t is already older than that at the venue.
"""

import numpy as np

from ringbuf.jit import example, kernel

LATENCY = np.dtype(
    [
        ("place_ns", "i8"),  # decision to matching, >= 0, the feed's own delay included
        ("cancel_ns", "i8"),
        ("answer_ns", "i8"),  # matching to the answer's receipt, >= 0
    ],
    align=True,
)


def latency_settings(place_ns: int, cancel_ns: int, answer_ns: int) -> np.ndarray:
    """One LATENCY row; the times are >= 0."""
    assert min(place_ns, cancel_ns, answer_ns) >= 0, "a message never arrives before it is sent"
    return np.array([(place_ns, cancel_ns, answer_ns)], LATENCY)


@kernel
def due_ns(sent_ts_ns: int, latency_ns: int, last_due_ns: int) -> int:
    """When a message arrives that may not overtake the one before it.

    Parameters
    ----------
    sent_ts_ns : int
        When it was sent.
    latency_ns : int
        How long it takes, >= 0.
    last_due_ns : int
        When the message before it on the same way arrives.

    Returns
    -------
    int
        Arrival, not before `last_due_ns`.
    """
    return max(sent_ts_ns + latency_ns, last_due_ns)


@example(due_ns)
def _due_ns_example() -> tuple[object, ...]:
    return (0, 0, 0)
