"""A market that travels with the project: the embedded exchange in-process, through the real decoders."""

from functools import lru_cache

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.records import EVENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.port import FRAME_ROWS_MAX
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.feeds import Feeds
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.sessions import Topics
from mmpipe.venue.sim.settings import VenueSettings

START_MS = 1_760_000_000_000
BOOK_EVERY = 5  # blocks
COIN, LEAD = "BTC", "BTCUSDT"


class _Listener:
    # A session that keeps what it is sent.
    def __init__(self) -> None:
        self.topics: dict[object, None] = {}
        self.frames: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.frames.append(frame)


@lru_cache(maxsize=4)
def synthetic_market(scenario: str, seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """EVENT rows of maker and lead, and the INSTRUMENT row, of `seconds` of one scenario."""
    settings = VenueSettings(
        host="127.0.0.1", port=0, scenario=scenario, seed=seed, coins=(COIN,), leads=(LEAD,), block_ms=20,
        book_interval_ms=100, deposit_usdc=1e5, accounts=(), agents={},
    )  # fmt: skip
    exchange, topics = Exchange(settings, 1), Topics()
    feeds, lead = Feeds(exchange, topics), LeadFeed(exchange, topics)
    instrument = parse_meta(meta_of(exchange.coins), [COIN])
    maker_ear, lead_ear = _Listener(), _Listener()
    for channel in ("bbo", "trades", "l2Book", "activeAssetCtx"):
        feeds.subscribe({"type": channel, "coin": COIN}, maker_ear)  # type: ignore[arg-type]  # fake session
    lead.listen("public", [f"{LEAD.lower()}@bookTicker"], lead_ear)  # type: ignore[arg-type]  # fake session
    ears = (
        (maker_ear, HyperliquidDecoder([COIN], instrument)),
        (lead_ear, BinanceDecoder([LEAD], instrument)),
    )
    rows: list[list[np.ndarray]] = [[], []]
    out = np.zeros(FRAME_ROWS_MAX, EVENT)
    for block in range(int(seconds * 1000) // settings.block_ms):
        ts_ms = START_MS + block * settings.block_ms
        feeds.publish_block(exchange.run_block(ts_ms))
        lead.publish()
        if block % BOOK_EVERY == 0:
            feeds.publish_books()
        for (ear, decoder), kept in zip(ears, rows, strict=True):
            for frame in ear.frames:
                kept.append(out[: decoder.decode(frame, ts_ms * NS_PER_MS, out)].copy())
            ear.frames.clear()
    return np.concatenate(rows[0]), np.concatenate(rows[1]), instrument
