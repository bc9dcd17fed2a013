"""feed's judgement of its streams: hands messages and times to the kernels, carries out what they ask for."""

import asyncio
from typing import Final

import numpy as np
from loguru import logger

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock
from mmpipe.enums import Counter, EventFlag, FeedState, StreamKind, Venue
from mmpipe.records import EVENT
from mmpipe.venue.clock_skew import SKEW, bounds_ns
from mmpipe.venue.clock_skew import on_answer as take_venue_time
from mmpipe.venue.clock_skew import on_message as take_delay
from mmpipe.venue.streams import ASK, SAY, judge, new_streams, on_connection, on_message, void_market
from ringbuf import CellWriter
from ringbuf.jit import entry
from stages.context import Context
from stages.event_gate import EventGate
from stages.feed_board import FeedBoard
from stages.feed_links import SUBSCRIBED, FeedLink

HISTORY: Final = int(EventFlag.HISTORY)
SKEW_SAID_INTERVAL_NS: Final = 60 * NS_PER_S


class FeedWatch:
    """Streams, markets and clocks of both venues.

    Parameters
    ----------
    context : Context
        Configuration.
    links : list of FeedLink
        Where streams are asked for anew.
    gate : EventGate
        Gets STATUS and GAP.
    cells : list of CellWriter
        FEED_BOARD, one per symbol.
    clock : Clock
        Its two times tell how old a venue's stamp is.
    """

    def __init__(
        self, context: Context, links: list[FeedLink], gate: EventGate, cells: list[CellWriter], clock: Clock
    ) -> None:
        feed = context.config.feed
        coins = [symbol.coin for symbol in context.config.symbol]
        self._table = new_streams(len(coins), SUBSCRIBED, feed)
        self._skews = np.zeros(len(Venue), SKEW)
        self._on_message = entry(on_message, self._table, 0, 0, 0, np.zeros(1, EVENT), 0, 0)
        self._take_delay = entry(take_delay, self._skews, 0, 0, 0, 0)
        self._late_ns = feed.late_ms * NS_PER_MS
        self._skew_max_ns = feed.skew_max_ms * NS_PER_MS
        self._skew_said_ns = 0
        self._links = links
        self._gate = gate
        self._board = FeedBoard(coins, self._table, self._skews, cells)
        self._clock = clock
        self._wall_offset_ns = clock.wall_ns() - clock.now_ns()
        self._counts = np.zeros(len(Counter), np.int64)
        self._tasks: set[asyncio.Task[None]] = set()

    def on_message(self, venue: Venue, heard: tuple[StreamKind, int], rows: np.ndarray, ts_ns: int) -> None:
        """A frame was recognised; `rows` is what became of it, maybe nothing."""
        kind, symbol = heard
        missed, changed = self._on_message(self._table, int(venue), symbol, int(kind), rows, len(rows), ts_ns)
        self._counts[Counter.MISSED] += missed
        if len(rows) and rows["exch_ts_ns"][0] and not rows["flags"][0] & HISTORY:
            delay_ns = ts_ns + self._wall_offset_ns - int(rows["exch_ts_ns"][0])
            late = self._take_delay(self._skews, int(venue), delay_ns, ts_ns, self._late_ns)
            self._counts[Counter.LATE] += late
        if changed:
            self._say(int(venue), symbol, ts_ns)

    def on_connection(self, link: FeedLink, state: FeedState, now_ns: int) -> None:
        """A connection was subscribed, or lost: then the books it carried are void."""
        on_connection(self._table, int(link.venue), link.kinds, int(state), now_ns)
        if link.primary:
            for symbol in range(len(link.names)):
                if state == FeedState.GAPPED:
                    self._gate.say_gap(int(link.venue), symbol, now_ns)
                self._say(int(link.venue), symbol, now_ns)

    def resync(self, venue: int, symbol: int, now_ns: int) -> None:
        """The book of a market cannot be: void it and ask for it anew."""
        self._counts[Counter.RESYNCS] += 1
        void_market(self._table, venue, symbol)
        self._gate.say_gap(venue, symbol, now_ns)
        self._say(venue, symbol, now_ns)

    def on_venue_time(self, venue: Venue, asked_ns: int, heard_ns: int, stamp_ns: int) -> None:
        """A venue told its time; all three are wall clocks."""
        take_venue_time(self._skews, int(venue), asked_ns, heard_ns, stamp_ns)

    def on_timer(self, now_ns: int) -> None:
        """Judge everything by the clock, say the state of every market, show the boards."""
        self._wall_offset_ns = self._clock.wall_ns() - now_ns
        for action in self._table.actions[: judge(self._table, now_ns)].tolist():
            what, venue, symbol, kind = action
            if what == SAY:
                self._counts[Counter.STALE] += self._table.markets[venue, symbol]["state"] == FeedState.STALE
            elif what == ASK:
                self._ask(venue, StreamKind(kind), symbol)
            else:
                self._drop(venue, kind, symbol)
        for venue in range(len(Venue)):  # again and again, because a reader may have restarted
            for symbol in range(self._table.markets.shape[1]):
                self._say(venue, symbol, now_ns)
        self._board.write(now_ns)
        self._judge_skew(now_ns)

    def count(self, counters: np.ndarray) -> None:
        """Add what was counted here."""
        counters += self._counts

    def _say(self, venue: int, symbol: int, now_ns: int) -> None:
        state = int(self._table.markets[venue, symbol]["state"])
        self._gate.say_status(
            venue, symbol, state, int(self._table.touches[venue, symbol]["limit_ns"]), now_ns
        )

    def _ask(self, venue: int, kind: StreamKind, symbol: int) -> None:
        self._counts[Counter.ASKED] += 1
        for link in self._links:
            if link.venue == venue and link.kinds[kind]:
                logger.warning(
                    "{} {} is silent or lost: asked for anew", link.names[symbol], kind.name.lower()
                )
                task = asyncio.get_running_loop().create_task(link.ask(kind, symbol))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _drop(self, venue: int, kind: int, symbol: int) -> None:
        for link in self._links:
            if link.venue == venue and link.kinds[kind]:
                logger.warning(
                    "{} {} does not answer: connecting anew", link.names[symbol], StreamKind(kind).name
                )
                link.connection.drop()

    def _judge_skew(self, now_ns: int) -> None:
        # Orders carry expiry times on the venue's clock: whoever runs this must know.
        if now_ns - self._skew_said_ns < SKEW_SAID_INTERVAL_NS:
            return
        for venue in Venue:
            low_ns, high_ns = bounds_ns(self._skews, int(venue))
            if low_ns > self._skew_max_ns or high_ns < -self._skew_max_ns:
                self._skew_said_ns = now_ns
                logger.error(
                    "this clock is {:+.0f} to {:+.0f} ms ahead of {}: set it right (ntp), orders may expire",
                    low_ns / NS_PER_MS, high_ns / NS_PER_MS, venue.name.lower(),
                )  # fmt: skip
