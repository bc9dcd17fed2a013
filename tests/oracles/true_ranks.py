"""Our orders in the embedded exchange, which knows their exact place, and what a participant hears of it.

The exchange runs block by block. An order of ours rests on each side near the touch and is moved when the
market leaves it. Everything reaches us as late as a profile says: answers, market data, fills; and as on the
venue, the trades of a block come mostly after the best quotes that show what they took.
"""

import random
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import EventKind, ReportKind
from mmpipe.models.snapshot_engine import EVENTS_MAX, SnapshotEngine
from mmpipe.records import REPORT
from mmpipe.replay.timeline import timeline
from mmpipe.training import scenario_events as simulated
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.hyperliquid_signing import Signer, address_of
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.limits import Client
from mmpipe.venue.sim.market import NO_SLOT, ORDERS_MAX
from mmpipe.venue.sim.matching import best_tick
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.publisher import Publisher
from mmpipe.venue.sim.settings import VenueSettings, demo_agents, demo_keys
from mmpipe.venue.sim.wire import Envelope

LATE_SHARE: Final = 0.9  # of trades that come after the best quotes of their block, as recorded: 0.89 to 0.92
LATE_MEDIAN_S, LATE_SPREAD, LATE_S_MAX = (
    0.012,
    1.6,
    0.85,
)  # recorded: 11 to 15 ms, nine of ten below 73 to 126
REST_S: Final = 8.0  # then an order is moved, wherever it is
AWAY_STEPS: Final = 3
OWN_USDC: Final = 3_000.0

LOOK = np.dtype(
    [
        ("ts_ns", "i8"),  # of the SNAPSHOT
        ("order_id", "i8"),
        ("true_rank", "f8"),
        ("rank", "f8"),
        ("rank_std", "f8"),
        ("at_touch", "i8"),  # 1: the level is the best one
    ]
)


@dataclass
class _Order:
    order_id: int
    side: int
    tick: int
    lots: int
    oid: int = 0
    rested_s: float = 0.0
    leaving: bool = False


class RankedMarket:
    """One coin of a scenario, our two orders in it, and what a participant with a profile's delays hears.

    Attributes
    ----------
    events, reports : ndarray of EVENT, ndarray of REPORT
        In order of arrival; `ts_ns` of a report is when it came.
    truth : dict
        By order: rows of (block time ns, lots ahead, lots of the level, 1 at the touch).
    arrived : ndarray of int64, shape (blocks, 2)
        Time of a block, and when what it published is here.
    """

    def __init__(self, scenario: str, seed: int, seconds: float, profile: str = "hyperliquid") -> None:
        keys = demo_keys()
        self._master, self._signer = address_of(keys.master), Signer(keys.execution, False)
        settings = VenueSettings(
            host="127.0.0.1", port=0, scenario=scenario, seed=seed, coins=("ETH",), leads=("ETHUSDT",),
            profile=msgspec.structs.replace(load_profile(profile), limits=False), deposit_usdc=1e7,
            accounts=(self._master,), agents=demo_agents(),
        )  # fmt: skip
        self._exchange = Exchange(settings, 1)
        self._loop = simulated._MarketLoop()
        self._publisher = Publisher(self._exchange, lambda: self._loop)
        meta = msgspec.to_builtins(meta_of(self._exchange.state.coins, (0,)))
        self.instruments = parse_meta(meta, ["ETH"])
        self._ears = [_Ear(self, kinds, seed) for kinds in (simulated.QUICK, simulated.FULL)]
        self._orders: dict[int, _Order] = {}
        self._made = self._nonce = 0
        self._reports: list[np.ndarray] = []
        self.truth: dict[int, list[tuple[int, int, int, int]]] = {}
        self.arrived = np.zeros((0, 2), np.int64)
        self._run(seconds, settings.profile.block_ms)
        rows = np.concatenate([part for ear in self._ears for part in ear.parts])
        self.events = rows[np.argsort(rows["local_ts_ns"], kind="stable")]
        reports = np.concatenate(self._reports)
        self.reports = reports[np.argsort(reports["ts_ns"], kind="stable")]

    def now_ns(self) -> int:
        return simulated.START_MS * NS_PER_MS + round(self._loop.time() * NS_PER_S)

    def _run(self, seconds: float, block_ms: int) -> None:
        arrived, publisher, exchange = [], self._publisher, self._exchange
        publisher.begin_turns(0)
        for block in range(int(seconds * 1000) // block_ms):
            ts_ms = simulated.START_MS + block_ms * block
            self._loop.run_until(block * block_ms / 1000.0)
            if block > 50:
                self._act(ts_ms)
            publisher.controls.tick(ts_ms, attended=True)
            result = exchange.run_block(ts_ms)
            for done, answer in result.answers:
                done(answer)
            publisher.delivery.begin_block()
            publisher.publish(result)
            publisher.publish_slow((ts_ms - simulated.START_MS) * NS_PER_MS)
            due_s = publisher.delivery._due_s
            arrived.append((ts_ms * NS_PER_MS, simulated.START_MS * NS_PER_MS + round(due_s * NS_PER_S)))
            self._follow(ts_ms * NS_PER_MS, result.fills, due_s)
        self._loop.run_until(np.inf)
        self.arrived = np.array(arrived, np.int64)

    def _act(self, ts_ms: int) -> None:
        market, step = self._exchange.state.market, int(self.instruments["ticks_per_unit"][0]) // 10
        step = max(step, 1)
        for side in (1, -1):
            best = best_tick(market, 0, side)
            own = [order for order in self._orders.values() if order.side == side]
            if not own and best:
                self._place(side, best, ts_ms)
            elif own and own[0].oid and not own[0].leaving:
                old = self._loop.time() - own[0].rested_s > REST_S
                if old or side * (best - own[0].tick) > AWAY_STEPS * step:
                    own[0].leaving = True
                    action = {"type": "cancel", "cancels": [{"a": 0, "o": own[0].oid}]}
                    self._send(action, ts_ms, lambda answer, order=own[0]: self._gone(order))

    def _place(self, side: int, tick: int, ts_ms: int) -> None:
        px = tick * float(self.instruments["tick_px"][0])
        lots = max(round(OWN_USDC / px / float(self.instruments["lot_qty"][0])), 1)
        self._made += 1
        order = self._orders[self._made] = _Order(self._made, side, tick, lots)
        action = {"type": "order", "grouping": "na", "orders": [{
            "a": 0, "b": side > 0, "p": f"{px:.6f}".rstrip("0").rstrip("."),
            "s": f"{lots * float(self.instruments['lot_qty'][0]):.8f}".rstrip("0").rstrip("."), "r": False,
            "t": {"limit": {"tif": "Alo"}}}]}  # fmt: skip
        self._report(order, ReportKind.INTENT, lots)
        self._send(action, ts_ms, lambda answer: self._answered(order, answer))

    def _send(self, action: dict[str, Any], ts_ms: int, done: Any) -> None:
        self._nonce = max(self._nonce + 1, ts_ms)
        signature = self._signer.sign(action, self._nonce, None)
        envelope = Envelope(action, self._nonce, signature, None, None)
        refused = self._exchange.admit(envelope, ts_ms, done)
        assert refused is None, refused

    def _answered(self, order: _Order, answer: dict[str, Any]) -> None:
        status = answer["response"]["data"]["statuses"][0]
        if "resting" not in status:
            self._orders.pop(order.order_id, None)
            return
        order.oid, order.rested_s = status["resting"]["oid"], self._loop.time()
        self.truth[order.order_id] = []
        self._publisher.delivery.answer(lambda _: self._report(order, ReportKind.ACK, order.lots), answer)

    def _gone(self, order: _Order) -> None:
        self._orders.pop(order.order_id, None)
        self._publisher.delivery.answer(
            lambda _: self._report(order, ReportKind.CANCELLED, 0), {"status": "ok", "response": {}}
        )

    def _report(self, order: _Order, kind: ReportKind, lots: int) -> None:
        row = np.zeros(1, REPORT)
        row["kind"], row["side"], row["order_id"] = kind, order.side, order.order_id
        row["px_tick"], row["qty_lots"], row["ts_ns"] = order.tick, lots, self.now_ns()
        self._reports.append(row)

    def _follow(self, ts_ns: int, fills: np.ndarray, due_s: float) -> None:
        market = self._exchange.state.market
        by_oid = {order.oid: order for order in self._orders.values() if order.oid}
        for fill in fills:
            order = by_oid.get(int(fill["maker_oid"]))
            if order is not None:
                lots = int(fill["lots"])
                self._loop.call_at(due_s, self._report, order, ReportKind.FILL, lots)
        for order in by_oid.values():
            row = market.orders[order.oid % ORDERS_MAX]
            if row["oid"] != order.oid:
                self._orders.pop(order.order_id, None)
                continue
            ahead, slot = 0, int(row["prev"])
            while slot != NO_SLOT:
                ahead += int(market.orders["lots"][slot])
                slot = int(market.orders["prev"][slot])
            behind, slot = 0, int(row["next"])
            while slot != NO_SLOT:
                behind += int(market.orders["lots"][slot])
                slot = int(market.orders["next"][slot])
            at_touch = int(best_tick(market, 0, order.side) == order.tick)
            level = ahead + behind + int(row["lots"])
            self.truth[order.order_id].append((ts_ns, ahead, level, at_touch))


class _Ear(simulated._Ear):
    # A connection on which trades may come after what else their block published.
    def __init__(self, market: RankedMarket, kinds: tuple[dict[str, Any], ...], seed: int) -> None:
        super().__init__(HyperliquidDecoder(["ETH"], market.instruments), market._loop)
        self._chance = random.Random(seed)
        for kind in kinds:
            market._publisher.subscriptions.subscribe({**kind, "coin": "ETH"}, self, Client())

    def send(self, frame: bytes) -> None:
        if b'"channel":"trades"' in frame[:40] and self._chance.random() < LATE_SHARE:
            late_s = LATE_MEDIAN_S * self._chance.lognormvariate(0.0, LATE_SPREAD)
            self._loop.call_later(min(late_s, LATE_S_MAX), super().send, frame)
        else:
            super().send(frame)


def look(market: RankedMarket, config: Config) -> np.ndarray:
    """What SNAPSHOTs of TIMERs said of our rank, beside the truth of the newest block that had arrived.

    Returns
    -------
    ndarray of LOOK
    """
    engine = SnapshotEngine(config, market.instruments)
    events = np.concatenate(list(timeline([market.events], config.feed)))
    looks: list[tuple[Any, ...]] = []
    at = told = 0
    while at < len(events):
        stop = min(at + EVENTS_MAX, len(events))
        timers = np.flatnonzero(events["kind"][at:stop] == EventKind.TIMER)
        if len(timers):
            stop = at + int(timers[0]) + 1
        until_ns = int(market.reports["ts_ns"][told]) if told < len(market.reports) else 1 << 62
        stop = min(stop, max(int(np.searchsorted(events["local_ts_ns"], until_ns)), at))
        if stop == at:
            engine.on_reports(market.reports[told : told + 1])
            told += 1
            continue
        snapshots = engine.on_events(events[at:stop], 1)
        if events["kind"][stop - 1] == EventKind.TIMER:
            looks += _looks(market, engine, snapshots[-1])
        at = stop
    return np.array(looks, LOOK)


def _looks(market: RankedMarket, engine: SnapshotEngine, snapshot: np.void) -> list[tuple[Any, ...]]:
    ts_ns, rows = int(snapshot["ts_ns"]), []
    block_ns = market.arrived[max(int(np.searchsorted(market.arrived[:, 1], ts_ns, "right")) - 1, 0), 0]
    for index, side in enumerate(("bid", "ask")):
        order_id = int(engine._state[0]["queues"][index]["order_id"])
        known = [row for row in market.truth.get(order_id, ()) if row[0] == block_ns]
        rank = float(snapshot[f"{side}_queue_rank"])
        if known and rank >= 0.0:
            _, ahead, level, at_touch = known[0]
            std = float(snapshot[f"{side}_queue_rank_std"])
            rows.append((ts_ns, order_id, ahead / level, rank, std, at_touch))
    return rows
