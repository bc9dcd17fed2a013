"""What one block sends to whom; the sockets themselves are in test_server."""

import json
from typing import Any

import pytest

from mmpipe.venue.sim.feeds import Feeds, UnknownCoinError, UnknownSubscriptionError
from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.sessions import Topics
from tests.mmpipe.venue.sim.trader import MASTER, Trader, order, place


class Listener:
    """Stands in for a session: keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.topics: dict[Any, None] = {}

    def send(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))

    def of(self, channel: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame.get("channel") == channel]


class World:
    def __init__(self) -> None:
        self.trader = Trader()
        self.topics = Topics()
        self.feeds = Feeds(self.trader.exchange, self.topics)
        self.lead = LeadFeed(self.trader.exchange, self.topics)

    def listen(self, **fields: Any) -> Any:
        listener: Any = Listener()
        self.feeds.subscribe(fields, listener)
        return listener

    def step(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.feeds.publish_block(self.trader.run(1))
            self.feeds.publish_books()
            self.lead.publish()


@pytest.fixture
def world() -> World:
    return World()


def test_order_updates_tell_the_whole_life(world: World) -> None:
    listener = world.listen(type="orderUpdates", user=MASTER.upper().replace("0X", "0x"))
    bid, _ = world.trader.touch()
    world.trader.enqueue(place(order(str(bid - 500), "0.001")))
    world.step()
    oid = world.trader.answers.pop()["response"]["data"]["statuses"][0]["resting"]["oid"]
    world.trader.enqueue({"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    world.step()
    (opened,), (closed,) = listener.of("orderUpdates")
    assert [opened["status"], closed["status"]] == ["open", "canceled"]
    assert opened["order"]["sz"] == opened["order"]["origSz"] == closed["order"]["sz"] == "0.001"


def test_partial_fills_update_the_open_size(world: World) -> None:
    listener = world.listen(type="orderUpdates", user=MASTER)
    fills = world.listen(type="userFills", user=MASTER)
    bid, _ = world.trader.touch()
    world.trader.enqueue(place(order(str(bid), "2")))
    for _ in range(3_000):
        world.step()
        if len(listener.of("orderUpdates")) > 2:
            break
    updates = [item for message in listener.of("orderUpdates") for item in message]
    sizes = [float(item["order"]["sz"]) for item in updates]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 2.0 > sizes[-1]
    snapshot, *later = fills.of("userFills")
    assert snapshot == {"isSnapshot": True, "user": MASTER, "fills": []}
    filled = sum(float(fill["sz"]) for message in later for fill in message["fills"])
    assert filled == pytest.approx(2.0 - sizes[-1])
    assert all("isSnapshot" not in message for message in later)


def test_nothing_is_sent_after_unsubscribing(world: World) -> None:
    listener = world.listen(type="bbo", coin="BTC")
    world.step(50)
    world.feeds.unsubscribe({"type": "bbo", "coin": "BTC"}, listener)
    count = len(listener.frames)
    world.step(50)
    assert len(listener.frames) == count > 3
    assert not world.topics.wanted(("bbo", "BTC"))


def test_context_comes_once_a_second(world: World) -> None:
    listener = world.listen(type="activeAssetCtx", coin="ETH")
    world.step(150)
    contexts = listener.of("activeAssetCtx")
    assert 3 <= len(contexts) <= 5
    assert contexts[0]["ctx"]["funding"] == "0.0"


@pytest.mark.parametrize(
    "fields",
    [{}, {"type": "nope"}, {"type": "bbo"}, {"type": "orderUpdates", "user": "0x"}, {"type": ["bbo"]}],
)
def test_what_cannot_be_subscribed(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises((UnknownSubscriptionError, TypeError)):
        world.feeds.subscribe(fields, Listener())  # type: ignore[arg-type]  # stands in for a session


def test_unknown_coin(world: World) -> None:
    with pytest.raises(UnknownCoinError):
        world.listen(type="trades", coin="DOGE")


def test_lead_prices_are_padded_and_bound_to_their_route(world: World) -> None:
    listener: Any = Listener()
    world.lead.listen("public", ["btcusdt@bookTicker", "btcusdt@aggTrade"], listener)
    world.step(100)
    assert {frame["stream"] for frame in listener.frames} == {"btcusdt@bookTicker"}
    data = listener.frames[-1]["data"]
    assert len(data["b"].split(".")[1]) == 2
    assert float(data["a"]) - float(data["b"]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"method":"UNSUBSCRIBE","params":["btcusdt@aggTrade"],"id":"x"}', {"result": None, "id": "x"}),
        ('{"method":"LIST_SUBSCRIPTIONS","id":3}', {"result": [], "id": 3}),
        ('{"method":"NOPE","id":3}', {"error": {"code": 2, "msg": "Invalid request: unknown method NOPE"}}),
    ],
)
def test_lead_methods(world: World, text: str, answer: Any) -> None:
    listener: Any = Listener()
    assert json.loads(world.lead.answer("public", text, listener)) == answer


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"method":1}', "[" * 50_000, '{"method":"SUBSCRIBE","params":[1]}']
)
def test_lead_refuses_what_is_no_call(world: World, text: str) -> None:
    listener: Any = Listener()
    assert "error" in json.loads(world.lead.answer("public", text, listener))
