"""risk: the daemon that trusts nobody. Its own venue session, its own position; LEASE, COMMAND and KILL out.

It works while every other process of the pipeline is stopped: everything it needs to cancel all orders is
its own key, its own connection and the venue.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
from loguru import logger

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import Reason, StageId
from mmpipe.records import HEARTBEAT, LEASE, REPORT
from mmpipe.risk.daemon import RiskDaemon
from mmpipe.venue.port import OrderPort
from stages import topology
from stages.context import Context
from stages.control import ControlServer
from stages.kill_switch import KillSwitch
from stages.latch import Latch
from stages.order_port import order_port
from stages.outbox import Outbox
from stages.ports import Ports
from stages.runner import run_process

REPORTS_PER_POLL = 256
RENEWALS_PER_LEASE = 4  # three may come late before execution has none
WATCHED = tuple(stage for stage in topology.BEATING if stage != StageId.RISK)


class RiskStage:
    """Shell around `RiskDaemon`: feeds it, and carries out what it decides."""

    wake: Callable[[], None]

    def __init__(self, context: Context, ports: Ports, clock: Clock, port: OrderPort | None = None) -> None:
        self._clock, self._ports = clock, ports
        self._config = context.config
        self._switch = KillSwitch(Latch.of_instance(self._config), ports.cells_out["kill"][0], clock)
        self._daemon = RiskDaemon(self._config, context.instruments)
        self.counters = self._daemon.counters
        self._daemon.kill(self._switch.latched_reason)
        self._port = port or order_port(context, StageId.RISK, clock, self._wake)
        self._reports, self._report_rows = ports.inputs["report_risk"], np.zeros(REPORTS_PER_POLL, REPORT)
        self._commands = Outbox(ports.outputs["command"])
        self._beats = np.zeros(len(StageId), HEARTBEAT)
        self._lease_row = np.zeros(1, LEASE)
        self._lease_row["epoch"] = clock.wall_ns()
        self._control = ControlServer(Path(context.runtime_dir) / "risk.sock", self._on_control)
        self._work, self._wait = (ports.histograms[f"{name}_us_risk"] for name in topology.HISTOGRAMS)
        self.stopped, self.due_ts_ns = False, 0
        self._renew_ns = self._config.risk.lease_ms * NS_PER_MS // RENEWALS_PER_LEASE
        self.wake = lambda: None

    async def connect(self, stop: asyncio.Event) -> None:
        """Run the daemon's own venue session and its control socket until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._port.run(stop))
            group.create_task(self._control.run(stop))

    def poll(self) -> int:
        """One duty cycle; returns the number of records consumed."""
        now_ns = self._clock.now_ns()
        self.due_ts_ns = now_ns + self._renew_ns
        answers = self._port.answers()
        if len(answers):
            self._daemon.on_answers(answers, now_ns)
        # Copied out: risk answers to its own venue session, and must not hold up who fills this ring.
        reports = self._report_rows[: self._reports.pop(self._report_rows)]
        if len(reports):
            self._wait.record(now_ns - int(reports["ts_ns"][0]))
            self._daemon.on_reports(reports, now_ns)
        for stage in WATCHED:
            self._ports.cells_in[topology.heartbeat_of(stage)][0].read(self._beats[stage : stage + 1])
        self._daemon.on_heartbeats(self._beats, now_ns)
        self._carry_out(now_ns)
        if len(reports):
            self._work.record(self._clock.now_ns() - now_ns)
        return len(answers) + len(reports)

    def begin_stop(self) -> None:
        """The last to stop: the supervisor has verified that nothing is open."""
        self.stopped = True

    def _carry_out(self, now_ns: int) -> None:
        decision = self._daemon.tick(now_ns)
        self._switch.throw(Reason(decision.kill))
        self._lease_row["ts_ns"], self._lease_row["expires_ts_ns"] = now_ns, decision.lease_expires_ts_ns
        self._ports.cells_out["lease"][0].write(self._lease_row)
        self._commands.flush()
        self._commands.offer(decision.commands)
        if decision.reconcile:
            self._port.reconcile()
        if decision.cancel_all:
            logger.warning("cancelling everything on risk's own session")
            self._port.cancel_all()
        for index in range(len(self._config.symbol)):
            self._ports.cells_out["risk_board"][index].write(self._daemon.board(index))

    def _on_control(self, request: dict[str, str]) -> dict[str, object]:
        if request.get("command") == "kill":
            self._daemon.kill(Reason.OPERATOR)
            self.wake()
            return {"ok": True, "detail": "KILL latched; everything is being cancelled on risk's own session"}
        if request.get("command") == "cancel_all":
            self._port.cancel_all()
            return {"ok": True, "detail": "cancel-all sent on risk's own session"}
        return {"ok": False, "detail": f"risk knows kill and cancel_all, not {request.get('command')!r}"}

    def _wake(self) -> None:
        self.wake()


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.RISK, instance, RiskStage, telemetry)
