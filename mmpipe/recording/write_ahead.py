"""The part under way: raw rows in checksummed blocks, so that a killed recorder loses nothing it accepted.

    header   magic  version  row size                                        32 B
    block    magic  kind  count  index  crc32 | payload                      32 B + count * item size
             kind 1: EVENT rows; 2: a gap (after_seq, missing); 3: both clocks (mono_ns, wall_ns)

One block is one `write`, which survives the death of the process; only a power cut needs the fsync that
comes with the finished part. A torn block can only be the last one: it is cut off, and said. A sound block
behind an unsound one means that the file was damaged later, and is refused.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from mmpipe.errors import DataError
from mmpipe.recording.manifest import ClockPair, Gap
from mmpipe.records import EVENT

MAGIC: Final = b"mmprec1\n"
BLOCK_MAGIC: Final = b"mmpBLOCK"
ROWS, GAP, CLOCK = 1, 2, 3
HEADER: Final = np.dtype([("magic", "S8"), ("row_size", "<u4"), ("crc32", "<u4"), ("pad", "V16")])
BLOCK: Final = np.dtype(
    [("magic", "S8"), ("kind", "<u4"), ("count", "<u4"), ("index", "<u8"), ("crc32", "<u4"), ("pad", "V4")]
)
PAIR: Final = np.dtype([("first", "<i8"), ("second", "<i8")])
ITEM_SIZES: Final = {ROWS: EVENT.itemsize, GAP: PAIR.itemsize, CLOCK: PAIR.itemsize}


class OpenPart(NamedTuple):
    """What a write-ahead file holds: rows, gaps and clocks in order, and the torn bytes at its end."""

    rows: np.ndarray
    gaps: list[Gap]
    clock: list[ClockPair]
    sound_bytes: int
    torn_bytes: int


class WriteAhead:
    """The writing end of one file; every method returns when the kernel has the bytes.

    Parameters
    ----------
    path : Path
        Must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        self._index = 0
        self._write(_header_bytes())

    def append_rows(self, rows: np.ndarray) -> None:
        """Append EVENT rows, at least one."""
        self._append(ROWS, len(rows), rows.tobytes())

    def append_gap(self, gap: Gap) -> None:
        """Append a note of rows that are missing."""
        self._append(GAP, 1, np.array([(gap.after_seq, gap.missing)], PAIR).tobytes())

    def append_clock(self, pair: ClockPair) -> None:
        """Append a reading of both clocks."""
        self._append(CLOCK, 1, np.array([(pair.mono_ns, pair.wall_ns)], PAIR).tobytes())

    def close(self) -> None:
        """Give the file up; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, kind: int, count: int, payload: bytes) -> None:
        head = np.zeros(1, BLOCK)
        head["magic"], head["kind"], head["count"], head["index"] = BLOCK_MAGIC, kind, count, self._index
        head["crc32"] = crc32(payload, crc32(head.tobytes()))
        self._write(head.tobytes() + payload)
        self._index += 1

    def _write(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(self._file, left) :]


def read_open_part(path: Path) -> OpenPart:
    """Everything sound in a write-ahead file.

    Raises
    ------
    DataError
        It is no such file, or damaged in a way that no kill explains.
    """
    content = path.read_bytes()
    parts: list[memoryview] = []
    gaps: list[Gap] = []
    clock: list[ClockPair] = []
    if len(content) < HEADER.itemsize and _header_bytes().startswith(content):
        return OpenPart(np.zeros(0, EVENT), gaps, clock, 0, len(content))  # killed while it was created
    if not content.startswith(_header_bytes()):
        raise DataError(f"{path}: damaged at offset 0: the header is not this version's; keep it aside")
    offset, index = HEADER.itemsize, 0
    while (payload := _sound_block(content, offset, index)) is not None:
        kind, body = payload
        if kind == ROWS:
            parts.append(body)
        else:
            first, second = np.frombuffer(body, PAIR)[0].tolist()
            if kind == GAP:
                gaps.append(Gap(first, second))
            else:
                clock.append(ClockPair(first, second))
        offset += BLOCK.itemsize + len(body)
        index += 1
    torn = len(content) - offset
    _refuse_damage(path, content, offset, index)
    # Joined as bytes: a copy of records holds the interpreter while it goes from field to field.
    rows = np.frombuffer(b"".join(parts), EVENT)
    return OpenPart(rows, gaps, clock, offset, torn)


def _header_bytes() -> bytes:
    head = np.zeros(1, HEADER)
    head["magic"], head["row_size"] = MAGIC, EVENT.itemsize
    head["crc32"] = crc32(head.tobytes() + repr(EVENT.descr).encode())
    return head.tobytes()


def _sound_block(content: bytes, offset: int, index: int | None) -> tuple[int, memoryview] | None:
    # Kind and payload of the block at `offset`; None when there is no sound one of that index.
    raw = content[offset : offset + BLOCK.itemsize]
    if len(raw) < BLOCK.itemsize or not raw.startswith(BLOCK_MAGIC):
        return None
    head = np.frombuffer(raw, BLOCK).copy()
    kind, count, stored = int(head["kind"][0]), int(head["count"][0]), int(head["crc32"][0])
    size = count * ITEM_SIZES.get(kind, 0)
    body = memoryview(content)[offset + BLOCK.itemsize : offset + BLOCK.itemsize + size]
    if not 0 < size == len(body) or (index is not None and head["index"][0] != index):
        return None
    head["crc32"] = 0
    return (kind, body) if crc32(body, crc32(head.tobytes())) == stored else None


def _refuse_damage(path: Path, content: bytes, offset: int, index: int) -> None:
    found = content.find(BLOCK_MAGIC, offset)
    while found >= 0:
        if _sound_block(content, found, None) is not None:
            raise DataError(
                f"{path}: damaged at offset {offset}: block {index} is unreadable and a sound one follows at "
                f"{found}; keep the file aside and take it from a copy"
            )
        found = content.find(BLOCK_MAGIC, found + 1)
