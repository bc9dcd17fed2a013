"""A recording comes back as it was written, whatever ended its writer."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmpipe.errors import DataError
from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.folder import read
from mmpipe.recording.manifest import Market
from mmpipe.recording.writer import RecordingWriter
from tests.mmpipe.recording.killed_writer import CHUNKS
from tests.mmpipe.recording.rows import INSTRUMENTS, MARKETS, some_events

ROOT = Path(__file__).resolve().parents[3]
ROWS_BEFORE_KILL_MAX = 12_000


def new_writer(folder: Path, rows_per_part: int = 1000, seconds: float = 3600.0) -> RecordingWriter:
    return RecordingWriter(
        folder, [Market(**market) for market in MARKETS], INSTRUMENTS, rows_per_part, seconds
    )


def digest(rows: np.ndarray) -> str:
    made = EventHash()
    made.update(rows)
    return made.hexdigest()


def test_rows_come_back_over_several_parts(tmp_path: Path) -> None:
    rows = some_events(2_500, first_seq=41)
    writer = new_writer(tmp_path / "rec")
    for start in range(0, len(rows), 333):
        writer.write(rows[start : start + 333])
    writer.note_clock(5, 1_700_000_000_000_000_005)
    manifest = writer.close()
    assert [part["rows"] for part in manifest["parts"]] == [1000, 1000, 500]
    assert manifest == json.loads((tmp_path / "rec" / "manifest.json").read_text())
    assert manifest["schema"] == "recording/1"
    assert manifest["complete"] is True
    assert manifest["clock"] == [{"mono_ns": 5, "wall_ns": 1_700_000_000_000_000_005}]
    assert manifest["events_sha256"] == digest(rows)
    assert [path.suffix for path in sorted((tmp_path / "rec").iterdir())] == [".parquet"] * 3 + [".json"]
    got = read(tmp_path / "rec")
    assert np.array_equal(got.events, rows)
    assert np.array_equal(got.instruments, INSTRUMENTS)
    assert [market.coin for market in got.markets] == ["BTC", "ETH"]
    assert (got.numbered, got.events_sha256, got.findings) == (True, digest(rows), ())


def test_a_part_ends_by_time_too(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "rec", seconds=0.25)
    writer.write(some_events(1_000))  # one row per millisecond
    assert [part["rows"] for part in writer.close()["parts"]] == [251, 251, 251, 247]


def test_gaps_are_noted_or_refused(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "rec", rows_per_part=10)
    writer.write(some_events(15))
    with pytest.raises(DataError, match="rows 21 to 25 do not go on from row 15"):
        writer.write(some_events(5, first_seq=21))
    with pytest.raises(DataError, match="gap of 5 rows behind 14"):
        writer.note_gap(14, 5)
    writer.note_gap(15, 3)
    writer.note_gap(18, 2)
    writer.write(some_events(5, first_seq=21))
    assert writer.close()["gaps"] == [{"after_seq": 15, "missing": 3}, {"after_seq": 18, "missing": 2}]
    got = read(tmp_path / "rec")
    assert got.events["seq"].tolist() == [*range(1, 16), *range(21, 26)]
    assert [finding.problem for finding in got.findings] == [True, True]
    assert "3 rows behind row 15 were lost" in got.findings[0].text


def test_a_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name a new folder"):
        new_writer(tmp_path)


def test_nobody_reads_what_is_being_recorded(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "rec")
    writer.write(some_events(10))
    with pytest.raises(DataError, match="is being recorded now"):
        read(tmp_path / "rec")
    writer.close()
    assert len(read(tmp_path / "rec").events) == 10


def test_a_recording_without_rows_is_one(tmp_path: Path) -> None:
    assert new_writer(tmp_path / "rec").close()["rows"] == 0
    assert len(read(tmp_path / "rec").events) == 0


def test_a_full_disk_is_told_to_the_caller(tmp_path: Path) -> None:
    writer = new_writer(tmp_path / "rec", rows_per_part=10)
    (tmp_path / "rec" / "events-000001.parquet.tmp").mkdir()  # the copy cannot be written
    writer.write(some_events(15))
    with pytest.raises(DataError, match="could not be finished"):
        writer.close()
    (tmp_path / "rec" / "events-000001.parquet.tmp").rmdir()
    assert len(read(tmp_path / "rec").events) == 15


def rows_as_the_child_made_them(total: int) -> np.ndarray:
    parts, written, turn = [], 0, 0
    while written < total:
        parts.append(some_events(CHUNKS[turn % len(CHUNKS)], first_seq=written + 1))
        written, turn = written + len(parts[-1]), turn + 1
    return np.concatenate(parts)[:total]


def kill_and_read(folder: Path, chance: random.Random) -> None:
    rows_per_part = chance.choice((50, 500, 2_000))
    after = chance.randrange(1, ROWS_BEFORE_KILL_MAX)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.mmpipe.recording.killed_writer", str(folder), str(rows_per_part)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= after:
            break
    child.kill()
    acknowledged = max(int(line) for line in [line, *child.stdout] if line.endswith(b"\n"))
    child.stdout.close()
    child.wait(10.0)
    got = read(folder)
    assert len(got.events) >= acknowledged
    want = rows_as_the_child_made_them(len(got.events))
    assert np.array_equal(got.events, want)
    assert got.events_sha256 == digest(want)
    assert any("recovered" in finding.text for finding in got.findings)
    assert np.array_equal(read(folder).events, want)


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(1)
    for turn in range(5):
        kill_and_read(tmp_path / f"rec{turn}", chance)


@pytest.mark.long
def test_a_hundred_killed_writers_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(2)
    for turn in range(100):
        kill_and_read(tmp_path / f"rec{turn}", chance)
