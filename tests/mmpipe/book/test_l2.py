"""The book against two dicts, its recovery, and the recorded markets it must rebuild uncrossed."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.book.l2 import BOOK, LEVELS_MAX, apply, best_tick, is_valid, judge, level_at, qty_at
from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.recording.npz import load
from mmpipe.records import EVENT
from ringbuf.jit import kernel
from tests.oracles.book import Book

CLEAR, DELTA, BBO, GAP = EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA, EventKind.BBO, EventKind.GAP
RECORDINGS = Path(os.environ.get("MMPIPE_DATA", "../shared/data")) / "norm"


@kernel
def _feed(books: np.ndarray, events: np.ndarray, counts: np.ndarray) -> None:
    for index in range(len(events)):
        if not apply(books[0], events[index]):
            counts[0] += 1
        elif judge(books[0], events[index]):
            counts[1] += 1


@kernel
def _look(books: np.ndarray, side: int, tick: int) -> tuple[bool, int, float]:
    best = best_tick(books[0], side) if books[0]["count"][0 if side > 0 else 1] > 0 else 0
    return is_valid(books[0]), best, qty_at(books[0], side, tick)


def _rows(*rows: tuple) -> np.ndarray:
    # kind, stamp, side, tick, qty, flags
    events = np.zeros(len(rows), EVENT)
    for event, (kind, stamp, side, tick, qty, flags) in zip(events, rows, strict=True):
        event["kind"], event["side"], event["qty"], event["flags"] = kind, side, qty, flags
        event["exch_ts_ns"] = event["local_ts_ns"] = stamp
        event["px"], event["px_tick"] = tick, tick
    return events


def _fed(events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    books, counts = np.zeros(1, BOOK), np.zeros(2, np.int64)
    _feed(books, events, counts)
    return books, counts


def _side(books: np.ndarray, side: int) -> list[tuple[int, float]]:
    index = 0 if side > 0 else 1
    count = int(books["count"][0, index])
    keys, qtys = books["key"][0, index, :count], books["qty"][0, index, :count]
    return [(side * int(key), float(qty)) for key, qty in zip(keys[::-1], qtys[::-1], strict=True)]


SNAPSHOT = (
    (CLEAR, 5, 0, 0, 0.0, 0),
    (DELTA, 5, 1, 100, 2.0, 0),
    (DELTA, 5, 1, 99, 3.0, 0),
    (DELTA, 5, -1, 102, 4.0, 0),
    (DELTA, 5, -1, 103, 5.0, 1),
)


def test_a_snapshot_and_a_delta_by_hand() -> None:
    books, counts = _fed(_rows(*SNAPSHOT, (DELTA, 6, 1, 101, 1.5, 0), (DELTA, 6, -1, 102, 0.0, 1)))
    assert _side(books, 1) == [(101, 1.5), (100, 2.0), (99, 3.0)]
    assert _side(books, -1) == [(103, 5.0)]
    assert _look(books, -1, 103) == (True, 103, 5.0)
    assert counts.tolist() == [0, 0]


message = st.tuples(
    st.sampled_from([CLEAR, DELTA, DELTA, DELTA, DELTA, BBO, BBO, GAP]),
    st.integers(1, 12),
    st.sampled_from([1, -1]),
    st.integers(95, 105),
    st.integers(0, 5).map(float),
    st.sampled_from([0, 1]),
)


@given(st.lists(message, max_size=60))
@settings(max_examples=150, deadline=None)
def test_equals_two_dicts_in_any_order_of_arrival(rows: list[tuple]) -> None:
    oracle = Book()
    for kind, stamp, side, tick, qty, last in rows:
        if kind == CLEAR:
            oracle.clear(stamp)
        elif kind == GAP:
            oracle.gap()
        elif kind == DELTA:
            oracle.delta(stamp, side, tick, qty)
        else:
            oracle.bbo(stamp, side, tick, qty)
        oracle.skipping = oracle.skipping and not last
    closed = [*rows, (DELTA, 1, 1, 1, 0.0, int(EventFlag.LAST))]
    books, counts = _fed(_rows(*closed))
    assert counts[0] == 0
    assert _side(books, 1) == oracle.side(1)
    assert _side(books, -1) == oracle.side(-1)
    assert _look(books, 1, 1)[0] == oracle.valid()


def test_a_fast_message_replaces_what_it_shows_and_leaves_deeper_levels_their_age() -> None:
    fast, last_fast = int(EventFlag.FAST), int(EventFlag.FAST | EventFlag.LAST)
    rows = _rows(
        *SNAPSHOT,
        (CLEAR, 9, 0, 0, 0.0, fast),
        (DELTA, 9, 1, 101, 1.0, fast),
        (DELTA, 9, 1, 99, 7.0, fast),
        (DELTA, 9, -1, 102, 6.0, last_fast),
    )
    books, _ = _fed(rows)
    assert _side(books, 1) == [(101, 1.0), (99, 7.0)]  # 100 lay between two shown levels
    assert _side(books, -1) == [(102, 6.0), (103, 5.0)]
    assert books["ts_ns"][0, 1, :2].tolist() == [5, 9]
    assert books["generation"][0] == 1


def test_rows_older_than_the_best_quote_do_not_change_it_and_deeper_ones_still_count() -> None:
    quote = ((BBO, 9, 1, 101, 8.0, 1),)
    old = ((DELTA, 7, 1, 101, 1.0, 0), (DELTA, 7, -1, 101, 1.0, 0), (DELTA, 7, 1, 99, 6.0, 1))
    books, counts = _fed(_rows(*SNAPSHOT, *quote, *old))
    assert _side(books, 1) == [(101, 8.0), (100, 2.0), (99, 6.0)]
    assert _side(books, -1) == [(102, 4.0), (103, 5.0)]
    _feed(books, _rows((DELTA, 9, 1, 101, 1.0, 1)), counts)
    assert _look(books, 1, 101) == (True, 101, 1.0)  # as new as the quote: it counts


def test_an_older_snapshot_keeps_the_newer_best_quote() -> None:
    books, _ = _fed(_rows((BBO, 9, 1, 101, 8.0, 1), *SNAPSHOT))
    assert _side(books, 1) == [(101, 8.0), (100, 2.0), (99, 3.0)]


@pytest.mark.parametrize("fast", [0, int(EventFlag.FAST)])
def test_a_message_older_than_the_book_is_passed_over_whole(fast: int) -> None:
    old = ((CLEAR, 4, 0, 0, 0.0, fast), (DELTA, 4, 1, 98, 9.0, fast), (DELTA, 4, -1, 104, 9.0, fast | 1))
    books, _ = _fed(_rows(*SNAPSHOT, *old))
    assert _side(books, 1) == [(100, 2.0), (99, 3.0)]
    assert _side(books, -1) == [(102, 4.0), (103, 5.0)]
    assert (books["message_ts_ns"][0], books["exch_ts_ns"][0]) == (5, 5)
    _feed(books, _rows((DELTA, 4, 1, 98, 9.0, 1)), np.zeros(2, np.int64))  # the next message counts
    assert _side(books, 1) == [(100, 2.0), (99, 3.0), (98, 9.0)]


def test_a_best_quote_older_than_the_book_is_nothing_new() -> None:
    books, _ = _fed(_rows(*SNAPSHOT, (BBO, 4, 1, 98, 1.0, 1)))
    assert _side(books, 1) == [(100, 2.0), (99, 3.0)]


def test_a_best_quote_removes_what_it_crosses_or_locks() -> None:
    books, counts = _fed(_rows(*SNAPSHOT, (BBO, 9, 1, 102, 1.0, 1)))
    assert _side(books, -1) == [(103, 5.0)]
    assert counts[1] == 0


def test_a_delta_that_crosses_within_a_message_is_judged_at_its_end() -> None:
    books, counts = _fed(_rows(*SNAPSHOT, (DELTA, 6, 1, 102, 1.0, 0)))
    assert not _look(books, 1, 102)[0]  # inside a message
    _feed(books, _rows((DELTA, 6, -1, 102, 0.0, 1)), counts)
    assert _look(books, 1, 102) == (True, 102, 1.0)
    assert counts[1] == 0


def test_a_crossed_book_is_counted_once_and_quarantined_until_it_uncrosses() -> None:
    books, counts = _fed(_rows(*SNAPSHOT, (DELTA, 6, 1, 102, 1.0, 1), (DELTA, 7, 1, 98, 1.0, 1)))
    assert counts[1] == 1
    assert not _look(books, 1, 102)[0]
    _feed(books, _rows((DELTA, 8, 1, 102, 0.0, 1)), counts)
    assert _look(books, 1, 100)[0]


def test_after_a_gap_nothing_counts_before_the_next_clear() -> None:
    books, _ = _fed(_rows(*SNAPSHOT, (GAP, 6, 0, 0, 0.0, 1), (DELTA, 7, 1, 100, 1.0, 1)))
    assert _look(books, 1, 100) == (False, 0, 0.0)
    _feed(books, _rows(*SNAPSHOT), np.zeros(2, np.int64))
    assert _look(books, 1, 100)[0]
    assert books["generation"][0] == 2


def test_more_levels_than_fit_drop_the_deepest() -> None:
    count = LEVELS_MAX + 3
    rows = [(DELTA, 5, 1, 10_000 + step, 1.0, 0) for step in np.random.default_rng(1).permutation(count)]
    books, _ = _fed(_rows((CLEAR, 5, 0, 0, 0.0, 0), *rows))
    assert [tick for tick, _ in _side(books, 1)] == [10_000 + step for step in range(count - 1, 2, -1)]


@pytest.mark.parametrize(
    ("field", "value"),
    [("qty", np.nan), ("qty", -1.0), ("px", np.nan), ("px_tick", 0), ("side", 0), ("kind", 1)],
)
def test_a_row_that_cannot_be_is_refused_and_changes_nothing(field: str, value: float) -> None:
    books, counts = _fed(_rows(*SNAPSHOT))
    before = books.copy()
    bad = _rows((DELTA, 6, 1, 101, 1.0, 1))
    bad[field] = value
    _feed(books, bad, counts)
    assert counts[0] == 1
    assert books.tobytes() == before.tobytes()


NAMES = (
    "binance_usdm_BTC_20240808",
    "binance_spot_BTC_20240808+09",
    "binance_cm_BTC_20240808+09",
    "hl_BTC_20250904",
    "hl_ETH_20250904",
    "hl_SOL_20250904",
)


@pytest.mark.parametrize("quotes", [False, True], ids=["book", "book_and_bbo"])
@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_market_is_rebuilt_without_a_crossed_book(name: str, quotes: bool) -> None:
    path = RECORDINGS / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent: set MMPIPE_DATA to the folder of recorded markets")
    events = load(path, 0, Venue.LEAD).events
    kinds = [CLEAR, DELTA, BBO] if quotes else [CLEAR, DELTA]
    events = np.ascontiguousarray(events[np.isin(events["kind"], kinds)])
    books, counts = _fed(events)
    assert counts.tolist() == [0, 0]
    assert _look(books, 1, 1)[0]


@pytest.mark.parametrize("name", NAMES[3:])
def test_the_shown_levels_equal_the_last_recorded_snapshot(name: str) -> None:
    path = RECORDINGS / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent: set MMPIPE_DATA to the folder of recorded markets")
    recording = load(path, 0, Venue.MAKER)
    events = recording.events[np.isin(recording.events["kind"], [CLEAR, DELTA])]
    start = int(np.flatnonzero(events["kind"] == CLEAR)[-1])
    books, _ = _fed(np.ascontiguousarray(events))
    for side in (1, -1):
        rows = events[start + 1 :]
        rows = rows[rows["side"] == side]
        expected = sorted(zip(rows["px_tick"].tolist(), rows["qty"].tolist(), strict=True))
        assert _side(books, side) == (expected[::-1] if side > 0 else expected)


def _levels(rows: list[tuple[EventKind, int, int, float, int]]) -> np.ndarray:
    books, row = np.zeros(1, BOOK), np.zeros(1, EVENT)
    for kind, side, tick, qty, stamp in rows:
        row["kind"], row["side"], row["px_tick"], row["qty"], row["px"] = kind, side, tick, qty, tick
        row["remote_seq"] = row["local_ts_ns"] = stamp
        apply(books[0], row[0])
    return books


def test_unseen_is_not_empty() -> None:
    clear, delta, best = CLEAR, DELTA, BBO
    rows = [(clear, 0, 0, 0.0, 5), (delta, 1, 100, 3.0, 5), (delta, 1, 98, 4.0, 5), (delta, -1, 103, 1.0, 5)]
    book = _levels(rows)[0]
    assert level_at(book, 1, 100) == (3.0, 5)
    assert level_at(book, 1, 99) == level_at(book, 1, 101) == level_at(book, -1, 102) == (0.0, 0)
    assert level_at(book, 1, 97) == level_at(book, -1, 104) == (-1.0, 0)
    # A best quote newer than every level: what lies between was perhaps filled on its way.
    book = _levels([*rows, (best, 1, 102, 1.0, 6)])[0]
    assert level_at(book, 1, 102) == (1.0, 6)
    assert level_at(book, 1, 101) == (-1.0, 0)
    assert level_at(book, 1, 99) == (0.0, 0)
    assert level_at(book, 1, 100) == (3.0, 5)
    book = _levels([*rows, (best, 1, 102, 1.0, 6), (delta, 1, 100, 2.0, 7)])[0]
    assert level_at(book, 1, 101) == (0.0, 0)
