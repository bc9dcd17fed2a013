"""The ring between one writer and one reader: `Producer`, `Consumer`, and `Observer` beside them.

    producer.claim(n) ─▶ write fields ─▶ producer.publish(n)
                                                   consumer.peek(n) ─▶ read ─▶ consumer.release(n)

Records are written and read in place; the protocol is `ring_kernels`, which compiled code can also call with
`segment.base`. A claimed or peeked array is a view of the ring:

- copy what must outlive `release`, for the writer overwrites it;
- never assign a whole row of a claimed view: its first field, `seq`, commits the record and belongs to
  `publish`. Assign fields, or let `push` copy all but `seq`.

Nothing waits here: full and empty show as fewer records or none. How to wait is `idle`.
"""

import numpy as np

from ringbuf import layout
from ringbuf.doorbell import Doorbell
from ringbuf.jit import entry
from ringbuf.ring_kernels import (
    claim,
    peek,
    pop_rows,
    publish_rows,
    push_rows,
    recover_consumer,
    recover_producer,
    release,
    wake,
    wake_anyhow,
)
from ringbuf.ring_observe import observe_words
from ringbuf.segment import Segment


class Producer:
    """The writing side of a ring; resumes where a killed predecessor stopped.

    Parameters
    ----------
    segment : Segment
        A ring; at most one process that runs may be its producer.
    doorbell : Doorbell, optional
        What to ring when the reader sleeps on sockets too; a reader that only waits for rings needs none.

    Attributes
    ----------
    base : int
        Address for `ring_kernels`. Pins nothing: keep the producer as long as it is used. Who publishes
        in a kernel calls `wake` after each batch.

    Raises
    ------
    SegmentRefused
        If another running process is the producer.
    """

    def __init__(self, segment: Segment, doorbell: Doorbell | None = None) -> None:
        segment.take_producer()
        self._hold = _Hold(segment)
        self._slots = segment.slots
        self._dtype = segment.dtype
        self.base = segment.base
        self._doorbell = doorbell
        self._claim = entry(claim, 0, 1)
        self._publish = entry(publish_rows, 0, 1)
        self._push = entry(push_rows, 0, np.zeros(1, segment.dtype))
        recover_producer(self.base)
        # A predecessor may have been killed between its commit and the wake-up.
        wake_anyhow(self.base)
        if doorbell is not None:
            doorbell.ring()

    def claim(self, count: int = 1) -> np.ndarray:
        """Writable view of up to `count` free slots side by side.

        Returns
        -------
        np.ndarray
            (0..count,) records: fewer at the wrap or when nearly full, none when full. Holds what the
            slots held before: write every field but `seq`.
        """
        first, claimed = self._claim(self.base, count)
        return self._slots[first : first + claimed]

    def publish(self, count: int = 1) -> None:
        """Commit the first `count` claimed records and wake the reader if it sleeps.

        Raises
        ------
        ValueError
            If fewer were claimed.
        """
        published, must_ring = self._publish(self.base, count)
        if not published:
            raise ValueError(f"{self._hold.name}: publish({count}), but fewer are claimed; claim first")
        if must_ring and self._doorbell is not None:
            self._doorbell.ring()

    def push(self, rows: np.ndarray) -> int:
        """Copy records into the ring and commit them.

        Parameters
        ----------
        rows : np.ndarray
            (n,) contiguous records of the ring's dtype; their `seq` is ignored.

        Returns
        -------
        int
            How many were accepted, the first ones: fewer than n when the ring is full.
        """
        dtype = rows.dtype
        if dtype is not self._dtype and dtype != self._dtype:
            raise ValueError(f"{self._hold.name}: push of {dtype}, the ring holds {self._dtype}")
        accepted, must_ring = self._push(self.base, rows)
        if accepted < 0:
            raise ValueError(f"{self._hold.name}: push of rows that are not contiguous; copy them first")
        if must_ring and self._doorbell is not None:
            self._doorbell.ring()
        return accepted

    @property
    def next_seq(self) -> int:
        """The `seq` that the next published record gets; the first gets 1."""
        return self.head + 1

    @property
    def head(self) -> int:
        """Records published since the ring was made."""
        return self._hold.word(layout.AT_WRITE_INDEX)

    @property
    def free(self) -> int:
        """Slots that can be claimed in all, as far as the reader has told."""
        return len(self._slots) - (self.head - self._hold.word(layout.AT_TAIL))

    def wake(self) -> None:
        """Wake the reader if it sleeps; `publish` and `push` have done so."""
        if wake(self.base) and self._doorbell is not None:
            self._doorbell.ring()


class Consumer:
    """The reading side of a ring; resumes behind the last record a predecessor released.

    Parameters
    ----------
    segment : Segment
        A ring; at most one process that runs may be its consumer.

    Attributes
    ----------
    base : int
        Address for `ring_kernels`. Pins nothing: keep the consumer as long as it is used.

    Raises
    ------
    SegmentRefused
        If another running process is the consumer.

    Notes
    -----
    After a SIGKILL between reading and `release` the same records come again: recognise them by `seq`.
    """

    def __init__(self, segment: Segment) -> None:
        segment.take_consumer()
        self._hold = _Hold(segment)
        self._slots = segment.slots
        self.base = segment.base
        self._none = segment.slots[:0]
        self._dtype = segment.dtype
        self._pop = entry(pop_rows, 0, np.zeros(1, segment.dtype))
        self._peek = entry(peek, 0, 1)
        self._release = entry(release, 0, 1)
        recover_consumer(self.base)

    def peek(self, limit: int) -> np.ndarray:
        """View of committed records in order.

        Parameters
        ----------
        limit : int
            Most records wanted.

        Returns
        -------
        np.ndarray
            (0..limit,) records side by side, valid until `release`: fewer at the wrap, none if none
            is there.
        """
        first, count = self._peek(self.base, limit)
        if count == 0:
            return self._none
        return self._slots[first : first + count]

    def release(self, count: int) -> None:
        """Give the oldest `count` records back to the writer.

        Raises
        ------
        ValueError
            If so many are not there.
        """
        if not self._release(self.base, count):
            raise ValueError(f"{self._hold.name}: release({count}), but fewer are there; see peek")

    def pop(self, rows: np.ndarray) -> int:
        """Copy records out and give them back at once: the writer has its slots before they are worked on.

        Parameters
        ----------
        rows : np.ndarray
            (n,) contiguous records of the ring's dtype, n >= 0; overwritten from the first on, with `seq`.

        Returns
        -------
        int
            How many there were, at most n. Who is killed before they are worked on does not see them again.
        """
        dtype = rows.dtype
        if dtype is not self._dtype and dtype != self._dtype:
            raise ValueError(f"{self._hold.name}: pop into {dtype}, the ring holds {self._dtype}")
        count = self._pop(self.base, rows)
        if count < 0:
            raise ValueError(f"{self._hold.name}: pop into rows that are not contiguous")
        return count

    @property
    def backlog(self) -> int:
        """Records published and not released."""
        return max(self.head - self.tail, 0)

    @property
    def head(self) -> int:
        """Records published since the ring was made."""
        return self._hold.word(layout.AT_HEAD)

    @property
    def tail(self) -> int:
        """Records released since the ring was made."""
        return self._hold.word(layout.AT_READ_INDEX)


class Observer:
    """Reads a ring from outside: the writer neither knows nor waits, and may lap it.

    Parameters
    ----------
    segment : Segment
        A ring. Observation begins with the next record published.
    """

    def __init__(self, segment: Segment) -> None:
        self._hold = _Hold(segment)
        self._base = segment.base
        self._dtype = segment.dtype
        self._index = self._hold.word(layout.AT_HEAD)

    @property
    def head(self) -> int:
        """Records published since the ring was made."""
        return self._hold.word(layout.AT_HEAD)

    @property
    def backlog(self) -> int:
        """Records published that the reader has not released."""
        return max(self.head - self._hold.word(layout.AT_READ_INDEX), 0)

    def poll(self, limit: int) -> tuple[np.ndarray, int]:
        """Copies of the next published records, none torn.

        Parameters
        ----------
        limit : int
            Most records wanted.

        Returns
        -------
        tuple of (np.ndarray, int)
            (0..limit,) copied records in order, and how many were overwritten before they could be copied.
        """
        rows: np.ndarray = np.empty(limit, self._dtype)
        count, lapped, self._index = observe_words(self._base, self._index, rows.view(np.int64))
        return rows[:count], lapped


class _Hold:
    # Keeps the memory mapped as long as an address into it is in use.
    def __init__(self, segment: Segment) -> None:
        if segment.kind != layout.KIND_RING:
            raise ValueError(f"{segment.name} is a {layout.KIND_NAMES[segment.kind]}, not a ring")
        self.name = segment.name
        self._words = segment.words

    def word(self, at: int) -> int:
        """Header word at byte `at`."""
        return int(self._words[at // layout.WORD_BYTES])
