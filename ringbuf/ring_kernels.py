"""The ring's commit protocol as kernels over a segment's base address.

A record is committed when the first word of its slot, `seq`, equals its index + 1. The writer stores the
body first and that word last (release); the reader polls that very word (acquire), one cache miss instead
of the two of a head and tail protocol. A half-written record is therefore invisible, whatever kills the
writer. `HEAD` is for observers and recovery; `TAIL`, behind which the writer may overwrite, is stored every
quarter of the ring and whenever the reader finds nothing. Both sides keep their cursor in the segment, so a
process that starts again resumes: at worst its peer sees a record twice, with the same `seq`.

After rigtorp/SPSCQueue (cached peer position) and LMAX Disruptor (claim and publish in batches). Nothing here
waits: a full or an empty ring is a count of 0. One writer, one reader; two of either corrupt the ring.
"""

import numpy as np

from ringbuf.atomics import (
    address_of,
    copy_bytes,
    fence_acquire,
    fence_release,
    fence_seq_cst,
    load_acquire_i64,
    load_relaxed_i64,
    store_relaxed_i64,
    store_release_i64,
)
from ringbuf.jit import example, kernel
from ringbuf.layout import (
    AT_CACHED_TAIL,
    AT_CLAIMED,
    AT_HEAD,
    AT_PARKED,
    AT_READ_INDEX,
    AT_SLOT_COUNT,
    AT_STORED_TAIL,
    AT_STRIDE,
    AT_TAIL,
    AT_WRITE_INDEX,
    HEADER_BYTES,
    WORD_BYTES,
)


@kernel
def slot_address(base: int, index: int) -> int:
    """Address of the slot that holds the record of `index`."""
    mask = load_relaxed_i64(base + AT_SLOT_COUNT) - 1
    return base + HEADER_BYTES + (index & mask) * load_relaxed_i64(base + AT_STRIDE)


@kernel
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
    slot_count = load_relaxed_i64(base + AT_SLOT_COUNT)
    write_index = load_relaxed_i64(base + AT_WRITE_INDEX)
    first = write_index & (slot_count - 1)
    count = min(count, slot_count - first)
    free = load_relaxed_i64(base + AT_CACHED_TAIL) + slot_count - write_index
    if free < count:
        tail = load_acquire_i64(base + AT_TAIL)
        store_relaxed_i64(base + AT_CACHED_TAIL, tail)
        free = tail + slot_count - write_index
    count = max(min(count, free), 0)
    # An observer that copies an old record must learn that it is about to be overwritten. Never lowered:
    # a predecessor may have died half way through a longer claim.
    if write_index + count > load_relaxed_i64(base + AT_CLAIMED):
        store_relaxed_i64(base + AT_CLAIMED, write_index + count)
        fence_release()
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
    store_release_i64(base + AT_WRITE_INDEX, end)
    store_release_i64(base + AT_HEAD, end)
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
    stride = load_relaxed_i64(base + AT_STRIDE)
    done = 0
    while done < count:
        first, claimed = claim(base, count - done)
        if claimed == 0:
            break
        target = base + HEADER_BYTES + first * stride
        for i in range(claimed):
            offset = i * stride + WORD_BYTES
            copy_bytes(target + offset, source + done * stride + offset, stride - WORD_BYTES)
        publish(base, claimed)
        done += claimed
    return done


@kernel
def push_words(base: int, words: np.ndarray) -> int:
    """`push` for callers from Python: records as their (record_count * stride / 8,) int64 words."""
    count = len(words) * WORD_BYTES // load_relaxed_i64(base + AT_STRIDE)
    return push(base, address_of(words), count)


@kernel
def must_ring(base: int) -> bool:
    """Whether the reader sleeps, or is about to: call once after a batch, then ring its doorbell.

    The fence orders our commit before the look at `PARKED`; the reader's orders its `PARKED` before its
    look at our commit. So at least one of the two sees the other. Costs what a locked instruction costs.
    """
    fence_seq_cst()
    if load_relaxed_i64(base + AT_PARKED) == 0:
        return False
    # Cleared before the caller rings: a reader that parks anew meanwhile is woken once too often, never
    # once too seldom.
    store_relaxed_i64(base + AT_PARKED, 0)
    return True


@kernel
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
    slot_count = load_relaxed_i64(base + AT_SLOT_COUNT)
    stride = load_relaxed_i64(base + AT_STRIDE)
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    first = read_index & (slot_count - 1)
    limit = min(limit, slot_count - first)
    address = base + HEADER_BYTES + first * stride
    count = 0
    while count < limit and load_acquire_i64(address) == read_index + count + 1:
        count += 1
        address += stride
    if count == 0:
        _store_tail(base, read_index)
    return first, count


@kernel
def release(base: int, count: int) -> bool:
    """Give `count` records back to the writer; False if so many are not there."""
    read_index = load_relaxed_i64(base + AT_READ_INDEX)
    end = read_index + count
    if not (count >= 0 and (count == 0 or load_acquire_i64(slot_address(base, end - 1)) == end)):
        return False
    store_release_i64(base + AT_READ_INDEX, end)
    if (end - load_relaxed_i64(base + AT_STORED_TAIL)) * 4 >= load_relaxed_i64(base + AT_SLOT_COUNT):
        _store_tail(base, end)
    return True


@kernel
def pop(base: int, target: int, limit: int) -> int:
    """Copy up to `limit` records, `seq` included, to `target` and give them back; the number copied."""
    stride = load_relaxed_i64(base + AT_STRIDE)
    done = 0
    while done < limit:
        first, count = peek(base, limit - done)
        if count == 0:
            break
        copy_bytes(target + done * stride, base + HEADER_BYTES + first * stride, count * stride)
        release(base, count)
        done += count
    return done


@kernel
def observe(base: int, index: int, target: int, limit: int) -> tuple[int, int, int]:
    """Copy published records without holding the writer up.

    Parameters
    ----------
    base : int
        Address of a mapped ring.
    index : int
        Record to begin with, >= 0.
    target : int
        Address of room for `limit` records.
    limit : int
        Most records wanted, >= 0.

    Returns
    -------
    tuple of int
        Records copied, records missed because the writer overwrote them, and the index to go on with.
    """
    slot_count = load_relaxed_i64(base + AT_SLOT_COUNT)
    stride = load_relaxed_i64(base + AT_STRIDE)
    head = load_acquire_i64(base + AT_HEAD)
    count = 0
    lapped = 0
    while count < limit and index < head:
        oldest = load_relaxed_i64(base + AT_CLAIMED) - slot_count
        if index < oldest:
            lapped += oldest - index
            index = oldest
            continue
        copied = target + count * stride
        copy_bytes(copied, slot_address(base, index), stride)
        # Whoever saw a byte of the next lap now also sees the claim it was written under.
        fence_acquire()
        intact = load_relaxed_i64(base + AT_CLAIMED) - slot_count <= index
        if intact and load_relaxed_i64(copied) == index + 1:
            count += 1
        else:
            lapped += 1
        index += 1
    return count, lapped, index


@kernel
def observe_words(base: int, index: int, words: np.ndarray) -> tuple[int, int, int]:
    """`observe` for callers from Python: as many records as fit into (room * stride / 8,) int64 words."""
    limit = len(words) * WORD_BYTES // load_relaxed_i64(base + AT_STRIDE)
    return observe(base, index, address_of(words), limit)


@kernel
def recover_producer(base: int) -> int:
    """Resume as writer: adopt what a killed predecessor committed but did not count; the write index."""
    write_index = load_relaxed_i64(base + AT_WRITE_INDEX)
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
def _store_tail(base: int, read_index: int) -> None:
    if load_relaxed_i64(base + AT_STORED_TAIL) != read_index:
        store_relaxed_i64(base + AT_STORED_TAIL, read_index)
        store_release_i64(base + AT_TAIL, read_index)


@example(recover_producer)
@example(recover_consumer)
@example(must_ring)
def _base_example() -> tuple[object, ...]:
    return (0,)


@example(claim)
@example(publish)
@example(peek)
@example(release)
def _count_example() -> tuple[object, ...]:
    return (0, 1)


@example(push_words)
def _words_example() -> tuple[object, ...]:
    return (0, np.zeros(8, np.int64))


@example(push_words)
def _readonly_words_example() -> tuple[object, ...]:
    words = np.zeros(8, np.int64)
    words.flags.writeable = False
    return (0, words)


@example(observe_words)
def _observe_example() -> tuple[object, ...]:
    return (0, 0, np.zeros(8, np.int64))
