"""The duty cycle of every process of the line: poll, wait, show a heartbeat, obey a stop.

A stage is an object with `poll() -> work count`; zero means idle and the runner decides how to wait. Only
this file loops. Stages with sockets share one event loop with them: the doorbell is a descriptor of that
loop, so rings and sockets wake the same sleeper. An exception in a stage or in one of its socket tasks
ends the process; the supervisor restarts it, and risk has stopped the quoting long before.
"""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import psutil
import uvloop
from loguru import logger

from mmpipe.clock import Clock, MonotonicClock
from mmpipe.enums import Counter, StageId
from mmpipe.errors import PreflightError
from mmpipe.records import HEARTBEAT
from ringbuf import Idle, Strategy
from ringbuf.idle import resolve
from ringbuf.jit import SOURCE_DIGEST, warm
from stages import ports as wiring
from stages import topology
from stages.context import Context, read_context
from stages.process import die_with_parent, pin_line_stage, usable_cores, use_side_cores
from stages.telemetry import LogShipper

BEAT_INTERVAL_NS = 20_000_000  # a heartbeat cell is written at the most this often
NS_PER_S = 1_000_000_000
LEAVE_S = 2.0  # a supervisor that lives has ended the stage by then
LOOP_TICK_S = 1e-3  # the event loop's timers count whole milliseconds; one too early would be for nothing
RSS_INTERVAL_NS = 1_000_000_000


class Stage(Protocol):
    """What the runner runs; `counters` is indexed by `Counter` and only ever grows."""

    counters: np.ndarray

    def poll(self) -> int: ...

    def begin_stop(self) -> None: ...

    @property
    def stopped(self) -> bool: ...


class SocketStage(Stage, Protocol):
    """A stage that also owns connections; `wake` is called by them when there is something to poll.

    `due_ts_ns` is when it wants to be polled next even if nothing came: it sleeps until then, and no timer
    wakes it to find that it is not time yet.
    """

    due_ts_ns: int
    wake: Callable[[], None]

    async def connect(self, stop: asyncio.Event) -> None: ...


class Beat:
    """Writes HEARTBEAT from the duty cycle itself, so that a hung stage goes silent."""

    def __init__(self, ports: wiring.Ports, clock: Clock) -> None:
        self._cell = ports.cells_out[topology.heartbeat_of(ports.stage)][0]
        self._ports = ports
        self._clock = clock
        self._row = np.zeros(1, HEARTBEAT)
        self._process = psutil.Process()
        self._next_ns = self._next_rss_ns = 0
        self._row["pid"] = os.getpid()
        self._row["started_ts_ns"] = clock.now_ns()
        self._row["core"] = -1

    def ready(self, core: int) -> None:
        """Show that the stage is warm and polls from now on."""
        self._row["ready"], self._row["core"] = 1, core
        self._next_ns = 0

    def touch(self, counters: np.ndarray, logs_dropped: int) -> None:
        """Publish liveness and counters, when it is time."""
        now_ns = self._clock.now_ns()
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + BEAT_INTERVAL_NS
        row = self._row
        if now_ns >= self._next_rss_ns:
            self._next_rss_ns = now_ns + RSS_INTERVAL_NS
            row["rss_bytes"] = self._process.memory_info().rss
        row["ts_ns"] = now_ns
        row["records_in"] = sum(ring.tail for ring in self._ports.inputs.values())
        row["records_out"] = sum(ring.head for ring in self._ports.outputs.values())
        row["counters"][0, : len(counters)] = counters
        row["counters"][0, Counter.LOGS_DROPPED] = logs_dropped
        self._cell.write(row)


def run_process(
    stage_id: StageId,
    instance: str,
    build: Callable[[Context, wiring.Ports, Clock], Any],
    telemetry: Any = None,
) -> None:
    """Life of one stage process: attach, warm, show READY, poll until told to stop.

    Parameters
    ----------
    stage_id : StageId
        Which stage this process is.
    instance : str
        Name of a running instance; its supervisor has created the segments.
    build : callable
        Makes the stage from context, ports and clock.
    telemetry : queue or None
        The shared log queue; None writes log lines to stderr (a stage started by hand).
    """
    die_with_parent()
    context = read_context(instance)
    shipper = LogShipper(stage_id.name.lower(), context.config.log, telemetry)
    try:
        _live(stage_id, context, build, shipper)
    except Exception as error:
        logger.opt(exception=error).critical("stage died: {}", error)
        shipper.flush(0.5)
        sys.exit(1)
    shipper.flush(0.5)


def _live(
    stage_id: StageId,
    context: Context,
    build: Callable[[Context, wiring.Ports, Clock], Any],
    shipper: LogShipper,
) -> None:
    if context.digest != SOURCE_DIGEST:
        raise PreflightError(
            "sources or NUMBA_* variables changed since the line was started; start it again"
        )
    config = context.config
    core, core_count = -1, len(usable_cores())
    if config.stages.pin and stage_id in topology.LINE:
        core = pin_line_stage(stage_id)
    elif config.stages.pin:
        use_side_cores()
    clock = MonotonicClock()
    ports = wiring.attach(stage_id, config, Path(context.runtime_dir))
    beat = Beat(ports, clock)
    stage = build(context, ports, clock)
    report = warm(freeze=True)
    logger.info(
        "ready: {} kernels, {} compiled, {:.2f} s, core {}",
        report.kernel_count, report.compiled_count, report.wall_s, core,
    )  # fmt: skip
    gc.collect()
    gc.freeze()
    stop = StopFlag(config.stages.stop_timeout_s + LEAVE_S)
    beat.ready(core)
    strategy = resolve(config.stages.idle, core_count, len(topology.LINE))
    idle = Idle(strategy, list(ports.inputs.values()), ports.doorbell)
    timeout_s = config.stages.park_timeout_ms / 1e3
    if hasattr(stage, "connect"):
        uvloop.run(duty_cycle_with_sockets(stage, beat, idle, timeout_s, stop, shipper))
    else:
        duty_cycle(stage, beat, idle, timeout_s, stop, shipper)
    logger.info("stopped")


def duty_cycle(
    stage: Stage, beat: Beat, idle: Idle, timeout_s: float, stop: "StopFlag", shipper: LogShipper
) -> None:
    """Poll and wait until the stage has stopped; a stage without sockets sleeps on its rings."""
    while not _finished(stage, stop):
        work = stage.poll()
        beat.touch(stage.counters, shipper.dropped)
        if work == 0:
            idle.wait(timeout_s)


async def duty_cycle_with_sockets(
    stage: SocketStage, beat: Beat, idle: Idle, timeout_s: float, stop: "StopFlag", shipper: LogShipper
) -> None:
    """The same in one event loop with the stage's connections: ring and socket wake the same sleeper."""
    woken = asyncio.Event()
    stage.wake = woken.set
    loop = asyncio.get_running_loop()
    loop.add_reader(idle.fileno(), woken.set)

    alarm = Alarm(loop, woken.set)
    sockets_stop = asyncio.Event()
    sockets = asyncio.create_task(stage.connect(sockets_stop))
    try:
        while not _finished(stage, stop):
            if sockets.done():
                sockets.result()
                raise RuntimeError("the stage's connections ended by themselves")
            woken.clear()
            work = stage.poll()
            beat.touch(stage.counters, shipper.dropped)
            if work == 0 and idle.strategy != Strategy.SPIN and idle.park():
                alarm.set(stage.due_ts_ns, timeout_s)
                await woken.wait()
            else:
                await asyncio.sleep(0)  # the sockets have their turn in every turn
            idle.unpark()
    finally:
        alarm.cancel()
        sockets_stop.set()
        sockets.cancel()
        await asyncio.wait([sockets], timeout=1.0)


class Alarm:
    """Wakes a sleeping loop when its stage is due; armed anew only for an earlier time than it waits for.

    A timeout around every sleep would cost more than the sleep.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop, self._ring = loop, ring
        self._handle: asyncio.TimerHandle | None = None
        self._at_ns = 0

    def set(self, due_ns: int, longest_s: float) -> None:
        """Ring at `due_ns` (monotonic), after `longest_s` at the latest."""
        now_ns = time.monotonic_ns()
        at_ns = min(max(due_ns, now_ns), now_ns + int(longest_s * NS_PER_S))
        if self._handle is not None and self._at_ns <= at_ns:
            return
        self.cancel()
        self._at_ns = at_ns
        self._handle = self._loop.call_later((at_ns - now_ns) / NS_PER_S + LOOP_TICK_S, self._go)

    def cancel(self) -> None:
        """Do not ring any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _go(self) -> None:
        self._handle = None
        self._ring()


class StopFlag:
    """SIGTERM asks for a stop; the stage decides when it is safe to leave, but leaves in the end.

    Made when the stage is warm: before that it has done nothing, and a SIGTERM ends it at once. Where the
    supervisor is dead, and perhaps the venue with it, nobody else ends a stage that waits for an answer: it
    would be there when the next line starts.

    Parameters
    ----------
    longest_s : float
        From the SIGTERM on.
    """

    def __init__(self, longest_s: float) -> None:
        self.asked = False
        self.longest_s = longest_s
        self.leave_s = float("inf")
        self.told = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which stops in order

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True


def _finished(stage: Stage, stop: StopFlag) -> bool:
    if not stop.asked:
        return False
    if not stop.told:
        stop.told = True
        stop.leave_s = time.monotonic() + stop.longest_s
        stage.begin_stop()
    if not stage.stopped and time.monotonic() >= stop.leave_s:
        logger.error("leaving after {:.0f} s although the stop is not complete", stop.longest_s)
        return True
    return stage.stopped


def wait_until(condition: Callable[[], bool], timeout_s: float, interval_s: float = 0.01) -> bool:
    """Poll `condition` until it holds or `timeout_s` has passed; True when it held."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_s)
    return True
