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
from mmpipe.enums import EventFlag, EventKind, FeedState
from mmpipe.records import EVENT
from mmpipe.venue.cadence import CADENCE, LIMITS, beat
from mmpipe.venue.streams import touch_limits
from ringbuf.jit import example, kernel

TOUCH_KINDS: Final = (EventKind.BBO, EventKind.BOOK_DELTA, EventKind.BOOK_CLEAR)
_LIVE: Final = int(FeedState.LIVE)
_STALE: Final = int(FeedState.STALE)
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
    # One row per touch message at the most, and one when it fell silent.
    venue, symbol = int(stream["venue"][0]), int(stream["symbol"][0])
    touch = np.isin(stream["kind"], TOUCH_KINDS) & (stream["flags"] & EventFlag.LAST > 0)
    times = stream["local_ts_ns"][touch] if touch.any() else stream["local_ts_ns"]
    rows = np.zeros(2 * len(times) + 2, EVENT)
    limits = touch_limits(feed)[venue : venue + 1]
    rows = rows[: touch_statuses(np.ascontiguousarray(times), limits, np.zeros(1, CADENCE), end_ns, rows)]
    rows["kind"], rows["flags"] = EventKind.STATUS, EventFlag.LAST
    rows["venue"], rows["symbol"] = venue, symbol
    return rows


@kernel
def touch_statuses(
    times: np.ndarray, limits: np.ndarray, cadence: np.ndarray, end_ns: int, rows: np.ndarray
) -> int:
    """The states and limits a feed would have said of one market.

    Parameters
    ----------
    times : ndarray of int64
        Receive times of the messages that confirm its touch, in order; at least one.
    limits : ndarray of LIMITS, shape (1,)
        Of the touch.
    cadence : ndarray of CADENCE, shape (1,)
        Zeros; what is learned.
    end_ns : int
        End of the recording.
    rows : ndarray of EVENT
        Time, state and limit are written from index 0, in order of time.

    Returns
    -------
    int
        Number of rows: LIVE with the first message and after a silence, STALE when a silence has lasted
        for the learned limit, LIVE again whenever the limit is another one.
    """
    learned = cadence[0]
    count, said_ns = 0, -1
    for index in range(len(times)):
        before_ns, limit_ns = times[max(index - 1, 0)], learned["limit_ns"]
        if index > 0 and times[index] - before_ns > limit_ns:
            _say(rows[count], before_ns + limit_ns, _STALE, limit_ns)
            count, said_ns = count + 1, -1
        beat(learned, times[index], limits[0])
        if learned["limit_ns"] != said_ns:
            said_ns = learned["limit_ns"]
            _say(rows[count], times[index], _LIVE, said_ns)
            count += 1
    limit_ns = learned["limit_ns"]
    if end_ns - times[len(times) - 1] > limit_ns:
        _say(rows[count], times[len(times) - 1] + limit_ns, _STALE, limit_ns)
        count += 1
    return count


@kernel
def _say(row: np.void, ts_ns: int, state: int, limit_ns: int) -> None:
    row["local_ts_ns"], row["level"], row["remote_seq"] = ts_ns, state, limit_ns


@example(touch_statuses)
def _touch_statuses_example() -> tuple[object, ...]:
    return np.zeros(1, np.int64), np.zeros(1, LIMITS), np.zeros(1, CADENCE), 0, np.zeros(1, EVENT)
