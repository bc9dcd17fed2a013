"""Reads a recording's folder back, and first mends it when the recorder was killed.

Everything is checked on the way: schema, column types, the digest of every part, that numbers go on from row
to row and jump only where a gap is noted, and the digest of the whole stream.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np

from mmpipe.errors import DataError
from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.folder_lock import FolderLock
from mmpipe.recording.manifest import MANIFEST, Manifest, instruments_of, load_manifest
from mmpipe.recording.parquet_part import read_part
from mmpipe.recording.recorded import Finding, Recording
from mmpipe.recording.writer import absorb_part
from mmpipe.records import EVENT

OPEN_FILE: Final = re.compile(r"events-(\d{6})\.open")


def is_recording(path: Path) -> bool:
    """True for a folder with a manifest."""
    return (path / MANIFEST).is_file()


def read(folder: Path) -> Recording:
    """Read a recording whole.

    Parameters
    ----------
    folder : Path
        As `RecordingWriter` leaves it, closed or killed; write-ahead files of a killed one are turned into
        parts first, and `findings` says so.

    Returns
    -------
    Recording
        `numbered`: its rows carry the numbers, TIMERs and STATUSes of the line they were seen on.

    Raises
    ------
    DataError
        Something is missing, changed or damaged, or the folder is being recorded now.
    """
    manifest = load_manifest(folder)
    findings = _recover(folder, manifest)
    parts = [read_part(folder, part) for part in manifest.parts]
    events = np.concatenate(parts) if parts else np.zeros(0, EVENT)
    _check_stream(folder, manifest, events)
    findings += [
        Finding(True, str(folder), f"{gap.missing} rows behind row {gap.after_seq} were lost while recording")
        for gap in manifest.gaps
    ]
    if not manifest.complete:
        findings.append(Finding(False, str(folder), "the recorder did not close it"))
    reached = np.maximum.accumulate(events["local_ts_ns"])
    return Recording(
        name=folder.name,
        events=events,
        instruments=instruments_of(manifest),
        row_count=len(events),
        repeated_count=0,
        reordered_count=int((events["local_ts_ns"] < reached).sum()),
        markets=tuple(manifest.markets),
        findings=tuple(findings),
        numbered=True,
        events_sha256=manifest.events_sha256,
        gaps=tuple(manifest.gaps),
        wall_offset_ns=manifest.clock[-1].wall_ns - manifest.clock[-1].mono_ns if manifest.clock else None,
    )


def _recover(folder: Path, manifest: Manifest) -> list[Finding]:
    left = sorted(path for path in folder.iterdir() if OPEN_FILE.fullmatch(path.name))
    if not left:
        return []
    lock = FolderLock(folder)
    try:
        manifest = _reload(folder, manifest)
        done = {part.file for part in manifest.parts}
        hashed = EventHash()
        for part in manifest.parts:
            hashed.update(read_part(folder, part))
        findings = []
        for path in left:
            if path.with_suffix(".parquet").name in done:
                path.unlink()  # killed between the manifest and the removal
                continue
            number, before = int(path.stem.removeprefix("events-")), manifest.rows
            torn = absorb_part(folder, number, manifest, hashed)
            findings.append(
                Finding(
                    False,
                    str(path),
                    f"recovered {manifest.rows - before} rows of a killed recorder, "
                    f"{torn} torn bytes at its end cut off",
                )
            )
        for copy in folder.glob("*.tmp"):
            copy.unlink()
        return findings
    except OSError as error:
        raise DataError(f"{folder}: cannot be recovered: {error}; make it writable") from error
    finally:
        lock.release()


def _reload(folder: Path, manifest: Manifest) -> Manifest:
    # Its writer may have gone on between the first look and the lock.
    fresh = load_manifest(folder)
    for name in fresh.__struct_fields__:
        setattr(manifest, name, getattr(fresh, name))
    return manifest


def _check_stream(folder: Path, manifest: Manifest, events: np.ndarray) -> None:
    if len(events) != manifest.rows:
        raise DataError(f"{folder}: {len(events)} rows in the parts, {manifest.rows} in the manifest")
    jumps = missing_numbers(events)
    noted = sorted((gap.after_seq, gap.missing) for gap in manifest.gaps)
    first, last = (int(events["seq"][0]), int(events["seq"][-1])) if len(events) else (0, 0)
    inside = [pair for pair in noted if first <= pair[0] < last]
    if jumps != _joined(inside):
        raise DataError(f"{folder}: seq jumps {jumps} (row, missing), the manifest notes {inside}")
    events_hash = EventHash()
    events_hash.update(events)
    if events_hash.hexdigest() != manifest.events_sha256:
        raise DataError(f"{folder}: the rows are not those that were recorded: events_sha256 differs")
    if len(events) and not int(events["symbol"].max()) < len(manifest.instruments):
        row = int(np.argmax(events["symbol"] >= len(manifest.instruments)))
        raise DataError(f"{folder}: row {row}: symbol {events['symbol'][row]} is not in the manifest")


def missing_numbers(events: np.ndarray) -> list[tuple[int, int]]:
    """Where `seq` jumps: (number before, how many are missing); a step back counts as a negative jump."""
    seq = events["seq"]
    at = np.flatnonzero(np.diff(seq) != 1)
    return [(int(seq[row]), int(seq[row + 1] - seq[row] - 1)) for row in at]


def _joined(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    # Two gaps without a row between them are one jump.
    joined: list[tuple[int, int]] = []
    for after, missing in pairs:
        if joined and sum(joined[-1]) == after:
            joined[-1] = (joined[-1][0], joined[-1][1] + missing)
        else:
            joined.append((after, missing))
    return joined
