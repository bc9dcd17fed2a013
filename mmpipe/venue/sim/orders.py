"""Placing, replacing and cancelling users' orders: checks, the matching kernel, and the venue's items.

A trigger order sleeps in the account until the mark price reaches it, and is then sent like any other.
Orders of one `normalTpsl` action depend on the first: they wake after it filled, and one ends the other.
"""

from typing import Any, Final

import numpy as np

from mmpipe.enums import Tif
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Order, Trigger
from mmpipe.venue.sim.margin import affords
from mmpipe.venue.sim.matching import best_tick, process
from mmpipe.venue.sim.order_checks import (
    GONE,
    OPEN_ORDERS_MAX,
    REFUSED_STATUS,
    Checked,
    Refusal,
    check_order,
    check_trigger,
    is_reached,
    matched_refusal,
    placed_item,
    refused_item,
)
from mmpipe.venue.sim.state import VenueState
from mmpipe.venue.sim.wire import OrderWire

VOLUME_PER_ORDER: Final = 5_000_000_000_000  # 5 million USDC in 1e-6: one more open order each
POST_ONLY: Final = "Only post-only orders allowed immediately after a network upgrade"
DELISTED: Final = "Trading is halted."
WAITING_FOR_FILL: Final = "waitingForFill"
WAITING_FOR_TRIGGER: Final = "waitingForTrigger"
_ALO: Final = int(Tif.ALO)
_GTC: Final = int(Tif.GTC)
_IOC: Final = int(Tif.IOC)
_TIF_TEXT: Final = {_ALO: "Alo", _GTC: "Gtc", _IOC: "Ioc"}


class Orders:
    """Users' orders in one market state.

    Parameters
    ----------
    state : VenueState
        Changed in place.
    """

    def __init__(self, state: VenueState) -> None:
        self._state = state
        self._request = np.zeros(1, codes.REQUEST)
        process(state.market, self._request, 0)  # compiled before the first order waits for it

    def place_all(self, account: Account, wires: list[OrderWire], grouping: Any) -> list[Any]:
        """Items of one order action."""
        if grouping != "normalTpsl" or len(wires) < 2:  # a parent and its children
            return [self.place(account, wire, grouping == "positionTpsl") for wire in wires]
        parent = self.place(account, wires[0], False)
        body = parent.get("resting") or parent.get("filled")
        if body is None:
            return [parent] + [refused_item("Parent order was rejected.", wire.a) for wire in wires[1:]]
        parent_oid = body["oid"] if "resting" in parent else 0
        return [parent, *self._place_children(account, wires[1:], parent_oid)]

    def place(self, account: Account, wire: OrderWire, whole_position: bool = False) -> Any:
        """One order: resting, filled, waiting, or an error with the venue's text."""
        checked = self._check(account, wire)
        if isinstance(checked, Refusal):
            self._remember_refused(account, wire, checked.status)
            return refused_item(checked.text, wire.a)
        if wire.t.trigger is None:
            return self._match(account, wire, checked)
        trigger = check_trigger(
            self._state.coins[wire.a], wire, self._state.mark_tick(wire.a), whole_position
        )
        if isinstance(trigger, Refusal):
            self._remember_refused(account, wire, trigger.status)
            return refused_item(trigger.text, wire.a)
        order = self._put_to_sleep(account, wire, checked, trigger, 0)
        return WAITING_FOR_TRIGGER if whole_position else placed_item(
            order, codes.OPEN, 0, 0, self._state.coins[wire.a]
        )  # fmt: skip

    def cancel(self, account: Account, asset: int, oid: int, fast: bool = False) -> Any:
        """One cancel: "success" or an error."""
        order = account.open.get(oid)
        if order is None or order.symbol != asset:
            return refused_item(GONE, asset)
        if order.trigger is not None:
            if fast:
                return refused_item("Cannot use fast cancel for trigger orders.", asset)
            self.end(account, order, "canceled")
            return "success"
        row = self._request
        row["kind"] = codes.CANCELED
        row["account"] = account.index
        row["oid"] = oid
        process(self._state.market, row, 1)
        if row["status"][0] != codes.CANCELED:
            return refused_item(GONE, asset)
        return "success"

    def modify(self, account: Account, oid: int | str, wire: OrderWire, always: bool) -> Any:
        """Cancel one order and place another, under a new number.

        Unless `always`, the new one must not trade at once: a GTC order becomes post-only.
        """
        if not 0 <= wire.a < len(self._state.coins):
            return refused_item("Invalid asset.", wire.a)
        order = account.order_by(oid.lower() if isinstance(oid, str) else oid)
        if order is None or order.oid not in account.open or order.symbol != wire.a:
            return refused_item("Cannot modify canceled or filled order", wire.a)
        if wire.t.limit is not None and not always and order.trigger is None:
            if wire.t.limit.tif == "Ioc":
                return refused_item("Modified order must not match immediately.", wire.a)
            wire.t.limit.tif = "Alo"
        cloid = order.cloid
        if cloid is not None and wire.c is not None and wire.c.lower() == cloid:
            account.oid_of_cloid.pop(cloid, None)  # the new order takes the name over
        if self.cancel(account, order.symbol, order.oid) != "success":
            return refused_item("Cannot modify canceled or filled order", wire.a)
        item = self.place(account, wire)
        if isinstance(item, dict) and "error" in item:
            return {"error": f"Error placing new order during modify: {item['error']}"}
        return item

    def cancel_open(self, account: Account, status: int, text: str) -> None:
        """Cancel everything an account has, for a reason that is not its owner's wish."""
        for order in list(account.open.values()):
            if order.trigger is not None:
                self.end(account, order, text)
            else:
                row = self._request
                row["kind"] = status
                row["account"] = account.index
                row["oid"] = order.oid
                process(self._state.market, row, 1)

    def end(self, account: Account, order: Order, status: str) -> None:
        """End a sleeping order."""
        account.close(order, status, self._state.ts_ms)
        self._state.tell(account, order)

    def wake(self, account: Account) -> None:
        """Send every sleeping order of an account whose price was reached."""
        for order in list(account.sleeping.values()):
            trigger = order.trigger
            assert trigger is not None
            mark_tick = self._state.mark_tick(order.symbol)
            if order.parent == 0 and is_reached(trigger, order.side, mark_tick):
                self._send(account, order, trigger)

    def follow(self, account: Account, parent: Order) -> None:
        """Children of a parent order that ended: they become active, or end with it."""
        filled = parent.status == "filled" or parent.lots < parent.orig_lots
        for order in list(account.sleeping.values()):
            if order.parent == parent.oid:
                if filled:
                    order.parent = 0
                else:
                    self.end(account, order, "siblingFilledCanceled" if filled else "canceled")

    def _send(self, account: Account, order: Order, trigger: Trigger) -> None:
        lots = order.lots
        if trigger.whole_position:
            lots = abs(int(self._state.market.standings[account.index, order.symbol]["lots"]))
        for oid in order.siblings:
            sibling = account.sleeping.get(oid)
            if sibling is not None:
                self.end(account, sibling, "siblingFilledCanceled")
        self.end(account, order, "triggered")
        if order.cloid is not None:
            account.oid_of_cloid.pop(order.cloid, None)
        tif = _IOC if trigger.is_market else _GTC
        if lots > 0:
            checked = Checked(order.side, order.tick, lots, tif)
            self._submit(account, order.symbol, checked, order.reduce_only, order.cloid)

    def _place_children(self, account: Account, wires: list[OrderWire], parent: int) -> list[Any]:
        items: list[Any] = []
        orders: list[Order] = []
        for wire in wires:
            checked = self._check(account, wire, child=True)
            if isinstance(checked, Checked) and wire.t.trigger is None:
                checked = Refusal("Invalid TP/SL price.", "badTriggerPxRejected")
            trigger = checked if isinstance(checked, Refusal) else check_trigger(
                self._state.coins[wire.a], wire, self._state.mark_tick(wire.a), False
            )  # fmt: skip
            if isinstance(trigger, Refusal) or isinstance(checked, Refusal):
                refused = trigger if isinstance(trigger, Refusal) else checked
                assert isinstance(refused, Refusal)
                items.append(refused_item(refused.text, wire.a))
                continue
            orders.append(self._put_to_sleep(account, wire, checked, trigger, parent))
            items.append(WAITING_FOR_FILL if parent else WAITING_FOR_TRIGGER)
        for order in orders:
            order.siblings = tuple(other.oid for other in orders if other is not order)
        return items

    def _put_to_sleep(
        self, account: Account, wire: OrderWire, checked: Checked, trigger: Trigger, parent: int
    ) -> Order:
        ts_ms = self._state.ts_ms
        order = Order(self._next_oid(), wire.a, checked.side, checked.tick, checked.lots, checked.lots,
                      "Gtc", wire.r, wire.c, ts_ms, "open", ts_ms, trigger, parent)  # fmt: skip
        account.add(order)
        self._state.tell(account, order)
        return order

    def _next_oid(self) -> int:
        # Not in the book: the slot part is 0, and no order in slot 0 has this serial.
        header = self._state.market.header
        header["serial"] += 1
        return int(header["serial"][0]) * codes.ORDERS_MAX

    def _check(self, account: Account, wire: OrderWire, child: bool = False) -> Checked | Refusal:
        state = self._state
        if not 0 <= wire.a < len(state.coins):
            return Refusal("Invalid asset.", "rejected")
        if wire.c is not None:
            wire.c = wire.c.lower()
        if state.market.prices[wire.a]["delisted"]:
            return Refusal(DELISTED, "rejected")
        if state.post_only and wire.tif != "Alo":
            return Refusal(POST_ONLY, "rejected")
        standing = state.market.standings[account.index, wire.a]
        lots = int(standing["lots"])
        # A child closes what its parent opens: its size is not compared with today's position.
        checked = check_order(state.coins[wire.a], wire, state.mark_tick(wire.a), lots)
        if isinstance(checked, Refusal):
            return checked
        if wire.c is not None and wire.c in account.oid_of_cloid:
            return Refusal(f"Duplicate cloid {wire.c}.", "rejected")
        if len(account.open) >= OPEN_ORDERS_MAX + account.volume_notional // VOLUME_PER_ORDER:
            return Refusal("Too many open orders.", "tooManyOpenOrdersRejected")
        if child or wire.r or wire.t.trigger is not None:
            return checked
        if not affords(state.market, account.index, wire.a, checked.side, checked.lots, checked.tick):
            return Refusal("Insufficient margin to place order.", "perpMarginRejected")
        return checked

    def _match(self, account: Account, wire: OrderWire, checked: Checked) -> Any:
        market, coin = self._state.market, self._state.coins[wire.a]
        bbo = (best_tick(market, wire.a, 1), best_tick(market, wire.a, -1))
        order, status = self._submit(account, wire.a, checked, wire.r, wire.c)
        if status in REFUSED_STATUS:
            return refused_item(matched_refusal(status, coin, *bbo), wire.a)
        row = self._request[0]
        return placed_item(order, status, int(row["filled_lots"]), int(row["filled_notional"]), coin)

    def _submit(
        self, account: Account, symbol: int, checked: Checked, reduce_only: bool, cloid: str | None
    ) -> tuple[Order, int]:
        row = self._request
        row["kind"] = codes.PLACE
        row["account"] = account.index
        row["symbol"] = symbol
        row["side"] = checked.side
        row["tif"] = checked.tif
        row["reduce_only"] = reduce_only
        row["tick"] = checked.tick
        row["lots"] = checked.lots
        process(self._state.market, row, 1)
        status, oid, filled = (int(row[key][0]) for key in ("status", "oid", "filled_lots"))
        ts_ms = self._state.ts_ms
        order = Order(oid, symbol, checked.side, checked.tick, checked.lots, checked.lots,
                      _TIF_TEXT[checked.tif], reduce_only, cloid, ts_ms, "open", ts_ms)  # fmt: skip
        account.add(order)
        if status in REFUSED_STATUS:
            account.close(order, REFUSED_STATUS[status], ts_ms)
            self._state.tell(account, order)
        else:
            order.lots -= filled
        return order, status

    def _remember_refused(self, account: Account, wire: OrderWire, status: str) -> None:
        ts_ms = self._state.ts_ms
        order = Order(self._next_oid(), max(wire.a, 0), 1 if wire.b else -1, 0, 0, 0, wire.tif, wire.r,
                      wire.c, ts_ms, status, ts_ms)  # fmt: skip
        if wire.a >= len(self._state.coins) or wire.a < 0:
            return
        if wire.c is not None and wire.c not in account.oid_of_cloid:
            account.oid_of_cloid[wire.c] = order.oid
        account.close(order, status, ts_ms)
