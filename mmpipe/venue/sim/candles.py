"""Open, high, low and close of past intervals, kept per minute and grouped on request."""

from collections import deque
from typing import Final

from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.wire import text_of

MINUTE_MS: Final = 60_000
MINUTES_KEPT: Final = 5_000
CANDLES_MAX: Final = 5_000
_DAY_MIN: Final = 1_440
INTERVAL_MIN: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720,
    "1d": _DAY_MIN, "3d": 3 * _DAY_MIN, "1w": 7 * _DAY_MIN, "1M": 30 * _DAY_MIN,
}  # fmt: skip

_OPEN, _CLOSE, _HIGH, _LOW, _LOTS, _COUNT = range(6)


class Candles:
    """Candles of one coin.

    Parameters
    ----------
    coin : Coin
        Grid of its numbers.
    """

    def __init__(self, coin: Coin) -> None:
        self._coin = coin
        self._minutes: deque[tuple[int, list[int]]] = deque(maxlen=MINUTES_KEPT)

    def add(self, ts_ms: int, tick: int, lots: int) -> None:
        """Count one trade."""
        start = ts_ms - ts_ms % MINUTE_MS
        if not self._minutes or self._minutes[-1][0] != start:
            self._minutes.append((start, [tick, tick, tick, tick, 0, 0]))
        row = self._minutes[-1][1]
        row[_CLOSE] = tick
        row[_HIGH] = max(row[_HIGH], tick)
        row[_LOW] = min(row[_LOW], tick)
        row[_LOTS] += lots
        row[_COUNT] += 1

    def between(self, interval: str, start_ms: int, end_ms: int) -> list[wire.Candle]:
        """Candles that begin within a time, oldest first; the last one may still be forming."""
        width_ms = INTERVAL_MIN[interval] * MINUTE_MS
        groups: dict[int, list[int]] = {}
        for at_ms, row in self._minutes:
            begin = at_ms - at_ms % width_ms
            if start_ms - width_ms < begin <= end_ms:
                _merge(groups, begin, row)
        return [self._view(interval, begin, width_ms, row) for begin, row in groups.items()][-CANDLES_MAX:]

    def last(self, interval: str) -> wire.Candle | None:
        """The candle that is forming; None before the first trade."""
        if not self._minutes:
            return None
        return self.between(interval, self._minutes[-1][0], self._minutes[-1][0])[-1]

    def _view(self, interval: str, begin: int, width_ms: int, row: list[int]) -> wire.Candle:
        unit = self._coin.ticks_in_unit
        return wire.Candle(
            t=begin,
            T=begin + width_ms - 1,
            s=self._coin.name,
            i=interval,
            o=text_of(row[_OPEN], unit),
            c=text_of(row[_CLOSE], unit),
            h=text_of(row[_HIGH], unit),
            l=text_of(row[_LOW], unit),
            v=text_of(row[_LOTS], self._coin.lots_in_unit),
            n=row[_COUNT],
        )


def _merge(groups: dict[int, list[int]], begin: int, row: list[int]) -> None:
    group = groups.get(begin)
    if group is None:
        groups[begin] = list(row)
        return
    group[_CLOSE] = row[_CLOSE]
    group[_HIGH] = max(group[_HIGH], row[_HIGH])
    group[_LOW] = min(group[_LOW], row[_LOW])
    group[_LOTS] += row[_LOTS]
    group[_COUNT] += row[_COUNT]
