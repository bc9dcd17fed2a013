"""Two processes, one ring. Allowed: every record once, whole, in order. Forbidden: anything else."""

import subprocess
import threading
from collections.abc import Callable
from functools import partial

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
    RECORD_BYTES,
    consume,
    new_state,
    observe_oldest,
    produce,
    record,
    until,
)

RING_TIMEOUT_S = 600.0
# Slots, record bytes, share of the messages in percent, largest batch. Few slots mean many handovers, which
# are slow; large records are committed by head, the others by sequence.
SHAPES = [
    (2, 64, 2, 2),
    (2, 256, 1, 2),
    (4, 64, 3, 6),
    (8, 64, 6, 16),
    (8, 256, 4, 16),
    (64, 64, 24, 16),
    (256, 64, 15, 1),
    (256, 256, 10, 100),
    (1024, 64, 25, 400),
    (1024, 256, 10, 400),
]
LONG = pytest.param(200_000_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])


@pytest.mark.parametrize("messages", [20_000_000, LONG])
def test_so_many_messages_arrive_once_whole_and_in_order(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], messages: int
) -> None:
    assert sum(percent for _, _, percent, _ in SHAPES) == 100
    rings = [create(slots, record(record_bytes)) for slots, record_bytes, _, _ in SHAPES]
    counts = [messages * percent // 100 for _, _, percent, _ in SHAPES]
    plan = [
        f"{ring.name}:{record_bytes}:{count}:{batch}:{seed}"
        for seed, (ring, count, (_, record_bytes, _, batch)) in enumerate(
            zip(rings, counts, SHAPES, strict=True), 1
        )
    ]
    peer("producer", ",".join(plan), RING_TIMEOUT_S)
    for seed, (ring, count, (_, _, _, batch)) in enumerate(zip(rings, counts, SHAPES, strict=True), 100):
        consumer, state = Consumer(ring), new_state(seed)
        until(partial(consume, consumer.base, state, count, batch), RING_TIMEOUT_S)
        assert state[ERRORS] == 0
        assert state[DONE] == consumer.tail == count


def test_an_observer_beside_them_sees_no_torn_record(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen]
) -> None:
    count = 200_000
    ring = create(64)
    consumer, observer, state = Consumer(ring), Observer(ring), new_state(9)
    peer("producer", f"{ring.name}:64:{count}:8:9", RING_TIMEOUT_S)
    reader = threading.Thread(
        target=until, args=(lambda: consume(consumer.base, state, count, 8), RING_TIMEOUT_S)
    )
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


@pytest.mark.parametrize("record_bytes", RECORD_BYTES)
@pytest.mark.parametrize("slots", [2, 8])
def test_what_is_observed_while_it_is_overwritten_is_whole_or_missed(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], slots: int, record_bytes: int
) -> None:
    ring = create(slots, record(record_bytes))
    consumer, state, row = Consumer(ring), new_state(11), np.zeros(record_bytes // 8, np.int64)
    peer("producer", f"{ring.name}:{record_bytes}:{1 << 40}:{slots}:11", RING_TIMEOUT_S)

    def met_both() -> bool:
        observe_oldest(consumer.base, state, state[DONE] + 100, row)
        # Some observed whole, some overwritten meanwhile and known to be.
        return state[DUPLICATES] > 1_000 and state[LAST] > 100

    until(met_both)
    assert state[ERRORS] == 0


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
