"""Records a stream of EVENT rows into a folder, without ever making its caller wait for a disk.

`write` appends to the write-ahead file of the part under way. When the part is full the next file begins at
once, and a thread of its own turns the old one into Parquet, makes it durable and names it in the manifest;
only then is the write-ahead file removed. A kill at any moment leaves files from which `recovery` rebuilds
every row that `write` returned for.
"""

import queue
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.errors import DataError
from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.folder_lock import FolderLock
from mmpipe.recording.manifest import ClockPair, Gap, Manifest, Market, as_dict, new_manifest, save
from mmpipe.recording.parquet_part import write_part
from mmpipe.recording.write_ahead import WriteAhead, read_open_part
from mmpipe.records import EVENT

CLOSED: Final = None


def part_path(folder: Path, number: int, suffix: str) -> Path:
    """Where part `number` (from 1) lies; `suffix` is `open` or `parquet`."""
    return folder / f"events-{number:06d}.{suffix}"


class RecordingWriter:
    """One recording under way.

    Parameters
    ----------
    folder : Path
        Must not exist; created with its parents.
    markets : sequence of Market
        One per symbol, in order.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Their grids.
    rows_per_part : int
        Rows after which a part is finished, > 0; memory of the converting thread is 64 B times that.
    seconds_per_part : float
        Receive time a part covers at the most, > 0.

    Raises
    ------
    DataError
        The folder exists or cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        markets: Sequence[Market],
        instruments: np.ndarray,
        rows_per_part: int,
        seconds_per_part: float,
    ) -> None:
        if not (rows_per_part > 0 and seconds_per_part > 0.0):
            raise DataError(f"{folder}: a part needs rows > 0 and seconds > 0")
        if [market.symbol for market in markets] != list(range(len(instruments))) or not len(instruments):
            raise DataError(f"{folder}: markets are numbered 0, 1, … with one instrument each")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be created: {error.strerror}; name a new folder") from error
        self._folder = folder
        self._lock = FolderLock(folder)
        self._rows_per_part = rows_per_part
        self._part_ns = int(seconds_per_part * NS_PER_S)
        self._converter = _Converter(folder, new_manifest(markets, instruments, EventHash().hexdigest()))
        self._number = 0
        self._next_seq = 0  # 0: the first row says where numbers begin
        self._begin_part()

    def write(self, rows: np.ndarray) -> None:
        """Accept rows; when this returns, a kill of the process loses none of them.

        Parameters
        ----------
        rows : ndarray of EVENT, shape (n,)
            In order; `seq` goes on from the row before, or from behind a noted gap.

        Raises
        ------
        DataError
            The numbers do not go on, or the disk failed.
        """
        self._converter.raise_failure()
        if not len(rows):
            return
        assert rows.dtype == EVENT, f"rows of {rows.dtype} are no EVENT rows"
        self._check_numbers(rows)
        start = 0
        while start < len(rows):
            stop = self._part_end(rows, start)
            if stop == start:
                self._finish_part()
                continue
            self._ahead.append_rows(rows[start:stop])
            self._rows += stop - start
            start = stop
        self._next_seq = int(rows["seq"][-1]) + 1

    def note_gap(self, after_seq: int, missing: int) -> None:
        """Say that `missing` rows behind row `after_seq` were lost before they could be recorded.

        Raises
        ------
        DataError
            Nothing is missing, or `after_seq` is not the newest row.
        """
        if not (missing > 0 and after_seq >= 0 and (self._next_seq in (0, after_seq + 1))):
            raise DataError(
                f"{self._folder}: a gap of {missing} rows behind {after_seq} does not follow "
                f"row {self._next_seq - 1}"
            )
        self._ahead.append_gap(Gap(after_seq, missing))
        self._next_seq = after_seq + missing + 1

    def note_clock(self, mono_ns: int, wall_ns: int) -> None:
        """Keep a reading of both clocks, ns."""
        self._ahead.append_clock(ClockPair(mono_ns, wall_ns))

    def close(self) -> dict[str, Any]:
        """Finish the last part and wait until everything is durable.

        Returns
        -------
        dict
            The manifest, with `complete` true.

        Raises
        ------
        DataError
            The disk failed; what was written stays recoverable.
        """
        self._ahead.close()
        try:
            return as_dict(self._converter.finish(self._number))
        finally:
            self._lock.release()

    def _check_numbers(self, rows: np.ndarray) -> None:
        seq = rows["seq"]
        first, steady = int(seq[0]), bool((np.diff(seq) == 1).all())
        if not (first > 0 and steady and self._next_seq in (0, first)):
            raise DataError(
                f"{self._folder}: rows {first} to {int(seq[-1])} do not go on from row {self._next_seq - 1}; "
                f"note the gap first"
            )

    def _part_end(self, rows: np.ndarray, start: int) -> int:
        # The part under way takes rows up to here; `start` when it is full.
        times = rows["local_ts_ns"]
        if not self._rows:
            self._part_start_ns = int(times[start])
        room = rows[start : start + self._rows_per_part - self._rows]
        late = np.flatnonzero(room["local_ts_ns"] - self._part_start_ns > self._part_ns)
        return start + (int(late[0]) if late.size else len(room))

    def _begin_part(self) -> None:
        self._number += 1
        self._rows = 0
        self._part_start_ns = 0
        self._ahead = WriteAhead(part_path(self._folder, self._number, "open"))

    def _finish_part(self) -> None:
        full, number = self._ahead, self._number
        self._begin_part()
        full.close()
        self._converter.convert(number)


class _Converter:
    # The thread that turns finished write-ahead files into parts; it alone touches the manifest.
    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest
        self._hash = EventHash()
        self._numbers: queue.Queue[int | None] = queue.Queue()
        self._failure: BaseException | None = None
        save(folder, manifest)
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def convert(self, number: int) -> None:
        self._numbers.put(number)

    def finish(self, number: int) -> Manifest:
        self._numbers.put(number)
        self._numbers.put(CLOSED)
        self._thread.join()
        self.raise_failure()
        self._manifest.complete = True
        save(self._folder, self._manifest)
        return self._manifest

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise DataError(
                f"{self._folder}: a part could not be finished: {self._failure}; "
                f"make room and check the folder"
            ) from self._failure

    def _run(self) -> None:
        try:
            while (number := self._numbers.get()) is not CLOSED:
                absorb_part(self._folder, number, self._manifest, self._hash)
        except Exception as error:  # it is the writer's caller who must hear of it
            self._failure = error


def absorb_part(folder: Path, number: int, manifest: Manifest, events_hash: EventHash) -> int:
    """Turn one write-ahead file into a part of the manifest; returns how many torn bytes it ended with.

    Parameters
    ----------
    folder : Path
        The recording.
    number : int
        Of the part.
    manifest : Manifest
        Changed and saved.
    events_hash : EventHash
        Over all rows before; goes on with these.

    Raises
    ------
    DataError
        The file is damaged.
    OSError
        The disk failed.
    """
    path = part_path(folder, number, "open")
    part = read_open_part(path)
    # A kill between the manifest and the removal of a file without rows leaves it to be absorbed again.
    manifest.gaps += [gap for gap in part.gaps if gap not in manifest.gaps]
    manifest.clock += [pair for pair in part.clock if pair not in manifest.clock]
    if len(part.rows):
        manifest.parts.append(write_part(part_path(folder, number, "parquet"), part.rows))
        events_hash.update(part.rows)
        manifest.rows += len(part.rows)
        manifest.events_sha256 = events_hash.hexdigest()
    save(folder, manifest)
    path.unlink()
    return part.torn_bytes
