"""Three CSV files of a coin become one stream, and a line that cannot be is named."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.hyperliquid_csv import coins_of, load_hyperliquid_csv
from mmpipe.recording.npz import load
from tests.mmpipe.recording.made import hyperliquid_csv, write_gz

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)
COINS = {"BTC": (185_747, 0, 3), "ETH": (188_665, 17, 3), "SOL": (182_129, 10, 3)}


def test_a_set_becomes_a_stream(tmp_path: Path) -> None:
    got = load_hyperliquid_csv(hyperliquid_csv(tmp_path), "BTC", 2, Venue.MAKER)
    kinds = [EventKind(kind).name for kind in got.events["kind"]]
    book = ["BOOK_CLEAR", *["BOOK_DELTA"] * 4]
    assert kinds == [*book, "BBO", "BBO", *book, "TRADE", "TRADE", "BBO", "BBO", *book]
    assert (got.repeated_count, got.repeated_books, got.findings) == (1, 1, ())
    assert got.events["local_ts_ns"][0] == 1_700_000_000_100_000_100
    first_book = got.events[1:5]
    assert first_book["side"].tolist() == [1, 1, -1, -1]
    assert first_book["px"].tolist() == [100.0, 99.0, 101.0, 102.0]
    assert first_book["level"].tolist() == [0, 1, 0, 1]
    assert got.events["flags"][:7].tolist() == [0, 0, 0, 0, 1, 0, 1]
    trades = got.events[got.events["kind"] == EventKind.TRADE]
    assert trades["side"].tolist() == [1, -1]
    assert trades["remote_seq"].tolist() == [501, 502]
    assert (trades["flags"] & EventFlag.HISTORY > 0).tolist() == [True, False]
    assert set(got.events["symbol"]) == {2}
    assert got.markets[0].coin == "BTC"
    assert coins_of(tmp_path) == ["BTC"]


@pytest.mark.parametrize(
    ("file", "old", "new", "cause"),
    [
        ("prices", "100.0,1.5,bid", "nan,1.5,bid", "prices_BTC.csv.gz: line 2: price is not a positive"),
        ("prices", "100.0,1.5,bid", "inf,1.5,bid", "prices_BTC.csv.gz: line 2: price is not a positive"),
        ("prices", "100.0,1.5,bid", "x,1.5,bid", "line 2: column 'price': conversion error to double"),
        ("prices", "100.0,1.5,bid", ",1.5,bid", "line 2: no value in column 'price'"),
        (
            "prices",
            "2.0,ask,1700000000100",
            "2.0,top,1700000000100",
            "line 3: side is neither 'bid' nor 'ask'",
        ),
        ("prices", "timestamp,price,", "timestamp,cost,", "column(s) ['price'] are missing"),
        ("trades", "0.25,buy,501", "0.25,buy,501.5", "line 2: column 'trade_id': conversion error to int64"),
        ("trades", "0.25,buy", "-0.25,buy", "line 2: size is not a positive number"),
        ("orderbooks", "100.0,1.5,101", "100.0,nan,101", "line 2: bid_size_0 is not a positive number"),
        ("orderbooks", "bid_price_1", "bid_cost_1", "ask_price_1"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path: Path, file: str, old: str, new: str, cause: str) -> None:
    path = hyperliquid_csv(tmp_path) / f"{file}_BTC.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    assert old in text
    write_gz(path, text.replace(old, new, 1).split("\n")[:-1])
    if cause == "ask_price_1":  # one level less on both sides is a format too
        assert len(load_hyperliquid_csv(tmp_path, "BTC", 0, Venue.MAKER).events)
        return
    with pytest.raises(DataError) as refusal:
        load_hyperliquid_csv(tmp_path, "BTC", 0, Venue.MAKER)
    assert cause in str(refusal.value)
    assert f"{file}_BTC.csv.gz" in str(refusal.value)


def test_swapped_lines_are_found(tmp_path: Path) -> None:
    path = hyperliquid_csv(tmp_path) / "trades_BTC.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[:-1]
    lines[2], lines[3] = lines[3], lines[2]
    write_gz(path, lines)
    got = load_hyperliquid_csv(tmp_path, "BTC", 0, Venue.MAKER)
    assert [found.problem for found in got.findings] == [True]
    assert got.findings[0].text == "line 4: receive time goes back by 200.000 ms"


def test_a_missing_file_and_a_cut_one_are_named(tmp_path: Path) -> None:
    path = hyperliquid_csv(tmp_path) / "trades_BTC.csv.gz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"trades_BTC.csv.gz: damaged after line"):
        load_hyperliquid_csv(tmp_path, "BTC", 0, Venue.MAKER)
    path.unlink()
    with pytest.raises(DataError, match=r"trades_BTC.csv.gz: no such file"):
        load_hyperliquid_csv(tmp_path, "BTC", 0, Venue.MAKER)
    assert coins_of(tmp_path) == []


@needs_data
@pytest.mark.parametrize("coin", COINS)
def test_the_recorded_sets_are_their_normalised_files(coin: str) -> None:
    want = load(DATA / "norm" / f"hl_{coin}_20250904.npz", 0, Venue.MAKER).events
    got = load_hyperliquid_csv(DATA / "hl_4coin_20250904", coin, 0, Venue.MAKER)
    rows = int((got.events["kind"] != EventKind.BOOK_CLEAR).sum())
    assert (rows, got.repeated_count, got.repeated_books) == COINS[coin]
    assert got.findings == ()
    # Row by row; the normalised files cut receive times to microseconds and give books a number.
    for name in ("exch_ts_ns", "px", "qty", "px_tick", "kind", "side", "flags"):
        assert np.array_equal(got.events[name], want[name]), name
    assert (np.abs(got.events["local_ts_ns"] - want["local_ts_ns"]) < 1_000).all()
    trades = got.events["kind"] == EventKind.TRADE
    assert np.array_equal(got.events["remote_seq"][trades], want["remote_seq"][trades])
