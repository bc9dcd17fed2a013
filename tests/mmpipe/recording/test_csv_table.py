"""Columns are read with their types; a value of another is named by line and column."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.errors import DataError
from mmpipe.recording.csv_table import INTEGER, NUMBER, SECONDS, TEXT, header_of, read_columns
from tests.mmpipe.recording.made import write_gz


def test_columns_are_typed_and_seconds_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a,b,c,unused\n1757015217.1651921,7,2.5,x,\n1.000000001,-8,nan,,\n")
    got = read_columns(path, {"t": SECONDS, "a": INTEGER, "b": NUMBER, "c": TEXT})
    assert got["t"].tolist() == [1_757_015_217_165_192_100, 1_000_000_001]
    assert got["a"].tolist() == [7, -8]
    assert got["b"][0] == 2.5
    assert np.isnan(got["b"][1])
    assert got["c"].tolist() == ["x", ""]
    assert header_of(path) == ["t", "a", "b", "c", "unused"]
    assert len(read_columns(write_gz(tmp_path / "b.csv.gz", ["t,a"]), {"a": INTEGER})["a"]) == 0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("t,a\n1,2\n2,x\n", "line 3: column 'a': conversion error to int64: invalid value 'x'"),
        ("t,a\n1,2\n2,\n", "line 3: no value in column 'a'"),
        ("t,a\n1,2\n2\n", "Expected 2 columns, got 1"),
        ("t,a\n1.0000000001,2\n", "line 2: column 't'"),
        ("t,b\n1,2\n", r"column\(s\) \['a'\] are missing; found \['t', 'b'\]"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_is_named(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=cause):
        read_columns(path, {"t": SECONDS, "a": INTEGER})
