"""How a stage waits for its rings: spin, yield a while, or park on a doorbell.

    spin    poll with `pause`; needs a core of its own, 0.1 µs
    yield   poll between a bounded number of sched_yield, then park
    park    sleep on the doorbell at once, about 20 µs along five stages at a few percent of a core
    auto    spin where every spinning stage has a core and one is left over, otherwise park

More spinners than cores starve each other for milliseconds, and nanosleep costs milliseconds too: neither is
offered. No wake-up is lost, because of two fences. Reader: store PARKED on every input, fence, look at all
inputs once more, sleep. Writer: commit, fence, look at PARKED, clear it, ring. If the reader's last look
missed the commit, then its PARKED came before the writer's look, and the writer rings. The bell is drained
only while waking up, before the inputs are polled: a byte that arrives after that stays, and the next sleep
ends at once. A writer killed between commit and ring is covered by its successor, which rings when it
starts, and by the timeout.
"""

import os
import select
import time
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ringbuf.atomics import fence_seq_cst, load_acquire_i64, load_relaxed_i64, pause, store_relaxed_i64
from ringbuf.doorbell import Doorbell
from ringbuf.jit import example, kernel
from ringbuf.layout import AT_PARKED, AT_READ_INDEX
from ringbuf.ring_kernels import slot_address
from ringbuf.spsc import Consumer

SPIN_ROUNDS = 1_000  # about 25 µs of `pause`: short, because no signal is handled within a kernel
YIELDS_MAX = 50  # measured to halve the wake-up under load without starving others


class Strategy(StrEnum):
    """Ways to wait; `AUTO` must be resolved first."""

    SPIN = "spin"
    YIELD = "yield"
    PARK = "park"
    AUTO = "auto"


def resolve(strategy: str, usable_cores: int, spinning_stages: int) -> Strategy:
    """Replace "auto" by what suits the machine.

    Parameters
    ----------
    strategy : str
        "spin", "yield", "park" or "auto".
    usable_cores : int
        Cores this pipeline may use, >= 1.
    spinning_stages : int
        Processes that would spin, >= 1.

    Returns
    -------
    Strategy
        Never `AUTO`.

    Raises
    ------
    ValueError
        If the strategy is unknown.
    """
    wanted = Strategy(strategy)
    if wanted != Strategy.AUTO:
        return wanted
    return Strategy.SPIN if usable_cores >= spinning_stages + 1 else Strategy.PARK


class Idle:
    """The waiting of one stage over all the rings it reads.

    Parameters
    ----------
    strategy : str
        "spin", "yield" or "park"; see `resolve`.
    consumers : sequence of Consumer
        All inputs; may be empty.
    doorbell : Doorbell, optional
        The stage's own bell, rung by the writers of its inputs. Needed unless the strategy is "spin".
    """

    def __init__(self, strategy: str, consumers: Sequence[Consumer], doorbell: Doorbell | None) -> None:
        self.strategy = Strategy(strategy)
        if self.strategy == Strategy.AUTO:
            raise ValueError("strategy is 'auto': pass what resolve() made of it")
        if doorbell is None and self.strategy != Strategy.SPIN:
            raise ValueError(f"strategy {self.strategy!s} sleeps on a doorbell: pass one, or spin")
        self._consumers = tuple(consumers)  # keeps their memory mapped
        self._bases = np.array([consumer.base for consumer in consumers], np.int64)
        self._doorbell = doorbell
        self._poll = select.poll()
        if doorbell is not None:
            self._poll.register(doorbell.fileno(), select.POLLIN)
        self._parked = False

    def fileno(self) -> int:
        """Descriptor to sleep on after `park` said True."""
        return self._bell().fileno()

    def park(self) -> bool:
        """Announce the sleep on every input and look once more.

        Returns
        -------
        bool
            True: nothing there, sleep on `fileno()`, then `unpark`. False: there is work, poll it.
        """
        self._bell()
        self._parked = announce(self._bases)
        return self._parked

    def unpark(self) -> None:
        """Take the announcement back and forget the rings so far; poll all inputs after it."""
        if self._parked:
            self._parked = False
            take_back(self._bases)
            self._bell().drain()

    def wait(self, timeout_s: float) -> bool:
        """Wait until an input has a record, the bell is rung, or the time is over.

        Parameters
        ----------
        timeout_s : float
            Longest wait, seconds, >= 0.

        Returns
        -------
        bool
            True if it ended before the time was over.
        """
        if self.strategy == Strategy.SPIN:
            return self._spin(timeout_s)
        if self.strategy == Strategy.YIELD:
            for _ in range(YIELDS_MAX):
                if any_ready(self._bases):
                    return True
                os.sched_yield()
        if not self.park():
            return True
        try:
            return bool(self._poll.poll(timeout_s * 1e3))
        finally:
            self.unpark()

    def _spin(self, timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while not spin(self._bases, SPIN_ROUNDS):
            if time.monotonic() >= deadline_s:
                return False
        return True

    def _bell(self) -> Doorbell:
        if self._doorbell is None:
            raise ValueError("this stage has no doorbell to sleep on: pass one to Idle")
        return self._doorbell


@kernel
def any_ready(bases: np.ndarray) -> bool:
    """Whether any of these rings has a record; `bases` is (n,) int64 segment addresses."""
    for i in range(len(bases)):
        read_index = load_relaxed_i64(bases[i] + AT_READ_INDEX)
        if load_acquire_i64(slot_address(bases[i], read_index)) == read_index + 1:
            return True
    return False


@kernel
def spin(bases: np.ndarray, rounds: int) -> bool:
    """Poll up to `rounds` times with a pause; whether there is a record."""
    for _ in range(rounds):
        if any_ready(bases):
            return True
        pause()
    return False


@kernel
def announce(bases: np.ndarray) -> bool:
    """Mark the reader of all rings as asleep; False, with the marks taken back, if there is a record."""
    for i in range(len(bases)):
        store_relaxed_i64(bases[i] + AT_PARKED, 1)
    fence_seq_cst()
    if any_ready(bases):
        take_back(bases)
        return False
    return True


@kernel
def take_back(bases: np.ndarray) -> None:
    """Mark the reader of all rings as awake."""
    for i in range(len(bases)):
        store_relaxed_i64(bases[i] + AT_PARKED, 0)


@example(any_ready)
@example(announce)
@example(take_back)
def _bases_example() -> tuple[object, ...]:
    return (np.zeros(1, np.int64),)


@example(spin)
def _spin_example() -> tuple[object, ...]:
    return (np.zeros(1, np.int64), 1)
