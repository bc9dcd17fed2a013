"""The slow order book of our own: what a venue did, and what its answers allow us to believe, in plain dicts.

`Venue` is the truth: it fills and cancels as it likes and holds its messages back; the test delivers them in
any order, twice, or late. `Venue.worst(side)` is what could still be traded, whether we were told or not.
"""

from dataclasses import dataclass


@dataclass
class Order:
    side: int
    tick: int
    lots: int
    filled: int = 0
    open: bool = True


@dataclass
class Trade:
    tid: int
    order_id: int
    side: int
    tick: int
    lots: int
    fee: int


class Venue:
    def __init__(self) -> None:
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []

    def accept(self, order_id: int, side: int, tick: int, lots: int) -> None:
        self.orders[order_id] = Order(side, tick, lots)

    def fill(self, order_id: int, lots: int) -> Trade | None:
        order = self.orders[order_id]
        lots = min(lots, order.lots - order.filled)
        if not order.open or lots <= 0:
            return None
        order.filled += lots
        order.open = order.filled < order.lots
        trade = Trade(len(self.trades) + 1, order_id, order.side, order.tick, lots, lots % 7)
        self.trades.append(trade)
        return trade

    def cancel(self, order_id: int) -> int:
        """Take the order off; the remainder that is cancelled, 0 when there is none."""
        order = self.orders[order_id]
        if not order.open:
            return 0
        order.open = False
        return order.lots - order.filled

    @property
    def position(self) -> int:
        return sum(trade.side * trade.lots for trade in self.trades)

    def worst(self, side: int) -> int:
        """Position, in the direction of `side`, if everything open on that side were filled."""
        left = sum(o.lots - o.filled for o in self.orders.values() if o.open and o.side == side)
        return side * self.position + left


def cash_of(trades: list[Trade], cash_per_tick_lot: int) -> int:
    return sum(-t.side * t.lots * t.tick * cash_per_tick_lot - t.fee for t in trades)
