"""A write-ahead file gives back a prefix of what was written, or is refused; never anything else."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmpipe.errors import DataError
from mmpipe.recording.manifest import ClockPair, Gap
from mmpipe.recording.write_ahead import BLOCK, HEADER, WriteAhead, read_open_part
from tests.mmpipe.recording.rows import some_events

ROWS = some_events(9)
CUTS = (0, 1, 4, 9)  # blocks of 1, 3 and 5 rows


def written(path: Path) -> bytes:
    ahead = WriteAhead(path)
    for start, stop in pairwise(CUTS):
        ahead.append_rows(ROWS[start:stop])
    ahead.append_gap(Gap(9, 2))
    ahead.append_clock(ClockPair(7, 8))
    ahead.close()
    return path.read_bytes()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    content = written(tmp_path / "a.open")
    got = read_open_part(tmp_path / "a.open")
    assert np.array_equal(got.rows, ROWS)
    assert (got.gaps, got.clock) == ([Gap(9, 2)], [ClockPair(7, 8)])
    assert (got.sound_bytes, got.torn_bytes) == (len(content), 0)
    with pytest.raises(FileExistsError):
        WriteAhead(tmp_path / "a.open")


def test_every_truncation_leaves_the_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.open"
    content = written(path)
    ends = [HEADER.itemsize]
    for start, stop in pairwise(CUTS):
        ends.append(ends[-1] + BLOCK.itemsize + (stop - start) * ROWS.itemsize)
    for size in range(len(content)):
        path.write_bytes(content[:size])
        got = read_open_part(path)
        whole = CUTS[max(sum(end <= size for end in ends) - 1, 0)]
        assert np.array_equal(got.rows, ROWS[:whole]), size
        assert got.sound_bytes + got.torn_bytes == size


def test_every_flipped_bit_is_cut_off_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.open"
    content = written(path)
    refused = 0
    for at in range(len(content)):
        damaged = bytearray(content)
        damaged[at] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        try:
            got = read_open_part(path)
        except DataError:
            refused += 1
            continue
        assert np.array_equal(got.rows, ROWS[: len(got.rows)])
        assert got.torn_bytes > 0
    # All but the last block have a sound one behind them, which says the damage came later.
    assert refused == len(content) - BLOCK.itemsize - 16


def test_a_swapped_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.open"
    content = written(path)
    first = HEADER.itemsize
    second = first + BLOCK.itemsize + ROWS.itemsize
    third = second + BLOCK.itemsize + 3 * ROWS.itemsize
    path.write_bytes(content[:first] + content[second:third] + content[first:second] + content[third:])
    with pytest.raises(DataError, match="block 0 is unreadable"):
        read_open_part(path)
