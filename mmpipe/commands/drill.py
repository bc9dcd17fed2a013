"""`mmpipe drill feed`: a line whose feed hears the embedded venue through a proxy that gets things wrong."""

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import websockets
from rich.console import Console

from mmpipe import config as configuration
from mmpipe import interrupts
from mmpipe.clock import MonotonicClock
from mmpipe.dashboard.feed_faults import ASKED_BOOK, ASKED_DEPTH, REFUSED, FaultScript
from mmpipe.dashboard.feed_witness import FeedWitness, Truth
from mmpipe.dashboard.status import LineReader
from mmpipe.enums import Counter, FeedState, StageId, StreamKind, Venue
from mmpipe.errors import AcceptanceError, DeadlineError
from mmpipe.provenance import provenance
from mmpipe.records import FORECAST, REPORT
from mmpipe.venue.proxy import ChaosProxy
from mmpipe.venue.proxy_faults import Fault
from ringbuf import Observer, Segment
from ringbuf.layout import KIND_RING
from stages import topology
from stages.supervisor import Supervisor

LOOK_INTERVAL_S: Final = 0.01
LEARN_S: Final = 8.0  # of undisturbed market, in which cadences are learned
SETTLE_S: Final = 4.0  # after the last fault
STRIKE_TIMEOUT_S: Final = 30.0
CONNECTS_PER_MIN: Final = 100  # a drill resets more connections than a venue would forgive
COUNTED: Final = (
    Counter.MISSED, Counter.GAPS, Counter.DUPLICATES, Counter.OUT_OF_ORDER, Counter.LATE, Counter.RECONNECTS,
)  # fmt: skip


class DrillOptions(NamedTuple):
    """The command line of `mmpipe drill feed`."""

    config: Path
    instance: str
    duration_s: float
    seed: int
    scenario: str
    json: Path | None


def drill_feed(options: DrillOptions) -> None:
    """Run the drill and print what was injected and what was seen.

    Raises
    ------
    Interrupted
        A signal came; the line is stopped, nothing is judged.
    AcceptanceError
        A quote stood on an old touch, a book was wrong, or a fault was not seen for what it was.
    """
    overrides: dict[str, Any] = {
        "instance.name": options.instance, "venue.port": 0, "venue.seed": options.seed,
        "feed.connects_per_min_max": CONNECTS_PER_MIN,
    }  # fmt: skip
    if options.scenario:
        overrides["venue.scenario"] = options.scenario
    config = configuration.load(options.config, overrides)
    console = Console(stderr=True)
    network = _Network([symbol.coin for symbol in config.symbol], options.seed)
    supervisor = Supervisor(config, network.reroute)
    script = FaultScript(config.symbol, options.seed)
    console.print(f"drill: starting '{options.instance}', feed behind a proxy …")
    supervisor.start()
    try:
        prefix = topology.segment_prefix(options.instance)
        forecasts = Observer(Segment.attach(prefix + "forecast", FORECAST, KIND_RING))
        reports = Observer(Segment.attach(prefix + "report_risk", REPORT, KIND_RING))
        witness = FeedWitness(forecasts, reports, network.truth)
        reader = LineReader(supervisor.context)
        _pass(LEARN_S, supervisor, witness)
        before, since_ms = _seen(reader), network.truth.newest_ms
        end_s = time.monotonic() + options.duration_s
        while time.monotonic() < end_s:
            _inject(script, network, supervisor, witness)
        _pass(SETTLE_S, supervisor, witness)
        seen = {name: count - before[name] for name, count in _seen(reader).items()}
        own = {"MISSED": network.truth.beats_left_out(since_ms), "LATE": seen["LATE"]}
        states = reader.status()["symbols"]
    finally:
        supervisor.stop_quoting()
        supervisor.stop()
        network.close()
    witness.judge_books()
    case = _case(script, network, witness, seen, own, states)
    if options.json is not None:
        report = {"schema": "drill/1", **provenance(), "seed": options.seed, "cases": {"feed": case}}
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _report(case, console)
    if not case["ok"]:
        raise AcceptanceError("drill feed: " + "; ".join(case["failures"]))


def _inject(script: FaultScript, network: "_Network", supervisor: Supervisor, witness: FeedWitness) -> None:
    fault, rest_s = script.deal()
    network.schedule(fault)
    deadline_s = time.monotonic() + STRIKE_TIMEOUT_S
    while not network.idle():
        if time.monotonic() > deadline_s:
            raise DeadlineError(f"drill: no frame for {fault} within {STRIKE_TIMEOUT_S:.0f} s")
        _pass(LOOK_INTERVAL_S, supervisor, witness)
    _pass(rest_s, supervisor, witness)


def _pass(seconds: float, supervisor: Supervisor, witness: FeedWitness) -> None:
    end_s = time.monotonic() + seconds
    while True:
        interrupts.check()  # the line is up: signals are noted, and the drill stops it in order
        witness.look()
        if not supervisor.watch(LOOK_INTERVAL_S):
            raise DeadlineError(f"drill: the line was stopped: {supervisor.halt_reason}")
        if time.monotonic() >= end_s:
            return


def _seen(reader: LineReader) -> dict[str, int]:
    counters = reader.counters()[StageId.FEED]
    seen = {counter.name: int(counters[counter]) for counter in COUNTED}
    seen["REFUSED"] = int(sum(counters[counter] for counter in REFUSED))
    boards = [reader.cell(f"feed_board.{index}").copy() for index in range(len(reader.config.symbol))]
    for name, venue, kind in (
        (ASKED_BOOK, Venue.MAKER, StreamKind.BOOK_FAST),
        (ASKED_DEPTH, Venue.LEAD, StreamKind.DEPTH),
    ):
        seen[name] = int(np.sum([board["stream_asked"][venue, kind] for board in boards]))
    return seen


def _case(
    script: FaultScript,
    network: "_Network",
    witness: FeedWitness,
    seen: dict[str, int],
    own: dict[str, int],
    states: dict[str, Any],
) -> dict[str, Any]:
    failures = []
    if witness.old_quotes:
        failures.append(f"{witness.old_quotes} of {witness.quotes} quotes on a touch older than its contract")
    if witness.wrong_books:
        failures.append(f"{witness.wrong_books} of {witness.books} books are not the venue's")
    for name, count in seen.items():
        # A busy machine makes the venue leave out beats, and messages late, by itself: these may add up.
        injected = script.expected[name]
        if not injected <= count <= injected + own.get(name, 0):
            failures.append(f"{name}: {injected} injected, {count} seen")
    dead = [
        f"{coin} {venue}" for coin, symbol in states.items() for venue, feed in symbol["feeds"].items()
        if feed["state"] != FeedState.LIVE.name.lower()
    ]  # fmt: skip
    if dead:
        failures.append(f"not live at the end: {', '.join(dead)}")
    if not witness.quotes or not witness.books:
        failures.append("nothing was quoted or no book was seen: the drill proved nothing")
    return {
        "injected": {
            f"{kind} {stream}": count for (kind, stream), count in sorted(network.injected().items())
        },
        "counts": {
            name: {"injected": script.expected[name], "seen": count, "own_at_most": own.get(name, 0)}
            for name, count in seen.items()
        },
        "quotes": witness.quotes,
        "quotes_on_old_touch": witness.old_quotes,
        "quotes_without_forecast": witness.unknown_quotes,
        "books": witness.books,
        "wrong_books": witness.wrong_books,
        "books_not_compared": witness.unchecked_books,
        "first_wrong": witness.wrong,
        "records_missed_by_the_witness": witness.lapped,
        "failures": failures,
        "ok": not failures,
    }


def _report(case: dict[str, Any], console: Console) -> None:
    faults = sum(case["injected"].values())
    console.print(
        f"{faults} faults; {case['quotes']} quotes, {case['quotes_on_old_touch']} on an old touch; "
        f"{case['books']} books compared, {case['wrong_books']} wrong",
        highlight=False,
    )
    for name, count in case["counts"].items():
        surplus = count["seen"] - count["injected"]
        mark = "" if not surplus else f"   {surplus:+}"
        console.print(
            f"  {name:28} injected {count['injected']:5}  seen {count['seen']:5}{mark}", highlight=False
        )


class _Network:
    # Proxy and direct client in an event loop of their own: the drill's own thread looks at rings.
    def __init__(self, coins: list[str], seed: int) -> None:
        self.truth = Truth(coins)
        self._seed = seed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="drill-network", daemon=True)
        self._proxy: ChaosProxy | None = None
        self._listener: asyncio.Task[None] | None = None

    def reroute(self, venue_url: str) -> str:
        """Start the proxy before the venue; returns where feed finds it."""
        self._thread.start()
        self._proxy = ChaosProxy(venue_url, self._seed, MonotonicClock())
        self._call(self._start(venue_url))
        return self._proxy.url

    def schedule(self, fault: Fault) -> None:
        self._call(self._schedule(fault))

    def idle(self) -> bool:
        return bool(self._call(self._is_idle()))

    def injected(self) -> dict[tuple[str, str], int]:
        assert self._proxy is not None
        return self._proxy.injected

    def close(self) -> None:
        if self._thread.is_alive():
            self._call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STRIKE_TIMEOUT_S)

    async def _start(self, venue_url: str) -> None:
        assert self._proxy is not None
        await self._proxy.start("127.0.0.1", 0)
        listening = asyncio.Event()
        self._listener = asyncio.create_task(
            self._listen("ws" + venue_url.removeprefix("http") + "/ws", listening)
        )
        await listening.wait()

    async def _listen(self, url: str, listening: asyncio.Event) -> None:
        async with websockets.connect(url, proxy=None, compression=None) as socket:
            for subscription in self.truth.subscriptions:
                await socket.send(subscription)
            listening.set()
            async for frame in socket:
                self.truth.hear(frame)

    async def _schedule(self, fault: Fault) -> None:
        assert self._proxy is not None
        self._proxy.schedule(fault)

    async def _is_idle(self) -> bool:
        return self._proxy is not None and self._proxy.idle()

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        if self._proxy is not None:
            await self._proxy.close()
