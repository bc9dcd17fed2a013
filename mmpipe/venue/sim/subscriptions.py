"""Subscriptions of the maker market: what may be asked for, the echo, and what a channel sends first."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from mmpipe.venue.sim.candles import INTERVAL_MIN
from mmpipe.venue.sim.feeds import Feeds, frame_of
from mmpipe.venue.sim.info import grouping_of
from mmpipe.venue.sim.info_request import Desk, UnreadableRequestError
from mmpipe.venue.sim.limits import SUBSCRIPTIONS_MAX, Client, Clients
from mmpipe.venue.sim.sessions import Session, Topics
from mmpipe.venue.sim.views import bbo_view, fill_view, funding_view, ledger_view
from mmpipe.venue.sim.wire import ADDRESS

COIN_CHANNELS: Final = frozenset({"bbo", "trades", "activeAssetCtx"})
USER_CHANNELS: Final = frozenset(
    {"orderUpdates", "userFills", "userEvents", "userFundings", "userNonFundingLedgerUpdates", "openOrders",
     "clearinghouseState", "notification", "twapStates", "userTwapSliceFills", "userTwapHistory", "webData3"}
)  # fmt: skip
PLAIN_CHANNELS: Final = frozenset({"allMids", "allDexsAssetCtxs"})
# Channels of things this exchange has not got: acknowledged, an empty first message, then silent.
_EMPTY: Final = {"userTwapSliceFills": "twapSliceFills", "userTwapHistory": "history", "twapStates": "states"}
_encode = msgspec.json.Encoder().encode


class UnknownCoinError(Exception):
    """The venue hangs up on a subscription to a coin it does not have."""


class UnknownSubscriptionError(Exception):
    """No such channel, or a field is missing."""


class Subscriptions:
    """Subscribes sessions to topics.

    Parameters
    ----------
    desk : Desk
        Read only.
    topics : Topics
        Changed.
    feeds : Feeds
        Makes the first messages.
    clients : Clients
        Limits.
    """

    def __init__(self, desk: Desk, topics: Topics, feeds: Feeds, clients: Clients) -> None:
        self._desk = desk
        self._topics = topics
        self._feeds = feeds
        self._clients = clients

    def subscribe(self, raw: dict[str, Any], session: Session, client: Client) -> None:
        """Start a subscription: acknowledgement, then what the channel sends first.

        Raises
        ------
        UnknownCoinError, UnknownSubscriptionError
            If there is nothing to subscribe to.
        """
        topic, echo = self._topic(raw)
        user = echo.get("user")
        if user is not None and not self._clients.allows_user(client, user):
            session.send(frame_of("error", "Cannot track more than 10 total users."))
            return
        if len(session.topics) >= SUBSCRIPTIONS_MAX:
            session.send(frame_of("error", f"Cannot have more than {SUBSCRIPTIONS_MAX} subscriptions."))
            return
        if not self._topics.add(topic, session):
            session.send(frame_of("error", "Already subscribed: " + _encode(echo).decode()))
            return
        if user is not None:
            client.users[user] = client.users.get(user, 0) + 1
        session.send(frame_of("subscriptionResponse", {"method": "subscribe", "subscription": echo}))
        first = self._first(topic)
        if first is not None:
            session.send(first)

    def unsubscribe(self, raw: dict[str, Any], session: Session, client: Client) -> None:
        """End a subscription; raises as `subscribe`."""
        topic, echo = self._topic(raw)
        if not self._topics.remove(topic, session):
            session.send(frame_of("error", "Already unsubscribed: " + _encode(echo).decode()))
            return
        forget_user(topic, client)
        session.send(frame_of("subscriptionResponse", {"method": "unsubscribe", "subscription": echo}))

    def _topic(self, raw: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kind = raw.get("type")
        if kind in PLAIN_CHANNELS:
            return (kind,), {"type": kind} | ({"dex": raw["dex"]} if raw.get("dex") is not None else {})
        if kind in USER_CHANNELS:
            user = _user(raw)
            more = {"aggregateByTime": raw["aggregateByTime"]} if "aggregateByTime" in raw else {}
            return (kind, user), {"type": kind, "user": user} | more
        if kind not in COIN_CHANNELS | {"l2Book", "candle", "activeAssetData"}:
            raise UnknownSubscriptionError
        coin = raw.get("coin")
        if not isinstance(coin, str):
            raise UnknownSubscriptionError
        if coin not in self._desk.state.symbol_of:
            raise UnknownCoinError
        if kind == "l2Book":
            return self._book_topic(raw, coin)
        if kind == "candle":
            interval = raw.get("interval")
            if not isinstance(interval, str) or interval not in INTERVAL_MIN:
                raise UnknownSubscriptionError
            return (kind, coin, interval), {"type": kind, "coin": coin, "interval": interval}
        if kind == "activeAssetData":
            user = _user(raw)
            return (kind, coin, user), {"type": kind, "user": user, "coin": coin}
        return (kind, coin), {"type": kind, "coin": coin}

    @staticmethod
    def _book_topic(raw: dict[str, Any], coin: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        fast = raw.get("fast", False)
        if fast is None:
            fast = False
        if not isinstance(fast, bool):
            raise UnknownSubscriptionError
        try:
            grouping = grouping_of(raw)
        except UnreadableRequestError:
            raise UnknownCoinError from None
        echo = {"type": "l2Book", "coin": coin, "nSigFigs": raw.get("nSigFigs"),
                "mantissa": raw.get("mantissa"), "fast": fast}  # fmt: skip
        return ("l2Book", coin, fast and grouping is None, grouping), echo

    def _first(self, topic: tuple[Any, ...]) -> bytes | None:
        kind = topic[0]
        if kind in _EMPTY:
            return frame_of(kind, {"isSnapshot": True, "user": topic[1], _EMPTY[kind]: []})
        make = _FIRST.get(kind)
        if make is None:
            return None
        data = make(self._desk, self._feeds, topic)
        return frame_of(kind, data) if data is not None else None


def forget_user(topic: Any, client: Client) -> None:
    """Take back what a user's topic counted against its client's limit."""
    user = next((part for part in topic[1:] if isinstance(part, str) and part in client.users), None)
    if user is not None:
        client.users[user] -= 1
        if not client.users[user]:
            del client.users[user]


def _user(raw: dict[str, Any]) -> str:
    user = raw.get("user")
    if not isinstance(user, str) or ADDRESS.fullmatch(user.lower()) is None:
        raise UnknownSubscriptionError
    return user.lower()


def _first_book(desk: Desk, feeds: Feeds, topic: tuple[Any, ...]) -> Any:
    return feeds.book(desk.state.symbol_of[topic[1]], topic[2], topic[3])


def _first_fills(desk: Desk, _: Feeds, topic: tuple[Any, ...]) -> Any:
    account = desk.state.accounts.get(topic[1])
    fills = [fill_view(desk.state, fill) for fill in reversed(account.fills)] if account else []
    return {"isSnapshot": True, "user": topic[1], "fills": fills}


def _first_fundings(desk: Desk, _: Feeds, topic: tuple[Any, ...]) -> Any:
    account = desk.state.accounts.get(topic[1])
    rows = [funding_view(desk.state, funding) for funding in account.fundings] if account else []
    return {"isSnapshot": True, "user": topic[1], "fundings": rows}


def _first_ledger(desk: Desk, _: Feeds, topic: tuple[Any, ...]) -> Any:
    account = desk.state.accounts.get(topic[1])
    rows = [ledger_view(desk.state, *row) for row in account.ledger] if account else []
    return {"isSnapshot": True, "user": topic[1], "nonFundingLedgerUpdates": rows}


def _first_trades(desk: Desk, _: Feeds, topic: tuple[Any, ...]) -> Any:
    # The last trades, without a word that they are old.
    return list(desk.history.trades[desk.state.symbol_of[topic[1]]])


def _first_candle(desk: Desk, _: Feeds, topic: tuple[Any, ...]) -> Any:
    return desk.history.candles[desk.state.symbol_of[topic[1]]].last(topic[2])


_FIRST: Final[dict[str, Callable[[Desk, Feeds, tuple[Any, ...]], Any]]] = {
    "l2Book": _first_book,
    "bbo": lambda desk, _feeds, topic: bbo_view(desk.state, desk.state.symbol_of[topic[1]]),
    "trades": _first_trades,
    "candle": _first_candle,
    "activeAssetCtx": lambda desk, feeds, topic: feeds.context(desk.state.symbol_of[topic[1]]),
    "activeAssetData": lambda desk, feeds, topic: feeds.active_asset(
        topic[2], desk.state.symbol_of[topic[1]]
    ),
    "allDexsAssetCtxs": lambda _desk, feeds, _topic: feeds.all_contexts(),
    "clearinghouseState": lambda _desk, feeds, topic: feeds.user_state("clearinghouseState", topic[1]),
    "openOrders": lambda _desk, feeds, topic: feeds.user_state("openOrders", topic[1]),
    "userFills": _first_fills,
    "userFundings": _first_fundings,
    "userNonFundingLedgerUpdates": _first_ledger,
}
