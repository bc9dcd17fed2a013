"""The same rows in plain Python, from messages parsed by a JSON library: what our decoders are beside.

Written as one would without compiled code: floats, integer ticks, one tuple per row, and no more checks than
the answer needs. A peer is spared what a ring asks for, the copy of its tuples into records.
"""

from typing import Any

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.venue.binance import LEAD_DECIMALS

NS_PER_MS = 1_000_000
HOUR_MS = 3_600_000
FUNDING_HOURS = 8
FIELDS = (
    "kind", "side", "level", "px", "qty", "px_tick", "exch_ts_ns", "remote_seq", "venue", "symbol", "flags",
)  # fmt: skip
CLEAR, DELTA, TRADE, BBO, FUNDING = (
    int(EventKind[name]) for name in ("BOOK_CLEAR", "BOOK_DELTA", "TRADE", "BBO", "FUNDING")
)
LAST, HISTORY, FAST = int(EventFlag.LAST), int(EventFlag.HISTORY), int(EventFlag.FAST)
Row = tuple[int, int, int, float, float, int, int, int, int, int, int]


class PlainHyperliquid:
    """Rows of one connection of the maker."""

    def __init__(self, coins: list[str], decimals: int) -> None:
        self._symbols = {coin: index for index, coin in enumerate(coins)}
        self._unit = 10**decimals
        self._newest_ms = 0
        self._trades_ms: dict[int, int] = {}  # newest of each coin; a coin without has only history
        self._live_ms: dict[int, int] = {}
        self._tids: set[tuple[int, int]] = set()

    def rows(self, message: dict[str, Any]) -> list[Row]:
        """Rows of a parsed message, fields as in `FIELDS`."""
        channel, data = message["channel"], message["data"]
        if channel == "l2Book":
            return self._book(data)
        if channel == "bbo":
            return self._best(data)
        if channel == "trades":
            return self._trades(data)
        if channel == "activeAssetCtx":
            return self._context(data)
        return []

    def _stamp(self, data: dict[str, Any]) -> tuple[int, int]:
        self._newest_ms = max(self._newest_ms, data["time"])
        return self._symbols[data["coin"]], data["time"] * NS_PER_MS

    def _book(self, data: dict[str, Any]) -> list[Row]:
        symbol, ts_ns = self._stamp(data)
        flags, unit = FAST if data.get("fast") else 0, self._unit
        rows: list[Row] = [(CLEAR, 0, 0, 0.0, 0.0, 0, ts_ns, 0, 0, symbol, flags)]
        for side, levels in zip((1, -1), data["levels"], strict=True):
            for level, each in enumerate(levels):
                px = float(each["px"])
                tick = round(px * unit)
                rows.append((DELTA, side, level, px, float(each["sz"]), tick, ts_ns, 0, 0, symbol, flags))
        return closed(rows)

    def _best(self, data: dict[str, Any]) -> list[Row]:
        symbol, ts_ns = self._stamp(data)
        rows: list[Row] = []
        for side, each in zip((1, -1), data["bbo"], strict=True):
            px, qty = (float(each["px"]), float(each["sz"])) if each else (0.0, 0.0)
            rows.append((BBO, side, 0, px, qty, round(px * self._unit), ts_ns, 0, 0, symbol, 0))
        return closed(rows)

    def _trades(self, data: list[dict[str, Any]]) -> list[Row]:
        rows: list[Row] = []
        arriving: dict[int, int] = {}
        for each in data:
            symbol, time_ms = self._symbols[each["coin"]], each["time"]
            live_ms = self._live_ms.get(symbol, 0)
            history = live_ms == 0 or time_ms < live_ms
            arriving[symbol] = max(arriving.get(symbol, 0), time_ms)
            if (symbol, each["tid"]) in self._tids:
                continue
            self._tids.add((symbol, each["tid"]))
            if not history and time_ms < self._trades_ms[symbol]:
                continue
            px, side = float(each["px"]), 1 if each["side"] == "B" else -1
            tick, flags = round(px * self._unit), HISTORY if history else 0
            stamps = time_ms * NS_PER_MS, each["tid"]
            rows.append((TRADE, side, 0, px, float(each["sz"]), tick, *stamps, 0, symbol, flags))
        for symbol, time_ms in arriving.items():
            self._trades_ms[symbol] = max(self._trades_ms.get(symbol, 0), time_ms)
            self._live_ms.setdefault(symbol, time_ms)
            self._newest_ms = max(self._newest_ms, time_ms)
        return closed(rows)

    def _context(self, data: dict[str, Any]) -> list[Row]:
        rate = float(data["ctx"]["funding"]) * FUNDING_HOURS
        next_ns = (self._newest_ms // HOUR_MS + 1) * HOUR_MS * NS_PER_MS if self._newest_ms else 0
        symbol = self._symbols[data["coin"]]
        return [(FUNDING, 0, 0, rate, 0.0, 0, 0, next_ns, 0, symbol, LAST)]


class PlainBinance:
    """Rows of one connection of the lead; depth only of a single symbol."""

    def __init__(self, names: list[str]) -> None:
        self._symbols = {name: index for index, name in enumerate(names)}
        self._last: dict[tuple[int, str], int] = {}  # ids of each numbering
        self._depth_id = 0

    def rows(self, message: dict[str, Any]) -> list[Row]:
        """Rows of a parsed message, fields as in `FIELDS`."""
        data = message.get("data", message)
        kind = data.get("e", "")
        if kind == "bookTicker" or "B" in data:
            return self._best(data)
        if kind == "depthUpdate":
            return self._diff(data)
        if kind:
            return self._trade(data, "a" if kind == "aggTrade" else "t")
        self._depth_id = data["lastUpdateId"]
        ts_ns = data.get("T", 0) * NS_PER_MS
        clear: Row = (CLEAR, 0, 0, 0.0, 0.0, 0, ts_ns, self._depth_id, int(Venue.LEAD), 0, 0)
        return closed([clear, *self._levels(data["bids"], data["asks"], ts_ns, self._depth_id)])

    def _is_news(self, symbol: int, numbering: str, number: int) -> bool:
        news = number > self._last.get((symbol, numbering), -1)
        if news:
            self._last[symbol, numbering] = number
        return news

    def _best(self, data: dict[str, Any]) -> list[Row]:
        symbol, number, ts_ns = self._symbols[data["s"]], data["u"], data.get("T", 0) * NS_PER_MS
        if not self._is_news(symbol, "u", number):
            return []
        rows: list[Row] = []
        for side, px_name, qty_name in ((1, "b", "B"), (-1, "a", "A")):
            px, qty = float(data[px_name]), float(data[qty_name])
            rows.append((BBO, side, 0, px, qty, _tick(px), ts_ns, number, int(Venue.LEAD), symbol, 0))
        return closed(rows)

    def _trade(self, data: dict[str, Any], numbering: str) -> list[Row]:
        symbol, number, px = self._symbols[data["s"]], data[numbering], float(data["p"])
        if not self._is_news(symbol, numbering, number):
            return []
        side, ts_ns = -1 if data["m"] else 1, data["T"] * NS_PER_MS
        qty = float(data["q"])
        return [(TRADE, side, 0, px, qty, _tick(px), ts_ns, number, int(Venue.LEAD), symbol, LAST)]

    def _diff(self, data: dict[str, Any]) -> list[Row]:
        first, last = data["U"], data["u"]
        joined = data.get("pu", first - 1) == self._depth_id or first <= self._depth_id <= last
        if not joined:
            raise ValueError(f"depth {first} to {last} does not follow {self._depth_id}")
        self._depth_id = last
        return closed(self._levels(data["b"], data["a"], data.get("T", data["E"]) * NS_PER_MS, last))

    def _levels(self, bids: list[list[str]], asks: list[list[str]], ts_ns: int, number: int) -> list[Row]:
        rows: list[Row] = []
        for side, levels in ((1, bids), (-1, asks)):
            for text, qty in levels:
                px = float(text)
                rows.append((DELTA, side, 0, px, float(qty), _tick(px), ts_ns, number, int(Venue.LEAD), 0, 0))
        return rows


def closed(rows: list[Row]) -> list[Row]:
    """The last row of a message flagged as that."""
    if rows:
        rows[-1] = (*rows[-1][:-1], rows[-1][-1] | LAST)
    return rows


def _tick(px: float) -> int:
    return round(px * 10**LEAD_DECIMALS)
