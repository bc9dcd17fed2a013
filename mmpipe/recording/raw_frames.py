"""Raw frames of a recorder, `<local_ns> <frame>` per line, read by the decoders of the live feed.

Several files of one market in order are one stream through one decoder: a book goes on over midnight. The
grid is not known before the last line, so frames are read on the finest one and put on their own at the end.
What the decoder refuses is a finding with the line it was on; a broken chain of depth updates names those
that are missing.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.enums import Counter, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.grid import finest_instrument, put_on_grid
from mmpipe.recording.gz_lines import lines_of
from mmpipe.recording.manifest import Market
from mmpipe.recording.recorded import Finding, Recording, make_monotone
from mmpipe.records import EVENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX, Decoder

LINES_SEARCHED: Final = 1_000
SYMBOL: Final = re.compile(rb'"s":"([A-Z0-9_]{2,20})"')
COIN: Final = re.compile(rb'"coin":"([^"]{1,20})"')
UPDATE_IDS: Final = re.compile(rb'"U":(\d+),"u":(\d+)(?:,"pu":(\d+))?')
REFUSALS: Final = (
    Counter.MALFORMED,
    Counter.OVERSIZED,
    Counter.BAD_NUMBER,
    Counter.OUT_OF_ORDER,
    Counter.CROSSED_BOOKS,
    Counter.REJECTS,
)


@dataclass(frozen=True, slots=True)
class FrameSource:
    """What a file of frames is of, read off its first lines.

    Attributes
    ----------
    venue : str
        `hyperliquid`, `binance-spot`, `binance-usdm` or `binance-coinm`.
    names : tuple of str
        Coins, or Binance's name of the one symbol.
    """

    venue: str
    names: tuple[str, ...]


def frame_source(path: Path) -> FrameSource:
    """Look at the first lines of a file.

    Raises
    ------
    DataError
        They are no frames of a known venue, or the file cannot be read.
    """
    head = [line for _, line in itertools.islice(lines_of(path), LINES_SEARCHED)]
    if any(b'"channel":' in line for line in head):
        names = dict.fromkeys(name.decode() for line in head for name in COIN.findall(line))
        if names:
            return FrameSource("hyperliquid", tuple(names))
    for line in head:
        if found := SYMBOL.search(line):
            inverse = any(b'"ps":' in other for other in head)
            futures = any(b'"pu":' in other or b'"ps":' in other for other in head)
            venue = "binance-coinm" if inverse else "binance-usdm" if futures else "binance-spot"
            return FrameSource(venue, (found.group(1).decode(),))
    raise DataError(f"{path}: no frame of Binance or Hyperliquid in its first {LINES_SEARCHED} lines")


def load_frames(paths: Sequence[Path], symbol: int, venue: Venue) -> Recording:
    """Read the frames of one market, or of several coins of one Hyperliquid connection.

    Parameters
    ----------
    paths : sequence of Path
        In order of time, all of the same source.
    symbol : int
        Index of the first market.
    venue : Venue
        Role the market plays.

    Raises
    ------
    DataError
        A file is missing or damaged, a line does not start with a time, the files are of different markets,
        or the market cannot play that role.
    """
    source = frame_source(paths[0])
    for path in paths[1:]:
        if frame_source(path) != source:
            raise DataError(f"{path}: {frame_source(path)}, but {paths[0]} is {source}; read them one by one")
    if venue is Venue.MAKER and source.venue == "binance-coinm":
        raise DataError(f"{paths[0]}: an inverse contract cannot be quoted here; use it as lead")
    grids = np.concatenate([finest_instrument(index) for index in range(len(source.names))])
    decoder: Decoder
    if source.venue == "hyperliquid":
        decoder = HyperliquidDecoder(list(source.names), grids)
    else:
        decoder = BinanceDecoder(list(source.names), grids, venue)
    rows, line_count, findings = decode_lines(paths, decoder)
    if not len(rows):
        raise DataError(f"{paths[0]}: no market data of {', '.join(source.names)} in {line_count} lines")
    rows["symbol"] += symbol
    rows["venue"] = venue
    instruments = []
    for index in range(symbol, symbol + len(source.names)):
        own = rows[rows["symbol"] == index]
        instruments.append(put_on_grid(own, index))
        rows[rows["symbol"] == index] = own
    reordered_count = make_monotone(rows)
    return Recording(
        paths[0].name.partition(".")[0],
        rows,
        np.concatenate(instruments),
        line_count,
        int(decoder.counters[Counter.DUPLICATES]),
        reordered_count,
        markets=tuple(Market(symbol + index, name, "") for index, name in enumerate(source.names)),
        findings=tuple(findings),
    )


def decode_lines(paths: Sequence[Path], decoder: Decoder) -> tuple[np.ndarray, int, list[Finding]]:
    """Every line through the decoder.

    Returns
    -------
    tuple of ndarray of EVENT, int and list of Finding
        Rows in order of the lines, receive times as recorded; lines read; what was refused.

    Raises
    ------
    DataError
        A line does not start with a time, there are none, or a file is damaged.
    """
    out = np.zeros(DEPTH_ROWS_MAX, EVENT)
    parts: list[np.ndarray] = []
    watch = _Watch(decoder)
    line_count = 0
    for path in paths:
        for number, local_ns, frame in _frames(path):
            line_count += 1
            count = decoder.decode(frame, local_ns, out)
            parts.append(out[:count].copy())
            watch.look(f"{path}: line {number}", local_ns, frame, out[:count])
    if not line_count:
        raise DataError(f"{paths[0]}: no lines")
    return np.concatenate(parts), line_count, watch.findings()


def _frames(path: Path) -> Iterator[tuple[int, int, bytes]]:
    for number, line in lines_of(path):
        stamp, _, frame = line.partition(b" ")
        if not (stamp.isdigit() and 0 < len(stamp) < 20 and frame):
            raise DataError(f"{path}: line {number}: not '<local ns> <frame>'")
        yield number, int(stamp), frame


class _Watch:
    # What goes wrong between two lines: the first place of each kind, and how often.
    def __init__(self, decoder: Decoder) -> None:
        self._counters = decoder.counters
        self._before = decoder.counters.copy()
        self._first: dict[Counter, str] = {}
        self._found: list[Finding] = []
        self._last_ns = 0
        self._back: tuple[str, float] = ("", 0.0)
        self._back_count = 0
        self._last_id = 0
        self._depth = self._book = False

    def look(self, where: str, local_ns: int, frame: bytes, rows: np.ndarray) -> None:
        if local_ns < self._last_ns:
            self._back_count += 1
            if self._back_count == 1:
                self._back = where, (self._last_ns - local_ns) / NS_PER_MS
        self._last_ns = max(self._last_ns, local_ns)
        if not np.array_equal(self._counters, self._before):
            for counter in REFUSALS:
                if self._counters[counter] > self._before[counter]:
                    self._first.setdefault(counter, where)
            self._before[:] = self._counters
        if len(rows) and rows["kind"][0] == EventKind.BOOK_CLEAR:
            self._book = True
        if b'"depthUpdate"' in frame:
            self._chain(where, frame, rows)

    def _chain(self, where: str, frame: bytes, rows: np.ndarray) -> None:
        ids = UPDATE_IDS.search(frame)
        if ids is None:
            return
        self._depth = True
        if len(rows) and rows["kind"][0] == EventKind.GAP:
            first_missing = self._last_id + 1
            last_missing = int(ids.group(3)) if ids.group(3) else int(ids.group(1)) - 1
            self._found.append(
                Finding(
                    True,
                    where,
                    f"depth updates {first_missing} to {last_missing} are missing; "
                    f"the book is void until the next snapshot",
                )
            )
            self._book = False
        self._last_id = int(ids.group(2))

    def findings(self) -> list[Finding]:
        found = list(self._found)
        if self._back_count:
            where, late_ms = self._back
            more = f" (and {self._back_count - 1} more lines)" if self._back_count > 1 else ""
            found.append(Finding(True, where, f"receive time goes back by {late_ms:.3f} ms{more}"))
        for counter, where in self._first.items():
            name = counter.name.lower().replace("_", " ")
            found.append(Finding(True, where, f"{name}: the first of {int(self._counters[counter])} refused"))
        if self._depth and not self._book:
            found.append(Finding(True, "end", "depth without a snapshot that fits: the book stays unknown"))
        return found
