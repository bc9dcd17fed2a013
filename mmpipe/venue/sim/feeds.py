"""The maker market's WebSocket channels: subscriptions, their first messages, and one block's pushes.

A topic is what a frame is encoded for once: ("bbo", coin), ("trades", coin), ("l2Book", coin, fast),
("activeAssetCtx", coin), ("allMids",), ("orderUpdates" | "userFills" | "userEvents", address).
"""

from collections import deque
from typing import Any, Final

import msgspec

from mmpipe.venue.sim.exchange import BlockResult, Exchange
from mmpipe.venue.sim.sessions import Session, Topic, Topics
from mmpipe.venue.sim.views import (
    BOOK_LEVELS,
    FAST_LEVELS,
    bbo_view,
    book_view,
    ctx_view,
    fill_view,
    mids_view,
    trade_view,
    update_view,
)
from mmpipe.venue.sim.wire import ADDRESS

TRADES_KEPT: Final = 30
SLOW_MS: Final = 1_000  # between asset contexts, and between mids
SUBSCRIPTIONS_MAX: Final = 1_000
_COIN_CHANNELS: Final = ("bbo", "trades", "l2Book", "activeAssetCtx")
_USER_CHANNELS: Final = ("orderUpdates", "userFills", "userEvents")
_encode = msgspec.json.Encoder().encode


class UnknownCoinError(Exception):
    """The venue hangs up on a subscription to a coin it does not have."""


class UnknownSubscriptionError(Exception):
    """No such channel, or a field is missing."""


class Feeds:
    """Channels of one exchange."""

    def __init__(self, exchange: Exchange, topics: Topics) -> None:
        self._exchange = exchange
        self._topics = topics
        self._bbo = [bbo_view(exchange, symbol)["bbo"] for symbol in range(len(exchange.coins))]
        self._slow_ts_ms = 0
        self._trades: list[deque[Any]] = [deque(maxlen=TRADES_KEPT) for _ in exchange.coins]

    def subscribe(self, raw: dict[str, Any], session: Session) -> None:
        """Start a subscription: acknowledgement, then what the channel sends first.

        Raises
        ------
        UnknownCoinError, UnknownSubscriptionError
            If there is nothing to subscribe to.
        """
        topic, echo = self._topic(raw)
        if len(session.topics) >= SUBSCRIPTIONS_MAX or not self._topics.add(topic, session):
            session.send(_frame("error", "Already subscribed: " + _encode(echo).decode()))
            return
        session.send(_frame("subscriptionResponse", {"method": "subscribe", "subscription": echo}))
        first = self._first(topic)
        if first is not None:
            session.send(first)

    def unsubscribe(self, raw: dict[str, Any], session: Session) -> None:
        """End a subscription; raises as `subscribe`."""
        topic, echo = self._topic(raw)
        if self._topics.remove(topic, session):
            session.send(_frame("subscriptionResponse", {"method": "unsubscribe", "subscription": echo}))
        else:
            session.send(_frame("error", "Already unsubscribed: " + _encode(echo).decode()))

    def publish_block(self, result: BlockResult) -> None:
        """Send trades, changed best quotes and user messages of one block."""
        self._publish_trades(result)
        for symbol, coin in enumerate(self._exchange.coins):
            view = bbo_view(self._exchange, symbol)
            if view["bbo"] != self._bbo[symbol]:
                self._bbo[symbol] = view["bbo"]
                self._topics.publish(("bbo", coin.name), _frame("bbo", view))
        for address, fills in result.user_fills.items():
            views = [fill_view(self._exchange, fill) for fill in fills]
            if self._topics.wanted(("userFills", address)):
                data = {"user": address, "fills": views}
                self._topics.publish(("userFills", address), _frame("userFills", data))
            if self._topics.wanted(("userEvents", address)):
                self._topics.publish(("userEvents", address), _frame("user", {"fills": views}))
        for address, orders in result.updates.items():
            if self._topics.wanted(("orderUpdates", address)):
                updates = [update_view(self._exchange, order) for order in orders]
                self._topics.publish(("orderUpdates", address), _frame("orderUpdates", updates))

    def publish_books(self) -> None:
        """Send every l2Book somebody listens to, and once a second contexts and mids."""
        for coin in self._exchange.coins:
            for fast in (False, True):
                topic = ("l2Book", coin.name, fast)
                if self._topics.wanted(topic):
                    self._topics.publish(topic, self._book(coin.name, fast))
        if self._exchange.ts_ms - self._slow_ts_ms >= SLOW_MS:
            self._slow_ts_ms = self._exchange.ts_ms
            self._publish_slow()

    def _publish_slow(self) -> None:
        for symbol, coin in enumerate(self._exchange.coins):
            if self._topics.wanted(("activeAssetCtx", coin.name)):
                self._topics.publish(("activeAssetCtx", coin.name), self._context(symbol))
        if self._topics.wanted(("allMids",)):
            self._topics.publish(("allMids",), _frame("allMids", {"mids": mids_view(self._exchange)}))

    def _publish_trades(self, result: BlockResult) -> None:
        if not len(result.fills):
            return
        by_symbol: list[list[Any]] = [[] for _ in self._trades]
        for row in result.fills:
            by_symbol[int(row["symbol"])].append(trade_view(self._exchange, row))
        for coin, kept, views in zip(self._exchange.coins, self._trades, by_symbol, strict=True):
            kept.extend(views)
            if views and self._topics.wanted(("trades", coin.name)):
                self._topics.publish(("trades", coin.name), _frame("trades", views))

    def _topic(self, raw: dict[str, Any]) -> tuple[Topic, dict[str, Any]]:
        kind = raw.get("type")
        if kind in _COIN_CHANNELS:
            coin = raw.get("coin")
            if not isinstance(coin, str):
                raise UnknownSubscriptionError
            if coin not in self._exchange.symbol_of:
                raise UnknownCoinError
            if kind != "l2Book":
                return (kind, coin), {"type": kind, "coin": coin}
            fast = raw.get("fast", False)
            # Aggregated books are not offered here; the venue hangs up on values it does not know.
            if not isinstance(fast, bool):
                raise UnknownSubscriptionError
            if raw.get("nSigFigs") is not None or raw.get("mantissa") is not None:
                raise UnknownCoinError
            echo = {"type": kind, "coin": coin, "nSigFigs": None, "mantissa": None, "fast": fast}
            return (kind, coin, fast), echo
        if kind in _USER_CHANNELS:
            user = raw.get("user")
            if not isinstance(user, str) or ADDRESS.fullmatch(user.lower()) is None:
                raise UnknownSubscriptionError
            return (kind, user.lower()), {"type": kind, "user": user.lower()}
        if kind == "allMids":
            return ("allMids",), {"type": kind}
        raise UnknownSubscriptionError

    def _first(self, topic: Any) -> bytes | None:
        kind = topic[0]
        if kind == "l2Book":
            return self._book(topic[1], topic[2])
        if kind == "bbo":
            return _frame("bbo", bbo_view(self._exchange, self._exchange.symbol_of[topic[1]]))
        if kind == "activeAssetCtx":
            return self._context(self._exchange.symbol_of[topic[1]])
        if kind == "trades":
            return _frame("trades", list(self._trades[self._exchange.symbol_of[topic[1]]]))
        if kind == "userFills":
            account = self._exchange.accounts.get(topic[1])
            fills = [fill_view(self._exchange, fill) for fill in reversed(account.fills)] if account else []
            return _frame("userFills", {"isSnapshot": True, "user": topic[1], "fills": fills})
        return None

    def _context(self, symbol: int) -> bytes:
        data = {"coin": self._exchange.coins[symbol].name, "ctx": ctx_view(self._exchange, symbol)}
        return _frame("activeAssetCtx", data)

    def _book(self, coin: str, fast: bool) -> bytes:
        levels = FAST_LEVELS if fast else BOOK_LEVELS
        view = book_view(self._exchange, self._exchange.symbol_of[coin], levels)
        return _frame("l2Book", view | {"fast": True} if fast else view)


def _frame(channel: str, data: Any) -> bytes:
    return _encode({"channel": channel, "data": data})
