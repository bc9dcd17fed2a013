"""A recorder's set of three CSV files per Hyperliquid coin: sampled books, best prices, trades.

    orderbooks_X.csv.gz   timestamp, sequence, exchange_timestamp, bid_price_0, bid_size_0, ask_price_0, …
    prices_X.csv.gz       timestamp, price, size, side (bid, ask), exchange_timestamp     two rows a message
    trades_X.csv.gz       timestamp, price, size, side (buy, sell), trade_id, exchange_timestamp

`timestamp` is the receive time in seconds, `exchange_timestamp` the block's in milliseconds. Of rows received
together, books come first, then trades, then best prices. The venue numbers nothing, so `remote_seq` is 0 but
for trades, as the live feed writes it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.enums import EventKind, Side, Venue
from mmpipe.errors import DataError
from mmpipe.recording.csv_table import INTEGER, NUMBER, SECONDS, TEXT, header_of, read_columns
from mmpipe.recording.manifest import Market
from mmpipe.recording.market_rows import assembled, finished, flag_history, refuse_bad_rows, steps_back
from mmpipe.recording.recorded import Finding, Recording
from mmpipe.records import EVENT

FILE_NAME: Final = re.compile(r"(orderbooks|prices|trades)_([A-Za-z0-9:@-]{1,20})\.csv(\.gz)?")
FIRST_LINE: Final = 2  # of the data: the header is line 1
TIMES: Final = {"timestamp": SECONDS, "exchange_timestamp": INTEGER}
LEVELS_MAX: Final = 256  # EVENT.level is one byte

Stream = tuple[np.ndarray, np.ndarray, np.ndarray]  # rows, those that begin a message, … a book


def coins_of(folder: Path) -> list[str]:
    """Coins whose books, best prices and trades all lie in a folder, sorted."""
    kinds: dict[str, set[str]] = {}
    for path in folder.iterdir():
        if match := FILE_NAME.fullmatch(path.name):
            kinds.setdefault(match.group(2), set()).add(match.group(1))
    return sorted(coin for coin, found in kinds.items() if len(found) == 3)


def load_hyperliquid_csv(folder: Path, coin: str, symbol: int, venue: Venue) -> Recording:
    """Read the three files of one coin.

    Parameters
    ----------
    folder : Path
        Where they lie.
    coin : str
        As in their names.
    symbol : int
        Index its rows get.
    venue : Venue
        Role the market plays.

    Raises
    ------
    DataError
        A file is missing or damaged, or a line cannot be.
    """
    paths = [_path(folder, kind, coin) for kind in ("orderbooks", "trades", "prices")]
    findings: list[Finding] = []
    books, repeated_books = _books(paths[0], findings)
    streams = [books, _trades(paths[1], findings), _prices(paths[2], findings)]
    rows, first, begins_book = (np.concatenate(part) for part in zip(*streams, strict=True))
    if not len(rows):
        raise DataError(f"{folder}: no rows of {coin}")
    order = np.argsort(rows["local_ts_ns"], kind="stable")
    rows = rows[order]
    flag_history(rows)
    events, repeated_count = assembled(rows, first[order], begins_book[order])
    made = finished(folder, Market(symbol, coin, ""), venue, events, len(rows), repeated_count)
    return replace(made, findings=tuple(findings), repeated_books=repeated_books)


def _path(folder: Path, kind: str, coin: str) -> Path:
    for suffix in (".csv.gz", ".csv"):
        if (path := folder / f"{kind}_{coin}{suffix}").is_file():
            return path
    raise DataError(f"{folder / f'{kind}_{coin}.csv.gz'}: no such file")


def _stamped(path: Path, columns: Mapping[str, np.ndarray], findings: list[Finding]) -> np.ndarray:
    checks = {
        "timestamp is not positive": columns["timestamp"] > 0,
        "exchange_timestamp is not positive": columns["exchange_timestamp"] > 0,
    }
    refuse_bad_rows(path, checks, "line", FIRST_LINE)
    findings += steps_back(path, columns["timestamp"], "line", FIRST_LINE)
    rows = np.zeros(len(columns["timestamp"]), EVENT)
    rows["local_ts_ns"] = columns["timestamp"]
    rows["exch_ts_ns"] = columns["exchange_timestamp"] * NS_PER_MS
    return rows


def _books(path: Path, findings: list[Finding]) -> tuple[Stream, int]:
    levels = sum(name.startswith("bid_price_") for name in header_of(path))
    if not 0 < levels <= LEVELS_MAX:
        raise DataError(f"{path}: line 1: {levels} columns bid_price_0, …; expected 1 to {LEVELS_MAX}")
    names = [f"{side}_{what}_{level}" for what in ("price", "size") for side in ("bid", "ask")
             for level in range(levels)]  # fmt: skip
    columns = read_columns(path, {**TIMES, **dict.fromkeys(names, NUMBER)})
    for name in names:
        sound = (columns[name] > 0.0) & np.isfinite(columns[name])
        refuse_bad_rows(path, {f"{name} is not a positive number": sound}, "line", FIRST_LINE)
    stamps = _stamped(path, columns, findings)
    table = np.stack([columns[name] for name in names], axis=1)
    # A reconnect repeats a book: the same block, level by level.
    same = (np.diff(stamps["exch_ts_ns"]) == 0) & (table[1:] == table[:-1]).all(axis=1)
    keep = ~np.append(False, same)
    table, stamps = table[keep], stamps[keep]
    rows = np.repeat(stamps, 2 * levels)
    rows["kind"] = EventKind.BOOK_DELTA
    rows["px"], rows["qty"] = table[:, : 2 * levels].ravel(), table[:, 2 * levels :].ravel()
    rows["side"] = np.tile(np.repeat([Side.BUY, Side.SELL], levels), len(stamps))
    rows["level"] = np.tile(np.tile(np.arange(levels), 2), len(stamps))
    first = np.zeros(len(rows), bool)
    first[:: 2 * levels] = True
    return (rows, first, np.ones(len(rows), bool)), int((~keep).sum())


def _sided(path: Path, columns: Mapping[str, np.ndarray], rows: np.ndarray, buy: str, sell: str) -> None:
    price, size, side = columns["price"], columns["size"], columns["side"]
    checks = {
        "price is not a positive number": (price > 0.0) & np.isfinite(price),
        "size is not a positive number": (size > 0.0) & np.isfinite(size),
        f"side is neither '{buy}' nor '{sell}'": (side == buy) | (side == sell),
    }
    refuse_bad_rows(path, checks, "line", FIRST_LINE)
    rows["px"], rows["qty"] = price, size
    rows["side"] = np.where(side == buy, Side.BUY, Side.SELL)


def _trades(path: Path, findings: list[Finding]) -> Stream:
    columns = read_columns(
        path, {**TIMES, "price": NUMBER, "size": NUMBER, "side": TEXT, "trade_id": INTEGER}
    )
    rows = _stamped(path, columns, findings)
    _sided(path, columns, rows, "buy", "sell")
    rows["kind"], rows["remote_seq"] = EventKind.TRADE, columns["trade_id"]
    return rows, np.ones(len(rows), bool), np.zeros(len(rows), bool)


def _prices(path: Path, findings: list[Finding]) -> Stream:
    columns = read_columns(path, {**TIMES, "price": NUMBER, "size": NUMBER, "side": TEXT})
    rows = _stamped(path, columns, findings)
    _sided(path, columns, rows, "bid", "ask")
    rows["kind"] = EventKind.BBO
    side = rows["side"]
    paired = (side[:-1] == Side.BUY) & (side[1:] == Side.SELL)
    for name in ("local_ts_ns", "exch_ts_ns"):
        paired &= np.diff(rows[name]) == 0
    return rows, ~np.append(False, paired), np.zeros(len(rows), bool)
