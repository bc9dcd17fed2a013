"""features: EVENT in, SNAPSHOT out; labels of what became of predictions on the side."""

import numpy as np

from mmpipe.clock import NS_PER_S, Clock
from mmpipe.enums import Counter, StageId
from mmpipe.models.snapshot_engine import SnapshotEngine
from stages.context import Context
from stages.outbox import Outbox
from stages.ports import Ports
from stages.runner import run_process

EVENTS_PER_POLL = 256
BOARD_INTERVAL_NS = NS_PER_S


class FeaturesStage:
    """Drains events in batches; a full SNAPSHOT ring holds them back instead of losing snapshots."""

    def __init__(self, context: Context, ports: Ports, clock: Clock) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self._engine = SnapshotEngine(context.config, context.instruments, context.models())
        self._events = ports.inputs["event"]
        self._reports = ports.inputs["report_features"]
        self._params = ports.inputs["params_features"]
        self._snapshots = Outbox(ports.outputs["snapshot"])
        self._labels = Outbox(ports.outputs["label"])
        self._resyncs = ports.outputs["resync"]
        self._boards = ports.cells_out["model_board"]
        self._next_board_ns = 0
        self._clock = clock
        self._work = ports.histograms["work_us_features"]
        self._wait = ports.histograms["wait_us_features"]
        self.stopped = False

    def poll(self) -> int:
        """One duty cycle; returns the number of records consumed."""
        work = self._drain_side_inputs()
        if not (self._snapshots.flush() and self._labels.flush()):
            return work
        events = self._events.peek(EVENTS_PER_POLL)
        if len(events) == 0:
            return work
        started_ns = self._clock.now_ns()
        self._wait.record(started_ns - int(events["local_ts_ns"][0]))
        snapshots = self._engine.on_events(events, self._snapshots.ring.next_seq)
        snapshots["made_ts_ns"] = self._clock.now_ns()
        self._snapshots.offer(snapshots)
        self._labels.offer(self._engine.labels())
        self._resyncs.push(self._engine.resyncs())  # a full ring: the next one says it again
        count = len(events)
        self._events.release(count)
        np.copyto(self.counters, self._engine.counters)
        now_ns = self._clock.now_ns()
        self._work.record(now_ns - started_ns)
        if now_ns >= self._next_board_ns:
            self._next_board_ns = now_ns + BOARD_INTERVAL_NS
            self._show(now_ns)
        return work + count

    def begin_stop(self) -> None:
        """Label what still waits, as far as it is known."""
        while len(labels := self._engine.flush(self._clock.now_ns())):
            self._labels.offer(labels)
        np.copyto(self.counters, self._engine.counters)
        self.stopped = True

    def _show(self, now_ns: int) -> None:
        for index, cell in enumerate(self._boards):
            board = self._engine.model_board(index)
            board["ts_ns"] = now_ns
            cell.write(board)

    def _drain_side_inputs(self) -> int:
        reports = self._reports.peek(EVENTS_PER_POLL)
        if len(reports):
            self._engine.on_reports(reports)
            self._reports.release(len(reports))
        params = self._params.peek(EVENTS_PER_POLL)
        if len(params):
            self._engine.on_params(params)
            self._params.release(len(params))
        return len(reports) + len(params)


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.FEATURES, instance, FeaturesStage, telemetry)
