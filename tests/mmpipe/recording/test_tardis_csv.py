"""Tardis' files become one stream, and a line that cannot be is named."""

import gzip
import os
from pathlib import Path

import pytest

from mmpipe.enums import EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.tardis_csv import load_tardis
from tests.mmpipe.recording.made import tardis_files, write_gz

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
CASCADE = DATA / "cascade_20251010_trades"
needs_data = pytest.mark.skipif(
    not CASCADE.is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)


def test_files_of_a_market_become_one_stream(tmp_path: Path) -> None:
    got = load_tardis(tardis_files(tmp_path), 1, Venue.MAKER)
    events = got.events
    kinds = [EventKind(kind).name for kind in events["kind"]]
    assert kinds == [
        "BOOK_CLEAR", "BOOK_DELTA", "BOOK_DELTA", "BBO", "BBO", "BOOK_DELTA", "TRADE", "TRADE", "BBO", "BBO",
        "BOOK_CLEAR", "BOOK_DELTA", "BOOK_DELTA", "BOOK_DELTA", "BOOK_DELTA", "TRADE",
    ]  # fmt: skip
    assert (events["local_ts_ns"] - events["exch_ts_ns"]).tolist() == [50_000] * len(events)
    assert events["flags"].tolist() == [0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1]
    bbo = events[events["kind"] == EventKind.BBO]
    assert bbo["px"].tolist() == [100.0, 100.5] * 2
    assert bbo["side"].tolist() == [1, -1] * 2
    assert events[events["kind"] == EventKind.TRADE]["remote_seq"].tolist() == [11, 12, 15]
    assert (got.markets[0].coin, got.findings) == ("BTCUSDT", ())


@pytest.mark.parametrize(
    ("file", "old", "new", "cause"),
    [
        ("trades", "buy,100.5,1", "buy,nan,1", "line 2: price is not a positive number"),
        ("trades", "buy,100.5,1", "bought,100.5,1", "line 2: side is none that the format knows"),
        ("trades", "11,buy,100.5,1", "11,buy,100.5,0", "line 2: amount is not a number of the right sign"),
        ("trades", "local_timestamp", "received", "column(s) ['local_timestamp'] are missing"),
        ("trades", "100.5,1\n", "100.5,one\n", "line 2: column 'amount': conversion error to double"),
        ("quotes", "1.5,100.5,100.0,2.5", "1.5,inf,100.0,2.5", "line 2: ask is not a positive price"),
        ("book", "true,bid", "yes,bid", "line 2: is_snapshot is neither true nor false"),
        ("book", "false,ask,100.5,1.0", "false,ask,100.5,-1.0", "line 4: amount is not a number"),
        ("trades", "binance,BTCUSDT", "binance,ETHUSDT", "rows of several markets"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path: Path, file: str, old: str, new: str, cause: str) -> None:
    paths = tardis_files(tmp_path)
    path = tmp_path / f"{file}.csv.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    assert old in text
    write_gz(path, text.replace(old, new, 1).split("\n")[:-1])
    with pytest.raises(DataError) as refusal:
        load_tardis(paths, 0, Venue.MAKER)
    assert cause in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_what_the_format_leaves_open_is_noted(tmp_path: Path) -> None:
    path = tardis_files(tmp_path)[0]
    text = gzip.decompress(path.read_bytes()).decode()
    write_gz(path, text.replace("11,buy", "a-1,buy").replace("12,sell", "12,unknown").split("\n")[:-1])
    got = load_tardis([path], 0, Venue.MAKER)
    assert [found.problem for found in got.findings] == [False, False]
    assert len(got.events) == 2
    assert set(got.events["remote_seq"]) == {0}


def test_markets_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = [*tardis_files(tmp_path), *tardis_files(tmp_path / "b", "coinbase")]
    with pytest.raises(DataError, match="give the files of one market at a time"):
        load_tardis(paths, 0, Venue.MAKER)
    inverse = tardis_files(tmp_path, "binance-delivery")
    with pytest.raises(DataError, match="use it as lead"):
        load_tardis(inverse, 0, Venue.MAKER)
    lines = gzip.decompress(inverse[0].read_bytes()).decode().split("\n")
    lines[1], lines[3] = lines[3], lines[1]
    write_gz(inverse[0], lines[:-1])
    got = load_tardis(inverse, 0, Venue.LEAD)
    assert "line 3: receive time goes back by 0.700 ms" in got.findings[0].text
    write_gz(inverse[0], lines[:1])
    with pytest.raises(DataError, match="no rows"):
        load_tardis(inverse[:1], 0, Venue.LEAD)


@needs_data
def test_the_recorded_crash_is_read() -> None:
    got = load_tardis([CASCADE / "coinbase_trades_2025-10-10_SKY-USD.csv.gz"], 0, Venue.MAKER)
    assert (len(got.events), got.repeated_count, got.findings) == (8_762, 0, ())
