"""How often a stream speaks, learned from it: a histogram of intervals that forgets, and the limit it sets.

A stream that is silent for longer than it ever is, is stale. How long that is differs between streams,
markets and hours, so it is not configured but measured: a high quantile of the newest intervals, times a
ratio, between two configured bounds. Median and limit are the *contract* a reader may hold the stream to; it
is measured anew all the time and counted as a new one when the median has doubled or halved.

Intervals fall into eight buckets per doubling from 1 ms on, so that a quantile is exact to 9 %. When the
histogram holds twice its memory, all counts are halved: the newest intervals weigh most. What was called
stale is not learned from, unless it happens again and again: then the venue has changed its habit.
"""

import math
from typing import Final

import numpy as np

from ringbuf.jit import kernel

BUCKETS: Final = 160  # eight per doubling: 1 ms to 17 minutes
PER_DOUBLING: Final = 8
NS_PER_MS: Final = 1_000_000
SAMPLES_MIN: Final = 16  # below this only the bound is trusted
SURPRISES_MAX: Final = 3  # from this many in a row on they are learned
MOVED_RATIO: Final = 2.0  # of the median: another contract

CADENCE = np.dtype(
    [
        ("counts", "i4", (BUCKETS,)),
        ("total", "i8"),  # of the counts
        ("samples", "i8"),  # intervals ever learned from
        ("surprises", "i8"),  # intervals beyond the limit, one after the other
        ("ts_ns", "i8"),  # newest beat, monotonic; 0: none
        ("typical_ns", "i8"),  # median; 0: not yet measured
        ("limit_ns", "i8"),  # longest silence that is normal
        ("contracts", "i8"),  # times a new contract was measured
        ("contract_typical_ns", "i8"),  # median of the contract counted last
    ],
    align=True,
)
LIMITS = np.dtype(  # what a limit is made of
    [
        ("quantile", "f8"),  # 0 to 1
        ("ratio", "f8"),  # >= 1
        ("min_ns", "i8"),
        ("max_ns", "i8"),  # also the limit while nothing is learned
        ("memory", "i8"),  # intervals
    ],
    align=True,
)


@kernel
def beat(cadence: np.void, ts_ns: int, limits: np.void) -> bool:
    """A message came; True when a new contract was measured.

    Parameters
    ----------
    cadence : CADENCE record
        Changed in place.
    ts_ns : int
        Time of receipt, monotonic.
    limits : LIMITS record
        Quantile, ratio and bounds.
    """
    before_ns = cadence["ts_ns"]
    cadence["ts_ns"] = max(ts_ns, before_ns)
    if before_ns == 0:
        if cadence["limit_ns"] == 0:
            cadence["limit_ns"] = limits["max_ns"]
        return False
    # A silence beyond the limit is a fault, not a habit, until it keeps coming back.
    surprising = cadence["samples"] >= SAMPLES_MIN and ts_ns - before_ns > cadence["limit_ns"]
    cadence["surprises"] = cadence["surprises"] + 1 if surprising else 0
    if 0 < cadence["surprises"] < SURPRISES_MAX:
        return False
    cadence["counts"][_bucket(ts_ns - before_ns)] += 1
    cadence["total"] += 1
    cadence["samples"] += 1
    if cadence["total"] >= 2 * limits["memory"]:
        cadence["total"] = 0
        for index in range(BUCKETS):
            cadence["counts"][index] //= 2
            cadence["total"] += cadence["counts"][index]
    if cadence["samples"] < SAMPLES_MIN or cadence["samples"] % (SAMPLES_MIN // 2) != 0:
        return False
    cadence["typical_ns"] = quantile_ns(cadence, 0.5)
    usual_ns = limits["ratio"] * quantile_ns(cadence, limits["quantile"])
    cadence["limit_ns"] = int(min(max(usual_ns, limits["min_ns"]), limits["max_ns"]))
    ratio = cadence["typical_ns"] / max(cadence["contract_typical_ns"], 1)
    if not (ratio >= MOVED_RATIO or ratio <= 1.0 / MOVED_RATIO):
        return False
    cadence["contract_typical_ns"] = cadence["typical_ns"]
    cadence["contracts"] += 1
    return True


@kernel
def pause(cadence: np.void) -> None:
    """The connection ended: the silence until the next beat is not the stream's own."""
    cadence["ts_ns"] = 0


@kernel
def is_silent(cadence: np.void, now_ns: int) -> bool:
    """True when the newest beat is older than the limit, or there was none."""
    return not (cadence["ts_ns"] > 0 and now_ns - cadence["ts_ns"] <= cadence["limit_ns"])


@kernel
def quantile_ns(cadence: np.void, quantile: float) -> int:
    """Upper end of the bucket that holds a quantile of the intervals; 0 without any."""
    wanted, seen = quantile * cadence["total"], 0
    for index in range(BUCKETS):
        seen += cadence["counts"][index]
        if seen > 0 and seen >= wanted:
            return int(2.0 ** ((index + 1) / PER_DOUBLING) * NS_PER_MS)
    return 0


@kernel
def _bucket(interval_ns: int) -> int:
    if interval_ns <= NS_PER_MS:
        return 0
    return min(int(math.log2(interval_ns / NS_PER_MS) * PER_DOUBLING), BUCKETS - 1)
