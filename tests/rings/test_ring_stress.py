"""Two processes, one ring. Allowed: every record once, whole, in order. Forbidden: anything else."""

import subprocess
import threading
from collections.abc import Callable

import numpy as np
import pytest

from ringbuf import Consumer, Observer, Producer, Segment
from tests.rings.traffic import (
    DONE,
    DUPLICATES,
    ERRORS,
    LAST,
    PRIME,
    RECORD,
    consume,
    new_state,
    observe_oldest,
    produce,
    until,
)

# Slots, messages, largest batch. Few slots mean many handovers, so they get fewer messages.
SHAPES = [
    (2, 40_000, 2),
    (4, 100_000, 6),
    (8, 200_000, 16),
    (64, 560_000, 16),
    (256, 300_000, 1),
    (1024, 800_000, 400),
]


def test_two_million_messages_arrive_once_whole_and_in_order(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen]
) -> None:
    assert sum(count for _, count, _ in SHAPES) == 2_000_000
    rings = [create(slots) for slots, _, _ in SHAPES]
    plan = [
        f"{ring.name}:{count}:{batch}:{seed}"
        for seed, (ring, (_, count, batch)) in enumerate(zip(rings, SHAPES, strict=True), 1)
    ]
    peer("producer", ",".join(plan))
    for seed, (ring, (_, count, batch)) in enumerate(zip(rings, SHAPES, strict=True), 100):
        consumer, state = Consumer(ring), new_state(seed)
        until(lambda: consume(consumer.base, state, count, batch))  # noqa: B023  (called at once)
        assert state[ERRORS] == 0
        assert state[DONE] == consumer.tail == count


def test_an_observer_beside_them_sees_no_torn_record(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen]
) -> None:
    count = 400_000
    ring = create(64)
    consumer, observer, state = Consumer(ring), Observer(ring), new_state(9)
    peer("producer", f"{ring.name}:{count}:8:9")
    reader = threading.Thread(target=until, args=(lambda: consume(consumer.base, state, count, 8),))
    reader.start()
    seen = missed = last = 0
    while reader.is_alive() or seen + missed < count:
        rows, lapped = observer.poll(16)
        missed += lapped
        seen += len(rows)
        if len(rows):
            assert (np.diff(rows["seq"]) > 0).all()
            assert rows["seq"][0] > last
            last = int(rows["seq"][-1])
            assert (rows["words"] == rows["seq"][:, None] * PRIME + np.arange(1, 8)).all()
    reader.join()
    assert state[ERRORS] == 0
    assert seen + missed == count
    assert seen > 0


@pytest.mark.parametrize("slots", [2, 8])
def test_what_is_observed_while_it_is_overwritten_is_whole_or_missed(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], slots: int
) -> None:
    count = 1_000_000
    ring = create(slots)
    consumer, state, row = Consumer(ring), new_state(11), np.zeros(8, np.int64)
    peer("producer", f"{ring.name}:{count}:{slots}:11")
    until(lambda: observe_oldest(consumer.base, state, count, row))
    assert state[ERRORS] == 0
    assert state[DUPLICATES] > 0  # some observed whole
    assert state[LAST] > 0  # some overwritten meanwhile, and known to be


@pytest.mark.parametrize("damage", ["seq", "words"])
def test_the_check_itself_sees_a_wrong_record(damage: str) -> None:
    # The negative control: a record with one wrong word must be counted.
    ring = Segment.local(RECORD, 8)
    producer, consumer = Producer(ring), Consumer(ring)
    produce(producer.base, new_state(1), 4, 4, np.zeros(8, np.int64))
    if damage == "seq":
        ring.slots["words"][1:3] = ring.slots["words"][2:0:-1].copy()
    else:
        ring.slots["words"][2, 6] += 1
    state = new_state(2)
    consume(consumer.base, state, 4, 4)
    assert state[ERRORS] == (2 if damage == "seq" else 1)
