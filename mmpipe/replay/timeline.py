"""Several recordings as one stream, merged by receive time, with the TIMER and STATUS a feed would add.

In a live line the feed stage emits a TIMER every `timer_ms` and says of each stream when it became live or
went stale. A recording has neither, so they are inserted here by the same rules, and downstream cannot
tell. Of equal times, market data comes first, then STATUS, then TIMER.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.config import FeedConfig
from mmpipe.enums import EventFlag, EventKind, FeedState, Venue
from mmpipe.records import EVENT

CHUNK_SPAN_NS: Final = 10_000_000_000  # inserted events are made for this long at a time


def timeline(streams: Sequence[np.ndarray], feed: FeedConfig) -> Iterator[np.ndarray]:
    """Merge streams and insert what a feed stage adds.

    Parameters
    ----------
    streams : sequence of ndarray of EVENT
        Each one market, in order of `local_ts_ns`, whole messages closed by LAST.
    feed : FeedConfig
        Timer and staleness, milliseconds.

    Yields
    ------
    ndarray of EVENT, shape (n,)
        Consecutive parts of the stream, each ending with a whole message.
    """
    streams = [stream for stream in streams if len(stream)]
    if not streams:
        return
    first_ns = min(int(stream["local_ts_ns"][0]) for stream in streams)
    end_ns = max(int(stream["local_ts_ns"][-1]) for stream in streams)
    statuses = [_statuses(stream, feed, end_ns) for stream in streams]
    timer_ns = feed.timer_ms * NS_PER_MS
    for start_ns in range(first_ns, end_ns + 1, CHUNK_SPAN_NS):
        stop_ns = min(start_ns + CHUNK_SPAN_NS, end_ns + 1)
        first_tick = -(-(start_ns - first_ns) // timer_ns)
        timers = np.zeros(max(-(-(stop_ns - first_ns) // timer_ns) - first_tick, 0), EVENT)
        timers["kind"], timers["flags"] = EventKind.TIMER, EventFlag.LAST
        timers["local_ts_ns"] = first_ns + timer_ns * (first_tick + np.arange(len(timers)))
        parts = [_between(part, start_ns, stop_ns) for part in (*streams, *statuses)]
        merged = np.concatenate((*parts, timers))
        if len(merged):
            # Stable: a message's rows share one time and stay together, in the order given above.
            yield merged[np.argsort(merged["local_ts_ns"], kind="stable")]


def messages(chunk: np.ndarray) -> Iterator[np.ndarray]:
    """Whole venue messages of a part of the stream, as views.

    Parameters
    ----------
    chunk : ndarray of EVENT
        Ends with a whole message.
    """
    start = 0
    for stop in (np.flatnonzero(chunk["flags"] & EventFlag.LAST) + 1).tolist():
        yield chunk[start:stop]
        start = stop
    if start < len(chunk):
        yield chunk[start:]


def _between(stream: np.ndarray, start_ns: int, stop_ns: int) -> np.ndarray:
    low, high = np.searchsorted(stream["local_ts_ns"], (start_ns, stop_ns))
    return stream[low:high]


def _statuses(stream: np.ndarray, feed: FeedConfig, end_ns: int) -> np.ndarray:
    # LIVE with the first message; STALE when none came for too long, LIVE again with the next.
    times = stream["local_ts_ns"]
    lead = stream["venue"][0] == Venue.LEAD
    patience_ns = (feed.lead_stale_ms if lead else feed.maker_stale_ms) * NS_PER_MS
    hole = np.flatnonzero(np.diff(np.append(times, end_ns)) > patience_ns)
    stale_ns = times[hole] + patience_ns
    live_ns = np.append(times[:1], times[hole[hole + 1 < len(times)] + 1])
    rows = np.zeros(len(stale_ns) + len(live_ns), EVENT)
    rows["local_ts_ns"] = np.append(stale_ns, live_ns)
    rows["level"][: len(stale_ns)] = FeedState.STALE
    rows["level"][len(stale_ns) :] = FeedState.LIVE
    rows["kind"], rows["flags"] = EventKind.STATUS, EventFlag.LAST
    rows["venue"], rows["symbol"] = stream["venue"][0], stream["symbol"][0]
    return rows[np.argsort(rows["local_ts_ns"], kind="stable")]
