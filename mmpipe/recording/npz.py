"""Recorded market data as EVENT rows: normalised npz, hftbacktest npz, and raw frames of a recorder.

The local receive time is the replay's time, made monotone; the venue's time stays beside it, whatever the
two clocks disagree about. The instrument's grid is read off the data. Nothing is repaired silently: a row
that cannot be is a `DataError` with file, row and cause; repeated trades and rows whose receive time goes
back are counted.
"""

import gzip
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.records import EVENT, INSTRUMENT
from mmpipe.replay.hftbacktest_rows import hftbacktest_events
from mmpipe.units import CASH_PER_USDC, PX_DECIMALS, lot_qty, tick_px, ticks_per_unit
from mmpipe.venue.port import DEPTH_ROWS_MAX, Decoder

MIN_NOTIONAL_USDC: Final = 10  # what Hyperliquid demands of an order
DECIMALS_TOLERANCE: Final = 1e-9  # of a grid step: prices and sizes were decimal texts
HISTORY_LAG_NS: Final = (
    3_000_000_000  # a Hyperliquid trade this much later than its quotes was sent as history
)
LAST: Final = np.uint16(EventFlag.LAST)
HISTORY: Final = np.uint16(EventFlag.HISTORY)
COLUMNS: Final = ("ts_exch", "ts_local", "type", "side", "px", "qty", "seq", "msg")
SNAPSHOT_LEVEL, DELTA, PRINT, QUOTE = range(4)
KINDS: Final = np.array(
    [EventKind.BOOK_DELTA, EventKind.BOOK_DELTA, EventKind.TRADE, EventKind.BBO], dtype=np.uint8
)


@dataclass(frozen=True, slots=True)
class Recording:
    """One market of one recording.

    Attributes
    ----------
    name : str
        What the file says it is.
    events : ndarray of EVENT, shape (n,)
        In order of `local_ts_ns`, messages closed by LAST; `seq` is left to the ring.
    instrument : ndarray of INSTRUMENT, shape (1,)
        Grid read off the data.
    row_count : int
        Rows in the file.
    repeated_count, reordered_count : int
        Trades dropped because their id was seen before; rows whose receive time went back.
    """

    name: str
    events: np.ndarray
    instrument: np.ndarray
    row_count: int
    repeated_count: int
    reordered_count: int


def load(path: Path, symbol: int, venue: Venue) -> Recording:
    """Read a normalised or hftbacktest npz.

    Parameters
    ----------
    path : Path
        The file.
    symbol : int
        Index its rows get.
    venue : Venue
        Role the market plays.

    Raises
    ------
    DataError
        The file is missing or of another format, a row cannot be, or the market cannot play that role.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable npz: {error}") from error
    if "data" in arrays:
        rows = hftbacktest_events(path, arrays["data"])
        return _recording(path, path.name.partition(".")[0], rows, len(arrays["data"]), symbol, venue, 0)
    missing = [name for name in COLUMNS if name not in arrays]
    if missing:
        raise DataError(f"{path}: arrays {missing} are missing; expected {COLUMNS}, or 'data' of hftbacktest")
    meta = _meta(path, arrays)
    if venue is Venue.MAKER and meta.get("venue") == "binance-coinm":
        raise DataError(f"{path}: an inverse contract cannot be quoted here; use it as lead")
    _check_columns(path, arrays)
    rows, repeated_count = _normalised_events(arrays, meta.get("venue") == "hyperliquid")
    name = str(meta.get("name", path.stem))
    return _recording(path, name, rows, len(arrays["px"]), symbol, venue, repeated_count)


def load_frames(path: Path, decoder: Decoder, instrument: np.ndarray) -> Recording:
    """Read raw frames, one line `<local_ns> <frame>` each, gzipped, through a live decoder.

    Parameters
    ----------
    path : Path
        The file.
    decoder : Decoder
        Of the venue the frames come from; its counters say what it rejected.
    instrument : ndarray of INSTRUMENT, shape (1,)
        The grid the decoder was given.

    Raises
    ------
    DataError
        The file is missing or damaged, or a line does not start with a time.
    """
    out = np.zeros(DEPTH_ROWS_MAX, EVENT)
    parts: list[np.ndarray] = []
    line_count = 0
    try:
        with gzip.open(path, "rb") as lines:
            for line_count, line in enumerate(lines, 1):
                stamp, _, frame = line.rstrip(b"\n").partition(b" ")
                if not (stamp.isdigit() and 0 < len(stamp) < 20 and frame):
                    raise DataError(f"{path}: line {line_count}: not '<local ns> <frame>'")
                count = decoder.decode(frame, int(stamp), out)
                parts.append(out[:count].copy())
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: damaged after line {line_count}: {error}") from error
    if not line_count:
        raise DataError(f"{path}: no lines")
    rows = np.concatenate(parts)
    reordered_count = _make_monotone(rows)
    return Recording(path.name.partition(".")[0], rows, instrument, line_count, 0, reordered_count)


def instrument_of(px: np.ndarray, qty: np.ndarray, symbol: int) -> np.ndarray:
    """The coarsest Hyperliquid grid that holds every price; sizes may be finer than its lot.

    Parameters
    ----------
    px, qty : ndarray of float64
        Every price (> 0) and size (>= 0) of the data.
    symbol : int
        Index of the instrument.

    Returns
    -------
    ndarray of INSTRUMENT, shape (1,)
        With lot 10^-d and tick 10^-(6-d), so that one tick times one lot is 1e-6 USDC.

    Raises
    ------
    ValueError
        Prices need more than six decimals.
    """
    px_decimals, size_decimals = _decimals(px), _decimals(qty)
    if px_decimals > PX_DECIMALS:
        raise ValueError(f"prices need {px_decimals} decimals, at most {PX_DECIMALS} are supported")
    size_decimals = min(size_decimals, PX_DECIMALS - px_decimals)
    row = np.zeros(1, INSTRUMENT)
    row["symbol"], row["asset"], row["size_decimals"] = symbol, symbol, size_decimals
    row["ticks_per_unit"], row["tick_px"] = ticks_per_unit(size_decimals), tick_px(size_decimals)
    row["lot_qty"], row["min_notional_cash"] = lot_qty(size_decimals), MIN_NOTIONAL_USDC * CASH_PER_USDC
    return row


def _recording(
    path: Path, name: str, rows: np.ndarray, row_count: int, symbol: int, venue: Venue, repeated_count: int
) -> Recording:
    priced = rows["px"] > 0.0
    try:
        instrument = instrument_of(rows["px"][priced], rows["qty"][priced], symbol)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    rows["symbol"], rows["venue"] = symbol, venue
    rows["px_tick"] = np.rint(rows["px"] * float(instrument["ticks_per_unit"][0])).astype(np.int64)
    return Recording(name, rows, instrument, row_count, repeated_count, _make_monotone(rows))


def _meta(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    try:
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
    except ValueError as error:
        raise DataError(f"{path}: 'meta' is not JSON: {error}") from error
    return meta if isinstance(meta, dict) else {}


def _check_columns(path: Path, arrays: dict[str, np.ndarray]) -> None:
    sizes = {name: arrays[name].shape for name in COLUMNS}
    if len(set(sizes.values())) != 1 or arrays["px"].ndim != 1 or not len(arrays["px"]):
        raise DataError(f"{path}: arrays of different or no length: {sizes}")
    px, qty, kind = arrays["px"], arrays["qty"], arrays["type"]
    checks = {
        "type is not 0 to 3": kind <= QUOTE,
        "side is not 1 or -1": np.abs(arrays["side"]) == 1,
        "price is not a positive number": (px > 0.0) & np.isfinite(px),
        "quantity is not a number >= 0": (qty >= 0.0) & np.isfinite(qty),
        "a trade without quantity": (kind != PRINT) | (qty > 0.0),
        "receive time is not positive": arrays["ts_local"] > 0,
        "venue time is negative": arrays["ts_exch"] >= 0,
    }
    for cause, sound in checks.items():
        if not sound.all():
            raise DataError(f"{path}: row {int(np.argmin(sound))}: {cause}")


def _normalised_events(arrays: dict[str, np.ndarray], hyperliquid: bool) -> tuple[np.ndarray, int]:
    kind, message = arrays["type"], arrays["msg"]
    rows = np.zeros(len(kind), EVENT)
    rows["local_ts_ns"], rows["exch_ts_ns"] = arrays["ts_local"], arrays["ts_exch"]
    rows["px"], rows["qty"], rows["side"] = arrays["px"], arrays["qty"], arrays["side"]
    rows["kind"], rows["remote_seq"] = KINDS[kind], arrays["seq"]
    first = np.ones(len(rows), bool)
    first[1:] = message[1:] != message[:-1]
    rows["flags"][np.append(first[1:], True)] = EventFlag.LAST
    if hyperliquid:
        _flag_history(rows)
    keep = ~_repeated_trades(rows)
    _keep_last_flags(rows, keep)
    clears = np.flatnonzero(first & (kind == SNAPSHOT_LEVEL) & keep)
    clear_rows = rows[clears].copy()
    for name in ("px", "qty", "side", "flags"):
        clear_rows[name] = 0
    clear_rows["kind"] = EventKind.BOOK_CLEAR
    order = np.argsort(np.concatenate((np.flatnonzero(keep) + 0.5, clears)), kind="stable")
    return np.concatenate((rows[keep], clear_rows))[order], int((~keep).sum())


def _flag_history(rows: np.ndarray) -> None:
    lag_ns = rows["local_ts_ns"] - rows["exch_ts_ns"]
    trade = rows["kind"] == EventKind.TRADE
    usual_ns = int(np.median(lag_ns[~trade])) if (~trade).any() else 0
    rows["flags"][trade & (lag_ns > usual_ns + HISTORY_LAG_NS)] |= HISTORY


def _repeated_trades(rows: np.ndarray) -> np.ndarray:
    trades = np.flatnonzero((rows["kind"] == EventKind.TRADE) & (rows["remote_seq"] != 0))
    repeated = np.zeros(len(rows), bool)
    repeated[trades] = True
    _, first = np.unique(rows["remote_seq"][trades], return_index=True)
    repeated[trades[first]] = False
    return repeated


def _keep_last_flags(rows: np.ndarray, keep: np.ndarray) -> None:
    # A message whose last row is dropped ends with the row before, if that is its own.
    for index in np.flatnonzero(~keep & (rows["flags"] & EventFlag.LAST > 0)).tolist():
        before = index - 1
        while before >= 0 and not keep[before] and not rows["flags"][before] & EventFlag.LAST:
            before -= 1
        if before >= 0:
            rows["flags"][before] |= LAST


def _make_monotone(rows: np.ndarray) -> int:
    times = rows["local_ts_ns"]
    reached = np.maximum.accumulate(times)
    reordered_count = int((times < reached).sum())
    rows["local_ts_ns"] = reached
    return reordered_count


def _decimals(values: np.ndarray) -> int:
    unique = np.unique(values)
    for decimals in range(PX_DECIMALS + 6):
        scaled = unique * 10.0**decimals
        # A decimal text read as a double and scaled is off by its rounding, relative to its size.
        if (np.abs(scaled - np.rint(scaled)) <= np.maximum(DECIMALS_TOLERANCE, scaled * 1e-15)).all():
            return decimals
    return PX_DECIMALS + 6
