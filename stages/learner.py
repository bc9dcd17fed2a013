"""learner: labels, predictions and fills in; better parameters out; the only writer of the database."""

from pathlib import Path
from typing import Any

import numpy as np

from mmpipe.clock import NS_PER_S, Clock
from mmpipe.enums import Counter, StageId
from mmpipe.learning.engine import STATE_KEY, LearningEngine
from mmpipe.store.database import Database, loops_row
from stages.context import Context
from stages.outbox import Outbox
from stages.parameter_log import ParameterLog
from stages.ports import Ports
from stages.runner import run_process
from stages.telemetry import LogCollector

ROWS_PER_POLL = 256


class LearnerStage:
    """Beside the line, never on it: when it is gone the line trades on with the last parameters."""

    def __init__(
        self, context: Context, ports: Ports, clock: Clock, database: Database | None = None
    ) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        config = context.config
        self._clock = clock
        self._engine = LearningEngine(config)
        self._database = database or Database(
            Path(context.run_dir) / "learning.db", config.learning.commit_interval_s
        )
        state = self._database.load_state(STATE_KEY)
        if state is not None:
            self._engine.restore(state)
        engine = self._engine
        self._inputs = (
            (ports.inputs["prediction"], engine.on_predictions),
            (ports.inputs["label"], engine.on_labels),
            (ports.inputs["fill_context"], engine.on_fill_contexts),
            (ports.inputs["report_learner"], engine.on_reports),
        )
        self._outputs = [
            Outbox(ports.outputs[f"params_{name}"]) for name in ("features", "alpha", "execution")
        ]
        self._commit_ns = int(config.learning.commit_interval_s * NS_PER_S)
        self._next_commit_ns = 0
        self._log = ParameterLog()
        self.stopped = False

    def poll(self) -> int:
        """One duty cycle; returns the number of records consumed."""
        work = 0
        for ring, take in self._inputs:
            rows = ring.peek(ROWS_PER_POLL)
            if len(rows):
                take(rows)
                ring.release(len(rows))
                work += len(rows)
        now_ns = self._clock.now_ns()
        params = self._engine.params(now_ns)
        self._log.tell(params)
        for outbox in self._outputs:
            outbox.flush()
            outbox.offer(params)
        if now_ns >= self._next_commit_ns:
            self._next_commit_ns = now_ns + self._commit_ns
            self._commit(now_ns)
        np.copyto(self.counters, self._engine.counters)
        return work

    def begin_stop(self) -> None:
        """Write what is known."""
        now_ns = self._clock.now_ns()
        self._commit(now_ns)
        self._database.write([self._engine.state_row(now_ns)], now_ns)
        self._database.commit()
        self._database.close()
        self.stopped = True

    def state(self) -> dict[str, Any]:
        """Evidence so far, as it is stored for a restart."""
        return self._engine.state()

    def loops(self) -> dict[str, dict[str, Any]]:
        """Each feedback loop with its counters."""
        return self._engine.loops()

    def _commit(self, now_ns: int) -> None:
        rows = [*self._engine.drain_rows(), loops_row(self._engine.loops(), now_ns)]
        self._database.write(rows, now_ns)


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process; it also empties the telemetry queue into the run's log."""

    def build(context: Context, ports: Ports, clock: Clock) -> LearnerStage:
        if telemetry is not None:
            LogCollector(telemetry, Path(context.run_dir) / "mmpipe.log")  # type: ignore[arg-type]  # no stubs
        return LearnerStage(context, ports, clock)

    run_process(StageId.LEARNER, instance, build, telemetry)
