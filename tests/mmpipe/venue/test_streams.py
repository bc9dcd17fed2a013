"""What feed knows of its streams: life, silence, contradiction, holes, and what it asks for."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.config import load
from mmpipe.enums import EventFlag, EventKind, FeedState, Side, StreamKind, Venue
from mmpipe.records import EVENT
from mmpipe.venue.streams import (
    ASK,
    DROP,
    KINDS,
    SAY,
    UNANSWERED_MAX,
    judge,
    new_streams,
    on_connection,
    on_message,
    void_market,
)

MS = 1_000_000
BBO, TRADES, FAST, FULL, CONTEXT, DEPTH = StreamKind
MAKER, LEAD = int(Venue.MAKER), int(Venue.LEAD)
LIVE, STALE, GAPPED, SYNCING = FeedState.LIVE, FeedState.STALE, FeedState.GAPPED, FeedState.SYNCING
FEED = load(
    Path(__file__).parents[3] / "pipeline.toml",
    {"feed.stale_min_ms": 50, "feed.first_message_timeout_ms": 5_000, "feed.contradiction_ms": 500},
).feed
SUBSCRIBED = {Venue.MAKER: (BBO, TRADES, FAST, FULL, CONTEXT), Venue.LEAD: (BBO, TRADES, DEPTH)}


def quotes(bid: int, ask: int, exch_ms: int) -> np.ndarray:
    rows = np.zeros(2, EVENT)
    rows["kind"], rows["side"], rows["px_tick"] = EventKind.BBO, [Side.BUY, Side.SELL], [bid, ask]
    rows["exch_ts_ns"] = exch_ms * MS
    return rows


def book(bid: int, ask: int, exch_ms: int) -> np.ndarray:
    rows = np.zeros(5, EVENT)
    rows["kind"] = [EventKind.BOOK_CLEAR] + [EventKind.BOOK_DELTA] * 4
    rows["side"], rows["level"] = [0, 1, 1, -1, -1], [0, 0, 1, 0, 1]
    rows["px_tick"] = [0, bid, bid - 1, ask, ask + 1]
    rows["exch_ts_ns"], rows["flags"][-1] = exch_ms * MS, EventFlag.LAST
    return rows


class Feed:
    """One market on each venue, all connections up at time 1."""

    def __init__(self) -> None:
        self.table = new_streams(1, SUBSCRIBED, FEED)
        self.missed = 0
        for venue in (MAKER, LEAD):
            self.connection(venue, SYNCING, 1)

    def connection(self, venue: int, state: FeedState, ms: int) -> None:
        on_connection(self.table, venue, np.ones(KINDS, np.bool_), int(state), ms * MS)

    def hear(self, venue: int, kind: StreamKind, ms: int, rows: np.ndarray) -> bool:
        missed, changed = on_message(self.table, venue, 0, int(kind), rows, len(rows), ms * MS)
        self.missed += missed
        return changed

    def judged(self, ms: int) -> list[tuple[int, int, StreamKind]]:
        count = judge(self.table, ms * MS)
        return [
            (what, venue, StreamKind(kind)) for what, venue, _, kind in self.table.actions[:count].tolist()
        ]

    def state(self, venue: int, kind: StreamKind) -> FeedState:
        return FeedState(int(self.table.streams[venue, 0, kind]["state"]))

    def market(self, venue: int) -> FeedState:
        return FeedState(int(self.table.markets[venue, 0]["state"]))

    def run(self, start_ms: int, count: int, every_ms: int = 100) -> int:
        """Fast books and the same quotes, on time; returns the time of the last."""
        for number in range(count):
            ms = start_ms + number * every_ms
            self.hear(MAKER, BBO, ms, quotes(10, 12, ms))
            self.hear(MAKER, FAST, ms, book(10, 12, ms))
        return ms


NOTHING = np.zeros(0, EVENT)


def test_a_maker_is_live_with_its_first_book_and_a_lead_with_its_first_quote() -> None:
    feed = Feed()
    assert not feed.hear(MAKER, BBO, 10, quotes(10, 12, 10))
    assert feed.market(MAKER) == SYNCING
    assert feed.hear(MAKER, FAST, 11, book(10, 12, 11))
    assert not feed.hear(LEAD, TRADES, 12, quotes(10, 12, 11)[:1])
    assert feed.hear(LEAD, BBO, 13, quotes(10, 12, 11))
    assert (feed.market(MAKER), feed.market(LEAD)) == (LIVE, LIVE)
    assert feed.state(MAKER, BBO) == feed.state(MAKER, FAST) == LIVE
    assert feed.state(MAKER, FULL) == SYNCING
    assert feed.judged(14) == []


def test_a_market_is_stale_when_its_touch_is_older_than_its_contract_and_live_with_the_next() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    limit_ms = int(feed.table.touches[MAKER, 0]["limit_ns"]) // MS
    assert 300 <= limit_ms <= 340
    assert (SAY, MAKER, BBO) not in feed.judged(last + limit_ms)
    assert (SAY, MAKER, BBO) in feed.judged(last + limit_ms + 2)
    assert feed.market(MAKER) == STALE
    assert feed.hear(MAKER, BBO, last + 400, quotes(10, 12, last + 400))  # at once, not at the next timer
    assert feed.market(MAKER) == LIVE


def test_trades_confirm_no_touch() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    trade = quotes(10, 12, last + 400)[:1]
    trade["kind"] = EventKind.TRADE
    feed.hear(MAKER, TRADES, last + 400, trade)
    feed.judged(last + 401)
    assert feed.market(MAKER) == STALE


def test_a_message_that_was_overtaken_confirms_nothing() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    feed.judged(last + 400)
    assert not feed.hear(MAKER, FULL, last + 401, book(10, 12, last - 50))
    assert feed.market(MAKER) == STALE


def test_a_lost_connection_gaps_everything_it_carried_and_asks_for_nothing() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    feed.connection(MAKER, GAPPED, last + 1)
    assert feed.market(MAKER) == GAPPED
    assert {feed.state(MAKER, kind) for kind in SUBSCRIBED[Venue.MAKER]} == {GAPPED}
    assert feed.state(MAKER, DEPTH) == FeedState.NEVER
    assert [action for action in feed.judged(last + 600_000) if action[1] == MAKER] == []
    feed.connection(MAKER, SYNCING, last + 600_001)
    feed.hear(MAKER, BBO, last + 600_002, quotes(10, 12, last + 600_002))
    assert feed.market(MAKER) == SYNCING  # quotes without a book are not a market
    assert feed.hear(MAKER, FAST, last + 600_003, book(10, 12, last + 600_003))


def test_the_loss_of_a_side_connection_leaves_the_market_alone() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    only_full = np.arange(KINDS) == FULL
    on_connection(feed.table, MAKER, only_full, int(GAPPED), last * MS)
    assert (feed.market(MAKER), feed.state(MAKER, FULL), feed.state(MAKER, FAST)) == (LIVE, GAPPED, LIVE)


def test_a_silent_stream_is_asked_for_and_costs_its_connection_when_it_does_not_answer() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    for kind in (FULL, CONTEXT, TRADES):
        feed.hear(MAKER, kind, last, NOTHING)
    asked = last + 350
    assert (ASK, MAKER, FAST) in feed.judged(asked)
    assert feed.state(MAKER, FAST) == STALE
    found = []
    for ms in range(asked + 100, asked + 60_000, 100):
        feed.hear(MAKER, BBO, ms, quotes(10, 12, ms))
        found += [
            (ms - asked, what) for what, venue, kind in feed.judged(ms) if (venue, kind) == (MAKER, FAST)
        ]
    assert [what for _, what in found] == [ASK] * (UNANSWERED_MAX - 1) + [DROP] * (
        len(found) - UNANSWERED_MAX + 1
    )
    waits_ms = np.diff([0] + [ms for ms, _ in found])
    assert waits_ms[0] > 5_000
    assert (waits_ms[1:] >= 1.9 * waits_ms[:-1]).all()  # later and later


def test_a_venue_that_became_slow_is_not_polled_and_its_rhythm_is_learned() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    asked = 0
    for ms in range(last + 100, last + 300_000, 100):
        feed.hear(MAKER, BBO, ms, quotes(10, 12, ms))
        if (ms - last) % 5_400 == 0:
            feed.hear(MAKER, FAST, ms, book(10, 12, ms))
        for what, venue, kind in feed.judged(ms):
            if (what, venue, kind) == (ASK, MAKER, FAST):
                asked += 1
                feed.hear(MAKER, FAST, ms + 20, book(10, 12, ms))  # a new subscription is answered at once
    assert 3 <= asked <= 20
    cadence = feed.table.cadences[MAKER, 0, FAST]
    assert 4_000 <= cadence["typical_ns"] / MS <= 6_000
    assert 2 <= cadence["contracts"] <= 4
    assert feed.state(MAKER, FAST) == LIVE
    assert feed.market(MAKER) == LIVE


def test_a_stream_that_falls_silent_now_and_then_is_asked_for_each_time_whatever_its_connection_does() -> (
    None
):
    feed = Feed()
    ms, asked = feed.run(10, 60), 0
    for _ in range(10):
        for _ in range(2):
            feed.connection(MAKER, GAPPED, ms + 1)
            feed.connection(MAKER, SYNCING, ms + 2)
            ms = feed.run(ms + 100, 60)
        asked += (ASK, MAKER, FAST) in feed.judged(ms + 700)
        ms = feed.run(ms + 1_000, 60)
    assert asked == 10


def test_quotes_and_trades_that_have_nothing_to_say_cost_no_connection() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    seen = set()
    for ms in range(last, last + 300_000, 500):
        feed.hear(MAKER, FAST, ms, book(10, 12, ms))
        feed.hear(MAKER, FULL, ms, book(10, 12, ms))
        feed.hear(MAKER, CONTEXT, ms, NOTHING)
        seen |= {what for what, venue, _ in feed.judged(ms) if venue == MAKER}
    assert seen == {ASK}
    assert feed.market(MAKER) == LIVE


def test_a_book_that_disagrees_with_older_quotes_proves_that_quotes_were_lost() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    for number in range(1, 8):
        ms = last + 100 * number
        feed.hear(MAKER, FAST, ms, book(11, 12, ms))
        actions = feed.judged(ms)
        assert (feed.state(MAKER, BBO) == GAPPED) == (number == 7)
    assert (ASK, MAKER, BBO) in actions
    assert (SAY, MAKER, BBO) in actions
    assert feed.market(MAKER) == STALE  # the touch is fresh, but what changes it is lost
    assert feed.table.streams[MAKER, 0, BBO]["missed"] == 1
    assert feed.hear(MAKER, BBO, ms + 1, quotes(11, 12, ms + 1))
    assert feed.market(MAKER) == LIVE


def test_quotes_that_come_a_little_later_settle_it() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    feed.hear(MAKER, FAST, last + 100, book(11, 12, last + 100))
    feed.hear(MAKER, BBO, last + 101, quotes(11, 12, last + 100))
    feed.hear(MAKER, FAST, last + 200, book(11, 12, last + 200))
    feed.judged(last + 700)
    assert feed.table.streams[MAKER, 0, BBO]["missed"] == 0
    assert feed.state(MAKER, BBO) != GAPPED


def test_a_book_older_than_the_quotes_proves_nothing() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    feed.hear(MAKER, BBO, last + 90, quotes(11, 12, last + 90))
    feed.hear(MAKER, FAST, last + 95, book(10, 12, last + 80))
    assert feed.table.markets[MAKER, 0]["contradicted_ts_ns"] == 0


@pytest.mark.parametrize(("beats", "missed"), [(1, 0), (2, 1), (3, 2), (4, 3), (9, 0)])
def test_a_hole_in_a_rhythm_is_messages_lost_unless_it_is_another_rhythm(beats: int, missed: int) -> None:
    feed = Feed()
    last = feed.run(10, 60)
    at = last + 100 * beats
    feed.hear(MAKER, FAST, at, book(10, 12, at))
    assert feed.missed == missed


def test_depth_waits_for_its_snapshot_and_a_broken_chain_is_a_gap() -> None:
    feed = Feed()
    feed.hear(LEAD, DEPTH, 10, NOTHING)
    assert feed.state(LEAD, DEPTH) == SYNCING
    feed.hear(LEAD, DEPTH, 20, book(10, 12, 15))
    assert feed.state(LEAD, DEPTH) == LIVE
    gap = np.zeros(1, EVENT)
    gap["kind"] = EventKind.GAP
    feed.hear(LEAD, DEPTH, 30, gap)
    assert feed.state(LEAD, DEPTH) == GAPPED


def test_a_void_market_begins_anew_and_its_books_are_asked_for_at_once() -> None:
    feed = Feed()
    last = feed.run(10, 60)
    for kind in (FULL, CONTEXT, TRADES):
        feed.hear(MAKER, kind, last, NOTHING)
    void_market(feed.table, MAKER, 0)
    assert feed.market(MAKER) == SYNCING
    asked = {kind for what, venue, kind in feed.judged(last + 1) if (what, venue) == (ASK, MAKER)}
    assert asked == {BBO, FAST, FULL}
    feed.hear(MAKER, FAST, last + 2, book(10, 12, last + 2))
    assert feed.market(MAKER) == STALE  # its quotes are still lost
    assert feed.hear(MAKER, BBO, last + 3, quotes(10, 12, last + 3))
    assert feed.market(MAKER) == LIVE


def test_time_that_stands_still_or_never_was_does_not_make_a_market_live() -> None:
    feed = Feed()
    assert feed.market(MAKER) == SYNCING
    feed.judged(10**9)
    assert feed.market(MAKER) == SYNCING
    assert feed.market(LEAD) == SYNCING
