"""Depth sync rules of both markets on short synthetic sequences."""

import pytest

from mmpipe.enums import Counter, EventFlag, EventKind, StreamKind, Venue
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.binance_depth import BUFFERED_ROWS_MAX

from .frames import LEADS, depth, instruments, out_rows, snapshot
from .test_binance import Reader

FUTURES, SPOT = True, False


def reader(rows: int = 4_096) -> Reader:
    return Reader(BinanceDecoder(["BTCUSDT"], instruments()[:1]), rows)


def diff(futures: bool, first: int, last: int, previous: int) -> bytes:
    return depth(first, last, previous if futures else None)


@pytest.mark.parametrize("futures", [FUTURES, SPOT])
def test_buffered_diffs_that_the_snapshot_contains_are_dropped_and_the_straddling_one_joins(
    futures: bool,
) -> None:
    read = reader()
    for first, last in ((1, 10), (11, 20), (21, 30)):
        assert len(read(diff(futures, first, last, first - 1))) == 0
    assert read.decoder.needs_snapshot(0)
    rows = read(snapshot(15))
    # Clear, three levels, then two diffs of two levels each: 11-20 straddles 15, 21-30 chains.
    assert rows["kind"].tolist() == [EventKind.BOOK_CLEAR] + [EventKind.BOOK_DELTA] * 7
    assert rows["remote_seq"].tolist() == [15] * 4 + [20] * 2 + [30] * 2
    assert rows["flags"].tolist() == [0] * 7 + [1]
    assert rows["qty"][-1] == 0.0
    assert len(read(diff(futures, 31, 40, 30))) == 2
    assert read.counted() == {}


def test_edges_of_the_first_diff() -> None:
    # Futures: U <= lastUpdateId <= u. Spot: U <= lastUpdateId + 1 <= u.
    for futures, first, last, joins in (
        (FUTURES, 20, 25, True), (FUTURES, 21, 25, False), (FUTURES, 15, 20, True),
        (SPOT, 21, 25, True), (SPOT, 22, 25, False), (SPOT, 15, 21, True),
    ):  # fmt: skip
        read = reader()
        read(snapshot(20))
        rows = read(diff(futures, first, last, first - 1))
        assert rows["kind"].tolist() == ([EventKind.BOOK_DELTA] * 2 if joins else [EventKind.GAP])


@pytest.mark.parametrize("futures", [FUTURES, SPOT])
def test_a_hole_is_a_gap_and_the_breaking_diff_starts_the_next_round(futures: bool) -> None:
    read = reader()
    read(snapshot(20))
    read(diff(futures, 20, 30, 19))
    rows = read(diff(futures, 41, 50, 40))
    assert rows["kind"].tolist() == [EventKind.GAP]
    assert rows["flags"].tolist() == [1]
    assert read.counted() == {"GAPS": 1}
    assert read.decoder.needs_snapshot(0)
    assert len(read(diff(futures, 51, 60, 50))) == 0
    assert len(read(snapshot(45))) == 8


@pytest.mark.parametrize("futures", [FUTURES, SPOT])
def test_a_snapshot_older_than_the_buffer_is_refused_and_a_newer_one_taken(futures: bool) -> None:
    read = reader()
    read(diff(futures, 31, 40, 30))
    assert len(read(snapshot(20))) == 0
    assert read.counted() == {"GAPS": 1}
    assert len(read(snapshot(35))) == 6


def test_a_diff_that_goes_back_is_counted_and_a_second_snapshot_ignored() -> None:
    read = reader()
    read(snapshot(20))
    read(depth(20, 30, 19))
    assert len(read(depth(15, 25, 14))) == 0
    assert read.counted() == {"OUT_OF_ORDER": 1}
    assert len(read(snapshot(50))) == 0
    assert len(read(depth(31, 40, 30))) == 2


def test_a_refused_diff_breaks_the_chain() -> None:
    read = reader()
    read(snapshot(20))
    read(depth(20, 30, 19))
    assert len(read(depth(31, 40, 30, b=[["nan", "1"]]))) == 0
    assert read.counted() == {"BAD_NUMBER": 1}
    assert read(depth(41, 50, 40))["kind"].tolist() == [EventKind.GAP]


def test_a_level_off_the_grid_is_refused_and_ids_that_run_backwards_too() -> None:
    read = Reader(BinanceDecoder(["BTCUSDT"], instruments()[:1], Venue.MAKER))
    read(snapshot(20))
    assert len(read(depth(20, 30, 19, b=[["83757.05", "1"]]))) == 0
    assert len(read(depth(30, 20, 19))) == 0
    assert read.counted() == {"BAD_NUMBER": 1, "MALFORMED": 1}


def test_the_buffer_is_bounded_and_says_so() -> None:
    read = reader()
    wide = [["83757.0", "1"]] * 1_000
    for number in range(2 * BUFFERED_ROWS_MAX // 1_000):
        read(depth(number, number, number - 1, b=wide, a=[]))
    assert read.decoder.counters[Counter.OVERSIZED] > 0


def test_a_snapshot_that_does_not_fit_leaves_the_buffer_for_the_next() -> None:
    decoder = BinanceDecoder(["BTCUSDT"], instruments()[:1])
    assert decoder.decode(depth(11, 20, 10), 1, out_rows()) == 0
    assert decoder.decode(snapshot(15), 1, out_rows(5)) == 0
    assert decoder.counters[Counter.OVERSIZED] == 1
    assert decoder.decode(snapshot(15), 1, out_rows()) == 6


def test_a_snapshot_without_a_symbol_needs_a_decoder_of_one_symbol() -> None:
    read = Reader()
    assert len(read(snapshot(20))) == 0
    assert read.counted() == {"MALFORMED": 1}


def test_snapshots_of_several_symbols_are_handed_over_by_symbol() -> None:
    read = Reader()
    for name in ("BTCUSDT", "ETHUSDT"):
        assert len(read(depth(11, 20, 10, s=name))) == 0
        assert read.decoder.heard == (StreamKind.DEPTH, LEADS.index(name))  # buffered, and alive
    out = out_rows()
    count = read.decoder.decode_snapshot(1, snapshot(15), 9, out)
    assert out["kind"][:count].tolist() == [EventKind.BOOK_CLEAR] + [EventKind.BOOK_DELTA] * 5
    assert out["symbol"][:count].tolist() == [1] * 6
    assert out["flags"][:count].tolist() == [0] * 5 + [EventFlag.LAST]
    assert [read.decoder.needs_snapshot(symbol) for symbol in (0, 1)] == [True, False]
    assert read.decoder.decode_snapshot(0, b"", 9, out) == 0
    assert read.counted() == {"MALFORMED": 1}


def test_the_confirmation_of_a_request_begins_its_book_anew_and_no_other() -> None:
    read = Reader()
    out = out_rows()
    for symbol, name in enumerate(LEADS):
        read(depth(11, 20, 10, s=name))
        assert read.decoder.decode_snapshot(symbol, snapshot(15), 9, out)
    answer = BinanceDecoder.request_id(1, StreamKind.DEPTH)
    assert len(read(f'{{"result":null,"id":{answer}}}'.encode())) == 0
    assert [read.decoder.needs_snapshot(symbol) for symbol in (0, 1)] == [False, True]
    read(f'{{"result":null,"id":{BinanceDecoder.request_id(0, StreamKind.BBO)}}}'.encode())
    assert not read.decoder.needs_snapshot(0)
    assert not read.decoder.has_waiting_diffs(1)
    read(depth(21, 30, 20, s=LEADS[1]))
    assert read.decoder.has_waiting_diffs(1)
    assert read.counted() == {}
