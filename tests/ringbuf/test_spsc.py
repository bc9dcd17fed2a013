"""The ring as its users see it, against a deque."""

import select
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringbuf import Consumer, Doorbell, Idle, Observer, Producer, Segment
from ringbuf.layout import KIND_CELL
from tests.oracles.ring import RingOracle
from tests.ringbuf.memory import PROTOCOLS, RECORD, local_ring, rows


def ends(slots: int = 8) -> tuple[Producer, Consumer]:
    ring = Segment.local(RECORD, slots)
    return Producer(ring), Consumer(ring)


def test_claim_write_publish_peek_release() -> None:
    producer, consumer = ends()
    assert producer.next_seq == 1
    slots = producer.claim(2)
    slots["px"] = (100.0, 101.0)
    assert len(consumer.peek(9)) == 0
    producer.publish(2)
    seen = consumer.peek(9)
    assert seen["seq"].tolist() == [1, 2]
    assert seen["px"].tolist() == [100.0, 101.0]
    assert (producer.next_seq, producer.free, consumer.backlog) == (3, 6, 2)
    consumer.release(2)
    assert (consumer.backlog, consumer.head, consumer.tail) == (0, 2, 2)
    assert len(consumer.peek(9)) == 0


def test_a_full_ring_takes_nothing_and_loses_nothing() -> None:
    producer, consumer = ends()
    assert producer.push(rows(*range(10))) == 8
    assert producer.push(rows(99.0)) == 0
    assert len(producer.claim()) == 0
    assert producer.free == 0
    assert consumer.peek(100)["px"].tolist() == list(range(8))


def test_peek_gives_views_not_copies() -> None:
    producer, consumer = ends()
    producer.push(rows(1.0))
    view = consumer.peek(1)
    consumer.release(1)
    consumer.peek(1)
    producer.push(rows(*range(2, 10)))
    assert view["px"][0] == 9.0  # overwritten one lap later: copy before release


def test_a_record_keeps_the_sequence_of_the_ring_not_of_the_row() -> None:
    producer, consumer = ends()
    row = rows(5.0)
    row["seq"] = 777
    producer.push(row)
    assert consumer.peek(1)["seq"][0] == 1
    assert row["seq"][0] == 777


def test_readonly_rows_can_be_pushed() -> None:
    producer, consumer = ends()
    frozen = np.frombuffer(rows(3.0).tobytes(), RECORD)
    assert producer.push(frozen) == 1
    assert consumer.peek(1)["px"][0] == 3.0


def test_misuse_is_refused_by_name() -> None:
    ring = Segment.local(RECORD, 8)
    producer, consumer = Producer(ring), Consumer(ring)
    with pytest.raises(ValueError, match=r"publish\(1\)"):
        producer.publish(1)
    with pytest.raises(ValueError, match=r"release\(1\)"):
        consumer.release(1)
    with pytest.raises(ValueError, match="the ring holds"):
        producer.push(np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="contiguous"):
        producer.push(rows(1.0, 2.0, 3.0)[::2])
    with pytest.raises(ValueError, match="not a ring"):
        Observer(Segment.local(RECORD, 4, KIND_CELL))


def test_pop_copies_out_and_gives_back() -> None:
    producer, consumer = ends(4)
    taken = np.zeros(3, RECORD)
    assert consumer.pop(taken) == 0
    for start in range(0, 40, 4):
        producer.push(rows(*range(start, start + 4)))
        assert consumer.pop(taken) == 3
        assert taken["px"].tolist() == [start, start + 1, start + 2]
        assert consumer.pop(taken) == 1
        assert taken["px"][0] == start + 3
        assert taken["seq"][0] == start + 4
    with pytest.raises(ValueError, match="the ring holds"):
        consumer.pop(np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="contiguous"):
        consumer.pop(np.zeros(6, RECORD)[::2])


def test_each_end_resumes_where_it_was() -> None:
    ring = Segment.local(RECORD, 8)
    Producer(ring).push(rows(1.0, 2.0, 3.0))
    Consumer(ring).release(1)
    producer, consumer = Producer(ring), Consumer(ring)
    assert producer.next_seq == 4
    assert consumer.peek(9)["px"].tolist() == [2.0, 3.0]
    assert (ring.producer.generation, ring.consumer.generation) == (2, 2)


def test_the_bell_rings_only_for_a_sleeper_and_for_a_successor(tmp_path: Path) -> None:
    ring = Segment.local(RECORD, 8)
    bell = Doorbell.create(tmp_path / "bell")
    producer, consumer = Producer(ring, bell), Consumer(ring)
    idle = Idle("park", [consumer], bell)

    def rung() -> bool:
        return bool(select.select([bell], [], [], 0.0)[0])

    assert rung()  # the new producer rang: its predecessor may have died before it could
    bell.drain()
    producer.push(rows(1.0))
    consumer.release(1)
    assert not rung()
    assert idle.park()
    producer.push(rows(2.0))
    assert rung()
    idle.unpark()
    bell.close()


def test_an_observer_begins_now_and_sees_all_when_fast() -> None:
    ring = Segment.local(RECORD, 8)
    producer, consumer = Producer(ring), Consumer(ring)
    producer.push(rows(1.0))
    observer = Observer(ring)
    producer.push(rows(2.0, 3.0))
    seen, lapped = observer.poll(1)
    assert (seen["px"].tolist(), lapped) == ([2.0], 0)
    consumer.release(3)
    seen, lapped = observer.poll(9)
    assert (seen["px"].tolist(), seen["seq"].tolist(), lapped) == ([3.0], [3], 0)
    assert len(observer.poll(9)[0]) == 0


def test_a_slow_observer_knows_what_it_missed() -> None:
    ring = Segment.local(RECORD, 8)
    producer, consumer = Producer(ring), Consumer(ring)
    observer = Observer(ring)
    for price in range(20):
        producer.push(rows(float(price)))
        consumer.release(1)
    seen, lapped = observer.poll(100)
    assert lapped == 12
    assert seen["px"].tolist() == list(range(12, 20))


@given(st.lists(st.integers(1, 12), max_size=40), st.integers(1, 5))
def test_observed_and_missed_add_up_in_order(batches: list[int], every: int) -> None:
    ring = Segment.local(RECORD, 8)
    producer, consumer = Producer(ring), Consumer(ring)
    observer = Observer(ring)
    observed: list[int] = []
    missed = written = 0
    for turn, batch in enumerate(batches):
        written += producer.push(rows(*range(batch)))
        while consumer.backlog:
            consumer.release(len(consumer.peek(8)))
        if turn % every == 0:
            seen, lapped = observer.poll(3)
            observed += seen["seq"].tolist()
            missed += lapped
    seen, lapped = observer.poll(1000)
    observed += seen["seq"].tolist()
    assert len(observed) + missed + lapped == written
    assert observed == sorted(set(observed))


class RingAgainstDeque(RuleBasedStateMachine):
    """Any order of calls, on any small ring, gives what a bounded deque gives."""

    @initialize(power=st.integers(1, 5), commit=st.sampled_from(PROTOCOLS))
    def make(self, power: int, commit: int) -> None:
        self.ring = local_ring(2**power, commit)
        self.producer, self.consumer = Producer(self.ring), Consumer(self.ring)
        self.oracle = RingOracle(2**power)
        self.price = 0.0

    def next_prices(self, count: int) -> list[float]:
        self.price += count
        return [self.price + i for i in range(count)]

    @rule(count=st.integers(0, 40))
    def push(self, count: int) -> None:
        # The reader tells its tail when it is idle or a quarter on: until then the writer may see less room.
        prices = self.next_prices(count)[: self.producer.free]
        assert self.producer.push(rows(*prices)) == self.oracle.push(prices)

    @rule(wanted=st.integers(0, 40), used=st.integers(0, 40))
    def claim_and_publish_some(self, wanted: int, used: int) -> None:
        view = self.producer.claim(wanted)
        assert len(view) <= min(wanted, self.producer.free)
        assert len(view) > 0 or wanted == 0 or self.producer.free == 0
        prices = self.next_prices(min(used, len(view)))
        view["px"][: len(prices)] = prices
        view["px"][len(prices) :] = np.nan
        self.producer.publish(len(prices))
        assert self.oracle.push(prices) == len(prices)

    @rule(limit=st.integers(0, 40), used=st.integers(0, 40))
    def peek_and_release_some(self, limit: int, used: int) -> None:
        view = self.consumer.peek(limit)
        expected = list(self.oracle.waiting)[: len(view)]
        assert list(zip(view["seq"].tolist(), view["px"].tolist(), strict=True)) == expected
        assert len(view) > 0 or limit == 0 or not self.oracle.waiting
        self.consumer.release(min(used, len(view)))
        self.oracle.release(min(used, len(view)))

    @rule()
    def restart_the_writer(self) -> None:
        self.producer = Producer(self.ring)

    @rule()
    def restart_the_reader(self) -> None:
        self.consumer = Consumer(self.ring)

    @invariant()
    def counts_agree(self) -> None:
        assert self.producer.next_seq == self.oracle.next_seq
        assert self.consumer.backlog == len(self.oracle.waiting)
        room = self.oracle.capacity - len(self.oracle.waiting)
        assert room - max(self.oracle.capacity // 4, 1) < self.producer.free <= room


TestRingAgainstDeque = RingAgainstDeque.TestCase
