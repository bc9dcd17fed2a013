"""The latest value of one record: one writer, any number of readers, nobody waits for anybody.

A seqlock (Lameter 2005; Boehm, "Can seqlocks get along with programming language memory models?", 2012) over
four rotating slots: version v is written to slot v mod 4, whose `seq` is 0 meanwhile, then `HEAD` becomes v.
A reader is disturbed only by a writer that laps it during one copy; a writer killed half way leaves the last
whole value in place. A reader rejects any version older than what it has seen.

Values in between are lost by design: what must all be seen goes through a ring.
"""

import numpy as np

from ringbuf import layout
from ringbuf.atomics import (
    address_of,
    copy_bytes,
    fence_acquire,
    fence_release,
    load_acquire_i64,
    load_constant_i64,
    load_relaxed_i64,
    store_relaxed_i64,
    store_release_i64,
)
from ringbuf.errors import CellBusy
from ringbuf.jit import brief_kernel, entry, example, kernel
from ringbuf.layout import AT_HEAD, AT_STRIDE, CELL_SLOTS, HEADER_BYTES, WORD_BYTES
from ringbuf.segment import Segment

ATTEMPTS_MAX = 100_000  # each one met a writer that published four versions within one copy
BUSY = -1


class CellWriter:
    """The writing side of a cell; goes on counting where a killed predecessor stopped.

    Parameters
    ----------
    segment : Segment
        A cell; at most one process that runs may be its writer.
    """

    def __init__(self, segment: Segment) -> None:
        _require_cell(segment)
        segment.take_producer()
        self._words = segment.words  # keeps the memory mapped
        self._base = segment.base
        self._dtype = segment.dtype
        self._write = entry(cell_write, 0, np.zeros(1, segment.dtype))
        recover_writer(self._base)

    def write(self, row: np.ndarray) -> int:
        """Make a copy of `row` the value of the cell.

        Parameters
        ----------
        row : np.ndarray
            (1,) contiguous record of the cell's dtype; its `seq` is ignored.

        Returns
        -------
        int
            The version, counted from 1; readers see it as `seq`.
        """
        _check_row(row, self._dtype)
        return self._write(self._base, row)


class CellReader:
    """A reading side of a cell.

    Parameters
    ----------
    segment : Segment
        A cell.

    Attributes
    ----------
    sequence : int
        Version of the value last read, 0 before the first.
    """

    def __init__(self, segment: Segment) -> None:
        _require_cell(segment)
        self._name = segment.name
        self._words = segment.words  # keeps the memory mapped
        self._base = segment.base
        self._dtype = segment.dtype
        self._read = entry(cell_read, 0, 0, np.zeros(1, segment.dtype))
        self.sequence = 0

    def read(self, out_row: np.ndarray) -> bool:
        """Copy the latest value into `out_row`.

        Parameters
        ----------
        out_row : np.ndarray
            (1,) contiguous record of the cell's dtype, overwritten; its `seq` becomes the version.

        Returns
        -------
        bool
            False if the cell was never written; `out_row` is then as before.

        Raises
        ------
        CellBusy
            If the writer overtook every attempt.
        """
        _check_row(out_row, self._dtype)
        sequence = self._read(self._base, self.sequence, out_row)
        if sequence == BUSY:
            raise CellBusy(self._name)
        self.sequence = max(self.sequence, sequence)
        return sequence > 0


@brief_kernel
def cell_write(base: int, row: np.ndarray) -> int:
    """Publish a record.

    Parameters
    ----------
    base : int
        Address of a mapped cell.
    row : np.ndarray
        (1,) record, or its int64 words; the first word is ignored.

    Returns
    -------
    int
        Its version, >= 1.
    """
    stride = load_constant_i64(base + AT_STRIDE)
    version = load_relaxed_i64(base + AT_HEAD) + 1
    slot = base + HEADER_BYTES + (version % CELL_SLOTS) * stride
    store_relaxed_i64(slot, 0)
    fence_release()
    copy_bytes(slot + WORD_BYTES, address_of(row) + WORD_BYTES, stride - WORD_BYTES)
    store_release_i64(slot, version)
    store_release_i64(base + AT_HEAD, version)
    return version


@brief_kernel
def cell_read(base: int, seen: int, row: np.ndarray) -> int:
    """Copy the latest record.

    Parameters
    ----------
    base : int
        Address of a mapped cell.
    seen : int
        Version last seen; none older is returned.
    row : np.ndarray
        (1,) record, or its int64 words; overwritten.

    Returns
    -------
    int
        Version >= max(seen, 1); 0 if never written; `BUSY` if every attempt met the writer.
    """
    stride = load_constant_i64(base + AT_STRIDE)
    target = address_of(row)
    for _ in range(ATTEMPTS_MAX):
        latest = load_acquire_i64(base + AT_HEAD)
        if latest == 0:
            return 0
        slot = base + HEADER_BYTES + (latest % CELL_SLOTS) * stride
        version = load_acquire_i64(slot)
        if version < latest or version < seen:
            continue
        copy_bytes(target + WORD_BYTES, slot + WORD_BYTES, stride - WORD_BYTES)
        fence_acquire()
        if load_relaxed_i64(slot) == version:
            store_relaxed_i64(target, version)
            return version
    return BUSY


@kernel
def recover_writer(base: int) -> int:
    """Adopt a version that a killed predecessor finished but did not announce; the last version."""
    stride = load_constant_i64(base + AT_STRIDE)
    latest = load_relaxed_i64(base + AT_HEAD)
    following = latest + 1
    if load_acquire_i64(base + HEADER_BYTES + (following % CELL_SLOTS) * stride) == following:
        latest = following
        store_release_i64(base + AT_HEAD, latest)
    return latest


def _require_cell(segment: Segment) -> None:
    if segment.kind != layout.KIND_CELL:
        raise ValueError(f"{segment.name} is a {layout.KIND_NAMES[segment.kind]}, not a cell")


def _check_row(row: np.ndarray, dtype: np.dtype) -> None:
    if row.shape != (1,) or (row.dtype is not dtype and row.dtype != dtype):
        raise ValueError(f"a cell takes one row of {dtype}, not {row.shape} of {row.dtype}")


@example(recover_writer)
def _recover_example() -> tuple[object, ...]:
    return (0,)
