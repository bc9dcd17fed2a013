"""Market data in npz: our normalised arrays, and hftbacktest's events.

The local receive time is the replay's time, made monotone; the venue's time stays beside it, whatever the
two clocks disagree about. The instrument's grid is read off the data. Nothing is repaired silently: a row
that cannot be is a `DataError` with file, row and cause; repeated trades and rows whose receive time goes
back are counted.
"""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmpipe.enums import EventKind, Venue
from mmpipe.errors import DataError
from mmpipe.recording.hftbacktest_rows import hftbacktest_events
from mmpipe.recording.manifest import Market
from mmpipe.recording.market_rows import assembled, finished, flag_history, refuse_bad_rows, steps_back
from mmpipe.recording.recorded import Finding, Recording
from mmpipe.records import EVENT

COLUMNS: Final = ("ts_exch", "ts_local", "type", "side", "px", "qty", "seq", "msg")
TYPES: Final = {
    "ts_exch": "iu", "ts_local": "iu", "type": "iu", "side": "i",
    "px": "f", "qty": "f", "seq": "iu", "msg": "iu",
}  # fmt: skip
KIND_NAMES: Final = {"iu": "an integer", "i": "a signed integer", "f": "a float"}
SNAPSHOT_LEVEL, DELTA, PRINT, QUOTE = range(4)
KINDS: Final = np.array(
    [EventKind.BOOK_DELTA, EventKind.BOOK_DELTA, EventKind.TRADE, EventKind.BBO], dtype=np.uint8
)


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
        if not zipfile.is_zipfile(path):  # numpy would take it for a pickle, and say how to open it unsafely
            raise DataError(f"{path}: not a readable npz: no zip file, or not the whole of one")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable npz: {error}") from error
    if "data" in arrays:
        rows = hftbacktest_events(path, arrays["data"])
        market = Market(symbol, path.name.partition(".")[0], "")
        found = steps_back(path, rows["local_ts_ns"][1:], "row of the local side", 0)
        return replace(finished(path, market, venue, rows, len(arrays["data"]), 0), findings=found)
    missing = [name for name in COLUMNS if name not in arrays]
    if missing:
        raise DataError(f"{path}: arrays {missing} are missing; expected {COLUMNS}, or 'data' of hftbacktest")
    meta = _meta(path, arrays)
    name, source = str(meta.get("name", path.stem)), str(meta.get("venue", ""))
    if venue is Venue.MAKER and source == "binance-coinm":
        raise DataError(f"{path}: an inverse contract cannot be quoted here; use it as lead")
    _check_columns(path, arrays)
    rows, repeated_count = _normalised_events(arrays, source == "hyperliquid")
    recording = finished(path, Market(symbol, name, ""), venue, rows, len(arrays["px"]), repeated_count)
    findings = (*steps_back(path, arrays["ts_local"], "row", 0), *_split_messages(path, arrays["msg"]))
    return replace(recording, findings=findings)


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
    for name, kinds in TYPES.items():
        if arrays[name].dtype.kind not in kinds:
            raise DataError(
                f"{path}: array '{name}' is of type {arrays[name].dtype}, not {KIND_NAMES[kinds]}"
            )
    px, qty, kind = arrays["px"], arrays["qty"], arrays["type"]
    checks = {
        "type is not 0 to 3": (kind >= SNAPSHOT_LEVEL) & (kind <= QUOTE),
        "side is not 1 or -1": np.abs(arrays["side"]) == 1,
        "price is not a positive number": (px > 0.0) & np.isfinite(px),
        "quantity is not a number >= 0": (qty >= 0.0) & np.isfinite(qty),
        "a trade without quantity": (kind != PRINT) | (qty > 0.0),
        "receive time is not positive": arrays["ts_local"] > 0,
        "venue time is negative": arrays["ts_exch"] >= 0,
    }
    refuse_bad_rows(path, checks, "row", 0)


def _split_messages(path: Path, message: np.ndarray) -> tuple[Finding, ...]:
    # Every message is one run of rows; a second run of the same number means that rows changed places.
    starts = np.append(0, np.flatnonzero(np.diff(message)) + 1)
    _, first_run = np.unique(message[starts], return_index=True)
    again = np.setdiff1d(np.arange(len(starts)), first_run)
    if not again.size:
        return ()
    row = int(starts[again[0]])
    return (Finding(True, str(path), f"row {row}: message {int(message[row])} goes on out of place"),)


def _normalised_events(arrays: dict[str, np.ndarray], hyperliquid: bool) -> tuple[np.ndarray, int]:
    kind, message = arrays["type"], arrays["msg"]
    rows = np.zeros(len(kind), EVENT)
    rows["local_ts_ns"], rows["exch_ts_ns"] = arrays["ts_local"], arrays["ts_exch"]
    rows["px"], rows["qty"], rows["side"] = arrays["px"], arrays["qty"], arrays["side"]
    rows["kind"], rows["remote_seq"] = KINDS[kind], arrays["seq"]
    first = np.append(True, message[1:] != message[:-1])
    if hyperliquid:
        flag_history(rows)
    return assembled(rows, first, kind == SNAPSHOT_LEVEL)
