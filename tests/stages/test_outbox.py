import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.records import PARAMS
from ringbuf import Consumer, Producer, Segment
from ringbuf.layout import KIND_RING
from stages.outbox import Outbox


def rows(first: int, count: int) -> np.ndarray:
    made = np.zeros(count, PARAMS)
    made["observations"] = np.arange(first, first + count)
    return made


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30))
def test_everything_offered_arrives_once_and_in_order(steps: list[tuple[int, int]]) -> None:
    segment = Segment.local(PARAMS, 8, KIND_RING)
    outbox, consumer = Outbox(Producer(segment, None)), Consumer(segment)
    offered, taken = 0, []

    def take(limit: int) -> None:
        while limit > 0:
            got = consumer.peek(limit)
            if len(got) == 0:
                return
            taken.extend(got["observations"].tolist())
            consumer.release(len(got))
            limit -= len(got)

    for count, limit in steps:
        outbox.offer(rows(offered, count))
        offered += count
        take(limit)
        outbox.flush()
    while len(taken) < offered:
        take(8)
        outbox.flush()
    assert taken == list(range(offered))
    assert not outbox.waiting


def test_a_full_ring_is_said() -> None:
    segment = Segment.local(PARAMS, 4, KIND_RING)
    outbox, consumer = Outbox(Producer(segment, None)), Consumer(segment)
    outbox.offer(rows(0, 6))
    assert outbox.waiting
    assert not outbox.flush()
    consumer.release(len(consumer.peek(4)))
    consumer.peek(1)  # an empty look publishes the cursor
    assert outbox.flush()
    assert not outbox.waiting


def test_what_is_kept_is_a_copy() -> None:
    segment = Segment.local(PARAMS, 2, KIND_RING)
    outbox, consumer = Outbox(Producer(segment, None)), Consumer(segment)
    made = rows(0, 4)
    outbox.offer(made)
    made["observations"] = -1
    seen = []
    for _ in range(6):
        got = consumer.peek(4)
        seen += got["observations"].tolist()
        consumer.release(len(got))
        outbox.flush()
    assert seen == [0, 1, 2, 3]
