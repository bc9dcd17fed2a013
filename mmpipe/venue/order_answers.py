"""What the maker venue says about orders, fills and positions, as answers. Pure, strict, exact.

An answer that is not understood leaves the outcome unknown: only texts documented as refusals, and items
that say so themselves, mean that an order never rested.

References
----------
Hyperliquid, "Exchange endpoint", "Info endpoint", "WebSocket subscriptions".
"""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta, Raw, Struct

from mmpipe.enums import AnswerKind, Reason, Side
from mmpipe.units import PX_DECIMALS
from mmpipe.venue import decimal_text
from mmpipe.venue.answer_queue import Answer
from mmpipe.venue.order_wire import Request, order_id_of

NS_PER_MS: Final = 1_000_000
CASH_DECIMALS: Final = 8
# Refusals of a whole action that prove that nothing of it was done.
DEFINITE_REFUSALS: Final = (
    "User or API Wallet",
    "Unable to recover signer",
    "Invalid nonce",
    "Must deposit",
    "Action already expired",
    "Too many cumulative requests",
)
POST_ONLY_TEXT: Final = "Post only order would have immediately matched"
GONE_TEXT: Final = "Order was never placed, already canceled, or filled"

WallMs = Annotated[int, Meta(ge=0, lt=9_000_000_000_000)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SideText = Literal["A", "B"]


class _Resting(Struct):
    oid: Id


class _Filled(Struct):
    oid: Id
    totalSz: str


class _Status(Struct):
    resting: _Resting | None = None
    filled: _Filled | None = None
    error: str | None = None


class _Statuses(Struct):
    statuses: list[str | _Status]


class _Done(Struct):
    data: _Statuses


class _Reply(Struct):
    status: str
    response: Raw


class Order(Struct):
    """An order as openOrders, orderUpdates and orderStatus show it."""

    coin: str
    side: SideText
    limitPx: str
    sz: str
    oid: Id
    origSz: str | None = None
    cloid: str | None = None


class OrderUpdate(Struct):
    """A change of one order."""

    order: Order
    status: str
    statusTimestamp: WallMs


class FillMessage(Struct):
    """One of the account's fills."""

    coin: str
    px: str
    sz: str
    side: SideText
    time: WallMs
    oid: Id
    tid: Id
    crossed: bool
    fee: str
    cloid: str | None = None


class _OrderStatus(Struct):
    status: str
    order: OrderUpdate | None = None


class _Position(Struct):
    coin: str
    szi: str


class _AssetPosition(Struct):
    position: _Position


class _AccountState(Struct):
    assetPositions: list[_AssetPosition]


class AnswerReader:
    """Reads the venue's messages for the configured symbols.

    Parameters
    ----------
    coins : sequence of str
        The configured coins; a symbol is the index.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Decimals.

    Notes
    -----
    All methods but `replies` raise `ValueError` (msgspec's errors are of that kind) or `RecursionError` when
    the message cannot be read.
    """

    def __init__(self, coins: Sequence[str], instruments: np.ndarray) -> None:
        self._coins = coins
        self._symbols = {coin: index for index, coin in enumerate(coins)}
        self._size_decimals: list[int] = instruments["size_decimals"].tolist()

    def replies(self, body: bytes, request: Request) -> list[Answer]:
        """One answer per intent of `request` from the reply to its action; never raises."""
        try:
            reply = msgspec.json.decode(body, type=_Reply)
            if reply.status == "err":
                return self._refused(msgspec.json.decode(reply.response, type=str), request)
            if reply.status != "ok":
                return unanswered(request)
            statuses = msgspec.json.decode(reply.response, type=_Done).data.statuses
            return self._by_item(statuses, request)
        except (ValueError, RecursionError):
            return unanswered(request)

    def update(self, update: OrderUpdate) -> Answer | None:
        """The answer in a change of an order; None for a coin that is not configured."""
        order = update.order
        symbol = self._symbols.get(order.coin)
        if symbol is None:
            return None
        kind, reason = _meaning(update.status)
        answer = self._order(order, symbol, kind)._replace(
            reason=reason, exch_ts_ns=update.statusTimestamp * NS_PER_MS
        )
        if kind == AnswerKind.FILLED and order.origSz is not None:
            total_lots = decimal_text.scaled(order.origSz, self._size_decimals[symbol])
            return answer._replace(qty_lots=total_lots - answer.qty_lots)
        return answer

    def fill(self, fill: FillMessage) -> Answer | None:
        """The answer in a fill; None for a coin that is not configured."""
        symbol = self._symbols.get(fill.coin)
        if symbol is None:
            return None
        decimals = self._size_decimals[symbol]
        return Answer(
            AnswerKind.FILL,
            symbol=symbol,
            side=_side(fill.side),
            order_id=order_id_of(fill.cloid),
            oid=fill.oid,
            px_tick=decimal_text.scaled(fill.px, PX_DECIMALS - decimals),
            qty_lots=decimal_text.scaled(fill.sz, decimals),
            exch_ts_ns=fill.time * NS_PER_MS,
            tid=fill.tid,
            fee_cash=_fee(fill.fee),
            maker_fill=int(not fill.crossed),
        )

    def fills(self, body: bytes) -> tuple[list[Answer], int, int]:
        """Fills of `userFillsByTime`, how many were listed, and the newest time, wall ms."""
        messages = msgspec.json.decode(body, type=list[FillMessage])
        answers = [answer for answer in map(self.fill, messages) if answer is not None]
        return answers, len(messages), max((message.time for message in messages), default=0)

    def open_orders(self, body: bytes) -> list[Answer]:
        """OPEN_ORDER for every open order of a configured coin."""
        orders = msgspec.json.decode(body, type=list[Order])
        return [
            self._order(order, self._symbols[order.coin], AnswerKind.OPEN_ORDER)
            for order in orders
            if order.coin in self._symbols
        ]

    def positions(self, body: bytes) -> list[Answer]:
        """POSITION of every configured symbol; none at the venue is 0."""
        state = msgspec.json.decode(body, type=_AccountState)
        sizes = {item.position.coin: item.position.szi for item in state.assetPositions}
        return [
            Answer(
                AnswerKind.POSITION,
                symbol=symbol,
                qty_lots=decimal_text.scaled_signed(sizes.get(coin, "0"), self._size_decimals[symbol]),
            )
            for symbol, coin in enumerate(self._coins)
        ]

    def order_status(self, body: bytes, order_id: int) -> Answer:
        """What `orderStatus` knows of our order; NOT_FOUND when the venue does not know it."""
        status = msgspec.json.decode(body, type=_OrderStatus)
        if status.status == "unknownOid":
            return Answer(AnswerKind.NOT_FOUND, order_id=order_id)
        answer = self.update(status.order) if status.order is not None else None
        if answer is None or answer.order_id != order_id:
            raise ValueError(f"orderStatus answered {status.status!r} about another order")
        return answer

    def _order(self, order: Order, symbol: int, kind: AnswerKind) -> Answer:
        decimals = self._size_decimals[symbol]
        return Answer(
            kind,
            symbol=symbol,
            side=_side(order.side),
            order_id=order_id_of(order.cloid),
            oid=order.oid,
            px_tick=decimal_text.scaled(order.limitPx, PX_DECIMALS - decimals),
            qty_lots=decimal_text.scaled(order.sz, decimals),
        )

    def _refused(self, text: str, request: Request) -> list[Answer]:
        # A refused cancel says nothing about the order it was for.
        if not request.places or not text.startswith(DEFINITE_REFUSALS):
            return unanswered(request)
        return answers_of(request, AnswerKind.REJECTED, _reject_reason(text))

    def _by_item(self, statuses: list[str | _Status], request: Request) -> list[Answer]:
        if len(statuses) == len(request.intents):
            blank = answers_of(request, AnswerKind.NO_ANSWER, Reason.VENUE_NO_ANSWER)
            read = self._placed if request.places else self._cancelled
            return [read(status, answer) for status, answer in zip(statuses, blank, strict=True)]
        # One error for a whole batch: it failed before any order was looked at.
        only = statuses[0] if len(statuses) == 1 else None
        if request.places and isinstance(only, _Status) and only.error is not None:
            return answers_of(request, AnswerKind.REJECTED, _reject_reason(only.error))
        return unanswered(request)

    def _placed(self, status: str | _Status, blank: Answer) -> Answer:
        if isinstance(status, str):
            return blank
        if status.resting is not None:
            return blank._replace(kind=AnswerKind.RESTING, oid=status.resting.oid, reason=Reason.NONE)
        if status.filled is not None:
            lots = decimal_text.scaled(status.filled.totalSz, self._size_decimals[blank.symbol])
            return blank._replace(
                kind=AnswerKind.FILLED, oid=status.filled.oid, qty_lots=lots, reason=Reason.NONE
            )
        if status.error is not None:
            return blank._replace(kind=AnswerKind.REJECTED, reason=_reject_reason(status.error))
        return blank

    def _cancelled(self, status: str | _Status, blank: Answer) -> Answer:
        if status == "success":
            return blank._replace(kind=AnswerKind.CANCELLED, reason=Reason.NONE)
        if isinstance(status, _Status) and status.error is not None and status.error.startswith(GONE_TEXT):
            return blank._replace(kind=AnswerKind.CANCEL_REFUSED, reason=Reason.VENUE_GONE)
        return blank


def unanswered(request: Request) -> list[Answer]:
    """NO_ANSWER for every intent of `request`: its outcome is unknown."""
    return answers_of(request, AnswerKind.NO_ANSWER, Reason.VENUE_NO_ANSWER)


def answers_of(request: Request, kind: AnswerKind, reason: Reason) -> list[Answer]:
    """The same answer to every intent of `request`."""
    names = ("symbol", "side", "order_id", "oid", "px_tick", "qty_lots")
    columns = (request.intents[name].tolist() for name in names)
    return [
        Answer(kind, reason=reason)._replace(**dict(zip(names, values, strict=True)))
        for values in zip(*columns, strict=True)
    ]


def _meaning(status: str) -> tuple[AnswerKind, Reason]:
    if status == "open":
        return AnswerKind.RESTING, Reason.NONE
    if status == "filled":
        return AnswerKind.FILLED, Reason.NONE
    if status == "badAloPxRejected":
        return AnswerKind.REJECTED, Reason.VENUE_WOULD_CROSS
    if status.lower().endswith("rejected"):
        return AnswerKind.REJECTED, Reason.VENUE_REJECT
    if status.lower().endswith(("canceled", "cancel")):
        return AnswerKind.CANCELLED, Reason.NONE
    return AnswerKind.NO_ANSWER, Reason.VENUE_NO_ANSWER


def _reject_reason(text: str) -> Reason:
    return Reason.VENUE_WOULD_CROSS if text.startswith(POST_ONLY_TEXT) else Reason.VENUE_REJECT


def _side(text: SideText) -> int:
    return int(Side.BUY) if text == "B" else int(Side.SELL)


def _fee(text: str) -> int:
    # Rounded, not refused: a fill must never be lost for a digit of its fee.
    magnitude = decimal_text.nearest(text.removeprefix("-"), CASH_DECIMALS)
    return -magnitude if text.startswith("-") else magnitude
