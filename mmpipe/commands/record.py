"""`mmpipe record`: market data as the line consumes it, into a folder of Parquet files.

Without a running pipeline of that name it starts a feed of its own (and the embedded venue, where that is
configured) and is the one reader of its ring: nothing is lost, and a full ring is a GAP the feed says. Beside
a running pipeline it observes, and whatever overtakes it is counted as a gap of the recording.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from rich.console import Console

from mmpipe import config as configuration
from mmpipe import interrupts
from mmpipe.clock import MonotonicClock
from mmpipe.enums import Counter, StageId
from mmpipe.errors import DataError, DeadlineError, NotRunningError, UsageError
from mmpipe.provenance import provenance
from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.manifest import Market
from mmpipe.recording.writer import RecordingWriter
from mmpipe.records import EVENT, HEARTBEAT
from ringbuf import CellReader, Consumer, Observer, Segment
from ringbuf.layout import KIND_CELL, KIND_RING
from stages import topology
from stages.context import Context, read_context
from stages.supervisor import Supervisor, require_running

ROWS_PER_LOOK: Final = 4_096
ROWS_PER_PART: Final = 2_000_000  # 128 MB while it is converted
LOOK_INTERVAL_S: Final = 0.01
CLOCK_INTERVAL_S: Final = 60.0
LINE_INTERVAL_S: Final = 10.0


class RecordOptions(NamedTuple):
    """The command line of `mmpipe record`."""

    out: Path | None
    config: Path
    instance: str
    duration_s: float
    scenario: str
    seed: int
    part_minutes: float
    json: Path | None


class Source(Protocol):
    """Where rows come from: `take` returns what is new, and how many rows were lost before it."""

    def take(self) -> tuple[np.ndarray, int]: ...


def record_market(options: RecordOptions) -> None:
    """Record until the duration is over, Ctrl-C, or the pipeline ends.

    Raises
    ------
    Interrupted
        A signal came before anything was recorded.
    DataError
        The folder exists, or the disk failed.
    MmpipeError
        Whatever keeps a feed from starting.
    """
    if not (options.duration_s >= 0.0 and options.part_minutes > 0.0):
        raise UsageError("--duration must be seconds >= 0, --part-minutes > 0")
    if options.out is not None and options.out.exists():
        raise DataError(f"{options.out}: cannot be created: it exists; name a new folder")
    console = Console(stderr=True)
    opened = _beside(options) if _runs(options.instance) else _own_feed(options)
    with opened as (context, source, lives):
        interrupts.check()  # from here on a signal ends the recording, not the command
        interrupts.note_only()
        out = options.out or Path("recordings") / time.strftime(f"{options.instance}-%Y%m%d-%H%M%S")
        markets = [
            Market(index, symbol.coin, symbol.lead) for index, symbol in enumerate(context.config.symbol)
        ]
        writer = RecordingWriter(
            out, markets, context.instruments, ROWS_PER_PART, options.part_minutes * 60.0
        )
        console.print(
            f"recording {', '.join(m.coin for m in markets)} into {out}   Ctrl-C stops", soft_wrap=True
        )
        seen = _Recorder(source, writer)
        seen.run(options.duration_s, lives, console)
        counters = _feed_counters(context)
    manifest = writer.close()
    report = {
        "schema": "record/1", **provenance(), "folder": str(out), "duration_s": round(seen.duration_s, 3),
        "rows": manifest["rows"], "rows_lost": seen.lost, "feed_gaps": int(counters[Counter.GAPS]),
        "feed_drops": int(counters[Counter.RING_DROPS]), "parts": len(manifest["parts"]),
        "bytes": sum(part["bytes"] for part in manifest["parts"]),
        "events_sha256": seen.digest, "recorded_sha256": manifest["events_sha256"],
    }  # fmt: skip
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(
        f"{report['rows']:,} events in {report['parts']} parts, {report['bytes']:,} bytes, "
        f"{report['rows_lost']} lost; events {report['events_sha256'][:16]}…",
        highlight=False,
    )


class _Recorder:
    # Takes what comes, hashes it as it was seen, hands it to the writer.
    def __init__(self, source: Source, writer: RecordingWriter) -> None:
        self.lost = self.rows = 0
        self.duration_s = 0.0
        self._source = source
        self._writer = writer
        self._hash = EventHash()
        self._clock = MonotonicClock()
        self._last_seq = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def run(self, duration_s: float, lives: Any, console: Console) -> None:
        started_s = time.monotonic()
        next_clock_s = next_line_s = 0.0
        while True:
            now_s = time.monotonic()
            self.duration_s = now_s - started_s
            if now_s >= next_clock_s:
                next_clock_s = now_s + CLOCK_INTERVAL_S
                self._writer.note_clock(self._clock.now_ns(), self._clock.wall_ns())
            if now_s >= next_line_s:
                next_line_s = now_s + LINE_INTERVAL_S
                console.print(
                    f"{self.duration_s:8.1f} s  {self.rows:,} events, {self.lost} lost", highlight=False
                )
            if interrupts.asked() or (duration_s and self.duration_s >= duration_s):
                break
            if not self._take() and not lives():
                break
        while self._take():
            pass

    def _take(self) -> int:
        rows, lost = self._source.take()
        if not len(rows):
            return 0
        if lost and self._last_seq:
            self._writer.note_gap(self._last_seq, int(rows["seq"][0]) - self._last_seq - 1)
            self.lost += lost
        self._hash.update(rows)
        self._writer.write(rows)
        self.rows += len(rows)
        self._last_seq = int(rows["seq"][-1])
        return len(rows)


class _OnlyReader:
    # The reader the feed waits for: what it has not released is not overwritten.
    def __init__(self, segment: Segment) -> None:
        self._ring = Consumer(segment)

    def take(self) -> tuple[np.ndarray, int]:
        rows = self._ring.peek(ROWS_PER_LOOK).copy()
        self._ring.release(len(rows))
        if not len(rows):
            time.sleep(LOOK_INTERVAL_S)
        return rows, 0


class _Bystander:
    # An observer of a pipeline that does not wait for it.
    def __init__(self, segment: Segment) -> None:
        self._ring = Observer(segment)

    def take(self) -> tuple[np.ndarray, int]:
        rows, lost = self._ring.poll(ROWS_PER_LOOK)
        if not len(rows):
            time.sleep(LOOK_INTERVAL_S)
        return rows, lost


@contextmanager
def _own_feed(options: RecordOptions) -> Iterator[tuple[Context, Source, Any]]:
    overrides: dict[str, Any] = {"instance.name": options.instance, "venue.port": 0}
    if options.scenario:
        overrides["venue.scenario"] = options.scenario
    if options.seed >= 0:
        overrides["venue.seed"] = options.seed
    config = configuration.load(options.config, overrides)
    supervisor = Supervisor(config, start_order=(StageId.FEED,))
    supervisor.start()
    try:
        source = _OnlyReader(_event_ring(options.instance))

        def lives() -> bool:
            if not supervisor.watch(0.0):
                raise DeadlineError(f"the feed was stopped: {supervisor.halt_reason}; what came is recorded")
            return True

        yield supervisor.context, source, lives
    finally:
        supervisor.stop()


@contextmanager
def _beside(options: RecordOptions) -> Iterator[tuple[Context, Source, Any]]:
    if options.scenario or options.seed >= 0:
        raise UsageError(
            f"'{options.instance}' runs already: its market cannot be chosen; leave --scenario and --seed"
        )
    yield (
        read_context(options.instance),
        _Bystander(_event_ring(options.instance)),
        lambda: _runs(options.instance),
    )


def _event_ring(instance: str) -> Segment:
    return Segment.attach(topology.segment_prefix(instance) + "event", EVENT, KIND_RING)


def _feed_counters(context: Context) -> np.ndarray:
    name = topology.segment_prefix(context.config.instance.name) + topology.heartbeat_of(StageId.FEED)
    row = np.zeros(1, HEARTBEAT)
    CellReader(Segment.attach(name, HEARTBEAT, KIND_CELL)).read(row)
    return np.asarray(row["counters"][0])


def _runs(instance: str) -> bool:
    try:
        require_running(instance)
    except NotRunningError:
        return False
    return True
