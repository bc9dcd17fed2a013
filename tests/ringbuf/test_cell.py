"""The cell in one process: latest value, versions, recovery; torn reads are tried in tests/rings."""

import numpy as np
import pytest

from ringbuf import CellBusy, CellReader, CellWriter, Segment, layout
from ringbuf.layout import KIND_CELL
from tests.ringbuf.memory import RECORD, rows


@pytest.fixture
def segment() -> Segment:
    return Segment.local(RECORD, layout.CELL_SLOTS, KIND_CELL)


def test_before_the_first_write_there_is_nothing(segment: Segment) -> None:
    reader, out = CellReader(segment), rows(5.0)
    assert not reader.read(out)
    assert out["px"][0] == 5.0
    assert reader.sequence == 0


def test_the_latest_value_is_read_as_often_as_wanted(segment: Segment) -> None:
    writer, readers = CellWriter(segment), [CellReader(segment), CellReader(segment)]
    out = rows(0.0)
    for version in range(1, 11):
        row = rows(version * 1.5)
        row["seq"] = -9
        row["rest"] = version
        assert writer.write(row) == version
        for reader in readers * 2:
            assert reader.read(out)
            assert (out["seq"][0], out["px"][0], out["rest"].tolist()[0]) == (
                version,
                version * 1.5,
                [version] * 5,
            )
            assert reader.sequence == version


def test_readonly_rows_can_be_written(segment: Segment) -> None:
    out = rows(0.0)
    assert CellWriter(segment).write(np.frombuffer(rows(3.0).tobytes(), RECORD)) == 1
    assert CellReader(segment).read(out)
    assert out["px"][0] == 3.0


def test_a_writer_killed_half_way_leaves_the_last_whole_value(segment: Segment) -> None:
    writer, out = CellWriter(segment), rows(0.0)
    for price in (1.0, 2.0):
        writer.write(rows(price))
    segment.slots["seq"][3] = 0  # version 3 begun, its body half written
    segment.slots["px"][3] = np.nan
    reader = CellReader(segment)
    assert reader.read(out)
    assert out["px"][0] == 2.0
    assert CellWriter(segment).write(rows(3.0)) == 3
    assert reader.read(out)
    assert out["px"][0] == 3.0


def test_a_version_finished_but_not_announced_is_adopted(segment: Segment) -> None:
    writer, out = CellWriter(segment), rows(0.0)
    writer.write(rows(1.0))
    segment.slots["px"][2] = 2.0
    segment.slots["seq"][2] = 2
    successor = CellWriter(segment)
    assert CellReader(segment).read(out)
    assert (out["seq"][0], out["px"][0]) == (2, 2.0)
    assert successor.write(rows(3.0)) == 3


def test_a_reader_never_goes_back(segment: Segment) -> None:
    writer, reader, out = CellWriter(segment), CellReader(segment), rows(0.0)
    for price in range(5):
        writer.write(rows(float(price)))
    assert reader.read(out)
    assert reader.sequence == 5
    segment.words[layout.AT_HEAD // 8] = 4  # as an old announcement would look
    with pytest.raises(CellBusy, match="slow its writer down"):
        reader.read(out)


def test_misuse_is_refused(segment: Segment) -> None:
    writer = CellWriter(segment)
    with pytest.raises(ValueError, match="one row"):
        writer.write(rows(1.0, 2.0))
    with pytest.raises(ValueError, match="one row"):
        writer.write(np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="not a cell"):
        CellReader(Segment.local(RECORD, 8))
