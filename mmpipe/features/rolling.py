"""Exact sums over sliding windows: what happened in (now - span, now], at any moment one asks.

    events   e0 e1 e2 e3 e4 e5 e6 e7 ──▶ time        a ring of EVENTS_MAX, oldest first
                ▲        ▲        ▲
          tails[2]  tails[1]    head                 each window has its own tail and its own sums

Values are whole numbers (lots, counts, weights in units of their own), so that what leaves a window takes
away exactly what it brought: no drift, and an emptied window is exactly zero. Events of one moment share one
place. When the ring is full its oldest event leaves every window early and is counted as lost: the windows
are then shorter than they say, never wrong about what they hold.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

EVENTS_MAX: Final = 4096  # 1,600 book changes a second over 2.5 s; the busiest recorded second had fewer
LOTS_MAX: Final = 1 << 36  # per value: what a nonsense quantity may count, so that no sum overflows


def sliding_fields(values: int, windows: int) -> list[tuple[str, str] | tuple[str, str, tuple[int, ...]]]:
    """Fields of a record that the kernels here work on.

    Parameters
    ----------
    values : int
        Numbers per event.
    windows : int
        Windows over the same events.
    """
    return [
        ("now_ns", "i8"),  # the sums are of this time
        ("head", "i8"),  # events ever
        ("lost", "i8"),  # events that left early, not yet taken by `take_lost`
        ("tails", "i8", (windows,)),  # oldest event each window holds
        ("sums", "i8", (windows, values)),
        ("event_ts_ns", "i8", (EVENTS_MAX,)),
        ("event_values", "i8", (EVENTS_MAX, values)),
    ]


@kernel
def lots_of(qty: float, lot_qty: float) -> int:
    """A quantity of base units as whole lots, at most LOTS_MAX."""
    return int(min(qty / lot_qty, float(LOTS_MAX)) + 0.5)


@kernel
def advance(state: np.void, ts_ns: int, spans_ns: tuple[int, ...]) -> None:
    """Move time on: what is `span` old or older leaves its window.

    Parameters
    ----------
    state : record with `sliding_fields`
        Changed in place; an earlier time than the last one changes nothing.
    ts_ns : int
        Now.
    spans_ns : tuple of int
        Length of each window.
    """
    if ts_ns <= state["now_ns"]:
        return
    state["now_ns"] = ts_ns
    for window in range(len(spans_ns)):
        since_ns, tail = ts_ns - spans_ns[window], state["tails"][window]
        while tail < state["head"] and state["event_ts_ns"][tail % EVENTS_MAX] <= since_ns:
            _leave(state, window, tail)
            tail += 1
        state["tails"][window] = tail


@kernel
def place(state: np.void, ts_ns: int, spans_ns: tuple[int, ...]) -> int:
    """Index of the event of this moment, for `add`.

    Parameters
    ----------
    state : record with `sliding_fields`
        Changed in place; time is moved on.
    ts_ns : int
        Of the event; an earlier time than the last one counts as that one.
    spans_ns : tuple of int
        Length of each window.
    """
    advance(state, ts_ns, spans_ns)
    newest = (state["head"] - 1) % EVENTS_MAX
    if state["head"] > 0 and state["event_ts_ns"][newest] == state["now_ns"]:
        return newest
    full = 0
    for window in range(len(spans_ns)):
        if state["head"] - state["tails"][window] == EVENTS_MAX:
            _leave(state, window, state["tails"][window])
            state["tails"][window] += 1
            full = 1
    state["lost"] += full
    index = state["head"] % EVENTS_MAX
    state["event_ts_ns"][index] = state["now_ns"]
    for value in range(state["event_values"].shape[1]):
        state["event_values"][index, value] = 0
    state["head"] += 1
    return index


@kernel
def add(state: np.void, index: int, value: int, amount: int) -> None:
    """Add a whole number to one value of the newest event, and so to every window.

    Parameters
    ----------
    state : record with `sliding_fields`
        Changed in place.
    index : int
        As `place` gave it for this moment.
    value : int
        Which of the values.
    amount : int
        Of magnitude <= a few thousand LOTS_MAX.
    """
    state["event_values"][index, value] += amount
    for window in range(state["sums"].shape[0]):
        state["sums"][window, value] += amount


@kernel
def take_lost(state: np.void) -> int:
    """Events that left their windows early since the last call."""
    lost = state["lost"]
    state["lost"] = 0
    return lost


@kernel
def _leave(state: np.void, window: int, event: int) -> None:
    for value in range(state["sums"].shape[1]):
        state["sums"][window, value] -= state["event_values"][event % EVENTS_MAX, value]
