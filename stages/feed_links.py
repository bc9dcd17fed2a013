"""The connections of feed: which socket carries what, with which decoder.

maker  A  bbo, trades, l2Book fast, activeAssetCtx       its loss voids the book
maker  B  l2Book with 20 levels (same channel as fast, so a socket of its own)
lead   C  bookTicker (Binance's public route)            its loss is the lead's loss
lead   D  aggTrade (Binance's market route)
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from mmpipe.clock import Clock
from mmpipe.enums import FeedState, Venue
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.connection import Connection, Endpoint
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.port import Decoder
from stages.context import Context

PING = b'{"method":"ping"}'

OnFrame = Callable[["FeedLink", bytes, int], bool]
OnState = Callable[["FeedLink", FeedState], None]


@dataclass
class FeedLink:
    """One connection with its decoder.

    Attributes
    ----------
    venue : Venue
        Whose market it shows.
    primary : bool
        Whether its loss makes the venue's streams gapped.
    """

    venue: Venue
    primary: bool
    decoder: Decoder
    connection: Connection = field(init=False)


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
    config = context.config
    coins = [symbol.coin for symbol in config.symbol]
    leads = [symbol.lead for symbol in config.symbol]
    websocket = "ws" + context.venue_url.removeprefix("http") + "/ws"
    quick = [
        message
        for coin in coins
        for message in (
            _subscription("bbo", coin), _subscription("trades", coin),
            _subscription("l2Book", coin, fast=True), _subscription("activeAssetCtx", coin),
        )
    ]  # fmt: skip
    full = [_subscription("l2Book", coin) for coin in coins]
    endpoints = (
        (Venue.MAKER, True, Endpoint(websocket, tuple(quick), PING, awaits_first=True)),
        (Venue.MAKER, False, Endpoint(websocket, tuple(full), PING, awaits_first=True)),
        (Venue.LEAD, True, Endpoint(_streams(context.lead_public_url, leads, "bookTicker"), (), b"", True)),
        (Venue.LEAD, False, Endpoint(_streams(context.lead_market_url, leads, "aggTrade"), (), b"", False)),
    )
    links = []
    for index, (venue, primary, endpoint) in enumerate(endpoints):
        decoder: Decoder = (
            HyperliquidDecoder(coins, context.instruments)
            if venue == Venue.MAKER
            else BinanceDecoder(leads, context.instruments)
        )
        link = FeedLink(venue, primary, decoder)
        draw = random.Random(config.venue.seed * len(endpoints) + index)  # jitter only
        link.connection = Connection(
            endpoint, config.feed, clock, draw, partial(on_frame, link), partial(on_state, link)
        )
        links.append(link)
    return links


def _subscription(kind: str, coin: str, fast: bool = False) -> bytes:
    subscription: dict[str, object] = {"type": kind, "coin": coin}
    if fast:
        subscription["fast"] = True
    return json.dumps({"method": "subscribe", "subscription": subscription}).encode()


def _streams(url: str, leads: list[str], kind: str) -> str:
    return f"{url}?streams=" + "/".join(f"{lead.lower()}@{kind}" for lead in leads)
