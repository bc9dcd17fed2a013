"""What goes wrong between feed and venue: faults that wait for a frame, the frame's stream, and damage to it.

A frame belongs to a stream: `bbo:BTC`, `l2Book:BTC`, `l2Book.fast:BTC` or `pong` on Hyperliquid, the combined
stream's own name (`btcusdt@depth@100ms`) on Binance, and the empty one when it does not say. A fault strikes
the next frames of its stream, the one scheduled first before the others, and a frame is struck once.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Raw, Struct

from mmpipe.clock import Clock
from mmpipe.errors import UsageError

# What each kind does; those of TIMED last for `duration_ms`, which must be given.
KINDS: Final = {
    "drop": "the frame vanishes",
    "duplicate": "the frame comes twice",
    "reorder": "the frame comes after the next one of its stream, at the latest after duration_ms or 2 s",
    "delay": "everything the venue says on this socket is held, then comes in order",
    "corrupt": "the frame is damaged so that no reader can take it for a good one",
    "stall": "the stream is silent on this socket, its frames are lost",
    "half_open": "nothing passes in either direction, until the client gives up or the time is over",
    "reset": "the connection is reset without a word",
    "slice": "the bytes of the frame come little by little",
    "oversize": "the frame is larger than a client takes",
}
TIMED: Final = frozenset({"delay", "stall", "half_open", "slice"})
DURATION_MAX_MS: Final = 3_600_000
NOT_NUMBERS: Final = (b"NaN", b"1e400", b"-1", b"-0.5", b"Infinity", b"")
# A price or a size, with its quotes: only what every reader of the frame has to read.
_NUMBER: Final = re.compile(rb'(?:"(?:px|sz|p|q|b|B|a|A)":|\[\[)("[0-9]+(?:\.[0-9]+)?")')
_NAME: Final = re.compile(rb'"(?:channel|stream)":"')
_CANDIDATES: Final = 2  # the best level's price and size: nobody reads frames less far


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to go wrong with the next matching frames from venue to client.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    stream : str
        As `stream_of` names it; empty: any.
    count : int
        Frames to strike, > 0.
    duration_ms : int
        How long it lasts, where it does; 0 to an hour.
    path : str
        Only on sockets whose path begins so, such as `/ws` or `/public`; empty: any.
    """

    kind: str
    stream: str = ""
    count: int = 1
    duration_ms: int = 0
    path: str = ""


class _Label(Struct):
    channel: str = ""
    stream: str = ""
    data: Raw = Raw()


class _Subject(Struct):
    coin: str = ""
    s: str = ""  # candles
    fast: bool = False


_label: Final = msgspec.json.Decoder(_Label)
_subject: Final = msgspec.json.Decoder(_Subject)
_subjects: Final = msgspec.json.Decoder(list[_Subject])


def stream_of(frame: bytes) -> str:
    """The stream a frame belongs to; empty if it does not say."""
    try:
        label = _label.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if label.stream or not label.channel:
        return label.stream
    subject = _subject_of(bytes(label.data))
    channel = f"{label.channel}.fast" if subject.fast else label.channel
    coin = subject.coin or subject.s
    return f"{channel}:{coin}" if coin else channel


def _subject_of(data: bytes) -> _Subject:
    try:
        if data.startswith(b"["):
            return next(iter(_subjects.decode(data)), _Subject())
        return _subject.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Subject()


class FaultPlan:
    """Faults that wait for their frames, and what has struck.

    Parameters
    ----------
    seed : int
        Of the damage that `corrupt` does.
    clock : Clock
        Stamps the history.

    Attributes
    ----------
    injected : Counter of (kind, stream)
        Frames struck, by the stream they belonged to.
    history : list of (ts_ns, kind, stream)
        In their order; monotonic time.
    damages : list of (ts_ns, stream, text)
        What each `corrupt` did.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self._random = random.Random(seed)
        self._clock = clock
        self._waiting: list[tuple[Fault, int]] = []  # with the frames left to strike
        self.injected: Counter[tuple[str, str]] = Counter()
        self.history: list[tuple[int, str, str]] = []
        self.damages: list[tuple[int, str, str]] = []

    @property
    def is_waiting(self) -> bool:
        """Whether any fault has not struck as often as it shall."""
        return bool(self._waiting)

    def schedule(self, fault: Fault) -> None:
        """Let a fault wait for its frames.

        Raises
        ------
        UsageError
            If there is no such fault, or a number is out of range.
        """
        if fault.kind not in KINDS:
            raise UsageError(f"proxy fault {fault.kind!r} does not exist; choose one of: {', '.join(KINDS)}")
        if not fault.count >= 1:
            raise UsageError(f"proxy fault {fault.kind}: count = {fault.count}: must be 1 or more")
        low = 1 if fault.kind in TIMED else 0
        if not low <= fault.duration_ms <= DURATION_MAX_MS:
            text = f"proxy fault {fault.kind}: duration_ms = {fault.duration_ms}"
            raise UsageError(f"{text}: must be within {low} and {DURATION_MAX_MS}")
        self._waiting.append((fault, fault.count))

    def strike(self, path: str, stream: str, is_held: bool) -> Fault | None:
        """The fault that strikes a frame, counted; None if it passes.

        Parameters
        ----------
        path : str
            Of the socket.
        stream : str
            Of the frame.
        is_held : bool
            Whether a frame of this stream waits for this one to pass: it is not held as well.
        """
        for i, (fault, left) in enumerate(self._waiting):
            if fault.stream not in ("", stream) or not path.startswith(fault.path):
                continue
            if is_held and fault.kind == "reorder":
                continue
            if left == 1:
                del self._waiting[i]
            else:
                self._waiting[i] = fault, left - 1
            self.injected[fault.kind, stream] += 1
            self.history.append((self._clock.now_ns(), fault.kind, stream))
            return fault
        return None

    def damaged(self, frame: bytes, stream: str) -> bytes:
        """The frame, detectably wrong in a way drawn from the seed and written down."""
        manners = [_truncated, _flipped, _not_text]
        if _NUMBER.search(frame) is not None:
            manners.append(_not_a_number)
        wrong, text = self._random.choice(manners)(frame, self._random)
        self.damages.append((self._clock.now_ns(), stream, text))
        return wrong


def _truncated(frame: bytes, chance: random.Random) -> tuple[bytes, str]:
    # Without its last brace no object is complete.
    size = chance.randrange(max(len(frame.rstrip()), 1))
    return frame[:size], f"truncated to {size} of {len(frame)} bytes"


def _flipped(frame: bytes, chance: random.Random) -> tuple[bytes, str]:
    # An odd number of quotes leaves a text without an end.
    quotes = [at for at, byte in enumerate(frame) if byte == ord('"')] or [0]
    at = chance.choice(quotes)
    wrong = bytearray(frame or b"{")
    wrong[at] ^= 1
    return bytes(wrong), f"bit 0 of byte {at} flipped"


def _not_text(frame: bytes, chance: random.Random) -> tuple[bytes, str]:
    # In the name, which every reader reads, rather than in a text that one may skip.
    name = _NAME.search(frame)
    at = name.end() if name is not None else min(1, len(frame))
    byte = chance.choice((0xC0, 0xF8, 0xFF))
    return frame[:at] + bytes((byte,)) + frame[at:], f"byte {byte:#x} at {at}, which no UTF-8 has"


def _not_a_number(frame: bytes, chance: random.Random) -> tuple[bytes, str]:
    found = chance.choice(list(_NUMBER.finditer(frame))[:_CANDIDATES])
    start, end = found.span(1)
    text = chance.choice((*NOT_NUMBERS, b"-" + found[1].strip(b'"')))
    return frame[:start] + b'"' + text + b'"' + frame[end:], f"{found[1].decode()} is {text.decode()!r}"
