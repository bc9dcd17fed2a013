"""The slow, obvious decoder of Binance: typed structs, one message after the other.

Frames come bare or wrapped as `{"stream": …, "data": …}`. Order is judged by the venue's own ids per symbol
and stream. Prices of best quotes and trades are put on the nearest tick of the maker's instrument, because
the lead may quote a finer grid; depth levels must lie on it, or two of them would merge.

References
----------
Binance, "USD-M futures: WebSocket market streams"; "Spot: web-socket-streams".
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct

from mmpipe.enums import Counter, EventKind, Side, StreamKind, Venue
from mmpipe.venue import decimal_text
from tests.oracles.binance_depth import NO_CHAIN, DepthSync, Diff, Level
from tests.oracles.frame_decoder import EventRows, FrameDecoder, Rejected

NS_PER_MS: Final = 1_000_000

Id = Annotated[int, Meta(ge=0, lt=2**63 - 1)]
WallMs = Annotated[int, Meta(ge=0, lt=9_000_000_000_000)]
PriceLevel = tuple[str, str]


class _Envelope(Struct):
    stream: str | None = None
    data: Raw = Raw()
    e: str | None = None
    B: str | None = None  # only a best-price message has it bare and without `e` (spot)
    lastUpdateId: Id | None = None
    id: int | str | None = None
    error: Raw = Raw()


class _BookTicker(Struct):
    u: Id
    s: str
    b: str
    B: str
    a: str
    A: str
    T: WallMs = 0  # spot sends no time


class _AggregateTrade(Struct):
    s: str
    a: Id
    p: str
    q: str
    T: WallMs
    m: bool  # the buyer was the maker


class _Trade(Struct):
    s: str
    t: Id
    p: str
    q: str
    T: WallMs
    m: bool


class _DepthUpdate(Struct):
    s: str
    U: Id
    u: Id
    b: list[PriceLevel]
    a: list[PriceLevel]
    E: WallMs
    T: WallMs | None = None
    pu: Id | None = None


class _DepthSnapshot(Struct):
    lastUpdateId: Id
    bids: list[PriceLevel]
    asks: list[PriceLevel]
    T: WallMs = 0
    symbol: str | None = None


class Binance(FrameDecoder):
    """Decoder of one connection or capture; keep it over reconnects and call `restart`.

    Parameters
    ----------
    names : sequence of str
        Binance's names of the configured symbols (`BTCUSDT`); a row's symbol is the index.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Price grids of the maker's instruments.
    venue : Venue
        LEAD, or MAKER when a capture is replayed as the market itself.

    Notes
    -----
    A REST depth snapshot says no symbol, so depth needs a decoder of its own per symbol, and `out` with
    `DEPTH_ROWS_MAX` rows.
    """

    def __init__(self, names: Sequence[str], instruments: np.ndarray, venue: Venue = Venue.LEAD) -> None:
        super().__init__(venue)
        self._symbols = {name: index for index, name in enumerate(names)}
        self._decimals = [len(str(ticks)) - 1 for ticks in instruments["ticks_per_unit"].tolist()]
        if venue == Venue.LEAD:
            self._decimals = [8] * len(names)
        self._depths = [DepthSync(index, self.counters) for index in range(len(names))]
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._ticker = msgspec.json.Decoder(_BookTicker)
        self._aggregate = msgspec.json.Decoder(_AggregateTrade)
        self._trade = msgspec.json.Decoder(_Trade)
        self._update = msgspec.json.Decoder(_DepthUpdate)
        self._snapshot = msgspec.json.Decoder(_DepthSnapshot)
        self.restart()

    def restart(self) -> None:
        """A new connection begins: ids and books start over."""
        self._last_ids: dict[tuple[str, int], int] = {}
        for depth in self._depths:
            depth.restart()

    def needs_snapshot(self, symbol: int) -> bool:
        """True while the depth of `symbol` waits for a REST snapshot."""
        return self._depths[symbol].needs_snapshot

    def _write(self, frame: bytes, rows: EventRows) -> None:
        envelope = self._envelope.decode(frame)
        if envelope.error:
            raise Rejected(Counter.REJECTS)
        body: bytes | Raw = envelope.data or frame
        kind = _kind(envelope)
        if kind == "bookTicker":
            self._best(self._ticker.decode(body), rows)
        elif kind == "aggTrade":
            aggregate = self._aggregate.decode(body)
            self._print(
                _Trade(aggregate.s, aggregate.a, aggregate.p, aggregate.q, aggregate.T, aggregate.m),
                kind,
                rows,
            )
        elif kind == "trade":
            self._print(self._trade.decode(body), kind, rows)
        elif kind == "depth":
            self._diff(self._update.decode(body), rows)
        elif kind == "snapshot":
            self._start_depth(self._snapshot.decode(body), rows)
        elif kind == "answer":
            number = envelope.id if isinstance(envelope.id, int) else 0
            symbol, kind = divmod(number - 1, len(StreamKind))
            if kind == StreamKind.DEPTH and 0 <= symbol < len(self._depths):
                self._depths[symbol].restart()
        else:
            raise Rejected(Counter.MALFORMED)

    def _best(self, ticker: _BookTicker, rows: EventRows) -> None:
        symbol = self._in_order("bookTicker", ticker.s, ticker.u)
        bid_px, ask_px = decimal_text.positive(ticker.b), decimal_text.positive(ticker.a)
        if not bid_px < ask_px:
            raise Rejected(Counter.CROSSED_BOOKS)
        rows.about(symbol, ticker.T * NS_PER_MS)
        decimals = self._decimals[symbol]
        for side, text, px, qty in (
            (Side.BUY, ticker.b, bid_px, ticker.B),
            (Side.SELL, ticker.a, ask_px, ticker.A),
        ):
            tick = decimal_text.nearest(text, decimals)
            rows.add(EventKind.BBO, side, px, decimal_text.positive(qty), tick, remote_seq=ticker.u)
        self._last_ids["bookTicker", symbol] = ticker.u

    def _print(self, trade: _Trade, stream: str, rows: EventRows) -> None:
        symbol = self._in_order(stream, trade.s, trade.t)
        px, qty = decimal_text.positive(trade.p), decimal_text.positive(trade.q)
        side = Side.SELL if trade.m else Side.BUY
        rows.about(symbol, trade.T * NS_PER_MS)
        tick = decimal_text.nearest(trade.p, self._decimals[symbol])
        rows.add(EventKind.TRADE, side, px, qty, tick, remote_seq=trade.t)
        if stream == "aggTrade" and (stream, symbol) in self._last_ids:
            self.counters[Counter.MISSED] += trade.t - self._last_ids[stream, symbol] - 1
        self._last_ids[stream, symbol] = trade.t

    def _diff(self, update: _DepthUpdate, rows: EventRows) -> None:
        symbol = self._symbol(update.s)
        levels = self._levels(update.b, update.a, symbol)
        exch_ms = update.E if update.T is None else update.T
        previous = NO_CHAIN if update.pu is None else update.pu
        self._depths[symbol].on_diff(Diff(update.U, update.u, previous, exch_ms * NS_PER_MS, levels), rows)

    def _start_depth(self, snapshot: _DepthSnapshot, rows: EventRows) -> None:
        if snapshot.symbol is None and len(self._symbols) != 1:
            raise Rejected(Counter.MALFORMED)
        symbol = 0 if snapshot.symbol is None else self._symbol(snapshot.symbol)
        levels = self._levels(snapshot.bids, snapshot.asks, symbol)
        self._depths[symbol].on_snapshot(snapshot.lastUpdateId, snapshot.T * NS_PER_MS, levels, rows)

    def _levels(self, bids: list[PriceLevel], asks: list[PriceLevel], symbol: int) -> list[Level]:
        decimals = self._decimals[symbol]
        return [
            Level(
                side,
                decimal_text.positive(px),
                decimal_text.non_negative(qty),
                decimal_text.scaled(px, decimals),
            )
            for side, levels in ((Side.BUY, bids), (Side.SELL, asks))
            for px, qty in levels
        ]

    def _in_order(self, stream: str, name: str, number: int) -> int:
        symbol = self._symbol(name)
        last = self._last_ids.get((stream, symbol), -1)
        if number < last:
            raise Rejected(Counter.OUT_OF_ORDER)
        if number == last:
            raise Rejected(Counter.DUPLICATES)
        return symbol

    def _symbol(self, name: str) -> int:
        symbol = self._symbols.get(name)
        if symbol is None:
            raise Rejected(Counter.MALFORMED)
        return symbol


def _kind(envelope: _Envelope) -> str:
    if envelope.stream is not None:
        if not envelope.data:
            return "unknown"
        topic = envelope.stream.partition("@")[2]
        return "depth" if topic.split("@")[0] == "depth" else topic
    if envelope.lastUpdateId is not None:
        return "snapshot"
    if envelope.e is not None:
        return "depth" if envelope.e == "depthUpdate" else envelope.e
    if envelope.B is not None:
        return "bookTicker"
    return "answer" if envelope.id is not None else "unknown"
