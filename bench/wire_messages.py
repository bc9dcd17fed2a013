"""The messages that are measured: recorded where MMPIPE_DATA has them, otherwise made, said by name.

A corpus is a stream in the order it came, read from the beginning by a fresh decoder. Its depth begins with
the snapshot, so that every difference joins the one before.
"""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import wire_synthetic
from bench.wire_peers import PlainBinance, PlainHyperliquid
from mmpipe.records import INSTRUMENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.frame_decoder import FrameDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MMPIPE_DATA", ROOT.parent / "shared" / "data"))
BTC_DECIMALS = 1
CAPTURES = {
    "usdm": ["usdm_btcusdt_20240808.gz"],
    "spot": ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"],
    "cm": ["cm_btcusd_perp_20240808.gz", "cm_btcusd_perp_20240809.gz"],
}
NAMES = {"usdm": "BTCUSDT", "spot": "BTCUSDT", "cm": "BTCUSD_PERP"}
SUSHI_AND_OTHERS = ["SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"]
SMALL_LEVELS_MAX, LARGE_LEVELS_MIN = 20, 100
SEED = 7


class Corpus(NamedTuple):
    """A stream of messages with what reads it.

    Attributes
    ----------
    name, origin : str
        Short name; where its messages are from.
    frames : list of (str, bytes)
        Kind and message, in order; kind "" is read but not measured.
    repeats : int
        Times a round reads it, each time by a fresh decoder.
    decoder, plain : callable
        Makes ours, and the one in plain Python.
    """

    name: str
    origin: str
    frames: list[tuple[str, bytes]]
    repeats: int
    decoder: Callable[[], FrameDecoder]
    plain: Callable[[], PlainHyperliquid | PlainBinance]


def corpora(frames_max: int = 10_000, is_real: bool | None = None) -> list[Corpus]:
    """Every kind of message, real ones where the recordings are here.

    Parameters
    ----------
    frames_max : int
        Most messages of a recording, and of each kind that is made.
    is_real : bool, optional
        False: made ones only.
    """
    made = min(frames_max, 500)
    real = is_real is not False and DATA.is_dir()
    recorded = {"l2Book", "trades"} if real else set()
    maker = [frame for frame in wire_synthetic.hyperliquid(made, SEED) if frame[0] not in recorded]
    found = [_maker("hl_made", "synthetic", maker, 1)]
    if not real:
        lead = list(wire_synthetic.binance(made, SEED))
        spot = list(wire_synthetic.spot(made, SEED))
        return [
            *found,
            _lead("usdm_made", "synthetic", lead, ["BTCUSDT"]),
            _lead("spot_made", "synthetic", spot, ["BTCUSDT"]),
            _snapshots("synthetic", [frame for kind, frame in lead if kind == "snapshot"]),
        ]
    usdm = chained(recording("usdm"), frames_max)
    spot = [(_kind_on(frame, "_spot"), frame) for _, frame in islice(recording("spot"), frames_max)]
    spot = [each for each in spot if each[0]]
    both = [next(f for _, f in recording(name) if b"lastUpdateId" in f) for name in ("usdm", "spot")]
    return [
        *found,
        _maker("hl_raw", "hl_raw_ws_20250126", list(maker_recording()), max(1, frames_max // 500)),
        _lead("usdm", "binance_20240808_3venue", usdm, ["BTCUSDT"]),
        _lead("spot", "binance_20240808_3venue", spot, ["BTCUSDT"]),
        _lead("agg", "raw_ws_cryptofeed_30s", list(aggregate_trades()), SUSHI_AND_OTHERS)._replace(repeats=5),
        _snapshots("binance_20240808_3venue", both),
    ]


def recording(name: str) -> Iterator[tuple[int, bytes]]:
    """(local ns, message) of a recorded market of `CAPTURES`, in order."""
    for part in CAPTURES[name]:
        yield from capture(DATA / "binance_20240808_3venue" / part)


def capture(path: Path) -> Iterator[tuple[int, bytes]]:
    """(local ns, message) of one recording."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            stamp, _, frame = line.partition(b" ")
            yield int(stamp), frame.strip()


def chained(frames: Iterator[tuple[int, bytes]], count: int) -> list[tuple[str, bytes]]:
    """The first messages of a recording, its snapshot first and the differences it contains left out."""
    taken = [frame for _, frame in islice(frames, count)]
    snapshot = next(frame for frame in taken if b"lastUpdateId" in frame)
    last_id = json.loads(snapshot)["lastUpdateId"]
    kept: list[tuple[str, bytes]] = [("", snapshot)]
    for frame in taken:
        if b'"depthUpdate"' not in frame:
            kept += [(_kind_on(frame), frame)] if frame is not snapshot else []
        elif (data := json.loads(frame)["data"])["u"] >= last_id:
            kept.append((_depth_kind(data), frame))
    return kept


def maker_recording() -> Iterator[tuple[str, bytes]]:
    """The recorded messages of the maker; a book that came twice is left out."""
    before = b""
    for _, frame in capture(DATA / "hl_raw_ws_20250126" / "btcusd_20250126.gz"):
        if frame != before:
            yield ("l2Book" if b'"l2Book"' in frame else "trades" if b'"trades"' in frame else ""), frame
        before = frame


def aggregate_trades() -> Iterator[tuple[str, bytes]]:
    """The aggregate trades of four recorded markets."""
    with gzip.open(DATA / "raw_ws_cryptofeed_30s" / "BINANCE_FUTURES.ws.1.0.gz", "rb") as lines:
        for line in lines:
            _, _, frame = line.partition(b": ")
            if b'"aggTrade"' in frame:
                yield "aggTrade", frame.strip()


def instrument(decimals: int) -> np.ndarray:
    """One price grid."""
    row = np.zeros(1, INSTRUMENT)
    row["ticks_per_unit"] = 10**decimals
    return row


def _kind_on(frame: bytes, suffix: str = "") -> str:
    return f"bookTicker{suffix}" if b"@bookTicker" in frame[:60] else ""


def _depth_kind(data: dict[str, Any]) -> str:
    levels = len(data["b"]) + len(data["a"])
    return (
        "depth_small" if levels <= SMALL_LEVELS_MAX else "depth_large" if levels >= LARGE_LEVELS_MIN else ""
    )


def _maker(name: str, origin: str, frames: list[tuple[str, bytes]], repeats: int) -> Corpus:
    def decoder() -> FrameDecoder:
        return HyperliquidDecoder([wire_synthetic.COIN], instrument(BTC_DECIMALS))

    return Corpus(
        name, origin, frames, repeats, decoder, lambda: PlainHyperliquid([wire_synthetic.COIN], BTC_DECIMALS)
    )


def _lead(name: str, origin: str, frames: list[tuple[str, bytes]], names: list[str]) -> Corpus:
    grids = np.concatenate([instrument(2)] * len(names))
    return Corpus(name, origin, frames, 1, lambda: BinanceDecoder(names, grids), lambda: PlainBinance(names))


def _snapshots(origin: str, frames: list[bytes]) -> Corpus:
    # Each one begins a book: a decoder that has one would not look at it.
    class Beginning(BinanceDecoder):
        def decode(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int:
            self.restart_depth(0)
            return super().decode(frame, local_ts_ns, out)

    return Corpus(
        "snapshots", origin, [("snapshot", frame) for frame in frames] * 25, 1,
        lambda: Beginning(["BTCUSDT"], instrument(2)), lambda: PlainBinance(["BTCUSDT"]),
    )  # fmt: skip
