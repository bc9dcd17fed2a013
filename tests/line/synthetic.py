"""A market that travels with the project: the embedded exchange in-process, through the real decoders."""

from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.records import EVENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.port import FRAME_ROWS_MAX
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.limits import Client
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.settings import VenueSettings
from tests.mmpipe.venue.sim.world import Listener, Publisher

START_MS = 1_760_000_000_000
BOOK_EVERY = 5  # blocks
COIN, LEAD = "BTC", "BTCUSDT"


@lru_cache(maxsize=4)
def synthetic_market(scenario: str, seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """EVENT rows of maker and lead, and the INSTRUMENT row, of `seconds` of one scenario."""
    settings = VenueSettings(
        host="127.0.0.1", port=0, scenario=scenario, seed=seed, coins=(COIN,), leads=(LEAD,),
        profile=load_profile("brisk"), deposit_usdc=1e5, accounts=(), agents={},
    )  # fmt: skip
    exchange = Exchange(settings, 1)
    publisher = Publisher(exchange)
    feeds, lead = publisher.feeds, publisher.lead
    meta = msgspec.to_builtins(meta_of(exchange.state.coins, (0,)))
    instrument = parse_meta(meta, [COIN])
    maker_ear: Any = Listener()
    lead_ear: Any = Listener()
    for channel in ("bbo", "trades", "l2Book", "activeAssetCtx"):
        publisher.subscriptions.subscribe({"type": channel, "coin": COIN}, maker_ear, Client())
    lead.listen("public", [f"{LEAD.lower()}@bookTicker"], lead_ear)
    ears = (
        (maker_ear, HyperliquidDecoder([COIN], instrument)),
        (lead_ear, BinanceDecoder([LEAD], instrument)),
    )
    rows: list[list[np.ndarray]] = [[], []]
    out = np.zeros(FRAME_ROWS_MAX, EVENT)
    for block in range(int(seconds * 1000) // settings.profile.block_ms):
        ts_ms = START_MS + block * settings.profile.block_ms
        feeds.publish_block(exchange.run_block(ts_ms))
        lead.publish()
        if block % BOOK_EVERY == 0:
            feeds.publish_books(fast=False)
            feeds.publish_contexts()
        for (ear, decoder), kept in zip(ears, rows, strict=True):
            for frame in ear.raw:
                kept.append(out[: decoder.decode(frame, ts_ms * NS_PER_MS, out)].copy())
            ear.raw.clear()
    return np.concatenate(rows[0]), np.concatenate(rows[1]), instrument
