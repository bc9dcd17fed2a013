"""What a stage works, without waiting: frames decoded, engines called, one event at a time.

The market is the embedded exchange's, taken off its sockets as feed takes it; the executor quotes, and its
orders are acknowledged by hand, so that every decision has something to compare with.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numba.core.runtime import _nrt_python, rtsys

from bench import harness
from mmpipe import config as configuration
from mmpipe.alpha.forecast_engine import ForecastEngine, forecast_all
from mmpipe.clock import MonotonicClock
from mmpipe.config import Config
from mmpipe.enums import AnswerKind, EventFlag, EventKind, FeedState, IntentKind, StageId, Venue
from mmpipe.execution.decision import decide
from mmpipe.execution.executor import Executor
from mmpipe.models.snapshot_engine import SnapshotEngine, drain
from mmpipe.records import ANSWER, EVENT, SYMBOLS_MAX
from mmpipe.venue.port import FRAME_ROWS_MAX
from ringbuf.jit import SOURCE_DIGEST, kernel
from stages.context import Context
from stages.feed_links import FeedLink, feed_links
from stages.preflight import venue_instruments

ROOT = Path(__file__).resolve().parent.parent
CAPTURE_S = 8.0
TIMER_NS = 100_000_000
FAR_NS = 1 << 62
WARM_UP = 200
ALLOCATION_ROUNDS = 20_000


@dataclass
class Capture:
    """Frames of a few seconds, in order of arrival, and the market they describe."""

    config: Config
    instruments: np.ndarray
    frames: list[tuple[FeedLink, bytes, int]]


def capture() -> Capture:
    """Start the embedded exchange, listen as feed does, stop it."""
    config = configuration.load(ROOT / "pipeline.toml")
    command = [
        sys.executable,
        "-m",
        "mmpipe.cli",
        "venue",
        "--config",
        str(ROOT / "pipeline.toml"),
        "--port",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as venue:
        try:
            assert venue.stdout is not None
            url = venue.stdout.readline().split()[0]
            instruments = venue_instruments(config, url)
            frames: list[tuple[FeedLink, bytes, int]] = []

            def take(link: FeedLink, frame: bytes, ts_ns: int) -> bool:
                frames.append((link, frame, ts_ns))
                return True

            context = _context(config, instruments, url)
            links = feed_links(context, MonotonicClock(), take, lambda link, state: None)
            asyncio.run(_listen(links))
        finally:
            venue.terminate()
    return Capture(config, instruments, frames)


def _context(config: Config, instruments: np.ndarray, url: str) -> Context:
    websocket = "ws" + url.removeprefix("http")
    return Context(
        config_tree=msgspec.to_builtins(config),
        instruments_hex=instruments.tobytes().hex(),
        venue_url=url,
        feed_url=url,
        lead_public_url=f"{websocket}/public/stream",
        lead_market_url=f"{websocket}/market/stream",
        lead_rest_url="",
        execution_key_hex="",
        risk_key_hex="",
        account="",
        run_dir="",
        runtime_dir="",
        started_wall_ns=0,
        digest=SOURCE_DIGEST,
    )


async def _listen(links: list[FeedLink]) -> None:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(link.connection.run(stop)) for link in links]
    await asyncio.sleep(CAPTURE_S)
    stop.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def decode_frames(market: Capture) -> tuple[dict[str, list[float]], list[np.ndarray]]:
    """Decode every frame; µs by channel, and the messages as EVENT rows."""
    times_us: dict[str, list[float]] = defaultdict(list)
    messages, rows = [], np.zeros(FRAME_ROWS_MAX, EVENT)
    for link, frame, ts_ns in market.frames:
        begin_ns = time.perf_counter_ns()
        count = link.decoder.decode(frame, ts_ns, rows)
        elapsed_us = (time.perf_counter_ns() - begin_ns) / 1e3
        if count:
            times_us[_channel(frame)].append(elapsed_us)
            messages.append(rows[:count].copy())
    return times_us, messages


def _channel(frame: bytes) -> str:
    for name in (b"l2Book", b"bbo", b"trades", b"activeAssetCtx", b"bookTicker", b"aggTrade"):
        if name in frame[:80]:
            return name.decode()
    return "other"


class Decisions:
    """EVENT to order intent in one process: the engines of features, alpha and execution in a row."""

    def __init__(self, market: Capture) -> None:
        self.features = SnapshotEngine(market.config, market.instruments)
        self.alpha = ForecastEngine(market.config, market.instruments)
        self.execution = Executor(market.config, market.instruments, 1)
        self.orders = 0
        self.decisions = 0
        self.sent: list[np.ndarray] = []
        self._seq = 0
        self.execution.on_gate(False, FAR_NS)
        self.answer(AnswerKind.SYNCED, np.zeros(1, ANSWER), 1)

    def answer(self, kind: AnswerKind, rows: np.ndarray, now_ns: int) -> None:
        """Tell the executor what a venue would."""
        rows["kind"] = int(kind)
        if kind == AnswerKind.SYNCED:
            rows["symbol"] = SYMBOLS_MAX
        self.execution.on_answers(rows, now_ns)

    def take(self, message: np.ndarray) -> tuple[float, float, float] | None:
        """One message through all three; µs each, or None if it led to no decision."""
        message["seq"] = np.arange(self._seq + 1, self._seq + 1 + len(message))
        self._seq += len(message)
        now_ns = int(message["local_ts_ns"][0])
        begin_ns = time.perf_counter_ns()
        snapshots = self.features.on_events(message, 1)
        features_ns = time.perf_counter_ns()
        if len(snapshots) != 1:
            return None
        forecasts = self.alpha.on_snapshots(snapshots)
        alpha_ns = time.perf_counter_ns()
        self.execution.on_forecast(forecasts, now_ns)
        intents = self.execution.intents()
        end_ns = time.perf_counter_ns()
        self.decisions += 1
        self._acknowledge(intents, now_ns)
        self.execution.reports(), self.execution.fill_contexts()
        return (features_ns - begin_ns) / 1e3, (alpha_ns - features_ns) / 1e3, (end_ns - alpha_ns) / 1e3

    def _acknowledge(self, intents: np.ndarray, now_ns: int) -> None:
        self.orders += len(intents)
        self.sent.append(intents)
        for intent in intents:
            row = np.zeros(1, ANSWER)
            for name in ("order_id", "px_tick", "qty_lots", "side", "symbol"):
                row[name] = intent[name]
            row["ts_ns"], row["oid"] = now_ns, int(intent["order_id"])
            placed = int(intent["kind"]) == int(IntentKind.PLACE)
            self.answer(AnswerKind.RESTING if placed else AnswerKind.CANCELLED, row, now_ns)


def decisions(market: Capture, messages: list[np.ndarray], rounds: int) -> dict[str, dict[str, Any]]:
    """Median over the rounds of p50 and p99 of each engine and of their sum, µs."""
    names = ("features", "alpha", "execution", "event_to_intent")
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(rounds):
        path = Decisions(market)
        times = [path.take(message) for message in with_timers(messages, len(market.instruments))]
        table = np.array([row for row in times if row is not None][WARM_UP:])
        if path.orders == 0 or path.decisions < WARM_UP * 2:
            raise RuntimeError(f"{path.decisions} decisions, {path.orders} orders: the market did nothing")
        for column, name in enumerate(names[:3]):
            results[name].append(harness.percentiles(table[:, column], "us"))
        results["event_to_intent"].append(harness.percentiles(table.sum(axis=1), "us"))
    return {name: harness.median_over_rounds(values) for name, values in results.items()}


def with_timers(messages: list[np.ndarray], symbols: int) -> list[np.ndarray]:
    """What feed adds: each stream is live, and a TIMER every 100 ms."""
    begin_ns = int(messages[0]["local_ts_ns"][0])
    made = [
        own_event(EventKind.STATUS, begin_ns, venue, symbol) for venue in Venue for symbol in range(symbols)
    ]
    next_ns = begin_ns
    for message in messages:
        while int(message["local_ts_ns"][0]) >= next_ns:
            made.append(own_event(EventKind.TIMER, next_ns, Venue.MAKER, 0))
            next_ns += TIMER_NS
        made.append(message.copy())
    return made


def own_event(kind: EventKind, ts_ns: int, venue: Venue, symbol: int) -> np.ndarray:
    row = np.zeros(1, EVENT)
    row["kind"], row["local_ts_ns"], row["venue"] = int(kind), ts_ns, int(venue)
    row["symbol"], row["level"], row["flags"] = symbol, int(FeedState.LIVE), int(EventFlag.LAST)
    return row


@kernel
def loop_features(arguments: Any, rounds: int) -> None:
    """The features kernel again and again on the same message."""
    for _ in range(rounds):
        drain(*arguments)


@kernel
def loop_alpha(arguments: Any, rounds: int) -> None:
    """The alpha kernel again and again."""
    for _ in range(rounds):
        forecast_all(*arguments)


@kernel
def loop_execution(arguments: Any, counts: np.ndarray, rounds: int) -> None:
    """The decision again and again; what it makes is thrown away."""
    for _ in range(rounds):
        decide(*arguments)
        counts[:] = 0


def allocations(market: Capture, messages: list[np.ndarray]) -> dict[str, int]:
    """Heap blocks that each engine's kernel took in many calls, 0 if it allocates nothing."""
    path = Decisions(market)
    for message in with_timers(messages, len(market.instruments)):
        path.take(message)
    features, alpha, execution = path.features, path.alpha, path.execution
    snapshots = features.on_events(messages[-1], 1)
    forecasts = alpha.on_snapshots(features._snapshots[:1])
    out = execution._out
    loops = {
        StageId.FEATURES: lambda n: loop_features(features._arguments(messages[-1], 1), n),
        StageId.ALPHA: lambda n: loop_alpha((features._snapshots[:1], *alpha._rest), n),
        StageId.EXECUTION: lambda n: loop_execution(
            (forecasts, execution._ledger, execution._desk, 0, 0, FAR_NS - 1, out), out["counts"][0], n
        ),
    }
    _nrt_python.memsys_enable_stats()
    taken = {}
    for stage, loop in loops.items():
        loop(1)
        # The call itself wraps its arguments; what is left of the difference was taken in the loop.
        once, often = _taken(loop, 1), _taken(loop, ALLOCATION_ROUNDS)
        taken[stage.name.lower()] = often - once
    _nrt_python.memsys_disable_stats()
    assert len(snapshots) <= 1
    return taken


def _taken(loop: Any, rounds: int) -> int:
    before = rtsys.get_allocation_stats().alloc
    loop(rounds)
    return int(rtsys.get_allocation_stats().alloc - before)
