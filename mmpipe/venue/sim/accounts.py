"""Accounts of the embedded exchange: orders by both ids, fills, entry prices, and nonces per signer."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mmpipe.units import CASH_PER_TICK_LOT

HISTORY_MAX: Final = 2_000  # finished orders and fills an account can ask for
NONCES_KEPT: Final = 100
_DAY_MS: Final = 86_400_000


@dataclass(slots=True)
class Order:
    """One order as its owner sees it."""

    oid: int
    symbol: int
    side: int
    tick: int
    lots: int  # open
    orig_lots: int
    tif: str
    reduce_only: bool
    cloid: str | None
    ts_ms: int
    status: str
    status_ts_ms: int


@dataclass(slots=True)
class Fill:
    """One fill as its owner sees it."""

    symbol: int
    side: int
    tick: int
    lots: int
    ts_ms: int
    start_lots: int
    closed_cash: int
    fee_cash: int
    oid: int
    tid: int
    crossed: bool
    cloid: str | None


@dataclass(slots=True)
class Account:
    """One master account."""

    index: int  # row of Market.positions and Market.cash
    address: str
    entry_notional: np.ndarray  # (symbols,) int64, |position| at its entry prices, tick * lots
    open: dict[int, Order] = field(default_factory=dict)
    closed: dict[int, Order] = field(default_factory=dict)  # oldest first
    oid_of_cloid: dict[str, int] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))

    def order(self, oid: int) -> Order | None:
        """Order by the venue's id, open or remembered."""
        return self.open.get(oid) or self.closed.get(oid)

    def close(self, order: Order, status: str, ts_ms: int) -> None:
        """Move an order to the remembered ones and forget the oldest."""
        order.status, order.status_ts_ms = status, ts_ms
        self.open.pop(order.oid, None)
        self.closed[order.oid] = order
        while len(self.closed) > HISTORY_MAX:
            oldest = self.closed.pop(next(iter(self.closed)))
            if oldest.cloid is not None and self.oid_of_cloid.get(oldest.cloid) == oldest.oid:
                del self.oid_of_cloid[oldest.cloid]

    def book_fill(self, symbol: int, side: int, tick: int, lots: int, start_lots: int) -> int:
        """Update the entry price for one fill.

        Returns
        -------
        int
            Profit realised against the entry price, cash, fees not subtracted.
        """
        entry = int(self.entry_notional[symbol])
        closing = min(lots, abs(start_lots)) if side * start_lots < 0 else 0
        share = entry * closing // abs(start_lots) if closing else 0
        self.entry_notional[symbol] = entry - share + tick * (lots - closing)
        return -side * (tick * closing - share) * CASH_PER_TICK_LOT


class NonceWindow:
    """The highest nonces of one signer: a new one must be above the smallest kept, and unused."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._used: set[int] = set()

    def refuse(self, nonce: int, wall_ms: int) -> str | None:
        """Text of the refusal, or None after the nonce was taken."""
        if nonce in self._used:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if nonce < wall_ms - 2 * _DAY_MS:
            return f"Invalid nonce: nonce too low {nonce} < {wall_ms - 2 * _DAY_MS}"
        if nonce > wall_ms + _DAY_MS:
            return f"Invalid nonce: nonce too high {nonce} > {wall_ms + _DAY_MS}"
        if len(self._kept) == NONCES_KEPT:
            if nonce < self._kept[0]:
                return f"Invalid nonce: nonce too low {nonce} < {self._kept[0]}"
            self._used.discard(heapq.heappop(self._kept))
        heapq.heappush(self._kept, nonce)
        self._used.add(nonce)
        return None


def direction_of(side: int, lots: int, start_lots: int) -> str:
    """What a fill did to the position, in the venue's words."""
    end_lots = start_lots + side * lots
    if start_lots * end_lots < 0:
        return "Long > Short" if start_lots > 0 else "Short > Long"
    if side * start_lots >= 0:
        return "Open Long" if side > 0 else "Open Short"
    return "Close Short" if side > 0 else "Close Long"


Answer = dict[str, Any]
