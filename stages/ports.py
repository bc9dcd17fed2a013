"""The ends of the rings and cells that one stage holds, found by the names of `topology`.

The supervisor creates every segment; a stage attaches. Replay builds the same ends in its own memory.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mmpipe.config import Config
from mmpipe.enums import StageId
from ringbuf import (
    CellReader,
    CellWriter,
    Consumer,
    Doorbell,
    Histogram,
    Producer,
    Segment,
)
from ringbuf.layout import KIND_CELL, KIND_COUNTERS, KIND_RING
from stages import topology

CELL_SLOTS = 4  # rotating, so that a reader is not starved by a hot writer


class Ports:
    """Everything one stage reads and writes.

    Attributes
    ----------
    inputs : dict[str, Consumer]
        Rings this stage reads, by ring name, in draining order.
    outputs : dict[str, Producer]
        Rings this stage writes.
    cells_out, cells_in : dict[str, list]
        Cells written, and all others, one per symbol or one.
    histograms : dict[str, Histogram]
        Latency counters this stage writes.
    doorbell : Doorbell | None
        What a writer rings when this stage sleeps.
    """

    def __init__(
        self,
        stage: StageId,
        config: Config,
        segment: Callable[[str], Segment],
        doorbell: Callable[[StageId], Doorbell | None],
    ) -> None:
        self.stage = stage
        symbols = len(config.symbol)
        self.doorbell = doorbell(stage)
        self.inputs = {ring.name: Consumer(segment(ring.name)) for ring in topology.inputs_of(stage)}
        self.outputs = {
            ring.name: Producer(segment(ring.name), doorbell(ring.reader))
            for ring in topology.outputs_of(stage)
        }
        self.cells_out: dict[str, list[CellWriter]] = {}
        self.cells_in: dict[str, list[CellReader]] = {}
        for cell in topology.CELLS:
            names = cell_segments(cell, symbols)
            if cell.writer == stage:
                self.cells_out[cell.name] = [CellWriter(segment(name)) for name in names]
            else:
                self.cells_in[cell.name] = [CellReader(segment(name)) for name in names]
        self.histograms = {name: Histogram(segment(name)) for name in histogram_segments(stage)}


def cell_segments(cell: topology.CellSpec, symbols: int) -> list[str]:
    """Segment names of a cell: one, or one per symbol."""
    return [f"{cell.name}.{index}" for index in range(symbols)] if cell.per_symbol else [cell.name]


def histogram_segments(stage: StageId) -> list[str]:
    """Names of the latency counters `stage` writes."""
    if stage not in topology.HISTOGRAM_STAGES:
        return []
    names = [f"{kind}_us_{stage.name.lower()}" for kind in topology.HISTOGRAMS]
    return [*names, topology.TICK_TO_ORDER] if stage == StageId.EXECUTION else names


def segment_layout(config: Config) -> dict[str, tuple[np.dtype, int, int]]:
    """Every segment of the pipeline: name to (dtype, slots, kind)."""
    layout: dict[str, tuple[np.dtype, int, int]] = {}
    for ring in topology.RINGS:
        layout[ring.name] = (ring.dtype, getattr(config.rings, ring.slots_key), KIND_RING)
    for cell in topology.CELLS:
        for name in cell_segments(cell, len(config.symbol)):
            layout[name] = (cell.dtype, CELL_SLOTS, KIND_CELL)
    for stage in topology.HISTOGRAM_STAGES:
        for name in histogram_segments(stage):
            layout[name] = (Histogram.DTYPE, Histogram.BUCKETS, KIND_COUNTERS)
    return layout


def create_segments(config: Config) -> dict[str, Segment]:
    """Create all segments of an instance in shared memory; the supervisor keeps and unlinks them."""
    prefix = topology.segment_prefix(config.instance.name)
    return {
        name: Segment.create(prefix + name, dtype, slots, kind)
        for name, (dtype, slots, kind) in segment_layout(config).items()
    }


def local_segments(config: Config) -> dict[str, Segment]:
    """The same segments in private memory: one process, as replay and tests use them."""
    return {
        name: Segment.local(dtype, slots, kind)
        for name, (dtype, slots, kind) in segment_layout(config).items()
    }


def attach(stage: StageId, config: Config, folder: Path) -> Ports:
    """The ports of one stage of a running instance; refused by name when anything does not match."""
    prefix = topology.segment_prefix(config.instance.name)
    layout = segment_layout(config)
    bells: dict[StageId, Doorbell] = {}

    def segment(name: str) -> Segment:
        dtype, _, kind = layout[name]
        return Segment.attach(prefix + name, dtype, kind)

    def doorbell(reader: StageId) -> Doorbell:
        if reader not in bells:
            bells[reader] = Doorbell.open(doorbell_path(folder, reader))
        return bells[reader]

    return Ports(stage, config, segment, doorbell)


def local_ports(config: Config, segments: Mapping[str, Segment]) -> dict[StageId, Ports]:
    """The ports of all stages over private segments, without doorbells: the caller polls."""
    return {
        stage: Ports(stage, config, segments.__getitem__, lambda reader: None)
        for stage in (*topology.LINE, StageId.LEARNER)
    }


def doorbell_path(folder: Path, reader: StageId) -> Path:
    """The FIFO that wakes `reader`."""
    return folder / f"{reader.name.lower()}.bell"
