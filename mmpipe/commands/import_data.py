"""`mmpipe import`: other people's recordings as a folder of ours, which replay publishes as it stands.

What a live feed adds is added here: a TIMER every `feed.timer_ms`, a STATUS when a stream becomes live or
goes stale. Of a lead its best quotes and trades are kept, as a live line keeps them, on the grid of the
maker's market.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe import config as configuration
from mmpipe.enums import EventKind, Venue
from mmpipe.errors import DataError, UsageError
from mmpipe.recording.manifest import Market
from mmpipe.recording.recorded import Recording
from mmpipe.recording.sources import Format, load_source, sources_of
from mmpipe.recording.writer import RecordingWriter
from mmpipe.replay.timeline import timeline

FORMATS: Final = {
    "binance": (Format.FRAMES, Format.NPZ),
    "hyperliquid": (Format.FRAMES, Format.HYPERLIQUID_CSV, Format.NPZ),
    "tardis": (Format.TARDIS,),
    "hftbacktest": (Format.HFTBACKTEST,),
}
NO_LEAD: Final = "NONE"
COIN_CHARS_MAX: Final = 16  # of `symbol.coin` and `symbol.lead` in a configuration
LEAD_CHARS_MAX: Final = 20
ROWS_PER_PART: Final = 1_000_000
SECONDS_PER_PART: Final = 3_600.0


def import_data(kind: str, paths: list[Path], leads: list[Path], out: Path, config_path: Path) -> None:
    """Import sources into a new folder.

    Parameters
    ----------
    kind : str
        A key of `FORMATS`.
    paths : list of Path
        What is quoted: files of one market, or of several coins of Hyperliquid.
    leads : list of Path
        Lead markets of any format, in the order of the maker's markets; may be fewer, or none.
    out : Path
        The new folder.
    config_path : Path
        Its `[feed]` says how often a TIMER comes and when a stream is stale.

    Raises
    ------
    UsageError
        A source is of another format than `kind`.
    DataError
        A source cannot be used, or the folder exists.
    """
    if out.exists():
        raise DataError(f"{out}: exists; name a new folder")
    feed = configuration.load(config_path).feed
    makers = _makers(kind, paths)
    markets = [market for recording in makers for market in recording.markets]
    instruments = np.concatenate([recording.instruments for recording in makers])
    streams = [stream for recording in makers for stream in _by_symbol(recording)]
    sources = sources_of(leads)
    if len(sources) > len(markets):
        raise UsageError(f"{len(sources)} lead markets for {len(markets)} markets; give one each at the most")
    named = [Market(market.symbol, _plain(market.coin, COIN_CHARS_MAX), NO_LEAD) for market in markets]
    for symbol, source in enumerate(sources):
        lead = load_source(source, symbol, Venue.LEAD)
        streams.append(_as_lead(source.label(), lead, instruments[symbol]))
        name = _plain(lead.markets[0].coin, LEAD_CHARS_MAX).upper()
        named[symbol] = Market(symbol, named[symbol].coin, name)
    _check_overlap(streams)
    writer = RecordingWriter(out, named, instruments, ROWS_PER_PART, SECONDS_PER_PART)
    first_ns = min(int(stream["local_ts_ns"][0]) for stream in streams)
    writer.note_clock(first_ns, first_ns)  # these receive times are times of day
    next_seq = 1
    for chunk in timeline(streams, feed):
        chunk["seq"] = np.arange(next_seq, next_seq + len(chunk))
        writer.write(chunk)
        next_seq += len(chunk)
    manifest = writer.close()
    size = sum(part["bytes"] for part in manifest["parts"])
    print(
        f"{out}: {manifest['rows']:,} events of {', '.join(market.coin for market in named)} in "
        f"{size:,} bytes; events_sha256 {manifest['events_sha256']}"
    )


def _makers(kind: str, paths: Sequence[Path]) -> list[Recording]:
    recordings: list[Recording] = []
    symbol = 0
    for source in sources_of(paths):
        shown = source.market if source.format in (Format.FRAMES, Format.NPZ) else ""
        if source.format not in FORMATS[kind] or not (shown or kind).startswith(kind):
            what = f"{source.format} {source.market}".strip()
            raise UsageError(f"{source.label()} is {what}, which `import {kind}` does not read")
        if recordings and source.format is not Format.HYPERLIQUID_CSV:
            raise UsageError(f"{source.label()} is another market; import one at a time, --lead for its lead")
        recordings.append(load_source(source, symbol, Venue.MAKER))
        symbol += len(recordings[-1].markets)
    return recordings


def _by_symbol(recording: Recording) -> list[np.ndarray]:
    events = recording.events
    return [events[events["symbol"] == market.symbol] for market in recording.markets]


def _as_lead(label: str, lead: Recording, instrument: np.void) -> np.ndarray:
    if len(lead.markets) != 1 or lead.numbered:
        raise UsageError(f"{label}: a lead is one market of another recorder")
    rows = lead.events[np.isin(lead.events["kind"], (EventKind.BBO, EventKind.TRADE))]
    if not (rows["kind"] == EventKind.BBO).any():
        raise DataError(f"{label}: a lead needs best quotes, and there are none")
    rows["px_tick"] = np.rint(rows["px"] * float(instrument["ticks_per_unit"])).astype(np.int64)
    return rows


def _check_overlap(streams: Sequence[np.ndarray]) -> None:
    starts = [int(stream["local_ts_ns"][0]) for stream in streams]
    ends = [int(stream["local_ts_ns"][-1]) for stream in streams]
    if not max(starts) < min(ends):
        raise DataError(
            f"the sources have no time in common: they span {list(zip(starts, ends, strict=True))} ns"
        )


def _plain(name: str, size: int) -> str:
    return re.sub("[^A-Za-z0-9]", "", name)[:size] or "MARKET"
