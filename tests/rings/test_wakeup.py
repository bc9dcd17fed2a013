"""A sleeper in another process is always woken, whenever the record falls."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ringbuf import Consumer, Doorbell, Idle, Producer, Segment
from ringbuf.syscalls import can_wait_on_words
from tests.rings.traffic import RECORD

ROUNDS = 20_000
LOST_S = 5.0  # a wake-up takes microseconds; this long means it will never come


@pytest.mark.parametrize("on", ["words", "bell"])
def test_no_wakeup_is_lost_however_the_record_meets_the_sleep(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], tmp_path: Path, on: str
) -> None:
    if on == "words" and not can_wait_on_words():
        pytest.skip("this system cannot wait for several words; stages sleep on doorbells")
    there, back = create(8), create(8)
    bell, peer_bell = Doorbell.create(tmp_path / "bell"), Doorbell.create(tmp_path / "peer.bell")
    peer("echo", there.name, back.name, peer_bell.path, bell.path, ROUNDS, on)
    producer, consumer = Producer(there, peer_bell), Consumer(back)
    idle, row = Idle("park", [consumer], bell), np.zeros(1, RECORD)
    idle.on_words = on == "words"
    chance = random.Random(7)
    while there.consumer.pid == 0:  # until the peer is up
        idle.wait(0.01)
    for round_number in range(ROUNDS):
        assert producer.push(row) == 1
        # Sometimes look at once, sometimes when the answer is about to come or has come.
        until_ns = time.perf_counter_ns() + chance.choice((0, 0, 5_000, 20_000, 60_000))
        while time.perf_counter_ns() < until_ns:
            pass
        deadline_s = time.monotonic() + LOST_S
        while len(consumer.peek(1)) == 0:
            idle.wait(LOST_S)
            assert time.monotonic() < deadline_s, f"wake-up {round_number} was lost"
        consumer.release(1)
    bell.close()
    peer_bell.close()


def test_without_a_bell_the_sleeper_sleeps_on(create: Callable[..., Segment], tmp_path: Path) -> None:
    # The negative control: what the test above would see if the writer forgot to ring.
    ring, bell = create(8), Doorbell.create(tmp_path / "bell")
    producer, consumer = Producer(ring), Consumer(ring)
    idle = Idle("park", [consumer], bell)
    assert idle.park()
    producer.push(np.zeros(1, RECORD))
    assert not idle._poll.poll(20)
    idle.unpark()
    assert idle.wait(LOST_S)
    bell.close()
