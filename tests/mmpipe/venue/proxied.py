"""A venue that says what a test tells it to, the proxy in front of it, and a client of the proxy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from aiohttp import WSMsgType, web
from websockets.asyncio.client import ClientConnection, connect

from mmpipe.clock import MonotonicClock
from mmpipe.venue.proxy import ChaosProxy
from mmpipe.venue.proxy_faults import Fault

SIZE_MAX = 200_000
OVERSIZE = 300_000
DEADLINE_S = 15.0


class SpokenVenue:
    """Frames go out with `say`; what clients said is in `heard`, close codes in `closed`."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.transports: list[asyncio.Transport] = []
        self.heard: list[Any] = []
        self.closed: list[int | None] = []
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/refused", self._refuse)
        for path in ("/ws", "/public/stream", "/lead-spot/stream"):
            app.router.add_get(path, self._listen)
        app.router.add_get("/cut", self._cut)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            while not self.sockets.empty():
                self.sockets.get_nowait()
            for transport in self.transports:
                transport.abort()
            await runner.cleanup()

    async def _refuse(self, _: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    async def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request.method, request.raw_path, body, dict(request.headers)))
        return web.Response(status=418, body=body[::-1], headers={"X-Weight": "20", "Content-Type": "a/b"})

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, protocols=("one",))
        await socket.prepare(request)
        assert request.transport is not None
        self.transports.append(request.transport)
        self.sockets.put_nowait(socket)
        async for message in socket:
            self.heard.append(message.data)
        self.closed.append(socket.close_code)
        return socket


class Scene:
    """Venue, proxy and one client, in one loop."""

    def __init__(self, venue: SpokenVenue, proxy: ChaosProxy) -> None:
        self.venue = venue
        self.proxy = proxy
        self.socket: web.WebSocketResponse
        self.client: ClientConnection

    @asynccontextmanager
    async def joined(self, path: str = "/ws", **options: Any) -> AsyncIterator["Scene"]:
        """A client on one route; `say` and `hear` are about it."""
        url = self.proxy.url.replace("http", "ws") + path
        settings = {"compression": None, "ping_interval": None, "max_size": SIZE_MAX, "close_timeout": 0.2}
        async with connect(url, proxy=None, **(settings | options)) as self.client:
            self.socket = await self.venue.sockets.get()
            yield self

    async def say(self, *frames: bytes) -> None:
        for frame in frames:
            await self.socket.send_frame(frame, WSMsgType.TEXT)

    async def hear(self, count: int) -> list[bytes]:
        return [await self.client.recv(decode=False) for _ in range(count)]

    async def hears_nothing_more(self) -> bool:
        """Whether a last frame is the next thing that comes."""
        await self.say(b"last")
        return await self.hear(1) == [b"last"]

    def schedule(
        self, kind: str, stream: str = "", count: int = 1, duration_ms: int = 0, path: str = ""
    ) -> None:
        self.proxy.schedule(Fault(kind, stream, count, duration_ms, path))


def played(story: Callable[[Scene], Awaitable[Any]], run: Callable[[Any], Any] = uvloop.run) -> Any:
    """Let a story happen between a venue and a proxy that forget everything afterwards."""

    async def main() -> Any:
        venue = SpokenVenue()
        async with asyncio.timeout(DEADLINE_S), venue.open() as url:
            proxy = ChaosProxy(url, seed=7, clock=MonotonicClock(), oversize_bytes=OVERSIZE)
            await proxy.start("127.0.0.1", 0)
            try:
                return await story(Scene(venue, proxy))
            finally:
                await proxy.close()

    return run(main())


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.002)
