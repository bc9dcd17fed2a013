"""The digest sees every field but the number of the ring, and not how a stream was cut."""

import hashlib

import numpy as np
import pytest

from mmpipe.recording.event_hash import EventHash
from mmpipe.records import EVENT
from tests.mmpipe.recording.rows import some_events


def digest(*parts: np.ndarray) -> str:
    made = EventHash()
    for part in parts:
        made.update(part)
    return made.hexdigest()


def test_it_is_the_sha256_of_the_rows_without_their_numbers() -> None:
    rows = some_events(100, first_seq=7)
    bare = rows.copy()
    bare["seq"] = 0
    assert digest(rows) == hashlib.sha256(bare.tobytes()).hexdigest()
    assert rows["seq"][0] == 7
    assert digest() == hashlib.sha256().hexdigest()


def test_neither_numbers_nor_cuts_change_it() -> None:
    rows = some_events(100)
    assert digest(rows[:1], rows[1:60], rows[60:60], rows[60:]) == digest(rows)
    assert digest(some_events(100, first_seq=5000)) == digest(rows)


@pytest.mark.parametrize("name", [name for name in EVENT.names or () if name != "seq"])
def test_every_other_field_changes_it(name: str) -> None:
    rows = some_events(10)
    changed = rows.copy()
    changed[name][5] += 1
    assert digest(changed) != digest(rows)


def test_order_changes_it() -> None:
    rows = some_events(10)
    assert digest(rows[::-1].copy()) != digest(rows)


def test_other_records_are_refused() -> None:
    with pytest.raises(AssertionError, match="no EVENT rows"):
        EventHash().update(np.zeros(3))
