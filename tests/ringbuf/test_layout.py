"""The byte map: words that different processes write are far apart, fingerprints tell layouts apart."""

from itertools import pairwise

import numpy as np
import pytest

from ringbuf import layout
from ringbuf.layout import KIND_CELL, KIND_COUNTERS, KIND_RING, dtype_digest, layout_fault
from tests.ringbuf.memory import RECORD


def test_cursors_of_different_writers_stand_128_bytes_apart() -> None:
    groups = [
        layout.AT_STOP,
        layout.AT_PRODUCER_PID,
        layout.AT_CONSUMER_PID,
        layout.AT_HEAD,
        layout.AT_WRITE_INDEX,
        layout.AT_TAIL,
        layout.AT_READ_INDEX,
        layout.AT_PARKED,
        layout.HEADER_BYTES,
    ]
    assert all(at % 128 == 0 for at in groups)
    assert all(later - earlier >= 128 for earlier, later in pairwise(groups))


def test_every_word_has_its_own_place_in_the_header() -> None:
    places = [value for name, value in vars(layout).items() if name.startswith("AT_")]
    assert len(set(places)) == len(places)
    assert all(at % layout.WORD_BYTES == 0 and at < layout.HEADER_BYTES for at in places)
    assert len({at // 128 for at in (layout.AT_WRITE_INDEX, layout.AT_CLAIMED)}) == 1  # one writer, one line


@pytest.mark.parametrize(
    "other",
    [
        [("seq", "i8"), ("py", "f8"), ("qty", "f8"), ("rest", "i8", (5,))],
        [("seq", "i8"), ("px", "i8"), ("qty", "f8"), ("rest", "i8", (5,))],
        [("seq", "i8"), ("qty", "f8"), ("px", "f8"), ("rest", "i8", (5,))],
        [("seq", "i8"), ("px", "f8"), ("qty", "f8"), ("rest", "i8", (4,)), ("last", "i8")],
        [("seq", "i8"), ("px", "f8"), ("qty", "f8"), ("rest", [("a", "i8"), ("b", "i8", (4,))])],
    ],
)
def test_any_change_of_a_record_changes_its_digest(other: list) -> None:
    assert np.dtype(other, align=True).itemsize == RECORD.itemsize
    assert dtype_digest(np.dtype(other, align=True)) != dtype_digest(RECORD)
    assert 0 <= dtype_digest(RECORD) < 2**63


def test_the_digest_looks_into_nested_records() -> None:
    inner = np.dtype([("a", "i8"), ("b", "f8")])
    swapped = np.dtype([("b", "f8"), ("a", "i8")])
    assert dtype_digest(np.dtype([("seq", "i8"), ("in", inner)])) != dtype_digest(
        np.dtype([("seq", "i8"), ("in", swapped)])
    )


def test_equal_records_declared_twice_agree() -> None:
    again = np.dtype([("seq", "i8"), ("px", "f8"), ("qty", "f8"), ("rest", "i8", (5,))], align=True)
    assert dtype_digest(again) == dtype_digest(RECORD)


@pytest.mark.parametrize(
    ("dtype", "slots", "kind", "what"),
    [
        (RECORD, 8, 9, "kind"),
        (RECORD, 6, KIND_RING, "slot count"),
        (RECORD, 1, KIND_RING, "slot count"),
        (RECORD, 0, KIND_RING, "slot count"),
        (RECORD, 8, KIND_CELL, "slot count"),
        (RECORD, 8, KIND_COUNTERS, "dtype"),
        (np.dtype(np.int64), 0, KIND_COUNTERS, "slot count"),
        (np.dtype([("px", "f8"), ("seq", "i8"), ("pad", "V48")]), 8, KIND_RING, "first field"),
        (np.dtype([("seq", "u8"), ("pad", "V56")]), 8, KIND_RING, "first field"),
        (np.dtype(np.int64), 8, KIND_RING, "first field"),
        (np.dtype([("seq", "i8"), ("px", "f8")]), 8, KIND_RING, "record size"),
    ],
)
def test_what_cannot_be_a_segment_is_named(dtype: np.dtype, slots: int, kind: int, what: str) -> None:
    fault = layout_fault(dtype, slots, kind)
    assert fault is not None
    assert fault[0] == what


def test_what_can_be_a_segment_is_accepted() -> None:
    assert layout_fault(RECORD, 2, KIND_RING) is None
    assert layout_fault(RECORD, 4, KIND_CELL) is None
    assert layout_fault(np.dtype(np.int64), 7, KIND_COUNTERS) is None
