"""Recordings to learn from or to be judged on, and which of them is whose lead.

A path may be a recording, a file, or a folder of them. Two recordings are of the same underlying when their
prices lie within PRICE_SHARE of each other and they overlap in time; one leads the other when, on the first
part of the maker's time, its mid's moves come before the maker's or with them (`recording.lead_lag`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.enums import EventKind, Venue
from mmpipe.errors import DataError, UsageError
from mmpipe.recording.folder import is_recording
from mmpipe.recording.hyperliquid_csv import coins_of
from mmpipe.recording.lead_lag import LeadLag, lead_lag
from mmpipe.recording.recorded import Recording
from mmpipe.recording.sources import Source, load_source, sources_of
from mmpipe.recording.statistics import Touches, touches_of
from mmpipe.training.dataset import TRAIN_SHARE

PRICE_SHARE: Final = 0.01
OVERLAP_S_MIN: Final = 60.0
COVER_SHARE: Final = 0.9  # of the maker's time that a lead must cover to be an input of its models
CORRELATION_MIN: Final = 0.1
EVENT_KINDS: Final = (EventKind.TRADE, EventKind.BBO)


@dataclass(frozen=True, slots=True)
class MarketSet:
    """One recording as a maker's market.

    Attributes
    ----------
    name : str
        Of the recording.
    recording : Recording
        Rows of venue MAKER.
    notes : tuple of str
        What a reader should know.
    """

    name: str
    recording: Recording
    notes: tuple[str, ...]

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last receive time, ns."""
        times = self.recording.events["local_ts_ns"]
        return int(times[0]), int(times[-1])


@dataclass(frozen=True, slots=True)
class Lead:
    """A market that moves first, and by how much on the maker's training time."""

    market: MarketSet
    found: LeadLag
    cover: float  # share of the maker's time

    def recording(self) -> Recording:
        """Its rows, of venue LEAD."""
        return as_venue(self.market.recording, Venue.LEAD)


def market_sets(paths: Sequence[Path]) -> list[MarketSet]:
    """Every recording that the paths hold, in order of name.

    Raises
    ------
    UsageError
        There is none.
    DataError
        One cannot be read, or is there twice.
    """
    sources: list[Source] = []
    for path in paths:
        if path.is_dir() and not is_recording(path) and not coins_of(path):
            inside = sorted(
                entry for entry in path.iterdir() if entry.suffix == ".npz" or is_recording(entry)
            )
            sources += sources_of(inside)
        else:
            sources += sources_of([path])
    if not sources:
        raise UsageError(f"{', '.join(map(str, paths))}: no recording there; name npz files or recordings")
    markets = sorted((_market(source) for source in sources), key=lambda market: market.name)
    return [_named_apart(market, markets[:index]) for index, market in enumerate(markets)]


def _named_apart(market: MarketSet, before: Sequence[MarketSet]) -> MarketSet:
    # Reports are by name: another market of the same name would take the place of the first.
    alike = [other for other in before if other.name == market.name]
    if any(np.array_equal(other.recording.events, market.recording.events) for other in alike):
        raise DataError(f"{market.name}: named twice; data that counts twice looks surer than it is")
    if not alike:
        return market
    name = f"{market.name}#{len(alike) + 1}"
    return replace(market, name=name, recording=replace(market.recording, name=name))


def _market(source: Source) -> MarketSet:
    try:
        recording = load_source(source, 0, Venue.MAKER)
    except DataError as error:
        if "inverse" not in str(error):
            raise
        recording = as_venue(load_source(source, 0, Venue.LEAD), Venue.MAKER)
        note = "an inverse contract: judged like the others, but it cannot be quoted here"
        return MarketSet(recording.name, recording, (note,))
    return MarketSet(recording.name, recording, ())


def as_venue(recording: Recording, venue: Venue) -> Recording:
    """The same rows in another role."""
    events = recording.events.copy()
    events["venue"] = venue
    return replace(recording, events=events)


def leads_of(maker: MarketSet, others: Sequence[MarketSet]) -> list[Lead]:
    """Markets that lead a maker, the one that moves most with it first.

    Parameters
    ----------
    maker : MarketSet
    others : sequence of MarketSet
        All of them; the maker itself is passed over.
    """
    if maker.recording.numbered:
        return []
    first_ns, last_ns = maker.span_ns
    cut_ns = int(first_ns + TRAIN_SHARE * (last_ns - first_ns))
    found = []
    for other in others:
        overlap_ns = min(last_ns, other.span_ns[1]) - max(first_ns, other.span_ns[0])
        if other is maker or not leads_at_all(maker, other):
            continue
        try:
            led = lead_lag(_touches(other, cut_ns), _touches(maker, cut_ns))
        except DataError:
            continue
        if led.lead_ms >= 0 and led.correlation >= CORRELATION_MIN:
            found.append(Lead(other, led, overlap_ns / max(last_ns - first_ns, 1)))
    return sorted(found, key=lambda lead: -lead.found.correlation)


def leads_at_all(maker: MarketSet, other: MarketSet) -> bool:
    """True when another market was recorded at the same time, and its price is that of the maker."""
    first_ns, last_ns = maker.span_ns
    overlap_ns = min(last_ns, other.span_ns[1]) - max(first_ns, other.span_ns[0])
    return overlap_ns > OVERLAP_S_MIN * NS_PER_S and _same_price(maker, other)


def _touches(market: MarketSet, until_ns: int) -> Touches:
    events = market.recording.events
    rows = events[(events["local_ts_ns"] <= until_ns) & (events["symbol"] == 0)]
    return touches_of(rows, float(market.recording.instruments["tick_px"][0]))[0]


def _same_price(left: MarketSet, right: MarketSet) -> bool:
    prices = [
        float(np.median(rows["px"][np.isin(rows["kind"], EVENT_KINDS)]))
        for rows in (left.recording.events, right.recording.events)
    ]
    return abs(prices[0] - prices[1]) <= PRICE_SHARE * prices[1]
