"""SIGKILL at random moments. Forbidden: a record torn or skipped. Allowed: one again, known by its `seq`."""

import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from ringbuf import Consumer, Producer, Segment
from ringbuf.layout import KIND_COUNTERS
from tests.rings.traffic import (
    DONE,
    DUPLICATES,
    ERRORS,
    LAST,
    RECORD_BYTES,
    STATE_WORDS,
    consume,
    new_state,
    produce,
    record,
    until,
)

# Records of a life at least, so that the kills met work. A life on a core of its own passes some hundred; on
# a shared one it passes what the ring holds and waits for the other side.
LIFE_RECORDS = 8
LONG = pytest.param(1_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])


@pytest.mark.parametrize("record_bytes", RECORD_BYTES)
@pytest.mark.parametrize("kills", [100, LONG])
def test_killed_writers_leave_no_torn_or_missing_record(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], kills: int, record_bytes: int
) -> None:
    ring = create(64, record(record_bytes))
    consumer, state = Consumer(ring), new_state(3)
    killer = peer("killed-producers", ring.name, record_bytes, kills)
    while killer.poll() is None:
        consume(consumer.base, state, 1 << 60, 16)
    head = int(killer.communicate()[0])
    until(lambda: consume(consumer.base, state, head, 16))
    assert state[ERRORS] == 0
    assert state[DONE] == consumer.tail == head
    assert ring.producer.generation == kills + 1
    assert head > kills * LIFE_RECORDS


@pytest.mark.parametrize("record_bytes", RECORD_BYTES)
@pytest.mark.parametrize("kills", [100, LONG])
def test_killed_readers_see_every_record_and_know_the_repeated_ones(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], kills: int, record_bytes: int
) -> None:
    ring = create(64, record(record_bytes))
    counters = create(STATE_WORDS, np.dtype(np.int64), KIND_COUNTERS)
    producer, state, row = Producer(ring), new_state(4), np.zeros(record_bytes // 8, np.int64)
    killer = peer("killed-consumers", ring.name, record_bytes, counters.name, kills)
    while killer.poll() is None:
        produce(producer.base, state, 1 << 60, 16, row)
    assert killer.communicate()[0] == "done\n"
    consumer, seen = Consumer(ring), counters.slots
    repeated = consumer.peek(64)
    assert repeated["seq"][0] == consumer.tail + 1 <= seen[LAST] + 1
    assert seen[ERRORS] == 0
    assert seen[LAST] > kills * LIFE_RECORDS
    assert seen[DUPLICATES] > 0  # so many kills within batches of up to 64 cannot all miss
    assert ring.consumer.generation == kills + 1
