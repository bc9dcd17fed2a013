"""Raw frames become one stream, and what is wrong with them is named by line."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.npz import load
from mmpipe.recording.raw_frames import FrameSource, frame_source, load_frames
from mmpipe.recording.recorded import Recording
from tests.mmpipe.recording.made import binance_lines, hyperliquid_lines, trade, write_gz

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)


def loaded(path: Path, lines: list[str]) -> Recording:
    return load_frames([write_gz(path, lines)], 0, Venue.MAKER)


def texts(recording: Recording) -> list[str]:
    return [f"{found.where}: {found.text}" for found in recording.findings if found.problem]


def test_a_capture_becomes_events_on_its_own_grid(tmp_path: Path) -> None:
    got = loaded(tmp_path / "usdm.gz", binance_lines())
    kinds = [EventKind(kind).name for kind in got.events["kind"]]
    assert kinds.count("BOOK_CLEAR") == 1
    assert (kinds.count("TRADE"), kinds.count("BBO")) == (2, 4)
    # Three levels of the snapshot, the diff that straddles it, and six of four diffs behind it.
    assert kinds.count("BOOK_DELTA") == 3 + 1 + 6
    assert got.instruments["ticks_per_unit"][0] == 100_000
    assert np.array_equal(got.events["px_tick"], np.rint(got.events["px"] * 100_000))
    assert (got.row_count, got.reordered_count, got.findings) == (11, 0, ())
    assert got.markets[0].coin == "BTCUSDT"


def test_two_files_are_one_stream(tmp_path: Path) -> None:
    lines = binance_lines()
    whole = loaded(tmp_path / "whole.gz", lines)
    halves = [write_gz(tmp_path / "a.gz", lines[:6]), write_gz(tmp_path / "b.gz", lines[6:])]
    got = load_frames(halves, 0, Venue.MAKER)
    assert got.events.tobytes() == whole.events.tobytes()
    assert got.findings == ()
    # The second alone has no snapshot: its depth is of no use, and that is said.
    assert "depth without a snapshot" in texts(load_frames(halves[1:], 0, Venue.MAKER))[0]


@pytest.mark.parametrize(("removed", "missing"), [(6, "108 to 110"), (8, "111 to 115")])
def test_a_missing_depth_update_is_named(tmp_path: Path, removed: int, missing: str) -> None:
    lines = binance_lines()
    del lines[removed]
    path = tmp_path / "usdm.gz"
    # Where exactly updates are missing, the one that does not chain on tells.
    at = 8 if removed == 6 else 10
    got = loaded(path, lines)
    assert int((got.events["kind"] == EventKind.GAP).sum()) == 1
    assert texts(got)[0] == (
        f"{path}: line {at}: depth updates {missing} are missing; the book is void until the next snapshot"
    )
    assert "end: depth without a snapshot that fits: the book stays unknown" in texts(got)


def test_spot_names_missing_updates_too(tmp_path: Path) -> None:
    def spot(line: str) -> str:
        data = line.replace('"pu":', '"was":').replace('"lastUpdateId":102', '"lastUpdateId":104')
        return data.replace('"U":112', '"U":111')

    lines = [spot(line) for line in binance_lines()]
    assert texts(loaded(tmp_path / "spot.gz", lines)) == []
    del lines[6]
    assert "line 8: depth updates 108 to 110 are missing" in texts(loaded(tmp_path / "spot.gz", lines))[0]


def test_swapped_lines_are_found(tmp_path: Path) -> None:
    lines = binance_lines()
    lines[5], lines[7] = lines[7], lines[5]
    got = loaded(tmp_path / "usdm.gz", lines)
    assert got.reordered_count == 3
    assert f"{tmp_path / 'usdm.gz'}: line 7: receive time goes back by 10.000 ms (and 1 more lines)" in texts(
        got
    )
    assert (np.diff(got.events["local_ts_ns"]) >= 0).all()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ((5, '"p":"100.1"', '"p":"NaN"'), "line 6: bad number: the first of 1 refused"),
        ((5, '"p":"100.1"', '"p":"inf"'), "line 6: bad number"),
        ((5, '"q":"0.5"', '"q":"-0.5"'), "line 6: bad number"),
        ((5, '"p":"100.1",', ""), "line 6: malformed"),
        ((5, '"t":7001', '"t":"x"'), "line 6: malformed"),
        ((7, '"b":"99.9"', '"b":"100.1"'), "line 8: crossed books"),
        ((9, '"t":7002', '"t":7000'), "line 10: out of order"),
    ],
)
def test_a_frame_that_is_refused_is_named(tmp_path: Path, change: tuple[int, str, str], cause: str) -> None:
    lines = binance_lines()
    at, old, new = change
    assert old in lines[at]
    lines[at] = lines[at].replace(old, new)
    assert cause in " ".join(texts(loaded(tmp_path / "usdm.gz", lines)))


def test_a_trade_told_twice_is_the_venues_doing(tmp_path: Path) -> None:
    got = loaded(tmp_path / "usdm.gz", [*binance_lines(), trade(110, 7002)])
    assert (got.repeated_count, texts(got)) == (1, [])


def test_what_cannot_be_read_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "usdm.gz"
    content = write_gz(path, [line for _ in range(50) for line in binance_lines()]).read_bytes()
    for size in range(12, len(content) - 1, 37):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"damaged after line \d+"):
            load_frames([path], 0, Venue.MAKER)
    with pytest.raises(DataError, match="line 3: not '<local ns> <frame>'"):
        loaded(path, [*binance_lines()[:2], "later {}"])
    with pytest.raises(DataError, match="no frame of Binance or Hyperliquid"):
        loaded(path, ["5 {}"])
    with pytest.raises(DataError, match="damaged after line 0"):
        load_frames([tmp_path / "absent.gz"], 0, Venue.MAKER)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="no frame"):
        load_frames([path], 0, Venue.MAKER)


def test_files_of_different_markets_are_not_one(tmp_path: Path) -> None:
    other = [line.replace("BTCUSDT", "ETHUSDT") for line in binance_lines()]
    paths = [write_gz(tmp_path / "a.gz", binance_lines()), write_gz(tmp_path / "b.gz", other)]
    with pytest.raises(DataError, match=r"b.gz.*ETHUSDT.*read them one by one"):
        load_frames(paths, 0, Venue.MAKER)
    inverse = [line.replace('"s":', '"ps":"BTCUSD","s":') for line in binance_lines()]
    path = write_gz(tmp_path / "cm.gz", inverse)
    assert frame_source(path) == FrameSource("binance-coinm", ("BTCUSDT",))
    with pytest.raises(DataError, match="use it as lead"):
        load_frames([path], 0, Venue.MAKER)
    assert len(load_frames([path], 0, Venue.LEAD).events)


def test_coins_of_one_connection_are_markets_of_their_own(tmp_path: Path) -> None:
    path = write_gz(tmp_path / "hl.gz", hyperliquid_lines())
    got = load_frames([path], 3, Venue.LEAD)
    assert [(market.symbol, market.coin) for market in got.markets] == [(3, "BTC"), (4, "ETH")]
    assert got.instruments["ticks_per_unit"].tolist() == [100_000, 100_000]
    assert got.findings == ()
    events = got.events
    assert set(events["venue"]) == {Venue.LEAD}
    assert sorted(set(events["symbol"])) == [3, 4]
    assert set(events["px"][(events["symbol"] == 4) & (events["px_tick"] > 0)]) == {10.01, 10.02}
    funding = events[events["kind"] == EventKind.FUNDING]
    assert (len(funding), funding["px_tick"][0]) == (1, 0)
    trades = events[events["kind"] == EventKind.TRADE]
    assert (trades["flags"] & EventFlag.HISTORY > 0).tolist() == [True, False]


@needs_data
def test_the_raw_websocket_of_hyperliquid_is_read() -> None:
    # Its keys come in another order than the live venue's.
    got = load_frames([DATA / "hl_raw_ws_20250126" / "btcusd_20250126.gz"], 0, Venue.MAKER)
    assert (got.row_count, got.markets[0].coin, got.findings) == (55, "BTC", ())
    assert int((got.events["kind"] == EventKind.BOOK_CLEAR).sum()) == 45  # the first of 46 came twice
    assert got.instruments["ticks_per_unit"][0] == 10
    trades = got.events[got.events["kind"] == EventKind.TRADE]
    assert len(trades) == 64
    assert (trades["flags"] & EventFlag.HISTORY > 0).any()


def same_rows(names: list[str], normalised: str) -> None:
    want = load(DATA / "norm" / f"{normalised}.npz", 0, Venue.LEAD)
    paths = [DATA / "binance_20240808_3venue" / f"{name}.gz" for name in names]
    got = load_frames(paths, 0, Venue.LEAD)
    assert got.findings == ()
    assert len(got.events) == len(want.events)
    for kind in (EventKind.TRADE, EventKind.BBO):
        sides = [part.events[part.events["kind"] == kind] for part in (got, want)]
        for name in ("px", "qty", "side", "remote_seq", "local_ts_ns"):
            assert np.array_equal(*(rows[name] for rows in sides)), (kind, name)


@needs_data
def test_raw_usdm_gives_the_rows_of_its_normalised_file() -> None:
    same_rows(["usdm_btcusdt_20240808"], "binance_usdm_BTC_20240808")


@needs_data
@pytest.mark.long
def test_raw_spot_and_coinm_give_the_rows_of_their_normalised_files() -> None:
    same_rows(["spot_btcusdt_20240808", "spot_btcusdt_20240809"], "binance_spot_BTC_20240808+09")
    same_rows(["cm_btcusd_perp_20240808", "cm_btcusd_perp_20240809"], "binance_cm_BTC_20240808+09")
