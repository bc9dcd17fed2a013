"""The ring's commit protocols as kernels over a segment's base address.

How a record becomes visible is chosen by its size when the ring is made (`layout.commit_protocol`), once:

    by sequence   the body first, then the first word of the slot, `seq` = index + 1 (release). The reader
                  polls that very word (acquire): one cache miss instead of the two of head and tail.
    by head       bodies and `seq` words, then `HEAD` (release). The reader keeps a copy of `HEAD` and looks
                  again when the copy is used up: large records and batches stream ahead of the index.

Both leave a half-written record invisible, whatever kills the writer, and both number every record by `seq`.
`TAIL`, behind which the writer may overwrite, is stored every quarter of the ring and whenever the reader
finds nothing; the writer keeps a copy. Cursors lie in the segment, so a process that starts again resumes:
at worst its peer sees a record twice, with the same `seq`.

After rigtorp/SPSCQueue (cached peer position) and LMAX Disruptor (claim and publish in batches). Nothing here
waits: a full or an empty ring is a count of 0. One writer, one reader; two of either corrupt the ring.
"""

import numpy as np

from ringbuf.atomics import (
    address_of,
    copy_bytes,
    demote,
    fence_release,
    fence_seq_cst,
    load_acquire_i64,
    load_constant_i64,
    load_relaxed_i64,
    prefetch_read,
    prefetch_write,
    store_relaxed_i64,
    store_release_i64,
)
from ringbuf.jit import brief_kernel, example, kernel
from ringbuf.layout import (
    AT_CACHED_HEAD,
    AT_CACHED_TAIL,
    AT_CLAIMED,
    AT_COMMIT,
    AT_HEAD,
    AT_PARKED,
    AT_READ_INDEX,
    AT_SLOT_COUNT,
    AT_STORED_TAIL,
    AT_STRIDE,
    AT_TAIL,
    AT_WRITE_INDEX,
    AWAKE,
    COMMIT_BY_HEAD,
    HEADER_BYTES,
    LINE_BYTES,
    PARKED_ON_BELL,
    WORD_BYTES,
)
from ringbuf.syscalls import wake_word

# Measured on 64 B records copied in and out, M/s: without any 55 (by head 24), with prefetching by the writer
# 60 (59), by the reader as well 68 (75). Farther ahead gains nothing; unbounded reading ahead halves it.
WRITE_AHEAD_BYTES = 256
READ_AHEAD = 16  # records
HEAD_EVERY = 32  # records after which a reader by sequence looks how far the writer is


@kernel
def slot_address(base: int, index: int) -> int:
    """Address of the slot that holds the record of `index`."""
    mask = load_constant_i64(base + AT_SLOT_COUNT) - 1
    return base + HEADER_BYTES + (index & mask) * load_constant_i64(base + AT_STRIDE)


@brief_kernel
def claim(base: int, count: int) -> tuple[int, int]:
    """Reserve up to `count` slots that lie side by side.

    Parameters
    ----------
    base : int
        Address of a mapped ring.
    count : int
        Slots wanted, >= 0.

    Returns
    -------
    tuple of int
        Position of the first slot, and how many: fewer at the wrap or when nearly full, 0 when full.
    """
    slot_count = load_constant_i64(base + AT_SLOT_COUNT)
    write_index = load_relaxed_i64(base + AT_WRITE_INDEX)
    first = write_index & (slot_count - 1)
    count = min(count, slot_count - first)
    count = max(min(count, _free(base, write_index, count)), 0)
    _announce_claim(base, write_index + count)
    return first, count


@kernel
def publish(base: int, count: int) -> bool:
    """Commit the first `count` claimed slots, in order; False if so many were not claimed."""
    write_index = load_relaxed_i64(base + AT_WRITE_INDEX)
    end = write_index + count
    if not (count >= 0 and end <= load_relaxed_i64(base + AT_CLAIMED)):
        return False
    for index in range(write_index, end):
        store_release_i64(slot_address(base, index), index + 1)
    _hand_over(base, write_index, end)
    return True


@kernel
def push(base: int, source: int, count: int) -> int:
    """Copy records into the ring and commit them.

    Parameters
    ----------
    base : int
        Address of a mapped ring.
    source : int
        Address of `count` records side by side; their `seq` words are ignored.
    count : int
        Records offered, >= 0.

    Returns
    -------
    int
        Records accepted, the first ones; fewer than `count` when the ring is full.
    """
    stride = load_constant_i64(base + AT_STRIDE)
    mask = load_constant_i64(base + AT_SLOT_COUNT) - 1
    write_index = load_relaxed_i64(base + AT_WRITE_INDEX)
    count = min(count, _free(base, write_index, count))
    if count <= 0:
        return 0
    end = write_index + count
    by_head = load_constant_i64(base + AT_COMMIT) == COMMIT_BY_HEAD
    ahead = max(WRITE_AHEAD_BYTES // stride, 1)
    _announce_claim(base, end)
    for index in range(write_index, end):
        slot = base + HEADER_BYTES + (index & mask) * stride
        # The reader still holds the lines of its last lap: ask for those to be written next.
        line = base + HEADER_BYTES + ((index + ahead) & mask) * stride
        for _ in range(0, stride, LINE_BYTES):
            prefetch_write(line)
            line += LINE_BYTES
        if by_head and stride > LINE_BYTES:
            copy_bytes(slot, source, stride)
        else:
            _copy_from(WORD_BYTES, slot, source, stride)
        store_release_i64(slot, index + 1)
        source += stride
    _hand_over(base, write_index, end)
    return count


@brief_kernel
def push_rows(base: int, rows: np.ndarray) -> tuple[int, bool]:
    """`push` and `wake` for callers from Python, who hold records of the ring's own dtype.

    Returns how many were accepted, or -1 if the rows are not contiguous, and whether to ring the doorbell.
    """
    if len(rows) > 1 and rows.strides[0] != rows.itemsize:
        return -1, False
    accepted = push(base, address_of(rows), len(rows))
    return accepted, accepted > 0 and wake(base)


@brief_kernel
def publish_rows(base: int, count: int) -> tuple[bool, bool]:
    """`publish` and `wake` for callers from Python."""
    published = publish(base, count)
    return published, published and count > 0 and wake(base)


@kernel
def wake(base: int) -> bool:
    """Wake the reader if it sleeps or is about to: call once after a batch. True: ring its doorbell.

    The fence orders our commit before the look at `PARKED`; the reader's orders its `PARKED` before its
    look at our commit. So at least one of the two sees the other. A reader that sleeps on the word itself is
    woken here; one that sleeps on sockets as well has a doorbell, which is the caller's to ring. Costs what a
    locked instruction costs while nobody sleeps.
    """
    fence_seq_cst()
    how = load_relaxed_i64(base + AT_PARKED)
    if how == AWAKE:
        return False
    # Cleared before the wake-up: a reader that parks anew meanwhile is woken once too often, never once too
    # seldom.
    store_relaxed_i64(base + AT_PARKED, AWAKE)
    if how == PARKED_ON_BELL:
        return True
    wake_word(base + AT_PARKED)
    return False


@kernel
def wake_anyhow(base: int) -> None:
    """Wake the reader even if its mark is gone: a predecessor may have died between mark and wake-up."""
    store_relaxed_i64(base + AT_PARKED, AWAKE)
    wake_word(base + AT_PARKED)


@brief_kernel
def peek(base: int, limit: int) -> tuple[int, int]:
    """Find committed records that lie side by side.

    Parameters
    ----------
    base : int
        Address of a mapped ring.
    limit : int
        Most records wanted, >= 0.

    Returns
    -------
    tuple of int
        Position of the first slot, and how many: fewer at the wrap, 0 when there is nothing.
    """
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    first = read_index & (load_constant_i64(base + AT_SLOT_COUNT) - 1)
    limit = min(limit, load_constant_i64(base + AT_SLOT_COUNT) - first)
    count = max(min(_committed(base, read_index, limit), limit), 0)
    if count == 0:
        _store_tail(base, read_index)
    return first, count


@brief_kernel
def release(base: int, count: int) -> bool:
    """Give `count` records back to the writer; False if so many are not there."""
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    if not (count >= 0 and (count == 0 or _is_committed(base, read_index + count - 1))):
        return False
    _give_back(base, read_index + count)
    return True


@kernel
def is_ready(base: int) -> bool:
    """Whether the reader has a record to read."""
    return _is_committed(base, load_relaxed_i64(base + AT_READ_INDEX))


@kernel
def pop(base: int, target: int, limit: int) -> int:
    """Copy up to `limit` records, `seq` included, to `target` and give them back; the number copied."""
    stride = load_constant_i64(base + AT_STRIDE)
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    count = min(_committed(base, read_index, limit), limit)
    if count <= 0:
        _store_tail(base, read_index)
        return 0
    end = read_index + count
    for index in range(read_index, end):
        _copy_from(0, target, slot_address(base, index), stride)
        target += stride
    _give_back(base, end)
    return count


@brief_kernel
def pop_rows(base: int, rows: np.ndarray) -> int:
    """`pop` for callers from Python, as many records as `rows` has room for; -1 if it is not contiguous."""
    if len(rows) > 1 and rows.strides[0] != rows.itemsize:
        return -1
    return pop(base, address_of(rows), len(rows))


@kernel
def recover_producer(base: int) -> int:
    """Resume as writer: adopt what a killed predecessor committed but did not count; the write index."""
    write_index = max(load_relaxed_i64(base + AT_WRITE_INDEX), load_relaxed_i64(base + AT_HEAD))
    if load_constant_i64(base + AT_COMMIT) != COMMIT_BY_HEAD:
        while load_acquire_i64(slot_address(base, write_index)) == write_index + 1:
            write_index += 1
    store_relaxed_i64(base + AT_CACHED_TAIL, load_acquire_i64(base + AT_TAIL))
    if load_relaxed_i64(base + AT_CLAIMED) < write_index:
        store_relaxed_i64(base + AT_CLAIMED, write_index)
    store_release_i64(base + AT_WRITE_INDEX, write_index)
    store_release_i64(base + AT_HEAD, write_index)
    return write_index


@kernel
def recover_consumer(base: int) -> int:
    """Resume as reader behind the last record a predecessor gave back; the read index."""
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    store_relaxed_i64(base + AT_PARKED, 0)
    _store_tail(base, read_index)
    return read_index


@kernel
def _free(base: int, write_index: int, wanted: int) -> int:
    # Slots the writer may fill, exact only where fewer than `wanted`.
    slot_count = load_constant_i64(base + AT_SLOT_COUNT)
    free = load_relaxed_i64(base + AT_CACHED_TAIL) + slot_count - write_index
    if free < wanted:
        tail = load_acquire_i64(base + AT_TAIL)
        store_relaxed_i64(base + AT_CACHED_TAIL, tail)
        free = tail + slot_count - write_index
    return free


@kernel
def _announce_claim(base: int, end: int) -> None:
    # An observer that copies an old record must learn that it is about to be overwritten. Never lowered:
    # a predecessor may have died half way through a longer claim.
    if end > load_relaxed_i64(base + AT_CLAIMED):
        store_relaxed_i64(base + AT_CLAIMED, end)
        fence_release()


@kernel
def _hand_over(base: int, write_index: int, end: int) -> None:
    store_release_i64(base + AT_HEAD, end)
    store_relaxed_i64(base + AT_WRITE_INDEX, end)
    # A reader that waits polls from another core: bring it the record half way. Measured: round trips of
    # 256 B 510 -> 344 ns, of 1 KiB 930 -> 772 ns; done always it would cost a busy ring most of its speed.
    if load_relaxed_i64(base + AT_TAIL) == write_index and end > write_index:
        slot = slot_address(base, write_index)
        for at in range(0, load_constant_i64(base + AT_STRIDE), LINE_BYTES):
            demote(slot + at)
        demote(base + AT_HEAD)


@kernel
def _copy_from(at: int, target: int, source: int, record_bytes: int) -> None:
    # From byte `at` of the first line on: 8 leaves out `seq`. That line word by word: a call costs more than
    # it holds, and a vector load would wait for the narrower stores that have just made the record.
    while at < LINE_BYTES:
        store_relaxed_i64(target + at, load_relaxed_i64(source + at))
        at += WORD_BYTES
    if record_bytes > LINE_BYTES:
        copy_bytes(target + LINE_BYTES, source + LINE_BYTES, record_bytes - LINE_BYTES)


@kernel
def _committed(base: int, read_index: int, limit: int) -> int:
    # Committed records from `read_index` on: by sequence up to `limit`, by head perhaps more, or 0 or less.
    if load_constant_i64(base + AT_COMMIT) == COMMIT_BY_HEAD:
        count = load_relaxed_i64(base + AT_CACHED_HEAD) - read_index
        if count < limit:
            head = load_acquire_i64(base + AT_HEAD)
            store_relaxed_i64(base + AT_CACHED_HEAD, head)
            count = head - read_index
        _prefetch(base, read_index)
        return count
    if read_index & (HEAD_EVERY - 1) == 0:
        store_relaxed_i64(base + AT_CACHED_HEAD, load_relaxed_i64(base + AT_HEAD))
    _prefetch(base, read_index)
    count = 0
    while (
        count < limit and load_acquire_i64(slot_address(base, read_index + count)) == read_index + count + 1
    ):
        count += 1
    return count


@kernel
def _prefetch(base: int, read_index: int) -> None:
    # Only what is known to be committed: to ask for a line that the writer is filling takes it from him.
    if load_relaxed_i64(base + AT_CACHED_HEAD) - read_index > READ_AHEAD:
        prefetch_read(slot_address(base, read_index + READ_AHEAD))


@kernel
def _is_committed(base: int, index: int) -> bool:
    if load_constant_i64(base + AT_COMMIT) == COMMIT_BY_HEAD:
        return index < load_relaxed_i64(base + AT_CACHED_HEAD) or index < load_acquire_i64(base + AT_HEAD)
    return load_acquire_i64(slot_address(base, index)) == index + 1


@kernel
def _give_back(base: int, end: int) -> None:
    store_release_i64(base + AT_READ_INDEX, end)
    if (end - load_relaxed_i64(base + AT_STORED_TAIL)) * 4 >= load_constant_i64(base + AT_SLOT_COUNT):
        _store_tail(base, end)


@kernel
def _store_tail(base: int, read_index: int) -> None:
    if load_relaxed_i64(base + AT_STORED_TAIL) != read_index:
        store_relaxed_i64(base + AT_STORED_TAIL, read_index)
        store_release_i64(base + AT_TAIL, read_index)


@example(recover_producer)
@example(recover_consumer)
@example(wake_anyhow)
def _base_example() -> tuple[object, ...]:
    return (0,)


@example(claim)
@example(publish_rows)
@example(peek)
@example(release)
def _count_example() -> tuple[object, ...]:
    return (0, 1)
