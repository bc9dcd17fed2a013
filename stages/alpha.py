"""alpha: SNAPSHOT in, FORECAST out, hearing every snapshot, judging only the newest of each symbol."""

from pathlib import Path

from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import StageId
from stages.context import Context
from stages.outbox import Outbox
from stages.ports import Ports
from stages.runner import run_process
from stages.signal_socket import SOCKET_FILE, SignalInbox, SignalSocket

SNAPSHOTS_PER_POLL = 64
BOARD_INTERVAL_NS = 250 * NS_PER_MS


class AlphaStage:
    """Forecasts from the newest snapshots; what a backlog made old is heard, counted and not judged.

    Attributes
    ----------
    inbox : SignalInbox
        Where signals of a user's own models wait for the boundary of a batch.
    """

    def __init__(self, context: Context, ports: Ports, clock: Clock) -> None:
        config = context.config
        self._engine = ForecastEngine(config, context.instruments, context.removed)
        self.counters = self._engine.counters
        desk = ExternalDesk([symbol.coin for symbol in config.symbol], config.alpha.external_per_s_max)
        self.inbox = SignalInbox(desk, clock)
        self._snapshots = ports.inputs["snapshot"]
        self._params = ports.inputs["params_alpha"]
        self._forecasts = Outbox(ports.outputs["forecast"])
        self._predictions = Outbox(ports.outputs["prediction"])
        self._boards = ports.cells_out["alpha_board"]
        self._next_board_ns = 0
        self._clock = clock
        self._work = ports.histograms["work_us_alpha"]
        self._wait = ports.histograms["wait_us_alpha"]
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
        while (signal := self.inbox.take()) is not None:
            self._engine.on_external(signal)
        forecasts = self._engine.on_snapshots(snapshots)
        forecasts["made_ts_ns"] = self._clock.now_ns()
        self._forecasts.offer(forecasts)
        self._predictions.offer(self._engine.predictions())
        self._snapshots.release(count)
        self._work.record(self._clock.now_ns() - started_ns)
        if started_ns >= self._next_board_ns:
            self._next_board_ns = started_ns + BOARD_INTERVAL_NS
            self._show()
        return len(params) + count

    def begin_stop(self) -> None:
        """Nothing to bring to an end."""
        self.stopped = True

    def _show(self) -> None:
        desk = self.inbox.desk
        for symbol, board in enumerate(self._boards):
            board.write(self._engine.board(symbol, desk.accepted_count, desk.refused))


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process; it also listens for signals of a user's own models."""

    def build(context: Context, ports: Ports, clock: Clock) -> AlphaStage:
        stage = AlphaStage(context, ports, clock)
        SignalSocket(Path(context.runtime_dir) / SOCKET_FILE, stage.inbox).start()
        return stage

    run_process(StageId.ALPHA, instance, build, telemetry)
