"""Market data of Binance, USD-M futures and spot: best prices and trades of the lead, and its depth.

Frames come bare or wrapped as `{"stream": …, "data": …}`. Order is judged by the venue's own ids per symbol
and stream. As lead, prices sit on a grid of their own, 10^-8, which every grid of the venue divides; when a
capture is replayed as the market itself, on the grid of its instrument: best quotes and trades go to the
nearest tick, depth levels must lie on it, or two of them would merge.

References
----------
Binance, "USD-M futures: WebSocket market streams"; "Spot: web-socket-streams".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mmpipe.enums import StreamKind, Venue
from mmpipe.records import EVENT
from mmpipe.venue.binance_depth import DepthSync, Ids
from mmpipe.venue.binance_frames import NO_ID, NUMBERINGS, Wire, example_arguments, read_frame
from mmpipe.venue.frame_decoder import (
    ANSWER_ID_WORD,
    FIRST_ID_WORD,
    LAST_ID_WORD,
    TAPE,
    FrameDecoder,
    names_table,
    tick_decimals,
)
from mmpipe.venue.json_tape import padded
from ringbuf.jit import entry

LEAD_DECIMALS: Final = 8


class BinanceDecoder(FrameDecoder):
    """Decoder of one connection or capture; keep it over reconnects and call `restart`.

    Parameters
    ----------
    names : sequence of str
        Binance's names of the configured symbols (`BTCUSDT`); a row's symbol is the index.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Price grids, when the venue is the maker.
    venue : Venue
        LEAD, or MAKER when a capture is replayed as the market itself.

    Notes
    -----
    A REST depth snapshot says no symbol: hand it to `decode_snapshot`. A capture that holds one in its
    line is read by a decoder of one symbol. `out` needs `DEPTH_ROWS_MAX` rows for depth.
    """

    def __init__(self, names: Sequence[str], instruments: np.ndarray, venue: Venue = Venue.LEAD) -> None:
        super().__init__(venue)
        self._names = names_table(list(names))
        self._decimals = tick_decimals(instruments)
        if venue == Venue.LEAD:
            self._decimals[:] = LEAD_DECIMALS
        self._last_ids = np.zeros((len(names), NUMBERINGS), np.int64)
        self._depths = [DepthSync(self.counters) for _ in names]
        unwritten = np.zeros(0, EVENT)
        self._wire = Wire(TAPE, self._names, self._decimals, self._last_ids, self.message, unwritten)
        self._kernel = entry(read_frame, *example_arguments())
        self.restart()

    def restart(self) -> None:
        """A new connection begins: ids and books start over."""
        self._last_ids[:] = NO_ID
        for depth in self._depths:
            depth.restart()

    def needs_snapshot(self, symbol: int) -> bool:
        """True while the depth of `symbol` waits for a REST snapshot."""
        return self._depths[symbol].needs_snapshot

    def has_waiting_diffs(self, symbol: int) -> bool:
        """True when a snapshot of `symbol` would be of use now: diffs are buffered that it can join."""
        return self._depths[symbol].has_waiting_diffs

    def restart_depth(self, symbol: int) -> None:
        """The book of `symbol` is void: diffs are buffered until a new snapshot."""
        self._depths[symbol].restart()

    @staticmethod
    def request_id(symbol: int, kind: StreamKind) -> int:
        """Id for a request that subscribes a stream anew: its confirmation begins the stream anew."""
        return 1 + symbol * len(StreamKind) + int(kind)

    def decode_snapshot(self, symbol: int, body: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        """Rows of the REST snapshot of `symbol` and of the diffs that waited for it; as `decode`."""
        self._said[FIRST_ID_WORD] = 0
        one = slice(symbol, symbol + 1)
        tables = self._names[one], self._decimals[one], self._last_ids[one]
        wire = Wire(TAPE, *tables, self.message, out)
        count = self._kernel(padded(body), wire, self._venue, self.counters, local_ts_ns)
        if count > 0 and self._said.item(FIRST_ID_WORD) == NO_ID:
            out["symbol"][:count] = symbol
            count = self._depths[symbol].on_snapshot(self._said.item(LAST_ID_WORD), out, count)
        return self._counted(count)

    def _read(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
        if out is not self._wire.rows:
            self._wire = self._wire._replace(rows=out)
        count = self._kernel(padded(frame), self._wire, self._venue, self.counters, local_ts_ns)
        symbol, kind = divmod(self._said.item(ANSWER_ID_WORD) - 1, len(StreamKind))
        if kind == StreamKind.DEPTH and 0 <= symbol < len(self._depths):
            self._depths[symbol].restart()
        if count < 0 or self._said.item(LAST_ID_WORD) == NO_ID:
            return count
        _, symbol, first_id, last_id, previous_id, _ = self._said.tolist()
        if first_id == NO_ID:
            return self._depths[symbol].on_snapshot(last_id, out, count)
        return self._depths[symbol].on_diff(Ids(first_id, last_id, previous_id), out, count)
