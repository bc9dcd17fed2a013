"""A tap on a real line: records in order, and the line does not notice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.line.line import ROOT, Line, running_line

BACKLOG_MAX = 64  # a quarter of the smallest of these rings


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with running_line(tmp_path_factory.mktemp("tapped"), "tapped") as running:
        running.await_ready()
        yield running


def tap(line: Line, *arguments: str, out: Any = subprocess.PIPE) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "mmpipe.cli", "tap", *arguments, "--instance", line.name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, env=environment)


def records(line: Line, *arguments: str) -> list[dict[str, Any]]:
    process = tap(line, *arguments, "--json")
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return [json.loads(text) for text in out.splitlines()]


def test_snapshots_come_in_order_and_by_symbol(line: Line) -> None:
    shown = records(line, "snapshots", "--count", "20", "--filter", "symbol=ETH")
    assert len(shown) == 20
    assert {record["symbol"] for record in shown} == {"ETH"}
    numbers = [record["seq"] for record in shown]
    assert numbers == sorted(set(numbers))
    assert all(record["made_ts_ns"] >= record["cause_ts_ns"] > 0 for record in shown)


def test_the_line_does_not_notice_a_tap(line: Line, tmp_path: Path) -> None:
    reader = line.reader()
    before = reader.status()
    shown = tmp_path / "events.json"
    with shown.open("w") as out:  # a pipe that nobody reads would stop the tap
        process = tap(line, "events", "--json", "--hz", "200", out=out)
    backlogs: list[int] = []

    def looked_long_enough() -> bool:
        status = reader.status()
        backlogs.append(max(status["rings"][name]["backlog"] for name in ("snapshot", "forecast")))
        shown_count = len(shown.read_text().splitlines())  # the tap takes a second to begin
        return status["counters"]["events"] > before["counters"]["events"] + 3_000 and shown_count > 1_000

    line.await_true(looked_long_enough, 60.0, "events while tapped")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert errors == ""
    assert sorted(backlogs)[len(backlogs) // 2] <= BACKLOG_MAX
    assert reader.status()["counters"]["ring_drops"] == before["counters"]["ring_drops"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing"], 2, "rings: event"),
        (["events", "--filter", "symbol=XRP"], 2, "BTC, ETH"),
        (["events", "--hz", "0"], 2, "--hz"),
    ],
)
def test_what_does_not_exist_is_refused(line: Line, arguments: list[str], code: int, says: str) -> None:
    process = tap(line, *arguments)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert says in errors
    assert "Traceback" not in errors


def test_it_ends_with_the_line(tmp_path: Path) -> None:
    with running_line(tmp_path, "tapped-until-the-end") as running:
        running.await_ready()
        process = tap(running, "events", "--json")
        assert process.stdout is not None
        process.stdout.readline()
        running.stop()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "the pipeline has stopped" in errors
