"""The lead market as Binance streams: USD-M futures on a public and a market route, spot on one of its own.

As at the venue, a subscription on the wrong route is acknowledged and then silent. Both dialects tell of the
same book, in the same numbers. A topic is ("lead", stream, dialect).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from mmpipe.venue.sim.delivery import Delivery
from mmpipe.venue.sim.lead_book import deepen, new_depth
from mmpipe.venue.sim.lead_views import SPOT, USDM, Dialect
from mmpipe.venue.sim.sessions import Session, Topics
from mmpipe.venue.sim.state import VenueState

DEPTH: Final = "depth@100ms"  # lead_book.WINDOW_MS
# First part of a route's path: its dialect and the streams it has.
ROUTES: Final[dict[str, tuple[Dialect, frozenset[str]]]] = {
    "public": (USDM, frozenset({"bookTicker", DEPTH})),
    "market": (USDM, frozenset({"aggTrade"})),
    "lead-spot": (SPOT, frozenset({"bookTicker", DEPTH, "aggTrade", "trade"})),
}
STREAMS_MAX: Final = 1_024
_encode = msgspec.json.Encoder().encode


class LeadRequest(msgspec.Struct):
    """A method call of a client."""

    method: str
    id: int | str | None = None
    params: list[str] = []


class LeadFeed:
    """Publishes one block of the lead market, keeps its book, and answers stream subscriptions.

    Parameters
    ----------
    state : VenueState
        Its crowd quotes and trades; read only.
    topics : Topics
        Who listens.
    delivery : Delivery
        Where frames go.
    """

    def __init__(self, state: VenueState, topics: Topics, delivery: Delivery) -> None:
        self._state = state
        self._topics = topics
        self._delivery = delivery
        self._depth = new_depth(state.settings.seed, len(state.coins))
        self._symbols = {coin.lead: symbol for symbol, coin in enumerate(state.coins)}
        self._joined: set[int] = set()  # symbols whose next diff is the first one somebody hears
        self._published = asyncio.Event()  # set and cleared at once: wakes who waits for a block

    def listen(self, route: str, streams: list[str], session: Session) -> None:
        """Subscribe to combined streams such as `btcusdt@bookTicker`."""
        dialect, allowed = ROUTES[route]
        for stream in streams[:STREAMS_MAX]:
            name, _, kind = stream.partition("@")
            if kind in allowed and len(session.topics) < STREAMS_MAX:
                self._topics.add(("lead", stream, dialect.name), session)
                if kind == DEPTH and name.upper() in self._symbols:
                    self._joined.add(self._symbols[name.upper()])

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
                self._topics.remove(("lead", stream, ROUTES[route][0].name), session)
        elif request.method == "LIST_SUBSCRIPTIONS":
            result = [topic[1] for topic in session.topics if isinstance(topic, tuple)]
        else:
            return _encode({"error": {"code": 2, "msg": f"Invalid request: unknown method {request.method}"}})
        return _encode({"result": result, "id": request.id})

    def publish(self) -> None:
        """Move the book on by one block and send what changed in it."""
        crowd, depth = self._state.crowd, self._depth
        deepen(depth, crowd, self._state.settings.profile.block_ms)
        for symbol, book in enumerate(depth.books):
            if book["moved"]:
                self._send(symbol, "bookTicker", Dialect.ticker, book)
            for trade in crowd.lead_trades[symbol, : int(crowd.lead[symbol]["trades"])]:
                self._send(symbol, "aggTrade", Dialect.aggregate, trade)
                self._send(symbol, "trade", Dialect.trade, trade)
            if book["ended"]:
                changes = depth.changes[symbol, : int(book["changes"])]
                self._send(symbol, DEPTH, Dialect.diff, book, changes)
                self._joined.discard(symbol)
        self._published.set()
        self._published.clear()

    async def snapshot(self, dialect: Dialect, name: str, limit: int) -> dict[str, Any]:
        """A REST order book that the diffs of every listener can be joined to.

        Parameters
        ----------
        name : str
            Of the symbol at the lead venue.
        limit : int
            Levels a side, > 0.

        Raises
        ------
        KeyError
            If there is no such symbol.

        Notes
        -----
        A newcomer who has heard no diff yet could not join one that ends where the diff before him ended,
        because futures' first one must hold the snapshot's number: it waits for the next change.
        """
        symbol = self._symbols[name]
        book = self._depth.books[symbol]
        while symbol in self._joined and (book["ended"] or not book["changes"]):
            await self._published.wait()
        return dialect.snapshot(self._state.coins[symbol], book, limit, self._state.ts_ms)

    def _send(self, symbol: int, kind: str, view: Callable[..., dict[str, Any]], *parts: Any) -> None:
        # What nobody listens to is not even made.
        coin = self._state.coins[symbol]
        stream = f"{coin.lead.lower()}@{kind}"
        for dialect in (USDM, SPOT):
            topic = ("lead", stream, dialect.name)
            if self._delivery.wanted(topic):
                data = view(dialect, coin, *parts, self._state.ts_ms)
                self._delivery.publish(topic, _encode({"stream": stream, "data": data}))
