"""Is a recording sound, and what is in it: one report per stream.

A *problem* is what the recorder or the file did wrong: unreadable or refused rows, missing depth updates or
rows, a receive time that goes back, a crossed book. A *note* is what the venue did, or what was mended:
silences, books and trades told twice, holes in its trade ids, a recovered tail, a GAP the line itself said.
A recording is sound when it has no problem.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.enums import EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.recorded import Finding, Recording
from mmpipe.recording.sources import Source, load_source
from mmpipe.recording.statistics import Hole, MarketStatistics, Touches, describe, touches_of
from mmpipe.records import SYMBOLS_MAX

HOLES_SHOWN = 8
LINE_KINDS = (EventKind.TIMER, EventKind.STATUS)


@dataclass(frozen=True, slots=True)
class MarketReport:
    """One market of a stream: its name, the role it played in a recording of ours, its numbers."""

    coin: str
    venue: str
    statistics: MarketStatistics


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` finds.

    Attributes
    ----------
    label, format : str
        Path or paths, and what they are.
    source_rows : int
        Rows or lines in the source.
    events : int
        EVENT rows made of them.
    events_sha256 : str
        Digest a recording of ours states.
    reordered : int
        Rows whose receive time went back.
    repeated_trades, repeated_books : int
        Told twice by the venue and dropped by the reader.
    markets : tuple of MarketReport
        One per venue and symbol.
    problems, notes : tuple of str
        Where and what.
    """

    label: str
    format: str
    source_rows: int
    events: int
    events_sha256: str
    reordered: int
    repeated_trades: int
    repeated_books: int
    markets: tuple[MarketReport, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """No problem was found."""
        return not self.problems


def check(source: Source) -> tuple[Report, Touches | None]:
    """Check one stream.

    Parameters
    ----------
    source : Source
        As `sources_of` finds it.

    Returns
    -------
    tuple of Report and Touches or None
        The report, and the best quotes of its first market, for a comparison with another.
    """
    try:
        recording = load_source(source, 0, Venue.LEAD)
    except DataError as error:
        return Report(source.label(), source.format, 0, 0, "", 0, 0, 0, (), (str(error),), ()), None
    return report_of(source.label(), source.format, recording)


def report_of(label: str, kind: str, recording: Recording) -> tuple[Report, Touches | None]:
    """The report of a stream that could be read, and the best quotes of its first market."""
    markets, touches = [], None
    findings = list(recording.findings)
    events = recording.events
    data = events[~np.isin(events["kind"], LINE_KINDS)]
    streams = np.unique(data["venue"].astype(np.int64) * SYMBOLS_MAX + data["symbol"])
    for venue, symbol in (divmod(stream, SYMBOLS_MAX) for stream in streams.tolist()):
        rows = data[(data["venue"] == venue) & (data["symbol"] == symbol)]
        tick_px = float(recording.instruments["tick_px"][symbol - int(recording.instruments["symbol"][0])])
        statistics = describe(rows, tick_px, recording.wall_offset_ns)
        name = _name(recording, symbol, venue)
        role = Venue(venue).name.lower() if recording.numbered else ""
        markets.append(MarketReport(name, role, statistics))
        findings += _judged(name, statistics, recording.numbered)
        touches = touches or touches_of(rows, tick_px)[0]
    findings += _told_twice(label, recording)
    if recording.numbered and recording.reordered_count:
        text = f"{recording.reordered_count} rows were published after a later one"
        findings.append(Finding(False, label, text))
    report = Report(
        label=label,
        format=kind,
        source_rows=recording.row_count,
        events=len(events),
        events_sha256=recording.events_sha256,
        reordered=recording.reordered_count,
        repeated_trades=recording.repeated_count,
        repeated_books=recording.repeated_books,
        markets=tuple(markets),
        problems=_texts(findings, True),
        notes=_texts(findings, False),
    )
    return report, touches


def _name(recording: Recording, symbol: int, venue: int) -> str:
    for market in recording.markets:
        if market.symbol == symbol:
            return market.lead if recording.numbered and venue == Venue.LEAD else market.coin
    return f"{recording.name} {symbol}"


def _judged(name: str, found: MarketStatistics, numbered: bool) -> list[Finding]:
    findings = []
    if found.gaps and numbered:
        findings.append(Finding(False, name, f"{found.gaps} gaps that the line itself noticed"))
    if found.crossed_books:
        findings.append(
            Finding(
                True,
                name,
                f"the book is crossed {found.crossed_books} times, first at receive time "
                f"{found.first_crossed_ts_ns} ns: depth is missing or wrong",
            )
        )
    findings += [_silence(name, hole) for hole in found.holes]
    if found.trade_id_holes:
        missing = sum(last - first + 1 for first, last in found.trade_id_holes)
        shown = ", ".join(f"{first} to {last}" for first, last in found.trade_id_holes[:HOLES_SHOWN])
        text = f"{len(found.trade_id_holes)} holes in the trade ids, {missing} ids missing: {shown}"
        more = ", …" if len(found.trade_id_holes) > HOLES_SHOWN else ""
        findings.append(Finding(False, name, text + more))
    if found.repeated_books or found.repeated_trades:
        text = f"{found.repeated_books} books and {found.repeated_trades} trades stand in it twice"
        findings.append(Finding(False, name, text))
    return findings


def _silence(name: str, hole: Hole) -> Finding:
    after_s = hole.after_ts_ns / NS_PER_S
    return Finding(False, name, f"nothing for {hole.seconds:.1f} s after {after_s:.3f} s of receive time")


def _told_twice(label: str, recording: Recording) -> list[Finding]:
    if not (recording.repeated_count or recording.repeated_books):
        return []
    return [
        Finding(
            False,
            label,
            f"the venue told {recording.repeated_books} books and {recording.repeated_count} trades twice; "
            f"the second telling is left out",
        )
    ]


def _texts(findings: Sequence[Finding], problem: bool) -> tuple[str, ...]:
    return tuple(f"{found.where}: {found.text}" for found in findings if found.problem is problem)
