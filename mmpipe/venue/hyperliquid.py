"""Market data of Hyperliquid: `l2Book` (full and fast), `bbo`, `trades` and `activeAssetCtx` as EVENT rows.

The venue numbers nothing, so order is judged by its block time per stream. A trades subscription begins
with a replay of the last minutes: the first trades message of a connection, and whatever is older than
its newest trade, is flagged HISTORY. A trade id counts once, over reconnects too; a book or best quote that
comes twice with the same block time and the same content is a duplicate. Fast books carry five levels and
are flagged FAST. User data is not read here.

References
----------
Hyperliquid, "WebSocket subscriptions".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mmpipe.enums import Venue
from mmpipe.records import EVENT
from mmpipe.risk.seen_trades import SEEN
from mmpipe.venue.frame_decoder import REFUSED_MALFORMED, TAPE, FrameDecoder, names_table, tick_decimals
from mmpipe.venue.hyperliquid_frames import STREAM, STREAMS, Wire, example_arguments, read_frame
from mmpipe.venue.json_tape import padded
from ringbuf.jit import entry

GREETING: Final = b"Websocket connection established."


class HyperliquidDecoder(FrameDecoder):
    """Decoder of one market-data connection; keep it over reconnects and call `restart`.

    Parameters
    ----------
    coins : sequence of str
        The configured coins; a row's symbol is the index.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Price grids: a price off its grid is refused as BAD_NUMBER.
    """

    def __init__(self, coins: Sequence[str], instruments: np.ndarray) -> None:
        super().__init__(Venue.MAKER)
        self._names = names_table(list(coins))
        self._decimals = tick_decimals(instruments)
        self._streams = np.zeros((len(coins), STREAMS), STREAM)
        self._seen = np.zeros(1, SEEN)
        self._seen[:] = 0  # its pages are there before the first trade, not while it waits
        unwritten = np.zeros(0, EVENT)
        self._wire = Wire(TAPE, self._names, self._decimals, self._streams, self.message, unwritten)
        self._kernel = entry(read_frame, *example_arguments())

    def restart(self) -> None:
        """A new connection begins: order starts over and the next trades are history."""
        self._streams[:] = 0

    def _read(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        if out is not self._wire.rows:
            self._wire = self._wire._replace(rows=out)
        result = self._kernel(padded(frame), self._wire, self._seen, self.counters, local_ts_ns)
        if result == REFUSED_MALFORMED and frame == GREETING:
            return 0
        return result
