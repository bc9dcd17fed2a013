"""Recorded data becomes EVENT rows, or is refused with row and cause."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.npz import load

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
needs_data = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)


def columns(**changed: Any) -> dict[str, Any]:
    # A bbo of two rows, a book of two levels, a trade told twice, another trade, a delta.
    arrays: dict[str, Any] = {
        "ts_exch": np.array([10, 10, 20, 20, 30, 30, 40, 50], np.int64),
        "ts_local": np.array([11, 11, 21, 21, 31, 35, 41, 40], np.int64),
        "type": np.array([3, 3, 0, 0, 2, 2, 2, 1], np.uint8),
        "side": np.array([1, -1, 1, -1, 1, 1, -1, -1], np.int8),
        "px": np.array([100.0, 100.1, 100.0, 100.1, 100.1, 100.1, 100.0, 100.2]),
        "qty": np.array([1.0, 2.0, 1.25, 2.0, 0.5, 0.5, 0.25, 0.0]),
        "seq": np.array([1, 1, 2, 2, 77, 77, 78, 3], np.int64),
        "msg": np.array([0, 0, 1, 1, 2, 3, 4, 5], np.int32),
        "meta": np.array(json.dumps({"name": "made", "venue": "binance-usdm"})),
    }
    return {**arrays, **changed}


def save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def test_rows_become_events_with_message_ends_and_clears(tmp_path: Path) -> None:
    got = load(save(tmp_path / "d.npz", columns()), 3, Venue.LEAD)
    kinds = [EventKind(kind).name for kind in got.events["kind"]]
    assert kinds == ["BBO", "BBO", "BOOK_CLEAR", "BOOK_DELTA", "BOOK_DELTA", "TRADE", "TRADE", "BOOK_DELTA"]
    assert (got.events["flags"] & EventFlag.LAST).tolist() == [0, 1, 0, 0, 1, 1, 1, 1]
    assert set(got.events["symbol"]) == {3}
    assert set(got.events["venue"]) == {Venue.LEAD}
    assert (got.name, got.row_count, got.repeated_count, got.reordered_count) == ("made", 8, 1, 1)
    assert got.events["local_ts_ns"].tolist() == [11, 11, 21, 21, 21, 31, 41, 41]
    # One decimal of price would allow a lot of 1e-5; the sizes need 1e-2.
    assert got.instruments["size_decimals"][0] == 2
    assert got.events["px_tick"][0] == 1_000_000


def test_a_dropped_row_leaves_its_message_closed(tmp_path: Path) -> None:
    changed = columns(
        msg=np.array([0, 0, 1, 1, 2, 3, 3, 5], np.int32), seq=np.array([1, 1, 2, 2, 77, 78, 77, 3])
    )
    got = load(save(tmp_path / "d.npz", changed), 0, Venue.MAKER)
    trades = got.events[got.events["kind"] == EventKind.TRADE]
    assert trades["remote_seq"].tolist() == [77, 78]
    assert trades["flags"].tolist() == [EventFlag.LAST, EventFlag.LAST]


@pytest.mark.parametrize(
    ("column", "value", "cause"),
    [
        ("px", np.nan, "row 4: price is not a positive number"),
        ("px", -1.0, "row 4: price is not a positive number"),
        ("qty", np.inf, "row 4: quantity is not a number >= 0"),
        ("qty", 0.0, "row 4: a trade without quantity"),
        ("side", 0, "row 4: side is not 1 or -1"),
        ("type", 9, "row 4: type is not 0 to 3"),
        ("ts_local", 0, "row 4: receive time is not positive"),
        ("ts_exch", -5, "row 4: venue time is negative"),
    ],
)
def test_a_bad_row_is_named_with_its_cause(tmp_path: Path, column: str, value: float, cause: str) -> None:
    arrays = columns()
    arrays[column][4] = value
    with pytest.raises(DataError, match=cause):
        load(save(tmp_path / "d.npz", arrays), 0, Venue.MAKER)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    with pytest.raises(DataError, match="not a readable npz"):
        load(path, 0, Venue.MAKER)
    path.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="not a readable npz"):
        load(path, 0, Venue.MAKER)
    arrays = columns()
    del arrays["qty"]
    with pytest.raises(DataError, match="'qty'"):
        load(save(path, arrays), 0, Venue.MAKER)
    with pytest.raises(DataError, match="different or no length"):
        load(save(path, columns(px=np.ones(3))), 0, Venue.MAKER)
    with pytest.raises(DataError, match="not JSON"):
        load(save(path, columns(meta=np.array("{"))), 0, Venue.MAKER)
    inverse = columns(meta=np.array('{"venue": "binance-coinm"}'))
    with pytest.raises(DataError, match="use it as lead"):
        load(save(path, inverse), 0, Venue.MAKER)
    assert len(load(path, 0, Venue.LEAD).events) == 8


@needs_data
@pytest.mark.parametrize(
    ("name", "rows", "size_decimals", "history"),
    [
        ("binance_usdm_BTC_20240808", 598_753, 3, 0),
        ("binance_spot_BTC_20240808+09", 466_346, 4, 0),
        ("hl_BTC_20250904", 185_747, 5, 45),
        ("hl_ETH_20250904", 188_665, 4, None),
        ("hl_SOL_20250904", 182_129, 2, 45),
    ],
)
def test_recorded_markets_load_whole(name: str, rows: int, size_decimals: int, history: int | None) -> None:
    got = load(DATA / "norm" / f"{name}.npz", 0, Venue.MAKER)
    events = got.events
    assert (got.row_count, got.reordered_count) == (rows, 0)
    assert len(events) == rows - got.repeated_count + int((events["kind"] == EventKind.BOOK_CLEAR).sum())
    assert got.instruments["size_decimals"][0] == size_decimals
    assert np.array_equal(np.rint(events["px"] / got.instruments["tick_px"][0]), events["px_tick"])
    assert (np.diff(events["local_ts_ns"]) >= 0).all()
    flagged = int((events["flags"] & EventFlag.HISTORY > 0).sum())
    assert flagged == history or (history is None and flagged < 100)


def test_rows_that_changed_places_are_found(tmp_path: Path) -> None:
    in_order = columns(ts_local=np.array([11, 11, 21, 21, 31, 35, 41, 42], np.int64))
    assert load(save(tmp_path / "d.npz", in_order), 0, Venue.MAKER).findings == ()
    swapped = {name: array.copy() for name, array in in_order.items()}
    for name in set(swapped) - {"meta"}:
        swapped[name][[4, 6]] = swapped[name][[6, 4]]
    got = load(save(tmp_path / "d.npz", swapped), 0, Venue.MAKER)
    assert [found.text for found in got.findings] == [
        "row 5: receive time goes back by 0.000 ms (and 1 more such rows)"
    ]
    # Received together, only the message numbers show it.
    together = columns(ts_local=np.full(8, 11, np.int64), msg=np.array([0, 1, 0, 1, 2, 3, 4, 5], np.int32))
    got = load(save(tmp_path / "d.npz", together), 0, Venue.MAKER)
    assert [found.text for found in got.findings] == ["row 2: message 0 goes on out of place"]


@pytest.mark.parametrize("name", ["px", "ts_local", "side"])
def test_an_array_of_another_type_is_named(tmp_path: Path, name: str) -> None:
    changed = columns()
    changed[name] = changed[name].astype(str)
    with pytest.raises(DataError, match=f"array '{name}' is of type <U"):
        load(save(tmp_path / "d.npz", changed), 0, Venue.MAKER)
