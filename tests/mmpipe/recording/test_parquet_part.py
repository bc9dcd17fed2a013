"""A part holds the rows exactly, in few bytes."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import Venue
from mmpipe.recording.npz import load
from mmpipe.recording.parquet_part import GROUP_ROWS, read_part, write_part
from tests.mmpipe.recording.rows import some_events

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)


def test_rows_come_back_over_row_groups(tmp_path: Path) -> None:
    rows = some_events(GROUP_ROWS + 5)
    rows["px"][:4] = [np.nan, np.inf, -0.0, 5e-324]
    part = write_part(tmp_path / "events-000001.parquet", rows)
    assert read_part(tmp_path, part).tobytes() == rows.tobytes()
    assert (part.rows, part.first_seq, part.last_seq) == (len(rows), 1, len(rows))
    assert (part.first_ts_ns, part.last_ts_ns) == (rows["local_ts_ns"][0], rows["local_ts_ns"][-1])
    assert list(tmp_path.iterdir()) == [tmp_path / "events-000001.parquet"]


@needs_data
@pytest.mark.parametrize("name", ["binance_usdm_BTC_20240808", "hl_BTC_20250904"])
def test_an_event_takes_about_six_bytes(tmp_path: Path, name: str) -> None:
    rows = load(DATA / "norm" / f"{name}.npz", 0, Venue.MAKER).events
    rows["seq"] = np.arange(1, len(rows) + 1)
    part = write_part(tmp_path / "events-000001.parquet", rows)
    assert part.bytes / part.rows < 7.0
    assert read_part(tmp_path, part).tobytes() == rows.tobytes()
