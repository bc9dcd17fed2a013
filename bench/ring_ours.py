"""Our side of `bench/ring.py`: the same traffic as the C++ peer's, through `ringbuf` in compiled loops.

Words 1 and last of every record hold its number; the reading side checks both and counts what is wrong.
"""

import ctypes

import numpy as np

from ringbuf import Consumer, Producer, Segment
from ringbuf.atomics import address_of, load_relaxed_i64, pause, store_relaxed_i64
from ringbuf.jit import kernel
from ringbuf.layout import LINE_BYTES, WORD_BYTES
from ringbuf.ring_kernels import claim, peek, pop, publish, push, release

SLOTS = 1024
READY_AT = 2048  # a header word nobody uses: the reading side is there
CLOCK_MONOTONIC = 1
clock_gettime = ctypes.CDLL(None).clock_gettime
clock_gettime.argtypes = [ctypes.c_int, ctypes.c_size_t]  # not c_void_p: a kernel holds addresses as integers
clock_gettime.restype = ctypes.c_int
BATCH = 32
ROUNDS_MAX = 2_000_000_000  # looks at a silent peer before a side gives up


def record_dtype(record_bytes: int) -> np.dtype:
    """A record of so many bytes: `seq` and words."""
    return np.dtype([("seq", "i8"), ("words", "i8", (record_bytes // WORD_BYTES - 1,))])


def rows(size: int) -> np.ndarray:
    """Room for `size` bytes of records as int64 words, on a cache line of its own."""
    room = np.zeros(size // WORD_BYTES + LINE_BYTES // WORD_BYTES, np.int64)
    skip = -room.ctypes.data % LINE_BYTES // WORD_BYTES
    return room[skip : skip + size // WORD_BYTES]


def table(ring: Segment) -> np.ndarray:
    """The ring's slots as (slots, words) int64."""
    return ring.slots.view(np.int64).reshape(SLOTS, -1)


def compile_all(sizes: tuple[int, ...]) -> None:
    """Call every kernel once, so that nothing is compiled while the clock runs or in a forked process."""
    for size in sizes:
        ring = Segment.local(record_dtype(size), SLOTS)
        Producer(ring), Consumer(ring)
        words = size // WORD_BYTES
        produce(ring.base, rows(size), words, 1, 2)
        consume(ring.base, rows(size), words, 1, 2)
        produce_in_place(ring.base, table(ring), True, 1, 2)
        consume_in_place(ring.base, table(ring), True, 1, 2)
        # A ring that answers itself.
        ask(ring.base, ring.base, rows(size), np.zeros(2, np.int64), np.zeros(1, np.int64))
        answer(ring.base, ring.base, rows(size), 0)


@kernel
def produce(base: int, rows: np.ndarray, record_words: int, batch: int, count: int) -> int:
    """Copy `count` numbered records in, up to `batch` per call; how many were accepted."""
    source, done, patience = address_of(rows), 0, ROUNDS_MAX
    while done < count and patience > 0:
        wanted = min(batch, count - done)
        address = source
        for i in range(wanted):
            store_relaxed_i64(address + WORD_BYTES, done + i)
            address += record_words * WORD_BYTES
            store_relaxed_i64(address - WORD_BYTES, done + i)
        accepted = push(base, source, wanted)
        done += accepted
        if accepted == 0:
            patience -= 1
            pause()
    return done


@kernel
def consume(base: int, rows: np.ndarray, record_words: int, batch: int, count: int) -> int:
    """Copy `count` records out, up to `batch` per call, and check them; how many were wrong or missing."""
    target, done, wrong, patience = address_of(rows), 0, 0, ROUNDS_MAX
    while done < count and patience > 0:
        got = pop(base, target, batch)
        address = target
        for i in range(got):
            number = load_relaxed_i64(address + WORD_BYTES)
            address += record_words * WORD_BYTES
            if number != done + i or load_relaxed_i64(address - WORD_BYTES) != done + i:
                wrong += 1
        done += got
        if got == 0:
            patience -= 1
            pause()
    return wrong + count - done


@kernel
def produce_in_place(base: int, table: np.ndarray, every_word: bool, batch: int, count: int) -> int:
    """Write `count` records where they lie, two words or every word of each; how many were written.

    `table` is the (slots, words) int64 view of the ring.
    """
    done, patience, last = 0, ROUNDS_MAX, table.shape[1] - 1
    while done < count and patience > 0:
        first, claimed = claim(base, min(batch, count - done))
        for i in range(claimed):
            if every_word:
                table[first + i, 1:] = done + i
            else:
                table[first + i, 1] = table[first + i, last] = done + i
        publish(base, claimed)
        done += claimed
        if claimed == 0:
            patience -= 1
            pause()
    return done


@kernel
def consume_in_place(base: int, table: np.ndarray, every_word: bool, batch: int, count: int) -> int:
    """Check `count` records where they lie, two words or every word; how many were wrong or missing."""
    done, wrong, patience, last = 0, 0, ROUNDS_MAX, table.shape[1] - 1
    while done < count and patience > 0:
        first, got = peek(base, batch)
        for i in range(got):
            bits = (table[first + i, 1] ^ (done + i)) | (table[first + i, last] ^ (done + i))
            if every_word:
                for word in range(2, last):
                    bits |= table[first + i, word] ^ (done + i)
            wrong += bits != 0
        release(base, got)
        done += got
        if got == 0:
            patience -= 1
            pause()
    return wrong + count - done


@kernel
def now_ns(stamp: np.ndarray) -> int:
    """Monotonic time from within a kernel; `stamp` is (2,) int64 for the system's answer."""
    clock_gettime(CLOCK_MONOTONIC, address_of(stamp))
    return stamp[0] * 1_000_000_000 + stamp[1]


@kernel
def ask(there: int, back: int, rows: np.ndarray, stamp: np.ndarray, times_ns: np.ndarray) -> int:
    """As many round trips as `times_ns` has room for, one after the other; how many came back wrong."""
    address, last, wrong, patience = address_of(rows), len(rows) - 1, 0, ROUNDS_MAX
    for i in range(len(times_ns)):
        begin_ns = now_ns(stamp)
        rows[1] = rows[last] = i + 1
        while push(there, address, 1) == 0 and patience > 0:
            patience -= 1
            pause()
        while pop(back, address, 1) == 0 and patience > 0:
            patience -= 1
            pause()
        times_ns[i] = now_ns(stamp) - begin_ns
        if rows[1] != i + 1 or rows[last] != i + 1:
            wrong += 1
    return wrong


@kernel
def answer(there: int, back: int, rows: np.ndarray, count: int) -> int:
    """Send back `count` records as they come; how many were wrong or missing."""
    address, last, done, wrong, patience = address_of(rows), len(rows) - 1, 0, 0, ROUNDS_MAX
    while done < count and patience > 0:
        if pop(there, address, 1) == 0:
            patience -= 1
            pause()
            continue
        done += 1
        if rows[1] != done or rows[last] != done:
            wrong += 1
        while push(back, address, 1) == 0 and patience > 0:
            patience -= 1
            pause()
    return wrong + count - done
