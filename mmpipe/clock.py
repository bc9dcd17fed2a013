"""The only reader of time: monotonic nanoseconds for logic, wall nanoseconds for labels and nonces.

A stage is handed a clock; replay hands it one that stands still until the next record moves it.
"""

import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


class Clock(Protocol):
    """Two readings: `now_ns` never goes back, `wall_ns` may."""

    def now_ns(self) -> int: ...

    def wall_ns(self) -> int: ...


class MonotonicClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Monotonic time, ns."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Unix time, ns."""
        return time.time_ns()


class VirtualClock:
    """A clock that moves only when told; replay and simulation own it."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Virtual time, ns."""
        return self._now_ns

    def wall_ns(self) -> int:
        """Virtual time serves as wall time too, so that a replay has one time axis."""
        return self._now_ns

    def advance_to(self, ts_ns: int) -> None:
        """Move forward to `ts_ns`; an earlier time leaves the clock where it is."""
        self._now_ns = max(self._now_ns, ts_ns)
