"""The slow, obvious decoder of Hyperliquid: typed structs, one message after the other.

The venue numbers nothing, so order is judged by its block time per stream. A trades subscription begins
with a replay of the last minutes: the first trades message of a connection, and whatever is older than
its newest trade, is flagged HISTORY. A trade id counts once, over reconnects too. Fast books carry five
levels and are flagged FAST. User data is not read here.

References
----------
Hyperliquid, "WebSocket subscriptions".
"""

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from mmpipe.enums import Counter, EventFlag, EventKind, Side, Venue
from mmpipe.venue import decimal_text
from tests.oracles.frame_decoder import EventRows, FrameDecoder, Rejected

NS_PER_MS: Final = 1_000_000
HOUR_MS: Final = 3_600_000
FUNDING_HOURS: Final = 8  # the venue pays hourly, rates are compared per eight hours
FUNDING_RATE_MAX: Final = 0.04  # the venue's cap per hour
LEVELS_MAX: Final = 256  # EVENT.level is one byte; the venue shows 20
TIDS_KEPT: Final = 4_096  # per symbol; a replay at subscription is about 30 trades
GREETING: Final = b"Websocket connection established."

BlockMs = Annotated[int, Meta(gt=0, lt=9_000_000_000_000)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Level(Struct):
    px: str
    sz: str


class _Book(Struct):
    coin: str
    time: BlockMs
    levels: tuple[list[_Level], list[_Level]]
    fast: bool | None = None


class _Bbo(Struct):
    coin: str
    time: BlockMs
    bbo: tuple[_Level | None, _Level | None]


class _Trade(Struct):
    coin: str
    side: Literal["A", "B"]  # of the aggressor
    px: str
    sz: str
    time: BlockMs
    tid: Id


class _AssetContext(Struct):
    funding: str


class _CoinContext(Struct):
    coin: str
    ctx: _AssetContext


class _BookMessage(Struct, tag_field="channel", tag="l2Book"):
    data: _Book


class _BboMessage(Struct, tag_field="channel", tag="bbo"):
    data: _Bbo


class _TradesMessage(Struct, tag_field="channel", tag="trades"):
    data: list[_Trade]


class _ContextMessage(Struct, tag_field="channel", tag="activeAssetCtx"):
    data: _CoinContext


class _Acknowledged(Struct, tag_field="channel", tag="subscriptionResponse"):
    pass


class _Pong(Struct, tag_field="channel", tag="pong"):
    pass


class _Error(Struct, tag_field="channel", tag="error"):
    data: str


_Message = _BookMessage | _BboMessage | _TradesMessage | _ContextMessage | _Acknowledged | _Pong | _Error


class Hyperliquid(FrameDecoder):
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
        self._symbols = {coin: index for index, coin in enumerate(coins)}
        self._decimals = [len(str(ticks)) - 1 for ticks in instruments["ticks_per_unit"].tolist()]
        self._parse = msgspec.json.Decoder(_Message)
        self._seen = [_RecentIds(TIDS_KEPT) for _ in coins]
        self._venue_ms = 0  # newest block time of any message
        self.restart()

    def restart(self) -> None:
        """A new connection begins: order starts over and the next trades are history."""
        self._newest_ms: dict[tuple[str, int], int] = {}
        self._live_from_ms: dict[int, int] = {}
        self._said: dict[tuple[str, int], object] = {}

    def _write(self, frame: bytes, rows: EventRows) -> None:
        if frame == GREETING:
            return
        message = self._parse.decode(frame)
        if isinstance(message, _BboMessage):
            self._bbo(message.data, rows)
        elif isinstance(message, _TradesMessage):
            self._trades(message.data, rows)
        elif isinstance(message, _BookMessage):
            self._book(message.data, rows)
        elif isinstance(message, _ContextMessage):
            self._funding(message.data, rows)
        elif isinstance(message, _Error):
            raise Rejected(Counter.REJECTS)

    def _bbo(self, bbo: _Bbo, rows: EventRows) -> None:
        symbol = self._begin("bbo", bbo.coin, bbo.time, rows)
        bid_tick = self._touch(bbo.bbo[0], symbol, Side.BUY, rows)
        ask_tick = self._touch(bbo.bbo[1], symbol, Side.SELL, rows)
        if bid_tick and ask_tick and not bid_tick < ask_tick:
            raise Rejected(Counter.CROSSED_BOOKS)
        self._judge("bbo", symbol, bbo.time, rows)

    def _touch(self, level: _Level | None, symbol: int, side: Side, rows: EventRows) -> int:
        if level is None:
            rows.add(EventKind.BBO, side, 0.0, 0.0, 0)
            return 0
        px, tick = self._price(level.px, symbol)
        rows.add(EventKind.BBO, side, px, decimal_text.positive(level.sz), tick)
        return tick

    def _book(self, book: _Book, rows: EventRows) -> None:
        stream, flags = ("fast", int(EventFlag.FAST)) if book.fast else ("full", 0)
        symbol = self._begin(stream, book.coin, book.time, rows)
        rows.add(EventKind.BOOK_CLEAR, Side.NONE, 0.0, 0.0, 0, flags=flags)
        best_ticks = []
        for side, levels in zip((Side.BUY, Side.SELL), book.levels, strict=True):
            if len(levels) > LEVELS_MAX:
                raise Rejected(Counter.OVERSIZED)
            before = 0
            for index, level in enumerate(levels):
                px, tick = self._price(level.px, symbol)
                if index and not int(side) * (before - tick) > 0:
                    raise Rejected(Counter.CROSSED_BOOKS)  # levels must leave the touch
                before = tick
                best_ticks += [tick] if index == 0 else []
                qty = decimal_text.positive(level.sz)
                rows.add(EventKind.BOOK_DELTA, side, px, qty, tick, level=index, flags=flags)
        if len(best_ticks) == len(book.levels) and not best_ticks[0] < best_ticks[1]:
            raise Rejected(Counter.CROSSED_BOOKS)
        self._judge(stream, symbol, book.time, rows)

    def _trades(self, trades: list[_Trade], rows: EventRows) -> None:
        duplicates = late = 0
        accepted: set[tuple[int, int]] = set()
        newest_ms: dict[int, int] = {}
        for trade in trades:
            symbol = self._symbol(trade.coin)
            px, tick = self._price(trade.px, symbol)
            qty = decimal_text.positive(trade.sz)
            newest_ms[symbol] = max(trade.time, newest_ms.get(symbol, 0))
            history = trade.time < self._live_from_ms.get(symbol, trade.time + 1)
            if trade.tid in self._seen[symbol] or (symbol, trade.tid) in accepted:
                if history:
                    self.counters[Counter.REPLAYED] += 1
                else:
                    duplicates += 1
            elif not history and trade.time < self._newest_ms.get(("trades", symbol), 0):
                late += 1
            else:
                rows.about(symbol, trade.time * NS_PER_MS)
                side = Side.BUY if trade.side == "B" else Side.SELL
                flags = int(EventFlag.HISTORY) if history else 0
                rows.add(EventKind.TRADE, side, px, qty, tick, remote_seq=trade.tid, flags=flags)
                accepted.add((symbol, trade.tid))
        for symbol, tid in accepted:
            self._seen[symbol].add(tid)
        for symbol, time_ms in newest_ms.items():
            self._accept("trades", symbol, time_ms)
            self._live_from_ms.setdefault(symbol, time_ms)
        self.counters[Counter.DUPLICATES] += duplicates
        self.counters[Counter.OUT_OF_ORDER] += late

    def _funding(self, context: _CoinContext, rows: EventRows) -> None:
        symbol = self._symbol(context.coin)
        rate = decimal_text.signed(context.ctx.funding)
        if not abs(rate) <= FUNDING_RATE_MAX:
            raise Rejected(Counter.BAD_NUMBER)
        # The message carries no time; before any other message the settlement is unknown and 0.
        next_ms = (self._venue_ms // HOUR_MS + 1) * HOUR_MS if self._venue_ms else 0
        rows.about(symbol, 0)
        rows.add(EventKind.FUNDING, Side.NONE, rate * FUNDING_HOURS, 0.0, 0, remote_seq=next_ms * NS_PER_MS)

    def _judge(self, stream: str, symbol: int, time_ms: int, rows: EventRows) -> None:
        content = [(row["px_tick"], row["qty"]) for row in rows.written()]
        if self._said.get((stream, symbol)) == (time_ms, content):
            raise Rejected(Counter.DUPLICATES)
        self._said[stream, symbol] = (time_ms, content)
        self._accept(stream, symbol, time_ms)

    def _begin(self, stream: str, coin: str, time_ms: int, rows: EventRows) -> int:
        symbol = self._symbol(coin)
        if time_ms < self._newest_ms.get((stream, symbol), 0):
            raise Rejected(Counter.OUT_OF_ORDER)
        rows.about(symbol, time_ms * NS_PER_MS)
        return symbol

    def _accept(self, stream: str, symbol: int, time_ms: int) -> None:
        key = (stream, symbol)
        self._newest_ms[key] = max(time_ms, self._newest_ms.get(key, 0))
        self._venue_ms = max(time_ms, self._venue_ms)

    def _symbol(self, coin: str) -> int:
        symbol = self._symbols.get(coin)
        if symbol is None:
            raise Rejected(Counter.MALFORMED)
        return symbol

    def _price(self, text: str, symbol: int) -> tuple[float, int]:
        return decimal_text.positive(text), decimal_text.scaled(text, self._decimals[symbol])


class _RecentIds:
    # A set that forgets the oldest: what the venue repeats, it repeats soon.
    def __init__(self, capacity: int) -> None:
        self._order: deque[int] = deque()
        self._known: set[int] = set()
        self._capacity = capacity

    def __contains__(self, number: int) -> bool:
        return number in self._known

    def add(self, number: int) -> None:
        if len(self._order) == self._capacity:
            self._known.discard(self._order.popleft())
        self._order.append(number)
        self._known.add(number)
