import numpy as np

from mmpipe.clock import MonotonicClock
from mmpipe.enums import EventKind, Venue
from mmpipe.records import EVENT
from ringbuf import Consumer, Producer, Segment
from ringbuf.layout import KIND_RING
from stages.event_gate import EventGate


def gate(slots: int) -> tuple[EventGate, Consumer]:
    segment = Segment.local(EVENT, slots, KIND_RING)
    return EventGate(Producer(segment, None), 200_000, MonotonicClock()), Consumer(segment)


def events(*kinds: EventKind, venue: Venue = Venue.MAKER, symbol: int = 0) -> np.ndarray:
    rows = np.zeros(len(kinds), EVENT)
    rows["kind"], rows["venue"], rows["symbol"] = [int(kind) for kind in kinds], int(venue), symbol
    return rows


def drain(consumer: Consumer) -> list[EventKind]:
    kinds: list[EventKind] = []
    while len(rows := consumer.peek(64)):
        kinds += [EventKind(kind) for kind in rows["kind"]]
        consumer.release(len(rows))
    return kinds


def test_room_lets_everything_pass() -> None:
    out, consumer = gate(16)
    out.publish(events(EventKind.TRADE, EventKind.BBO))
    assert drain(consumer) == [EventKind.TRADE, EventKind.BBO]
    assert (out.gaps, out.dropped) == (0, 0)


def test_a_full_ring_marks_a_gap_and_the_book_starts_anew() -> None:
    out, consumer = gate(4)
    out.publish(events(*[EventKind.BOOK_DELTA] * 6))
    assert (out.gaps, out.dropped) == (1, 2)
    assert drain(consumer) == [EventKind.BOOK_DELTA] * 4
    out.publish(events(EventKind.BOOK_DELTA))
    assert drain(consumer) == [EventKind.GAP]  # said; deltas of a void book are worth nothing
    out.publish(events(EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA))
    assert drain(consumer) == [EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA]
    assert (out.gaps, out.dropped) == (1, 3)


def test_other_streams_and_the_timer_are_not_held_back() -> None:
    out, consumer = gate(4)
    out.publish(events(*[EventKind.BOOK_DELTA] * 5, symbol=1))
    drain(consumer)
    out.publish(events(EventKind.TIMER))
    out.publish(events(EventKind.BBO, venue=Venue.LEAD, symbol=1))
    assert drain(consumer) == [EventKind.GAP, EventKind.TIMER, EventKind.BBO]


def test_a_lead_heals_with_its_next_quote() -> None:
    out, consumer = gate(4)
    out.publish(events(*[EventKind.BBO] * 5, venue=Venue.LEAD))
    drain(consumer)
    out.publish(events(EventKind.BBO, EventKind.BBO, venue=Venue.LEAD))
    assert drain(consumer) == [EventKind.GAP, EventKind.BBO, EventKind.BBO]
