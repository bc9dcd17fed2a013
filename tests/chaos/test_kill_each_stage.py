"""kill -9 of each stage in turn: the line comes back or halts with a reason, and positions still agree."""

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from stages import topology
from tests.line.line import agree, running_line

pytestmark = pytest.mark.timeout(420)

STAGES = [stage.name.lower() for stage in topology.BEATING]


def test_every_stage_can_be_killed_and_the_line_trades_on(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-chaos") as line:
        reader = line.await_ready()
        line.await_true(lambda: reader.status()["counters"]["fills"] > 0, 90, "a first fill")
        for name in STAGES:
            before = reader.status()["stages"][name]["pid"]
            os.kill(before, signal.SIGKILL)

            def is_back(name: str = name, before: int = before) -> bool:
                beat = reader.status()["stages"][name]
                return beat["pid"] != before and beat["heartbeat_age_ms"] < 500

            line.await_true(is_back, 60, f"{name} is back")
            orders = reader.status()["counters"]["orders"]
            line.await_true(
                lambda orders=orders: reader.status()["counters"]["orders"] != orders,
                60,
                f"orders after {name}",
            )
        status = line.stop()
        assert line.process.returncode == 0, line.stderr() + line.log()
        assert status["counters"]["restarts"] == len(STAGES)
        assert status["open_orders_at_exit"] == 0
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
        assert line.segments() == []


def test_a_killed_tree_leaves_segments_that_the_next_start_removes(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-tree") as line:
        line.await_ready()
        tree = [
            line.process.pid,
            *(child.pid for child in psutil.Process(line.process.pid).children(recursive=True)),
        ]
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        for pid in tree:
            os.kill(pid, signal.SIGKILL)
        line.process.wait(10)
        assert line.segments()
    with running_line(tmp_path, "test-tree", "--duration", "3") as line:
        status = line.wait(300)
        assert status["open_orders_at_exit"] == 0
        assert line.segments() == []


def test_stages_end_by_themselves_after_their_supervisor_and_the_venue_were_killed(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-orphans") as line:
        reader = line.await_ready()
        line.await_true(lambda: reader.status()["counters"]["orders"] > 0, 60, "an order")
        children = psutil.Process(line.process.pid).children(recursive=True)
        venue = [child for child in children if int(child.pid) not in pids_of(reader)]
        line.process.kill()
        for child in venue:
            child.kill()  # nobody answers the cancels any more
        line.process.wait(10)
        _, alive = psutil.wait_procs(children, timeout=40)
        assert [child.pid for child in alive] == []
    with running_line(tmp_path, "test-orphans", "--duration", "3") as line:
        assert line.wait(300)["open_orders_at_exit"] == 0
        assert line.segments() == []


def pids_of(reader: Any) -> set[int]:
    return {int(stage["pid"]) for stage in reader.status()["stages"].values()}


def test_a_hung_execution_is_cancelled_by_risk_and_replaced(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-hung") as line:
        reader = line.await_ready()
        line.await_true(lambda: reader.status()["counters"]["orders"] > 0, 60, "an order")
        pid = reader.status()["stages"]["execution"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        line.await_true(lambda: bool(reader.status()["risk"]["paused"]), 10, "risk pauses")
        line.await_true(
            lambda: all(int(reader.cell(f"risk_board.{index}")["open_orders"]) == 0 for index in range(2)),
            10, "risk's own session sees nothing open",
        )  # fmt: skip
        line.await_true(
            lambda: reader.status()["stages"]["execution"]["pid"] != pid, 60, "execution is replaced"
        )
        status = line.stop()
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
        assert status["open_orders_at_exit"] == 0
