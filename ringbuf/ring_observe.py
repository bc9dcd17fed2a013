"""Looking at a ring from outside: the writer neither knows nor waits, and may overwrite what is being copied.

A writer fills a slot of the next lap while its old sequence word still looks whole, so reading that word
twice proves nothing. It therefore stores how far it has claimed (`CLAIMED`) before it writes a body, and an
observer throws away a copy that this has reached meanwhile.
"""

import numpy as np

from ringbuf.atomics import (
    address_of,
    copy_bytes,
    fence_acquire,
    load_acquire_i64,
    load_constant_i64,
    load_relaxed_i64,
)
from ringbuf.jit import example, kernel
from ringbuf.layout import AT_CLAIMED, AT_HEAD, AT_SLOT_COUNT, AT_STRIDE, WORD_BYTES
from ringbuf.ring_kernels import slot_address


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
    slot_count = load_constant_i64(base + AT_SLOT_COUNT)
    stride = load_constant_i64(base + AT_STRIDE)
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
    limit = len(words) * WORD_BYTES // load_constant_i64(base + AT_STRIDE)
    return observe(base, index, address_of(words), limit)


@example(observe_words)
def _observe_example() -> tuple[object, ...]:
    return (0, 0, np.zeros(8, np.int64))
