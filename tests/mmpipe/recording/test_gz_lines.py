"""Lines come with their numbers, and a damaged file says how far it was good."""

import gzip
from pathlib import Path

import pytest

from mmpipe.errors import DataError
from mmpipe.recording.gz_lines import lines_of


def test_lines_of_packed_and_plain_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x\r\ny\n\nz")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"x\r\ny\n\nz"))
    want = [(1, b"x"), (2, b"y"), (3, b""), (4, b"z")]
    assert list(lines_of(tmp_path / "a.csv")) == list(lines_of(tmp_path / "a.csv.gz")) == want


def test_a_file_cut_at_any_byte_is_refused_and_no_changed_one_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    lines = [(number + 1, b"line %d" % number) for number in range(200)]
    refused = 0
    whole = gzip.compress(b"\n".join(b"line %d" % number for number in range(200)))
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"a.gz: damaged after line \d+: .*; take it from a copy"):
            list(lines_of(path))
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            got = list(lines_of(path))
        except DataError:
            refused += 1
        else:  # bits that mean nothing: the header's time, the padding of the last block
            assert got == lines
    assert refused > 0.9 * len(whole)
