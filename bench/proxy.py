"""The chaos proxy measured: what it costs when nothing goes wrong.

    python bench/proxy.py [--json FILE]

Venue and proxy are processes of their own, the client is this one; frames are those of best quotes. `waiting`
is with a fault scheduled that no frame matches, so that the stream of every frame is looked at.
"""

import argparse
import asyncio
import multiprocessing
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import aiohttp
import uvloop
from aiohttp import WSMsgType, web

from bench import harness
from mmpipe.clock import MonotonicClock
from mmpipe.venue.proxy import ChaosProxy
from mmpipe.venue.proxy_faults import Fault

FRAMES = 50_000
ROUND_TRIPS = 2_000
ROUNDS = 5
START_S = 60.0
CASES = ("direct", "proxy", "waiting")
FRAME = (
    b'{"channel":"bbo","data":{"coin":"BTC","time":1790358600000,"bbo":'
    b'[{"px":"83757.0","sz":"1.5","n":2},{"px":"83758.0","sz":"0.25","n":1}]}}'
)


async def venue(tell: Callable[[str], None]) -> None:
    """Answers a number by so many frames, and anything else by itself."""

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            if message.data.isdigit():
                for _ in range(int(message.data)):
                    await socket.send_frame(FRAME, WSMsgType.TEXT)
            else:
                await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/ws", listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tell(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


async def proxy(tell: Callable[[str], None], upstream: str, waits: bool) -> None:
    """The proxy in front of it."""
    between = ChaosProxy(upstream, 1, MonotonicClock())
    await between.start("127.0.0.1", 0)
    if waits:
        between.schedule(Fault("drop", "no such stream"))
    tell(between.url)
    await asyncio.Event().wait()


def serve(part: Callable[..., Coroutine[Any, Any, None]], said: Any, *arguments: Any) -> None:
    uvloop.run(part(said.put, *arguments))


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """URLs of the cases."""
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    processes = []

    def start(*arguments: Any) -> str:
        process = context.Process(target=serve, args=(arguments[0], said, *arguments[1:]), daemon=True)
        process.start()
        processes.append(process)
        return str(said.get(timeout=START_S))

    try:
        direct = start(venue)
        yield {"direct": direct, "proxy": start(proxy, direct, False), "waiting": start(proxy, direct, True)}
    finally:
        for process in processes:
            process.terminate()
            process.join(START_S)


async def frames_per_s(url: str, count: int) -> float:
    """Frames one client receives while the venue sends as fast as it can."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url + "/ws") as socket:
        begun_s = time.perf_counter()
        await socket.send_str(str(count))
        for _ in range(count):
            message = await socket.receive()
        spent_s = time.perf_counter() - begun_s
        assert message.data.encode() == FRAME, "the last frame is the venue's"
    return count / spent_s


async def round_trips_us(url: str, count: int) -> list[float]:
    """Times from a message to its echo, one after another."""
    times = []
    async with aiohttp.ClientSession() as session, session.ws_connect(url + "/ws") as socket:
        for _ in range(count):
            begun_s = time.perf_counter()
            await socket.send_str("echo")
            assert (await socket.receive()).data == "echo"
            times.append((time.perf_counter() - begun_s) * 1e6)
    return times


def measure(urls: dict[str, str], rounds: int, count: int, trips: int) -> list[dict[str, Any]]:
    """Rows of the report."""
    rates = harness.interleave(
        [(case, lambda u=urls[case]: uvloop.run(frames_per_s(u, count))) for case in CASES], rounds, print
    )
    waits = harness.interleave(
        [(case, lambda u=urls[case]: uvloop.run(round_trips_us(u, trips))) for case in CASES], rounds, print
    )
    rows = [harness.row(f"frames/{case}", harness.percentiles(rates[case], "frames/s"), {}) for case in CASES]
    for case in CASES:
        each = [harness.percentiles(times, "us") for times in waits[case]]
        rows.append(harness.row(f"round_trip/{case}", harness.median_over_rounds(each), {}))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the report here")
    options = parser.parse_args()
    with running() as urls:
        rows = measure(urls, ROUNDS, FRAMES, ROUND_TRIPS)
    for row in rows:
        numbers = row["ours"]
        print(
            f"{row['case']:22} p50 {numbers['p50']:>10,.4g}  p99 {numbers['p99']:>10,.4g} {numbers['unit']}"
        )
    harness.report("proxy", ROUNDS, rows, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
