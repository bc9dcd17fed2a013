"""The fill rules of a recorded market, written slowly: dicts, lists, one order at a time."""

from dataclasses import dataclass, field


@dataclass
class Order:
    order_id: int
    side: int
    tick: int
    leaves: int
    ahead: float
    traded: float = 0.0


@dataclass
class Market:
    power: float
    book: dict[tuple[int, int], float] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    fills: list[tuple[int, int, int]] = field(default_factory=list)  # order id, tick, lots

    def place(self, order_id: int, side: int, tick: int, lots: int) -> bool:
        if any(s == -side and side * t <= side * tick for s, t in self.book):
            return False
        self.orders.append(Order(order_id, side, tick, lots, self.book.get((side, tick), 0.0)))
        return True

    def cancel(self, order_id: int) -> None:
        self.orders = [order for order in self.orders if order.order_id != order_id]

    def depth(self, side: int, tick: int, qty: float) -> None:
        before = self.book.pop((side, tick), 0.0)
        if qty > 0:
            self.book[side, tick] = qty
        for order in self.orders:
            if (order.side, order.tick) == (side, tick):
                drop, order.traded = before - qty - order.traded, 0.0
                if drop <= 0:
                    order.ahead = min(order.ahead, qty)
                else:
                    order.ahead = self.dropped(order.ahead, qty + drop, drop)
        left = int(max(qty - before, 0))
        for order in self.queue(-side):
            if side * tick >= side * order.tick:
                left -= self.fill(order, left)

    def trade(self, aggressor: int, tick: int, qty: float) -> None:
        side, taken = -aggressor, 0
        for order in self.queue(side):
            if side * order.tick > side * tick:
                taken += self.fill(order, int(qty) - taken)
            elif order.tick == tick:
                order.ahead -= qty
                order.traded += qty
                beyond, order.ahead = max(-order.ahead, 0.0), max(order.ahead, 0.0)
                taken += self.fill(order, int(beyond - taken + 1e-6))

    def queue(self, side: int) -> list[Order]:
        # Best price first; sorting keeps the order of arrival within a price.
        return sorted((o for o in self.orders if o.side == side), key=lambda o: -side * o.tick)

    def fill(self, order: Order, lots: int) -> int:
        lots = min(lots, order.leaves)
        if lots <= 0:
            return 0
        order.leaves -= lots
        self.fills.append((order.order_id, order.tick, lots))
        if not order.leaves:
            self.orders.remove(order)
        return lots

    def dropped(self, ahead: float, level: float, drop: float) -> float:
        behind = max(level - ahead, 0.0)
        total = behind**self.power + ahead**self.power
        prob = behind**self.power / total if total else 1.0
        left = ahead - (1.0 - prob) * drop + min(behind - prob * drop, 0.0)
        return max(min(left, level - drop), 0.0)
