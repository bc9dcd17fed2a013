"""The lead's book from two streams, and books that cannot be: used, quarantined, asked for anew."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.config import load
from mmpipe.enums import CommandKind, Counter, EventFlag, EventKind, FeedState, Trigger, Venue
from mmpipe.models.snapshot_engine import SnapshotEngine
from tests.mmpipe.models.test_snapshot_engine import MS, Tape, _instruments

PATIENCE_MS = 1_000
CONFIG = load(Path(__file__).parents[3] / "pipeline.toml", {"feed.crossed_patience_ms": PATIENCE_MS})
TICK_PX = 1e-8


class LeadTape(Tape):
    """Rows of the lead on its own grid."""

    def lead(self, kind: EventKind, side: int, px: float, qty: float, seq: int, flags: int = 1) -> None:
        self.add(
            kind,
            side,
            0,
            qty,
            venue=Venue.LEAD,
            px=px,
            px_tick=round(px / TICK_PX),
            remote_seq=seq,
            flags=flags,
        )

    def quote(self, bid: float, ask: float, seq: int) -> None:
        self.lead(EventKind.BBO, 1, bid, 6.0, seq, flags=0)
        self.lead(EventKind.BBO, -1, ask, 2.0, seq)

    def depth(self, bid: float, ask: float, seq: int, clear: bool = False) -> None:
        if clear:
            self.lead(EventKind.BOOK_CLEAR, 0, 0.0, 0.0, seq, flags=0)
        self.lead(EventKind.BOOK_DELTA, 1, bid, 3.0, seq, flags=0)
        self.lead(EventKind.BOOK_DELTA, -1, ask, 3.0, seq)


def run(tape: Tape) -> tuple[SnapshotEngine, np.ndarray, list[np.ndarray]]:
    """The engine, its snapshots, and what it asked for, event by event."""
    engine = SnapshotEngine(CONFIG, _instruments(1))
    snapshots, resyncs = [], []
    for row in tape.events():
        snapshots.append(engine.on_events(np.array([row]), 1).copy())
        resyncs.append(engine.resyncs().copy())
    return engine, np.concatenate(snapshots), resyncs


def started() -> LeadTape:
    tape = LeadTape()
    tape.start()
    tape.add(EventKind.STATUS, venue=Venue.LEAD, level=FeedState.LIVE)
    return tape


def test_best_quotes_alone_give_the_leads_mid() -> None:
    tape = started()
    tape.quote(43_000.1, 43_000.3, 5)
    _, snapshots, _ = run(tape)
    assert snapshots["trigger"][-1] == Trigger.BBO
    assert snapshots["lead_mid_px"][-1] == pytest.approx(43_000.2, rel=1e-12)
    assert snapshots["lead_imbalance"][-1] == 0.5


def test_depth_newer_than_the_quotes_moves_the_mid_and_older_depth_does_not() -> None:
    tape = started()
    tape.quote(43_000.1, 43_000.3, 5)
    tape.depth(43_000.0, 43_000.4, 4, clear=True)  # older than the quotes, which stand before it
    _, snapshots, _ = run(tape)
    assert snapshots["lead_mid_px"][-1] == pytest.approx(43_000.2, rel=1e-12)
    tape.depth(43_000.2, 43_000.3, 9)
    _, snapshots, _ = run(tape)
    assert snapshots["lead_mid_px"][-1] == pytest.approx(43_000.25, rel=1e-12)
    assert snapshots["lead_imbalance"][-1] == 0.0  # three on either side; the quotes had six to two
    assert snapshots["trigger"][-1] == Trigger.BBO  # a move of the lead is worth a snapshot at once


def test_a_gap_of_the_lead_leaves_no_mid() -> None:
    tape = started()
    tape.quote(43_000.1, 43_000.3, 5)
    tape.depth(43_000.1, 43_000.3, 6, clear=True)
    tape.add(EventKind.GAP, venue=Venue.LEAD)
    tape.timers(1)
    engine, snapshots, _ = run(tape)
    assert snapshots["lead_mid_px"][-1] == 0.0
    assert snapshots["lead_feed"][-1] == FeedState.GAPPED
    assert engine.counters[Counter.GAPS] == 1


@pytest.mark.parametrize("venue", [Venue.MAKER, Venue.LEAD])
def test_a_book_that_stays_crossed_is_asked_for_anew_once_per_patience(venue: Venue) -> None:
    tape = started()
    if venue == Venue.LEAD:
        tape.depth(43_000.3, 43_000.1, 6, clear=True)
    else:
        tape.add(EventKind.BOOK_DELTA, 1, 430_050, 1.0)
    tape.timers(25)
    engine, snapshots, resyncs = run(tape)
    asked = [(index, row) for index, rows in enumerate(resyncs) for row in rows]
    assert [(int(row["kind"]), int(row["venue"]), int(row["symbol"])) for _, row in asked] == [
        (CommandKind.RESYNC, venue, 0)
    ] * 2
    first_ns = int(asked[0][1]["ts_ns"])
    assert (first_ns - 1_000 * MS) // MS == PATIENCE_MS + 100
    assert (int(asked[1][1]["ts_ns"]) - first_ns) // MS == PATIENCE_MS + 100
    assert engine.counters[Counter.CROSSED_BOOKS] == 1
    if venue == Venue.MAKER:
        assert snapshots["book_valid"][-1] == 0


def test_a_book_that_uncrosses_in_time_is_left_alone() -> None:
    tape = started()
    tape.add(EventKind.BOOK_DELTA, 1, 430_050, 1.0)
    tape.timers(8)
    tape.add(EventKind.BOOK_DELTA, 1, 430_050, 0.0)
    tape.timers(20)
    _, snapshots, resyncs = run(tape)
    assert not any(len(rows) for rows in resyncs)
    assert snapshots["book_valid"][-1] == 1


def test_the_contract_of_the_touch_travels_with_its_age() -> None:
    tape = started()
    tape.add(EventKind.STATUS, level=FeedState.LIVE, remote_seq=700 * MS)
    tape.timers(3)
    _, snapshots, _ = run(tape)
    assert snapshots["book_limit_ns"][-1] == 700 * MS
    assert snapshots["book_age_ns"][-3:].tolist() == [100 * MS, 200 * MS, 300 * MS]


def test_the_last_row_of_a_message_decides() -> None:
    tape = started()
    tape.add(EventKind.BOOK_DELTA, 1, 430_050, 1.0, flags=0)
    tape.add(EventKind.BOOK_DELTA, 1, 430_050, 0.0, flags=EventFlag.LAST)
    tape.timers(20)
    assert not any(len(rows) for rows in run(tape)[2])
