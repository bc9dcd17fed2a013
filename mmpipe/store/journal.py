"""The journal: what execution is about to send and what was filled, durable before anything leaves.

An append-only binary file; the state of every order and position is a fold over it, and SQLite is only
a projection of it. One writer at a time (an advisory lock on the file), any number of readers.

    ┌ header 128 B ┬ entry ─────────────────────────────────────────────┬ entry ┬ … ┬ zeros ┐
    │ magic        │ length u4 · crc32 u4 · seq u8 · chain 8 B · kind u1│       │   │ pre-  │
    │ version      │ pad 3 B · durable u4 · payload: whole INTENT or    │       │   │ alloc-│
    │ digests, run │ ANSWER records                                     │       │   │ ated  │
    └──────────────┴────────────────────────────────────────────────────┴───────┴───┴───────┘

The checksum covers the length and all that follows it; the chain is a hash of the previous chain and this
payload, so that entries can neither be swapped nor repeated. Opening recovers: an unfinished last entry is
cut off, damage to what had been durable is refused by offset. After a failed write or fsync the journal
is poisoned: an fsync that failed once may have dropped pages, and repeating it would report success
(Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import numpy as np

from mmpipe.enums import AnswerKind, Side
from mmpipe.errors import JournalError
from mmpipe.store.journal_format import (
    DTYPE_OF,
    ENTRY,
    HEADER,
    PAYLOAD_SIZE_MAX,
    RUN_ID_SIZE,
    JournalKind,
    Tail,
    check_header,
    entries,
    entry_bytes,
    first_chain,
    header_bytes,
    next_chain,
)

__all__ = ["GROWTH_SIZE", "Journal", "JournalKind", "positions_of", "read"]

GROWTH_SIZE: Final = 1 << 20  # bytes reserved at a time: appending never changes the file's size on disk


class Journal:
    """The one writer of a journal file.

    Attributes
    ----------
    path : Path
        The file.
    seq : int
        Number of the newest entry, 0 before the first.
    truncated_size : int
        Bytes of an unfinished entry that opening cut off.
    """

    def __init__(self, path: Path, descriptor: int, tail: Tail, truncated_size: int) -> None:
        self.path = path
        self.seq = tail.seq
        self.truncated_size = truncated_size
        self._descriptor = descriptor
        self._chain = tail.chain
        self._end = tail.offset
        self._reserved = os.fstat(descriptor).st_size
        self._pending = bytearray()
        self._poison = ""

    @classmethod
    def open(cls, path: Path, run_id: str) -> Self:
        """Open `path` for writing, recovering what is there; a missing file is created.

        Parameters
        ----------
        path : Path
            The file; its folder must exist.
        run_id : str
            Name of the run, 1 to 32 bytes; an existing journal must carry the same.

        Raises
        ------
        JournalError
            Another process writes it, it belongs to another run or layout, it is damaged before its
            last entry, or the disk refuses.
        """
        name = run_id.encode()
        if not 0 < len(name) <= RUN_ID_SIZE:
            raise JournalError(f"{path}: run id {run_id!r} must have 1 to {RUN_ID_SIZE} bytes")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"{path}: cannot open the journal: {error.strerror}") from error
        try:
            return cls._recover(path, descriptor, name)
        except OSError as error:
            os.close(descriptor)
            raise JournalError(f"{path}: cannot recover the journal: {error.strerror}") from error
        except JournalError:
            os.close(descriptor)
            raise

    @classmethod
    def _recover(cls, path: Path, descriptor: int, name: bytes) -> Self:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalError(f"{path}: another process writes this journal; stop it first") from error
        size = os.fstat(descriptor).st_size
        if size < HEADER.itemsize:
            # Creation was cut short: nothing was ever sent on its word.
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, header_bytes(name), 0)
            _sync_with_folder(descriptor, path)
        content = _content(descriptor)
        found = check_header(path, content)
        if found != name:
            raise JournalError(
                f"{path}: belongs to run {found.decode()!r}; give {name.decode()!r} a new file"
            )
        tail = Tail(HEADER.itemsize, 0, first_chain(content))
        for entry in entries(path, content):
            tail = entry.tail
        truncated_size = len(content[tail.offset :].rstrip(b"\0"))
        os.ftruncate(descriptor, tail.offset)
        os.fsync(descriptor)
        return cls(path, descriptor, tail, truncated_size)

    def append(self, kind: JournalKind, rows: np.ndarray) -> None:
        """Add one entry to the next `commit`.

        Parameters
        ----------
        kind : JournalKind
            What the rows are.
        rows : ndarray of INTENT or ANSWER, shape (n,)
            None is no entry.

        Raises
        ------
        JournalError
            The journal is poisoned, the rows are of another record, or too many for one entry.
        """
        self._refuse_poisoned()
        if rows.dtype != DTYPE_OF[kind]:
            raise JournalError(f"{self.path}: an entry of kind {kind.name} holds {kind.name} records only")
        payload = rows.tobytes()
        if len(payload) > PAYLOAD_SIZE_MAX:
            raise JournalError(f"{self.path}: {len(rows)} rows exceed an entry; append them in parts")
        if not payload:
            return
        self.seq += 1
        self._chain = next_chain(self._chain, payload)
        tail = Tail(self._end + len(self._pending) + ENTRY.itemsize + len(payload), self.seq, self._chain)
        self._pending += entry_bytes(tail, self._end, kind, payload)

    def commit(self) -> None:
        """Make all that was appended durable; only after it returns may anything be sent.

        Raises
        ------
        JournalError
            The disk refused to reserve, write or sync. From then on every call raises: execution must
            place nothing more and cancel what rests.
        """
        self._refuse_poisoned()
        if not self._pending:
            return
        try:
            self._reserve(self._end + len(self._pending))
            _write_all(self._descriptor, self._pending, self._end)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._poison = f"{self.path}: not durable ({error.strerror}); nothing may be sent"
            self._cut_tear()
            raise JournalError(self._poison) from error
        self._end += len(self._pending)
        self._pending.clear()

    def close(self) -> None:
        """Give back what was reserved and release the file; what was not committed is dropped."""
        if self._descriptor < 0:
            return
        if not self._poison:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        self._poison = f"{self.path}: the journal is closed"

    def _refuse_poisoned(self) -> None:
        if self._poison:
            raise JournalError(self._poison)

    def _reserve(self, end: int) -> None:
        if end > self._reserved:
            growth = -(-(end - self._reserved) // GROWTH_SIZE) * GROWTH_SIZE
            os.posix_fallocate(self._descriptor, self._reserved, growth)
            self._reserved += growth

    def _cut_tear(self) -> None:
        # A full disk tears a write in the middle, but shrinking the file still works there.
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError:
            return  # recovery cuts the same tear at the next start


def read(path: Path) -> Iterator[tuple[JournalKind, np.ndarray]]:
    """Entries of a journal in order, up to an unfinished last one; the file is not changed.

    Parameters
    ----------
    path : Path
        A journal, possibly being written.

    Yields
    ------
    tuple of JournalKind and ndarray
        Kind, and its INTENT or ANSWER rows, shape (n,), read-only.

    Raises
    ------
    JournalError
        The file is missing, of another layout, or damaged before its last entry.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: cannot read the journal: {error.strerror}") from error
    check_header(path, content)
    for entry in entries(path, content):
        yield entry.kind, np.frombuffer(entry.payload, DTYPE_OF[entry.kind])


def positions_of(path: Path) -> dict[int, int]:
    """Position per symbol that the journalled fills add up to, each trade id once.

    Parameters
    ----------
    path : Path
        A journal.

    Returns
    -------
    dict of int to int
        Symbol index to signed lots; a symbol that never filled is absent.
    """
    positions: dict[int, int] = {}
    seen: set[tuple[int, int]] = set()
    for kind, rows in read(path):
        if kind is not JournalKind.ANSWER:
            continue
        for row in rows[rows["kind"] == int(AnswerKind.FILL)]:
            symbol, tid, side = int(row["symbol"]), int(row["tid"]), int(row["side"])
            if (symbol, tid) in seen:
                continue
            assert side in (Side.BUY, Side.SELL), "a fill has a side"
            seen.add((symbol, tid))
            positions[symbol] = positions.get(symbol, 0) + side * int(row["qty_lots"])
    return positions


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    if len(content) != size:
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return content


def _write_all(descriptor: int, content: bytearray, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        offset += written
        view = view[written:]


def _sync_with_folder(descriptor: int, path: Path) -> None:
    # A new file survives a crash only if its directory entry does too.
    os.fsync(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
