"""The stream a feed stage would have made: merged, timed, and honest about holes."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.config import FeedConfig, load
from mmpipe.enums import EventFlag, EventKind, FeedState, Venue
from mmpipe.records import EVENT
from mmpipe.replay import timeline as timeline_module
from mmpipe.replay.timeline import messages, timeline

MS = 1_000_000
FEED: FeedConfig = load(
    Path("pipeline.toml"),
    {
        "feed.timer_ms": 100,
        "feed.stale_min_ms": 50,
        "feed.maker_stale_max_ms": 1500,
        "feed.lead_stale_max_ms": 400,
    },
).feed


def stream(*times_ms: int, venue: Venue = Venue.MAKER) -> np.ndarray:
    rows = np.zeros(len(times_ms), EVENT)
    rows["local_ts_ns"] = np.array(times_ms, np.int64) * MS
    rows["kind"], rows["flags"], rows["venue"] = EventKind.TRADE, EventFlag.LAST, venue
    return rows


def whole(*streams: np.ndarray) -> np.ndarray:
    return np.concatenate(list(timeline(streams, FEED)))


def times_of(rows: np.ndarray, kind: EventKind) -> list[int]:
    return (rows["local_ts_ns"][rows["kind"] == kind] // MS).tolist()


def test_a_timer_every_interval_from_the_first_message_on() -> None:
    got = whole(stream(1000, 1050, 1399))
    assert times_of(got, EventKind.TIMER) == [1000, 1100, 1200, 1300]
    assert (np.diff(got["local_ts_ns"]) >= 0).all()


def test_at_equal_times_data_comes_first_then_status_then_timer() -> None:
    got = whole(stream(1000))
    assert got["kind"].tolist() == [EventKind.TRADE, EventKind.STATUS, EventKind.TIMER]


def test_streams_are_merged_by_receive_time_and_none_is_lost() -> None:
    maker, lead = stream(1000, 1010, 1020), stream(1005, 1010, 1200, venue=Venue.LEAD)
    got = whole(maker, lead)
    trades = got[got["kind"] == EventKind.TRADE]
    assert (trades["local_ts_ns"] // MS).tolist() == [1000, 1005, 1010, 1010, 1020, 1200]
    assert trades["venue"].tolist() == [0, 1, 0, 1, 0, 1]


def test_a_hole_is_stale_and_its_end_is_live() -> None:
    got = whole(stream(1000, 3000, 9000), stream(1100, 1200, venue=Venue.LEAD))
    status = got[got["kind"] == EventKind.STATUS]
    found = [(int(row["local_ts_ns"]) // MS, int(row["venue"]), FeedState(row["level"])) for row in status]
    live, stale = FeedState.LIVE, FeedState.STALE
    assert found == [
        (1000, Venue.MAKER, live),
        (1100, Venue.LEAD, live),
        (1600, Venue.LEAD, stale),
        (2500, Venue.MAKER, stale),
        (3000, Venue.MAKER, live),
        (4500, Venue.MAKER, stale),
        (9000, Venue.MAKER, live),
    ]


def test_the_limit_is_learned_and_said_whenever_it_changes() -> None:
    beats = [1000 + 100 * number for number in range(60)]
    got = whole(stream(*beats, 10_000))
    status = got[got["kind"] == EventKind.STATUS]
    limits = status["remote_seq"] // MS
    assert limits[0] == 1500  # nothing learned: the bound
    assert 300 <= limits[1] <= 330  # three times the 0.99 quantile, in buckets of 9 %
    stale = status[status["level"] == FeedState.STALE]
    assert [int(row["local_ts_ns"] - row["remote_seq"]) // MS for row in stale] == [beats[-1]]


def test_only_what_confirms_the_touch_keeps_a_market_alive() -> None:
    rows = stream(1000, 2000, 3000, 4000)
    rows["kind"][[0, 3]] = EventKind.BBO
    status = whole(rows)
    status = status[status["kind"] == EventKind.STATUS]
    assert [(int(row["local_ts_ns"]) // MS, int(row["level"])) for row in status] == [
        (1000, FeedState.LIVE), (2500, FeedState.STALE), (4000, FeedState.LIVE),
    ]  # fmt: skip


def test_parts_do_not_change_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    maker = stream(*np.sort(rng.integers(1000, 9000, 300)).tolist())
    lead = stream(*np.sort(rng.integers(1000, 9000, 50)).tolist(), venue=Venue.LEAD)
    want = whole(maker, lead)
    for span_ms in (1, 37, 100, 5000):
        monkeypatch.setattr(timeline_module, "CHUNK_SPAN_NS", span_ms * MS)
        assert whole(maker, lead).tobytes() == want.tobytes()


def test_messages_are_whole() -> None:
    rows = stream(1, 1, 1, 2, 3, 3)
    rows["flags"] = [0, 0, EventFlag.LAST, EventFlag.LAST, 0, EventFlag.LAST]
    assert [len(message) for message in messages(rows)] == [3, 1, 2]


def test_nothing_gives_nothing() -> None:
    assert list(timeline([], FEED)) == []
    assert list(timeline([stream()], FEED)) == []
