"""Waiting: the right strategy, no sleep over a record, no busy sleep."""

import os
import select
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ringbuf import Consumer, Doorbell, Idle, Producer, Segment, Strategy, layout
from ringbuf.idle import BUSY_BELOW_NS, NS_PER_S, YIELDS_MAX, any_ready, resolve
from ringbuf.syscalls import can_wait_on_words
from tests.ringbuf.memory import RECORD, rows

LONG_S = 30.0
SHORT_S = 0.01


class Wired:
    """Two rings into one stage with one bell."""

    def __init__(self, path: Path) -> None:
        self.bell = Doorbell.create(path)
        self.rings = [Segment.local(RECORD, 8) for _ in range(2)]
        self.producers = [Producer(ring, self.bell) for ring in self.rings]
        self.consumers = [Consumer(ring) for ring in self.rings]
        self.bell.drain()

    def parked(self, which: int) -> int:
        return int(self.rings[which].words[layout.AT_PARKED // 8])

    def idle(self, strategy: str) -> Idle:
        return Idle(strategy, self.consumers, self.bell)


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    made = Wired(tmp_path / "bell")
    yield made
    made.bell.close()


@pytest.mark.parametrize(
    ("cores", "spinners", "expected"),
    [(2, 5, "yield"), (5, 5, "yield"), (6, 5, "spin"), (2, 1, "spin"), (1, 1, "yield")],
)
def test_auto_spins_only_with_a_core_to_spare(cores: int, spinners: int, expected: str) -> None:
    assert resolve("auto", cores, spinners) == expected


@pytest.mark.parametrize("strategy", ["spin", "yield", "park"])
def test_a_named_strategy_stays(strategy: str) -> None:
    assert resolve(strategy, 1, 99) == Strategy(strategy)


def test_unknown_and_unresolved_strategies_are_refused(wired: Wired) -> None:
    with pytest.raises(ValueError, match="nap"):
        resolve("nap", 1, 1)
    with pytest.raises(ValueError, match="resolve"):
        wired.idle("auto")
    with pytest.raises(ValueError, match="doorbell"):
        Idle("park", [], None)
    with pytest.raises(ValueError, match="doorbell"):
        Idle("spin", wired.consumers, None).fileno()


@pytest.fixture(params=["spin", "yield", "park", "park on the bell"])
def idle(wired: Wired, request: pytest.FixtureRequest) -> Idle:
    made = wired.idle(request.param.split()[0])
    made.on_words = made.on_words and "bell" not in request.param
    return made


@pytest.mark.parametrize("which", [0, 1])
def test_a_record_on_any_input_ends_the_wait_at_once(wired: Wired, idle: Idle, which: int) -> None:
    wired.producers[which].push(rows(1.0))
    started_s = time.monotonic()
    assert idle.wait(LONG_S)
    assert time.monotonic() - started_s < LONG_S / 2


def test_without_a_record_the_time_runs_out(idle: Idle) -> None:
    started_s = time.monotonic()
    assert not idle.wait(SHORT_S)
    assert time.monotonic() - started_s >= SHORT_S * 0.9


@pytest.mark.parametrize("which", [0, 1])
def test_a_sleeper_wakes_when_a_record_comes(wired: Wired, idle: Idle, which: int) -> None:
    ended: list[tuple[bool, float]] = []
    started_s = time.monotonic()

    def sleep() -> None:
        ended.append((idle.wait(LONG_S), time.monotonic()))

    sleeper = threading.Thread(target=sleep)
    sleeper.start()
    while idle.strategy != "spin" and wired.parked(which) == layout.AWAKE:
        assert time.monotonic() - started_s < LONG_S / 2
    wired.producers[which].push(rows(1.0))
    sleeper.join()
    assert ended[0][0]
    assert ended[0][1] - started_s < LONG_S / 2
    assert wired.parked(which) == layout.AWAKE


def test_a_sleeper_says_on_what_it_sleeps(wired: Wired) -> None:
    on_words, on_bell = wired.idle("park"), wired.idle("park")
    assert on_words.on_words == can_wait_on_words()
    assert on_bell.park()
    assert wired.parked(0) == layout.PARKED_ON_BELL
    on_bell.unpark()
    assert wired.parked(0) == layout.AWAKE


def test_yielding_is_for_busy_rings_only(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    idle, now = wired.idle("yield"), [NS_PER_S]
    stayed: list[int] = []
    monkeypatch.setattr(idle, "_stay", lambda bases, rounds: stayed.append(rounds))
    monkeypatch.setattr(time, "monotonic_ns", lambda: now[0])
    wired.producers[0].push(rows(*range(8)))
    for gap_ns in (
        BUSY_BELOW_NS,
        BUSY_BELOW_NS - 1,
    ):  # the first two records come slowly, the third soon after
        assert idle.wait(LONG_S)
        now[0] += gap_ns
    assert stayed == []
    assert idle.wait(LONG_S)
    assert stayed == []
    assert idle.wait(LONG_S)  # now it is known to be busy
    assert stayed == [YIELDS_MAX]
    now[0] += 10 * BUSY_BELOW_NS
    assert idle.wait(LONG_S)
    assert len(stayed) == 2
    assert idle.wait(LONG_S)  # the last one came late
    assert len(stayed) == 2


def test_a_parked_stage_is_woken_through_its_descriptor(wired: Wired) -> None:
    idle = wired.idle("park")
    assert idle.park()
    assert not select.select([idle], [], [], 0)[0]
    wired.producers[1].push(rows(1.0))
    assert select.select([idle], [], [], LONG_S)[0]
    idle.unpark()
    assert not select.select([idle], [], [], 0)[0]
    assert not idle.park()


def test_only_the_first_record_rings_a_sleeper(wired: Wired) -> None:
    idle = wired.idle("park")
    assert idle.park()
    for _ in range(3):
        wired.producers[0].push(rows(1.0))
    wired.producers[1].push(rows(1.0))
    assert len(os.read(idle.fileno(), 100)) == 2


def test_an_awake_stage_is_not_rung(wired: Wired) -> None:
    idle = wired.idle("park")
    assert idle.park()
    idle.unpark()
    idle.unpark()
    wired.producers[0].push(rows(1.0))
    assert not select.select([idle], [], [], 0)[0]


def test_a_stage_without_inputs_sleeps_on_its_bell(wired: Wired) -> None:
    idle = Idle("park", [], wired.bell)
    assert not idle.wait(SHORT_S)
    wired.bell.ring()
    assert idle.wait(LONG_S)


def test_parking_burns_no_processor_time(wired: Wired) -> None:
    idle = wired.idle("park")
    idle.wait(0.0)
    before_s = time.process_time()
    idle.wait(0.2)
    assert time.process_time() - before_s < 0.05


def test_readiness_is_that_of_the_next_record_not_of_a_past_one(wired: Wired) -> None:
    bases = np.array([consumer.base for consumer in wired.consumers])
    assert not any_ready(bases)
    wired.producers[1].push(rows(*range(8)))
    assert any_ready(bases)
    wired.consumers[1].release(8)
    assert not any_ready(bases)
