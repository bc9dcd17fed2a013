"""Layout of a journal file: header, checksummed and chained entries, and what damage looks like.

Pure functions of bytes; `journal.py` owns the file.
"""

from collections.abc import Iterator
from enum import IntEnum
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np

from mmpipe.errors import JournalError
from mmpipe.records import ANSWER, INTENT

MAGIC: Final = b"mmpjrnl\n"
VERSION: Final = 1
PAYLOAD_SIZE_MAX: Final = 1 << 20
RUN_ID_SIZE: Final = 32

HEADER: Final = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("crc32", "<u4"),
        ("run_id", "S32"),
        ("intent_digest", "V16"),
        ("answer_digest", "V16"),
        ("pad", "V48"),
    ]
)
ENTRY: Final = np.dtype(
    [
        ("length", "<u4"),
        ("crc32", "<u4"),
        ("seq", "<u8"),
        ("chain", "V8"),
        ("kind", "u1"),
        ("pad", "V3"),
        ("durable", "<u4"),  # end of what was durable when this was appended, in units of 32 B
    ]
)
CHAIN_SIZE: Final = 8


class JournalKind(IntEnum):
    """What the payload of an entry holds."""

    INTENT = 1
    ANSWER = 2


DTYPE_OF: Final = {JournalKind.INTENT: INTENT, JournalKind.ANSWER: ANSWER}


class Tail(NamedTuple):
    """Where the next entry goes, and what it continues."""

    offset: int
    seq: int
    chain: bytes


class Entry(NamedTuple):
    """One sound entry and the tail behind it."""

    kind: JournalKind
    payload: bytes
    tail: Tail


def _digest(dtype: np.dtype) -> bytes:
    text = f"{dtype.itemsize} {dtype.descr}"
    return blake2b(text.encode(), digest_size=16).digest()


def header_bytes(name: bytes) -> bytes:
    """First 128 bytes of a journal of run `name`."""
    header = np.zeros(1, HEADER)
    header["magic"], header["version"], header["run_id"] = MAGIC, VERSION, name
    header["intent_digest"], header["answer_digest"] = np.void(_digest(INTENT)), np.void(_digest(ANSWER))
    header["crc32"] = crc32(header.tobytes())
    return header.tobytes()


def check_header(path: Path, content: bytes) -> bytes:
    """Name of the run a journal belongs to; JournalError when this version cannot read it."""
    if len(content) < HEADER.itemsize:
        raise JournalError(f"{path}: {len(content)} bytes are no journal; its creation was cut short")
    header = np.frombuffer(content, HEADER, 1).copy()
    stored = int(header["crc32"][0])
    header["crc32"] = 0
    if content[: len(MAGIC)] != MAGIC or crc32(header.tobytes()) != stored:
        raise JournalError(f"{path}: damaged at offset 0 (header); keep the file, start with a new one")
    same = header["version"][0] == VERSION
    same &= header["intent_digest"][0].tobytes() == _digest(INTENT)
    same &= header["answer_digest"][0].tobytes() == _digest(ANSWER)
    if not same:
        raise JournalError(f"{path}: written with another record layout; read it with that version")
    return bytes(header["run_id"][0])


def first_chain(content: bytes) -> bytes:
    """Chain value that the first entry continues: a hash of the header."""
    return blake2b(content[: HEADER.itemsize], digest_size=CHAIN_SIZE).digest()


def next_chain(chain: bytes, payload: bytes) -> bytes:
    """Chain value of an entry that follows `chain`."""
    return blake2b(chain + payload, digest_size=CHAIN_SIZE).digest()


def entry_bytes(tail: Tail, durable_size: int, kind: JournalKind, payload: bytes) -> bytes:
    """One entry as it lies in the file; `tail` is the one behind it."""
    head = np.zeros(1, ENTRY)
    head["length"], head["seq"], head["kind"] = len(payload), tail.seq, kind
    head["chain"], head["durable"] = np.void(tail.chain), durable_size // ENTRY.itemsize
    raw = head.tobytes()
    head["crc32"] = _checksum(raw, payload)
    return head.tobytes() + payload


def _checksum(head: bytes, payload: bytes) -> int:
    return crc32(payload, crc32(head[8:], crc32(head[:4])))


def entries(path: Path, content: bytes) -> Iterator[Entry]:
    """Sound entries of a whole file in order.

    Raises
    ------
    JournalError
        Damage that no crash explains: a sound entry out of order, or one behind an unreadable one.
    """
    tail = Tail(HEADER.itemsize, 0, first_chain(content))
    while payload := _whole_entry(content, tail.offset):
        head = np.frombuffer(content, ENTRY, 1, tail.offset)[0]
        chain = next_chain(tail.chain, payload)
        if int(head["seq"]) != tail.seq + 1 or head["chain"].tobytes() != chain:
            raise JournalError(_damage(path, tail.offset, "an entry that does not follow the one before"))
        end = tail.offset + ENTRY.itemsize + len(payload)
        tail = Tail(end, tail.seq + 1, chain)
        yield Entry(JournalKind(int(head["kind"])), payload, tail)
    if _durable_beyond(content, tail.offset):
        raise JournalError(_damage(path, tail.offset, "unreadable, and a later entry says it was durable"))


def _damage(path: Path, offset: int, cause: str) -> str:
    return f"{path}: damaged at offset {offset}: {cause}; keep the file aside and reconcile with the venue"


def _whole_entry(content: bytes, offset: int) -> bytes:
    # The payload of a sound entry at `offset`, empty when there is none.
    head = content[offset : offset + ENTRY.itemsize]
    if len(head) < ENTRY.itemsize:
        return b""
    fields = np.frombuffer(head, ENTRY)[0]
    length = int(fields["length"])
    row_size = INTENT.itemsize if fields["kind"] == int(JournalKind.INTENT) else ANSWER.itemsize
    if not 0 < length <= PAYLOAD_SIZE_MAX or length % row_size or int(fields["kind"]) not in set(JournalKind):
        return b""
    payload = content[offset + ENTRY.itemsize : offset + ENTRY.itemsize + length]
    if len(payload) < length or _checksum(head, payload) != int(fields["crc32"]):
        return b""
    return payload


def _durable_beyond(content: bytes, offset: int) -> bool:
    # Pages of one commit reach the disk in any order, so a whole entry behind an unreadable one may be
    # the rest of a commit that never returned. Damage it is when a later entry was appended on top of it.
    # Entries start at multiples of the entry header's size, because records are multiples of it too.
    rest = content[offset:].rstrip(b"\0")
    for step in range(offset, offset + len(rest), ENTRY.itemsize):
        if _whole_entry(content, step):
            durable = int(np.frombuffer(content, ENTRY, 1, step)["durable"][0])
            if durable * ENTRY.itemsize > offset:
                return True
    return False


assert ENTRY.itemsize == 32
assert HEADER.itemsize == 128
assert INTENT.itemsize % ENTRY.itemsize == 0
assert ANSWER.itemsize % ENTRY.itemsize == 0
