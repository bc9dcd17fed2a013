"""The database keeps what it is told, once, and is never in anybody's way."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import AnswerKind, LabelKind
from mmpipe.errors import MmpipeError
from mmpipe.learning import outcomes
from mmpipe.learning.outcomes import Prediction, Row
from mmpipe.records import ANSWER, FILL_CONTEXT, LABEL, REPORT, SIGNALS
from mmpipe.store.database import Database
from mmpipe.store.journal import Journal, JournalKind


def fill(tid: int) -> np.ndarray:
    row = np.zeros(1, REPORT)
    row["tid"], row["side"], row["qty_lots"], row["px_tick"] = tid, 1, 3, 1000
    return row


def label(kind: LabelKind) -> np.void:
    row = np.zeros(1, LABEL)
    row["kind"], row["cause_seq"], row["move_bps"], row["realized_as_bps"] = kind, 7, 1.5, 0.25
    return row[0]


def test_every_kind_of_row_finds_its_columns() -> None:
    database = Database(":memory:", 1.0)
    context = np.zeros(1, FILL_CONTEXT)
    context["tid"], context["side"], context["queue_rank"] = 7, 1, 0.5
    prediction = Prediction(1, 2.0, 3.0, 4.0, np.zeros(SIGNALS))
    rows = [
        outcomes.fill_row(fill(7)[0]),
        outcomes.context_row(context[0]),
        outcomes.markout_row(label(LabelKind.FILL_MARKOUT)),
        outcomes.label_row(label(LabelKind.SHADOW_QUOTE)),
        outcomes.scored_row("mid_move", label(LabelKind.MID_MOVE), prediction),
        Row("params", {"param": "kappa_per_bps", "symbol": 0, "value": 0.8, "tier": 1, "ts_ns": 5}),
        Row("model_state", {"key": "parameters", "json": '{"a": 1}', "updated_ts_ns": 5}),
    ]
    database.write(rows, 0)
    found = database.select("SELECT qty_lots, queue_rank, realized_as_bps, length(snapshot) FROM fills")
    assert found == [(3, 0.5, 0.25, 832)]
    assert database.select("SELECT predicted_bps, std_bps, realized_bps FROM predictions") == [
        (2.0, 3.0, 1.5)
    ]
    assert database.select("SELECT kind, cause_seq FROM labels") == [("SHADOW_QUOTE", 7)]
    assert database.load_state("parameters") == {"a": 1}
    assert database.load_state("other") is None
    assert database.rows_written == len(rows)


def test_a_fill_told_twice_is_one_fill() -> None:
    database = Database(":memory:", 0.0)
    for _ in range(2):
        database.write([outcomes.fill_row(fill(7)[0]), outcomes.fill_row(fill(8)[0])], 0)
    assert database.select("SELECT tid FROM fills ORDER BY tid") == [(7,), (8,)]


def test_commits_wait_for_the_interval() -> None:
    database = Database(":memory:", 1.0)
    counts = []
    for now_s in (0.0, 0.5, 0.9, 1.0):
        database.write([outcomes.fill_row(fill(int(now_s * 10))[0])], int(now_s * 1e9))
        counts.append(database.select("SELECT count(*) FROM fills")[0][0])
    assert counts == [1, 1, 1, 4]


def test_restart_finds_what_was_written(tmp_path: Path) -> None:
    database = Database(tmp_path / "d", 9.0)
    database.write([], 0)
    database.write([Row("model_state", {"key": "k", "json": '{"x": 2}', "updated_ts_ns": 1})], 1)
    database.close()
    again = Database(tmp_path / "d", 9.0)
    assert again.load_state("k") == {"x": 2}
    again.close()


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    database = Database(tmp_path / "d", 0.0)
    with pytest.raises(MmpipeError, match="another process writes"):
        Database(tmp_path / "d", 0.0)
    database.write([outcomes.fill_row(fill(1)[0])], 0)
    with sqlite3.connect(f"file:{tmp_path / 'd'}?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT tid FROM fills").fetchall() == [(1,)]
    reader.close()
    database.close()
    with pytest.raises(MmpipeError, match="cannot create"):
        Database(tmp_path / "no" / "d", 0.0)


def test_a_locked_database_delays_rows_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmpipe.store.database.BUSY_TIMEOUT_S", 0.01)
    database = Database(tmp_path / "d", 0.0)
    other = sqlite3.connect(tmp_path / "d")
    other.execute("BEGIN IMMEDIATE")
    database.write([outcomes.fill_row(fill(1)[0])], 0)
    assert (database.retries, database.rows_written) == (1, 0)
    other.rollback()
    other.close()
    database.write([outcomes.fill_row(fill(2)[0])], 1)
    assert database.select("SELECT count(*) FROM fills") == [(2,)]
    database.close()


def test_a_mistake_in_a_row_is_not_taken_for_a_lock() -> None:
    database = Database(":memory:", 0.0)
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        database.write([Row("fills", {"nonsense": 1})], 0)


def test_a_damaged_database_is_set_aside_and_fills_come_back_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(b"this is no database at all" * 100)
    database = Database(path, 0.0)
    assert database.set_aside is not None
    assert database.set_aside.read_bytes().startswith(b"this is no")
    journal = Journal.open(tmp_path / "j", "run")
    answers = np.zeros(3, ANSWER)
    answers["kind"] = [AnswerKind.FILL, AnswerKind.RESTING, AnswerKind.FILL]
    answers["tid"], answers["qty_lots"] = [5, 0, 6], [2, 9, 4]
    journal.append(JournalKind.ANSWER, answers)
    journal.commit()
    assert database.rebuild_fills(tmp_path / "j") == 2
    assert database.select("SELECT tid, qty_lots FROM fills ORDER BY tid") == [(5, 2), (6, 4)]
    journal.close()
    database.close()
