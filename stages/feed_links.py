"""The connections of feed: which socket carries which streams, with which decoder.

maker  A  bbo, trades, l2Book fast, activeAssetCtx       its loss voids the book
maker  B  l2Book with 20 levels (same channel as fast, so a socket of its own)
lead   C  bookTicker, depth (Binance's public route)     its loss voids the lead's book
lead   D  aggTrade (Binance's market route)
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from mmpipe.clock import Clock
from mmpipe.enums import FeedState, StreamKind, Venue
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.connection import Connection, Endpoint
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from stages.context import Context

PING: Final = b'{"method":"ping"}'
SUBSCRIBED: Final = {
    Venue.MAKER: (
        StreamKind.BBO, StreamKind.TRADES, StreamKind.BOOK_FAST, StreamKind.BOOK_FULL, StreamKind.CONTEXT,
    ),
    Venue.LEAD: (StreamKind.BBO, StreamKind.TRADES, StreamKind.DEPTH),
}  # fmt: skip
MAKER_TYPES: Final = {
    StreamKind.BBO: "bbo", StreamKind.TRADES: "trades", StreamKind.BOOK_FAST: "l2Book",
    StreamKind.BOOK_FULL: "l2Book", StreamKind.CONTEXT: "activeAssetCtx",
}  # fmt: skip
LEAD_TYPES: Final = {
    StreamKind.BBO: "bookTicker", StreamKind.TRADES: "aggTrade", StreamKind.DEPTH: "depth@100ms",
}  # fmt: skip

OnFrame = Callable[["FeedLink", bytes, int], bool]
OnState = Callable[["FeedLink", FeedState], None]


@dataclass
class FeedLink:
    """One connection with its decoder.

    Attributes
    ----------
    venue : Venue
        Whose market it shows.
    kinds : ndarray of bool, shape (len(StreamKind),)
        The streams it carries; whoever carries the best quotes voids the book when it is lost.
    names : list of str
        The symbols as the venue writes them.
    """

    venue: Venue
    kinds: np.ndarray
    names: list[str]
    decoder: HyperliquidDecoder | BinanceDecoder
    connection: Connection = field(init=False)

    @property
    def primary(self) -> bool:
        """Whether it carries the best quotes."""
        return bool(self.kinds[StreamKind.BBO])

    @property
    def has_depth(self) -> bool:
        """Whether it carries numbered differences, which need a snapshot."""
        return bool(self.kinds[StreamKind.DEPTH])

    async def ask(self, kind: StreamKind, symbol: int) -> None:
        """Subscribe one stream anew; the venue's confirmation is where its decoder begins it anew.

        A connection that is down comes back with all of its streams.
        """
        number = BinanceDecoder.request_id(symbol, kind)
        for method, answer_id in (("unsubscribe", 0), ("subscribe", number)):
            try:
                await self.connection.send(_request(self.venue, method, kind, self.names[symbol], answer_id))
            except ConnectionError:
                return


def feed_links(context: Context, clock: Clock, on_frame: OnFrame, on_state: OnState) -> list[FeedLink]:
    """All connections of the configured symbols.

    Parameters
    ----------
    context : Context
        Addresses, instruments, configuration.
    clock : Clock
        Stamps frames.
    on_frame : callable
        Gets link, frame and receive time; returns whether the frame was useful.
    on_state : callable
        Gets link and SYNCING or GAPPED.
    """
    coins = [symbol.coin for symbol in context.config.symbol]
    leads = [symbol.lead for symbol in context.config.symbol]
    websocket = "ws" + context.feed_url.removeprefix("http") + "/ws"
    quick = (StreamKind.BBO, StreamKind.TRADES, StreamKind.BOOK_FAST, StreamKind.CONTEXT)
    public, market = (StreamKind.BBO, StreamKind.DEPTH), (StreamKind.TRADES,)
    endpoints = (
        (Venue.MAKER, quick, _maker_endpoint(websocket, quick, coins)),
        (Venue.MAKER, (StreamKind.BOOK_FULL,), _maker_endpoint(websocket, (StreamKind.BOOK_FULL,), coins)),
        (Venue.LEAD, public, Endpoint(_streams(context.lead_public_url, public, leads), (), b"", True)),
        (Venue.LEAD, market, Endpoint(_streams(context.lead_market_url, market, leads), (), b"", False)),
    )
    links = []
    for index, (venue, kinds, endpoint) in enumerate(endpoints):
        carried = np.isin(np.arange(len(StreamKind)), [int(kind) for kind in kinds])
        link = (
            FeedLink(venue, carried, coins, HyperliquidDecoder(coins, context.instruments))
            if venue == Venue.MAKER
            else FeedLink(venue, carried, leads, BinanceDecoder(leads, context.instruments))
        )
        draw = random.Random(context.config.venue.seed * len(endpoints) + index)  # jitter only
        link.connection = Connection(
            endpoint, context.config.feed, clock, draw, partial(on_frame, link), partial(on_state, link)
        )
        links.append(link)
    return links


def _maker_endpoint(url: str, kinds: Sequence[StreamKind], coins: list[str]) -> Endpoint:
    requests = tuple(_request(Venue.MAKER, "subscribe", kind, coin) for coin in coins for kind in kinds)
    return Endpoint(url, requests, PING, awaits_first=True)


def _request(venue: Venue, method: str, kind: StreamKind, name: str, answer_id: int = 0) -> bytes:
    if venue == Venue.LEAD:
        stream = f"{name.lower()}@{LEAD_TYPES[kind]}"
        return json.dumps({"method": method.upper(), "params": [stream], "id": answer_id}).encode()
    subscription: dict[str, object] = {"type": MAKER_TYPES[kind], "coin": name}
    if kind == StreamKind.BOOK_FAST:
        subscription["fast"] = True
    return json.dumps({"method": method, "subscription": subscription}).encode()


def _streams(url: str, kinds: Sequence[StreamKind], leads: list[str]) -> str:
    names = (f"{lead.lower()}@{LEAD_TYPES[kind]}" for lead in leads for kind in kinds)
    return f"{url}?streams=" + "/".join(names)
