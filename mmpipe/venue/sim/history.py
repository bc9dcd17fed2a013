"""What happened in public: the last trades and the candles of every coin."""

from collections import deque
from typing import Final

from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.candles import Candles
from mmpipe.venue.sim.state import BlockResult, VenueState
from mmpipe.venue.sim.views import trade_view

TRADES_KEPT: Final = 30
PUBLIC_CAUSES: Final = (codes.TRADED, codes.LIQUIDATED)


class History:
    """Public history of one exchange.

    Parameters
    ----------
    state : VenueState
        Read only.

    Attributes
    ----------
    trades : list of deque
        Last trades by symbol, oldest first.
    candles : list of Candles
        By symbol.
    """

    def __init__(self, state: VenueState) -> None:
        self._state = state
        self.trades: list[deque[wire.Trade]] = [deque(maxlen=TRADES_KEPT) for _ in state.coins]
        self.candles = [Candles(coin) for coin in state.coins]

    def add(self, result: BlockResult) -> list[list[wire.Trade]]:
        """Remember one block; returns its trades by symbol."""
        fresh: list[list[wire.Trade]] = [[] for _ in self.trades]
        for row in result.fills:
            if int(row["cause"]) in PUBLIC_CAUSES:
                symbol = int(row["symbol"])
                fresh[symbol].append(trade_view(self._state, row))
                self.candles[symbol].add(result.ts_ms, int(row["tick"]), int(row["lots"]))
        for kept, trades in zip(self.trades, fresh, strict=True):
            kept.extend(trades)
        return fresh
