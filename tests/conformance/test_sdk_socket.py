"""Every subscription of the official, unmodified Python SDK."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from tests.conformance.parties import ALO, IOC, ME, resting_oid, statuses, touch
from tests.mmpipe.venue.sim.running import wait_for

Seen = dict[str, list[Any]]
COIN_CHANNELS = ("bbo", "l2Book", "trades", "activeAssetCtx")
USER_CHANNELS = ("orderUpdates", "userFills", "userEvents", "userFundings", "userNonFundingLedgerUpdates")


@pytest.fixture(scope="module")
def seen(venue: str) -> Iterator[Seen]:
    listening = Info(venue)
    messages: Seen = {}

    def keep(message: Any) -> None:
        messages.setdefault(message["channel"], []).append(message["data"])

    try:
        for kind in COIN_CHANNELS:
            listening.subscribe({"type": kind, "coin": "BTC"}, keep)
        for kind in USER_CHANNELS:
            listening.subscribe({"type": kind, "user": ME}, keep)
        listening.subscribe({"type": "allMids"}, keep)
        listening.subscribe({"type": "candle", "coin": "BTC", "interval": "1m"}, keep)
        listening.subscribe({"type": "activeAssetData", "coin": "BTC", "user": ME}, keep)
        yield messages
    finally:
        listening.disconnect_websocket()


@pytest.mark.parametrize(
    "channel",
    [*COIN_CHANNELS, "userFills", "userFundings", "userNonFundingLedgerUpdates", "allMids", "candle",
     "activeAssetData"],
)  # fmt: skip
def test_the_channel_speaks(seen: Seen, channel: str) -> None:
    assert wait_for(lambda: seen.get(channel), f"a message of {channel}")


def test_snapshots_say_so_and_trades_come_with_history(seen: Seen) -> None:
    wait_for(lambda: {"trades", "userFills", "userFundings"} <= set(seen), "first messages")
    assert seen["userFills"][0]["isSnapshot"] is True
    assert seen["userFundings"][0]["isSnapshot"] is True
    assert len(seen["trades"][0]) > 1


def test_own_fill_in_every_channel_that_tells_of_it(seen: Seen, info: Info, exchange: Exchange) -> None:
    _, ask = touch(info)
    (item,) = statuses(exchange.order("BTC", True, 0.005, ask + 50, IOC))
    oid = item["filled"]["oid"]
    told = wait_for(lambda: [m for m in seen.get("user", []) if m.get("fills")], "own fill")
    assert told[0]["fills"][0]["oid"] == oid
    pushed = wait_for(lambda: [m for m in seen["userFills"] if "isSnapshot" not in m], "pushed fill")
    assert pushed[0]["fills"][0]["oid"] == oid
    updates = wait_for(
        lambda: [u for m in seen.get("orderUpdates", []) for u in m if u["order"]["oid"] == oid], "update"
    )
    assert updates[-1]["status"] == "filled"
    mine = wait_for(lambda: [t for m in seen["trades"] for t in m if t["users"][0] == ME], "own public trade")
    assert mine[0]["side"] == "B"
    exchange.market_close("BTC")


def test_the_life_of_an_order(seen: Seen, info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    oid = resting_oid(exchange.order("BTC", True, 0.001, bid - 500, ALO))
    exchange.cancel("BTC", oid)

    def life() -> list[str]:
        return [u["status"] for m in seen.get("orderUpdates", []) for u in m if u["order"]["oid"] == oid]

    assert wait_for(lambda: len(life()) == 2 and life(), "both updates") == ["open", "canceled"]


def test_best_quotes_never_repeat_and_time_never_goes_back(seen: Seen) -> None:
    quotes = wait_for(lambda: len(seen.get("bbo", [])) > 20 and seen["bbo"], "twenty quotes", 60.0)
    assert all(a["bbo"] != b["bbo"] for a, b in pairwise(quotes))
    times = [quote["time"] for quote in quotes]
    assert times == sorted(times)
