"""The boards of feed: what is known of every market's streams and clocks, for screens and `status`."""

import numpy as np
from loguru import logger

from mmpipe.boards import FEED_BOARD
from mmpipe.clock import NS_PER_MS
from mmpipe.enums import StreamKind, Venue
from mmpipe.venue.clock_skew import bounds_ns, least_delay_ns
from mmpipe.venue.streams import Streams
from ringbuf import CellWriter


class FeedBoard:
    """FEED_BOARD of all symbols; says in the log when a cadence turns out to be another one."""

    def __init__(
        self, coins: list[str], streams: Streams, skews: np.ndarray, cells: list[CellWriter]
    ) -> None:
        self._coins = coins
        self._streams = streams
        self._skews = skews
        self._cells = cells
        self._rows = np.zeros(len(coins), FEED_BOARD)
        self._rows["symbol"] = np.arange(len(coins))
        self._contracts = np.zeros_like(streams.cadences["contracts"])

    def write(self, now_ns: int) -> None:
        """Publish everything as it stands."""
        table, rows = self._streams, self._rows
        rows["ts_ns"] = now_ns
        for name in ("least_delay_ns", "skew_low_ns", "skew_high_ns"):
            rows[name] = 0
        for venue in range(len(self._skews)):
            rows["least_delay_ns"][:, venue] = least_delay_ns(self._skews, venue)
            rows["skew_low_ns"][:, venue], rows["skew_high_ns"][:, venue] = bounds_ns(self._skews, venue)
        # The table is indexed by venue first, the boards by symbol.
        rows["market_state"] = table.markets["state"].T
        rows["touch_ts_ns"], rows["touch_limit_ns"] = table.touches["ts_ns"].T, table.touches["limit_ns"].T
        for name in ("messages", "missed", "asked", "state"):
            rows[f"stream_{name}"] = table.streams[name].swapaxes(0, 1)
        for name in ("ts_ns", "typical_ns", "limit_ns", "contracts"):
            rows[f"stream_{name}"] = table.cadences[name].swapaxes(0, 1)
        for symbol, cell in enumerate(self._cells):
            cell.write(rows[symbol : symbol + 1])
        self._say_new_contracts()

    def _say_new_contracts(self) -> None:
        contracts = self._streams.cadences["contracts"]
        if (contracts == self._contracts).all():
            return
        for venue, symbol, kind in np.argwhere(contracts != self._contracts).tolist():
            cadence = self._streams.cadences[venue, symbol, kind]
            logger.info(
                "{} {} {}: a message every {:.0f} ms, stale after {:.0f} ms (contract {})",
                Venue(venue).name.lower(), self._coins[symbol], StreamKind(kind).name.lower(),
                cadence["typical_ns"] / NS_PER_MS, cadence["limit_ns"] / NS_PER_MS, cadence["contracts"],
            )  # fmt: skip
        self._contracts[:] = contracts
