"""The journal keeps every whole entry through any crash and refuses everything a crash cannot explain."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import AnswerKind, Side
from mmpipe.errors import JournalError
from mmpipe.records import ANSWER, EVENT, INTENT
from mmpipe.store import journal as journal_module
from mmpipe.store.journal import Journal, JournalKind, positions_of, read
from mmpipe.store.journal_format import ENTRY, HEADER


def intents(*order_ids: int) -> np.ndarray:
    rows = np.zeros(len(order_ids), INTENT)
    rows["order_id"] = order_ids
    rows["px_tick"] = 1000 + np.arange(len(order_ids))
    rows["side"] = Side.SELL
    return rows


def fills(*triples: tuple[int, int, int]) -> np.ndarray:
    rows = np.zeros(len(triples), ANSWER)
    rows["kind"] = AnswerKind.FILL
    for row, (tid, side, lots) in zip(rows, triples, strict=True):
        row["tid"], row["side"], row["qty_lots"] = tid, side, lots
    return rows


def write(path: Path, *entries: tuple[JournalKind, np.ndarray]) -> bytes:
    journal = Journal.open(path, "run")
    for kind, rows in entries:
        journal.append(kind, rows)
        journal.commit()
    journal.close()
    return path.read_bytes()


def content_of(path: Path) -> list[bytes]:
    return [rows.tobytes() for _, rows in read(path)]


THREE = (
    (JournalKind.INTENT, intents(1, 2)),
    (JournalKind.ANSWER, fills((7, 1, 5))),
    (JournalKind.INTENT, intents(3)),
)
BYTES = [rows.tobytes() for _, rows in THREE]


def test_entries_come_back_in_order_with_their_kind(tmp_path: Path) -> None:
    write(tmp_path / "j", *THREE)
    got = list(read(tmp_path / "j"))
    assert [kind for kind, _ in got] == [kind for kind, _ in THREE]
    assert [rows.tobytes() for _, rows in got] == BYTES


def test_reopening_continues_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(path, *THREE[:2])
    assert write(path, THREE[2]) == write(tmp_path / "at_once", *THREE)


def test_appended_but_not_committed_is_not_there(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", "run")
    journal.append(*THREE[0])
    journal.commit()
    journal.append(*THREE[1])
    assert content_of(tmp_path / "j") == BYTES[:1]
    journal.close()
    assert content_of(tmp_path / "j") == BYTES[:1]


def test_growth_is_reserved_ahead_and_given_back(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "j", "run")
    journal.append(*THREE[0])
    journal.commit()
    assert (tmp_path / "j").stat().st_size >= journal_module.GROWTH_SIZE
    assert content_of(tmp_path / "j") == BYTES[:1]
    journal.close()
    assert (tmp_path / "j").stat().st_size == HEADER.itemsize + ENTRY.itemsize + len(BYTES[0])


@pytest.mark.parametrize("reserved", [0, 500])
def test_truncated_at_any_byte_keeps_the_whole_entries_before_it(tmp_path: Path, reserved: int) -> None:
    path = tmp_path / "j"
    whole = write(path, *THREE)
    ends = np.cumsum([HEADER.itemsize] + [ENTRY.itemsize + len(payload) for payload in BYTES])
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size] + bytes(reserved if size >= HEADER.itemsize else 0))
        # A record that ends in zeros is whole again when only zeros were lost into the reserved zeros.
        kept = sum(path.read_bytes().startswith(whole[:end]) for end in ends[1:])
        journal = Journal.open(path, "run")
        assert journal.seq == kept
        journal.append(JournalKind.INTENT, intents(9))
        journal.commit()
        journal.close()
        assert content_of(path) == [*BYTES[:kept], intents(9).tobytes()]


def test_any_flipped_bit_is_refused_or_cuts_off_only_the_last_entry(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = write(path, *THREE)
    last = len(whole) - ENTRY.itemsize - len(BYTES[-1])
    for bit in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        if bit // 8 < last:
            with pytest.raises(JournalError, match="damaged at offset"):
                list(read(path))
        else:
            assert content_of(path) == BYTES[:-1]


def test_refusal_names_the_offset_and_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    damaged = bytearray(write(path, *THREE))
    second = HEADER.itemsize + ENTRY.itemsize + len(BYTES[0])
    damaged[second + 40] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=f"offset {second}"):
        Journal.open(path, "run")
    assert path.read_bytes() == damaged


def test_half_of_a_commit_that_never_returned_is_cut_off_whichever_half(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(path, THREE[0])
    durable = path.stat().st_size
    journal = Journal.open(path, "run")
    journal.append(*THREE[1])
    journal.append(*THREE[2])
    journal.commit()
    journal.close()
    whole = path.read_bytes()
    lost = bytes(ENTRY.itemsize + len(BYTES[1]))
    path.write_bytes(whole[:durable] + lost + whole[durable + len(lost) :])
    assert content_of(path) == BYTES[:1]
    assert Journal.open(path, "run").truncated_size > 0


def test_repeated_and_swapped_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = write(path, *THREE)
    size = ENTRY.itemsize + len(BYTES[2])
    path.write_bytes(whole + whole[-size:])
    with pytest.raises(JournalError, match="does not follow"):
        list(read(path))
    middle = len(whole) - 2 * size
    path.write_bytes(whole[:middle] + whole[-size:] + whole[middle:-size])
    with pytest.raises(JournalError, match="does not follow"):
        list(read(path))


def test_a_torn_write_on_a_full_disk_is_cut_and_poisons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    journal = Journal.open(path, "run")
    journal.append(*THREE[0])
    journal.commit()
    whole, calls = os.pwrite, []

    def full(descriptor: int, content: memoryview, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 1:
            return whole(descriptor, content[:70], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module.os, "pwrite", full)
    journal.append(*THREE[1])
    with pytest.raises(JournalError, match="No space left on device"):
        journal.commit()
    monkeypatch.undo()
    assert len(calls) == 2
    assert path.stat().st_size == HEADER.itemsize + ENTRY.itemsize + len(BYTES[0])
    for call in (lambda: journal.append(*THREE[2]), journal.commit):
        with pytest.raises(JournalError, match="nothing may be sent"):
            call()
    journal.close()
    write(path, THREE[1])
    assert content_of(path) == BYTES[:2]


def test_a_failed_sync_is_never_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "j", "run")
    journal.append(*THREE[0])

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journal_module.os, "fdatasync", broken)
    with pytest.raises(JournalError, match="not durable"):
        journal.commit()
    monkeypatch.undo()
    with pytest.raises(JournalError, match="nothing may be sent"):
        journal.commit()
    journal.close()


def test_commit_syncs_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal.open(tmp_path / "j", "run")
    order = []
    for name in ("pwrite", "fdatasync"):
        real = getattr(os, name)
        monkeypatch.setattr(
            journal_module.os, name, lambda *args, _real=real, _name=name: order.append(_name) or _real(*args)
        )
    journal.append(*THREE[0])
    assert order == []
    journal.commit()
    assert order == ["pwrite", "fdatasync"]
    monkeypatch.undo()
    journal.close()


def test_what_does_not_belong_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal.open(path, "run")
    with pytest.raises(JournalError, match="another process writes"):
        Journal.open(path, "run")
    with pytest.raises(JournalError, match="holds INTENT records only"):
        journal.append(JournalKind.INTENT, np.zeros(1, EVENT))
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(*THREE[0])
    with pytest.raises(JournalError, match="belongs to run 'run'"):
        Journal.open(path, "other")
    with pytest.raises(JournalError, match="run id"):
        Journal.open(path, "")
    with pytest.raises(JournalError, match="cannot open"):
        Journal.open(tmp_path / "no" / "j", "run")
    with pytest.raises(JournalError, match="cannot read"):
        list(read(tmp_path / "none"))
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(JournalError, match="cannot open"):
        Journal.open(tmp_path / "link", "run")


def test_position_is_the_sum_of_fills_each_trade_once(tmp_path: Path) -> None:
    path = tmp_path / "j"
    write(
        path,
        (JournalKind.ANSWER, fills((1, 1, 5), (2, -1, 3))),
        (JournalKind.INTENT, intents(1)),
        (JournalKind.ANSWER, fills((2, -1, 3), (3, 1, 10))),
    )
    assert positions_of(path) == {0: 12}
