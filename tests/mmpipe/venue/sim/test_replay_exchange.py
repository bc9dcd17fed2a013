"""The recorded market as a venue: latency, two sessions with one truth, exact money."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.clock import VirtualClock
from mmpipe.config import load
from mmpipe.enums import AnswerKind, EventFlag, EventKind, IntentKind, Reason, Tif
from mmpipe.records import ANSWER, EVENT, INSTRUMENT, INTENT, SYMBOLS_MAX
from mmpipe.venue.port import OrderPort
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import NEVER_NS, ReplayExchange

CONFIG = load(Path("pipeline.toml"))


class Venue:
    def __init__(self) -> None:
        self.instruments = np.zeros(2, INSTRUMENT)
        self.instruments["symbol"] = [0, 1]
        self.instruments["lot_qty"], self.instruments["tick_px"] = 0.001, 0.001
        self.clock = VirtualClock(1000)
        self.exchange = ReplayExchange(
            CONFIG, self.instruments, self.clock, latency_settings(100, 50, 30), 3.0
        )
        self.run_to(1990)
        self.drain()
        self.at(
            2000,
            (EventKind.BOOK_CLEAR, 0, 0, 0.0),
            (EventKind.BOOK_DELTA, 1, 60_000_000, 1.0),
            (EventKind.BOOK_DELTA, -1, 60_001_000, 1.0),
        )

    def at(self, ts_ns: int, *events: tuple[int, int, int, float]) -> None:
        rows = np.zeros(len(events), EVENT)
        rows["local_ts_ns"], rows["exch_ts_ns"] = ts_ns, ts_ns - 700
        for row, (kind, side, tick, qty) in zip(rows, events, strict=True):
            row["kind"], row["side"], row["px_tick"], row["qty"] = kind, side, tick, qty
        rows["flags"][-1] = EventFlag.LAST
        self.run_to(ts_ns - 1)
        self.clock.advance_to(ts_ns)
        self.exchange.on_events(rows)
        self.run_to(ts_ns)

    def run_to(self, ts_ns: int) -> None:
        while (due := self.exchange.next_due_ns()) <= ts_ns:
            self.clock.advance_to(due)
            self.exchange.advance(due)
        self.clock.advance_to(ts_ns)

    def drain(self) -> list[tuple[AnswerKind, int, int]]:
        rows = self.exchange.execution_port.answers()
        self.exchange.risk_port.answers()
        return [(AnswerKind(row["kind"]), int(row["order_id"]), int(row["qty_lots"])) for row in rows]

    def place(
        self, order_id: int, side: int, tick: int, lots: int, tif: Tif = Tif.ALO, /, **fields: int
    ) -> None:
        intent = np.zeros(1, INTENT)
        intent["kind"], intent["order_id"], intent["side"] = IntentKind.PLACE, order_id, side
        intent["px_tick"], intent["qty_lots"], intent["tif"] = tick, lots, tif
        for name, value in fields.items():
            intent[name] = value
        self.exchange.execution_port.send(intent)

    def cancel(self, order_id: int) -> None:
        intent = np.zeros(1, INTENT)
        intent["kind"], intent["order_id"] = IntentKind.CANCEL, order_id
        self.exchange.execution_port.send(intent)


def test_the_ports_are_order_ports() -> None:
    port: OrderPort = Venue().exchange.execution_port
    assert port.connected


def test_a_session_starts_with_its_reconciliation() -> None:
    exchange = ReplayExchange(CONFIG, Venue().instruments, VirtualClock(5), latency_settings(1, 1, 1), 3.0)
    exchange.advance(7)
    for port in (exchange.execution_port, exchange.risk_port):
        rows = port.answers()
        assert rows["kind"].tolist() == [AnswerKind.POSITION, AnswerKind.POSITION, AnswerKind.SYNCED]
        assert rows["symbol"].tolist() == [0, 1, SYMBOLS_MAX]
        assert rows["seq"].tolist() == [1, 2, 3]


def test_requests_and_answers_take_their_time() -> None:
    venue = Venue()
    venue.place(7, 1, 60_000_000, 10)
    venue.run_to(2099)
    assert venue.exchange.open_order_count() == 0
    venue.run_to(2100)
    assert venue.exchange.open_order_count() == 1
    venue.run_to(2129)
    assert venue.drain() == []
    venue.run_to(2130)
    assert venue.drain() == [(AnswerKind.RESTING, 7, 10)]
    assert venue.exchange.next_due_ns() == NEVER_NS


def test_data_between_sending_and_arrival_moves_the_market_first() -> None:
    venue = Venue()
    venue.place(7, 1, 60_000_500, 10)
    venue.at(2100, (EventKind.BBO, -1, 60_000_400, 1.0))
    venue.run_to(2500)
    rows = venue.exchange.execution_port.answers()
    assert rows["kind"].tolist() == [AnswerKind.REJECTED]
    assert rows["reason"].tolist() == [Reason.VENUE_WOULD_CROSS]


def test_a_batch_that_spans_an_arrival_equals_single_steps() -> None:
    trades = [(EventKind.TRADE, -1, 60_000_000, 0.6)] * 4
    stepped, batched = Venue(), Venue()
    for venue in (stepped, batched):
        venue.place(7, 1, 60_000_000, 1000)
    for number, trade in enumerate(trades):
        stepped.at(2080 + 10 * number, trade)
    rows = np.zeros(4, EVENT)
    rows["local_ts_ns"] = 2080 + 10 * np.arange(4)
    rows["exch_ts_ns"] = rows["local_ts_ns"] - 700
    rows["kind"], rows["side"], rows["px_tick"], rows["qty"] = EventKind.TRADE, -1, 60_000_000, 0.6
    rows["flags"] = EventFlag.LAST
    batched.exchange.on_events(rows)
    for venue in (stepped, batched):
        venue.run_to(9999)
    want, got = stepped.exchange.fills(), batched.exchange.fills()
    # Prints at 2080 to 2100 came before the order; only the last is behind it, and the queue takes it all.
    assert len(want) == 0
    assert want.tobytes() == got.tobytes()
    assert stepped.exchange._orders["ahead_qty"][0] == batched.exchange._orders["ahead_qty"][0] == 0.4


def test_both_sessions_see_the_same_fills_with_exact_money() -> None:
    venue = Venue()
    venue.place(7, 1, 60_000_000, 10)
    venue.run_to(2200)
    venue.drain()
    venue.at(3000, (EventKind.TRADE, -1, 59_999_000, 5.0))
    venue.run_to(3030)
    ours, risks = venue.exchange.execution_port.answers(), venue.exchange.risk_port.answers()
    assert ours.dtype == ANSWER
    for name in ("tid", "qty_lots", "fee_cash", "ts_ns"):
        assert np.array_equal(ours[name], risks[name])
    assert ours["kind"].tolist() == [AnswerKind.FILL]
    fill = ours[0]
    assert (fill["px_tick"], fill["qty_lots"], fill["maker_fill"]) == (60_000_000, 10, 1)
    assert (fill["exch_ts_ns"], fill["ts_ns"]) == (2300, 3030)
    # 0.010 at 60000 is 600 USDC; 1.5 bps of it are 0.09.
    assert venue.exchange.cash == -600 * 10**8
    assert fill["fee_cash"] == venue.exchange.fees_cash == 9_000_000
    assert venue.exchange.position_lots.tolist() == [10, 0]


def test_a_taker_pays_taker_fees_and_is_told_before_its_fills() -> None:
    venue = Venue()
    venue.place(7, 1, 60_001_000, 10, Tif.IOC)
    venue.place(8, 1, 60_001_000, 5000, Tif.IOC)
    venue.run_to(2500)
    assert venue.drain() == [
        (AnswerKind.FILLED, 7, 10),
        (AnswerKind.FILL, 7, 10),
        (AnswerKind.FILL, 8, 990),
        (AnswerKind.CANCELLED, 8, 4010),
    ]
    assert venue.exchange.fees_cash == round(60.001 * 1000 * 0.00045 * 10**8)


def test_cancel_and_what_came_before_it() -> None:
    venue = Venue()
    venue.place(7, 1, 60_000_000, 10)
    venue.run_to(2200)
    venue.cancel(7)
    venue.cancel(99)
    venue.run_to(2400)
    assert venue.drain()[1:] == [(AnswerKind.CANCELLED, 7, 10), (AnswerKind.CANCEL_REFUSED, 99, 0)]
    venue.cancel(7)
    venue.run_to(2600)
    assert venue.drain() == [(AnswerKind.CANCEL_REFUSED, 7, 0)]


def test_a_cancel_does_not_overtake_its_order() -> None:
    venue = Venue()
    venue.place(7, 1, 60_000_000, 10)
    venue.cancel(7)
    venue.run_to(2400)
    assert venue.drain() == [(AnswerKind.RESTING, 7, 10), (AnswerKind.CANCELLED, 7, 10)]


def test_queries_say_what_became_of_orders() -> None:
    venue = Venue()
    venue.place(1, 1, 60_000_000, 10)
    venue.place(2, 1, 60_001_000, 10, Tif.IOC)
    venue.place(3, 1, 60_001_000, 10)
    venue.place(4, 1, 60_000_000, 10)
    venue.cancel(4)
    venue.run_to(2400)
    venue.drain()
    venue.exchange.execution_port.query(np.array([1, 2, 3, 4, 5]))
    venue.run_to(2600)
    kinds = [kind for kind, _, _ in venue.drain()]
    want = "RESTING FILLED REJECTED CANCELLED NOT_FOUND"
    assert kinds == [AnswerKind[name] for name in want.split()]


def test_reconciliation_lists_orders_and_positions_then_synced() -> None:
    venue = Venue()
    venue.place(1, 1, 60_000_000, 10)
    venue.place(2, 1, 60_001_000, 10, Tif.IOC)
    venue.run_to(2400)
    venue.drain()
    venue.exchange.risk_port.reconcile()
    venue.run_to(2600)
    rows = venue.exchange.risk_port.answers()
    assert [AnswerKind(kind).name for kind in rows["kind"]] == [
        "OPEN_ORDER",
        "POSITION",
        "POSITION",
        "SYNCED",
    ]
    assert rows["qty_lots"].tolist() == [10, 10, 0, 0]
    assert len(venue.exchange.execution_port.answers()) == 0


def test_cancel_all_ends_every_order_for_both_sessions() -> None:
    venue = Venue()
    for order_id in (1, 2, 3):
        venue.place(order_id, 1, 60_000_000, 10)
    venue.run_to(2400)
    venue.drain()
    venue.exchange.risk_port.cancel_all()
    venue.run_to(2600)
    assert venue.exchange.open_order_count() == 0
    assert [kind for kind, _, _ in venue.drain()] == [AnswerKind.CANCELLED] * 3


@pytest.mark.parametrize(
    "fields",
    [
        {"px_tick": 0},
        {"qty_lots": 0},
        {"qty_lots": -5},
        {"side": 0},
        {"tif": 9},
        {"symbol": 2},
        {"reduce_only": 1},
        {"order_id": 50},
    ],
)
def test_what_no_venue_takes_is_refused(fields: dict[str, int]) -> None:
    venue = Venue()
    venue.place(50, 1, 60_000_000, 10)
    venue.place(7, 1, 60_000_000, 10, **fields)
    venue.run_to(2400)
    kinds = [kind for kind, _, _ in venue.drain()]
    assert kinds == [AnswerKind.RESTING, AnswerKind.REJECTED]
    assert venue.exchange.open_order_count() == 1


def test_small_orders_are_refused_unless_they_reduce() -> None:
    venue = Venue()
    venue.instruments["min_notional_cash"] = 61 * 10**8
    venue.place(1, 1, 60_001_000, 2, Tif.IOC)
    venue.place(2, 1, 60_001_000, 1, Tif.IOC)
    venue.place(3, -1, 60_000_000, 1, Tif.IOC, reduce_only=1)
    venue.run_to(2400)
    kinds = {order_id: kind for kind, order_id, _ in venue.drain() if kind != AnswerKind.FILL}
    assert kinds == {1: AnswerKind.FILLED, 2: AnswerKind.REJECTED, 3: AnswerKind.FILLED}


def test_the_same_orders_give_the_same_bytes() -> None:
    def run() -> bytes:
        venue = Venue()
        rng = np.random.default_rng(9)
        for step in range(200):
            venue.place(100 + step, int(rng.choice([1, -1])), 60_000_000 + int(rng.integers(0, 3)) * 500, 5)
            tick = 60_000_000 + int(rng.integers(-1, 3)) * 500
            venue.at(3000 + step * 100, (EventKind.TRADE, int(rng.choice([1, -1])), tick, 0.7))
        venue.run_to(10**6)
        fills = venue.exchange.fills()
        position = int((fills["side"] * fills["qty_lots"]).sum())
        assert position == venue.exchange.position_lots[0]
        cash = -sum(int(f["side"]) * int(f["px_tick"]) * int(f["qty_lots"]) * 100 for f in fills)
        assert cash == venue.exchange.cash
        assert len(np.unique(fills["tid"])) == len(fills) > 20
        return fills.tobytes()

    assert run() == run()
