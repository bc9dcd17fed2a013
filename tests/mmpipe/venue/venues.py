"""Venues on 127.0.0.1 for the order port: the embedded one behind a cuttable wire, and a misbehaving one."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web

from mmpipe import config as configuration
from mmpipe.clock import MonotonicClock
from mmpipe.config import Config
from mmpipe.enums import AnswerKind
from mmpipe.records import ANSWER
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.hyperliquid_signing import Signer, address_of
from mmpipe.venue.orders import HyperliquidOrders
from mmpipe.venue.rest import RestClient
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.server import VenueSettings, demo_keys, serve
from mmpipe.venue.sim.settings import demo_agents

from .frames import COINS, LEADS

MASTER = address_of(demo_keys().master)


def config_of(**overrides: Any) -> Config:
    quick = {
        "feed.reconnect_min_ms": 10, "feed.reconnect_max_ms": 50, "execution.answer_timeout_ms": 1_000,
        "execution.expires_after_ms": 500,
    }  # fmt: skip
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return configuration.load(Path(__file__).parents[3] / "pipeline.toml", quick | dotted)


class Trader:
    """An order port and every answer it gave."""

    def __init__(self, url: str, key: bytes, rows: np.ndarray, **overrides: Any) -> None:
        self.wakes = 0
        self.port = HyperliquidOrders(
            url,
            Signer(key, mainnet=False),
            MASTER,
            rows,
            COINS,
            config_of(**overrides),
            MonotonicClock(),
            self._wake,
        )
        self.all = np.zeros(0, ANSWER)

    def _wake(self) -> None:
        self.wakes += 1

    def read(self) -> np.ndarray:
        """Everything answered so far."""
        self.all = np.concatenate([self.all, self.port.answers()])
        return self.all

    def of(self, kind: AnswerKind, order_id: int | None = None) -> np.ndarray:
        rows = self.read()
        chosen = rows["kind"] == int(kind)
        return rows[chosen if order_id is None else chosen & (rows["order_id"] == order_id)]

    async def until(self, kind: AnswerKind, order_id: int | None = None, count: int = 1) -> np.ndarray:
        """The first `count` answers of a kind, waited for."""
        await until(lambda: len(self.of(kind, order_id)) >= count)
        return self.of(kind, order_id)[:count]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Trader"]:
        stop = asyncio.Event()
        task = asyncio.create_task(self.port.run(stop))
        try:
            yield self
            if task.done():
                task.result()
        finally:
            stop.set()
            await asyncio.wait_for(task, 5.0)


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


class Wire:
    """A TCP relay that can be cut: the venue lives on, its sockets do not."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.refusing = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, there_writer}
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            self._writers -= {writer, there_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def embedded() -> AsyncIterator[tuple[Wire, str, np.ndarray]]:
    """The embedded exchange behind a wire: the wire, its URL, and the instruments."""
    settings = VenueSettings(
        host="127.0.0.1", port=0, scenario="quiet", seed=7, coins=tuple(COINS), leads=tuple(LEADS),
        profile=load_profile("instant"), deposit_usdc=100_000.0, accounts=(MASTER,), agents=demo_agents(),
    )  # fmt: skip
    stop, urls = asyncio.Event(), asyncio.Queue[str]()
    task = asyncio.create_task(serve(settings, lambda url, _: urls.put_nowait(url), stop))
    try:
        getting = asyncio.create_task(urls.get())
        await asyncio.wait({task, getting}, timeout=200, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        url = getting.result()
        async with RestClient(url, 5.0) as client:
            rows = parse_meta(json.loads(await client.info({"type": "meta"})), COINS)
        wire = Wire(int(url.rpartition(":")[2]))
        async with wire.open() as wire_url:
            yield wire, wire_url, rows
    finally:
        stop.set()
        await asyncio.wait_for(task, 10.0)


class Misbehaving:
    """Answers a session's questions as an empty account, and actions as `on_action` says.

    `on_action` gets the post's id (0 over REST) and returns a reply, or None for silence.
    """

    def __init__(self, on_action: Callable[[int], Any]) -> None:
        self._on_action = on_action
        self.actions: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.positions: Callable[[], list[Any]] = lambda: []
        self.sockets: list[web.WebSocketResponse] = []
        self.snapshot: list[Any] = []  # fills of the first userFills message

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._exchange)
        app.router.add_get("/ws", self._ws)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _info(self, request: web.Request) -> web.Response:
        kind = (await request.json())["type"]
        self.asked.append(kind)
        if kind == "clearinghouseState":
            return web.json_response({"assetPositions": self.positions()})
        return web.json_response({"status": "unknownOid"} if kind == "orderStatus" else [])

    async def _exchange(self, request: web.Request) -> web.Response:
        self.actions.append(await request.json())
        reply = self._on_action(0)
        if reply is None:
            await asyncio.sleep(30)
        return reply if isinstance(reply, web.Response) else web.json_response(reply)

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._react(socket, json.loads(message.data))
        return socket

    async def _react(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        if message["method"] == "ping":
            await socket.send_json({"channel": "pong"})
        elif message["method"] == "subscribe":
            await socket.send_json({"channel": "subscriptionResponse", "data": message})
            if message["subscription"]["type"] == "userFills":
                await socket.send_json(
                    {"channel": "userFills", "data": {"isSnapshot": True, "user": "", "fills": self.snapshot}}
                )
        else:
            self.actions.append(message["request"]["payload"])
            reply = self._on_action(message["id"])
            if reply == "hang up":
                await socket.close()
            elif reply is not None:
                await socket.send_str(reply if isinstance(reply, str) else json.dumps(reply))


def post_reply(number: int, payload: Any, kind: str = "action") -> dict[str, Any]:
    return {"channel": "post", "data": {"id": number, "response": {"type": kind, "payload": payload}}}
