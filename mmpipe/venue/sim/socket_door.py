"""GET /ws and the lead market's streams: sessions, and what their clients say.

A client that floods, does not read, or names a coin that does not exist is cut off without a handshake.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.feeds import frame_of
from mmpipe.venue.sim.http_door import UNREADABLE_ERRORS, HttpDoor
from mmpipe.venue.sim.info import UNREADABLE
from mmpipe.venue.sim.info_request import Desk, UnreadableRequestError
from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.limits import POSTS_MAX, Client, Clients
from mmpipe.venue.sim.sessions import Session, Topics
from mmpipe.venue.sim.subscriptions import (
    Subscriptions,
    UnknownCoinError,
    UnknownSubscriptionError,
    forget_user,
)

MESSAGE_SIZE_MAX: Final = 1 << 20
IDLE_CLOSE_NS: Final = 60 * NS_PER_S
CARE_NS: Final = 50 * NS_PER_MS  # between looks at idle and faulty sockets
ECHO_MAX: Final = 1_000  # characters of a wrong message that its answer repeats


class SocketDoor:
    """Sockets of clients.

    Parameters
    ----------
    desk : Desk
        Only its clock is read.
    requests : HttpDoor
        Takes what is posted over a socket.
    subscriptions : Subscriptions
        Of the maker market.
    lead_feed : LeadFeed
        Of the lead market.
    topics : Topics
        Forgets a session that ended.
    faults : Faults
        Cuts, freezes and silences.
    clients : Clients
        Limits by IP address.
    clock : Clock
        For idle sockets.
    """

    def __init__(
        self,
        desk: Desk,
        requests: HttpDoor,
        subscriptions: Subscriptions,
        lead_feed: LeadFeed,
        topics: Topics,
        faults: Faults,
        clients: Clients,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._requests = requests
        self._subscriptions = subscriptions
        self._lead_feed = lead_feed
        self._topics = topics
        self._faults = faults
        self._clients = clients
        self._clock = clock
        self._sessions: dict[Session, None] = {}
        self._cared_ns = 0
        self.attended = False  # whether a client of the maker market was ever here

    def hang_up(self) -> None:
        """Cut every socket."""
        for session in list(self._sessions):
            session.abort()

    def care(self) -> None:
        """Cut what has been idle for too long, and do to sockets what faults ask for."""
        now_ns = self._clock.now_ns()
        if now_ns - self._cared_ns < CARE_NS:
            return
        self._cared_ns = now_ns
        idle = self._faults.holds("idle_close")
        limit_ns = idle.ms * NS_PER_MS if idle is not None else IDLE_CLOSE_NS
        frozen = self._faults.holds("half_open") is not None
        for session in list(self._sessions):
            session.freeze(frozen)
            if session.sent:
                session.sent = False
                session.sent_ts_ns = now_ns
            elif now_ns - session.sent_ts_ns > limit_ns and not frozen:
                session.abort()
            if session.maker and self._faults.strikes("drop_sockets"):
                self._faults.note("drop_sockets", {"subscriptions": len(session.topics)})
                session.abort()
            elif not session.maker and self._faults.strikes("lead_drop"):
                self._faults.note("lead_drop", {"subscriptions": len(session.topics)})
                session.abort()

    async def lead(self, request: web.Request) -> web.StreamResponse:
        """One socket of the lead market, on one of its routes."""
        route = request.path.split("/")[1]
        feed = self._lead_feed
        streams = request.query.get("streams", "").split("/")
        return await self._converse(
            request, lambda text, session, _: session.send(feed.answer(route, text, session)),
            lambda session: feed.listen(route, streams, session), maker=False,
        )  # fmt: skip

    async def maker(self, request: web.Request) -> web.StreamResponse:
        """One socket of the maker market."""
        return await self._converse(request, self.react, lambda _: None, maker=True)

    async def _converse(
        self,
        request: web.Request,
        react: Callable[[str, Session, Client], None],
        begin: Callable[[Session], None],
        maker: bool,
    ) -> web.StreamResponse:
        # The lead market is another venue, which counts its own.
        client = self._clients.of(request.remote or "") if maker else Client()
        if not self._clients.allows_connection(client, self._desk.state.ts_ms):
            return web.Response(status=429, text="Too many connections")
        try:
            socket = web.WebSocketResponse(max_msg_size=MESSAGE_SIZE_MAX, compress=False, timeout=1.0)
            try:
                await socket.prepare(request)
            except ConnectionError:
                return web.Response(status=400)  # it left during the handshake: nobody reads this
            session = Session(socket, request, self._clock.now_ns(), maker)
            self._sessions[session] = None
            self.attended |= maker
            begin(session)
            await self._listen(socket, session, client, react)
        finally:
            client.connections -= 1
        return socket

    async def _listen(
        self,
        socket: web.WebSocketResponse,
        session: Session,
        client: Client,
        react: Callable[[str, Session, Client], None],
    ) -> None:
        writer = asyncio.create_task(session.write_all(), name="writer")
        try:
            async for message in socket:
                await session.thawed()
                if not self._clients.allows_message(client, self._desk.state.ts_ms):
                    session.abort()
                    break
                react(message.data if message.type is WSMsgType.TEXT else "", session, client)
        finally:
            for topic in session.topics:
                forget_user(topic, client)
            self._topics.drop(session)
            del self._sessions[session]
            writer.cancel()
            # A client that went away is no error of ours.
            with suppress(asyncio.CancelledError, ConnectionError):
                await writer

    def react(self, text: str, session: Session, client: Client) -> None:
        """Answer one text frame of a client, whatever it is; never raises for a wrong one."""
        try:
            message = msgspec.json.decode(text)
            method = message["method"]
            if method == "ping":
                session.send(b'{"channel":"pong"}')
            elif method == "subscribe":
                self._subscriptions.subscribe(_object(message["subscription"]), session, client)
            elif method == "unsubscribe":
                self._subscriptions.unsubscribe(_object(message["subscription"]), session, client)
            elif method == "post":
                self._post(_whole(message["id"]), _object(message["request"]), session, client)
            else:
                raise ValueError(method)
        except UnknownCoinError:
            session.abort()
        except (*UNREADABLE_ERRORS, UnknownSubscriptionError, LookupError, TypeError):
            data = "Error parsing JSON into valid websocket request: " + text[:ECHO_MAX]
            session.send(frame_of("error", data))

    def _post(self, number: int, request: dict[str, Any], session: Session, client: Client) -> None:
        kind, payload = request["type"], request["payload"]

        def reply(kind: str, payload: Any) -> None:
            session.send(frame_of("post", {"id": number, "response": {"type": kind, "payload": payload}}))

        def act() -> None:
            client.posts += 1

            def answered(answer: Any) -> None:
                client.posts -= 1
                if answer is not None:
                    reply("action", answer)

            try:
                allowed = self._requests.act(payload, client, answered)
            except UNREADABLE_ERRORS:
                client.posts -= 1
                reply("error", UNREADABLE)
                return
            if not allowed:
                client.posts -= 1
                reply("error", "Too many requests")

        if kind == "info":
            self._ask(payload, client, reply)
        elif kind != "action":
            raise ValueError(kind)
        elif self._clients.limited and client.posts >= POSTS_MAX:
            reply("error", "Too many inflight post requests")
        else:
            act()

    def _ask(self, payload: Any, client: Client, reply: Callable[[str, Any], None]) -> None:
        try:
            data = self._requests.ask(payload)
        except UnreadableRequestError:
            reply("error", UNREADABLE)
            return
        if self._requests.afford_info(client, payload, data):
            reply("info", {"type": payload["type"], "data": data})
        else:
            reply("error", "Too many requests")


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not an integer")
    return value
