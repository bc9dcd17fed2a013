"""execution: FORECAST in, orders out; the venue's answers in, REPORT out.

What is intended is durable in the journal before it is sent, and the gate (KILL, LEASE) is read again
between the two. A ring of reports that is full stops the quoting; it never loses a fill.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import StageId
from mmpipe.execution.executor import Executor
from mmpipe.venue.port import OrderPort
from stages.context import Context
from stages.gate import Gate
from stages.newest import newest_per_symbol
from stages.order_desk import OrderDesk
from stages.order_port import order_port
from stages.out_tray import OutTray
from stages.ports import Ports
from stages.runner import run_process

ROWS_PER_POLL = 64
TIMER_NS = 50 * NS_PER_MS


class ExecutionStage:
    """Owns the orders of one account."""

    wake: Callable[[], None]

    def __init__(self, context: Context, ports: Ports, clock: Clock, port: OrderPort | None = None) -> None:
        self.wake = lambda: None
        self._clock = clock
        self._port = port or order_port(context, StageId.EXECUTION, clock, lambda: self.wake())
        self._gate, self._tray = Gate(ports), OutTray(ports)
        self._desk = OrderDesk(
            Path(context.run_dir), self._port, self._gate, clock, ports.histograms["tick_to_order"]
        )
        self._executor = Executor(context.config, context.instruments, self._desk.epoch, context.models())
        self.counters = self._executor.counters
        self._desk.restore(self._executor)
        self._forecasts = ports.inputs["forecast"]
        self._side_inputs = (
            (ports.inputs["params_execution"], self._executor.on_params),
            (ports.inputs["command"], self._executor.on_command),
        )
        self._boards = ports.cells_out["board"]
        self._work = ports.histograms["work_us_execution"]
        self._wait = ports.histograms["wait_us_execution"]
        self.due_ts_ns = 0  # of the next look at what time alone does

    @property
    def stopped(self) -> bool:
        """True when no order of ours is open or unknown any more."""
        return bool(self._executor.stopped)

    def begin_stop(self) -> None:
        """Place nothing more and cancel what rests."""
        self._executor.begin_stop()

    async def connect(self, stop: asyncio.Event) -> None:
        """Run the venue session until `stop`."""
        await self._port.run(stop)

    def poll(self) -> int:
        """One duty cycle; returns the number of records consumed."""
        killed, lease_ts_ns = self._gate.read()
        self._executor.on_gate(killed, lease_ts_ns)
        work = 0
        for ring, take in self._side_inputs:
            rows = ring.peek(ROWS_PER_POLL)
            if len(rows):
                take(rows)
                ring.release(len(rows))
                work += len(rows)
        answers = self._desk.answers()
        if len(answers):
            self._executor.on_answers(answers, self._clock.now_ns())
        work += len(answers) + self._read_forecasts()
        now_ns = self._clock.now_ns()
        if now_ns >= self.due_ts_ns:
            self.due_ts_ns = now_ns + TIMER_NS
            self._executor.on_timer(now_ns)
            self._desk.query(self._executor.unknown_order_ids(now_ns))
            if self._executor.wants_reconciliation(now_ns):
                self._port.reconcile()
            for index, board in enumerate(self._boards):
                board.write(self._executor.board(index))
        if now_ns < lease_ts_ns:
            self.due_ts_ns = min(self.due_ts_ns, lease_ts_ns)  # without it everything is cancelled at once
        self._desk.send(self._executor)
        full = self._tray.publish(self._executor.reports(), self._executor.fill_contexts())
        self._executor.on_backpressure(full)
        return work

    def _read_forecasts(self) -> int:
        forecasts = self._forecasts.peek(ROWS_PER_POLL)
        count = len(forecasts)
        if count == 0:
            return 0
        started_ns = self._clock.now_ns()
        self._wait.record(started_ns - int(forecasts["made_ts_ns"][0]))
        newest = newest_per_symbol(forecasts)
        for index in range(len(newest)):
            self._executor.on_forecast(newest[index : index + 1], started_ns)
        self._forecasts.release(count)
        self._work.record(self._clock.now_ns() - started_ns)
        return count


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.EXECUTION, instance, ExecutionStage, telemetry)
