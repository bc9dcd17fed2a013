"""Log-linear histogram of durations: one writer counts in shared memory, anyone reads while it runs.

After HdrHistogram (Tene): each power of two is split into 64 equal buckets, so a value is known to 0.8 % from
1 ns to beyond 100 s, in an array whose size never changes. Durations below 128 ns are exact. Counters only
grow: a reader copies them twice and takes the difference. A copy is not a snapshot of one instant; each
counter is whole, their sum may lag by what was recorded during the copy.
"""

from typing import ClassVar

import numpy as np

from ringbuf import layout
from ringbuf.jit import brief_kernel, entry, example, kernel
from ringbuf.segment import Segment

SUB_BITS = 6
SUB_BUCKETS = 64  # 2 ** SUB_BITS: half a bucket is 1 / 128 of its value
BUCKETS = 2048  # up to 2 ** 37 ns = 137 s; longer ones count in the last bucket
VALUE_MAX_NS = 137_438_953_471


class Histogram:
    """A histogram over a segment of counters.

    Parameters
    ----------
    segment : Segment
        Kind counters, `DTYPE`, `BUCKETS` slots.

    Attributes
    ----------
    counts : np.ndarray
        (`BUCKETS`,) int64, live; what the kernel `record` is given.
    """

    DTYPE: ClassVar[np.dtype] = np.dtype(np.int64)
    BUCKETS: ClassVar[int] = BUCKETS

    def __init__(self, segment: Segment) -> None:
        if segment.kind != layout.KIND_COUNTERS or len(segment.slots) != BUCKETS:
            kind = layout.KIND_NAMES[segment.kind]
            raise ValueError(f"{segment.name} is a {kind} of {len(segment.slots)}; need {BUCKETS} counters")
        self.counts = segment.slots
        self._record = entry(record, self.counts, 0)

    def record(self, value_ns: int) -> None:
        """Count one duration, ns; from a kernel call `record(counts, value_ns)` instead."""
        self._record(self.counts, value_ns)

    def snapshot(self) -> np.ndarray:
        """Copy of the counters, (`BUCKETS`,) int64."""
        return self.counts.copy()


@brief_kernel
def record(counts: np.ndarray, value_ns: int) -> None:
    """Count one duration.

    Parameters
    ----------
    counts : np.ndarray
        (`BUCKETS`,) int64, written by this caller only.
    value_ns : int
        Duration, ns; below 0 counts as 0, beyond `VALUE_MAX_NS` in the last bucket.
    """
    counts[bucket_of(value_ns)] += 1


@kernel
def bucket_of(value_ns: int) -> int:
    """Index of the bucket that holds `value_ns`, 0 to `BUCKETS` - 1, rising with it."""
    value = min(max(value_ns, 0), VALUE_MAX_NS)
    shift = 0
    for step in (16, 8, 4, 2, 1):
        if value >> (shift + step) >= SUB_BUCKETS:
            shift += step
    return (shift << SUB_BITS) + (value >> shift)


def bucket_value_ns(bucket: int) -> float:
    """Middle of a bucket, ns: within 0.8 % of everything counted in it."""
    if bucket < 2 * SUB_BUCKETS:
        return float(bucket)
    shift = (bucket >> SUB_BITS) - 1
    lowest = (bucket - (shift << SUB_BITS)) << shift
    return lowest + ((1 << shift) - 1) / 2


def quantile(counts: np.ndarray, q: float) -> float:
    """Duration that a share `q` of the counted ones does not exceed.

    Parameters
    ----------
    counts : np.ndarray
        (`BUCKETS`,) int64, or a difference of two snapshots.
    q : float
        Share, 0 to 1.

    Returns
    -------
    float
        Nanoseconds, to 0.8 %; NaN if nothing was counted.

    Raises
    ------
    ValueError
        If q is not within 0 and 1.
    """
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"quantile {q} is not between 0 and 1")
    cumulative = np.cumsum(counts)
    total = int(cumulative[-1])
    if total <= 0:
        return float("nan")
    rank = max(int(np.ceil(q * total)), 1)
    return bucket_value_ns(int(np.searchsorted(cumulative, rank)))


def merge(snapshots: list[np.ndarray]) -> np.ndarray:
    """Counters of all snapshots together, (`BUCKETS`,) int64."""
    total: np.ndarray = np.zeros(BUCKETS, np.int64)
    for counts in snapshots:
        total += counts
    return total


def difference(newer: np.ndarray, older: np.ndarray) -> np.ndarray:
    """What was counted between two snapshots, (`BUCKETS`,) int64."""
    grown: np.ndarray = newer - older
    return grown


@example(record)
def _record_example() -> tuple[object, ...]:
    return (np.zeros(BUCKETS, np.int64), 1)
