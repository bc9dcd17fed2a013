"""A client of a running exchange: signed requests over HTTP, frames over a socket."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from mmpipe.venue.hyperliquid_signing import Signer
from tests.mmpipe.venue.sim.trader import KEYS

TIMEOUT_S = 120.0


class Client:
    """Use within an event loop; `key` is the demo account's execution key unless another is given."""

    def __init__(self, url: str, session: aiohttp.ClientSession, key: bytes = KEYS.execution) -> None:
        self.url = url
        self.session = session
        self._signer = Signer(key, False)
        self._nonce = time.time_ns() // 1_000_000

    def envelope(self, action: dict[str, Any], expires: int | None = None) -> dict[str, Any]:
        self._nonce += 1
        signature = self._signer.sign(action, self._nonce, expires)
        return {"action": action, "nonce": self._nonce, "signature": signature, "vaultAddress": None,
                "expiresAfter": expires}  # fmt: skip

    async def act(self, action: dict[str, Any]) -> Any:
        async with self.session.post(self.url + "/exchange", json=self.envelope(action)) as answer:
            return await answer.json() if answer.status == 200 else answer.status

    async def ask(self, kind: str, **fields: Any) -> Any:
        async with self.session.post(self.url + "/info", json={"type": kind} | fields) as answer:
            return await answer.json() if answer.status == 200 else answer.status

    @asynccontextmanager
    async def listen(self, **fields: Any) -> AsyncIterator[Any]:
        """A socket with one subscription."""
        async with self.session.ws_connect(self.url + "/ws", max_msg_size=0) as socket:
            await socket.send_json({"method": "subscribe", "subscription": fields})
            yield socket

    async def touch(self, coin: str = "BTC") -> tuple[float, float]:
        bids, asks = (await self.ask("l2Book", coin=coin))["levels"]
        return float(bids[0]["px"]), float(asks[0]["px"])


def run(url: str, story: Callable[[Client], Awaitable[Any]]) -> Any:
    """Let a client do something within the deadline."""

    async def main() -> Any:
        async with aiohttp.ClientSession() as session, asyncio.timeout(TIMEOUT_S):
            return await story(Client(url, session))

    return asyncio.run(main())


async def frames(socket: Any, channel: str) -> AsyncIterator[Any]:
    """Data of the frames of one channel."""
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            return
        frame = json.loads(message.data)
        if frame.get("channel") == channel:
            yield frame["data"]


async def first(socket: Any, channel: str, wanted: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first frame of a channel that is wanted."""
    async for data in frames(socket, channel):
        if wanted(data):
            return data
    raise AssertionError("the socket closed")
