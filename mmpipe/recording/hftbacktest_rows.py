"""hftbacktest's event array as EVENT rows: what its local processor would see, in its order.

Rows written only for its exchange processor are skipped. A clear of part of one side has no EVENT of its
own; it becomes deletions of the levels that stand there. The format has no message boundaries: depth rows
of equal times are one message.

References
----------
hftbacktest 2.4.4, "Data" (event flags); its one-sided clear skips a price, ours does not.
"""

from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.enums import EventFlag, EventKind, Side
from mmpipe.errors import DataError
from mmpipe.records import EVENT

FIELDS: Final = ("ev", "exch_ts", "local_ts", "px", "qty")
LOCAL: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28
DEPTH, TRADE, CLEAR, SNAPSHOT, BBO = range(1, 6)
KINDS: Final = {
    DEPTH: EventKind.BOOK_DELTA,
    TRADE: EventKind.TRADE,
    SNAPSHOT: EventKind.BOOK_DELTA,
    BBO: EventKind.BBO,
}


def hftbacktest_events(path: Path, data: np.ndarray) -> np.ndarray:
    """Convert an event array.

    Parameters
    ----------
    path : Path
        Where it comes from, for messages.
    data : ndarray of hftbacktest's event dtype, shape (n,)
        Field names `ev, exch_ts, local_ts, px, qty` are used.

    Returns
    -------
    ndarray of EVENT, shape (m,)
        Without symbol, venue and tick; starts with a BOOK_CLEAR.

    Raises
    ------
    DataError
        A field is missing, or a row has no side, price, quantity or time.
    """
    missing = [name for name in FIELDS if name not in (data.dtype.names or ())]
    if missing or data.ndim != 1:
        raise DataError(f"{path}: 'data' is no hftbacktest event array: fields {missing} are missing")
    kind = (data["ev"] & 0xFF).astype(np.int64)
    used = np.flatnonzero((data["ev"] & LOCAL > 0) & (kind >= DEPTH) & (kind <= BBO))
    if not used.size:
        raise DataError(f"{path}: no rows for the local side")
    _check_rows(path, data, kind, used)
    rows = np.zeros(used.size, EVENT)
    rows["local_ts_ns"], rows["exch_ts_ns"] = data["local_ts"][used], data["exch_ts"][used]
    rows["px"], rows["qty"] = data["px"][used], data["qty"][used]
    rows["side"] = np.where(
        data["ev"][used] & BUY > 0, Side.BUY, np.where(data["ev"][used] & SELL > 0, Side.SELL, 0)
    )
    for code, event_kind in KINDS.items():
        rows["kind"][kind[used] == code] = event_kind
    rows = _with_deletions(rows, np.flatnonzero(kind[used] == CLEAR))
    _flag_messages(rows)
    start = np.zeros(1, EVENT)
    start["kind"], start["local_ts_ns"] = EventKind.BOOK_CLEAR, rows["local_ts_ns"][0]
    start["exch_ts_ns"], start["flags"] = rows["exch_ts_ns"][0], EventFlag.LAST
    return np.concatenate((start, rows))


def _check_rows(path: Path, data: np.ndarray, kind: np.ndarray, used: np.ndarray) -> None:
    px, qty, ev = data["px"][used], data["qty"][used], data["ev"][used]
    clear = kind[used] == CLEAR
    checks = {
        "no side": clear | (ev & (BUY | SELL) > 0),
        "price is not a positive number": clear | ((px > 0.0) & np.isfinite(px)),
        "quantity is not a number >= 0": (qty >= 0.0) & np.isfinite(qty),
        "receive time is not positive": data["local_ts"][used] > 0,
    }
    for cause, sound in checks.items():
        if not sound.all():
            raise DataError(f"{path}: row {int(used[np.argmin(sound)])}: {cause}")


def _with_deletions(rows: np.ndarray, clears: np.ndarray) -> np.ndarray:
    levels: tuple[set[float], set[float]] = (set(), set())
    parts: list[np.ndarray] = []
    start = 0
    for clear in clears.tolist():
        parts.append(rows[start:clear])
        _follow(levels, parts[-1])
        parts.append(_deletions(levels, rows[clear]))
        _follow(levels, parts[-1])
        start = clear + 1
    return np.concatenate((*parts, rows[start:]))


def _follow(levels: tuple[set[float], set[float]], rows: np.ndarray) -> None:
    # Only the last row of each price counts.
    depth = rows[rows["kind"] == EventKind.BOOK_DELTA]
    for index, side in enumerate((Side.BUY, Side.SELL)):
        own = depth[depth["side"] == side][::-1]
        px, last = np.unique(own["px"], return_index=True)
        standing = own["qty"][last] > 0.0
        levels[index].update(px[standing].tolist())
        levels[index].difference_update(px[~standing].tolist())


def _deletions(levels: tuple[set[float], set[float]], clear: np.void) -> np.ndarray:
    # From the best price to the clear's, or all of a side where it names no price; without a side both.
    gone: list[tuple[int, float]] = []
    for index, side in enumerate((Side.BUY, Side.SELL)):
        if clear["side"] not in (0, side):
            continue
        bounded = clear["side"] != 0 and np.isfinite(clear["px"])
        gone += [
            (side, px)
            for px in sorted(levels[index])
            if not bounded or side * px >= side * float(clear["px"])
        ]
    rows = np.zeros(len(gone), EVENT)
    rows["kind"], rows["local_ts_ns"] = EventKind.BOOK_DELTA, clear["local_ts_ns"]
    rows["exch_ts_ns"] = clear["exch_ts_ns"]
    if gone:
        rows["side"], rows["px"] = np.array(gone).T
    return rows


def _flag_messages(rows: np.ndarray) -> None:
    last = np.ones(len(rows), bool)
    same = rows["kind"][1:] == rows["kind"][:-1]
    same &= rows["kind"][1:] == EventKind.BOOK_DELTA
    for name in ("local_ts_ns", "exch_ts_ns"):
        same &= rows[name][1:] == rows[name][:-1]
    last[:-1] = ~same
    rows["flags"][last] = EventFlag.LAST
