"""`manifest.json` of a recording: what was recorded, in which files, and how to know that they are whole.

manifest.json            replaced atomically; names every part that is finished
events-000001.parquet    a finished part
events-000002.open       the part under way, a write-ahead file
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct

from mmpipe.errors import DataError
from mmpipe.provenance import provenance
from mmpipe.records import EVENT, INSTRUMENT

SCHEMA: Final = "recording/1"
MANIFEST: Final = "manifest.json"
COLUMNS: Final = [(name, str(EVENT[name])) for name in EVENT.names or ()]
INSTRUMENT_FIELDS: Final = [name for name in INSTRUMENT.names or () if name != "pad"]


class Market(Struct, frozen=True, forbid_unknown_fields=True):
    """One market: index of its rows, its name at the maker venue, the same market at the lead."""

    symbol: int
    coin: str
    lead: str


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """One finished file: name, rows, first and last number and receive time (ns), size and SHA-256."""

    file: str
    rows: int
    first_seq: int
    last_seq: int
    first_ts_ns: int
    last_ts_ns: int
    bytes: int
    sha256: str


class Gap(Struct, frozen=True, forbid_unknown_fields=True):
    """`missing` rows behind row `after_seq` were not recorded."""

    after_seq: int
    missing: int


class ClockPair(Struct, frozen=True, forbid_unknown_fields=True):
    """Both clocks at one moment, ns: turns receive times into times of day."""

    mono_ns: int
    wall_ns: int


class Manifest(Struct, forbid_unknown_fields=True):
    """The whole file; `complete` when the recording was closed, `events_sha256` over all finished parts."""

    schema: str
    version: str
    git: str
    markets: list[Market]
    instruments: list[dict[str, int | float]]
    columns: list[tuple[str, str]]
    clock: list[ClockPair]
    parts: list[Part]
    gaps: list[Gap]
    rows: int
    events_sha256: str
    complete: bool


def new_manifest(markets: Sequence[Market], instruments: np.ndarray, events_sha256: str) -> Manifest:
    """Manifest of a recording that begins.

    Parameters
    ----------
    markets : sequence of Market, one per symbol in order
        What is recorded.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Their grids.
    events_sha256 : str
        Digest of no rows.
    """
    made = provenance()
    return Manifest(
        schema=SCHEMA,
        version=made["version"],
        git=made["git"],
        markets=list(markets),
        instruments=[{name: row[name].item() for name in INSTRUMENT_FIELDS} for row in instruments],
        columns=list(COLUMNS),
        clock=[],
        parts=[],
        gaps=[],
        rows=0,
        events_sha256=events_sha256,
        complete=False,
    )


def instruments_of(manifest: Manifest) -> np.ndarray:
    """Grids as INSTRUMENT rows, shape (symbols,)."""
    rows = np.zeros(len(manifest.instruments), INSTRUMENT)
    for row, fields in zip(rows, manifest.instruments, strict=True):
        for name in INSTRUMENT_FIELDS:
            row[name] = fields[name]
    return rows


def as_dict(manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain values, as they stand in the file."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(manifest))
    return plain


def save(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a folder: a reader sees the old one or the new one, whole."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    replace(folder / MANIFEST, lambda path: path.write_bytes(content + b"\n"))


def replace(path: Path, write: Any) -> None:
    """Put a file in place in one step, durable: `write` gets the path of the copy to fill."""
    copy = path.with_name(path.name + ".tmp")
    write(copy)
    sync(copy)
    copy.rename(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file or folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a folder.

    Raises
    ------
    DataError
        There is none, it is damaged, of another version, or contradicts itself.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not a recording: {error.strerror}; expected a folder with it") from error
    _check_schema(path, content)
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: not a manifest of {SCHEMA}: {error}") from error
    if manifest.columns != COLUMNS:
        differ = sorted(set(manifest.columns) ^ set(COLUMNS))
        raise DataError(f"{path}: columns are not this version's EVENT: {differ}; read it with its version")
    symbols = [market.symbol for market in manifest.markets]
    if symbols != list(range(len(manifest.instruments))) or not symbols:
        raise DataError(
            f"{path}: symbols {symbols} do not number the {len(manifest.instruments)} instruments"
        )
    for symbol, fields in enumerate(manifest.instruments):
        if sorted(fields) != sorted(INSTRUMENT_FIELDS):
            raise DataError(f"{path}: instrument {symbol} has fields {sorted(fields)}, not INSTRUMENT's")
        if not (fields["tick_px"] > 0.0 and fields["lot_qty"] > 0.0 and fields["symbol"] == symbol):
            raise DataError(f"{path}: instrument {symbol} has no positive tick and lot, or another symbol")
    return manifest


def _check_schema(path: Path, content: bytes) -> None:
    try:
        found = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: damaged: {error}; restore it from a copy of the recording") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise DataError(f"{path}: schema is {schema!r}, this version reads {SCHEMA!r}")
