"""What the slow decoders share: rows of one message, and one count for each message refused."""

import msgspec
import numpy as np

from mmpipe.enums import Counter, EventFlag, EventKind, Side, Venue

LAST = int(EventFlag.LAST)


class Rejected(Exception):
    """This message is not used; `counter` says why."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter.name)
        self.counter = counter


class EventRows:
    """Writes the EVENT rows of one message.

    Parameters
    ----------
    out : ndarray of EVENT
        Where the rows go, from index 0.
    local_ts_ns : int
        Monotonic time of receipt.
    venue : Venue
        Whose message it is.
    """

    def __init__(self, out: np.ndarray, local_ts_ns: int, venue: Venue) -> None:
        self._out = out
        self._local_ts_ns = local_ts_ns
        self._venue = int(venue)
        self._exch_ts_ns = 0
        self._symbol = 0
        self.count = 0

    def about(self, symbol: int, exch_ts_ns: int) -> None:
        """Symbol and venue time of the rows that follow."""
        self._symbol, self._exch_ts_ns = symbol, exch_ts_ns

    def add(
        self,
        kind: EventKind,
        side: Side,
        px: float,
        qty: float,
        px_tick: int,
        remote_seq: int = 0,
        level: int = 0,
        flags: int = 0,
    ) -> None:
        """Append one row; raises `Rejected` when the message does not fit."""
        if self.count == len(self._out):
            raise Rejected(Counter.OVERSIZED)
        self._out[self.count] = (
            0, self._local_ts_ns, self._exch_ts_ns, remote_seq, px, qty, px_tick,
            kind, side, level, self._venue, self._symbol, flags,
        )  # fmt: skip
        self.count += 1

    def written(self) -> np.ndarray:
        """The rows so far."""
        return self._out[: self.count]

    def close(self) -> int:
        """Flag the last row; returns the number of rows."""
        if self.count:
            self._out["flags"][self.count - 1] |= LAST
        return self.count


class FrameDecoder:
    """A `Decoder` whose subclass writes the rows of a well-formed frame in `_write`.

    `_write` raises `Rejected`, `ValueError` for a number, or what msgspec raises, before it changes any
    state of its own: a refused message leaves no trace but its count.
    """

    def __init__(self, venue: Venue) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self._venue = venue

    def decode(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        """Write the EVENT rows of one frame to `out`; returns how many. See `Decoder`."""
        rows = EventRows(out, local_ts_ns, self._venue)
        try:
            self._write(frame, rows)
        except Rejected as refusal:
            self.counters[refusal.counter] += 1
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            self.counters[Counter.MALFORMED] += 1
        except ValueError:
            self.counters[Counter.BAD_NUMBER] += 1
        else:
            return rows.close()
        return 0

    def restart(self) -> None:
        """A new connection begins."""
        raise NotImplementedError

    def _write(self, frame: bytes, rows: EventRows) -> None:
        raise NotImplementedError
