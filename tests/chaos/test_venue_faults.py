"""The venue misbehaves under a running line: what it says is wrong or missing, what is true still agrees."""

from pathlib import Path
from typing import Any

import pytest

from stages.context import runtime_dir
from stages.control import ask
from stages.venue import SOCKET
from tests.line.line import agree, running_line

pytestmark = [pytest.mark.long, pytest.mark.timeout(420)]  # chances, and a minute

STORM: list[dict[str, Any]] = [
    {"do": "answer_lost", "probability": 0.2, "for_s": 12},
    {"do": "error_executed", "probability": 0.2, "for_s": 12},
    {"do": "answer_late", "ms": 300, "probability": 0.3, "for_s": 12},
    {"do": "fills_late", "ms": 250, "probability": 0.3, "for_s": 12},
    {"do": "fills_twice", "probability": 0.5, "for_s": 12},
    {"do": "fills_shuffled", "probability": 0.5, "for_s": 12},
    {"do": "garbage", "probability": 0.02, "for_s": 12},
    {"do": "ghost_levels", "probability": 0.1, "for_s": 12},
    {"do": "drop_sockets", "count": 2, "for_s": 12},
    {"do": "lead_drop", "count": 1, "for_s": 12},
]


def test_after_a_storm_of_faults_every_record_of_the_position_agrees(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-storm") as line:
        reader = line.await_ready()
        line.await_true(lambda: reader.status()["counters"]["fills"] > 0, 90, "a first fill")
        control = runtime_dir("test-storm") / SOCKET
        for fault in STORM:
            assert ask(control, fault)["ok"] is True, fault
        line.await_true(lambda: not ask(control, {"do": "status"})["faults"], 60, "the storm is over")
        ledger = ask(control, {"do": "ledger"})["ledger"]
        struck = {row["fault"] for row in ledger if "on" not in row}
        assert {"answer_late", "garbage"} <= struck
        orders = reader.status()["counters"]["orders"]
        line.await_true(lambda: reader.status()["counters"]["orders"] > orders + 3, 90, "orders afterwards")
        status = line.stop()
        assert line.process.returncode == 0, line.stderr() + line.log()
        assert status["open_orders_at_exit"] == 0
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
