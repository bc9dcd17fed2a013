"""What a feed drill compares: the venue's own words by block time, ages against contracts, traces."""

import json
from collections import Counter as Tally

import numpy as np
import pytest

from mmpipe.config import SymbolConfig
from mmpipe.dashboard.feed_faults import ASKED_BOOK, TABLE, FaultScript
from mmpipe.dashboard.feed_witness import FeedWitness, Truth
from mmpipe.enums import Mode, ReportKind
from mmpipe.records import FORECAST, REPORT
from mmpipe.venue.proxy_faults import KINDS

MS = 1_000_000
SYMBOLS = (SymbolConfig(coin="BTC", lead="BTCUSDT"), SymbolConfig(coin="ETH", lead="ETHUSDT"))


def said(coin: str, time_ms: int, bid: float, ask: float) -> bytes:
    sides = [{"px": str(px), "sz": "1.5", "n": 1} for px in (bid, ask)]
    return json.dumps({"channel": "bbo", "data": {"coin": coin, "time": time_ms, "bbo": sides}}).encode()


@pytest.fixture
def truth() -> Truth:
    made = Truth(["BTC", "ETH"])
    made.hear(b'{"channel":"subscriptionResponse","data":{}}')
    for time_ms, bid in ((100, 10.0), (200, 11.0), (300, 12.0)):
        made.hear(said("BTC", time_ms, bid, bid + 1))
    return made


def test_truth_is_what_stood_at_a_block_time(truth: Truth) -> None:
    assert truth.at(0, 100) == (10.0, 1.5, 11.0, 1.5)
    assert truth.at(0, 299) == (11.0, 1.5, 12.0, 1.5)
    assert truth.at(0, 99) == ()
    assert truth.at(0, 301) == ()  # nothing is known yet of what comes after the last word
    assert truth.at(1, 150) == ()


def test_beats_the_venue_left_out_are_nobodys_loss(truth: Truth) -> None:
    for time_ms in (100, 200, 300, 500, 600, 700, 1_000, 1_100, 9_000):
        truth.hear(
            json.dumps({"channel": "l2Book", "data": {"coin": "ETH", "time": time_ms, "levels": [[], []]}})
        )
    assert truth.newest_ms == 9_000
    assert truth.beats_left_out(0) == 1 + 2  # the last hole is too long for a rhythm
    assert truth.beats_left_out(500) == 2


class Ring:
    """Hands over rows once."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows = rows

    def poll(self, limit: int) -> tuple[np.ndarray, int]:
        rows, self._rows = self._rows, self._rows[:0]
        return rows, 0


def witness(truth: Truth, forecasts: np.ndarray, reports: np.ndarray) -> FeedWitness:
    made = FeedWitness(Ring(forecasts), Ring(reports), truth)  # type: ignore[arg-type]  # no line runs
    made.look()
    made.judge_books()
    return made


def forecast(seq: int, bid: float, time_ms: int, age_ms: int = 0, limit_ms: int = 500) -> np.ndarray:
    row = np.zeros(1, FORECAST)
    snapshot = row["snapshot"]
    row["seq"], snapshot["ts_ns"], snapshot["book_valid"] = seq, 1_000 * MS, 1
    snapshot["best_bid_px"], snapshot["best_ask_px"], snapshot["exch_ts_ns"] = bid, bid + 1, time_ms * MS
    snapshot["bid_depth_qty"][:, 0] = snapshot["ask_depth_qty"][:, 0] = 1.5
    snapshot["book_age_ns"], snapshot["book_limit_ns"] = age_ms * MS, limit_ms * MS
    return row


def intent(cause: int, sent_ms: int, mode: Mode = Mode.MAKER) -> np.ndarray:
    row = np.zeros(1, REPORT)
    row["kind"], row["cause_seq"], row["mode"] = ReportKind.INTENT, cause, mode
    row["ts_ns"] = (1_000 + sent_ms) * MS
    return row


def test_a_book_is_right_when_the_venue_said_so_at_its_block(truth: Truth) -> None:
    rows = np.concatenate(
        [forecast(1, 10.0, 150), forecast(2, 11.0, 250), forecast(3, 11.0, 300), forecast(4, 9.0, 400)]
    )
    rows["snapshot"]["book_valid"][0] = 0
    made = witness(truth, rows, np.zeros(0, REPORT))
    assert (made.books, made.wrong_books, made.unchecked_books) == (2, 1, 1)
    assert made.wrong[0]["true"] == (12.0, 1.5, 13.0, 1.5)


def test_a_quote_is_right_when_its_touch_was_within_its_contract_when_it_was_sent(truth: Truth) -> None:
    rows = np.concatenate([forecast(1, 10.0, 150, age_ms=400), forecast(2, 10.0, 150, age_ms=490)])
    orders = np.concatenate([intent(1, 100), intent(2, 11), intent(2, 11, Mode.TAKER_EXIT), intent(9, 0)])
    made = witness(truth, rows, orders)
    assert (made.quotes, made.old_quotes, made.unknown_quotes) == (2, 1, 1)


def test_the_table_has_every_kind_of_fault_and_a_script_deals_all_of_it() -> None:
    assert {row.kind for row in TABLE} == set(KINDS)
    script = FaultScript(SYMBOLS, 3)
    dealt = Tally(script.deal()[0].kind for _ in range(len(TABLE)))
    assert dealt == Tally(row.kind for row in TABLE)
    assert script.expected["REFUSED"] == sum(row.trace.get("REFUSED", 0) for row in TABLE)
    assert script.expected[ASKED_BOOK] == 1 + len(SYMBOLS)
    one, other = FaultScript(SYMBOLS, 3), FaultScript(SYMBOLS, 3)
    assert [one.deal() for _ in range(50)] == [other.deal() for _ in range(50)]
