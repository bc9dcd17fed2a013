"""Hyperliquid market data: worked frames, order, history, refusals, real captures."""

import json
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from mmpipe.enums import Counter, EventFlag, EventKind, Side, StreamKind, Venue
from mmpipe.venue.hyperliquid import HyperliquidDecoder

from .frames import (
    COINS,
    T0_MS,
    bbo,
    book,
    capture,
    capture_path,
    frame,
    funding,
    instruments,
    out_rows,
    trade,
    trades,
)

LAST, HISTORY, FAST = int(EventFlag.LAST), int(EventFlag.HISTORY), int(EventFlag.FAST)


class Reader:
    """A decoder with its buffer."""

    def __init__(self, rows: int = 4_096) -> None:
        self.decoder = HyperliquidDecoder(COINS, instruments())
        self._out = out_rows(rows)

    def __call__(self, data: bytes) -> np.ndarray:
        return self._out[: self.decoder.decode(data, 7, self._out)].copy()

    def counted(self) -> dict[str, int]:
        return {Counter(i).name: int(n) for i, n in enumerate(self.decoder.counters) if n}


def test_bbo_is_two_rows_with_ticks_and_the_venue_time() -> None:
    rows = Reader()(bbo())
    assert rows["kind"].tolist() == [EventKind.BBO] * 2
    assert rows["side"].tolist() == [Side.BUY, Side.SELL]
    assert rows["px"].tolist() == [83757.0, 83758.0]
    assert rows["px_tick"].tolist() == [837_570, 837_580]
    assert rows["qty"].tolist() == [1.5, 1.5]
    assert rows["exch_ts_ns"].tolist() == [T0_MS * 1_000_000] * 2
    assert rows["local_ts_ns"].tolist() == [7, 7]
    assert rows["flags"].tolist() == [0, LAST]
    assert rows["venue"].tolist() == [Venue.MAKER] * 2


def test_an_empty_side_has_quantity_zero() -> None:
    rows = Reader()(bbo(bid=None))
    assert rows["qty"].tolist() == [0.0, 1.5]
    assert rows["px_tick"].tolist() == [0, 837_580]


def test_a_full_book_is_a_clear_and_its_levels() -> None:
    rows = Reader()(book(levels=20))
    assert rows["kind"].tolist() == [EventKind.BOOK_CLEAR] + [EventKind.BOOK_DELTA] * 40
    assert rows["level"][1:].tolist() == [*range(20), *range(20)]
    assert rows["side"][1:].tolist() == [1] * 20 + [-1] * 20
    assert rows["flags"].tolist() == [0] * 40 + [LAST]
    assert rows["px_tick"][[1, 20, 21, 40]].tolist() == [837_570, 837_380, 837_580, 837_770]


def test_a_fast_book_is_flagged_and_ordered_apart_from_the_full_one() -> None:
    reader = Reader()
    assert len(reader(book(levels=20, time_ms=T0_MS + 5))) == 41
    rows = reader(book(levels=5, time_ms=T0_MS, fast=True))
    assert set(rows["flags"].tolist()) == {FAST, FAST | LAST}
    assert len(reader(book(levels=5, time_ms=T0_MS + 9, fast=False))) == 11


def test_a_book_of_a_dead_market_is_a_bare_clear() -> None:
    rows = Reader()(book(levels=0))
    assert rows["kind"].tolist() == [EventKind.BOOK_CLEAR]
    assert rows["flags"].tolist() == [LAST]


def test_stale_rows_of_the_buffer_never_shine_through() -> None:
    reader = Reader(64)
    reader._out.view(np.uint8)[:] = 0xFF
    rows = reader(book(levels=2))
    assert rows["seq"].tolist() == [0] * 5
    assert rows["remote_seq"].tolist() == [0] * 5
    assert rows["symbol"].tolist() == [0] * 5


def test_time_that_goes_back_is_dropped_and_counted_and_a_restart_forgives() -> None:
    reader = Reader()
    assert len(reader(bbo(time_ms=T0_MS + 10))) == 2
    assert len(reader(bbo(time_ms=T0_MS + 9))) == 0
    assert reader.counted() == {"OUT_OF_ORDER": 1}
    reader.decoder.restart()
    assert len(reader(bbo(time_ms=T0_MS + 9))) == 2


@pytest.mark.parametrize("message", [bbo, book])
def test_the_same_message_twice_is_a_duplicate_and_another_of_the_same_block_is_not(
    message: Callable[..., bytes],
) -> None:
    reader = Reader()
    assert len(reader(message()))
    assert len(reader(message())) == 0
    assert reader.counted() == {"DUPLICATES": 1}
    other = message().replace(b"83758.0", b"83758.5")
    assert len(reader(other))
    assert len(reader(message(time_ms=T0_MS + 70)))
    reader.decoder.restart()
    assert len(reader(message(time_ms=T0_MS + 70)))  # a new connection begins with what stands
    assert reader.counted() == {"DUPLICATES": 1}


def test_each_frame_says_which_stream_it_belongs_to() -> None:
    reader = Reader()
    for data, heard in (
        (bbo(coin="ETH"), (StreamKind.BBO, 1)),
        (book(), (StreamKind.BOOK_FULL, 0)),
        (book(fast=True), (StreamKind.BOOK_FAST, 0)),
        (trades(trade(1)), (StreamKind.TRADES, 0)),
        (trades(trade(1)), (StreamKind.TRADES, 0)),  # nothing new, yet the stream lives
        (funding(), (StreamKind.CONTEXT, 0)),
        (CONTROL[1], None),
        (bbo(bid="nan"), None),
    ):
        reader(data)
        assert reader.decoder.heard == heard


def test_the_first_trades_are_history_and_older_ones_stay_history() -> None:
    reader = Reader()
    rows = reader(trades(trade(1, T0_MS - 9_000), trade(2, T0_MS - 500, side="A")))
    assert rows["flags"].tolist() == [HISTORY, HISTORY | LAST]
    assert rows["side"].tolist() == [Side.BUY, Side.SELL]
    assert rows["remote_seq"].tolist() == [1, 2]
    assert reader(trades(trade(3, T0_MS)))["flags"].tolist() == [LAST]
    assert reader(trades(trade(4, T0_MS - 600)))["flags"].tolist() == [HISTORY | LAST]
    assert len(reader(trades(trade(5, T0_MS - 400)))) == 0
    assert reader.counted() == {"OUT_OF_ORDER": 1}


def test_only_the_first_message_moves_the_end_of_history() -> None:
    reader = Reader()
    for tid, time_ms in ((1, T0_MS), (2, T0_MS + 100)):
        assert len(reader(trades(trade(tid, time_ms)))) == 1
    assert len(reader(trades(trade(3, T0_MS + 50)))) == 0
    assert reader.counted() == {"OUT_OF_ORDER": 1}


def test_history_repeated_after_a_reconnect_counts_once() -> None:
    reader = Reader()
    reader(trades(trade(1, T0_MS)))
    assert reader(trades(trade(2, T0_MS + 10)))["flags"].tolist() == [LAST]
    reader.decoder.restart()
    rows = reader(trades(trade(1, T0_MS), trade(2, T0_MS + 10), trade(3, T0_MS + 20)))
    assert rows["remote_seq"].tolist() == [3]
    assert rows["flags"].tolist() == [HISTORY | LAST]
    assert reader(trades(trade(4, T0_MS + 30)))["flags"].tolist() == [LAST]
    assert reader.counted() == {"REPLAYED": 2}


def test_a_reconnect_that_repeats_only_known_trades_does_not_make_the_next_one_history() -> None:
    reader = Reader()
    reader(trades(trade(1, T0_MS)))
    reader.decoder.restart()
    assert len(reader(trades(trade(1, T0_MS)))) == 0
    assert reader(trades(trade(2, T0_MS + 1)))["flags"].tolist() == [LAST]


def test_a_trade_twice_in_one_message_counts_once() -> None:
    reader = Reader()
    assert len(reader(trades(trade(1), trade(1), trade(2)))) == 2
    assert reader.counted() == {"REPLAYED": 1}  # the first message is history
    assert len(reader(trades(trade(3, T0_MS + 1), trade(3, T0_MS + 1)))) == 1
    assert reader.counted() == {"REPLAYED": 1, "DUPLICATES": 1}


def confirmed(method: str = "subscribe", **subscription: object) -> bytes:
    data = {"method": method, "subscription": {"type": "bbo", "coin": "BTC", **subscription}}
    return frame({"channel": "subscriptionResponse", "data": data})


def test_a_confirmed_subscription_begins_its_stream_anew_and_no_other() -> None:
    reader = Reader()
    reader(bbo(time_ms=T0_MS + 10))
    reader(bbo(time_ms=T0_MS + 10, coin="ETH"))
    reader(book(time_ms=T0_MS + 10))
    reader(trades(trade(1)))
    for other in (confirmed("unsubscribe"), confirmed(type="l2Book", fast=True), confirmed(coin="DOGE")):
        reader(other)
        assert len(reader(bbo(time_ms=T0_MS))) == 0
    reader(confirmed())
    assert len(reader(bbo(time_ms=T0_MS))) == 2
    assert len(reader(bbo(time_ms=T0_MS, coin="ETH"))) == 0
    assert len(reader(book(time_ms=T0_MS))) == 0
    reader(confirmed(type="l2Book", fast=False, nSigFigs=None))
    assert len(reader(book(time_ms=T0_MS)))
    assert reader(trades(trade(2, T0_MS + 1)))["flags"].tolist() == [LAST]
    reader(confirmed(type="trades"))
    rows = reader(trades(trade(1), trade(2, T0_MS + 1), trade(3, T0_MS + 2)))
    assert (rows["remote_seq"].tolist(), rows["flags"].tolist()) == ([3], [HISTORY | LAST])
    assert reader.counted() == {"OUT_OF_ORDER": 5, "REPLAYED": 2}


def test_funding_is_per_eight_hours_and_settles_at_the_next_hour() -> None:
    reader = Reader()
    assert reader(funding())["remote_seq"].tolist() == [0]
    reader(bbo(time_ms=T0_MS))
    row = reader(funding("-0.0000125"))
    assert row["kind"].tolist() == [EventKind.FUNDING]
    assert row["px"].tolist() == [pytest.approx(-0.0001)]
    assert row["remote_seq"].tolist() == [(T0_MS // 3_600_000 + 1) * 3_600_000 * 1_000_000]
    assert len(reader(funding("0.5"))) == 0
    assert reader.counted() == {"BAD_NUMBER": 1}


CONTROL = [
    b"Websocket connection established.",
    frame({"channel": "pong"}),
    frame(
        {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": {"type": "bbo"}}}
    ),
]


@pytest.mark.parametrize("data", CONTROL)
def test_control_frames_are_silent(data: bytes) -> None:
    reader = Reader()
    assert len(reader(data)) == 0
    assert reader.counted() == {}


BAD_PRICES = ["nan", "inf", "1_000", "١٢٣", " 1.5", "1e400", "-5", "0", "0.0", "", "83757.05", "9" * 13]
REFUSED = [
    *[("BAD_NUMBER", bbo(bid=px)) for px in BAD_PRICES],
    *[("BAD_NUMBER", trades(trade(1), trade(2, sz=px))) for px in ("nan", "0", "-1")],
    ("CROSSED_BOOKS", bbo(bid="83758.0")),
    ("CROSSED_BOOKS", bbo(bid="83759.0")),
    ("MALFORMED", b""),
    ("MALFORMED", b"\xff\xfe"),
    ("MALFORMED", b"[" * 100_000),
    ("MALFORMED", b'{"channel":"bbo","data":' + b'{"a":' * 50_000),
    ("MALFORMED", b"null"),
    ("MALFORMED", frame({"channel": "allMids", "data": {}})),
    ("MALFORMED", frame({"channel": "bbo", "data": {"coin": "BTC", "time": T0_MS, "bbo": [None]}})),
    ("MALFORMED", bbo(coin="DOGE")),
    ("MALFORMED", bbo(time_ms=-1)),
    ("MALFORMED", bbo(time_ms=10**16)),
    ("MALFORMED", trades(trade(2**63))),
    ("MALFORMED", trades(trade(1, side="X"))),
    ("MALFORMED", trades(trade(1, px=83757.0))),
    ("OVERSIZED", book(levels=300)),
    ("REJECTS", frame({"channel": "error", "data": "Already subscribed: {…}"})),
]


@pytest.mark.parametrize(("counter", "data"), REFUSED)
def test_what_cannot_be_used_is_counted_once_and_leaves_no_trace(counter: str, data: bytes) -> None:
    reader = Reader()
    assert len(reader(data)) == 0
    assert reader.counted() == {counter: 1}
    assert len(reader(bbo(time_ms=1))) == 2
    assert reader(trades(trade(1, 5), trade(2, 6)))["remote_seq"].tolist() == [1, 2]


def test_levels_that_do_not_leave_the_touch_are_refused() -> None:
    message = json.loads(book(levels=3))
    message["data"]["levels"][0].reverse()
    reader = Reader()
    assert len(reader(frame(message))) == 0
    assert reader.counted() == {"CROSSED_BOOKS": 1}


def test_a_message_that_does_not_fit_is_dropped_and_counted() -> None:
    reader = Reader(10)
    assert len(reader(book(levels=5))) == 0
    assert reader.counted() == {"OVERSIZED": 1}
    assert len(reader(book(levels=4))) == 9


def test_real_raw_capture_decodes_without_a_refusal() -> None:
    reader = Reader()
    kinds: dict[int, int] = {}
    history = 0
    for _, data in capture("hl_raw_ws_20250126", "btcusd_20250126.gz"):
        rows = reader(data)
        history += int(np.count_nonzero(rows["flags"] & HISTORY))
        assert not len(rows) or rows["flags"][-1] & LAST
        for kind in rows["kind"].tolist():
            kinds[kind] = kinds.get(kind, 0) + 1
    assert reader.counted() == {"DUPLICATES": 1}  # the first book comes twice
    assert history == 30
    assert kinds[EventKind.TRADE] > history
    assert kinds[EventKind.BOOK_DELTA] == kinds[EventKind.BOOK_CLEAR] * 40


@pytest.mark.parametrize("name", ["BookTicker", "OrderBook", "Trades"])
def test_recorded_subscription_samples_decode(name: str) -> None:
    text = capture_path("hl_fixtures", "jkorf_net", "Subscriptions", f"{name}.txt").read_text()
    decoder = HyperliquidDecoder(["HYPE"], instruments()[:1])
    decoder._decimals[0] = 4
    out = out_rows()
    control, sample = text.split("\n= \n", 1)
    assert decoder.decode(control.split("\n< ")[1].encode(), 1, out) == 0
    assert decoder.decode(msgspec.json.encode(json.loads(sample)), 1, out) > 0
    assert decoder.counters.sum() == 0
