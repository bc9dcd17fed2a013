"""What all market-data decoders share: a frame goes to one kernel, which gives rows or the reason for none.

A kernel reads the tape of the message, writes EVENT rows, and changes its own state only when the whole
message was sound: a refused one leaves no trace but its count. It returns the number of rows, or minus the
`Counter` of its refusal.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Counter, EventFlag, StreamKind, Venue
from mmpipe.records import INSTRUMENT
from mmpipe.venue.json_tape import new_tape
from ringbuf.byte_words import byte_at
from ringbuf.jit import kernel

NAME_SIZE_MAX: Final = 24
NOTHING_HEARD: Final = -1
TAPE: Final = new_tape()  # scratch of this process: a message is decoded from end to end before the next
REFUSED_MALFORMED: Final = -int(Counter.MALFORMED)
_LAST: Final = int(EventFlag.LAST)

NAMES = np.dtype([("size", "i8"), ("name", "u1", (NAME_SIZE_MAX,))], align=True)
MESSAGE = np.dtype(  # what a kernel says of a message beside its rows
    [
        ("stream", "i8"),  # StreamKind; NOTHING_HEARD: none of ours
        ("symbol", "i8"),
        ("first_id", "i8"),  # of a numbered difference: U, u, pu; -1: none
        ("last_id", "i8"),
        ("previous_id", "i8"),
        ("answer_id", "i8"),  # of a request that was confirmed; -1: none
    ],
    align=True,
)

(
    STREAM_WORD, SYMBOL_WORD, FIRST_ID_WORD, LAST_ID_WORD, PREVIOUS_ID_WORD, ANSWER_ID_WORD,
) = range(len(MESSAGE.names or ()))  # fmt: skip
STREAM_KINDS: Final = tuple(StreamKind)


class FrameDecoder:
    """A `Decoder`; a subclass hands its frame to its kernel in `_read`.

    Attributes
    ----------
    counters : ndarray of int64
        Messages refused, by `Counter`.
    message : ndarray of MESSAGE, shape (1,)
        About the newest message that was used or recognised.
    """

    def __init__(self, venue: Venue) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self.message = np.zeros(1, MESSAGE)
        self._said = self.message.view(np.int64)
        self._said[STREAM_WORD] = NOTHING_HEARD
        self._venue = int(venue)

    def decode(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        """Write the EVENT rows of one frame to `out`; returns how many. See `Decoder`."""
        return self._counted(self._read(frame, local_ts_ns, out))

    def restart(self) -> None:
        """A new connection begins."""
        raise NotImplementedError

    @property
    def heard(self) -> tuple[StreamKind, int] | None:
        """Stream and symbol of the newest frame; None when it belonged to none, or was refused."""
        stream = self._said.item(STREAM_WORD)
        return None if stream < 0 else (STREAM_KINDS[stream], self._said.item(SYMBOL_WORD))

    def _counted(self, result: int) -> int:
        # Rows stay; a refusal becomes a count.
        if result >= 0:
            return result
        self._said[STREAM_WORD] = NOTHING_HEARD
        self.counters[-result] += 1
        return 0

    def _read(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        # Rows of a frame, or minus the Counter of its refusal; says what it heard in `message`.
        raise NotImplementedError


def names_table(names: list[str]) -> np.ndarray:
    """The names symbols have on the wire, shape (symbols,), NAMES."""
    table = np.zeros(len(names), NAMES)
    for row, name in zip(table, names, strict=True):
        encoded = name.encode()
        if len(encoded) > NAME_SIZE_MAX:
            raise ValueError(f"symbol {name!r} is longer than {NAME_SIZE_MAX} bytes")
        row["size"] = len(encoded)
        row["name"][: len(encoded)] = list(encoded)
    return table


def tick_decimals(instruments: np.ndarray) -> np.ndarray:
    """Decimals of each instrument's tick, shape (symbols,), int64."""
    assert instruments.dtype == INSTRUMENT
    return np.array([len(str(ticks)) - 1 for ticks in instruments["ticks_per_unit"].tolist()], np.int64)


@kernel
def symbol_of(text: int, token: np.void, names: np.ndarray) -> int:
    """Index of the symbol whose name a token is; -1 when it is none of ours."""
    start, size = int(token["start"]), int(token["stop"] - token["start"])
    for symbol in range(len(names)):
        if names[symbol]["size"] == size:
            same = True
            for index in range(size):
                if byte_at(text, start + index) != names[symbol]["name"][index]:
                    same = False
                    break
            if same:
                return symbol
    return -1


@kernel
def put(row: np.void, kind: int, side: int, tick: int, px: float, qty: float, level: int) -> None:
    """Write what differs between the rows of one message; `close` adds what they share."""
    row["kind"], row["side"], row["level"] = kind, side, level
    row["px"], row["qty"], row["px_tick"] = px, qty, tick
    row["remote_seq"] = 0
    row["flags"] = 0


@kernel
def close(rows: np.ndarray, count: int, local_ts_ns: int, exch_ts_ns: int, venue: int, symbol: int) -> int:
    """Stamp the rows of one message and flag the last one; returns their number."""
    for at in range(count):
        row = rows[at]
        row["seq"] = 0
        row["local_ts_ns"], row["exch_ts_ns"] = local_ts_ns, exch_ts_ns
        row["venue"], row["symbol"] = venue, symbol
    if count > 0:
        rows[count - 1]["flags"] |= _LAST
    return count
