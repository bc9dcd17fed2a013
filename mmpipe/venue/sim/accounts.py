"""Accounts of the embedded exchange as their owners see them: orders by both ids, fills, funding, agents.

Positions and cash live in the market's arrays (`ledger`); here is what the kernels have no use for.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

HISTORY_MAX: Final = 2_000  # finished orders and fills an account can ask for
LEDGER_MAX: Final = 500


@dataclass(slots=True)
class Trigger:
    """What a sleeping order waits for."""

    tick: int
    is_market: bool
    take_profit: bool
    whole_position: bool  # closes whatever the position is when it wakes


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
    trigger: Trigger | None = None
    parent: int = 0  # order whose fill makes this one active, 0: active
    siblings: tuple[int, ...] = ()  # cancelled when this one fills

    @property
    def kind(self) -> str:
        """The venue's word for it."""
        if self.trigger is None:
            return "Limit"
        end = "Market" if self.trigger.is_market else "Limit"
        return f"{'Take Profit' if self.trigger.take_profit else 'Stop'} {end}"


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
    cause: int = 0  # market.TRADED, LIQUIDATED, …
    liquidated: str = ""  # address of whoever was liquidated
    mark_tick: int = 0


@dataclass(slots=True)
class Funding:
    """One settlement of one position; positive cash was paid."""

    symbol: int
    ts_ms: int
    cash: int
    lots: int
    rate: float


@dataclass(slots=True)
class Account:
    """One account: a master, or a vault that its leader trades for."""

    index: int  # row of Market.standings and Market.cash
    address: str
    role: str = "user"
    leader: str = ""  # of a vault
    open: dict[int, Order] = field(default_factory=dict)
    sleeping: dict[int, Order] = field(default_factory=dict)  # trigger orders, also in `open`
    closed: dict[int, Order] = field(default_factory=dict)  # oldest first
    oid_of_cloid: dict[str, int] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    fundings: deque[Funding] = field(default_factory=lambda: deque(maxlen=LEDGER_MAX))
    ledger: deque[tuple[int, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=LEDGER_MAX))
    spot_cash: int = 0
    volume_notional: int = 0  # 1e-6 USDC traded
    requests: int = 0
    reserved_requests: int = 0
    paced_ms: int = 0  # when a request beyond the budget was let through
    scheduled_ms: int = 0  # when everything is cancelled, 0: not scheduled
    triggered_days: dict[int, int] = field(default_factory=dict)  # scheduled cancels by day
    builder_fees: dict[str, int] = field(default_factory=dict)  # tenths of a basis point, by builder
    referrer: str = ""

    def order(self, oid: int) -> Order | None:
        """Order by the venue's id, open or remembered."""
        return self.open.get(oid) or self.closed.get(oid)

    def order_by(self, oid: int | str) -> Order | None:
        """Order by either id."""
        return self.order(self.oid_of_cloid.get(oid, 0) if isinstance(oid, str) else oid)

    def add(self, order: Order) -> None:
        """Remember an open order."""
        if order.cloid is not None:
            self.oid_of_cloid[order.cloid] = order.oid
        self.open[order.oid] = order
        if order.trigger is not None:
            self.sleeping[order.oid] = order

    def close(self, order: Order, status: str, ts_ms: int) -> None:
        """Move an order to the remembered ones and forget the oldest."""
        order.status, order.status_ts_ms = status, ts_ms
        self.open.pop(order.oid, None)
        self.sleeping.pop(order.oid, None)
        self.closed[order.oid] = order
        while len(self.closed) > HISTORY_MAX:
            oldest = self.closed.pop(next(iter(self.closed)))
            if oldest.cloid is not None and self.oid_of_cloid.get(oldest.cloid) == oldest.oid:
                del self.oid_of_cloid[oldest.cloid]


def direction_of(side: int, lots: int, start_lots: int) -> str:
    """What a fill did to the position, in the venue's words."""
    end_lots = start_lots + side * lots
    if start_lots * end_lots < 0:
        return "Long > Short" if start_lots > 0 else "Short > Long"
    if side * start_lots >= 0:
        return "Open Long" if side > 0 else "Open Short"
    return "Close Short" if side > 0 else "Close Long"


Answer = dict[str, Any]
