"""The engine moves time in order, loses nothing, ends, and gives the same bytes twice."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.clock import VirtualClock
from mmpipe.config import load as load_config
from mmpipe.enums import AnswerKind, EventFlag, EventKind, IntentKind, Tif, Venue
from mmpipe.errors import MmpipeError
from mmpipe.recording.npz import load
from mmpipe.records import EVENT, INSTRUMENT, INTENT
from mmpipe.replay.engine import ReplayEngine
from mmpipe.replay.report import fills_sha256
from mmpipe.replay.timeline import timeline
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import ReplayExchange

CONFIG = load_config(Path("pipeline.toml"))
DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
MS = 1_000_000


class Ring:
    """Stands in for the event ring: holds few rows, so that the engine has to hand over in parts."""

    def __init__(self, slots: int) -> None:
        self.slots, self.rows = slots, np.zeros(0, EVENT)

    def publish(self, rows: np.ndarray) -> int:
        taken = rows[: self.slots - len(self.rows)]
        self.rows = np.concatenate((self.rows, taken))
        return len(taken)

    def take(self) -> np.ndarray:
        rows, self.rows = self.rows, self.rows[:0]
        return rows


class Quoter:
    """Joins both touches every 100 ms, follows them, and writes down what it saw and when."""

    def __init__(self, ring: Ring, exchange: ReplayExchange, clock: VirtualClock, lots: int) -> None:
        self.ring, self.exchange, self.clock, self.lots = ring, exchange, clock, lots
        self.best: dict[int, int] = {}
        self.live: dict[int, tuple[int, int]] = {}
        self.orders = 0
        self.seen: list[tuple[int, int, int]] = []

    def poll(self) -> int:
        events, answers = self.ring.take(), self.exchange.execution_port.answers()
        now_ns = self.clock.now_ns()
        for event in events:
            self.seen.append((now_ns, int(event["local_ts_ns"]), int(event["kind"])))
            if event["kind"] == EventKind.BBO:
                self.best[int(event["side"])] = int(event["px_tick"])
            elif event["kind"] == EventKind.TIMER and len(self.best) == 2:
                self.requote()
        for answer in answers:
            self.seen.append((now_ns, int(answer["ts_ns"]), 100 + int(answer["kind"])))
            if answer["kind"] in (AnswerKind.REJECTED, AnswerKind.FILL):
                self.live = {s: order for s, order in self.live.items() if order[0] != answer["order_id"]}
        return len(events) + len(answers)

    def requote(self) -> None:
        intents = np.zeros(0, INTENT)
        for side, tick in self.best.items():
            if side in self.live and self.live[side][1] != tick:
                intents = np.append(
                    intents, self.intent(IntentKind.CANCEL, self.live.pop(side)[0], side, tick)
                )
            if side not in self.live:
                self.orders += 1
                self.live[side] = (self.orders, tick)
                intents = np.append(intents, self.intent(IntentKind.PLACE, self.orders, side, tick))
        self.exchange.execution_port.send(intents)

    def intent(self, kind: IntentKind, order_id: int, side: int, tick: int) -> np.ndarray:
        row = np.zeros(1, INTENT)
        row["kind"], row["order_id"], row["side"], row["px_tick"] = kind, order_id, side, tick
        row["qty_lots"], row["tif"] = self.lots, Tif.ALO
        return row


def line(instrument: np.ndarray, start_ns: int, slots: int = 64) -> tuple[ReplayEngine, Quoter]:
    clock, ring = VirtualClock(start_ns), Ring(slots)
    exchange = ReplayExchange(CONFIG, instrument, clock, latency_settings(10 * MS, 10 * MS, 5 * MS), 3.0)
    quoter = Quoter(ring, exchange, clock, 20)
    return ReplayEngine(clock, exchange, ring.publish, [quoter]), quoter


def quotes(count: int, step_ms: int) -> np.ndarray:
    rows = np.zeros(2 * count, EVENT)
    rows["local_ts_ns"] = np.repeat(1000 + step_ms * np.arange(count), 2) * MS
    rows["exch_ts_ns"] = rows["local_ts_ns"] - 400 * MS
    rows["kind"], rows["side"] = EventKind.BBO, np.tile([1, -1], count)
    rows["px_tick"], rows["qty"] = (
        np.where(rows["side"] > 0, 60_000, 60_010) + np.repeat(np.arange(count) // 5, 2),
        1.0,
    )
    rows["flags"][1::2] = EventFlag.LAST
    return rows


INSTRUMENT_ROW = np.array([(0, 3, 1000, 0.001, 0.001, 0, 0, np.zeros(14, np.uint8))], INSTRUMENT)


def test_every_event_and_answer_is_seen_at_its_own_time_and_in_order() -> None:
    engine, quoter = line(INSTRUMENT_ROW, 1000 * MS)
    run = engine.run(timeline([quotes(200, 37)], CONFIG.feed), 1.0)
    assert run.rows == 400
    assert [row for row in quoter.seen if row[0] != row[1]] == []
    assert [now for now, _, _ in quoter.seen] == sorted(now for now, _, _ in quoter.seen)
    kinds = [kind for _, _, kind in quoter.seen]
    assert kinds.count(EventKind.BBO) == 400
    assert kinds.count(100 + AnswerKind.RESTING) > 20
    assert (run.first_ts_ns, run.last_ts_ns) == (1000 * MS, (1000 + 199 * 37) * MS)


def test_a_message_larger_than_the_ring_goes_in_parts() -> None:
    rows = quotes(50, 0)
    rows["flags"] = 0
    rows["flags"][-1] = EventFlag.LAST
    engine, quoter = line(INSTRUMENT_ROW, 1000 * MS, slots=7)
    engine.run(timeline([rows], CONFIG.feed), 0.0)
    assert [kind for _, _, kind in quoter.seen].count(EventKind.BBO) == 100


def test_a_line_that_always_has_a_request_on_its_way_ends() -> None:
    engine, quoter = line(INSTRUMENT_ROW, 1000 * MS)

    class Asking:
        def poll(self) -> int:
            if not quoter.exchange._requests:
                quoter.exchange.risk_port.reconcile()
            return 0

    engine._stages = (quoter, Asking())
    run = engine.run(timeline([quotes(5, 100)], CONFIG.feed), 0.5)
    assert run.last_ts_ns == 1400 * MS
    assert engine._clock.now_ns() <= 1900 * MS


def test_a_stage_that_never_rests_and_a_ring_nobody_reads_are_refused() -> None:
    class Busy:
        def poll(self) -> int:
            return 1

    engine, _ = line(INSTRUMENT_ROW, 1000 * MS)
    engine._stages = (Busy(),)
    with pytest.raises(MmpipeError, match="did not come to rest"):
        engine.run([quotes(1, 1)], 0.0)
    engine, _ = line(INSTRUMENT_ROW, 1000 * MS, slots=1)
    engine._stages = ()
    with pytest.raises(MmpipeError, match="ring is full"):
        engine.run([quotes(1, 1)], 0.0)


@pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)
def test_a_real_recording_replays_to_the_same_bytes_and_closed_books() -> None:
    recording = load(DATA / "norm" / "hl_ETH_20250904.npz", 0, Venue.MAKER)

    def run() -> tuple[str, list[tuple[int, int, int]], ReplayExchange]:
        engine, quoter = line(recording.instruments, int(recording.events["local_ts_ns"][0]), slots=4096)
        quoter.lots = 200
        engine.run(timeline([recording.events[:60_000]], CONFIG.feed), 1.0)
        return fills_sha256(quoter.exchange.fills()), quoter.seen, quoter.exchange

    (first, seen, exchange), (second, again, _) = run(), run()
    assert first == second
    assert seen == again
    fills = exchange.fills()
    assert len(fills) > 50
    assert int((fills["side"] * fills["qty_lots"]).sum()) == exchange.position_lots[0]
    assert -sum(int(f["side"]) * int(f["px_tick"]) * int(f["qty_lots"]) * 100 for f in fills) == exchange.cash
    assert exchange._market["refused"][0] == 0
