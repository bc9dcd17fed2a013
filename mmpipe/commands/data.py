"""`mmpipe data check`: is recorded data sound, and what is in it."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmpipe.errors import DataError
from mmpipe.provenance import provenance
from mmpipe.recording.check import MarketReport, Report, check
from mmpipe.recording.lead_lag import LeadLag, lead_lag
from mmpipe.recording.sources import sources_of
from mmpipe.recording.statistics import Touches

SCHEMA = "data-check/1"
COLUMNS = (
    "market",
    "rows",
    "s",
    "trades/s",
    "max in 1 s",
    "bbo msgs",
    "mid changes",
    "spread p50/p90/p99",
    "1 s return, bp",
    "local - exch, ms",
    "gaps",
    "crossed",
    "silence, s",
)
WIDE = 200  # of a table that is not on a terminal


def check_data(paths: list[Path], against: Path | None, json_file: Path | None) -> int:
    """Check paths and print one report each.

    Parameters
    ----------
    paths : list of Path
        Recordings of any kind; consecutive files of one market are one stream.
    against : Path or None
        Another market; says how far each stream leads it.
    json_file : Path or None
        Receives `data-check/1`.

    Returns
    -------
    int
        Exit code: 0 when all are sound, 1 otherwise.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False)
    reports: list[tuple[Report, Touches | None]] = []
    leads: list[tuple[str, LeadLag]] = []
    for item in _streams(paths):
        if isinstance(item, Report):
            reports.append((item, None))
        else:
            reports.append(check(item))
    other = _other(against) if against else None
    for report, touches in reports:
        _show(console, report)
        if other is not None and against is not None and touches is not None:
            found = lead_lag(touches, other)
            leads.append((report.label, found))
            console.print(_lead_text(report.label, str(against), found), soft_wrap=True)
    failed = [report for report, _ in reports if not report.sound]
    notes = sum(len(report.notes) for report, _ in reports)
    verdict = f"{len(failed)} of {len(reports)} with problems" if failed else f"{len(reports)} sound"
    console.print(f"{verdict}; {sum(len(report.problems) for report in failed)} problems, {notes} notes")
    if json_file is not None:
        content = {
            "schema": SCHEMA,
            **provenance(),
            "reports": [_plain(report) for report, _ in reports],
            "leads": [{"of": label, "over": str(against), **asdict(found)} for label, found in leads],
        }
        json_file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _streams(paths: list[Path]) -> list[Any]:
    # One path that is nothing known is a report of its own and does not hide the others.
    try:
        return list(sources_of(paths))
    except DataError:
        streams: list[Any] = []
        for path in paths:
            try:
                streams += sources_of([path])
            except DataError as error:
                streams.append(Report(str(path), "unknown", 0, 0, "", 0, 0, 0, (), (str(error),), ()))
        return streams


def _other(path: Path) -> Any:
    report, touches = check(sources_of([path])[0])
    if touches is None:
        raise DataError(f"{path}: {'; '.join(report.problems)}")
    return touches


def _show(console: Console, report: Report) -> None:
    repeats = f"{report.repeated_books} books and {report.repeated_trades} trades told twice"
    console.print(
        f"{report.label} ({report.format}): {report.source_rows:,} rows in the source, "
        f"{report.events:,} events, {report.reordered} gone back, {repeats}",
        soft_wrap=True,
    )
    if report.events_sha256:
        console.print(f"  events_sha256 {report.events_sha256}", soft_wrap=True)
    if report.markets:
        table = Table(box=None, pad_edge=True)
        for column in COLUMNS:
            table.add_column(column, justify="left" if column == "market" else "right")
        for market in report.markets:
            table.add_row(*_cells(market))
        console.print(table)
    for kind, texts in (("problem", report.problems), ("note", report.notes)):
        for text in texts:
            console.print(f"  {kind}: {text}", soft_wrap=True)


def _cells(market: MarketReport) -> tuple[str, ...]:
    found = market.statistics
    spread = "/".join(f"{ticks:.0f}" for ticks in found.spread_ticks) if found.spread_ticks else "-"
    lag = f"{found.lag_ms[0]:+.0f} (max {found.lag_ms[2]:+.0f})" if found.lag_ms else "-"
    std = "-" if found.return_1s_std_bps is None else f"{found.return_1s_std_bps:.3f}"
    return (
        f"{market.coin} {market.venue}".rstrip(),
        f"{found.rows:,}",
        f"{found.seconds:.0f}",
        f"{found.trades_per_s:.1f}",
        f"{found.trades_in_1s_max}",
        f"{found.bbo_messages:,}",
        f"{found.mid_changes:,}",
        spread,
        std,
        lag,
        str(found.gaps),
        str(found.crossed_books),
        f"{found.silence_s_max:.1f}",
    )


def _lead_text(label: str, against: str, found: LeadLag) -> str:
    if found.lead_ms == 0:
        how = "moves with"
    else:
        how = f"{'leads' if found.lead_ms > 0 else 'follows'} by {abs(found.lead_ms)} ms"
    return (
        f"  {label} {how} {against}: correlation {found.correlation:.3f}, {found.at_zero:.3f} without a lag, "
        f"{found.seconds:.0f} s in common"
    )


def _plain(report: Report) -> dict[str, Any]:
    return {**asdict(report), "format": str(report.format), "sound": report.sound}
