"""Shared-memory rings, cells and counters between processes, read and written from numba kernels.

    ring      every record, in order, one writer and one reader      Producer, Consumer, Observer
    cell      the latest record, one writer and many readers         CellWriter, CellReader
    counters  durations counted by one writer, read by anyone        Histogram
    waiting   spin, yield or park; a FIFO wakes the sleeper          Idle, Doorbell

All live in a `Segment`, created by one process and attached by name. Knows nothing of markets. Kernels are
compiled through `ringbuf.jit`; inside kernels use `ringbuf.ring_kernels` with `segment.base`.
"""

from ringbuf.cell import CellReader, CellWriter
from ringbuf.doorbell import Doorbell
from ringbuf.errors import CellBusy, DoorbellRefused, Refused, RingbufError, SegmentNotFound, SegmentRefused
from ringbuf.histogram import Histogram
from ringbuf.idle import Idle, Strategy
from ringbuf.liveness import is_alive, process_start_time
from ringbuf.segment import Segment, Side, unlink_orphans
from ringbuf.spsc import Consumer, Observer, Producer

__all__ = [
    "CellBusy",
    "CellReader",
    "CellWriter",
    "Consumer",
    "Doorbell",
    "DoorbellRefused",
    "Histogram",
    "Idle",
    "Observer",
    "Producer",
    "Refused",
    "RingbufError",
    "Segment",
    "SegmentNotFound",
    "SegmentRefused",
    "Side",
    "Strategy",
    "is_alive",
    "process_start_time",
    "unlink_orphans",
]
