"""One record through five processes and four rings, with nothing to do on the way: what waiting costs.

    bare rings    each process is one compiled loop that waits, pops, pushes and wakes
    stage loops   the same rings through `stages.runner`'s loops: two without sockets, two event loops

The source stamps a record and pushes it; the sink reads the clock when it has it. The source sleeps between
records, so each finds the whole chain asleep, or at the short interval, awake.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from bench import harness
from bench.ring_ours import now_ns, record_dtype
from ringbuf import Consumer, Doorbell, Idle, Producer, Segment
from ringbuf.atomics import address_of, pause
from ringbuf.idle import YIELDS_MAX, resolve, sleep_on_words, yield_until_ready
from ringbuf.jit import kernel
from ringbuf.layout import AT_PARKED
from ringbuf.ring_kernels import pop, push, wake
from ringbuf.syscalls import FUTEX_32, step_aside
from stages.runner import duty_cycle, duty_cycle_with_sockets

HOPS = 4
SLOTS = 1024
SPIN, YIELD, PARK = 0, 1, 2
HOW = {"spin": SPIN, "yield": YIELD, "park": PARK}
BUSY_BELOW_NS = 100_000
SLEEP_NS = 100_000_000  # longest sleep, as the heartbeat of a stage wants it
WARM_UP = 50
PARKED_ON_WORD = 1
SECOND_NS = 1_000_000_000
FAR_NS = 1 << 62
LAST, GAP = 4, 5


@kernel
def wait(bases: np.ndarray, waiters: np.ndarray, state: np.ndarray, how: int) -> None:
    """Wait once as `Idle` does; `state` is (6,) int64: deadline, time stamp, last record, gap before it."""
    if how == SPIN:
        pause()
        return
    if how == YIELD and state[GAP] < BUSY_BELOW_NS and yield_until_ready(bases, YIELDS_MAX):
        came(state)
        return
    state[GAP] = BUSY_BELOW_NS
    until_ns = now_ns(state[2:4]) + SLEEP_NS
    state[0], state[1] = until_ns // SECOND_NS, until_ns % SECOND_NS
    if sleep_on_words(bases, waiters, state[:2]):
        came(state)


@kernel
def came(state: np.ndarray) -> None:
    """A record is there: how long after the one before?"""
    at_ns = now_ns(state[2:4])
    state[GAP], state[LAST] = at_ns - state[LAST], at_ns


@kernel
def relay(bases: np.ndarray, waiters: np.ndarray, target: int, row: np.ndarray, how: int, count: int) -> int:
    """Hand `count` records on, one by one as they come."""
    state, done, address = np.zeros(6, np.int64), 0, address_of(row)
    while done < count:
        if pop(bases[0], address, 1) == 0:
            wait(bases, waiters, state, how)
            continue
        while push(target, address, 1) == 0:
            step_aside()
        wake(target)
        done += 1
    return done


@kernel
def sink(bases: np.ndarray, waiters: np.ndarray, row: np.ndarray, how: int, times_ns: np.ndarray) -> int:
    """Take as many records as `times_ns` has room for; how many came out of order."""
    state, done, wrong, address = np.zeros(6, np.int64), 0, 0, address_of(row)
    while done < len(times_ns):
        if pop(bases[0], address, 1) == 0:
            wait(bases, waiters, state, how)
            continue
        times_ns[done] = now_ns(state[2:4]) - row[1]
        wrong += row[2] != done
        done += 1
    return wrong


class Chain:
    """Rings and processes of one measurement.

    Parameters
    ----------
    strategy : str
        "spin", "yield", "park" or "auto".
    one_core : bool
        All five on one core; otherwise one core each as far as they go.
    """

    def __init__(self, strategy: str, one_core: bool) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.strategy = resolve(strategy, len(cores), HOPS + 1)
        self._shared = one_core or len(cores) <= HOPS
        self._cores = (
            [cores[-1]] * (HOPS + 1) if one_core else [cores[i % len(cores)] for i in range(HOPS + 1)]
        )

    def measure(self, work: Callable[..., Any], interval_s: float, count: int) -> dict[str, Any]:
        """Send `count` records every `interval_s` through four processes that do `work`.

        Returns
        -------
        dict
            p50 and p99 in µs, and `cpu`: cores the four receiving processes used.
        """
        with harness.rings(record_dtype(64), SLOTS, HOPS) as rings, tempfile.TemporaryDirectory() as folder:
            bells = [Doorbell.create(Path(folder) / f"{hop}.bell") for hop in range(HOPS)]
            children = [
                harness.in_child(partial(self._run, work, rings, bells, hop, count), self._cores[hop + 1])
                for hop in range(HOPS)
            ]
            harness.pin(self._cores[0])
            producer, row = Producer(rings[0], bells[0]), np.zeros(1, rings[0].dtype)
            while any(ring.consumer.pid == 0 for ring in rings):
                time.sleep(0.01)
            begin_s = time.monotonic()
            for number in range(count):
                _pace(begin_s + number * interval_s)
                row["words"][0, 1], row["words"][0, 0] = number, time.monotonic_ns()
                while producer.push(row) == 0:
                    time.sleep(
                        0.001
                    )  # the machine stood still for a thousand records: they wait, none is lost
            answers = [child() for child in children]
            for bell in bells:
                bell.close()
        times_ns, wrong = answers[-1][0]
        if wrong:
            raise RuntimeError(f"{wrong} of {count} records came out of order")
        wall_s = time.monotonic() - begin_s
        summary = harness.percentiles(times_ns[WARM_UP:] / 1e3, "us")
        return {**summary, "cpu": round(sum(cpu_s for _, cpu_s in answers) / wall_s, 3)}

    def _run(
        self, work: Callable[..., Any], rings: list[Segment], bells: list[Doorbell], hop: int, count: int
    ) -> Any:
        if self._shared:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # as the line does on a shared core
        return work(self.strategy, rings, bells, hop, count)


def _pace(at_s: float) -> None:
    # Sleep most of the way: a source that spins would take the core from those it feeds.
    left_s = at_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)


def bare(
    strategy: str, rings: list[Segment], bells: list[Doorbell], hop: int, count: int
) -> tuple[Any, float]:
    """A process of the chain as one compiled loop."""
    consumer, row = Consumer(rings[hop]), np.zeros(8, np.int64)
    bases = np.array([consumer.base])
    waiters = np.array([[PARKED_ON_WORD, consumer.base + AT_PARKED, FUTEX_32]])
    how = HOW[strategy]
    if hop < HOPS - 1:
        answer: Any = relay(bases, waiters, Producer(rings[hop + 1]).base, row, how, count)
    else:
        times_ns = np.zeros(count, np.int64)
        wrong = sink(bases, waiters, row, how, times_ns)
        answer = (times_ns, wrong)
    return answer, _cpu_s()


class PassThrough:
    """A stage that hands records on, or takes their time if it is the last."""

    def __init__(self, consumer: Consumer, producer: Producer | None, count: int) -> None:
        self.counters = np.zeros(1, np.int64)
        self.stopped = False
        self.due_ts_ns = FAR_NS  # it does nothing by time
        self.times_ns = np.zeros(count, np.int64)
        self.wrong = 0
        self._consumer, self._producer, self._done = consumer, producer, 0
        self.wake: Callable[[], None] = lambda: None

    def poll(self) -> int:
        """Hand on what there is."""
        rows = self._consumer.peek(64)
        count = len(rows)
        if count == 0:
            return 0
        if self._producer is not None:
            count = self._producer.push(rows)
        else:
            self.times_ns[self._done : self._done + count] = time.monotonic_ns() - rows["words"][:, 0]
            self.wrong += int((rows["words"][:, 1] != np.arange(self._done, self._done + count)).sum())
        self._consumer.release(count)
        self._done += count
        self.stopped = self._done >= len(self.times_ns)
        return count

    def begin_stop(self) -> None:
        """It stops when all have passed."""

    async def connect(self, stop: Any) -> None:
        """No connections, but the loop of a stage that has them."""
        await stop.wait()


class _NoBeat:
    # Heartbeats are the line's; here only the way of a record is looked at.
    def touch(self, counters: np.ndarray, dropped: int) -> None:
        return None


class _Asked:
    asked = told = True
    longest_s = leave_s = float("inf")
    dropped = 0


def stage_loops(
    strategy: str, rings: list[Segment], bells: list[Doorbell], hop: int, count: int
) -> tuple[Any, float]:
    """A process of the chain as the runner runs it: two plain loops, then two with sockets."""
    consumer = Consumer(rings[hop])
    producer = Producer(rings[hop + 1], bells[hop + 1]) if hop < HOPS - 1 else None
    stage, idle = PassThrough(consumer, producer, count), Idle(strategy, [consumer], bells[hop])
    loop: Any = duty_cycle_with_sockets if hop >= 2 else duty_cycle
    running = loop(stage, _NoBeat(), idle, SLEEP_NS / 1e9, _Asked(), _Asked())
    if running is not None:
        uvloop.run(running)
    return (stage.times_ns, stage.wrong), _cpu_s()


def compile_all() -> None:
    """Compile before anybody is forked."""
    ring = Segment.local(record_dtype(64), 8)
    consumer, producer = Consumer(ring), Producer(ring)
    bases, row = np.array([ring.base]), np.zeros(8, np.int64)
    waiters = np.array([[PARKED_ON_WORD, ring.base + AT_PARKED, FUTEX_32]])
    relay(bases, waiters, ring.base, row, YIELD, 0)
    sink(bases, waiters, row, YIELD, np.zeros(0, np.int64))
    Idle("yield", [consumer], None).wait(0.0)
    producer.push(np.zeros(1, ring.dtype))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
