"""What one block sends to whom; the sockets themselves are in test_server."""

import json
from typing import Any

import pytest

from mmpipe.venue.sim.limits import Client
from mmpipe.venue.sim.subscriptions import UnknownCoinError, UnknownSubscriptionError
from tests.mmpipe.venue.sim.trader import MASTER, Trader, order, place
from tests.mmpipe.venue.sim.world import Listener, Publisher


class World(Publisher):
    def __init__(self) -> None:
        self.trader = Trader()
        super().__init__(self.trader.exchange)

    def step(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.feeds.publish_block(self.trader.run(1))
            self.feeds.publish_books(fast=True)
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
    world.step(500)
    world.subscriptions.unsubscribe({"type": "bbo", "coin": "BTC"}, listener, Client())
    count = len(listener.frames)
    world.step(500)
    assert len(listener.frames) == count > 3
    assert not world.topics.wanted(("bbo", "BTC"))


def test_context_has_the_prices_that_are_not_traded(world: World) -> None:
    world.step(500)
    listener = world.listen(type="activeAssetCtx", coin="ETH")
    world.step(500)
    world.feeds.publish_contexts()
    first, last = (message["ctx"] for message in listener.of("activeAssetCtx"))
    assert first["funding"] == "0.0000125"  # 0.01 % per 8 hours while the premium is nothing
    bid, ask = (float(px) for px in last["impactPxs"])
    assert bid < float(last["midPx"]) < ask
    assert abs(float(last["markPx"]) / float(last["oraclePx"]) - 1) < 0.001
    assert float(last["dayNtlVlm"]) > float(first["dayNtlVlm"]) > 0


def test_fast_and_full_books_are_different_topics(world: World) -> None:
    fast = world.listen(type="l2Book", coin="BTC", fast=True)
    full = world.listen(type="l2Book", coin="BTC")
    grouped = world.listen(type="l2Book", coin="BTC", nSigFigs=4, mantissa=None)
    world.step()
    world.feeds.publish_books(fast=False)
    (echo,) = fast.of("subscriptionResponse")
    assert echo["subscription"] == {
        "type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": True
    }  # fmt: skip
    for book in fast.of("l2Book"):
        assert book["fast"] is True
        assert [len(side) for side in book["levels"]] == [5, 5]
    assert [len(side) for side in full.of("l2Book")[-1]["levels"]] == [20, 20]
    assert "fast" not in full.of("l2Book")[-1]
    bids, asks = grouped.of("l2Book")[-1]["levels"]
    assert all(float(level["px"]) % 10 == 0 for level in bids + asks)
    touch = full.of("l2Book")[-1]["levels"]
    assert float(bids[0]["px"]) <= float(touch[0][0]["px"]) < float(asks[0]["px"]) + 10


def test_candles_follow_the_trades(world: World) -> None:
    listener = world.listen(type="candle", coin="BTC", interval="1m")
    trades = world.listen(type="trades", coin="BTC")
    world.step(400)
    candle = listener.of("candle")[-1]
    last = trades.of("trades")[-1][-1]
    assert candle["c"] == last["px"]
    assert float(candle["l"]) <= min(float(candle["o"]), float(candle["c"]))
    assert candle["T"] == candle["t"] + 59_999


def test_account_channels_begin_with_a_snapshot(world: World) -> None:
    state = world.listen(type="clearinghouseState", user=MASTER).of("clearinghouseState")[0]
    assert state["user"] == MASTER
    assert state["clearinghouseState"]["marginSummary"]["accountValue"] == "100000.0"
    assert world.listen(type="openOrders", user=MASTER).of("openOrders")[0]["orders"] == []
    ledger = world.listen(type="userNonFundingLedgerUpdates", user=MASTER).of("userNonFundingLedgerUpdates")
    assert ledger[0]["nonFundingLedgerUpdates"][0]["delta"] == {"type": "deposit", "usdc": "100000.0"}
    assert world.listen(type="userFundings", user=MASTER).of("userFundings")[0]["isSnapshot"] is True
    asset = world.listen(type="activeAssetData", user=MASTER, coin="BTC").of("activeAssetData")[0]
    assert asset["leverage"] == {"type": "cross", "value": 20}
    most = float(asset["maxTradeSzs"][0]) * float(asset["markPx"])
    assert most == pytest.approx(2_000_000, rel=1e-3)


def test_ghost_level_crosses_the_book_and_the_ledger_knows(world: World) -> None:
    world.faults.start("ghost_levels", {"coin": "BTC"})
    listener = world.listen(type="l2Book", coin="BTC", fast=True)
    other = world.listen(type="l2Book", coin="ETH", fast=True)
    for book, crossed in ((listener.of("l2Book")[0], True), (other.of("l2Book")[0], False)):
        bids, asks = book["levels"]
        assert (float(bids[0]["px"]) > float(asks[0]["px"])) == crossed
    assert world.faults.ledger[-1]["fault"] == "ghost_levels"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": "nope"},
        {"type": "bbo"},
        {"type": "orderUpdates", "user": "0x"},
        {"type": ["bbo"]},
        {"type": "candle", "coin": "BTC", "interval": "7m"},
        {"type": "l2Book", "coin": "BTC", "fast": 1},
    ],
)
def test_what_cannot_be_subscribed(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises((UnknownSubscriptionError, TypeError)):
        world.listen(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "trades", "coin": "DOGE"},
        {"type": "trades", "coin": "btc"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 6},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 4, "mantissa": 2},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": True},
    ],
)
def test_venue_hangs_up_on_what_it_has_not_got(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises(UnknownCoinError):
        world.listen(**fields)


def test_lead_prices_are_padded_and_bound_to_their_route(world: World) -> None:
    listener: Any = Listener()
    world.lead.listen("public", ["btcusdt@bookTicker", "btcusdt@aggTrade"], listener)
    world.step(100)
    assert {frame["stream"] for frame in listener.frames} == {"btcusdt@bookTicker"}
    data = listener.frames[-1]["data"]
    assert len(data["b"].split(".")[1]) == 2
    assert float(data["a"]) - float(data["b"]) == pytest.approx(0.1)


def test_a_lead_trade_is_told_once_even_after_a_delisting(world: World) -> None:
    listener: Any = Listener()
    world.lead.listen("market", ["btcusdt@aggTrade"], listener)
    while not listener.frames or not world.exchange.state.crowd.lead[0]["trades"]:
        world.step()
    world.exchange.delist("BTC")
    world.step(50)
    ids = [frame["data"]["a"] for frame in listener.frames]
    assert len(ids) == len(set(ids))


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
