"""What the venue refuses before it matches, and the texts of its answers, word for word."""

from typing import Any, Final, NamedTuple

from mmpipe.enums import Side, Tif
from mmpipe.units import tick_step
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Order, Trigger
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.wire import CLOID, OrderWire, count_of, text_of

NOTIONAL_MIN: Final = 10_000_000  # 10 USDC in 1e-6
NOTIONAL_MAX: Final = 10**15  # 1e9 USDC; fees of larger ones would leave 64 bits
OPEN_ORDERS_MAX: Final = 1_000
GONE: Final = "Order was never placed, already canceled, or filled."
NOTIONAL_UNITS: Final = 1_000_000

_TIFS: Final = {
    "Alo": int(Tif.ALO),
    "Gtc": int(Tif.GTC),
    "Ioc": int(Tif.IOC),
    "FrontendMarket": int(Tif.IOC),
}

REFUSED_STATUS: Final = {
    codes.BAD_ALO_REJECTED: "badAloPxRejected",
    codes.IOC_REJECTED: "iocCancelRejected",
    codes.REDUCE_ONLY_REJECTED: "reduceOnlyRejected",
    codes.NO_LIQUIDITY_REJECTED: "marketOrderNoLiquidityRejected",
    codes.NO_ROOM_REJECTED: "tooManyOpenOrdersRejected",
}

_REFUSED_TEXT: Final = {
    codes.IOC_REJECTED: "Order could not immediately match against any resting orders.",
    codes.REDUCE_ONLY_REJECTED: "Reduce only order would increase position.",
    codes.NO_LIQUIDITY_REJECTED: "No liquidity available for market order.",
    codes.NO_ROOM_REJECTED: "Too many open orders.",
}


class Refusal(NamedTuple):
    """Why an order never reached the book."""

    text: str
    status: str  # what orderStatus says of it


class Checked(NamedTuple):
    """An order on the grid."""

    side: int
    tick: int
    lots: int
    tif: int


def check_order(coin: Coin, wire: OrderWire, mark_tick: int, position_lots: int) -> Checked | Refusal:
    """Grid, size and price rules of one order.

    Parameters
    ----------
    coin : Coin
        Market of the order.
    wire : OrderWire
        As sent.
    mark_tick : int
        Reference price.
    position_lots : int
        Signed position of the account in this coin.
    """
    if wire.c is not None and CLOID.fullmatch(wire.c) is None:
        return Refusal("Invalid cloid.", "rejected")
    tick = count_of(wire.p, coin.ticks_in_unit)
    if tick is None or tick == 0:
        return Refusal("Order has invalid price.", "tickRejected")
    if tick < 0 or tick % tick_step(tick, coin.ticks_in_unit):
        return Refusal("Price must be divisible by tick size.", "tickRejected")
    lots = count_of(wire.s, coin.lots_in_unit)
    if lots is None or lots < 0 or lots * tick > NOTIONAL_MAX:
        return Refusal("Order has invalid size.", "rejected")
    if lots == 0:
        return Refusal("Order has zero size.", "rejected")
    side = int(Side.BUY) if wire.b else int(Side.SELL)
    closes_all = -side * position_lots == lots
    if tick * lots < NOTIONAL_MIN and not closes_all:
        return Refusal("Order must have minimum value of $10.", "minTradeNtlRejected")
    if not mark_tick <= 5 * tick <= 9 * mark_tick:
        text = "Order price cannot be more than 80% away from the reference price"
        return Refusal(text, "oracleRejected")
    return Checked(side, tick, lots, _TIFS[wire.tif])


def check_trigger(coin: Coin, wire: OrderWire, mark_tick: int, whole_position: bool) -> Trigger | Refusal:
    """Trigger of one order: on the grid, and not reached yet.

    Parameters
    ----------
    mark_tick : int
        Price that triggers.
    whole_position : bool
        The order closes whatever the position is when it wakes.
    """
    assert wire.t.trigger is not None
    tick = count_of(wire.t.trigger.triggerPx, coin.ticks_in_unit)
    if tick is None or tick <= 0 or tick % tick_step(tick, coin.ticks_in_unit):
        return Refusal("Invalid TP/SL price.", "badTriggerPxRejected")
    trigger = Trigger(tick, wire.t.trigger.isMarket, wire.t.trigger.tpsl == "tp", whole_position)
    if is_reached(trigger, int(Side.BUY) if wire.b else int(Side.SELL), mark_tick):
        return Refusal("Invalid TP/SL price.", "badTriggerPxRejected")
    return trigger


def is_reached(trigger: Trigger, side: int, mark_tick: int) -> bool:
    """Whether the mark price wakes an order of this side.

    A stop buys above and sells below; a take profit the other way round.
    """
    rises = side > 0
    if trigger.take_profit:
        rises = not rises
    return mark_tick >= trigger.tick if rises else mark_tick <= trigger.tick


def refused_item(text: str, asset: int) -> dict[str, str]:
    """One refused item of an answer; the venue's texts end with the asset."""
    return {"error": f"{text} asset={asset}"}


def matched_refusal(status: int, coin: Coin, bid_tick: int, ask_tick: int) -> str:
    """Text of a refusal by the matching kernel."""
    if status == codes.BAD_ALO_REJECTED:
        bid, ask = (text_of(tick, coin.ticks_in_unit) for tick in (bid_tick, ask_tick))
        return f"Post only order would have immediately matched, bbo was {bid}@{ask}."
    return _REFUSED_TEXT[status]


def placed_item(order: Order, status: int, lots: int, notional: int, coin: Coin) -> dict[str, Any]:
    """One accepted order of an answer: resting, or filled at an average price."""
    body: dict[str, Any] = {}
    if status != codes.OPEN:
        average = round(notional * 10**6 / lots / coin.ticks_in_unit)
        body["totalSz"] = text_of(lots, coin.lots_in_unit)
        body["avgPx"] = text_of(average, 10**6)
    body["oid"] = order.oid
    if order.cloid is not None:
        body["cloid"] = order.cloid
    return {"resting" if status == codes.OPEN else "filled": body}
