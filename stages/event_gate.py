"""How events enter the EVENT ring: in order, and when it is full after a bounded wait, as a marked GAP.

The ring never overwrites. An event that finds no room within the wait is dropped and its stream is
*gapped*: nothing of that venue and symbol passes until a GAP event got through and, for the maker's book,
the next BOOK_CLEAR begins it anew; a lead that only quotes its best prices heals with its next quote.
"""

import os

import numpy as np

from mmpipe.clock import Clock
from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.records import EVENT
from ringbuf import Producer

LAST = int(EventFlag.LAST)


class EventGate:
    """The writing end of EVENT.

    Attributes
    ----------
    gaps, dropped : int
        Streams marked gapped, and events lost, since start.
    """

    def __init__(self, ring: Producer, wait_ns: int, clock: Clock) -> None:
        self.gaps = self.dropped = 0
        self._ring = ring
        self._wait_ns = wait_ns
        self._clock = clock
        self._gapped: dict[tuple[int, int], bool] = {}  # (venue, symbol) -> its GAP event got through

    def publish(self, rows: np.ndarray) -> None:
        """Publish the events of one message, or mark their streams gapped.

        Parameters
        ----------
        rows : ndarray, shape (n,), EVENT
            One message, the last row flagged LAST.
        """
        if self._gapped:
            rows = self._pass_after_gap(rows)
        accepted = self._push(rows)
        if accepted < len(rows):
            self.dropped += len(rows) - accepted
            for row in rows[accepted:]:
                self._mark(int(row["venue"]), int(row["symbol"]))

    def say_timer(self, now_ns: int, wall_ns: int) -> None:
        """Publish a TIMER: the monotonic and the wall time of one moment."""
        self.publish(self._own_event(EventKind.TIMER, int(Venue.MAKER), 0, now_ns, exch_ts_ns=wall_ns))

    def say_status(self, venue: int, symbol: int, state: int, limit_ns: int, now_ns: int) -> None:
        """Publish a STATUS: the FeedState of a market, and how old its touch may become."""
        said = {"level": state, "remote_seq": limit_ns}
        self.publish(self._own_event(EventKind.STATUS, venue, symbol, now_ns, **said))

    def say_gap(self, venue: int, symbol: int, now_ns: int) -> None:
        """Publish a GAP: the book of a market is void."""
        self.publish(self._own_event(EventKind.GAP, venue, symbol, now_ns))

    def _own_event(self, kind: EventKind, venue: int, symbol: int, now_ns: int, **fields: int) -> np.ndarray:
        row = np.zeros(1, EVENT)
        row["local_ts_ns"], row["kind"], row["venue"] = now_ns, int(kind), venue
        row["symbol"], row["flags"] = symbol, LAST
        for name, value in fields.items():
            row[name] = value
        return row

    def _push(self, rows: np.ndarray) -> int:
        accepted = self._ring.push(rows)
        if accepted == len(rows):
            return accepted
        deadline_ns = self._clock.now_ns() + self._wait_ns
        while accepted < len(rows) and self._clock.now_ns() < deadline_ns:
            os.sched_yield()  # features may share this core
            accepted += self._ring.push(rows[accepted:])
        return accepted

    def _mark(self, venue: int, symbol: int) -> None:
        if (venue, symbol) not in self._gapped:
            self._gapped[venue, symbol] = False
            self.gaps += 1

    def _pass_after_gap(self, rows: np.ndarray) -> np.ndarray:
        # Say the gap as soon as there is room, then hold each stream back until it can start anew.
        for (venue, symbol), said in list(self._gapped.items()):
            if not said:
                gap = self._own_event(EventKind.GAP, venue, symbol, self._clock.now_ns())
                self._gapped[venue, symbol] = self._ring.push(gap) == 1
        keep = np.ones(len(rows), bool)
        for index, row in enumerate(rows):
            stream = (int(row["venue"]), int(row["symbol"]))
            if stream not in self._gapped or row["kind"] in (EventKind.TIMER, EventKind.STATUS):
                continue
            anew = EventKind.BOOK_CLEAR if stream[0] == Venue.MAKER else EventKind.BBO
            if self._gapped[stream] and row["kind"] == anew:
                del self._gapped[stream]
            else:
                keep[index] = False
        self.dropped += len(rows) - int(keep.sum())
        return rows[keep]
