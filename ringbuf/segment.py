"""A named piece of shared memory: a checked header page and an array of slots.

One process (the supervisor) creates and unlinks; others attach by name, and are refused by name if anything
does not match: owner, mode, size, magic, layout version, kind, record layout. The size and the header are
checked on the open file before it is mapped, so that a truncated one cannot kill the process. `local` makes
the same thing in private memory for replay and tests. The bytes are drawn in `layout`.

Closing never invalidates a view: memory is unmapped when the last array over it has gone.
"""

import mmap
import os
import struct
import time
from typing import NamedTuple, Protocol

import numpy as np

from ringbuf import layout, mapping
from ringbuf.atomics import store_release_i64
from ringbuf.errors import SegmentNotFound, SegmentRefused
from ringbuf.jit import example, kernel
from ringbuf.layout import AT_CONSUMER_PID, AT_MAGIC, AT_PRODUCER_PID, KIND_RING, MAGIC, WORD_BYTES
from ringbuf.liveness import is_alive, pid_space, process_start_time

__all__ = ["Segment", "Side", "is_alive", "process_start_time", "unlink_orphans"]

_LOCAL_NAME = "(local)"


class Side(NamedTuple):
    """Who holds one side of a segment: pid 0 if nobody ever did; `generation` counts the holders."""

    pid: int
    start: int
    generation: int

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.pid != 0 and is_alive(self.pid, self.start)


class Segment:
    """A mapped segment; make one with `create`, `attach` or `local`.

    Attributes
    ----------
    name : str
        Name without slash, "(local)" for private memory.
    dtype : np.dtype
        Of one slot.
    kind : int
        `layout.KIND_RING`, `KIND_CELL` or `KIND_COUNTERS`.
    slots : np.ndarray
        (slot_count,) `dtype`, writable view of all slots.
    base : int
        Address of the header, what kernels are given. Pins nothing: keep `words` as long as it is used.
    words : np.ndarray
        (bytes / 8,) int64, the whole segment; holding it keeps the memory mapped.
    """

    def __init__(self, name: str, dtype: np.dtype, kind: int, memory: "_Memory", buffer: object) -> None:
        self.name = name
        self.dtype = dtype
        self.kind = kind
        self._memory = memory
        # frombuffer keeps a buffer export; np.ndarray(buffer=...) would not, and closing would crash.
        self.words: np.ndarray = np.frombuffer(buffer, np.int64)  # type: ignore[call-overload]  # any buffer
        self.base = int(self.words.__array_interface__["data"][0])
        slot_words = self.words[layout.HEADER_BYTES // WORD_BYTES :]
        self.slots: np.ndarray = slot_words if dtype == np.int64 else slot_words.view(dtype)

    @classmethod
    def create(cls, name: str, dtype: np.dtype, slots: int, kind: int = KIND_RING) -> "Segment":
        """Make a new segment of this name, zeroed, reserved and mapped, mode 0600.

        Parameters
        ----------
        name : str
            Name without slash; must be free.
        dtype : np.dtype
            Record of one slot: first field `seq` int64, a multiple of 64 bytes; int64 for counters.
        slots : int
            A power of two for a ring, 4 for a cell, any number of counters.
        kind : int
            `layout.KIND_RING`, `KIND_CELL` or `KIND_COUNTERS`.

        Raises
        ------
        SegmentRefused
            If the name is taken or dtype and slots do not suit the kind.
        """
        size = _checked_size(name, dtype, slots, kind)
        memory = mapping.create(name, size)
        segment = cls(name, dtype, kind, memory, memory.buf)
        segment._write_header(slots)
        return segment

    @classmethod
    def attach(cls, name: str, dtype: np.dtype, kind: int = KIND_RING) -> "Segment":
        """Map an existing segment after checking that it is what the caller expects.

        Raises
        ------
        SegmentNotFound
            If there is none of that name.
        SegmentRefused
            If owner, mode, file, magic, layout version, kind, dtype, stride or size do not match.
        """
        fd = mapping.open_checked(name)
        try:
            _check_header(name, fd, dtype, kind)
            memory = mapping.attach(name, fd)
        finally:
            os.close(fd)
        return cls(name, dtype, kind, memory, memory.buf)

    @classmethod
    def local(cls, dtype: np.dtype, slots: int, kind: int = KIND_RING) -> "Segment":
        """The same in private memory of this process, for replay and tests; arguments as for `create`."""
        memory = mmap.mmap(-1, _checked_size(_LOCAL_NAME, dtype, slots, kind))
        segment = cls(_LOCAL_NAME, dtype, kind, _Anonymous(memory), memory)
        segment._write_header(slots)
        return segment

    def close(self) -> None:
        """Give the memory back once nobody views it; the segment itself stays for others."""
        self.words = self.words[:0].copy()
        self.slots = self.slots[:0].copy()
        self.base = 0
        self._memory.close()

    def unlink(self) -> None:
        """Remove the name; who has the segment mapped keeps it. For the creator only."""
        if self.name != _LOCAL_NAME:
            mapping.remove(self.name)

    @property
    def epoch(self) -> int:
        """Wall time of creation, ns; another value under the same name is another segment."""
        return self._word(layout.AT_EPOCH)

    @property
    def owner(self) -> Side:
        """The process that created the segment."""
        return Side(self._word(layout.AT_OWNER_PID), self._word(layout.AT_OWNER_START), 1)

    @property
    def producer(self) -> Side:
        """The process that writes, or last wrote."""
        return self._side(AT_PRODUCER_PID)

    @property
    def consumer(self) -> Side:
        """The process that reads a ring, or last read it."""
        return self._side(AT_CONSUMER_PID)

    @property
    def stop_requested(self) -> bool:
        """Whether someone asked both sides to finish."""
        return self._word(layout.AT_STOP) != 0

    def request_stop(self) -> None:
        """Ask both sides to finish; they look at `stop_requested` when they like."""
        self.words[layout.AT_STOP // WORD_BYTES] = 1

    def take_producer(self) -> None:
        """Enter this process as the writer.

        Raises
        ------
        SegmentRefused
            If another process that still runs is entered.
        """
        self._take(AT_PRODUCER_PID, "producer")

    def take_consumer(self) -> None:
        """Enter this process as the reader; raises like `take_producer`."""
        self._take(AT_CONSUMER_PID, "consumer")

    def _take(self, at: int, what: str) -> None:
        side = self._side(at)
        if side.pid != os.getpid() and side.alive:
            raise SegmentRefused(self.name, what, f"running process {side.pid}", "none that runs")
        first = at // WORD_BYTES
        self.words[first : first + 3] = (0, _own_start(), side.generation + 1)
        self.words[first] = os.getpid()

    def _side(self, at: int) -> Side:
        return Side(*(self._word(at + WORD_BYTES * i) for i in range(3)))

    def _word(self, at: int) -> int:
        return int(self.words[at // WORD_BYTES])

    def _write_header(self, slot_count: int) -> None:
        header = {
            layout.AT_LAYOUT_VERSION: layout.LAYOUT_VERSION,
            layout.AT_KIND: self.kind,
            layout.AT_STRIDE: self.dtype.itemsize,
            layout.AT_SLOT_COUNT: slot_count,
            layout.AT_DTYPE_DIGEST: layout.dtype_digest(self.dtype),
            layout.AT_EPOCH: time.time_ns(),
            layout.AT_OWNER_PID: os.getpid(),
            layout.AT_OWNER_START: _own_start(),
            layout.AT_OWNER_PID_SPACE: pid_space(),
            layout.AT_COMMIT: layout.commit_protocol(self.dtype.itemsize) if self.kind == KIND_RING else 0,
        }
        for at, value in header.items():
            self.words[at // WORD_BYTES] = value
        complete_header(self.base)


class _Memory(Protocol):
    def close(self) -> None: ...


class _Anonymous:
    # Private memory, with the closing manners of a Mapping.
    def __init__(self, memory: mmap.mmap) -> None:
        self._memory: mmap.mmap | None = memory

    def close(self) -> None:
        """Let go: the memory goes with the last view."""
        self._memory = None


@kernel
def complete_header(base: int) -> None:
    """Store the magic, after all that was written before: from now on the segment can be attached."""
    store_release_i64(base + AT_MAGIC, MAGIC)


def unlink_orphans(prefix: str) -> list[str]:
    """Remove segments whose creator is provably dead; all others stay.

    Parameters
    ----------
    prefix : str
        What the names begin with; not empty.

    Returns
    -------
    list of str
        Names removed, sorted.

    Notes
    -----
    Provably: same user, our layout, created in this pid namespace, and no running process has the
    creator's pid and start time.
    """
    if not prefix:
        raise ValueError("prefix is empty: that would consider every segment of this machine")
    names = sorted(name for name in os.listdir(mapping.FOLDER) if name.startswith(prefix))
    return [name for name in names if _owner_is_dead(name) and mapping.remove(name)]


def _owner_is_dead(name: str) -> bool:
    try:
        fd = mapping.open_checked(name)
    except (SegmentNotFound, SegmentRefused):
        return False
    try:
        header = _read_header(fd)
    finally:
        os.close(fd)
    if header is None or header[layout.AT_LAYOUT_VERSION] != layout.LAYOUT_VERSION:
        return False
    # Without magic it may be half made; its owner stands in it all the same.
    if header[AT_MAGIC] not in (0, MAGIC) or header[layout.AT_OWNER_PID_SPACE] != pid_space():
        return False
    return not is_alive(header[layout.AT_OWNER_PID], header[layout.AT_OWNER_START])


def _own_start() -> int:
    start = process_start_time(os.getpid())
    assert start is not None, "this process has no /proc entry: is /proc mounted?"
    return start


def _checked_size(name: str, dtype: np.dtype, slots: int, kind: int) -> int:
    fault = layout.layout_fault(dtype, slots, kind)
    if fault is not None:
        raise SegmentRefused(name, *fault)
    return layout.HEADER_BYTES + slots * dtype.itemsize


def _read_header(fd: int) -> dict[int, int] | None:
    # From the file, not the mapping: reading past the end of a truncated mapping is a SIGBUS.
    page = os.pread(fd, layout.HEADER_BYTES, 0)
    if len(page) < layout.HEADER_BYTES:
        return None
    words = struct.unpack(f"={layout.HEADER_BYTES // WORD_BYTES}q", page)
    return {index * WORD_BYTES: word for index, word in enumerate(words)}


def _check_header(name: str, fd: int, dtype: np.dtype, kind: int) -> None:
    size = os.fstat(fd).st_size
    header = _read_header(fd)
    if header is None:
        raise SegmentRefused(name, "size", f"{size} bytes", f"at least {layout.HEADER_BYTES} bytes")
    expectations: tuple[tuple[str, int, int], ...] = (
        ("magic", AT_MAGIC, MAGIC),
        ("layout version", layout.AT_LAYOUT_VERSION, layout.LAYOUT_VERSION),
        ("dtype", layout.AT_DTYPE_DIGEST, layout.dtype_digest(dtype)),
        ("stride", layout.AT_STRIDE, dtype.itemsize),
    )
    if kind == KIND_RING:
        expectations += (("commit protocol", layout.AT_COMMIT, layout.commit_protocol(dtype.itemsize)),)
    for what, at, expected in expectations:
        if header[at] != expected:
            raise SegmentRefused(name, what, f"{header[at]:#x}", f"{expected:#x}")
    if header[layout.AT_KIND] != kind:
        found = layout.KIND_NAMES.get(header[layout.AT_KIND], "unknown")
        raise SegmentRefused(name, "kind", found, layout.KIND_NAMES[kind])
    slot_count = header[layout.AT_SLOT_COUNT]
    expected_size = _checked_size(name, dtype, slot_count, kind)
    if size != expected_size:
        raise SegmentRefused(name, "size", f"{size} bytes", f"{expected_size} bytes for {slot_count} slots")


@example(complete_header)
def _complete_header_example() -> tuple[object, ...]:
    return (0,)
