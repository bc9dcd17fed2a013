"""The lead market as Binance USD-M streams: bookTicker on the public route, aggTrade on the market route.

As at the venue, a subscription on the wrong route is acknowledged and then silent.
"""

from typing import Any, Final

import msgspec

from mmpipe.venue.sim.delivery import Delivery
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.sessions import Session, Topics
from mmpipe.venue.sim.state import VenueState
from mmpipe.venue.sim.wire import text_of

ROUTES: Final = {"public": "bookTicker", "market": "aggTrade"}
STREAMS_MAX: Final = 1_024
_PX_DECIMALS: Final = 2  # Binance pads prices and quantities to the symbol's precision
_QTY_DECIMALS: Final = 3
_encode = msgspec.json.Encoder().encode


class LeadRequest(msgspec.Struct):
    """A method call of a client."""

    method: str
    id: int | str | None = None
    params: list[str] = []


class LeadFeed:
    """Publishes one block of the lead market, and answers stream subscriptions."""

    def __init__(self, state: VenueState, topics: Topics, delivery: Delivery) -> None:
        self._state = state
        self._topics = topics
        self._delivery = delivery

    def listen(self, route: str, streams: list[str], session: Session) -> None:
        """Subscribe to combined streams such as `btcusdt@bookTicker`."""
        for stream in streams[:STREAMS_MAX]:
            if stream.endswith("@" + ROUTES[route]) and len(session.topics) < STREAMS_MAX:
                self._topics.add(("lead", stream), session)

    def answer(self, route: str, text: str, session: Session) -> bytes:
        """Answer to one method call of a client."""
        try:
            request = msgspec.json.decode(text, type=LeadRequest)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return _encode({"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}})
        result: Any = None
        if request.method == "SUBSCRIBE":
            self.listen(route, request.params, session)
        elif request.method == "UNSUBSCRIBE":
            for stream in request.params:
                self._topics.remove(("lead", stream), session)
        elif request.method == "LIST_SUBSCRIPTIONS":
            result = [topic[1] for topic in session.topics if isinstance(topic, tuple)]
        else:
            return _encode({"error": {"code": 2, "msg": f"Invalid request: unknown method {request.method}"}})
        return _encode({"result": result, "id": request.id})

    def publish(self) -> None:
        """Send what changed in the last block."""
        for coin, quote, trades in zip(
            self._state.coins, self._state.crowd.lead, self._state.crowd.lead_trades, strict=True
        ):
            symbol = coin.lead.lower()
            ticker, trade_stream = f"{symbol}@bookTicker", f"{symbol}@aggTrade"
            if quote["changed"] and self._delivery.wanted(("lead", ticker)):
                self._send(ticker, self._ticker(coin, quote))
            if quote["trades"] and self._delivery.wanted(("lead", trade_stream)):
                for row in trades[: int(quote["trades"])]:
                    self._send(trade_stream, self._trade(coin, row))

    def _send(self, stream: str, view: dict[str, Any]) -> None:
        self._delivery.publish(("lead", stream), _encode({"stream": stream, "data": view}))

    def _ticker(self, coin: Coin, quote: Any) -> dict[str, Any]:
        return {
            "e": "bookTicker",
            "u": int(quote["update_id"]),
            "s": coin.lead,
            "b": _px(coin, quote["bid_tick"]),
            "B": _qty(coin, quote["bid_lots"]),
            "a": _px(coin, quote["ask_tick"]),
            "A": _qty(coin, quote["ask_lots"]),
            "T": self._state.ts_ms,
            "E": self._state.ts_ms,
        }

    def _trade(self, coin: Coin, row: Any) -> dict[str, Any]:
        trade_id, qty = int(row["id"]), _qty(coin, row["lots"])
        return {
            "e": "aggTrade",
            "E": self._state.ts_ms,
            "a": trade_id,
            "s": coin.lead,
            "p": _px(coin, row["tick"]),
            "q": qty,
            "nq": qty,
            "f": trade_id,
            "l": trade_id,
            "T": self._state.ts_ms,
            "m": bool(row["side"] < 0),
        }


def _px(coin: Coin, tick: int) -> str:
    return _padded(text_of(int(tick), coin.ticks_in_unit), _PX_DECIMALS)


def _qty(coin: Coin, lots: int) -> str:
    return _padded(text_of(int(lots), coin.lots_in_unit), _QTY_DECIMALS)


def _padded(text: str, decimals: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}"
