"""A Binance order book from a diff stream and one REST snapshot: what to buffer, use, drop and ask again.

    diffs ──▶ buffer ──snapshot──▶ drop what it contains ──▶ first diff straddles it ──▶ each diff chains on

Futures chain by `pu` = previous `u` and drop `u < lastUpdateId`; spot chains by `U` = previous `u` + 1 and
drops `u <= lastUpdateId`. A broken chain is a GAP and a new round, the breaking diff first in the buffer.
The book itself is kept by the reader of the rows.

References
----------
Binance, "How to manage a local order book correctly" (USD-M futures; spot).
"""

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import Counter, EventFlag, EventKind

BUFFERED_ROWS_MAX: Final = 32_768  # seconds of the busiest market; a snapshot takes less than one
NO_CHAIN: Final = -1  # `previous_id` of a market that does not send one (spot)
REFUSED_MALFORMED: Final = -int(Counter.MALFORMED)
REFUSED_GAP: Final = -int(Counter.GAPS)
REFUSED_OVERSIZED: Final = -int(Counter.OVERSIZED)


class Ids(NamedTuple):
    """Numbers of one `depthUpdate`."""

    first_id: int  # U
    last_id: int  # u
    previous_id: int  # pu, NO_CHAIN on spot


class DepthSync:
    """Sequence state of one symbol's book.

    Parameters
    ----------
    counters : ndarray of int64
        Indexed by `Counter`; GAPS, OUT_OF_ORDER and what does not fit the buffer are counted.
    """

    def __init__(self, counters: np.ndarray) -> None:
        self._counters = counters
        self.restart()

    def restart(self) -> None:
        """A new connection begins: nothing is known."""
        self._buffer: deque[tuple[Ids, np.ndarray]] = deque()
        self._buffered_rows = 0
        self._last_id = 0
        self._synced = False  # a snapshot was taken
        self._chained = False  # … and a diff was joined to it

    @property
    def needs_snapshot(self) -> bool:
        """True while diffs are only buffered."""
        return not self._synced

    @property
    def has_waiting_diffs(self) -> bool:
        """True when diffs are buffered for a snapshot to join."""
        return not self._synced and len(self._buffer) > 0

    def on_diff(self, ids: Ids, out: np.ndarray, count: int) -> int:
        """Use, drop or buffer one diff.

        Parameters
        ----------
        ids : Ids
            Its numbers.
        out : ndarray of EVENT
            Its `count` rows; a GAP row is written here when the chain breaks.

        Returns
        -------
        int
            Rows of `out` that count, or minus the Counter of a refusal.
        """
        if ids.last_id < ids.first_id:
            return REFUSED_MALFORMED
        if not self._synced:
            self._hold(ids, out[:count])
            return 0
        if self._contained(ids):
            # Between snapshot and chain this is the rule; afterwards the stream went back.
            self._counters[Counter.OUT_OF_ORDER] += self._chained
            return 0
        if self._joins(ids):
            self._last_id, self._chained = ids.last_id, True
            return count
        self.restart()
        self._hold(ids, out[:count])
        self._counters[Counter.GAPS] += 1
        for name in ("px", "qty", "px_tick", "side", "level"):
            out[name][0] = 0
        out["kind"][0], out["flags"][0] = EventKind.GAP, EventFlag.LAST
        return 1

    def on_snapshot(self, last_id: int, out: np.ndarray, count: int) -> int:
        """Start from a snapshot, unless a book is already kept or the buffer starts after it.

        Parameters
        ----------
        last_id : int
            `lastUpdateId`.
        out : ndarray of EVENT
            The snapshot's `count` rows; the rows of buffered diffs are appended.

        Returns
        -------
        int
            As `on_diff`. A refused snapshot leaves the buffer for the next.
        """
        if self._synced:
            return 0
        trial = DepthSync(self._counters)
        trial._last_id, trial._synced = last_id, True
        for ids, rows in self._buffer:
            if trial._contained(ids):
                continue
            if not trial._joins(ids):
                return REFUSED_GAP  # older than the buffer: a newer snapshot is needed
            if count + len(rows) > len(out):
                return REFUSED_OVERSIZED
            out[count : count + len(rows)] = rows
            count += len(rows)
            trial._last_id, trial._chained = ids.last_id, True
        # One message from here on: received with the snapshot, whole at its last row.
        out["local_ts_ns"][:count] = out["local_ts_ns"][0]
        out["flags"][: count - 1] = 0
        self.restart()
        self._last_id, self._synced, self._chained = trial._last_id, True, trial._chained
        return count

    def _contained(self, ids: Ids) -> bool:
        if self._chained or ids.previous_id == NO_CHAIN:
            return ids.last_id <= self._last_id
        return ids.last_id < self._last_id

    def _joins(self, ids: Ids) -> bool:
        if not self._chained:
            last_possible = self._last_id + (1 if ids.previous_id == NO_CHAIN else 0)
            return ids.first_id <= last_possible <= ids.last_id
        if ids.previous_id == NO_CHAIN:
            return ids.first_id == self._last_id + 1
        return ids.previous_id == self._last_id

    def _hold(self, ids: Ids, rows: np.ndarray) -> None:
        self._buffer.append((ids, rows.copy()))
        self._buffered_rows += len(rows)
        while self._buffered_rows > BUFFERED_ROWS_MAX:
            self._buffered_rows -= len(self._buffer.popleft()[1])
            self._counters[Counter.OVERSIZED] += 1
