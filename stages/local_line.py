"""The five stages and the learner in one process, over private rings: what replay and simulation run.

It is the same stage code as in the processes; only who feeds the EVENT ring and who answers the orders
differs. Heartbeats are written as the runner writes them, so that risk watches as always.
"""

import numpy as np

from mmpipe.clock import Clock
from mmpipe.enums import Counter, StageId
from mmpipe.store.database import Database
from mmpipe.venue.port import OrderPort
from ringbuf import CellReader, Consumer
from stages import ports as wiring
from stages.alpha import AlphaStage
from stages.context import Context
from stages.execution import ExecutionStage
from stages.features import FeaturesStage
from stages.learner import LearnerStage
from stages.risk import RiskStage
from stages.runner import Beat, Stage

RESYNCS_PER_POLL = 16


class LocalLine:
    """A line without processes.

    Parameters
    ----------
    context : Context
        Its `run_dir` receives the journal.
    clock : Clock
        Virtual in replay.
    execution_port, risk_port : OrderPort
        Who answers the orders, and the drop copy of risk.

    Attributes
    ----------
    stages : list
        What the caller polls, in line order.
    ports : dict[StageId, Ports]
        The ends of all rings.
    """

    def __init__(
        self, context: Context, clock: Clock, execution_port: OrderPort, risk_port: OrderPort
    ) -> None:
        config = context.config
        self.segments = wiring.local_segments(config)
        self.ports = wiring.local_ports(config, self.segments)
        ends = self.ports
        self.learner = LearnerStage(
            context, ends[StageId.LEARNER], clock, Database(":memory:", config.learning.commit_interval_s)
        )
        by_id: dict[StageId, Stage] = {
            StageId.FEED: _Feed(ends[StageId.FEED].inputs["resync"]),
            StageId.FEATURES: FeaturesStage(context, ends[StageId.FEATURES], clock),
            StageId.ALPHA: AlphaStage(context, ends[StageId.ALPHA], clock),
            StageId.EXECUTION: ExecutionStage(context, ends[StageId.EXECUTION], clock, execution_port),
            StageId.RISK: RiskStage(context, ends[StageId.RISK], clock, risk_port),
            StageId.LEARNER: self.learner,
        }
        self.by_id = by_id
        self.stages = [_Beating(stage, Beat(ends[stage_id], clock)) for stage_id, stage in by_id.items()]

    def publish(self, rows: np.ndarray) -> int:
        """Put EVENT rows into the feed's ring; returns how many found room."""
        return self.ports[StageId.FEED].outputs["event"].push(rows)

    def finish(self) -> None:
        """The recording is over: what still waits in features is labelled, and the learner hears of it."""
        features = self.by_id[StageId.FEATURES]
        features.begin_stop()
        while features.poll() or self.learner.poll():
            pass

    def cell(self, name: str) -> np.ndarray:
        """The newest record of a cell, shape (1,)."""
        segment = self.segments[name]
        row = np.zeros(1, segment.dtype)
        CellReader(segment).read(row)
        return row

    def counters(self) -> np.ndarray:
        """Counters of all stages, shape (stages, counters)."""
        table = np.zeros((len(StageId), len(Counter)), np.int64)
        for stage_id, stage in self.by_id.items():
            table[stage_id] = stage.counters
        return table

    def state(self) -> list[np.ndarray]:
        """What the line has become: boards of all symbols, counters, evidence of the learner."""
        boards = [self.cell(name) for name in self.segments if name.startswith(("board.", "risk_board."))]
        evidence = np.frombuffer(repr(sorted(self.learner.state().items())).encode(), np.uint8)
        return [*boards, self.counters(), evidence]


class _Beating:
    # A stage with the heartbeat its runner would write.
    def __init__(self, stage: Stage, beat: Beat) -> None:
        self._stage, self._beat = stage, beat
        beat.ready(-1)

    def poll(self) -> int:
        work = self._stage.poll()
        self._beat.touch(self._stage.counters, 0)
        return work


class _Feed:
    # The caller publishes; what remains of feed is its heartbeat. A recording cannot be asked anew.
    def __init__(self, resyncs: Consumer) -> None:
        self._resyncs = resyncs
        self.counters = np.zeros(len(Counter), np.int64)
        self.stopped = False

    def poll(self) -> int:
        count = len(self._resyncs.peek(RESYNCS_PER_POLL))
        self._resyncs.release(count)
        return count

    def begin_stop(self) -> None:
        self.stopped = True
