"""The tap over private rings: names, what it prints, what it missed, when it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmpipe import records
from mmpipe.clock import VirtualClock
from mmpipe.commands.tap import (
    LINES_PER_LOOK,
    Source,
    Tap,
    TapOptions,
    named_segments,
    open_sources,
    tap_ring,
)
from mmpipe.dashboard.record_view import RecordView
from mmpipe.errors import UsageError
from ringbuf import CellWriter, Consumer, Producer, Segment
from ringbuf.layout import CELL_SLOTS, KIND_CELL
from stages import topology

COINS = ("BTC", "ETH")
ROOT = Path(__file__).resolve().parents[3]

# A tap that always has something to say, on a ring of its own process.
ENDLESS = """
from tests.mmpipe.commands.test_tap import Tapped
from mmpipe.commands.tap import watch
tapped = Tapped(say=print)
look = tapped.tap.look
def publish_and_look():
    tapped.publish(0, 1)
    return look()
tapped.tap.look = publish_and_look
watch(tapped.tap, 1_000.0)
"""


class Tapped:
    """An EVENT ring and a tap on it."""

    def __init__(
        self, slots: int = 256, segment: Segment | None = None, say: object = None, **options: object
    ) -> None:
        self.segment = segment or Segment.local(records.EVENT, slots)
        self.producer, self.consumer = Producer(self.segment), Consumer(self.segment)
        self.said: list[str] = []
        chosen = {"ring": "event", "filters": (), "as_json": True, "hz": 10.0, "count": 0} | options
        view = RecordView(records.EVENT, COINS)
        source, say = Source(self.segment), say or self.said.append
        self.tap = Tap([source], view, TapOptions(**chosen), VirtualClock(), say)

    def publish(self, *symbols: int) -> None:
        rows = np.zeros(len(symbols), records.EVENT)
        rows["symbol"] = symbols
        assert self.producer.push(rows) == len(rows)
        self.consumer.release(len(rows))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("snapshot", ["snapshot"]),
        ("Snapshots", ["snapshot"]),
        ("reports", ["report_risk"]),
        ("report_learner", ["report_learner"]),
        ("board", ["board.0", "board.1"]),
        ("board.1", ["board.1"]),
        ("leases", ["lease"]),
        ("nothing", []),
    ],
)
def test_a_name_or_its_plural_is_found(wanted: str, found: list[str]) -> None:
    assert [name for name, _, _ in named_segments(wanted, 2)] == found


def test_every_ring_and_cell_of_the_topology_can_be_tapped() -> None:
    for part in (*topology.RINGS, *topology.CELLS):
        assert named_segments(part.name, 2)
        RecordView(part.dtype, COINS)


def test_an_unknown_name_rate_and_count_are_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"event, snapshot.*lease"):
        open_sources("none.", "nothing", 2)
    for hz in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="--hz"):
            tap_ring("nobody", TapOptions("event", (), False, hz, 0))
    with pytest.raises(UsageError, match="--count"):
        tap_ring("nobody", TapOptions("event", (), False, 10.0, -1))


def test_every_record_is_one_line_of_json_and_only_those_that_pass() -> None:
    tapped = Tapped(filters=("symbol=ETH",))
    tapped.publish(0, 1, 1, 0, 1)
    assert tapped.tap.look()
    shown = [json.loads(line) for line in tapped.said]
    assert [record["seq"] for record in shown] == [2, 3, 5]
    assert {record["symbol"] for record in shown} == {"ETH"}
    tapped.publish(0)
    tapped.tap.look()
    assert len(tapped.said) == 3


def test_it_says_how_many_it_missed_when_the_writer_lapped_it() -> None:
    tapped = Tapped(slots=4)
    for _ in range(3):
        tapped.publish(0, 1, 0, 1)
    tapped.tap.look()
    assert json.loads(tapped.said[0]) == {"missed": 8}
    assert [json.loads(line)["seq"] for line in tapped.said[1:]] == [9, 10, 11, 12]


def test_a_person_gets_the_newest_and_the_number_of_the_others() -> None:
    tapped = Tapped(as_json=False)
    for _ in range(10):
        tapped.publish(*[0] * 10)
    tapped.tap.look()
    assert len(tapped.said) == LINES_PER_LOOK + 1
    assert "50 records" in tapped.said[0]
    assert "#100 " in tapped.said[-1]


def test_it_ends_after_the_count() -> None:
    tapped = Tapped(count=3)
    tapped.publish(0, 0)
    assert tapped.tap.look()
    tapped.publish(0, 0)
    assert not tapped.tap.look()
    assert len(tapped.said) == 3


def test_it_ends_with_the_process_that_made_the_ring() -> None:
    tapped = Tapped()
    tapped.publish(0)
    tapped.segment.words[7] = 1 << 22  # OWNER_PID: no process has it
    assert not tapped.tap.look()
    assert len(tapped.said) == 1  # what was there is still shown


@pytest.fixture
def shared() -> Iterator[Segment]:
    """A ring with a name, as a pipeline has it."""
    segment = Segment.create(f"mmpipe.{os.getuid()}.test-{os.getpid()}-tap.event", records.EVENT, 64)
    yield segment
    segment.unlink()
    segment.close()


def test_it_ends_when_a_stop_is_asked_for(shared: Segment) -> None:
    tapped = Tapped(segment=shared)
    assert tapped.tap.look()
    tapped.publish(0)
    shared.request_stop()
    assert not tapped.tap.look()
    assert len(tapped.said) == 1


def test_it_ends_when_the_name_is_gone_or_of_another_pipeline(shared: Segment) -> None:
    tapped, gone = Tapped(segment=shared), Tapped(segment=shared)
    assert tapped.tap.look()
    shared.unlink()
    assert not gone.tap.look()
    restarted = Segment.create(shared.name, records.EVENT, 64)  # removed by the fixture: it has the name
    assert not tapped.tap.look()
    restarted.close()


def test_it_ends_quietly_when_nobody_reads_what_it_prints() -> None:
    # Unbuffered, nothing would be left to flush at the exit, where the trouble is.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            assert json.loads(process.stdout.readline())["seq"] == 1
            process.stdout.close()
            assert process.wait(60.0) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()  # one that does not end would be waited for


def test_a_cell_is_shown_when_it_changes() -> None:
    segment = Segment.local(records.LEASE, CELL_SLOTS, KIND_CELL)
    writer, row, said = CellWriter(segment), np.zeros(1, records.LEASE), []
    options = TapOptions("lease", (), True, 10.0, 0)
    tap = Tap([Source(segment)], RecordView(records.LEASE, COINS), options, VirtualClock(), said.append)
    tap.look()
    for epoch in (1, 2):
        row["epoch"] = epoch
        writer.write(row)
        tap.look()
        tap.look()
    assert [json.loads(line)["epoch"] for line in said] == [1, 2]
