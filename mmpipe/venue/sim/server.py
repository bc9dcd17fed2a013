"""The embedded exchange on one port: POST /info and /exchange, GET /ws, and the lead market's streams.

Bad input is answered, counted for nobody, and never changes state. One task runs the blocks; requests wait
for the block that processed them.
"""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock
from mmpipe.errors import PreflightError
from mmpipe.venue.sim.accounts import Answer
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.feeds import Feeds, UnknownCoinError, UnknownSubscriptionError
from mmpipe.venue.sim.info import UNREADABLE, UnreadableRequestError, answer_info
from mmpipe.venue.sim.lead_feed import ROUTES, LeadFeed
from mmpipe.venue.sim.sessions import Session, Topics
from mmpipe.venue.sim.settings import VenueSettings, demo_keys
from mmpipe.venue.sim.wire import Envelope

__all__ = ["VenueSettings", "demo_keys", "serve"]

MESSAGE_SIZE_MAX: Final = 1 << 20
IDLE_CLOSE_NS: Final = 60 * NS_PER_S
OPENING_MS: Final = 10_000  # of market that is over before anybody can connect
LATE_BLOCKS_MAX: Final = 10  # a longer pause of the process is not caught up with
SERIAL_EPOCH_S: Final = 1_700_000_000
SERIALS_PER_S: Final = 1_000  # more orders than this per second never happen
_encode = msgspec.json.Encoder().encode
_UNREADABLE_ERRORS: Final = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError)


async def serve(settings: VenueSettings, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Run the exchange until `stop` is set.

    Parameters
    ----------
    settings : VenueSettings
        Checked by its types.
    ready : callable
        Called once with the URL, when requests are answered.
    stop : Event
        Set to end.

    Raises
    ------
    PreflightError
        If the port cannot be listened on.
    UsageError
        If there is no such scenario.
    """
    clock = MonotonicClock()
    first_serial = (clock.wall_ns() // NS_PER_S - SERIAL_EPOCH_S) * SERIALS_PER_S
    exchange = Exchange(settings, first_serial)
    venue = _Venue(exchange, clock)
    venue.open_market()
    runner = web.AppRunner(venue.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    blocks = asyncio.create_task(venue.run_blocks(), name="blocks")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        ready(await _listen(runner, settings))
        await asyncio.wait((blocks, stopped), return_when=asyncio.FIRST_COMPLETED)
        if blocks.done():
            blocks.result()
    finally:
        blocks.cancel()
        stopped.cancel()
        venue.hang_up()
        await runner.cleanup()
        with suppress(asyncio.CancelledError):
            await blocks


async def _listen(runner: web.AppRunner, settings: VenueSettings) -> str:
    site = web.TCPSite(runner, settings.host, settings.port)
    where = f"{settings.host}:{settings.port}"
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"venue: {where} is in use; stop what listens there or set venue.port"
        else:
            text = f"venue: cannot listen on {where}: {error.strerror}; check venue.host"
        raise PreflightError(text) from error
    return f"http://{settings.host}:{runner.addresses[0][1]}"


class _Venue:
    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock
        self._topics = Topics()
        self._feeds = Feeds(exchange, self._topics)
        self._lead = LeadFeed(exchange, self._topics)
        self._sessions: dict[Session, None] = {}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MESSAGE_SIZE_MAX)
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._action)
        app.router.add_get("/ws", self._maker_socket)
        for route in ROUTES:
            app.router.add_get(f"/{route}/stream", self._lead_socket)
        return app

    def open_market(self) -> None:
        # A client of the first second finds a book and a history of trades, and kernels that are compiled.
        block_ms = self._exchange.settings.block_ms
        for age_ms in range(OPENING_MS, 0, -block_ms):
            result = self._exchange.run_block(self._clock.wall_ns() // NS_PER_MS - age_ms)
            self._feeds.publish_block(result)

    async def run_blocks(self) -> None:
        settings = self._exchange.settings
        block_ns = settings.block_ms * NS_PER_MS
        book_ns = settings.book_interval_ms * NS_PER_MS
        due_ns = book_due_ns = self._clock.now_ns()
        while True:
            due_ns += block_ns
            late_ns = self._clock.now_ns() - due_ns
            if late_ns > LATE_BLOCKS_MAX * block_ns:
                due_ns += late_ns
            await asyncio.sleep(max(-late_ns, 0) / NS_PER_S)
            result = self._exchange.run_block(self._clock.wall_ns() // NS_PER_MS)
            for done, answer in result.answers:
                done(answer)
            self._feeds.publish_block(result)
            self._lead.publish()
            if due_ns >= book_due_ns:
                book_due_ns = max(book_due_ns + book_ns, due_ns - book_ns)
                self._feeds.publish_books()
                self._close_idle()

    def hang_up(self) -> None:
        for session in list(self._sessions):
            session.abort()

    def _close_idle(self) -> None:
        now_ns = self._clock.now_ns()
        for session in list(self._sessions):
            if session.sent:
                session.sent = False
                session.sent_ts_ns = now_ns
            elif now_ns - session.sent_ts_ns > IDLE_CLOSE_NS:
                session.abort()

    async def _info(self, request: web.Request) -> web.Response:
        try:
            answer = answer_info(self._exchange, msgspec.json.decode(await request.read()))
        except (UnreadableRequestError, *_UNREADABLE_ERRORS):
            return web.Response(status=422, text=UNREADABLE)
        return _json(answer)

    async def _action(self, request: web.Request) -> web.Response:
        body = await request.read()
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        try:
            refused = self._admit(msgspec.json.decode(body), done)
        except _UNREADABLE_ERRORS:
            return web.Response(status=422, text=UNREADABLE)
        return _json(refused if refused is not None else await answered)

    def _admit(self, raw: object, done: Callable[[Answer], None]) -> Answer | None:
        envelope = msgspec.convert(raw, Envelope)
        return self._exchange.admit(envelope, self._clock.wall_ns() // NS_PER_MS, done)

    async def _open(self, request: web.Request) -> tuple[web.WebSocketResponse, Session]:
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_SIZE_MAX, compress=False, timeout=1.0)
        await socket.prepare(request)
        session = Session(socket, request, self._clock.now_ns())
        self._sessions[session] = None
        return socket, session

    async def _converse(
        self, socket: web.WebSocketResponse, session: Session, react: Callable[[str, Session], None]
    ) -> None:
        writer = asyncio.create_task(session.write_all(), name="writer")
        try:
            async for message in socket:
                react(message.data if message.type is WSMsgType.TEXT else "", session)
        finally:
            self._topics.drop(session)
            del self._sessions[session]
            writer.cancel()
            # A client that went away is no error of ours.
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer

    async def _lead_socket(self, request: web.Request) -> web.WebSocketResponse:
        route = request.path.split("/")[1]
        socket, session = await self._open(request)
        self._lead.listen(route, request.query.get("streams", "").split("/"), session)
        await self._converse(socket, session, lambda text, s: s.send(self._lead.answer(route, text, s)))
        return socket

    async def _maker_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket, session = await self._open(request)
        await self._converse(socket, session, self._react)
        return socket

    def _react(self, text: str, session: Session) -> None:
        try:
            message = msgspec.json.decode(text)
            method = message["method"]
            if method == "ping":
                session.send(b'{"channel":"pong"}')
            elif method == "subscribe":
                self._feeds.subscribe(_object(message["subscription"]), session)
            elif method == "unsubscribe":
                self._feeds.unsubscribe(_object(message["subscription"]), session)
            elif method == "post":
                self._post(_whole(message["id"]), _object(message["request"]), session)
            else:
                raise ValueError(method)
        except UnknownCoinError:
            session.abort()
        except (*_UNREADABLE_ERRORS, UnknownSubscriptionError, LookupError, TypeError):
            data = "Error parsing JSON into valid websocket request: " + text[:1_000]
            session.send(_encode({"channel": "error", "data": data}))

    def _post(self, number: int, request: dict[str, Any], session: Session) -> None:
        kind, payload = request["type"], request["payload"]

        def reply(kind: str, payload: Any) -> None:
            body = {"id": number, "response": {"type": kind, "payload": payload}}
            session.send(_encode({"channel": "post", "data": body}))

        if kind == "info":
            try:
                data = answer_info(self._exchange, payload)
            except UnreadableRequestError:
                reply("error", UNREADABLE)
                return
            reply("info", {"type": payload["type"], "data": data})
        elif kind == "action":
            try:
                refused = self._admit(payload, lambda answer: reply("action", answer))
            except _UNREADABLE_ERRORS:
                reply("error", UNREADABLE)
                return
            if refused is not None:
                reply("action", refused)
        else:
            raise ValueError(kind)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    return value


def _json(answer: object) -> web.Response:
    return web.Response(body=_encode(answer), content_type="application/json")
