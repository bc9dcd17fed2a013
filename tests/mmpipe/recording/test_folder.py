"""A folder that is not what its manifest says is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from mmpipe.errors import DataError
from mmpipe.recording.folder import is_recording, missing_numbers, read
from mmpipe.recording.manifest import ClockPair, Market
from mmpipe.recording.parquet_part import file_sha256
from mmpipe.recording.write_ahead import BLOCK, WriteAhead
from mmpipe.recording.writer import RecordingWriter
from tests.mmpipe.recording.rows import INSTRUMENTS, MARKETS, some_events

ROWS = some_events(250)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    markets = [Market(**market) for market in MARKETS]
    writer = RecordingWriter(tmp_path / "rec", markets, INSTRUMENTS, 100, 60.0)
    writer.write(ROWS)
    writer.close()
    return tmp_path / "rec"


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def set_key(*keys: Any) -> Callable[[dict[str, Any]], None]:
    *path, last, value = keys

    def change(manifest: Any) -> None:
        for key in path:
            manifest = manifest[key]
        manifest[last] = value

    return change


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        (("schema", "recording/2"), "schema is 'recording/2', this version reads 'recording/1'"),
        (("extra", 1), "unknown field `extra`"),
        (("rows", "many"), "Expected `int`"),
        (("columns", 4, ["px", "float32"]), r"columns are not this version's EVENT.*px"),
        (("instruments", 0, "tick_px", -1.0), "instrument 0 has no positive tick"),
        (("instruments", 1, "symbol", 7), "instrument 1 has no positive tick and lot, or another symbol"),
        (("markets", 0, "symbol", 3), r"symbols \[3, 1\] do not number"),
        (("parts", 1, "sha256", "0"), "events-000002.parquet: changed since it was written"),
        (("parts", 1, "rows", 99), "events-000002.parquet: rows, first and last seq"),
        (("parts", 2, "file", "events-000009.parquet"), "events-000009.parquet: missing"),
        (("rows", 249), "250 rows in the parts, 249 in the manifest"),
        (("gaps", [{"after_seq": 7, "missing": 1}]), r"seq jumps \[\]"),
        (("events_sha256", "0" * 64), "events_sha256 differs"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, keys: tuple[Any, ...], cause: str) -> None:
    edit(folder, set_key(*keys))
    with pytest.raises(DataError, match=cause):
        read(folder)


def test_a_manifest_that_is_damaged_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    with pytest.raises(DataError, match=r"manifest.json: damaged"):
        read(folder)
    path.unlink()
    assert not is_recording(folder)
    with pytest.raises(DataError, match="not a recording"):
        read(folder)


def test_a_part_that_changed_is_refused(folder: Path) -> None:
    path = folder / "events-000002.parquet"
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(DataError, match=r"000002.parquet: changed since"):
            read(folder)


def test_columns_of_another_type_are_refused(folder: Path) -> None:
    path = folder / "events-000001.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("px")
    pq.write_table(table.set_column(at, "px", table.column("px").cast("float32", safe=False)), path)
    edit(folder, set_key("parts", 0, "sha256", file_sha256(path)))
    with pytest.raises(DataError, match=r"columns \['px'\] are not EVENT's"):
        read(folder)


def test_parts_in_another_order_are_refused(folder: Path) -> None:
    edit(folder, lambda manifest: manifest["parts"].reverse())
    with pytest.raises(DataError, match="seq jumps"):
        read(folder)


def test_a_killed_recorder_is_recovered_once_and_it_is_said(folder: Path) -> None:
    # The state of a kill between two parts: a conversion half done, a torn block, a copy left behind.
    edit(folder, lambda manifest: (manifest.update(complete=False, rows=200), manifest["parts"].pop()))
    edit(folder, set_key("events_sha256", digest_of(ROWS[:200])))
    ahead = WriteAhead(folder / "events-000003.open")
    ahead.append_rows(ROWS[200:])
    ahead.close()
    with (folder / "events-000003.open").open("ab") as file:
        file.write(b"mmpBLOCK" + b"\1" * (BLOCK.itemsize + 5))
    shutil.copy(folder / "events-000003.parquet", folder / "events-000003.parquet.tmp")
    WriteAhead(folder / "events-000002.open").close()  # its part is finished already
    edit(folder, set_key("clock", [{"mono_ns": 1, "wall_ns": 2}]))
    noted = WriteAhead(folder / "events-000004.open")  # without rows, absorbed but not yet removed
    noted.append_clock(ClockPair(1, 2))
    noted.close()
    got = read(folder)
    assert np.array_equal(got.events, ROWS)
    texts = [finding.text for finding in got.findings]
    assert texts[0].startswith("recovered 50 rows of a killed recorder, 45 torn bytes")
    assert texts[1].startswith("recovered 0 rows")
    assert texts[2:] == ["the recorder did not close it"]
    assert json.loads((folder / "manifest.json").read_text())["clock"] == [{"mono_ns": 1, "wall_ns": 2}]
    assert not any(finding.problem for finding in got.findings)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json"] + [".parquet"] * 3
    assert [finding.text for finding in read(folder).findings] == ["the recorder did not close it"]


def digest_of(rows: np.ndarray) -> str:
    from mmpipe.recording.event_hash import EventHash

    made = EventHash()
    made.update(rows)
    return made.hexdigest()


def test_missing_numbers_are_found() -> None:
    rows = ROWS[[0, 1, 4, 5, 3]]
    assert missing_numbers(rows) == [(2, 2), (6, -3)]
