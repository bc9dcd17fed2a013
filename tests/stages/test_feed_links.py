"""What feed asks for and where: every stream once, the lead in both dialects, one stream anew."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mmpipe.clock import MonotonicClock
from mmpipe.config import load
from mmpipe.enums import StreamKind, Venue
from mmpipe.venue.hyperliquid_meta import parse_meta
from stages.context import Context
from stages.feed_links import SUBSCRIBED, FeedLink, feed_links
from stages.preflight import lead_addresses
from tests.mmpipe.venue.frames import COINS, META

CONFIG = load(Path(__file__).parents[2] / "pipeline.toml")


def links_of(**changes: Any) -> list[FeedLink]:
    addresses = lead_addresses(CONFIG.lead, "http://127.0.0.1:1")
    context = Context(
        config_tree=msgspec.to_builtins(CONFIG), instruments_hex=parse_meta(META, COINS).tobytes().hex(),
        venue_url="http://127.0.0.1:1", feed_url="http://127.0.0.1:2", lead_public_url=addresses[0],
        lead_market_url=addresses[1], lead_rest_url=addresses[2], execution_key_hex="", risk_key_hex="",
        account="", run_dir="", runtime_dir="", started_wall_ns=0, digest="", **changes,
    )  # fmt: skip
    return feed_links(context, MonotonicClock(), lambda *_: True, lambda *_: None)


def test_every_stream_has_one_connection_and_the_best_quotes_are_primary() -> None:
    links = links_of()
    for venue, kinds in SUBSCRIBED.items():
        carried = np.sum([link.kinds for link in links if link.venue == venue], axis=0)
        assert carried.tolist() == [int(kind in kinds) for kind in StreamKind]
    assert [(link.venue, link.primary, link.has_depth) for link in links] == [
        (Venue.MAKER, True, False), (Venue.MAKER, False, False),
        (Venue.LEAD, True, True), (Venue.LEAD, False, False),
    ]  # fmt: skip


def test_the_maker_is_asked_for_each_coin_through_the_address_that_is_feeds() -> None:
    quick, full, *_ = (link.connection._endpoint for link in links_of())
    assert quick.url == full.url == "ws://127.0.0.1:2/ws"
    wanted = [json.loads(message)["subscription"] for message in (*quick.subscriptions, *full.subscriptions)]
    assert len(wanted) == 5 * len(COINS)
    assert {"type": "l2Book", "coin": "BTC", "fast": True} in wanted
    assert {"type": "l2Book", "coin": "ETH"} in wanted


@pytest.mark.parametrize(("market", "public", "rest"), [
    ("usdm", "ws://127.0.0.1:9/public/stream", "http://127.0.0.1:9"),
    ("spot", "ws://127.0.0.1:9/lead-spot/stream", "http://127.0.0.1:9/lead-spot"),
])  # fmt: skip
def test_the_embedded_lead_speaks_both_dialects(market: str, public: str, rest: str) -> None:
    lead = msgspec.structs.replace(CONFIG.lead, market=market)
    found = lead_addresses(lead, "http://127.0.0.1:9")
    assert (found[0], found[2]) == (public, rest)
    real = msgspec.structs.replace(lead, kind="binance")
    assert lead_addresses(real, "http://127.0.0.1:9") == (real.public_url, real.market_url, real.rest_url)


class Sent:
    """A connection that keeps what it is told to send."""

    def __init__(self, fails_after: int = 9) -> None:
        self.messages: list[Any] = []
        self._left = fails_after

    async def send(self, message: bytes) -> None:
        if len(self.messages) == self._left:
            raise ConnectionError("gone")
        self.messages.append(json.loads(message))


def asked(venue: Venue, kind: StreamKind, symbol: int, fails_after: int = 9) -> list[Any]:
    link = next(link for link in links_of() if link.venue == venue and link.kinds[kind])
    sent: Any = Sent(fails_after)
    link.connection = sent
    asyncio.run(link.ask(kind, symbol))
    return sent.messages  # type: ignore[no-any-return]  # JSON


def test_one_stream_is_subscribed_anew_and_its_confirmation_can_be_told() -> None:
    wanted = {"type": "l2Book", "coin": "ETH", "fast": True}
    assert asked(Venue.MAKER, StreamKind.BOOK_FAST, 1) == [
        {"method": "unsubscribe", "subscription": wanted}, {"method": "subscribe", "subscription": wanted},
    ]  # fmt: skip
    leave, join = asked(Venue.LEAD, StreamKind.DEPTH, 1)
    assert (leave["method"], leave["params"], leave["id"]) == ("UNSUBSCRIBE", ["ethusdt@depth@100ms"], 0)
    assert (join["method"], join["params"]) == ("SUBSCRIBE", ["ethusdt@depth@100ms"])
    assert divmod(join["id"] - 1, len(StreamKind)) == (1, StreamKind.DEPTH)


def test_a_connection_that_is_down_is_not_asked_twice() -> None:
    assert asked(Venue.MAKER, StreamKind.BBO, 0, fails_after=0) == []
    assert len(asked(Venue.MAKER, StreamKind.BBO, 0, fails_after=1)) == 1
