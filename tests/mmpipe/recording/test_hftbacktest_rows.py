"""hftbacktest's rows give the local side's book, clears included."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.hftbacktest_rows import hftbacktest_events
from mmpipe.recording.npz import load

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
REAL = DATA / "hftbacktest" / "usdm_btcusdt_20240808.z.npz"
DTYPE = np.dtype(
    {
        "names": ["ev", "exch_ts", "local_ts", "px", "qty", "order_id", "ival", "fval"],
        "formats": ["u8", "i8", "i8", "f8", "f8", "u8", "i8", "f8"],
    }
)
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
DEPTH, TRADE, CLEAR, SNAPSHOT, BBO = range(1, 6)
BOTH = EXCH | LOCAL


def rows(*events: tuple[int, int, float, float]) -> np.ndarray:
    data = np.zeros(len(events), DTYPE)
    for row, (ev, ts, px, qty) in zip(data, events, strict=True):
        row["ev"], row["exch_ts"], row["local_ts"], row["px"], row["qty"] = ev, ts, ts + 5, px, qty
    return data


def book(events: np.ndarray) -> dict[tuple[int, float], float]:
    levels: dict[tuple[int, float], float] = {}
    for event in events[events["kind"] == EventKind.BOOK_DELTA]:
        key = int(event["side"]), float(event["px"])
        levels.pop(key, None)
        if event["qty"] > 0:
            levels[key] = float(event["qty"])
    return levels


LEVELS = [(DEPTH | BOTH | BUY, 1, px, 1.0) for px in (97.0, 98.0, 99.0, 100.0)]
LEVELS += [(DEPTH | BOTH | SELL, 1, px, 1.0) for px in (101.0, 102.0)]


def test_kinds_sides_and_times() -> None:
    got = hftbacktest_events(Path("f"), rows(*LEVELS[:1], (TRADE | BOTH | SELL, 2, 97.0, 3.0)))
    assert got["kind"].tolist() == [EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA, EventKind.TRADE]
    assert got["side"].tolist() == [0, 1, -1]
    assert got["local_ts_ns"].tolist() == [6, 6, 7]
    assert set(got["flags"]) == {EventFlag.LAST}


def test_a_partial_clear_deletes_down_to_its_price_and_no_further() -> None:
    got = hftbacktest_events(Path("f"), rows(*LEVELS, (CLEAR | BOTH | BUY, 2, 99.0, 0.0)))
    assert sorted(book(got)) == [(-1, 101.0), (-1, 102.0), (1, 97.0), (1, 98.0)]


def test_clears_of_a_side_and_of_both() -> None:
    got = hftbacktest_events(Path("f"), rows(*LEVELS, (CLEAR | BOTH | SELL, 2, np.nan, 0.0)))
    assert {side for side, _ in book(got)} == {1}
    got = hftbacktest_events(Path("f"), rows(*LEVELS, (CLEAR | BOTH, 2, 0.0, 0.0), LEVELS[0]))
    assert book(got) == {(1, 97.0): 1.0}


def test_rows_of_the_exchange_side_alone_are_skipped() -> None:
    got = hftbacktest_events(Path("f"), rows(*LEVELS[:1], (DEPTH | EXCH | BUY, 2, 98.0, 3.0)))
    assert book(got) == {(1, 97.0): 1.0}
    with pytest.raises(DataError, match="no rows for the local side"):
        hftbacktest_events(Path("f"), rows((DEPTH | EXCH | BUY, 2, 98.0, 3.0)))


def test_bad_rows_are_named() -> None:
    for bad, cause in (
        ((DEPTH | BOTH, 1, 97.0, 1.0), "row 6: no side"),
        ((DEPTH | BOTH | BUY, 1, np.nan, 1.0), "row 6: price"),
        ((DEPTH | BOTH | BUY, 1, 97.0, -1.0), "row 6: quantity"),
        ((DEPTH | BOTH | BUY, -9, 97.0, 1.0), "row 6: receive time"),
    ):
        with pytest.raises(DataError, match=cause):
            hftbacktest_events(Path("f"), rows(*LEVELS, bad))
    with pytest.raises(DataError, match="'qty'"):
        hftbacktest_events(
            Path("f"), np.zeros(1, [("ev", "u8"), ("px", "f8"), ("exch_ts", "i8"), ("local_ts", "i8")])
        )


@pytest.mark.skipif(not REAL.is_file(), reason=f"no recorded market data at {REAL} (set MMPIPE_DATA)")
def test_the_real_file_carries_the_trades_of_the_same_capture() -> None:
    got = load(REAL, 0, Venue.MAKER)
    want = load(DATA / "norm" / "binance_usdm_BTC_20240808.npz", 0, Venue.MAKER)
    trades = [part.events[part.events["kind"] == EventKind.TRADE] for part in (got, want)]
    assert np.array_equal(trades[0]["px_tick"], trades[1]["px_tick"])
    assert np.array_equal(trades[0]["qty"], trades[1]["qty"])
