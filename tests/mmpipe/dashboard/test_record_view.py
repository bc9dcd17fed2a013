"""Records read by name: enums, coins, nested snapshots, filters and what they refuse."""

import json

import numpy as np
import pytest

from mmpipe import boards, records
from mmpipe.dashboard.record_view import TELLING, RecordView
from mmpipe.enums import EventKind, Reason, ReportKind, Side, Trigger
from mmpipe.errors import UsageError

COINS = ("BTC", "ETH")


def event(symbol: int, kind: EventKind = EventKind.TRADE, px: float = 100.0) -> np.ndarray:
    row = np.zeros(1, records.EVENT)
    row["symbol"], row["kind"], row["side"], row["px"], row["local_ts_ns"] = symbol, kind, Side.BUY, px, 5_000
    return row


def test_numbers_become_names_and_padding_is_left_out() -> None:
    shown = RecordView(records.EVENT, COINS).as_json(event(1)[0])
    assert (shown["symbol"], shown["kind"], shown["side"], shown["px"]) == ("ETH", "TRADE", "BUY", 100.0)
    assert not any("pad" in name for name in shown)


def test_what_is_no_number_is_null_and_a_symbol_beyond_the_list_stays_a_number() -> None:
    row = event(records.SYMBOLS_MAX, px=float("nan"))
    shown = RecordView(records.EVENT, COINS).as_json(row[0])
    assert shown["px"] is None
    assert shown["symbol"] == records.SYMBOLS_MAX
    json.dumps(shown, allow_nan=False)


def test_a_forecast_shows_its_snapshot_inside_and_can_be_filtered_by_it() -> None:
    rows = np.zeros(3, records.FORECAST)
    rows["snapshot"]["mid_px"], rows["snapshot"]["trigger"] = (1.0, 2.0, np.nan), int(Trigger.BBO)
    view = RecordView(records.FORECAST, COINS)
    assert view.as_json(rows[1])["snapshot"]["trigger"] == "BBO"
    assert view.filter("snapshot.mid_px=2").passes(rows).tolist() == [False, True, False]
    assert view.filter("snapshot.trigger=bbo").passes(rows).all()


def test_the_reasons_of_a_forecast_are_named() -> None:
    rows = np.zeros(2, records.FORECAST)
    rows["reasons"][0] = 1 << Reason.NO_BOOK | 1 << Reason.TARGET_GAP
    view = RecordView(records.FORECAST, COINS)
    assert view.as_json(rows[0])["reasons"] == ["NO_BOOK", "TARGET_GAP"]
    assert view.as_json(rows[1])["reasons"] == []
    assert "NO_BOOK  TARGET_GAP" in view.as_line(rows[0], 5)


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("symbol=eth", [1, 2]),
        ("kind=TRADE", [0, 1]),
        ("kind=5", [2]),
        ("px=101", [2]),
        ("side=buy", [0, 1, 2]),
    ],
)
def test_a_filter_takes_coins_names_and_numbers(text: str, passing: list[int]) -> None:
    kind = EventKind(5)
    rows = np.concatenate([event(0), event(1), event(1, kind, 101.0)])
    chosen = RecordView(records.EVENT, COINS).filter(text).passes(rows)
    assert np.flatnonzero(chosen).tolist() == passing


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("symbol=XRP", "BTC, ETH"),
        ("colour=red", "symbol"),
        ("symbol", "symbol"),
        ("px=much", "numbers"),
        ("px=nan", "nothing equals"),
        ("snapshot.px=1", "kind"),
        ("kind=NOPE", "TRADE"),
        ("kind=99", "TRADE"),
        ("symbol=7", "BTC, ETH"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RecordView(records.EVENT, COINS).filter(text)


def test_a_line_says_age_number_symbol_and_what_tells_most() -> None:
    line = RecordView(records.EVENT, COINS).as_line(event(0)[0], 1_005_000)
    assert line.split()[:4] == ["1,000", "µs", "#0", "BTC"]
    assert "kind TRADE" in line
    report = np.zeros(1, records.REPORT)
    report["kind"] = int(ReportKind.FILL)
    assert "kind FILL" in RecordView(records.REPORT, COINS).as_line(report[0], 0)


def test_a_record_without_a_cause_is_as_old_as_itself_and_a_record_within_is_no_field_to_filter() -> None:
    report = np.zeros(1, records.REPORT)
    report["ts_ns"] = 5_000
    assert RecordView(records.REPORT, COINS).as_line(report[0], 9_000).split()[0] == "4"
    with pytest.raises(UsageError, match=r"snapshot\.mid_px"):
        RecordView(records.FORECAST, COINS).filter("snapshot=3")


@pytest.mark.parametrize("name", TELLING)
def test_what_tells_most_is_in_the_record(name: str) -> None:
    dtype = getattr(boards if name.endswith("BOARD") else records, name)
    RecordView(dtype, COINS).as_line(np.zeros(1, dtype)[0], 0)
