"""The duty cycle: poll, wait, give sockets their turn, stop when told; and whose sources run."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mmpipe import config as configuration
from mmpipe.enums import StageId
from mmpipe.errors import PreflightError
from ringbuf import Consumer, Doorbell, Idle, Producer, Segment
from ringbuf.jit import SOURCE_DIGEST
from stages import runner
from stages.context import Context
from tests.ringbuf.memory import RECORD, ROOT, rows

TIMEOUT_S = 0.005


class Asked:
    """A stop that was asked for from the beginning; also stands for beat and log shipper."""

    asked = told = True
    leave_s, longest_s = float("inf"), 0.0
    dropped = 0
    touched = 0

    def touch(self, counters: np.ndarray, dropped: int) -> None:
        self.touched += 1


class Reader:
    """A stage that reads a ring and stops after so many records."""

    def __init__(self, ring: Segment, last: int, busy: bool = False) -> None:
        self.counters = np.zeros(1, np.int64)
        self.consumer, self.seen, self.polls = Consumer(ring), 0, 0
        self._last, self._busy = last, busy
        self.wake: Callable[[], None] = lambda: None
        self.due_ts_ns = 1 << 62
        self.connected = asyncio.Event()

    @property
    def stopped(self) -> bool:
        return self.seen >= self._last

    def begin_stop(self) -> None:
        raise AssertionError("it was told before")

    def poll(self) -> int:
        self.polls += 1
        count = len(self.consumer.peek(64))
        self.consumer.release(count)
        self.seen += count
        return 1 if self._busy else count


@pytest.fixture
def ring() -> Segment:
    return Segment.local(RECORD, 8)


def test_a_plain_stage_polls_until_it_has_stopped_and_beats_in_every_turn(ring: Segment) -> None:
    producer, stage, beat = Producer(ring), Reader(ring, 3), Asked()
    producer.push(rows(1.0, 2.0, 3.0))
    runner.duty_cycle(stage, beat, Idle("park", [stage.consumer], None), TIMEOUT_S, Asked(), Asked())  # type: ignore[arg-type]
    assert stage.seen == 3
    assert beat.touched == stage.polls == 1


def test_a_stage_that_cannot_stop_leaves_in_the_end(ring: Segment) -> None:
    stage, asked = Reader(ring, 1), Asked()
    asked.leave_s = time.monotonic() + 10 * TIMEOUT_S
    runner.duty_cycle(stage, Asked(), Idle("park", [stage.consumer], None), TIMEOUT_S, asked, asked)  # type: ignore[arg-type]
    assert not stage.stopped
    assert time.monotonic() >= asked.leave_s


def test_an_idle_stage_beats_at_the_timeout_without_a_record(ring: Segment) -> None:
    producer, stage, beat = Producer(ring), Reader(ring, 1), Asked()

    class Patient(Asked):
        def touch(self, counters: np.ndarray, dropped: int) -> None:
            self.touched += 1
            if self.touched == 4:
                producer.push(rows(1.0))

    beat = Patient()
    runner.duty_cycle(stage, beat, Idle("park", [stage.consumer], None), TIMEOUT_S, Asked(), Asked())  # type: ignore[arg-type]
    assert beat.touched >= 5


@pytest.mark.parametrize("busy", [False, True])
def test_sockets_have_their_turn_and_a_ring_wakes_the_loop(ring: Segment, tmp_path: Path, busy: bool) -> None:
    bell = Doorbell.create(tmp_path / "bell")
    producer, stage = Producer(ring, bell), Reader(ring, 2, busy)
    turns = 0

    async def connect(stop: asyncio.Event) -> None:
        nonlocal turns
        producer.push(rows(1.0))
        for _ in range(20):
            await asyncio.sleep(0)
            turns += 1
        producer.push(rows(2.0))
        await stop.wait()

    socketed: Any = stage
    socketed.connect = connect
    idle = Idle("park", [stage.consumer], bell)
    cycle = runner.duty_cycle_with_sockets(socketed, Asked(), idle, TIMEOUT_S, Asked(), Asked())  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(cycle, 20.0))
    bell.close()
    assert turns == 20
    assert stage.seen == 2


def test_a_stage_that_is_due_is_polled_then_and_not_before(ring: Segment, tmp_path: Path) -> None:
    bell = Doorbell.create(tmp_path / "bell")

    class Due(Reader):
        def poll(self) -> int:
            self.polls += 1
            self.seen += time.monotonic_ns() >= self.due_ts_ns
            return 0

    stage: Any = Due(ring, 1)
    stage.connect = lambda stop: stop.wait()
    idle = Idle("park", [stage.consumer], bell)
    stage.due_ts_ns = time.monotonic_ns() + 50_000_000
    cycle = runner.duty_cycle_with_sockets(stage, Asked(), idle, 3600.0, Asked(), Asked())  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(cycle, 20.0))
    bell.close()
    assert stage.polls <= 3  # when it began, when it was due, and once for a timer that was early


def test_an_alarm_waits_for_the_earliest_time_it_was_set_to() -> None:
    async def rings(times_s: tuple[float, ...]) -> float:
        begin_s, rung = time.monotonic(), asyncio.Event()
        alarm = runner.Alarm(asyncio.get_running_loop(), rung.set)
        for time_s in times_s:
            alarm.set(int((begin_s + time_s) * 1e9), 3600.0)
        await asyncio.wait_for(rung.wait(), 20.0)
        return time.monotonic() - begin_s

    for times_s in ((0.05, 3000.0), (3000.0, 0.05), (0.05,)):
        assert asyncio.run(rings(times_s)) >= 0.05


def test_connections_that_end_by_themselves_end_the_stage(ring: Segment, tmp_path: Path) -> None:
    bell = Doorbell.create(tmp_path / "bell")
    stage: Any = Reader(ring, 1)

    async def connect(stop: asyncio.Event) -> None:
        return None

    stage.connect = connect
    idle = Idle("park", [stage.consumer], bell)
    cycle = runner.duty_cycle_with_sockets(stage, Asked(), idle, TIMEOUT_S, Asked(), Asked())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="ended by themselves"):
        asyncio.run(asyncio.wait_for(cycle, 20.0))
    bell.close()


def test_a_stage_of_other_sources_is_refused(tmp_path: Path) -> None:
    config = configuration.load(ROOT / "pipeline.toml")
    other = "0" * len(SOURCE_DIGEST)
    context = Context(
        config_tree=msgspec.to_builtins(config), instruments_hex="", venue_url="", feed_url="",
        lead_public_url="",
        lead_market_url="", lead_rest_url="", execution_key_hex="", risk_key_hex="", account="",
        run_dir=str(tmp_path),
        runtime_dir=str(tmp_path), started_wall_ns=0, digest=other,
    )  # fmt: skip

    def build(*arguments: object) -> None:
        raise AssertionError("a stage of other sources must not be built")

    with pytest.raises(PreflightError, match="sources"):
        runner._live(StageId.FEATURES, context, build, Asked())  # type: ignore[arg-type]
