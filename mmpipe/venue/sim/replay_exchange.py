"""The recorded market as an exchange on a virtual clock: the order port of a replay, twice.

Execution and risk each get a port of their own; every fill, acknowledgement and cancel reaches both, as on
a venue where two sessions watch one account. Requests reach the market after the latency of their kind,
answers return after another, and neither way lets a later message overtake an earlier one. The rules of
matching are kernels (`recorded_market.py`); here are sessions, money and the statuses of orders.
"""

import asyncio
import heapq
from typing import Any, Final

import numpy as np

from mmpipe.clock import Clock
from mmpipe.config import Config
from mmpipe.enums import AnswerKind, IntentKind, OrderStatus, Reason, Side, Tif
from mmpipe.records import ANSWER, SYMBOLS_MAX
from mmpipe.units import CASH_PER_TICK_LOT
from mmpipe.venue.sim.latency_model import due_ns
from mmpipe.venue.sim.queue_models import MARKET, new_orders
from mmpipe.venue.sim.recorded_book import new_book
from mmpipe.venue.sim.recorded_market import (
    FILLED,
    FILLS_MAX,
    NO_LIQUIDITY,
    PART_FILLED,
    RESTED,
    WOULD_CROSS,
    apply_events,
    place_order,
)

NEVER_NS: Final = 1 << 62
FEE_SCALE: Final = 10_000_000_000  # a fee of 1 bps is 1e6 of these: fees are exact to 1e-6 bps


class ReplayPort:
    """One session at the replay's exchange; the protocol is `mmpipe.venue.port.OrderPort`.

    Attributes
    ----------
    connected : bool
        Always true: a recording has no second session to lose.
    requests_sent : int
        Requests since the start.
    """

    def __init__(self, exchange: "ReplayExchange") -> None:
        self.connected = True
        self.requests_sent = 0
        self._exchange = exchange
        self._answers: list[np.ndarray] = []
        self._seq = 0

    def send(self, intents: np.ndarray) -> None:
        """Send PLACE and CANCEL INTENT rows on their way."""
        for index in range(len(intents)):
            place = intents[index]["kind"] == IntentKind.PLACE
            self._request("place" if place else "cancel", intents[index : index + 1].copy())

    def query(self, order_ids: np.ndarray) -> None:
        """Ask what became of orders."""
        self._request("query", np.array(order_ids, np.int64))

    def reconcile(self) -> None:
        """Ask for open orders and positions, followed by SYNCED."""
        self._request("reconcile", np.zeros(0, np.int64))

    def cancel_all(self) -> None:
        """Cancel every open order of the account."""
        self._request("cancel_all", np.zeros(0, np.int64))

    def answers(self) -> np.ndarray:
        """ANSWER rows received since the last call, in order of arrival."""
        if not self._answers:
            return np.zeros(0, ANSWER)
        rows = np.concatenate(self._answers)
        self._answers.clear()
        return rows

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the end: nothing runs beside the virtual clock."""
        await stop.wait()

    def receive(self, row: np.ndarray) -> None:
        """Take one ANSWER row that arrived."""
        self._seq += 1
        row["seq"] = self._seq
        self._answers.append(row)

    def _request(self, kind: str, content: np.ndarray) -> None:
        self.requests_sent += 1
        self._exchange.submit(self, kind, content)


class ReplayExchange:
    """Own orders against a recorded market.

    Parameters
    ----------
    config : Config
        Fees.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol, indexed by symbol.
    clock : Clock
        The replay's virtual clock; read when a request is sent.
    latency : ndarray of LATENCY, shape (1,)
        Times to the market and back.
    queue_power : float
        Exponent of the queue model, > 0; 3 is customary.

    Attributes
    ----------
    execution_port, risk_port : ReplayPort
        The two sessions.
    position_lots : ndarray of int64, shape (symbols,)
        Signed positions at the venue.
    cash, fees_cash : int
        Cash paid in and out for fills, fees left aside; fees paid.
    """

    def __init__(
        self, config: Config, instruments: np.ndarray, clock: Clock, latency: np.ndarray, queue_power: float
    ) -> None:
        assert queue_power > 0.0, "the queue model's exponent is positive"
        self.execution_port, self.risk_port = ReplayPort(self), ReplayPort(self)
        self._ports = (self.execution_port, self.risk_port)
        self._clock = clock
        self._instruments = instruments
        self._lot_qty = instruments["lot_qty"].astype(np.float64)
        self._latency = {name: int(latency[0][name]) for name in ("place_ns", "cancel_ns", "answer_ns")}
        self._levels, self._sides = new_book(len(instruments))
        self._orders = new_orders()
        self.position_lots = np.zeros(len(instruments), np.int64)
        self._market = np.zeros(1, MARKET)
        self._market["queue_power"] = queue_power
        self._fill_rows = np.zeros(FILLS_MAX, ANSWER)
        execution = config.execution
        self._fee_rates = tuple(
            round(bps * FEE_SCALE / 10_000) for bps in (execution.taker_fee_bps, execution.maker_fee_bps)
        )
        self.cash = self.fees_cash = 0
        self._fills: list[np.ndarray] = []
        self._status: dict[int, OrderStatus] = {}
        self._oid = 0
        self._now_ns = 0
        self._exch_offset_ns = 0
        self._serial = 0
        self._requests: list[tuple[int, int, ReplayPort, str, np.ndarray]] = []
        self._on_the_way: list[tuple[int, int, tuple[ReplayPort, ...], np.ndarray]] = []
        self._last_request_ns = dict.fromkeys(self._ports, 0)
        self._last_answer_ns = 0
        for port in self._ports:
            port.reconcile()

    def on_events(self, rows: np.ndarray) -> None:
        """Let the recorded market move; requests that arrive between two rows are matched between them.

        Parameters
        ----------
        rows : ndarray of EVENT, shape (n,)
            In order of `local_ts_ns`; data at the time a request arrives comes before it.
        """
        start = 0
        times = rows["local_ts_ns"]
        while start < len(rows):
            due = self._requests[0][0] if self._requests else NEVER_NS
            stop = int(np.searchsorted(times, due, side="right"))
            if stop > start:
                self._apply(rows[start:stop])
                start = stop
            if start < len(rows) and self._requests:
                self._handle_requests(int(times[start]) - 1)

    def advance(self, now_ns: int) -> None:
        """Match requests and deliver answers that are due by `now_ns`."""
        self._now_ns = max(self._now_ns, now_ns)
        self._handle_requests(now_ns)
        while self._on_the_way and self._on_the_way[0][0] <= now_ns:
            _, _, ports, row = heapq.heappop(self._on_the_way)
            for port in ports:
                port.receive(row.copy())

    def next_due_ns(self) -> int:
        """When the next request or answer arrives; NEVER_NS when none is on its way."""
        return min(queue[0][0] if queue else NEVER_NS for queue in (self._requests, self._on_the_way))

    def fills(self) -> np.ndarray:
        """All FILL rows so far, in order of matching."""
        return np.concatenate(self._fills) if self._fills else np.zeros(0, ANSWER)

    def open_order_count(self) -> int:
        """Orders that rest now."""
        return int(self._orders["live"].sum())

    def submit(self, port: ReplayPort, kind: str, content: np.ndarray) -> None:
        """Put a request of one session on its way."""
        latency = self._latency["place_ns" if kind == "place" else "cancel_ns"]
        due = due_ns(self._clock.now_ns(), latency, self._last_request_ns[port])
        self._last_request_ns[port] = due
        self._serial += 1
        heapq.heappush(self._requests, (due, self._serial, port, kind, content))

    def _apply(self, rows: np.ndarray) -> None:
        start = 0
        while start < len(rows):
            start = apply_events(rows, start, *self._state())
            self._book_fills()
        newest = rows[-1]
        self._now_ns = max(self._now_ns, int(newest["local_ts_ns"]))
        if newest["exch_ts_ns"] > 0:
            self._exch_offset_ns = int(newest["exch_ts_ns"]) - int(newest["local_ts_ns"])

    def _state(self) -> tuple[np.ndarray, ...]:
        state = (self._levels, self._sides, self._orders, self.position_lots)
        return (*state, self._lot_qty, self._market, self._fill_rows)

    def _handle_requests(self, now_ns: int) -> None:
        handlers = {
            "place": self._place,
            "cancel": self._cancel,
            "query": self._query,
            "reconcile": self._reconcile,
            "cancel_all": self._cancel_all,
        }
        while self._requests and self._requests[0][0] <= now_ns:
            due, _, port, kind, content = heapq.heappop(self._requests)
            handlers[kind](port, content, due)

    def _place(self, _: ReplayPort, intent: np.ndarray, at_ns: int) -> None:
        order_id, lots = int(intent["order_id"][0]), int(intent["qty_lots"][0])
        reason = self._refusal(intent[0])
        if reason is not Reason.NONE:
            self._status.setdefault(order_id, OrderStatus.REJECTED)
            self._answer(at_ns, AnswerKind.REJECTED, intent[0], lots, reason)
            return
        self._oid += 1
        intent["oid"] = self._oid
        first = self._fill_rows[0]
        first["ts_ns"], first["exch_ts_ns"] = at_ns, at_ns + self._exch_offset_ns
        free = int(np.argmin(self._orders["live"]))
        outcome = place_order(intent, free, *self._state())
        filled = int(self._fill_rows["qty_lots"][: int(self._market["fills"][0])].sum())
        kind, status, reason = {
            RESTED: (AnswerKind.RESTING, OrderStatus.RESTING, Reason.NONE),
            FILLED: (AnswerKind.FILLED, OrderStatus.FILLED, Reason.NONE),
            PART_FILLED: (AnswerKind.CANCELLED, OrderStatus.CANCELLED, Reason.NONE),
            WOULD_CROSS: (AnswerKind.REJECTED, OrderStatus.REJECTED, Reason.VENUE_WOULD_CROSS),
            NO_LIQUIDITY: (AnswerKind.REJECTED, OrderStatus.REJECTED, Reason.VENUE_REJECT),
        }[outcome]
        self._status[order_id] = status
        # The fills of a cut-off order go first, so that its end never hides them.
        if outcome == PART_FILLED:
            self._book_fills()
        # As on the wire: FILLED tells what was executed, every other answer what is left.
        self._answer(at_ns, kind, intent[0], filled if outcome == FILLED else lots - filled, reason)
        self._book_fills()

    def _refusal(self, intent: np.void) -> Reason:
        symbol, tick, lots = int(intent["symbol"]), int(intent["px_tick"]), int(intent["qty_lots"])
        if not symbol < len(self._instruments) or int(intent["order_id"]) in self._status:
            return Reason.VENUE_REJECT
        instrument = self._instruments[symbol]
        sound = tick > 0 and lots > 0 and int(intent["side"]) in (Side.BUY, Side.SELL)
        sound = sound and int(intent["tif"]) in set(Tif) and not self._orders["live"].all()
        # Any whole tick is a price here: the recorded market's own grid may be finer than Hyperliquid's.
        if not sound:
            return Reason.VENUE_REJECT
        position = int(self.position_lots[symbol])
        if intent["reduce_only"] and not position * int(intent["side"]) < 0:
            return Reason.VENUE_REJECT
        small = tick * lots * CASH_PER_TICK_LOT < int(instrument["min_notional_cash"])
        return Reason.VENUE_REJECT if small and not intent["reduce_only"] else Reason.NONE

    def _cancel(self, _: ReplayPort, intent: np.ndarray, at_ns: int) -> None:
        orders = self._orders
        named = (orders["order_id"] == intent["order_id"]) & (intent["order_id"] != 0)
        named |= (orders["oid"] == intent["oid"]) & (intent["oid"] != 0)
        found = np.flatnonzero((orders["live"] == 1) & named)
        if found.size:
            self._end(int(found[0]), at_ns)
        else:
            self._answer(at_ns, AnswerKind.CANCEL_REFUSED, intent[0], 0, Reason.VENUE_GONE)

    def _cancel_all(self, _: ReplayPort, content: np.ndarray, at_ns: int) -> None:
        for index in np.flatnonzero(self._orders["live"]):
            self._end(int(index), at_ns)

    def _end(self, index: int, at_ns: int) -> None:
        order = self._orders[index]
        order["live"] = 0
        self._status[int(order["order_id"])] = OrderStatus.CANCELLED
        self._answer_order(at_ns, AnswerKind.CANCELLED, order, self._ports)

    def _query(self, port: ReplayPort, order_ids: np.ndarray, at_ns: int) -> None:
        kinds = {
            OrderStatus.RESTING: AnswerKind.RESTING,
            OrderStatus.FILLED: AnswerKind.FILLED,
            OrderStatus.CANCELLED: AnswerKind.CANCELLED,
            OrderStatus.REJECTED: AnswerKind.REJECTED,
        }
        for order_id in order_ids.tolist():
            live = np.flatnonzero((self._orders["live"] == 1) & (self._orders["order_id"] == order_id))
            if live.size:
                self._answer_order(at_ns, AnswerKind.RESTING, self._orders[live[0]], (port,))
                continue
            row = np.zeros(1, ANSWER)
            row["kind"], row["order_id"] = AnswerKind.NOT_FOUND, order_id
            if order_id in self._status:
                row["kind"] = kinds[self._status[order_id]]
            self._post(at_ns, row, (port,))

    def _reconcile(self, port: ReplayPort, _: np.ndarray, at_ns: int) -> None:
        for index in np.flatnonzero(self._orders["live"]):
            self._answer_order(at_ns, AnswerKind.OPEN_ORDER, self._orders[index], (port,))
        for symbol, lots in enumerate(self.position_lots.tolist()):
            row = np.zeros(1, ANSWER)
            row["kind"], row["symbol"], row["qty_lots"] = AnswerKind.POSITION, symbol, lots
            self._post(at_ns, row, (port,))
        row = np.zeros(1, ANSWER)
        row["kind"], row["symbol"] = AnswerKind.SYNCED, SYMBOLS_MAX
        self._post(at_ns, row, (port,))

    def _book_fills(self) -> None:
        # Money for the fills the kernels just wrote, and their way to both sessions.
        count = int(self._market["fills"][0])
        self._market["fills"] = 0
        for index in range(count):
            row = self._fill_rows[index : index + 1].copy()
            notional = int(row["px_tick"][0]) * int(row["qty_lots"][0]) * CASH_PER_TICK_LOT
            scaled = notional * self._fee_rates[int(row["maker_fill"][0])]
            fee = (2 * scaled + FEE_SCALE) // (2 * FEE_SCALE)
            row["fee_cash"] = fee
            self.cash -= int(row["side"][0]) * notional
            self.fees_cash += fee
            self._fills.append(row)
            order_id = int(row["order_id"][0])
            resting = (self._orders["live"] == 1) & (self._orders["order_id"] == order_id)
            if self._status.get(order_id) is OrderStatus.RESTING and not resting.any():
                self._status[order_id] = OrderStatus.FILLED
            self._post(int(row["ts_ns"][0]), row.copy(), self._ports)

    def _answer(self, at_ns: int, kind: AnswerKind, intent: np.void, lots: int, reason: Reason) -> None:
        row = np.zeros(1, ANSWER)
        for name in ("order_id", "oid", "symbol", "side", "px_tick"):
            row[name] = intent[name]
        row["kind"], row["qty_lots"], row["reason"] = kind, lots, reason
        self._post(at_ns, row, self._ports)

    def _answer_order(
        self, at_ns: int, kind: AnswerKind, order: np.void, ports: tuple[ReplayPort, ...]
    ) -> None:
        row = np.zeros(1, ANSWER)
        for name in ("order_id", "oid", "symbol", "side"):
            row[name] = order[name]
        row["kind"], row["px_tick"] = kind, order["side"] * order["key"]
        row["qty_lots"] = order["leaves_lots"]
        self._post(at_ns, row, ports)

    def _post(self, at_ns: int, row: np.ndarray, ports: tuple[ReplayPort, ...]) -> None:
        due = due_ns(at_ns, self._latency["answer_ns"], self._last_answer_ns)
        self._last_answer_ns = due
        if not row["exch_ts_ns"][0]:
            row["exch_ts_ns"] = at_ns + self._exch_offset_ns
        row["ts_ns"] = due
        self._serial += 1
        entry: tuple[int, int, tuple[ReplayPort, ...], Any] = (due, self._serial, ports, row)
        heapq.heappush(self._on_the_way, entry)
