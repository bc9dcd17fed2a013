"""Where every byte of a segment is: one header page, then the slots.

       byte  written by   word
    ┌──────────────────────────────────────────────────────────────────────────────┐
    │     0  creator      MAGIC           stored last, so a half-made segment is none│
    │     8  creator      LAYOUT_VERSION                                             │
    │    16  creator      KIND            1 ring, 2 cell, 3 counters                 │
    │    24  creator      STRIDE          bytes from slot to slot                    │
    │    32  creator      SLOT_COUNT                                                 │
    │    40  creator      DTYPE_DIGEST    names, offsets and types of the record     │
    │    48  creator      EPOCH           wall ns of creation: another one, another segment │
    │    56  creator      OWNER_PID, 64 OWNER_START, 72 OWNER_PID_SPACE              │
    │    80  creator      COMMIT          1 by sequence word, 2 by head (rings)      │
    ├───128──────────────────────────────────────────────────────────────────────────┤
    │   128  anyone       STOP            1 asks both sides to finish                │
    │   256  producer     PRODUCER_PID, +8 start time, +16 generation                │
    │   384  consumer     CONSUMER_PID, +8 start time, +16 generation                │
    ├───1024─────────────────────────────────────────────────────────────────────────┤
    │  1024  producer     HEAD            records published (a cell: last version)   │
    │  1152  producer     WRITE_INDEX     its private cursor, +8 cached TAIL,        │
    │                                     +16 CLAIMED: published or being written    │
    │  1280  consumer     TAIL            records the producer may overwrite         │
    │  1408  consumer     READ_INDEX      its private cursor, +8 TAIL as last stored,│
    │                                     +16 cached HEAD                            │
    │  1536  both         PARKED          how the consumer sleeps: 0 awake, 1 on     │
    │                                     this word (futex), 2 on its doorbell       │
    ├───4096─────────────────────────────────────────────────────────────────────────┤
    │  4096  slots        slot i at 4096 + i * STRIDE; its first word is `seq`       │
    └──────────────────────────────────────────────────────────────────────────────┘

Every word is an int64. Words that different processes write stand 128 bytes apart (two lines: processors
fetch them in pairs), so that no process slows another by what it alone looks at. The private cursors lie in
the segment too: a process that starts again resumes where its predecessor was killed.

This file does nothing with the bytes; `segment` maps them, `spsc` and `cell` move them.
"""

import hashlib
from typing import Final

import numpy as np

LAYOUT_VERSION: Final = 2
MAGIC: Final = int.from_bytes(b"ringbuf\0", "little")

KIND_RING: Final = 1
KIND_CELL: Final = 2
KIND_COUNTERS: Final = 3
KIND_NAMES: Final = {KIND_RING: "ring", KIND_CELL: "cell", KIND_COUNTERS: "counters"}

WORD_BYTES: Final = 8
LINE_BYTES: Final = 64
HEADER_BYTES: Final = 4096
CELL_SLOTS: Final = 4  # a reader is only disturbed by a writer that laps it: retries all but vanish

AT_MAGIC: Final = 0
AT_LAYOUT_VERSION: Final = 8
AT_KIND: Final = 16
AT_STRIDE: Final = 24
AT_SLOT_COUNT: Final = 32
AT_DTYPE_DIGEST: Final = 40
AT_EPOCH: Final = 48
AT_OWNER_PID: Final = 56
AT_OWNER_START: Final = 64
AT_OWNER_PID_SPACE: Final = 72
AT_COMMIT: Final = 80
AT_STOP: Final = 128
AT_PRODUCER_PID: Final = 256
AT_CONSUMER_PID: Final = 384
AT_HEAD: Final = 1024
AT_WRITE_INDEX: Final = 1152
AT_CACHED_TAIL: Final = 1160
AT_CLAIMED: Final = 1168
AT_TAIL: Final = 1280
AT_READ_INDEX: Final = 1408
AT_STORED_TAIL: Final = 1416
AT_CACHED_HEAD: Final = 1424
AT_PARKED: Final = 1536

COMMIT_BY_SEQUENCE: Final = 1
COMMIT_BY_HEAD: Final = 2
SEQUENCE_BYTES_MAX: Final = 128  # larger records are committed by head; docs/decisions/0001 has the numbers

AWAKE: Final = 0
PARKED_ON_WORD: Final = 1
PARKED_ON_BELL: Final = 2


def dtype_digest(dtype: np.dtype) -> int:
    """Fingerprint of a record's memory: two processes agree on it or do not share a segment.

    Parameters
    ----------
    dtype : np.dtype
        Record or plain dtype.

    Returns
    -------
    int
        63 bits over names, offsets, types and shapes, nested records included.
    """
    return int.from_bytes(hashlib.blake2b(_describe(dtype).encode(), digest_size=8).digest(), "little") >> 1


def commit_protocol(record_bytes: int) -> int:
    """How a ring of such records commits them: `COMMIT_BY_SEQUENCE` or `COMMIT_BY_HEAD`."""
    return COMMIT_BY_SEQUENCE if record_bytes <= SEQUENCE_BYTES_MAX else COMMIT_BY_HEAD


def layout_fault(dtype: np.dtype, slot_count: int, kind: int) -> tuple[str, object, object] | None:
    """Why this combination cannot be a segment: (what, found, expected), or None."""
    if kind not in KIND_NAMES:
        return "kind", kind, f"one of {KIND_NAMES}"
    if kind == KIND_COUNTERS:
        if dtype != np.dtype(np.int64):
            return "dtype", dtype, "int64 for counters"
        return None if slot_count >= 1 else ("slot count", slot_count, "at least 1")
    if dtype.fields is None or dtype.fields.get("seq", ())[:2] != (np.dtype(np.int64), 0):
        return "first field", dtype.names, "`seq`, int64 at offset 0"
    if dtype.itemsize % LINE_BYTES:
        return "record size", dtype.itemsize, f"a multiple of {LINE_BYTES} bytes"
    if kind == KIND_CELL:
        return None if slot_count == CELL_SLOTS else ("slot count", slot_count, f"{CELL_SLOTS} for a cell")
    if slot_count < 2 or slot_count & (slot_count - 1):
        return "slot count", slot_count, "a power of two, at least 2"
    return None


def _describe(dtype: np.dtype) -> str:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"{shape}{_describe(base)}"
    if dtype.fields is None:
        return dtype.str
    fields = [f"{name}@{field[1]}:{_describe(field[0])}" for name, field in dtype.fields.items()]
    return f"{{{','.join(fields)}}}{dtype.itemsize}"
