"""The commit protocol step by step: what each kernel leaves in the header, and what survives a kill."""

import numpy as np
import pytest

from ringbuf import Segment, layout
from ringbuf.atomics import address_of
from ringbuf.ring_kernels import (
    claim,
    peek,
    pop,
    publish,
    push,
    recover_consumer,
    recover_producer,
    release,
    wake,
)
from tests.ringbuf.memory import PROTOCOLS, RECORD, local_ring, rows


@pytest.fixture(params=PROTOCOLS, ids=["by sequence", "by head"])
def ring(request: pytest.FixtureRequest) -> Segment:
    return local_ring(8, request.param)


def word(ring: Segment, at: int) -> int:
    return int(ring.words[at // 8])


def test_only_publish_commits(ring: Segment) -> None:
    assert claim(ring.base, 3) == (0, 3)
    ring.slots["px"][:3] = 1.5
    assert peek(ring.base, 8) == (0, 0)
    assert publish(ring.base, 2)
    assert ring.slots["seq"].tolist() == [1, 2, 0, 0, 0, 0, 0, 0]
    assert peek(ring.base, 8) == (0, 2)
    assert word(ring, layout.AT_HEAD) == 2
    assert word(ring, layout.AT_CLAIMED) == 3


def test_a_claim_stops_at_the_wrap_and_at_the_tail(ring: Segment) -> None:
    claim(ring.base, 6)
    publish(ring.base, 6)
    assert claim(ring.base, 9) == (6, 2)
    publish(ring.base, 2)
    assert claim(ring.base, 1) == (0, 0)
    assert release(ring.base, 5)
    assert claim(ring.base, 9) == (0, 5)


def test_what_was_not_claimed_cannot_be_published(ring: Segment) -> None:
    claim(ring.base, 2)
    assert not publish(ring.base, 3)
    assert not publish(ring.base, -1)
    assert publish(ring.base, 0)
    assert ring.slots["seq"].tolist() == [0] * 8


def test_what_is_not_there_cannot_be_released(ring: Segment) -> None:
    source = rows(1.0, 2.0)
    push(ring.base, address_of(source.view(np.int64)), 2)
    assert not release(ring.base, 3)
    assert not release(ring.base, -1)
    assert release(ring.base, 2)
    assert not release(ring.base, 1)


def test_the_tail_is_told_every_quarter_and_when_idle(ring: Segment) -> None:
    source = rows(1.0, 2.0, 3.0)
    push(ring.base, address_of(source.view(np.int64)), 3)
    release(ring.base, 1)
    assert word(ring, layout.AT_TAIL) == 0
    release(ring.base, 1)
    assert word(ring, layout.AT_TAIL) == 2
    release(ring.base, 1)
    assert word(ring, layout.AT_TAIL) == 2
    assert peek(ring.base, 1) == (3, 0)
    assert word(ring, layout.AT_TAIL) == 3


def test_push_and_pop_go_around_the_end(ring: Segment) -> None:
    taken = np.zeros(8, RECORD)
    for start in range(0, 40, 5):
        source = rows(*range(start, start + 5))
        source["seq"] = -1
        assert push(ring.base, address_of(source.view(np.int64)), 5) == 5
        assert pop(ring.base, address_of(taken.view(np.int64)), 8) == 5
        assert taken["px"][:5].tolist() == source["px"].tolist()
        assert taken["seq"][:5].tolist() == list(range(start + 1, start + 6))


def test_a_sleeper_is_announced_once(ring: Segment) -> None:
    assert not wake(ring.base)
    ring.words[layout.AT_PARKED // 8] = layout.PARKED_ON_BELL
    assert wake(ring.base)
    assert not wake(ring.base)
    ring.words[layout.AT_PARKED // 8] = layout.PARKED_ON_WORD
    assert not wake(ring.base)  # woken already
    assert word(ring, layout.AT_PARKED) == layout.AWAKE


def test_large_records_are_committed_by_head_and_small_ones_by_sequence() -> None:
    found = {}
    for record_bytes in (64, 128, 192, 1024):
        dtype = np.dtype([("seq", "i8"), ("words", "i8", (record_bytes // 8 - 1,))])
        found[record_bytes] = word(Segment.local(dtype, 8), layout.AT_COMMIT)
    by_sequence, by_head = PROTOCOLS
    assert found == {64: by_sequence, 128: by_sequence, 192: by_head, 1024: by_head}


def test_a_successor_adopts_by_sequence_what_was_committed_but_not_counted() -> None:
    # Killed after two of three sequence words, before its cursor moved.
    ring = local_ring(8, layout.COMMIT_BY_SEQUENCE)
    claim(ring.base, 3)
    ring.slots["seq"][:2] = (1, 2)
    assert recover_producer(ring.base) == 2
    assert peek(ring.base, 8) == (0, 2)
    assert claim(ring.base, 1) == (2, 1)
    publish(ring.base, 1)
    assert ring.slots["seq"].tolist()[:3] == [1, 2, 3]


def test_a_successor_adopts_by_head_what_was_published_and_no_more() -> None:
    # The first predecessor was killed after `HEAD`, before its cursor moved; the second before `HEAD`.
    ring = local_ring(8, layout.COMMIT_BY_HEAD)
    claim(ring.base, 2)
    ring.slots["seq"][:2] = (1, 2)
    ring.words[layout.AT_HEAD // 8] = 2
    assert recover_producer(ring.base) == 2
    claim(ring.base, 1)
    ring.slots["seq"][2] = 3
    assert recover_producer(ring.base) == 2
    assert peek(ring.base, 8) == (0, 2)


def test_a_successor_is_not_fooled_by_the_last_lap(ring: Segment) -> None:
    source = rows(*range(8))
    push(ring.base, address_of(source.view(np.int64)), 8)
    assert recover_producer(ring.base) == 8
    release(ring.base, 8)
    assert recover_producer(ring.base) == 8


def test_a_new_reader_begins_behind_the_last_release_and_awake(ring: Segment) -> None:
    source = rows(1.0, 2.0, 3.0)
    push(ring.base, address_of(source.view(np.int64)), 3)
    release(ring.base, 1)
    ring.words[layout.AT_PARKED // 8] = 1
    assert recover_consumer(ring.base) == 1
    assert word(ring, layout.AT_TAIL) == 1
    assert word(ring, layout.AT_PARKED) == 0
    assert peek(ring.base, 8) == (1, 2)
