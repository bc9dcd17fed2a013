"""SQLite as a projection: predictions, labels, fills, parameters and learned state, for reports and restarts.

One process writes (a lock file says so) through one connection, which is also the only one that
checkpoints: the SQLite of Debian 12 corrupts a write-ahead log that two connections checkpoint
(sqlite.org, "WAL-reset bug", fixed in 3.51.3). Readers open the file read-only. Rows are collected and
committed together, because a commit costs a sync and a row does not. The journal is the authority: a
database that is damaged is set aside, and fills come back from the journal.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from mmpipe.clock import NS_PER_S
from mmpipe.enums import AnswerKind
from mmpipe.errors import MmpipeError
from mmpipe.learning.outcomes import Row, fill_row
from mmpipe.store.journal import JournalKind, read

BUSY_TIMEOUT_S: Final = 1.0
PENDING_ROWS_MAX: Final = 200_000  # kept while the database is locked; then the oldest are dropped
SCHEMA_VERSION: Final = 1
LOOPS_KEY: Final = "loops"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS predictions (
    id INTEGER PRIMARY KEY, kind TEXT, symbol INTEGER, cause_seq INTEGER, made_ts_ns INTEGER,
    horizon_ns INTEGER, predicted_bps REAL, std_bps REAL, realized_bps REAL, realized_edge_bps REAL,
    realized_as_bps REAL, scored_ts_ns INTEGER
);
CREATE TABLE IF NOT EXISTS labels (
    id INTEGER PRIMARY KEY, kind TEXT, symbol INTEGER, cause_seq INTEGER, ts_ns INTEGER,
    cause_ts_ns INTEGER, horizon_ns INTEGER, wait_ns INTEGER, move_bps REAL, predicted_edge_bps REAL,
    realized_edge_bps REAL, realized_as_bps REAL, predicted_fill_prob REAL, depth_bps REAL, side INTEGER,
    filled INTEGER, toxicity INTEGER, regime INTEGER
);
CREATE TABLE IF NOT EXISTS fills (
    symbol INTEGER, tid INTEGER, side INTEGER, order_id INTEGER, ts_ns INTEGER, px_tick INTEGER,
    qty_lots INTEGER, fee_cash INTEGER, maker_fill INTEGER, mode INTEGER, queue_rank REAL, fill_prob REAL,
    depth_bps REAL, predicted_edge_bps REAL, predicted_uncertainty_bps REAL, snapshot BLOB,
    toxicity INTEGER, horizon_ns INTEGER, realized_edge_bps REAL, realized_as_bps REAL,
    PRIMARY KEY (symbol, tid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS params (
    id INTEGER PRIMARY KEY, param TEXT, symbol INTEGER, value REAL, std REAL, observations INTEGER,
    tier INTEGER, ts_ns INTEGER
);
CREATE TABLE IF NOT EXISTS markouts (
    symbol INTEGER, side INTEGER, level INTEGER, toxicity INTEGER, fills INTEGER, edges INTEGER,
    edge_bps REAL, predicted_edge_bps REAL, markout_100ms REAL, markout_500ms REAL, markout_1000ms REAL,
    markout_3000ms REAL, markout_5000ms REAL, markout_10000ms REAL, markout_30000ms REAL,
    markout_60000ms REAL, PRIMARY KEY (symbol, side, level, toxicity)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fill_markouts (
    symbol INTEGER, tid INTEGER, side INTEGER, edge_bps REAL, markout_100ms REAL, markout_500ms REAL,
    markout_1000ms REAL, markout_3000ms REAL, markout_5000ms REAL, markout_10000ms REAL,
    markout_30000ms REAL, markout_60000ms REAL, PRIMARY KEY (symbol, tid)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS model_state (key TEXT PRIMARY KEY, json TEXT, updated_ts_ns INTEGER);
"""
KEYS: Final = {
    "fills": ("symbol", "tid"),
    "markouts": ("symbol", "side", "level", "toxicity"),
    "fill_markouts": ("symbol", "tid"),
    "model_state": ("key",),
}
TRANSIENT: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }
)
TABLES: Final = frozenset({"predictions", "labels", "params", *KEYS})


class Database:
    """The one writer of a database.

    Parameters
    ----------
    path : Path or ":memory:"
        File to open or create; ":memory:" lives as long as this object and touches no disk.
    commit_interval_s : float
        Seconds between commits.

    Attributes
    ----------
    rows_written, rows_dropped, retries : int
        Committed rows, rows lost to a database that stayed locked, commits put off because it was.
    set_aside : Path or None
        Where a damaged database was moved at opening.

    Raises
    ------
    MmpipeError
        Another process writes this database, or the file cannot be created.
    """

    def __init__(self, path: Path | str, commit_interval_s: float) -> None:
        self._path = Path(path)
        self._commit_interval_ns = int(commit_interval_s * NS_PER_S)
        self._commit_due_ns = 0
        self._pending: list[Row] = []
        self._statements: dict[tuple[str, ...], str] = {}
        self.rows_written = self.rows_dropped = self.retries = 0
        self.set_aside: Path | None = None
        self._lock_descriptor = -1
        if path == ":memory:":
            self._connection = _connect(":memory:")
            return
        self._lock_descriptor = _lock(self._path)
        try:
            self._connection = self._open()
        except sqlite3.Error as error:
            os.close(self._lock_descriptor)
            raise MmpipeError(f"{path}: cannot open the database: {error}; check folder and disk") from error

    def write(self, rows: Iterable[Row], now_ns: int) -> None:
        """Take rows; commit all that wait when the interval is over.

        Parameters
        ----------
        rows : iterable of Row
            Named columns of known tables; the key of an existing fill or state row updates it.
        now_ns : int
            Time on the caller's clock.
        """
        self._pending.extend(rows)
        if now_ns >= self._commit_due_ns:
            self._commit_due_ns = now_ns + self._commit_interval_ns
            self.commit()

    def commit(self) -> bool:
        """Commit what waits now; False when the database was locked and the rows are kept for later."""
        if not self._pending:
            return True
        try:
            with self._connection:
                for row in self._pending:
                    self._connection.execute(self._statement(row), tuple(row.columns.values()))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in TRANSIENT:
                raise
            # A projection may fall behind, the line must not wait for it.
            self.retries += 1
            excess = max(len(self._pending) - PENDING_ROWS_MAX, 0)
            del self._pending[:excess]
            self.rows_dropped += excess
            return False
        self.rows_written += len(self._pending)
        self._pending.clear()
        return True

    def load_state(self, key: str) -> dict[str, Any] | None:
        """The JSON object saved under `key` in model_state, None if there is none or it is unreadable."""
        found = self.select("SELECT json FROM model_state WHERE key = ?", key)
        try:
            state = json.loads(found[0][0]) if found else None
        except ValueError:
            return None
        return state if isinstance(state, dict) else None

    def select(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Rows of a query, for reports and tests; what was not yet committed is not seen."""
        return self._connection.execute(query, arguments).fetchall()

    def rebuild_fills(self, journal_path: Path) -> int:
        """Bring back the fills a journal proves; what came of them stays as it is.

        Parameters
        ----------
        journal_path : Path
            A journal of the same run.

        Returns
        -------
        int
            Fills read.

        Raises
        ------
        JournalError
            The journal cannot be trusted.
        """
        fills = [
            fill_row(answer)
            for kind, rows in read(journal_path)
            if kind is JournalKind.ANSWER
            for answer in rows[rows["kind"] == int(AnswerKind.FILL)]
        ]
        self._pending.extend(fills)
        self.commit()
        return len(fills)

    def close(self) -> None:
        """Commit what waits and release the file."""
        self.commit()
        self._connection.close()
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(str(self._path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            self.set_aside = _set_aside(self._path)
            return _connect(str(self._path))

    def _statement(self, row: Row) -> str:
        shape = (row.table, *row.columns)
        if shape not in self._statements:
            self._statements[shape] = _insert(row)
        return self._statements[shape]


def loops_row(loops: dict[str, dict[str, Any]], now_ns: int) -> Row:
    """The state of the feedback loops as a row of table `model_state`, for `read_loops`."""
    return Row("model_state", {"key": LOOPS_KEY, "json": json.dumps(loops), "updated_ts_ns": now_ns})


def read_loops(path: Path) -> dict[str, dict[str, Any]]:
    """Feedback loops as last written to a database, read beside its writer; {} when there is none yet."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as reader:
            found = reader.execute("SELECT json FROM model_state WHERE key = ?", (LOOPS_KEY,)).fetchone()
    except sqlite3.Error:
        return {}
    return json.loads(found[0]) if found else {}


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if verdict != "ok" or version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"{verdict}, schema version {version}")
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _insert(row: Row) -> str:
    # Names come from our own rows, never from outside; values are always bound.
    assert row.table in TABLES, f"no table {row.table}"
    names = tuple(row.columns)
    assert all(name.isidentifier() for name in names), f"columns {names} of {row.table}"
    columns, marks = ", ".join(names), ", ".join("?" * len(names))
    statement = f"INSERT INTO {row.table} ({columns}) VALUES ({marks})"
    if row.table not in KEYS:
        return statement
    keys = KEYS[row.table]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    return f"{statement} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"


def _lock(path: Path) -> int:
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MmpipeError(f"{path}: cannot create the database: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise MmpipeError(f"{path}: another process writes this database; stop it first") from error
    return descriptor


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        # They belong to the damaged file and would be replayed into the new one.
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
