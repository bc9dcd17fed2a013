"""The embedded exchange's server: requests per second of one client, and frames per second to many.

The server is `mmpipe venue` as a user starts it, with the scenario `quiet`; client and server share the
machine, so that the numbers say what a small machine can hold, not what the server alone could.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench import harness
from mmpipe.venue.hyperliquid_signing import Signer
from mmpipe.venue.sim.settings import demo_keys

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 5.0
CLIENTS = 200
START_S = 240.0
_URL = re.compile(r"http://127\.0\.0\.1:\d+")


def rows() -> list[dict[str, Any]]:
    """Measured rows of the report."""
    with running() as url:
        return uvloop.run(_measure(url))


@contextmanager
def running(scenario: str = "quiet") -> Iterator[str]:
    """`mmpipe venue` on a free port; its URL."""
    with tempfile.TemporaryDirectory() as folder:
        words = Path(folder) / "venue.txt"
        command = [sys.executable, "-m", "mmpipe.cli", "venue", "--port", "0", "--scenario", scenario]
        with words.open("w") as out:
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + START_S
            while (found := _URL.search(words.read_text())) is None:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the exchange did not start: {words.read_text()}")
                time.sleep(0.05)
            yield found.group()
        finally:
            process.terminate()
            process.wait(30.0)


async def _measure(url: str) -> list[dict[str, Any]]:
    connector = aiohttp.TCPConnector(limit=CLIENTS + 10)
    async with aiohttp.ClientSession(connector=connector) as session:
        return [await _info(session, url), *await _orders(session, url), *await _fan_out(session, url)]


async def _info(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    body = json.dumps({"type": "l2Book", "coin": "BTC"}).encode()
    headers = {"Content-Type": "application/json"}

    async def ask(until: float) -> int:
        count = 0
        while time.monotonic() < until:
            async with session.post(url + "/info", data=body, headers=headers) as answer:
                assert b'"levels"' in await answer.read()
            count += 1
        return count

    counts = await asyncio.gather(*(ask(time.monotonic() + SECONDS) for _ in range(4)))
    return harness.row("server/info_l2Book", harness.percentiles([sum(counts) / SECONDS], "requests/s"), {})


async def _orders(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    # Signed place and cancel pairs over one socket; answers come with the block, so many are in flight.
    signer = Signer(demo_keys().execution, False)
    nonce = time.time_ns() // 1_000_000
    async with session.ws_connect(url + "/ws", max_msg_size=0) as socket:
        sent, answered, waits, begun_at = 0, 0, [], {}
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or answered < sent:
            while sent - answered < 100 and time.monotonic() < until:
                nonce, sent = nonce + 1, sent + 1
                cloid = f"0x{nonce:032x}"
                action: dict[str, Any] = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]}
                if sent % 2:
                    wire = {"a": 0, "b": True, "p": "90000", "s": "0.001", "r": False,
                            "t": {"limit": {"tif": "Alo"}}, "c": cloid}  # fmt: skip
                    action = {"type": "order", "orders": [wire], "grouping": "na"}
                else:
                    action["cancels"][0]["cloid"] = f"0x{nonce - 1:032x}"
                payload = {"action": action, "nonce": nonce, "signature": signer.sign(action, nonce, None)}
                request = {"type": "action", "payload": payload}
                begun_at[sent] = time.monotonic()
                await socket.send_json({"method": "post", "id": sent, "request": request})
            frame = json.loads((await socket.receive()).data)
            if frame["channel"] == "post":
                answered += 1
                waits.append((time.monotonic() - begun_at.pop(frame["data"]["id"])) * 1e3)
                assert frame["data"]["response"]["payload"]["status"] == "ok", frame
    rate = harness.percentiles([answered / SECONDS], "requests/s")
    return [
        harness.row("server/signed_actions", rate, {}),
        harness.row("server/signed_actions/wait", harness.percentiles(waits, "ms"), {}),
    ]


async def _fan_out(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    # Every client hears the fast book, the best quotes and the trades of both coins; all start together.
    everybody = asyncio.Barrier(CLIENTS)

    async def listen() -> tuple[int, int]:
        frames, size = 0, 0
        async with session.ws_connect(url + "/ws", max_msg_size=0) as socket:
            for coin in ("BTC", "ETH"):
                for fields in ({"type": "l2Book", "fast": True}, {"type": "bbo"}, {"type": "trades"}):
                    await socket.send_json({"method": "subscribe", "subscription": {"coin": coin, **fields}})
            await everybody.wait()
            until = time.monotonic() + SECONDS
            while (left := until - time.monotonic()) > 0:
                try:
                    message = await asyncio.wait_for(socket.receive(), left)
                except TimeoutError:
                    break
                frames, size = frames + 1, size + len(message.data)
        return frames, size

    heard = await asyncio.gather(*(listen() for _ in range(CLIENTS)))
    frames, size = (sum(column) for column in zip(*heard, strict=True))
    counts = [count for count, _ in heard]
    # What piled up while the last ones connected is not the same for all.
    assert min(counts) > 0.8 * max(counts), "all hear the same"
    return [
        harness.row(
            f"server/fan_out_{CLIENTS}_clients", harness.percentiles([frames / SECONDS], "frames/s"), {}
        ),
        harness.row("server/fan_out_bytes", harness.percentiles([size / SECONDS / 1e6], "MB/s"), {}),
    ]
