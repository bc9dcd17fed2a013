"""Frames of the lead market, field by field, in both dialects."""

import numpy as np
import pytest

from mmpipe.venue.sim.crowd import LEAD_TRADE
from mmpipe.venue.sim.instruments import coins_of
from mmpipe.venue.sim.lead_book import LEAD_BOOK, LEAD_CHANGE
from mmpipe.venue.sim.lead_views import SPOT, USDM

COIN = coins_of(("BTC",), ("BTCUSDT",))[0]  # a tick is 0.1, a lot 0.00001
TS_MS = 1_790_358_600_000


def book() -> np.void:
    row = np.zeros(1, LEAD_BOOK)[0]
    row["tick"][:, :3] = [[1_000_000, 999_995, 999_990], [1_000_001, 1_000_005, 1_000_010]]
    row["lots"][:, :3] = [[150_000, 1, 2], [250_000, 3, 4]]
    row["touch_id"], row["last_id"], row["first_id"], row["update_id"] = 158, 149, 157, 160
    return row


def trade(side: int) -> np.void:
    return np.array([(7, 1_000_001, 12_300, side)], LEAD_TRADE)[0]


def test_best_quotes() -> None:
    assert USDM.ticker(COIN, book(), TS_MS) == {
        "e": "bookTicker", "u": 158, "s": "BTCUSDT", "b": "100000.00", "B": "1.500", "a": "100000.10",
        "A": "2.500", "T": TS_MS, "E": TS_MS,
    }  # fmt: skip
    assert SPOT.ticker(COIN, book(), TS_MS) == {
        "u": 158, "s": "BTCUSDT", "b": "100000.00000000", "B": "1.50000000", "a": "100000.10000000",
        "A": "2.50000000",
    }  # fmt: skip


@pytest.mark.parametrize(("side", "maker"), [(1, False), (-1, True)])
def test_trades(side: int, maker: bool) -> None:
    assert USDM.aggregate(COIN, trade(side), TS_MS) == {
        "e": "aggTrade", "E": TS_MS, "a": 7, "s": "BTCUSDT", "p": "100000.10", "q": "0.123", "nq": "0.123",
        "f": 7, "l": 7, "T": TS_MS, "m": maker,
    }  # fmt: skip
    text = {"E": TS_MS, "s": "BTCUSDT", "p": "100000.10000000", "q": "0.12300000", "T": TS_MS}
    assert SPOT.aggregate(COIN, trade(side), TS_MS) == text | {
        "e": "aggTrade", "a": 7, "f": 7, "l": 7, "m": maker, "M": True
    }  # fmt: skip
    assert SPOT.trade(COIN, trade(side), TS_MS) == text | {"e": "trade", "t": 7, "m": maker, "M": True}


def test_a_diff_says_each_level_once_and_as_it_ended() -> None:
    changes = np.array(
        [(0, 999_990, 5), (1, 1_000_010, 9), (0, 999_990, 0), (0, 1_000_010, 1), (1, 1_000_010, 4)],
        LEAD_CHANGE,
    )
    usdm = USDM.diff(COIN, book(), changes, TS_MS)
    assert usdm == {
        "e": "depthUpdate", "E": TS_MS, "T": TS_MS, "s": "BTCUSDT", "U": 157, "u": 160, "pu": 149,
        "b": [["99999.00", "0.000"], ["100001.00", "0.00001"]], "a": [["100001.00", "0.00004"]],
    }  # fmt: skip
    assert SPOT.diff(COIN, book(), changes, TS_MS) == {
        "e": "depthUpdate", "E": TS_MS, "s": "BTCUSDT", "U": 150, "u": 160,
        "b": [["99999.00000000", "0.00000000"], ["100001.00000000", "0.00001000"]],
        "a": [["100001.00000000", "0.00004000"]],
    }  # fmt: skip


def test_a_snapshot_is_best_first_and_no_longer_than_asked() -> None:
    assert USDM.snapshot(COIN, book(), 2, TS_MS) == {
        "lastUpdateId": 160, "E": TS_MS, "T": TS_MS,
        "bids": [["100000.00", "1.500"], ["99999.50", "0.00001"]],
        "asks": [["100000.10", "2.500"], ["100000.50", "0.00003"]],
    }  # fmt: skip
    assert list(SPOT.snapshot(COIN, book(), 5_000, TS_MS)) == ["lastUpdateId", "bids", "asks"]
    assert len(SPOT.snapshot(COIN, book(), 5_000, TS_MS)["bids"]) == 3
