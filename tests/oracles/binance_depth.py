"""The slow, obvious chain of Binance depth: lists of levels, one diff after the other.

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

from mmpipe.enums import Counter, EventKind, Side
from tests.oracles.frame_decoder import EventRows, Rejected

BUFFERED_LEVELS_MAX: Final = 32_768  # seconds of the busiest market; a snapshot takes less than one
NO_CHAIN: Final = -1  # `previous_id` of a market that does not send one (spot)


class Level(NamedTuple):
    """An absolute quantity at a price; 0 removes it."""

    side: Side
    px: float
    qty: float
    tick: int


class Diff(NamedTuple):
    """One `depthUpdate`."""

    first_id: int  # U
    last_id: int  # u
    previous_id: int  # pu, NO_CHAIN on spot
    exch_ts_ns: int
    levels: list[Level]


class DepthSync:
    """Sequence state of one symbol's book.

    Parameters
    ----------
    symbol : int
        Index of the configured symbol.
    counters : ndarray of int64
        Indexed by `Counter`; GAPS and OUT_OF_ORDER are counted.
    """

    def __init__(self, symbol: int, counters: np.ndarray) -> None:
        self._symbol = symbol
        self._counters = counters
        self.restart()

    def restart(self) -> None:
        """A new connection begins: nothing is known."""
        self._buffer: deque[Diff] = deque()
        self._buffered_levels = 0
        self._last_id = 0
        self._synced = False  # a snapshot was taken
        self._chained = False  # … and a diff was joined to it

    @property
    def needs_snapshot(self) -> bool:
        """True while diffs are only buffered."""
        return not self._synced

    def on_diff(self, diff: Diff, rows: EventRows) -> None:
        """Use, drop or buffer one diff."""
        if diff.last_id < diff.first_id:
            raise Rejected(Counter.MALFORMED)
        if not self._synced:
            self._hold(diff)
        elif self._contained(diff):
            # Between snapshot and chain this is the rule; afterwards the stream went back.
            self._counters[Counter.OUT_OF_ORDER] += self._chained
        elif self._joins(diff):
            self._write(diff, rows)
            self._last_id, self._chained = diff.last_id, True
        else:
            self.restart()
            self._hold(diff)
            self._counters[Counter.GAPS] += 1
            rows.about(self._symbol, diff.exch_ts_ns)
            rows.add(EventKind.GAP, Side.NONE, 0.0, 0.0, 0, remote_seq=diff.last_id)

    def on_snapshot(self, last_id: int, exch_ts_ns: int, levels: list[Level], rows: EventRows) -> None:
        """Start from a snapshot, unless a book is already kept or the buffer starts after it."""
        if self._synced:
            return
        # All rows are written before any state changes: a snapshot that does not fit leaves no trace.
        rows.about(self._symbol, exch_ts_ns)
        rows.add(EventKind.BOOK_CLEAR, Side.NONE, 0.0, 0.0, 0, remote_seq=last_id)
        for level in levels:
            rows.add(EventKind.BOOK_DELTA, level.side, level.px, level.qty, level.tick, remote_seq=last_id)
        trial = DepthSync(self._symbol, self._counters)
        trial._last_id, trial._synced = last_id, True
        for diff in self._buffer:
            if trial._contained(diff):
                continue
            if not trial._joins(diff):
                raise Rejected(Counter.GAPS)  # older than the buffer: a newer snapshot is needed
            trial._write(diff, rows)
            trial._last_id, trial._chained = diff.last_id, True
        self.restart()
        self._last_id, self._synced, self._chained = trial._last_id, True, trial._chained

    def _contained(self, diff: Diff) -> bool:
        if self._chained or diff.previous_id == NO_CHAIN:
            return diff.last_id <= self._last_id
        return diff.last_id < self._last_id

    def _joins(self, diff: Diff) -> bool:
        if not self._chained:
            last_possible = self._last_id + (1 if diff.previous_id == NO_CHAIN else 0)
            return diff.first_id <= last_possible <= diff.last_id
        if diff.previous_id == NO_CHAIN:
            return diff.first_id == self._last_id + 1
        return diff.previous_id == self._last_id

    def _hold(self, diff: Diff) -> None:
        self._buffer.append(diff)
        self._buffered_levels += len(diff.levels)
        while self._buffered_levels > BUFFERED_LEVELS_MAX:
            self._buffered_levels -= len(self._buffer.popleft().levels)
            self._counters[Counter.OVERSIZED] += 1

    def _write(self, diff: Diff, rows: EventRows) -> None:
        rows.about(self._symbol, diff.exch_ts_ns)
        for level in diff.levels:
            rows.add(
                EventKind.BOOK_DELTA, level.side, level.px, level.qty, level.tick, remote_seq=diff.last_id
            )
