"""Which reader a path needs, and which paths belong together.

A folder with manifest.json is a recording of ours; one with orderbooks_X, prices_X and trades_X is
Hyperliquid CSV, a market per coin, and so is one of those files. An npz is normalised or hftbacktest's.
Otherwise the first line tells: `<ns> <frame>` are raw frames, and a file that begins after the one before it,
of the same market, goes on with its stream; `exchange,symbol,timestamp,…` is Tardis, whose consecutive files
of one market are one stream.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from mmpipe.enums import Venue
from mmpipe.errors import DataError
from mmpipe.recording.folder import is_recording, read
from mmpipe.recording.gz_lines import lines_of
from mmpipe.recording.hyperliquid_csv import FILE_NAME, coins_of, load_hyperliquid_csv
from mmpipe.recording.npz import load
from mmpipe.recording.raw_frames import frame_source, load_frames
from mmpipe.recording.recorded import Recording
from mmpipe.recording.tardis_csv import load_tardis, market_of


class Format(StrEnum):
    """How recorded data lies on disk."""

    RECORDING = "recording"
    NPZ = "npz"
    HFTBACKTEST = "hftbacktest"
    FRAMES = "frames"
    HYPERLIQUID_CSV = "hyperliquid-csv"
    TARDIS = "tardis"


@dataclass(frozen=True, slots=True)
class Source:
    """Paths that are one stream, of which format, and its venue and market as far as a look shows them.

    `start_ns` is the receive time the newest of several files of frames begins with, otherwise 0.
    """

    format: Format
    paths: tuple[Path, ...]
    market: str
    start_ns: int = 0

    def label(self) -> str:
        """How reports name it."""
        coin = f" {self.market}" if self.format is Format.HYPERLIQUID_CSV else ""
        return " + ".join(str(path) for path in self.paths) + coin


def sources_of(paths: Iterable[Path]) -> list[Source]:
    """Find out what paths are; consecutive files of one market become one source.

    Raises
    ------
    DataError
        A path is missing, or of no known kind.
    """
    found: list[Source] = []
    for path in paths:
        for source in _looked_at(path):
            before = found[-1] if found else None
            if before and _goes_on(before, source):
                found[-1] = replace(source, paths=(*before.paths, *source.paths))
            else:
                found.append(source)
    return found


def load_source(source: Source, symbol: int, venue: Venue) -> Recording:
    """Read a source whole.

    Parameters
    ----------
    source : Source
        As `sources_of` finds it.
    symbol : int
        Index of its (first) market; a recording of ours keeps its own.
    venue : Venue
        Role the market plays; a recording of ours keeps its own.

    Raises
    ------
    DataError
        See the reader of the format.
    """
    path = source.paths[0]
    if source.format is Format.RECORDING:
        return read(path)
    if source.format in (Format.NPZ, Format.HFTBACKTEST):
        return load(path, symbol, venue)
    if source.format is Format.FRAMES:
        return load_frames(source.paths, symbol, venue)
    if source.format is Format.TARDIS:
        return load_tardis(source.paths, symbol, venue)
    return load_hyperliquid_csv(path, source.market, symbol, venue)


def _looked_at(path: Path) -> Sequence[Source]:
    if path.is_dir():
        if is_recording(path):
            return [Source(Format.RECORDING, (path,), "")]
        if coins := coins_of(path):
            return [Source(Format.HYPERLIQUID_CSV, (path,), coin) for coin in coins]
        raise DataError(
            f"{path}: neither a recording (manifest.json) nor a set orderbooks_X, prices_X, trades_X"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".npz":
        return [_npz_source(path)]
    if match := FILE_NAME.fullmatch(path.name):
        return [Source(Format.HYPERLIQUID_CSV, (path.parent,), match.group(2))]
    first = next((line for _, line in lines_of(path)), b"")
    if first.startswith(b"exchange,symbol,"):
        return [Source(Format.TARDIS, (path,), " ".join(market_of(path)))]
    stamp = first.partition(b" ")[0]
    if stamp.isdigit():
        kind = frame_source(path)
        return [Source(Format.FRAMES, (path,), " ".join((kind.venue, *kind.names)), int(stamp[:19]))]
    raise DataError(f"{path}: of no kind known here: it begins with {first[:40]!r}")


def _goes_on(before: Source, source: Source) -> bool:
    if (before.format, before.market) != (source.format, source.market):
        return False
    later = source.format is Format.FRAMES and source.start_ns > before.start_ns
    return later or source.format is Format.TARDIS


def _npz_source(path: Path) -> Source:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "data" in archive.files:
                return Source(Format.HFTBACKTEST, (path,), "")
            return Source(Format.NPZ, (path,), str(json.loads(str(archive["meta"])).get("venue", "")))
    except Exception:  # the reader says what is wrong with it
        return Source(Format.NPZ, (path,), "")
