"""`mmpipe tap`: the records of a ring or a cell of a running pipeline as they come, without slowing it.

A tap copies what was published and holds nobody up; when a writer laps it, it says how many it missed. It
looks a few times a second and sleeps in between.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmpipe import interrupts
from mmpipe.clock import Clock, MonotonicClock
from mmpipe.dashboard.record_view import Filter, RecordView
from mmpipe.errors import NotRunningError, UsageError
from ringbuf import CellReader, Observer, Segment, SegmentNotFound
from ringbuf.layout import KIND_CELL, KIND_RING
from ringbuf.mapping import FOLDER
from stages import topology
from stages.context import read_context
from stages.ports import cell_segments
from stages.supervisor import require_running

ROWS_PER_COPY = 256
LINES_PER_LOOK = 50  # more than a person reads
HZ_MAX = 1_000.0
SHORT_NAMES = {"report": "report_risk", "param": "params_features", "params": "params_features"}


@dataclass(frozen=True)
class TapOptions:
    """What was asked for; `count` 0 goes on until Ctrl-C or the end of the pipeline."""

    ring: str
    filters: tuple[str, ...]
    as_json: bool
    hz: float
    count: int


def tap_ring(instance: str, options: TapOptions) -> None:
    """Print records until `count` of them, Ctrl-C, or the end of the pipeline.

    Raises
    ------
    UsageError
        No such ring, field, value, rate or count; the message says what there is.
    NotRunningError
        Nothing of that name runs.
    """
    if not 0.0 < options.hz <= HZ_MAX:
        raise UsageError(f"--hz {options.hz}: from above 0 to {HZ_MAX:g}")
    if options.count < 0:
        raise UsageError(f"--count {options.count}: from 0, which is without end")
    require_running(instance)
    config = read_context(instance).config
    coins = [symbol.coin for symbol in config.symbol]
    sources = open_sources(topology.segment_prefix(config.instance.name), options.ring, len(coins))
    view = RecordView(sources[0].dtype, coins)
    watch(Tap(sources, view, options, MonotonicClock(), print), options.hz)


def watch(tap: "Tap", hz: float) -> None:
    """Look `hz` times a second until the tap has ended, Ctrl-C, or nobody reads what it prints."""
    try:
        while tap.look():
            sys.stdout.flush()
            time.sleep(1.0 / hz)
        sys.stdout.flush()
    except interrupts.Interrupted:
        interrupts.note_only()
        return
    except BrokenPipeError:
        # The interpreter flushes once more when it exits, and would fail with 120: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if tap.left != 0:
        sys.stderr.write("the pipeline has stopped\n")


class Source:
    """A ring that is observed, or a cell whose new values count as records."""

    def __init__(self, segment: Segment) -> None:
        self.dtype = segment.dtype
        self._segment = segment
        self._observer = Observer(segment) if segment.kind == KIND_RING else None
        self._cell = CellReader(segment) if segment.kind == KIND_CELL else None
        self._row = np.zeros(1, segment.dtype)
        self._inode = _inode(segment.name)

    @property
    def alive(self) -> bool:
        """Whether its maker still runs and has not given it up: no stop asked for, the name still its own."""
        given_up = self._segment.stop_requested or _inode(self._segment.name) != self._inode
        return self._segment.owner.alive and not given_up

    def new_rows(self) -> Iterator[tuple[np.ndarray, int]]:
        """Copies of what is new, part by part, and how many records were overwritten before them."""
        if self._observer is not None:
            while True:
                rows, missed = self._observer.poll(ROWS_PER_COPY)
                if len(rows) or missed:
                    yield rows, missed
                if len(rows) < ROWS_PER_COPY:
                    return
        elif self._cell is not None:
            seen = self._cell.sequence
            if self._cell.read(self._row) and self._cell.sequence != seen:
                yield self._row.copy(), 0


def _inode(name: str) -> int | None:
    # Whose a name is: a pipeline that was started again has another file. None: no such name, private memory.
    with suppress(FileNotFoundError):
        return (Path(FOLDER) / name).stat().st_ino
    return None


def open_sources(prefix: str, wanted: str, symbols: int) -> list[Source]:
    """The segments that a name means: one ring, or a cell of one or all symbols.

    Raises
    ------
    UsageError
        No such ring or cell.
    NotRunningError
        The pipeline ended meanwhile.
    """
    found = named_segments(wanted, symbols)
    if not found:
        rings = ", ".join(ring.name for ring in topology.RINGS)
        cells = ", ".join(cell.name for cell in topology.CELLS)
        raise UsageError(f"no ring or cell {wanted!r}; rings: {rings}; cells: {cells}")
    try:
        return [Source(Segment.attach(prefix + name, dtype, kind)) for name, dtype, kind in found]
    except SegmentNotFound as error:
        raise NotRunningError(f"the pipeline ended: {error}") from error


def named_segments(wanted: str, symbols: int) -> list[tuple[str, np.dtype, int]]:
    """Name, dtype and kind of what `wanted` names; a plural is the ring, a cell's name all its symbols."""
    wanted = wanted.lower()
    singular = wanted.removesuffix("s")
    names = {wanted, singular, SHORT_NAMES.get(wanted, wanted), SHORT_NAMES.get(singular, wanted)}
    rings = [(ring.name, ring.dtype, KIND_RING) for ring in topology.RINGS if ring.name in names]
    cells = [
        (name, cell.dtype, KIND_CELL)
        for cell in topology.CELLS
        for name in cell_segments(cell, symbols)
        if {cell.name, name} & {wanted, singular}
    ]
    return rings or cells


class Tap:
    """Looks at sources and says what is new.

    Parameters
    ----------
    sources : list of Source
        All of one dtype.
    view : RecordView
        How to read them.
    options : TapOptions
        Filters, form, how many.
    clock : Clock
        Ages are counted to its now.
    say : callable
        Gets one line at a time.

    Attributes
    ----------
    left : int
        Records still to print; below zero without end.
    """

    def __init__(
        self,
        sources: list[Source],
        view: RecordView,
        options: TapOptions,
        clock: Clock,
        say: Callable[[str], None],
    ) -> None:
        self.left = options.count or -1
        self._sources, self._view, self._clock, self._say = sources, view, clock, say
        self._as_json = options.as_json
        self._filters: list[Filter] = [view.filter(text) for text in options.filters]

    def look(self) -> bool:
        """Print what is new; False when enough is printed or the pipeline has ended."""
        alive = self._sources[0].alive  # before the look: what came last is still printed
        lines: list[np.ndarray] = []
        unseen = 0
        for source in self._sources:
            for rows, missed in source.new_rows():
                unseen += missed
                for accept in self._filters:
                    rows = rows[accept.passes(rows)]
                lines.extend(rows[index : index + 1] for index in range(len(rows)))
        if not self._as_json and len(lines) > LINES_PER_LOOK:
            unseen += len(lines) - LINES_PER_LOOK
            lines = lines[-LINES_PER_LOOK:]
        if unseen:
            self._say(
                json.dumps({"missed": unseen}) if self._as_json else f"… {unseen:,} records passed unseen"
            )
        now_ns = self._clock.now_ns()
        for row in lines[: self.left if self.left > 0 else None]:
            record: np.void = row[0]
            shown = (
                json.dumps(self._view.as_json(record))
                if self._as_json
                else self._view.as_line(record, now_ns)
            )
            self._say(shown)
            self.left -= 1 if self.left > 0 else 0
        return alive and self.left != 0
