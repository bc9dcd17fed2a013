"""feed: venue sockets in, EVENT out; what is stale, late or lost is said as an event, never passed over."""

import asyncio
from collections.abc import Callable

import numpy as np

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import CommandKind, Counter, FeedState, StageId, StreamKind
from mmpipe.records import EVENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX
from stages.context import Context
from stages.event_gate import EventGate
from stages.feed_links import FeedLink, feed_links
from stages.feed_watch import FeedWatch
from stages.lead_depth import LeadDepth
from stages.ports import Ports
from stages.runner import run_process
from stages.venue_time import VenueTime


class FeedStage:
    """Decodes frames as they arrive and publishes their events; owns the TIMER."""

    wake: Callable[[], None]

    def __init__(self, context: Context, ports: Ports, clock: Clock) -> None:
        self.counters = np.zeros(len(Counter), np.int64)
        self.wake = lambda: None
        self.stopped = False
        feed, lead = context.config.feed, context.config.lead
        self._clock = clock
        self._ring = ports.outputs["event"]
        self._commands = ports.inputs["resync"]
        self._gate = EventGate(self._ring, feed.full_ring_wait_ms * NS_PER_MS, clock)
        self._links = feed_links(context, clock, self._on_frame, self._on_state)
        self._watch = FeedWatch(context, self._links, self._gate, ports.cells_out["feed_board"], clock)
        depth_link = next(link for link in self._links if link.has_depth)
        self._depth = LeadDepth(context.lead_rest_url, lead.market, depth_link, self._on_snapshot, clock)
        self._time = VenueTime(context, self._watch.on_venue_time, clock)
        self._rows = np.zeros(DEPTH_ROWS_MAX, EVENT)
        self._timer_ns = feed.timer_ms * NS_PER_MS
        self.due_ts_ns = 0  # of the next TIMER
        self._work = ports.histograms["work_us_feed"]
        self._wait = ports.histograms["wait_us_feed"]
        self._arrived = 0

    async def connect(self, stop: asyncio.Event) -> None:
        """Run all connections until `stop`."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.connection.run(stop))
            for task in (self._depth, self._time):
                group.create_task(task.run(stop))

    def poll(self) -> int:
        """One duty cycle; returns the number of events made since the last."""
        work, self._arrived = self._arrived, 0
        commands = self._commands.peek(len(self._links))
        for command in commands:
            assert command["kind"] == CommandKind.RESYNC
            self._watch.resync(int(command["venue"]), int(command["symbol"]), self._clock.now_ns())
        self._commands.release(len(commands))
        now_ns = self._clock.now_ns()
        if now_ns >= self.due_ts_ns:
            self.due_ts_ns = now_ns + self._timer_ns
            self._watch.on_timer(now_ns)
            self._gate.say_timer(now_ns, self._clock.wall_ns())
            self._count()
            work += 1
        return work + len(commands)

    def begin_stop(self) -> None:
        """Nothing to bring to an end."""
        self.stopped = True

    def _on_frame(self, link: FeedLink, frame: bytes, local_ts_ns: int) -> bool:
        started_ns = self._clock.now_ns()
        count = link.decoder.decode(frame, local_ts_ns, self._rows)
        heard = link.decoder.heard
        if heard is None:
            return False
        rows = self._rows[:count]
        self._watch.on_message(link.venue, heard, rows, local_ts_ns)
        if count:
            self._gate.publish(rows)
            self._arrived += count
        self._wait.record(started_ns - local_ts_ns)
        self._work.record(self._clock.now_ns() - started_ns)
        return True

    def _on_snapshot(self, link: FeedLink, symbol: int, body: bytes, local_ts_ns: int) -> None:
        assert isinstance(link.decoder, BinanceDecoder)
        count = link.decoder.decode_snapshot(symbol, body, local_ts_ns, self._rows)
        if count:
            rows = self._rows[:count]
            self._watch.on_message(link.venue, (StreamKind.DEPTH, symbol), rows, local_ts_ns)
            self._gate.publish(rows)
            self.wake()

    def _on_state(self, link: FeedLink, state: FeedState) -> None:
        if state == FeedState.SYNCING:
            link.decoder.restart()
        self._watch.on_connection(link, state, self._clock.now_ns())
        self.wake()

    def _count(self) -> None:
        self.counters[:] = np.sum([link.decoder.counters for link in self._links], axis=0)
        self.counters[Counter.EVENTS] = self._ring.head
        self.counters[Counter.GAPS] += self._gate.gaps
        self.counters[Counter.RING_DROPS] = self._gate.dropped
        self.counters[Counter.RECONNECTS] = sum(link.connection.reconnects for link in self._links)
        self._watch.count(self.counters)


def process(instance: str, telemetry: object = None) -> None:
    """Entry point of the process."""
    run_process(StageId.FEED, instance, FeedStage, telemetry)
