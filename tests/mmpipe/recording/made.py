"""Small files in other people's formats."""

import gzip
import json
from pathlib import Path
from typing import Any

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def write_gz(path: Path, lines: list[str]) -> Path:
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


def frame(at_ms: int, content: Any) -> str:
    return f"{START_NS + at_ms * MS} {json.dumps(content, separators=(',', ':'))}"


def diff(at_ms: int, first: int, last: int, previous: int, bids: Any, asks: Any = ()) -> str:
    venue_ms = 1_700_000_000_000 + at_ms
    data = {
        "e": "depthUpdate", "E": venue_ms, "T": venue_ms, "s": "BTCUSDT", "U": first, "u": last,
        "pu": previous, "b": bids, "a": list(asks),
    }  # fmt: skip
    return frame(at_ms, {"stream": "btcusdt@depth@0ms", "data": data})


def ticker(at_ms: int, number: int, bid: str, ask: str) -> str:
    data = {
        "e": "bookTicker", "u": number, "s": "BTCUSDT", "b": bid, "B": "1.000", "a": ask, "A": "2.000",
        "T": 1_700_000_000_000 + at_ms, "E": 1_700_000_000_000 + at_ms,
    }  # fmt: skip
    return frame(at_ms, {"stream": "btcusdt@bookTicker", "data": data})


def trade(at_ms: int, number: int, px: str = "100.1") -> str:
    venue_ms = 1_700_000_000_000 + at_ms
    data = {"e": "trade", "E": venue_ms, "T": venue_ms, "s": "BTCUSDT", "t": number, "p": px, "q": "0.5",
            "m": False}  # fmt: skip
    return frame(at_ms, {"stream": "btcusdt@trade", "data": data})


def snapshot(at_ms: int, last: int) -> str:
    levels = {"bids": [["100.0", "1.000"], ["99.9", "2.000"]], "asks": [["100.1", "1.000"]]}
    return frame(at_ms, {"lastUpdateId": last, "T": 1_700_000_000_000 + at_ms, **levels})


def binance_lines() -> list[str]:
    """USD-M: a buffered diff, the snapshot, a chain of five diffs, quotes and trades; 11 lines."""
    return [
        diff(0, 95, 99, 94, [["99.8", "1.000"]]),
        diff(10, 100, 104, 99, [["99.7", "1.000"]]),
        snapshot(20, 102),
        ticker(30, 105, "100.0", "100.1"),
        diff(40, 105, 107, 104, [["99.9", "3.000"]], [["100.2", "1.000"]]),
        trade(50, 7001),
        diff(60, 108, 110, 107, [["100.0", "0.000"]], [["100.1", "0.500"]]),
        ticker(70, 111, "99.9", "100.1"),
        diff(80, 112, 115, 110, [["99.9", "2.500"]]),
        trade(90, 7002),
        diff(100, 116, 118, 115, [["99.6", "1.000"]]),
    ]


def hyperliquid_lines() -> list[str]:
    """Two coins of one connection: an acknowledgement, books, history, trades, funding."""

    def book(coin: str, at_ms: int, bid: str, ask: str) -> str:
        levels = [[{"n": 1, "px": bid, "sz": "1.5"}], [{"n": 2, "px": ask, "sz": "2.0"}]]
        data = {"levels": levels, "coin": coin, "time": 1_700_000_000_000 + at_ms}
        return frame(at_ms + 5, {"data": data, "channel": "l2Book"})

    def trades(coin: str, at_ms: int, number: int) -> str:
        one = {"side": "B", "coin": coin, "px": "101", "sz": "0.2", "tid": number, "hash": "0x",
               "time": 1_700_000_000_000 + at_ms}  # fmt: skip
        return frame(at_ms + 5, {"data": [one], "channel": "trades"})

    context = {"coin": "BTC", "ctx": {"funding": "0.0000123456", "markPx": "100.5"}}
    return [
        frame(0, {"channel": "subscriptionResponse", "data": {"method": "subscribe"}}),
        book("BTC", 0, "100", "101"),
        book("ETH", 10, "10.01", "10.02"),
        trades("BTC", 20, 1),
        trades("BTC", 30, 2),
        frame(40, {"channel": "activeAssetCtx", "data": context}),
        book("BTC", 50, "100", "101"),
    ]


BOOKS = "timestamp,sequence,exchange_timestamp,bid_price_0,bid_size_0,ask_price_0,ask_size_0,bid_price_1,bid_size_1,ask_price_1,ask_size_1"  # noqa: E501  # a header is one line
PRICES = "timestamp,price,size,side,exchange_timestamp"
TRADES = "timestamp,price,size,side,trade_id,exchange_timestamp"


def hyperliquid_csv(folder: Path, coin: str = "BTC") -> Path:
    """Three books, the second told twice; two quote messages; three trades, one told twice."""
    folder.mkdir(parents=True, exist_ok=True)
    level = "100.0,1.5,101.0,2.0,99.0,1.0,102.0,3.0"
    other = "100.0,1.0,101.0,2.0,99.0,1.0,102.0,3.0"
    write_gz(
        folder / f"orderbooks_{coin}.csv.gz",
        [
            BOOKS,
            f"1700000000.1000001,1700000000000,1700000000000,{level}",
            f"1700000000.7,1700000000600,1700000000600,{other}",
            f"1700000000.8,1700000000600,1700000000600,{other}",
            f"1700000001.2,1700000001100,1700000001100,{other}",
        ],
    )
    write_gz(
        folder / f"prices_{coin}.csv.gz",
        [
            PRICES,
            "1700000000.2,100.0,1.5,bid,1700000000100",
            "1700000000.2,101.0,2.0,ask,1700000000100",
            "1700000000.7,100.0,1.0,bid,1700000000600",
            "1700000000.7,101.0,2.0,ask,1700000000600",
        ],
    )
    write_gz(
        folder / f"trades_{coin}.csv.gz",
        [
            TRADES,
            "1700000000.7,101.0,0.25,buy,501,1699999990000",
            "1700000000.7,100.0,0.5,sell,502,1700000000600",
            "1700000000.9,100.0,0.5,sell,502,1700000000600",
        ],
    )
    return folder


TARDIS_TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
TARDIS_QUOTES = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
TARDIS_BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"


def tardis_files(folder: Path, exchange: str = "binance") -> list[Path]:
    """Trades, quotes and a book with two snapshots, of one market."""
    name, us = f"{exchange},BTCUSDT", 1_700_000_000_000_000

    def row(at_us: int, rest: str) -> str:
        return f"{name},{us + at_us},{us + at_us + 50},{rest}"

    trades = [
        TARDIS_TRADES,
        row(100, "11,buy,100.5,1"),
        row(200, "12,sell,100.0,2"),
        row(900, "15,buy,100.5,1"),
    ]
    quotes = [TARDIS_QUOTES, row(0, "1.5,100.5,100.0,2.5"), row(300, "1.0,100.5,100.0,2.5")]
    book = [
        TARDIS_BOOK,
        row(0, "true,bid,100.0,2.5"),
        row(0, "true,ask,100.5,1.5"),
        row(100, "false,ask,100.5,1.0"),
        row(500, "true,bid,99.0,1"),
        row(500, "true,ask,99.5,1"),
        row(550, "true,ask,99.6,1"),  # the same snapshot goes on
        row(600, "false,bid,99.0,0"),
    ]
    return [
        write_gz(folder / "trades.csv.gz", trades),
        write_gz(folder / "quotes.csv.gz", quotes),
        write_gz(folder / "book.csv.gz", book),
    ]
