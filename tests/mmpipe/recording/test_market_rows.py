"""What table-like sources have in common: messages, repeats, history, receive times that go back."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.manifest import Market
from mmpipe.recording.market_rows import (
    assembled,
    finished,
    flag_history,
    refuse_bad_rows,
    repeated_trades,
    steps_back,
)
from mmpipe.recording.recorded import make_monotone
from mmpipe.records import EVENT

PATH = Path("some.csv")


def rows(kinds: list[EventKind], ids: list[int]) -> np.ndarray:
    made = np.zeros(len(kinds), EVENT)
    made["kind"], made["remote_seq"], made["px"], made["qty"] = kinds, ids, 100.0, 1.0
    made["local_ts_ns"] = 10 + np.arange(len(kinds))
    return made


def test_messages_are_closed_and_books_begun() -> None:
    depth, trade = EventKind.BOOK_DELTA, EventKind.TRADE
    made = rows([depth, depth, trade, trade, trade], [1, 1, 7, 8, 7])
    first = np.array([True, False, True, True, False])
    events, repeated = assembled(made, first, np.array([True, True, False, False, False]))
    assert [EventKind(kind).name[:5] for kind in events["kind"]] == [
        "BOOK_",
        "BOOK_",
        "BOOK_",
        "TRADE",
        "TRADE",
    ]
    assert events["kind"][0] == EventKind.BOOK_CLEAR
    assert (events["px"][0], events["local_ts_ns"][0]) == (0.0, 10)
    # The last message lost its last row, told before; the row before closes it.
    assert events["flags"].tolist() == [0, 0, 1, 1, 1]
    assert repeated == 1
    assert repeated_trades(rows([trade] * 3, [0, 0, 5])).tolist() == [False, False, False]


def test_a_finished_stream_has_market_role_grid_and_order() -> None:
    made = rows([EventKind.TRADE] * 3, [1, 2, 3])
    made["px"], made["local_ts_ns"] = [100.1, 100.2, 100.3], [5, 4, 6]
    got = finished(PATH, Market(3, "BTC", ""), Venue.LEAD, made, 9, 2)
    assert got.events["local_ts_ns"].tolist() == [5, 5, 6]
    assert set(got.events["symbol"]) == {3}
    assert set(got.events["venue"]) == {Venue.LEAD}
    assert got.events["px_tick"].tolist() == (np.array([1001, 1002, 1003]) * 10**5).tolist()
    assert (got.row_count, got.repeated_count, got.reordered_count) == (9, 2, 1)
    made["px"] = 1e-7
    with pytest.raises(DataError, match=r"some.csv: prices need 7 decimals"):
        finished(PATH, Market(0, "BTC", ""), Venue.LEAD, made, 9, 2)


def test_rows_are_refused_by_number() -> None:
    with pytest.raises(DataError, match=r"some.csv: line 4: too bad"):
        refuse_bad_rows(PATH, {"fine": np.ones(3, bool), "too bad": np.arange(3) < 2}, "line", 2)


def test_steps_back_are_named_and_levelled() -> None:
    times = np.array([5, 9, 3, 4, 10, 8], np.int64) * 1_000_000
    found = steps_back(PATH, times, "row", 0)
    assert found[0].problem
    assert found[0].text == "row 2: receive time goes back by 6.000 ms (and 1 more such rows)"
    assert steps_back(PATH, np.sort(times), "row", 0) == ()
    made = rows([EventKind.TRADE] * 6, [1, 2, 3, 4, 5, 6])
    made["local_ts_ns"] = times
    assert make_monotone(made) == 3
    assert (made["local_ts_ns"] // 1_000_000).tolist() == [5, 9, 9, 9, 10, 10]


def test_old_trades_are_history() -> None:
    made = rows([EventKind.BBO, EventKind.TRADE, EventKind.TRADE], [0, 1, 2])
    made["local_ts_ns"] = 20_000_000_000
    made["exch_ts_ns"] = 20_000_000_000 - np.array([4, 6, 8]) * 10**9
    flag_history(made)
    assert (made["flags"] & EventFlag.HISTORY > 0).tolist() == [False, False, True]
