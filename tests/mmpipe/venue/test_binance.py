"""Binance market data: worked frames, order, refusals, and the real captures."""

import numpy as np
import pytest

from mmpipe.enums import Counter, EventFlag, EventKind, Side, Venue
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX

from .frames import (
    LEADS,
    T0_MS,
    aggregate_trade,
    capture,
    frame,
    instruments,
    one_instrument,
    out_rows,
    print_,
    ticker,
    wrapped,
)

LAST = int(EventFlag.LAST)


class Reader:
    """A decoder with its buffer."""

    def __init__(self, decoder: BinanceDecoder | None = None, rows: int = 4_096) -> None:
        self.decoder = decoder or BinanceDecoder(LEADS, instruments())
        self._out = out_rows(rows)

    def __call__(self, data: bytes) -> np.ndarray:
        return self._out[: self.decoder.decode(data, 7, self._out)].copy()

    def counted(self) -> dict[str, int]:
        return {Counter(i).name: int(n) for i, n in enumerate(self.decoder.counters) if n}


def spot(u: int = 10) -> dict[str, object]:
    return {k: v for k, v in ticker(u).items() if k not in ("e", "T", "E")}


@pytest.mark.parametrize(
    ("data", "exch_ms"),
    [
        (frame(ticker()), T0_MS),
        (wrapped(ticker(), "bookTicker"), T0_MS),
        (frame(spot()), 0),
        (wrapped(spot(), "bookTicker"), 0),
    ],
)
def test_best_prices_of_both_markets_bare_and_wrapped(data: bytes, exch_ms: int) -> None:
    rows = Reader()(data)
    assert rows["kind"].tolist() == [EventKind.BBO] * 2
    assert rows["side"].tolist() == [Side.BUY, Side.SELL]
    assert rows["px"].tolist() == [83757.0, 83757.1]
    assert rows["qty"].tolist() == [2.5, 3.5]
    assert rows["px_tick"].tolist() == [8_375_700_000_000, 8_375_710_000_000]
    assert rows["exch_ts_ns"].tolist() == [exch_ms * 1_000_000] * 2
    assert rows["flags"].tolist() == [0, LAST]
    assert rows["venue"].tolist() == [Venue.LEAD] * 2


def test_as_the_market_itself_a_finer_price_goes_to_the_nearest_tick() -> None:
    reader = Reader(BinanceDecoder(LEADS, instruments(), Venue.MAKER))
    rows = reader(frame(ticker(bid="83757.04", ask="83757.05")))
    assert rows["px"].tolist() == [83757.04, 83757.05]
    assert rows["px_tick"].tolist() == [837_570, 837_571]


def test_an_aggregate_trade_that_never_came_is_missed() -> None:
    reader = Reader()
    for number in (5, 6, 9):
        assert len(reader(frame(aggregate_trade(number)))) == 1
    assert reader.counted() == {"MISSED": 2}
    reader.decoder.restart()
    assert len(reader(frame(aggregate_trade(20)))) == 1  # what a closed connection lost is its own matter
    assert len(reader(frame(print_(30)))) == 1
    assert len(reader(frame(print_(40)))) == 1  # plain trade ids have holes of the venue's own
    assert reader.counted() == {"MISSED": 2}


@pytest.mark.parametrize(("buyer_is_maker", "side"), [(True, Side.SELL), (False, Side.BUY)])
def test_the_aggressor_is_who_was_not_the_maker(buyer_is_maker: bool, side: Side) -> None:
    for data in (frame(aggregate_trade(m=buyer_is_maker)), wrapped(print_(m=buyer_is_maker), "trade")):
        row = Reader()(data)
        assert row["side"].tolist() == [side]
        assert row["kind"].tolist() == [EventKind.TRADE]
        assert row["remote_seq"].tolist() == [5]
        assert row["flags"].tolist() == [LAST]


def test_ids_order_each_stream_and_a_restart_forgives() -> None:
    reader = Reader()
    assert len(reader(frame(ticker(u=10)))) == 2
    assert len(reader(frame(ticker(u=9)))) == 0
    assert len(reader(frame(ticker(u=10)))) == 0
    assert len(reader(frame(ticker(u=9, s="ETHUSDT", b="4300.00", a="4300.01")))) == 2
    assert len(reader(frame(aggregate_trade(number=1)))) == 1
    assert len(reader(frame(print_(number=1)))) == 1
    assert reader.counted() == {"OUT_OF_ORDER": 1, "DUPLICATES": 1}
    reader.decoder.restart()
    assert len(reader(frame(ticker(u=9)))) == 2


@pytest.mark.parametrize("data", [frame({"result": None, "id": 1}), frame({"result": ["a"], "id": "x"})])
def test_answers_to_a_subscription_are_silent(data: bytes) -> None:
    reader = Reader()
    assert len(reader(data)) == 0
    assert reader.counted() == {}


@pytest.mark.parametrize(
    ("counter", "data"),
    [
        ("REJECTS", frame({"error": {"code": 2, "msg": "Invalid request"}, "id": 1})),
        ("BAD_NUMBER", frame(print_(p="0.00"))),
        ("BAD_NUMBER", frame(print_(q="0"))),
        ("BAD_NUMBER", frame(ticker(bid="nan"))),
        ("BAD_NUMBER", frame(ticker(B="-1"))),
        ("CROSSED_BOOKS", frame(ticker(bid="83757.10"))),
        ("MALFORMED", frame(ticker(s="DOGEUSDT"))),
        ("MALFORMED", frame(ticker(u=-1))),
        ("MALFORMED", frame(ticker(u=2**64))),
        ("MALFORMED", frame(aggregate_trade(m=1))),
        ("MALFORMED", frame(aggregate_trade(T=10**18))),
        ("MALFORMED", frame({"e": "markPriceUpdate"})),
        ("MALFORMED", frame({"stream": "btcusdt@bookTicker"})),
        ("MALFORMED", b"{}"),
        ("MALFORMED", b"[" * 100_000),
        ("MALFORMED", b""),
    ],
)
def test_what_cannot_be_used_is_counted_once_and_leaves_no_trace(counter: str, data: bytes) -> None:
    reader = Reader()
    assert len(reader(data)) == 0
    assert reader.counted() == {counter: 1}
    assert len(reader(frame(ticker(u=0)))) == 2
    assert len(reader(frame(print_(number=0)))) == 1


@pytest.mark.parametrize(
    ("name", "depth_messages"),
    [("usdm_btcusdt_20240808.gz", 6_551), ("spot_btcusdt_20240808.gz", 3_451)],
)
def test_depth_of_a_real_capture_syncs_without_a_gap(name: str, depth_messages: int) -> None:
    decoder = BinanceDecoder(["BTCUSDT"], one_instrument(2), Venue.MAKER)
    out = out_rows(DEPTH_ROWS_MAX)
    book: dict[int, dict[int, float]] = {1: {}, -1: {}}
    crossed = clears = seen = 0
    for local_ts_ns, data in capture("binance_20240808_3venue", name):
        rows = out[: decoder.decode(data, local_ts_ns, out)]
        seen += b"depthUpdate" in data
        if not len(rows) or rows["kind"][-1] not in (EventKind.BOOK_DELTA, EventKind.BOOK_CLEAR):
            continue
        for kind, side, tick, qty in zip(
            rows["kind"], rows["side"], rows["px_tick"], rows["qty"], strict=True
        ):
            if kind == EventKind.BOOK_CLEAR:
                book = {1: {}, -1: {}}
                clears += 1
            elif qty:
                book[int(side)][int(tick)] = qty
            else:
                book[int(side)].pop(int(tick), None)
        crossed += not max(book[1]) < min(book[-1])
    assert seen == depth_messages
    assert clears == 1
    assert crossed == 0
    assert decoder.counters.sum() == 0
    assert not decoder.needs_snapshot(0)
