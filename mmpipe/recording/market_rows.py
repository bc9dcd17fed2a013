"""Columns of one market as EVENT rows: what all table-like sources have in common.

A source gives its rows in order of arrival and says which rows begin a message and which begin a book anew;
here BOOK_CLEARs are put in, messages closed, trades told twice dropped, history flagged, and the grid found.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.grid import put_on_grid
from mmpipe.recording.manifest import Market
from mmpipe.recording.recorded import Finding, Recording, make_monotone

HISTORY_LAG_NS: Final = (
    3_000_000_000  # a Hyperliquid trade this much later than its quotes was sent as history
)
LAST: Final = np.uint16(EventFlag.LAST)
HISTORY: Final = np.uint16(EventFlag.HISTORY)


def refuse_bad_rows(path: Path, checks: Mapping[str, np.ndarray], unit: str, first_number: int) -> None:
    """Refuse the first row that fails a check.

    Parameters
    ----------
    path : Path
        Where the rows come from.
    checks : mapping of str to ndarray of bool, shape (n,)
        Cause, and which rows are sound.
    unit : str
        What the source's rows are called: `row` or `line`.
    first_number : int
        Number of the first one.

    Raises
    ------
    DataError
        Names file, row and cause.
    """
    for cause, sound in checks.items():
        if not sound.all():
            raise DataError(f"{path}: {unit} {int(np.argmin(sound)) + first_number}: {cause}")


def assembled(rows: np.ndarray, first: np.ndarray, begins_book: np.ndarray) -> tuple[np.ndarray, int]:
    """Close messages, drop repeated trades, and put a BOOK_CLEAR before every new book.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        In order of arrival, without LAST flags.
    first : ndarray of bool, shape (n,)
        Rows that begin a message.
    begins_book : ndarray of bool, shape (n,)
        Rows at whose message the book starts anew.

    Returns
    -------
    tuple of ndarray of EVENT and int
        The stream, and how many trades were dropped.
    """
    rows["flags"][np.append(first[1:], True)] |= LAST
    keep = ~repeated_trades(rows)
    _keep_last_flags(rows, keep)
    clears = np.flatnonzero(first & begins_book & keep)
    clear_rows = rows[clears].copy()
    for name in ("px", "qty", "side", "flags"):
        clear_rows[name] = 0
    clear_rows["kind"] = EventKind.BOOK_CLEAR
    order = np.argsort(np.concatenate((np.flatnonzero(keep) + 0.5, clears)), kind="stable")
    return np.concatenate((rows[keep], clear_rows))[order], int((~keep).sum())


def finished(
    path: Path, market: Market, venue: Venue, rows: np.ndarray, row_count: int, repeated_count: int
) -> Recording:
    """One market's stream as a `Recording`: symbol and role written, grid found, receive time monotone.

    Raises
    ------
    DataError
        Prices are finer than any grid.
    """
    rows["symbol"], rows["venue"] = market.symbol, venue
    try:
        instrument = put_on_grid(rows, market.symbol)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    reordered_count = make_monotone(rows)
    return Recording(
        market.coin, rows, instrument, row_count, repeated_count, reordered_count, markets=(market,)
    )


def steps_back(path: Path, times: np.ndarray, unit: str, first_number: int) -> tuple[Finding, ...]:
    """A finding when the receive time goes back: a recorder writes in order, so rows are out of place.

    Parameters
    ----------
    path : Path
        Where the rows come from.
    times : ndarray of int64, shape (n,)
        Receive times as they stand in the source, ns.
    unit : str
        What the source's rows are called.
    first_number : int
        Number of the first one.
    """
    back = np.flatnonzero(np.diff(times) < 0) + 1
    if not back.size:
        return ()
    row = int(back[0])
    late_ms = float(times[row - 1] - times[row]) / NS_PER_MS
    text = f"{unit} {row + first_number}: receive time goes back by {late_ms:.3f} ms"
    more = f" (and {back.size - 1} more such {unit}s)" if back.size > 1 else ""
    return (Finding(True, str(path), text + more),)


def flag_history(rows: np.ndarray) -> None:
    """Flag Hyperliquid's replay at subscription: trades far older than what arrives beside them.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        `flags` is changed in place.
    """
    lag_ns = rows["local_ts_ns"] - rows["exch_ts_ns"]
    trade = rows["kind"] == EventKind.TRADE
    usual_ns = int(np.median(lag_ns[~trade])) if (~trade).any() else 0
    rows["flags"][trade & (lag_ns > usual_ns + HISTORY_LAG_NS)] |= HISTORY


def repeated_trades(rows: np.ndarray) -> np.ndarray:
    """Which rows are trades whose id was seen before, shape (n,) of bool; id 0 is no id."""
    trades = np.flatnonzero((rows["kind"] == EventKind.TRADE) & (rows["remote_seq"] != 0))
    repeated = np.zeros(len(rows), bool)
    repeated[trades] = True
    _, first = np.unique(rows["remote_seq"][trades], return_index=True)
    repeated[trades[first]] = False
    return repeated


def _keep_last_flags(rows: np.ndarray, keep: np.ndarray) -> None:
    # A message whose last row is dropped ends with the row before, if that is its own.
    for index in np.flatnonzero(~keep & (rows["flags"] & EventFlag.LAST > 0)).tolist():
        before = index - 1
        while before >= 0 and not keep[before] and not rows["flags"][before] & EventFlag.LAST:
            before -= 1
        if before >= 0:
            rows["flags"][before] |= LAST
