"""Tardis' downloadable CSV files of one market: trades, best quotes, incremental books.

Times are microseconds: `timestamp` of the venue, `local_timestamp` of receipt. Files of several types or days
become one stream by receive time; of rows received together, books come first, then trades, then quotes. A
book starts anew where a run of `is_snapshot` rows begins. A trade id that is no number is not kept, and a
trade whose side the venue did not tell is left out; both are noted.

References
----------
Tardis.dev, "Downloadable CSV files": trades, book_ticker, quotes, incremental_book_L2.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.enums import EventKind, Side, Venue
from mmpipe.errors import DataError
from mmpipe.recording.csv_table import INTEGER, NUMBER, TEXT, header_of, read_columns
from mmpipe.recording.manifest import Market
from mmpipe.recording.market_rows import assembled, finished, refuse_bad_rows, steps_back
from mmpipe.recording.recorded import Finding, Recording
from mmpipe.records import EVENT

FIRST_LINE: Final = 2
NS_PER_US: Final = 1_000
COMMON: Final = {"exchange": TEXT, "symbol": TEXT, "timestamp": INTEGER, "local_timestamp": INTEGER}
TRADES: Final = {**COMMON, "id": TEXT, "side": TEXT, "price": NUMBER, "amount": NUMBER}
QUOTES: Final = {
    **COMMON,
    "ask_amount": NUMBER,
    "ask_price": NUMBER,
    "bid_price": NUMBER,
    "bid_amount": NUMBER,
}
BOOK: Final = {**COMMON, "is_snapshot": TEXT, "side": TEXT, "price": NUMBER, "amount": NUMBER}
INVERSE: Final = ("binance-delivery", "bitmex")  # quoted in the coin they are margined in

Stream = tuple[np.ndarray, np.ndarray, np.ndarray]


def load_tardis(paths: Sequence[Path], symbol: int, venue: Venue) -> Recording:
    """Read the files of one market.

    Parameters
    ----------
    paths : sequence of Path
        `.csv` or `.csv.gz`.
    symbol : int
        Index its rows get.
    venue : Venue
        Role the market plays.

    Raises
    ------
    DataError
        A file is missing or damaged, a line cannot be, the files are of different markets, or the market
        cannot play that role.
    """
    findings: list[Finding] = []
    parts: list[tuple[int, Stream]] = []
    names: set[tuple[str, str]] = set()
    for path in paths:
        rank, stream, own = _stream(path, findings)
        parts.append((rank, stream))
        names |= own
        if len(names) > 1:
            raise DataError(f"{path}: rows of {sorted(names)}; give the files of one market at a time")
    (exchange, name) = names.pop()
    if venue is Venue.MAKER and exchange in INVERSE:
        raise DataError(f"{paths[0]}: an inverse contract cannot be quoted here; use it as lead")
    parts.sort(key=lambda part: part[0])
    rows, first, begins = (np.concatenate(part) for part in zip(*(s for _, s in parts), strict=True))
    order = np.argsort(rows["local_ts_ns"], kind="stable")
    events, repeated_count = assembled(rows[order], first[order], begins[order])
    made = finished(paths[0], Market(symbol, name, ""), venue, events, len(rows), repeated_count)
    return replace(made, findings=tuple(findings))


def market_of(path: Path) -> tuple[str, str]:
    """Exchange and symbol of the first row.

    Raises
    ------
    DataError
        There is none.
    """
    columns = read_columns(path, {"exchange": TEXT, "symbol": TEXT})
    if not len(columns["symbol"]):
        raise DataError(f"{path}: no rows")
    return str(columns["exchange"][0]), str(columns["symbol"][0])


def _stream(path: Path, findings: list[Finding]) -> tuple[int, Stream, set[tuple[str, str]]]:
    header = header_of(path)
    if "is_snapshot" in header:
        rank, types = 0, BOOK
    elif "id" in header:
        rank, types = 1, TRADES
    else:
        rank, types = 2, QUOTES
    columns = read_columns(path, types)
    if not len(columns["symbol"]):
        raise DataError(f"{path}: no rows")
    checks = {
        "timestamp is not positive": columns["timestamp"] > 0,
        "local_timestamp is not positive": columns["local_timestamp"] > 0,
    }
    refuse_bad_rows(path, checks, "line", FIRST_LINE)
    findings += steps_back(path, columns["local_timestamp"] * NS_PER_US, "line", FIRST_LINE)
    rows = np.zeros(len(columns["timestamp"]), EVENT)
    rows["local_ts_ns"] = columns["local_timestamp"] * NS_PER_US
    rows["exch_ts_ns"] = columns["timestamp"] * NS_PER_US
    own = set(zip(np.unique(columns["exchange"]), np.unique(columns["symbol"]), strict=False))
    if len(np.unique(columns["exchange"])) + len(np.unique(columns["symbol"])) > 2:
        raise DataError(f"{path}: rows of several markets; split the file by symbol")
    if rank == 1:
        return rank, _trades(path, columns, rows, findings), own
    return rank, (_book if rank == 0 else _quotes)(path, columns, rows), own


def _trades(path: Path, columns: dict[str, np.ndarray], rows: np.ndarray, findings: list[Finding]) -> Stream:
    side = columns["side"]
    known = side != "unknown"
    _check_levels(path, columns, (side == "buy") | (side == "sell") | ~known, columns["amount"] > 0.0)
    _fill(rows, EventKind.TRADE, side == "buy", columns)
    numbers = np.char.isdigit(columns["id"].astype(str))
    short = np.char.str_len(columns["id"].astype(str)) < 19
    if (numbers & short).all():
        rows["remote_seq"] = columns["id"].astype(np.int64)
    else:
        findings.append(Finding(False, str(path), "trade ids are no numbers; repeats cannot be seen"))
    if not known.all():
        count = int((~known).sum())
        findings.append(Finding(False, str(path), f"{count} trades of unknown side are left out"))
    rows = rows[known]
    return rows, np.ones(len(rows), bool), np.zeros(len(rows), bool)


def _quotes(path: Path, columns: dict[str, np.ndarray], rows: np.ndarray) -> Stream:
    checks = {}
    for side in ("bid", "ask"):
        px, qty = columns[f"{side}_price"], columns[f"{side}_amount"]
        checks[f"{side} is not a positive price and amount"] = (
            (px > 0.0) & np.isfinite(px) & (qty > 0.0) & np.isfinite(qty)
        )
    refuse_bad_rows(path, checks, "line", FIRST_LINE)
    rows = np.repeat(rows, 2)
    rows["kind"] = EventKind.BBO
    for at, side, sign in ((0, "bid", Side.BUY), (1, "ask", Side.SELL)):
        rows["px"][at::2], rows["qty"][at::2] = columns[f"{side}_price"], columns[f"{side}_amount"]
        rows["side"][at::2] = sign
    return rows, np.arange(len(rows)) % 2 == 0, np.zeros(len(rows), bool)


def _book(path: Path, columns: dict[str, np.ndarray], rows: np.ndarray) -> Stream:
    side, text = columns["side"], columns["is_snapshot"]
    snapshot = text == "true"
    refuse_bad_rows(
        path, {"is_snapshot is neither true nor false": snapshot | (text == "false")}, "line", FIRST_LINE
    )
    _check_levels(path, columns, (side == "bid") | (side == "ask"), columns["amount"] >= 0.0)
    _fill(rows, EventKind.BOOK_DELTA, side == "bid", columns)
    first = np.append(True, (np.diff(rows["local_ts_ns"]) != 0) | (snapshot[1:] != snapshot[:-1]))
    begins = snapshot & ~np.append(False, snapshot[:-1])
    return rows, first, begins


def _check_levels(path: Path, columns: dict[str, np.ndarray], sided: np.ndarray, sized: np.ndarray) -> None:
    price, amount = columns["price"], columns["amount"]
    checks = {
        "price is not a positive number": (price > 0.0) & np.isfinite(price),
        "amount is not a number of the right sign": sized & np.isfinite(amount),
        "side is none that the format knows": sided,
    }
    refuse_bad_rows(path, checks, "line", FIRST_LINE)


def _fill(rows: np.ndarray, kind: EventKind, buy: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    rows["kind"], rows["side"] = kind, np.where(buy, Side.BUY, Side.SELL)
    rows["px"], rows["qty"] = columns["price"], columns["amount"]
