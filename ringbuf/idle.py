"""How a stage waits for its rings: spin, yield while they are busy and park when they are not, or park.

    spin    poll with `pause`; needs a core of its own, a hop is some 0.1 µs
    yield   while records come faster than every 100 µs, give the core away a bounded number of times and look
            again; otherwise park at once: spinning before a sleep costs more than it saves
    park    sleep at once; some 20 µs along five stages on one core, at a few percent of it
    auto    spin where every spinning stage has a core and one is left over, otherwise yield

More spinners than cores starve each other for milliseconds, and nanosleep costs milliseconds too: neither is
offered. A stage that waits for rings alone sleeps on their `PARKED` words (futex); one that waits for sockets
too, or on a system without `futex_waitv`, sleeps on its doorbell. It says which in the word itself, so that
writers need not know.

No wake-up is lost, because of two fences. Reader: store `PARKED` on every input, fence, look at all inputs
once more, sleep. Writer: commit, fence, look at `PARKED`, clear it, wake. If the reader's last look missed
the commit, then its `PARKED` came before the writer's look, and the writer wakes. Between that look and the
sleep: a futex does not sleep on a word that was cleared meanwhile, and a doorbell keeps what was rung (it is
drained only while waking up, before the inputs are polled). A writer killed between commit and wake-up is
covered by its successor, which wakes whoever sleeps when it starts, and by the timeout.
"""

import select
import time
from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ringbuf.atomics import address_of, fence_seq_cst, pause, store_relaxed_i64
from ringbuf.doorbell import Doorbell
from ringbuf.jit import entry, example, kernel
from ringbuf.layout import AT_PARKED, AWAKE, PARKED_ON_BELL, PARKED_ON_WORD
from ringbuf.ring_kernels import is_ready
from ringbuf.spsc import Consumer
from ringbuf.syscalls import FUTEX_32, can_wait_on_words, step_aside, wait_for_words

SPIN_ROUNDS = 1_000  # about 25 µs of `pause`: short, because no signal is handled within a kernel
YIELDS_MAX = 50  # measured to shorten the wake-up under load without starving others
BUSY_BELOW_NS = 100_000  # records that follow each other faster make a ring busy
NS_PER_S = 1_000_000_000


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
    return Strategy.SPIN if usable_cores >= spinning_stages + 1 else Strategy.YIELD


class Idle:
    """The waiting of one stage over all the rings it reads.

    Parameters
    ----------
    strategy : str
        "spin", "yield" or "park"; see `resolve`.
    consumers : sequence of Consumer
        All inputs; may be empty.
    doorbell : Doorbell, optional
        The stage's own bell, rung by the writers of its inputs. Needed to sleep on sockets too, and where the
        system cannot wait for several words.
    """

    def __init__(self, strategy: str, consumers: Sequence[Consumer], doorbell: Doorbell | None) -> None:
        self.strategy = Strategy(strategy)
        if self.strategy == Strategy.AUTO:
            raise ValueError("strategy is 'auto': pass what resolve() made of it")
        self.on_words = bool(consumers) and can_wait_on_words()
        if doorbell is None and self.strategy != Strategy.SPIN and not self.on_words:
            raise ValueError(f"strategy {self.strategy!s} sleeps on a doorbell: pass one, or spin")
        self._consumers = tuple(consumers)  # keeps their memory mapped
        self._bases = np.array([consumer.base for consumer in consumers], np.int64)
        self._waiters = np.array(
            [(PARKED_ON_WORD, base + AT_PARKED, FUTEX_32) for base in self._bases], np.int64
        )
        self._deadline = np.zeros(2, np.int64)
        self._sleep = entry(sleep_on_words, self._bases, self._waiters.reshape(-1, 3), self._deadline)
        self._stay = entry(yield_until_ready, self._bases, 1)
        self._doorbell = doorbell
        self._poll = select.poll()
        if doorbell is not None:
            self._poll.register(doorbell.fileno(), select.POLLIN)
        self._parked = False
        self._last_ns = 0  # when there was last a record to read
        self._gap_ns = BUSY_BELOW_NS  # how long after the one before

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
        self._parked = announce(self._bases, PARKED_ON_BELL)
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
        now_ns = time.monotonic_ns()
        busy = self.strategy == Strategy.YIELD and self._gap_ns < BUSY_BELOW_NS
        if busy and self._stay(self._bases, YIELDS_MAX):
            return self._came()
        self._gap_ns = BUSY_BELOW_NS
        return self._doze(now_ns, timeout_s) and self._came()

    def _came(self) -> bool:
        now_ns = time.monotonic_ns()
        self._gap_ns, self._last_ns = now_ns - self._last_ns, now_ns
        return True

    def _doze(self, now_ns: int, timeout_s: float) -> bool:
        if self.on_words:
            self._deadline[:] = divmod(now_ns + int(timeout_s * NS_PER_S), NS_PER_S)
            return self._sleep(self._bases, self._waiters, self._deadline)
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
    ready = False
    for i in range(len(bases)):
        ready = ready or is_ready(bases[i])
    return ready


@kernel
def spin(bases: np.ndarray, rounds: int) -> bool:
    """Poll up to `rounds` times with a pause; whether there is a record."""
    for _ in range(rounds):
        if any_ready(bases):
            return True
        pause()
    return False


@kernel
def yield_until_ready(bases: np.ndarray, rounds: int) -> bool:
    """Give the core away up to `rounds` times and look again; whether there is a record."""
    for _ in range(rounds):
        if any_ready(bases):
            return True
        step_aside()
    return any_ready(bases)


@kernel
def sleep_on_words(bases: np.ndarray, waiters: np.ndarray, deadline: np.ndarray) -> bool:
    """Announce the sleep, look once more, and sleep on the `PARKED` words of all rings.

    Parameters
    ----------
    bases : (n,) int64
        Segment addresses.
    waiters : (n, 3) int64
        Expected value, address and flags of each word.
    deadline : (2,) int64
        Seconds and nanoseconds of the monotonic clock.

    Returns
    -------
    bool
        Whether there is a record; False at the deadline and after a signal.
    """
    if not announce(bases, PARKED_ON_WORD):
        return True
    wait_for_words(address_of(waiters), len(bases), address_of(deadline))
    take_back(bases)
    return any_ready(bases)


@kernel
def announce(bases: np.ndarray, how: int) -> bool:
    """Mark the reader of all rings as asleep; False, with the marks taken back, if there is a record.

    Parameters
    ----------
    bases : (n,) int64
        Segment addresses.
    how : int
        `PARKED_ON_WORD` or `PARKED_ON_BELL`.
    """
    for i in range(len(bases)):
        store_relaxed_i64(bases[i] + AT_PARKED, how)
    fence_seq_cst()
    if any_ready(bases):
        take_back(bases)
        return False
    return True


@kernel
def take_back(bases: np.ndarray) -> None:
    """Mark the reader of all rings as awake."""
    for i in range(len(bases)):
        store_relaxed_i64(bases[i] + AT_PARKED, AWAKE)


@example(take_back)
def _bases_example() -> tuple[object, ...]:
    return (np.zeros(1, np.int64),)


@example(sleep_on_words)
def _sleep_example() -> tuple[object, ...]:
    return (np.zeros(1, np.int64), np.zeros((1, 3), np.int64), np.zeros(2, np.int64))


@example(spin)
@example(announce)
@example(yield_until_ready)
def _spin_example() -> tuple[object, ...]:
    return (np.zeros(1, np.int64), 1)
