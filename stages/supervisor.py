"""The supervisor: creates every segment, starts, watches, restarts and stops the processes, unlinks.

    lock → latch → orphans → venue → instruments → segments → context → warm → stages → watch → stop → unlink

It is never on the line. A stage that dies or hangs is restarted and attaches to the same rings; more
restarts than allowed stop the line, as does the death of the embedded venue, which nobody can restore.

A signal during the start ends it where it stands (`mmpipe.interrupts`); from the last stage on, which is the
one that lets market data in, it is only noted: there may be orders, and whoever started the line stops it.
"""

import fcntl
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from loguru import logger

from mmpipe import interrupts
from mmpipe.clock import MonotonicClock
from mmpipe.config import Config
from mmpipe.enums import Counter, StageId
from mmpipe.errors import (
    DeadlineError,
    MmpipeError,
    NotRunningError,
    PreflightError,
    RiskHaltedError,
    UsageError,
)
from mmpipe.models.model_set import load_model_set
from mmpipe.records import HEARTBEAT
from ringbuf import CellReader, Doorbell, Segment, unlink_orphans
from ringbuf.jit import SOURCE_DIGEST, warm
from stages import alpha, execution, features, feed, learner, ports, risk, topology, venue
from stages.context import CONTEXT_FILE, Context, runtime_dir
from stages.control import ask
from stages.latch import Latch
from stages.preflight import embedded_settings, lead_addresses, venue_instruments, with_venue_fees
from stages.runner import wait_until
from stages.signal_socket import SOCKET_FILE
from stages.telemetry import LogShipper, telemetry_queue

PROCESSES = {
    StageId.FEED: feed.process,
    StageId.FEATURES: features.process,
    StageId.ALPHA: alpha.process,
    StageId.EXECUTION: execution.process,
    StageId.RISK: risk.process,
    StageId.LEARNER: learner.process,
}
HUNG_FACTOR = 5  # risk pauses the quoting at the heartbeat timeout; this many of them end the process
WATCH_INTERVAL_S = 0.05


class Supervisor:
    """One running instance.

    Parameters
    ----------
    config : Config
        Of the run.
    reroute : callable, optional
        Given the venue's address, returns where feed finds it: a proxy's.
    start_order : sequence of StageId, optional
        The stages to run, in the order they start; a recording runs feed alone.

    Attributes
    ----------
    context : Context
        What the processes were told.
    restarts : dict[StageId, int]
        How often each stage was restarted.
    counters_before : ndarray, shape (stages, counters), int64
        Counters of the lives that ended; a screen adds them to those of the present lives.
    """

    def __init__(
        self,
        config: Config,
        reroute: Callable[[str], str] | None = None,
        start_order: Sequence[StageId] = topology.START_ORDER,
    ) -> None:
        self.config = config
        self._reroute = reroute
        self._start_order = tuple(start_order)
        self.restarts = dict.fromkeys(topology.BEATING, 0)
        self.counters_before = np.zeros((len(StageId), len(Counter)), np.int64)
        self.halt_reason = ""
        self._folder = runtime_dir(config.instance.name)
        self._spawn = multiprocessing.get_context("spawn")
        self._children: dict[StageId, SpawnProcess] = {}
        self._segments: dict[str, Segment] = {}
        self._bells: list[Doorbell] = []
        self._deaths: dict[StageId, deque[float]] = {stage: deque() for stage in topology.BEATING}
        self._lock: Any = None
        self._telemetry: Any = None
        self._clock = MonotonicClock()
        self.context: Context

    def start(self) -> None:
        """Bring the line up and return when every stage is READY, or when a stop is wanted before that.

        Raises
        ------
        Interrupted
            A signal came before the last stage was started; nothing is left.
        PreflightError
            Another instance of that name, a port in use, a missing key.
        RiskHaltedError
            KILL is latched.
        DeadlineError
            A stage did not become ready in time.
        """
        self._take_lock()
        try:
            latch = Latch.of_instance(self.config)
            if latch.reason and self._trades:
                raise RiskHaltedError(
                    f"KILL is latched ({latch.reason}); when the cause is understood: "
                    f"mmpipe risk reset --instance {self.config.instance.name} --reason '…'"
                )
            for name in unlink_orphans(topology.segment_prefix(self.config.instance.name)):
                logger.info("removed {}, left by an instance that is dead", name)
            self._start_children()
        except BaseException:
            interrupts.note_only()  # the end has begun; one more signal must not end the cleaning up
            self._tear_down()
            raise

    def watch(self, timeout_s: float) -> bool:
        """Look after the children for at most `timeout_s`; False when the line must stop (`halt_reason`)."""
        sentinels = [child.sentinel for child in self._children.values()]
        wait_for_any(sentinels, timeout=min(timeout_s, WATCH_INTERVAL_S))
        for stage, child in list(self._children.items()):
            if child.exitcode is not None:
                self._on_death(stage, child.exitcode)
            elif stage in PROCESSES and self._hung(stage):
                logger.error("{} hangs (no heartbeat); killing it", stage.name.lower())
                os.kill(child.pid or 0, signal.SIGKILL)
                child.join()
        return not self.halt_reason

    def stop_quoting(self) -> None:
        """Stop execution, which cancels what it has; whatever then still rests, risk cancels."""
        self._end(StageId.EXECUTION)

    def cancel_all_by_risk(self) -> bool:
        """Ask risk to cancel every order of the account on its own session; False when it cannot be asked."""
        try:
            return bool(ask(self._folder / "risk.sock", {"command": "cancel_all"})["ok"])
        except MmpipeError as error:
            logger.error("risk cannot be asked to cancel: {}", error)
            return False

    def stop(self) -> None:
        """Stop the rest in order and leave nothing behind."""
        interrupts.note_only()
        for stage in topology.STOP_ORDER:
            self._end(stage)
        self._end(StageId.VENUE)
        self._tear_down()

    @property
    def _trades(self) -> bool:
        # A recording needs neither keys nor an account, and no latch forbids it.
        return StageId.EXECUTION in self._start_order

    def venue_lives(self) -> bool:
        """False when the venue was embedded and is gone."""
        return self.config.venue.kind != "embedded" or StageId.VENUE in self._children

    def _take_lock(self) -> None:
        lock = (self._folder / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise PreflightError(
                f"an instance named '{self.config.instance.name}' already runs (pid {owner}); "
                "stop it with `mmpipe stop`, or start another with --instance NAME"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _start_children(self) -> None:
        models_sha256 = load_model_set(self.config.models).sha256  # refused here, before anything started
        run_dir = Path(self.config.instance.run_dir) / time.strftime(
            f"{self.config.instance.name}-%Y%m%d-%H%M%S"
        )
        run_dir.mkdir(parents=True, exist_ok=True)
        self._telemetry = telemetry_queue()
        LogShipper("supervisor", self.config.log, self._telemetry)
        settings, venue_url, keys = embedded_settings(self.config, self._trades)
        if settings is not None:
            venue_url = self._start_venue(settings)
        if self._trades:
            self.config = with_venue_fees(self.config, venue_url, keys.account)
        feed_url = self._reroute(venue_url) if self._reroute else venue_url
        public_url, market_url, rest_url = lead_addresses(self.config.lead, feed_url)
        self.context = Context(
            config_tree=msgspec.to_builtins(self.config),
            instruments_hex=venue_instruments(self.config, venue_url).tobytes().hex(),
            venue_url=venue_url,
            feed_url=feed_url,
            lead_public_url=public_url,
            lead_market_url=market_url,
            lead_rest_url=rest_url,
            execution_key_hex=keys.execution,
            risk_key_hex=keys.risk,
            account=keys.account,
            run_dir=str(run_dir.resolve()),
            runtime_dir=str(self._folder),
            started_wall_ns=self._clock.wall_ns(),
            digest=SOURCE_DIGEST,
            models_sha256=models_sha256,
        )
        with interrupts.held():
            self._segments = ports.create_segments(self.config)
            self._bells = [
                Doorbell.create(ports.doorbell_path(self._folder, stage)) for stage in topology.BEATING
            ]
        self.context.write()
        warm(freeze=False)  # once, here: children then find every kernel in the cache
        for stage in self._start_order[:-1]:
            self._start_stage(stage)
        for stage in self._start_order[:-1]:
            self._await_ready(stage)
        interrupts.check()
        interrupts.note_only()
        if interrupts.asked():
            return  # between the two
        self._start_stage(self._start_order[-1])
        self._await_ready(self._start_order[-1])

    def _start_venue(self, settings: Any) -> str:
        ours, theirs = self._spawn.Pipe()
        child = self._spawn.Process(
            target=venue.process,
            args=(settings, self._folder, self.config.log, theirs, self._telemetry),
            name="mmpipe-venue",
        )
        self._launch(StageId.VENUE, child)
        theirs.close()
        if not ours.poll(self.config.stages.ready_timeout_s):
            raise DeadlineError(
                f"the embedded venue was not ready within {self.config.stages.ready_timeout_s} s"
            )
        try:
            kind, *answer = ours.recv()
        except EOFError as error:
            raise PreflightError("the embedded venue died at its start; its last words are above") from error
        if kind == "error":
            text, code = answer
            raise UsageError(text) if code == UsageError.exit_code else PreflightError(text)
        return str(answer[0])

    def _start_stage(self, stage: StageId) -> None:
        child = self._spawn.Process(
            target=PROCESSES[stage],
            args=(self.config.instance.name, self._telemetry),
            name=f"mmpipe-{stage.name.lower()}",
        )
        self._launch(stage, child)

    def _launch(self, stage: StageId, child: SpawnProcess) -> None:
        # No signal between a child's birth and its entry here. The child inherits that Ctrl-C is blocked: a
        # terminal sends it to every process of the line, and the supervisor alone is to hear it.
        with interrupts.held():
            resource_tracker.ensure_running()  # it would unblock Ctrl-C when the child starts it
            before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
            try:
                child.start()
                self._children[stage] = child
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _await_ready(self, stage: StageId) -> None:
        child = self._children[stage]
        timeout_s = self.config.stages.ready_timeout_s

        def over() -> bool:
            return self.ready(stage) or child.exitcode is not None or interrupts.asked()

        wait_until(over, timeout_s)
        if interrupts.asked():
            return  # noted, not raised: the caller's stop has come before the first order
        if child.exitcode is not None:
            raise PreflightError(
                f"{stage.name.lower()} died at its start; see {self.context.run_dir}/mmpipe.log"
            )
        if not self.ready(stage):
            raise DeadlineError(f"{stage.name.lower()} was not ready within {timeout_s} s")

    def heartbeat(self, stage: StageId) -> np.ndarray:
        """The newest HEARTBEAT of a stage, shape (1,); zeros before its first."""
        row = np.zeros(1, HEARTBEAT)
        CellReader(self._segments[topology.heartbeat_of(stage)]).read(row)
        return row

    def ready(self, stage: StageId) -> bool:
        """True when the present life of `stage` polls."""
        row = self.heartbeat(stage)
        return bool(row["ready"][0]) and int(row["pid"][0]) == self._children[stage].pid

    def _hung(self, stage: StageId) -> bool:
        if not self.ready(stage):
            return False  # still warming; _await_ready or the next look decides
        age_ns = self._clock.now_ns() - int(self.heartbeat(stage)["ts_ns"][0])
        return age_ns > HUNG_FACTOR * self.config.risk.heartbeat_timeout_ms * 1_000_000

    def _on_death(self, stage: StageId, code: int) -> None:
        del self._children[stage]
        if stage == StageId.VENUE:
            self.halt_reason = f"the embedded venue died (exit {code})"
            return
        logger.error("{} died (exit {}); restarting it", stage.name.lower(), code)
        self.counters_before[stage] += self.heartbeat(stage)["counters"][0, : len(Counter)]
        deaths, window_s = self._deaths[stage], self.config.stages.restart_window_s
        deaths.append(time.monotonic())
        while deaths and time.monotonic() - deaths[0] > window_s:
            deaths.popleft()
        if len(deaths) > self.config.stages.restarts_max:
            self.halt_reason = f"{stage.name.lower()} died {len(deaths)} times within {window_s} s"
            return
        self.restarts[stage] += 1
        self._start_stage(stage)

    def _end(self, stage: StageId) -> None:
        child = self._children.pop(stage, None)
        if child is None or child.exitcode is not None:
            return
        child.terminate()
        child.join(self.config.stages.stop_timeout_s)
        if child.exitcode is None:
            logger.error(
                "{} did not stop within {} s; killing it",
                stage.name.lower(),
                self.config.stages.stop_timeout_s,
            )
            child.kill()
            child.join()

    def _tear_down(self) -> None:
        if self._lock is None:
            return  # never begun, or done: what lies in the folder is another's
        for stage in (*topology.STOP_ORDER, StageId.VENUE):
            self._end(stage)
        for segment in self._segments.values():
            segment.unlink()
            segment.close()
        self._segments.clear()
        for bell in self._bells:
            bell.close()
        for stage in topology.BEATING:
            ports.doorbell_path(self._folder, stage).unlink(missing_ok=True)
        for name in (CONTEXT_FILE, "risk.sock", "supervisor.sock", SOCKET_FILE):
            (self._folder / name).unlink(missing_ok=True)
        self._lock.close()
        self._lock = None


def require_running(instance: str) -> None:
    """Refuse when no supervisor of that name holds the lock.

    Raises
    ------
    NotRunningError
        Nothing of that name runs.
    """
    with (runtime_dir(instance) / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
    raise NotRunningError(f"no pipeline named '{instance}' runs; start one with `mmpipe run`")


def supervisor_pid(instance: str) -> int:
    """Process id of the supervisor that holds the lock of `instance`."""
    return int((runtime_dir(instance) / "lock").read_text(encoding="ascii").strip())
