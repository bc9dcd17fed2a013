"""A report separates what the recorder did wrong from what the venue did."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import EventKind
from mmpipe.recording.check import Report, check
from mmpipe.recording.manifest import Market
from mmpipe.recording.sources import sources_of
from mmpipe.recording.writer import RecordingWriter
from tests.mmpipe.recording.made import binance_lines, hyperliquid_csv, tardis_files, write_gz
from tests.mmpipe.recording.rows import INSTRUMENTS, MARKETS, some_events

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)


def checked(path: Path) -> Report:
    return check(sources_of([path])[0])[0]


def test_sound_files_of_every_format_are_sound(tmp_path: Path) -> None:
    frames = checked(write_gz(tmp_path / "usdm.gz", binance_lines()))
    assert (frames.sound, frames.notes, frames.source_rows) == (True, (), 11)
    assert [market.coin for market in frames.markets] == ["BTCUSDT"]
    table = checked(hyperliquid_csv(tmp_path / "hl"))
    assert table.sound
    assert "told 1 books and 1 trades twice" in table.notes[0]
    (tmp_path / "t").mkdir()
    report, touches = check(sources_of(tardis_files(tmp_path / "t"))[0])
    assert report.sound
    assert touches is not None
    assert touches.source == "bbo"


def test_problems_and_notes_are_told_apart(tmp_path: Path) -> None:
    lines = binance_lines()
    del lines[6]
    report = checked(write_gz(tmp_path / "usdm.gz", lines))
    assert not report.sound
    assert "depth updates 108 to 110 are missing" in report.problems[0]
    content = (tmp_path / "usdm.gz").read_bytes()
    (tmp_path / "usdm.gz").write_bytes(content[:-9])
    source = sources_of([write_gz(tmp_path / "b.gz", lines)])[0]
    (tmp_path / "b.gz").write_bytes(content[:-9])
    report, touches = check(source)
    assert touches is None
    assert "damaged after line" in report.problems[0]


def test_a_recording_says_what_its_recorder_lost(tmp_path: Path) -> None:
    rows = some_events(40)
    rows["kind"][20] = EventKind.GAP
    rows["side"][20] = 0
    rows["local_ts_ns"][30] -= 5_000_000
    rows["seq"][35:] += 4
    writer = RecordingWriter(
        tmp_path / "rec", [Market(**market) for market in MARKETS], INSTRUMENTS, 100, 60.0
    )
    writer.note_clock(1_000_000_000, 3_000_000_000)
    writer.write(rows[:35])
    writer.note_gap(35, 4)
    writer.write(rows[35:])
    writer.close()
    report = checked(tmp_path / "rec")
    assert report.problems == (f"{tmp_path / 'rec'}: 4 rows behind row 35 were lost while recording",)
    assert "BTC: 1 gaps that the line itself noticed" in report.notes
    assert f"{tmp_path / 'rec'}: 1 rows were published after a later one" in report.notes
    assert [(market.coin, market.venue) for market in report.markets] == [("BTC", "maker"), ("ETH", "maker")]
    assert report.events_sha256


@needs_data
def test_the_recorded_sets_are_sound_and_their_traps_are_notes() -> None:
    reports = [check(source)[0] for source in sources_of([DATA / "hl_4coin_20250904"])]
    assert all(report.sound for report in reports)
    assert [report.repeated_books for report in reports] == [3, 3, 3]
    assert [report.repeated_trades for report in reports] == [0, 17, 10]
    assert any("nothing for 17.5 s" in note for note in reports[0].notes)
    assert np.array_equal([len(report.markets) for report in reports], [1, 1, 1])
