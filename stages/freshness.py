"""How fresh each market is: newest message and state per venue and symbol, for the screen and for STATUS."""

from collections.abc import Iterator

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.config import FeedConfig
from mmpipe.enums import FeedState, Venue
from mmpipe.records import FEED_BOARD
from ringbuf import CellWriter

SIDES = {Venue.MAKER: "maker", Venue.LEAD: "lead"}


class Freshness:
    """FEED_BOARD of all symbols; a state changes by a message, by silence, or by its connection.

    Attributes
    ----------
    boards : ndarray of FEED_BOARD, shape (symbols,)
        As last published.
    """

    def __init__(self, symbols: int, feed: FeedConfig, cells: list[CellWriter]) -> None:
        self.boards = np.zeros(symbols, FEED_BOARD)
        self.boards["symbol"] = np.arange(symbols)
        self._cells = cells
        self._stale_ns = {
            Venue.MAKER: feed.maker_stale_ms * NS_PER_MS,
            Venue.LEAD: feed.lead_stale_ms * NS_PER_MS,
        }

    def seen(self, venue: Venue, symbol: int, ts_ns: int) -> bool:
        """A message arrived; True when this made the stream live."""
        side = SIDES[venue]
        self.boards[f"{side}_ts_ns"][symbol] = ts_ns
        self.boards[f"{side}_messages"][symbol] += 1
        return self.change(venue, symbol, FeedState.LIVE)

    def change(self, venue: Venue, symbol: int, state: FeedState) -> bool:
        """Set a state; True when it is another one than before."""
        name = f"{SIDES[venue]}_state"
        before = int(self.boards[name][symbol])
        self.boards[name][symbol] = int(state)
        return before != state

    def states(self) -> Iterator[tuple[Venue, int, FeedState]]:
        """The state of every stream; said again and again, because a reader may have restarted."""
        for venue, side in SIDES.items():
            for symbol in range(len(self.boards)):
                yield venue, symbol, FeedState(int(self.boards[f"{side}_state"][symbol]))

    def judge(self, now_ns: int) -> None:
        """Make live streams stale whose newest message is too old, and show the boards."""
        for venue, symbol, state in self.states():
            age_ns = now_ns - int(self.boards[f"{SIDES[venue]}_ts_ns"][symbol])
            if state == FeedState.LIVE and not age_ns <= self._stale_ns[venue]:
                self.change(venue, symbol, FeedState.STALE)
        self.boards["ts_ns"] = now_ns
        for symbol, cell in enumerate(self._cells):
            cell.write(self.boards[symbol : symbol + 1])
