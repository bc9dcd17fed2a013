"""A cell under a writer that never pauses. Forbidden: a torn value, or one older than the last."""

import subprocess
import time
from collections.abc import Callable

import numpy as np
import pytest

from ringbuf import CellReader, Segment
from ringbuf.cell import cell_read
from ringbuf.jit import kernel
from ringbuf.layout import CELL_SLOTS, KIND_CELL
from tests.rings.traffic import PRIME, record, until

FRESH_WANTED = 200_000  # reads that found a value newer than the last: those that can meet the writer
FRESH_LEAST = 200  # reader and writer on one core meet only where one interrupts the other
DEADLINE_S = 30.0


@kernel
def read_and_check(base: int, seen: int, words: np.ndarray, reads: int) -> tuple[int, int, int]:
    """Newest version, values wrong, values new."""
    wrong = fresh = 0
    for _ in range(reads):
        version = cell_read(base, seen, words)
        if version < seen:
            wrong += 1
        fresh += version > seen
        seen = version
        for word in range(1, len(words)):
            if words[word] != version * PRIME + word:
                wrong += 1
                break
    return seen, wrong, fresh


@pytest.mark.parametrize("record_bytes", [64, 1024])
def test_no_read_is_torn_or_goes_back(
    create: Callable[..., Segment], peer: Callable[..., subprocess.Popen], record_bytes: int
) -> None:
    dtype = record(record_bytes)
    segment = create(CELL_SLOTS, dtype, KIND_CELL)
    writer = peer("cell-writer", segment.name, record_bytes)
    reader, out = CellReader(segment), np.zeros(1, dtype)
    until(lambda: reader.read(out))
    seen, wrong, fresh = reader.sequence, 0, 0
    deadline_s = time.monotonic() + DEADLINE_S
    while fresh < FRESH_WANTED and time.monotonic() < deadline_s:
        seen, torn, new = read_and_check(segment.base, seen, out.view(np.int64), 2_000)
        wrong, fresh = wrong + torn, fresh + new
    segment.request_stop()
    written = int(writer.communicate(timeout=60)[0])
    assert wrong == 0
    assert FRESH_LEAST <= fresh <= written
    assert reader.read(out)
    assert reader.sequence == written
