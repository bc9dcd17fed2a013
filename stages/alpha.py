"""alpha: SNAPSHOT in, FORECAST out, judging only the newest snapshot of each symbol."""

import numpy as np

from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.clock import Clock
from mmpipe.enums import Counter, StageId
from stages.context import Context
from stages.newest import newest_per_symbol
from stages.outbox import Outbox
from stages.ports import Ports
from stages.runner import run_process

SNAPSHOTS_PER_POLL = 64


class AlphaStage:
    """Forecasts from the newest snapshots; what a backlog made old is counted and skipped."""

    def __init__(self, context: Context, ports: Ports, clock: Clock) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self._engine = ForecastEngine(context.config, context.instruments)
        self._snapshots = ports.inputs["snapshot"]
        self._params = ports.inputs["params_alpha"]
        self._forecasts = Outbox(ports.outputs["forecast"])
        self._predictions = Outbox(ports.outputs["prediction"])
        self._clock = clock
        self._work = ports.histograms["work_us_alpha"]
        self._wait = ports.histograms["wait_us_alpha"]
        self._skipped = 0
        self.stopped = False

    def poll(self) -> int:
        """One duty cycle; returns the number of records consumed."""
        params = self._params.peek(SNAPSHOTS_PER_POLL)
        if len(params):
            self._engine.on_params(params)
            self._params.release(len(params))
        if not (self._forecasts.flush() and self._predictions.flush()):
            return len(params)
        snapshots = self._snapshots.peek(SNAPSHOTS_PER_POLL)
        count = len(snapshots)
        if count == 0:
            return len(params)
        started_ns = self._clock.now_ns()
        self._wait.record(started_ns - int(snapshots["made_ts_ns"][0]))
        newest = newest_per_symbol(snapshots)
        self._skipped += count - len(newest)
        forecasts = self._engine.on_snapshots(newest)
        forecasts["made_ts_ns"] = self._clock.now_ns()
        self._forecasts.offer(forecasts)
        self._predictions.offer(self._engine.predictions())
        self._snapshots.release(count)
        np.copyto(self.counters, self._engine.counters)
        self.counters[Counter.SKIPPED_STALE] = self._skipped
        self._work.record(self._clock.now_ns() - started_ns)
        return len(params) + count

    def begin_stop(self) -> None:
        """Nothing to bring to an end."""
        self.stopped = True


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.ALPHA, instance, AlphaStage, telemetry)
