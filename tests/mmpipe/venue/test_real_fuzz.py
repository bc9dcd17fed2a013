"""Real frames of both venues, damaged: nothing crashes, nothing wrong comes out, refusals are counted once.

Every source is played in its order in stretches, from the beginning (where the depth snapshots are) or from
anywhere, as a connection would hear it; each frame is damaged with some probability, so that damage also
meets the state that sound frames left behind.
"""

import ctypes
import gc
import gzip
import json
import random
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import psutil
import pytest

from mmpipe.enums import Counter
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.frame_decoder import FrameDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX
from ringbuf.jit import JIT_ENABLED

from . import frames
from .test_decoder_fuzz import check_rows, mutate

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="so many frames are for compiled code")

SHORT, LONG = 100_000, 1_000_000
KEPT_OF_A_SOURCE = {SHORT: 5_000, LONG: 100_000}
STRETCH = 100  # one wrong id can make all that follows old
DAMAGED = 0.5
FIXTURE_SIZE_MAX = 32_768  # a few REST answers are larger, and only slow
GROWTH_MAX = 10 << 20  # bytes of resident memory after the first tenth
REFUSALS = [Counter.MALFORMED, Counter.BAD_NUMBER, Counter.OVERSIZED, Counter.CROSSED_BOOKS, Counter.REJECTS]
# Without rows by rule: control messages, empty messages, differences that wait for a snapshot or are in it.
SILENT = (b'"pong"', b"subscriptionResponse", b'"id"', b"[]", b"depthUpdate", b"lastUpdateId")
FINE_DECIMALS = 6
CRYPTOFEED = ("raw_ws_cryptofeed_30s", "BINANCE_FUTURES.ws.1.0.gz")
BINANCE = [
    ("BTCUSDT", "usdm_btcusdt_20240808.gz"), ("BTCUSDT", "spot_btcusdt_20240808.gz"),
    ("BTCUSDT", "spot_btcusdt_20240809.gz"), ("BTCUSD_PERP", "cm_btcusd_perp_20240808.gz"),
    ("BTCUSD_PERP", "cm_btcusd_perp_20240809.gz"),
]  # fmt: skip


class Source(NamedTuple):
    """Frames in the order they came, and what reads them."""

    decoder: FrameDecoder
    frames: list[bytes]


def sources(kept: int) -> list[Source]:
    found = [
        Source(
            BinanceDecoder([name], frames.one_instrument(2)),
            [frame for _, frame in islice(frames.capture("binance_20240808_3venue", file), kept)],
        )
        for name, file in BINANCE
    ]
    four = ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"]
    grids = frames.one_instrument(4).repeat(len(four))
    found.append(Source(BinanceDecoder(four, grids), list(cryptofeed())))
    coins = frames.one_instrument(FINE_DECIMALS).repeat(3)
    for listed in (
        [f for _, f in frames.capture("hl_raw_ws_20250126", "btcusd_20250126.gz")],
        list(fixtures()),
    ):
        found.append(Source(HyperliquidDecoder(["BTC", "HYPE", "ETH"], coins), listed))
    return found


def cryptofeed() -> Iterator[bytes]:
    with gzip.open(frames.capture_path(*CRYPTOFEED), "rb") as lines:
        for line in lines:
            yield line.partition(b": ")[2].strip() or line


def fixtures() -> Iterator[bytes]:
    """Every recorded message, as it was written down and without its spaces."""
    folder = frames.capture_path("hl_fixtures")
    texts = [path.read_bytes() for path in sorted(folder.rglob("*.json"))]
    texts += [p.read_bytes().partition(b"\n= ")[2] for p in sorted(folder.rglob("Subscriptions/*.txt"))]
    for text in texts:
        if 0 < len(text) <= FIXTURE_SIZE_MAX:
            yield text
            yield frames.frame(json.loads(text))


def resident_bytes() -> int:
    """Resident memory without garbage and free blocks, of which earlier tests may have left much."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def play(count: int, seed: int) -> tuple[int, int]:
    """So many frames through all sources; how many gave rows and how many were refused."""
    draw, out = random.Random(seed), frames.out_rows(DEPTH_ROWS_MAX)
    found = sources(KEPT_OF_A_SOURCE[count])
    used = refused = done = resident = 0
    while done < count:
        decoder, listed = draw.choice(found)
        decoder.restart()
        begin = draw.choice((0, draw.randrange(len(listed))))
        for frame in listed[begin : begin + STRETCH]:
            data = mutate(draw, frame) if draw.random() < DAMAGED else frame
            before = decoder.counters.copy()
            rows = decoder.decode(data, done, out)
            counted = decoder.counters - before
            refusals = int(counted[REFUSALS].sum())
            assert (counted >= 0).all()
            assert refusals == 0 if rows else refusals <= 1, data
            assert rows or counted.any() or any(word in data for word in SILENT), data
            check_rows(out[:rows])
            used, refused, done = used + (rows > 0), refused + refusals, done + 1
        if not resident and done > count // 2:
            resident = resident_bytes()
    assert resident_bytes() - resident < GROWTH_MAX
    print(f"{done:,} frames: {used:,} gave rows, {refused:,} refused")
    return used, refused


def test_damaged_real_frames() -> None:
    used, refused = play(SHORT, 20_251_010)
    assert used > SHORT // 5
    assert refused > SHORT // 5


@pytest.mark.long
def test_a_million_damaged_real_frames() -> None:
    used, refused = play(LONG, 20_240_808)
    assert used > LONG // 5
    assert refused > LONG // 5
