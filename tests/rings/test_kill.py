"""SIGKILL at random moments. Forbidden: a record torn or skipped. Allowed: one again, known by its `seq`."""

import subprocess
from collections.abc import Callable

import numpy as np

from ringbuf import Consumer, Producer, Segment
from ringbuf.layout import KIND_COUNTERS
from tests.rings.traffic import (
    DONE,
    DUPLICATES,
    ERRORS,
    LAST,
    STATE_WORDS,
    consume,
    new_state,
    produce,
    until,
)

KILLS = 50


def test_writers_killed_fifty_times_leave_no_torn_or_missing_record(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen]
) -> None:
    ring = create(64)
    consumer, state = Consumer(ring), new_state(3)
    killer = peer("killed-producers", ring.name, KILLS)
    while killer.poll() is None:
        consume(consumer.base, state, 1 << 60, 16)
    head = int(killer.communicate()[0])
    until(lambda: consume(consumer.base, state, head, 16))
    assert state[ERRORS] == 0
    assert state[DONE] == consumer.tail == head
    assert ring.producer.generation == KILLS + 1
    assert head > KILLS * 64


def test_readers_killed_fifty_times_see_every_record_and_know_the_repeated_ones(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen]
) -> None:
    ring, counters = create(64), create(STATE_WORDS, np.dtype(np.int64), KIND_COUNTERS)
    producer, state, row = Producer(ring), new_state(4), np.zeros(8, np.int64)
    killer = peer("killed-consumers", ring.name, counters.name, KILLS)
    while killer.poll() is None:
        produce(producer.base, state, 1 << 60, 16, row)
    assert killer.communicate()[0] == "done\n"
    consumer, seen = Consumer(ring), counters.slots
    repeated = consumer.peek(64)
    assert repeated["seq"][0] == consumer.tail + 1 <= seen[LAST] + 1
    assert seen[ERRORS] == 0
    assert seen[LAST] > KILLS * 64
    assert seen[DUPLICATES] > 0  # fifty kills within batches of up to 64 cannot all miss
    assert ring.consumer.generation == KILLS + 1
