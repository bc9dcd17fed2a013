"""feed: venue sockets in, EVENT out; what is stale, late or lost is said as an event, never passed over."""

import asyncio
from collections.abc import Callable

import numpy as np

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import Counter, EventKind, FeedState, StageId, Venue
from mmpipe.records import EVENT
from mmpipe.venue.port import FRAME_ROWS_MAX
from stages.context import Context
from stages.event_gate import EventGate
from stages.feed_links import FeedLink, feed_links
from stages.freshness import Freshness
from stages.ports import Ports
from stages.runner import run_process


class FeedStage:
    """Decodes frames as they arrive and publishes their events; owns the TIMER."""

    wake: Callable[[], None]

    def __init__(self, context: Context, ports: Ports, clock: Clock) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self.wake = lambda: None
        self.stopped = False
        feed = context.config.feed
        self._clock = clock
        self._symbols = len(context.config.symbol)
        self._ring = ports.outputs["event"]
        self._gate = EventGate(self._ring, feed.full_ring_wait_ms * NS_PER_MS, clock)
        self._freshness = Freshness(self._symbols, feed, ports.cells_out["feed_board"])
        self._links = feed_links(context, clock, self._on_frame, self._on_state)
        self._rows = np.zeros(FRAME_ROWS_MAX, EVENT)
        self._own = np.zeros(1, EVENT)
        self._timer_ns = feed.timer_ms * NS_PER_MS
        self._next_timer_ns = 0
        self._work = ports.histograms["work_us_feed"]
        self._wait = ports.histograms["wait_us_feed"]
        self._arrived = 0

    async def connect(self, stop: asyncio.Event) -> None:
        """Run all connections until `stop`."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.connection.run(stop))

    def poll(self) -> int:
        """One duty cycle; returns the number of events made since the last."""
        work, self._arrived = self._arrived, 0
        now_ns = self._clock.now_ns()
        if now_ns >= self._next_timer_ns:
            self._next_timer_ns = now_ns + self._timer_ns
            self._freshness.judge(now_ns)
            for venue, symbol, state in self._freshness.states():
                self._publish_own(EventKind.STATUS, venue, symbol, state, now_ns)
            self._publish_own(EventKind.TIMER, Venue.MAKER, 0, FeedState.NEVER, now_ns)
            self._count()
            work += 1
        return work

    def begin_stop(self) -> None:
        """Nothing to bring to an end."""
        self.stopped = True

    def _on_frame(self, link: FeedLink, frame: bytes, local_ts_ns: int) -> bool:
        started_ns = self._clock.now_ns()
        count = link.decoder.decode(frame, local_ts_ns, self._rows)
        if count == 0:
            return False
        rows = self._rows[:count]
        for symbol in set(rows["symbol"].tolist()):
            if self._freshness.seen(link.venue, symbol, local_ts_ns):
                self._publish_own(EventKind.STATUS, link.venue, symbol, FeedState.LIVE, local_ts_ns)
        self._gate.publish(rows)
        self._arrived += count
        self._wait.record(started_ns - local_ts_ns)
        self._work.record(self._clock.now_ns() - started_ns)
        return True

    def _on_state(self, link: FeedLink, state: FeedState) -> None:
        if state == FeedState.SYNCING:
            link.decoder.restart()
        if not link.primary:
            return
        now_ns = self._clock.now_ns()
        for symbol in range(self._symbols):
            if state == FeedState.GAPPED:
                self._publish_own(EventKind.GAP, link.venue, symbol, state, now_ns)
            if self._freshness.change(link.venue, symbol, state):
                self._publish_own(EventKind.STATUS, link.venue, symbol, state, now_ns)
        self.wake()

    def _publish_own(self, kind: EventKind, venue: Venue, symbol: int, state: FeedState, now_ns: int) -> None:
        self._gate.publish(self._gate.own_event(self._own, kind, venue, symbol, int(state), now_ns))

    def _count(self) -> None:
        self.counters[:] = np.sum([link.decoder.counters for link in self._links], axis=0)
        self.counters[Counter.EVENTS] = self._ring.head
        self.counters[Counter.GAPS] += self._gate.gaps
        self.counters[Counter.RING_DROPS] = self._gate.dropped
        self.counters[Counter.RECONNECTS] = sum(link.connection.reconnects for link in self._links)


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.FEED, instance, FeedStage, telemetry)
