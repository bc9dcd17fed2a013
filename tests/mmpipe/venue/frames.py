"""Synthetic frames in the shapes of the venues, and where the real captures are."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.records import EVENT, INSTRUMENT
from mmpipe.venue.hyperliquid_meta import parse_meta

COINS = ["BTC", "ETH"]
LEADS = ["BTCUSDT", "ETHUSDT"]
META = {
    "universe": [
        {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 56},
        {"szDecimals": 1, "name": "MATIC", "maxLeverage": 20, "isDelisted": True},
        {"szDecimals": 4, "name": "ETH", "maxLeverage": 25, "marginTableId": 55},
    ],
    "marginTables": [],
}
T0_MS = 1_790_358_600_000


def instruments() -> np.ndarray:
    return parse_meta(META, COINS)


def one_instrument(decimals: int) -> np.ndarray:
    rows = np.zeros(1, INSTRUMENT)
    rows["ticks_per_unit"] = 10**decimals
    return rows


def out_rows(count: int = 4_096) -> np.ndarray:
    return np.zeros(count, EVENT)


def frame(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def bbo(
    bid: str | None = "83757.0", ask: str | None = "83758.0", time_ms: int = T0_MS, coin: str = "BTC"
) -> bytes:
    sides = [None if px is None else {"px": px, "sz": "1.5", "n": 2} for px in (bid, ask)]
    return frame({"channel": "bbo", "data": {"coin": coin, "time": time_ms, "bbo": sides}})


def book(levels: int = 3, time_ms: int = T0_MS, **extra: Any) -> bytes:
    bids = [{"px": f"{83757 - i}.0", "sz": "10.25923", "n": 36} for i in range(levels)]
    asks = [{"px": f"{83758 + i}.0", "sz": "0.5", "n": 1} for i in range(levels)]
    return frame(
        {"channel": "l2Book", "data": {"coin": "BTC", "time": time_ms, "levels": [bids, asks], **extra}}
    )


def trade(tid: int, time_ms: int = T0_MS, **fields: Any) -> dict[str, Any]:
    row = {
        "coin": "BTC",
        "side": "B",
        "px": "83770.0",
        "sz": "0.00819",
        "time": time_ms,
        "hash": "0x00",
        "tid": tid,
    }
    return {**row, "users": ["0xa", "0xb"], **fields}


def trades(*rows: dict[str, Any]) -> bytes:
    return frame({"channel": "trades", "data": list(rows)})


def funding(rate: str = "0.0000125") -> bytes:
    return frame(
        {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": {"funding": rate, "markPx": "83757.0"}}}
    )


def ticker(u: int = 10, bid: str = "83757.00", ask: str = "83757.10", **fields: Any) -> dict[str, Any]:
    usdm = {"e": "bookTicker", "T": T0_MS, "E": T0_MS + 1}
    return {**usdm, "u": u, "s": "BTCUSDT", "b": bid, "B": "2.5", "a": ask, "A": "3.5", **fields}


def aggregate_trade(number: int = 5, **fields: Any) -> dict[str, Any]:
    row = {"e": "aggTrade", "E": T0_MS + 2, "a": number, "s": "BTCUSDT", "p": "83757.10", "q": "0.123"}
    return {**row, "f": 1, "l": 2, "T": T0_MS, "m": True, **fields}


def print_(number: int = 5, **fields: Any) -> dict[str, Any]:
    row = {"e": "trade", "E": T0_MS + 2, "t": number, "s": "BTCUSDT", "p": "83757.10", "q": "0.123"}
    return {**row, "T": T0_MS, "m": False, "X": "MARKET", **fields}


def wrapped(message: dict[str, Any], stream: str) -> bytes:
    return frame({"stream": f"btcusdt@{stream}", "data": message})


def depth_update(first: int, last: int, previous: int | None, **levels: Any) -> dict[str, Any]:
    message = {"e": "depthUpdate", "E": T0_MS, "s": "BTCUSDT", "U": first, "u": last}
    if previous is not None:
        message |= {"T": T0_MS, "pu": previous}
    return {**message, "b": [["83757.0", "1"]], "a": [["83758.0", "0.000"]], **levels}


def depth(first: int, last: int, previous: int | None, **levels: Any) -> bytes:
    return frame(depth_update(first, last, previous, **levels))


def snapshot(last: int) -> bytes:
    return frame(
        {"lastUpdateId": last, "bids": [["83757.0", "2"]], "asks": [["83758.0", "3"], ["83759.0", "4"]]}
    )


def capture_path(*parts: str) -> Path:
    """A file of real data, or a skip that says how to get it."""
    path = Path(os.environ.get("MMPIPE_DATA", "../shared/data")).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no real data at {path}; set MMPIPE_DATA")
    return path


def capture(*parts: str) -> Iterator[tuple[int, bytes]]:
    """Frames of a raw capture with their local time."""
    with gzip.open(capture_path(*parts), "rb") as lines:
        for line in lines:
            stamp, _, body = line.partition(b" ")
            yield int(stamp), body.strip()
