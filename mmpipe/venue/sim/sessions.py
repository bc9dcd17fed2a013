"""WebSocket sessions and what each listens to: one encoded frame goes to every listener of its topic."""

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Final

from aiohttp import WSMsgType, web

BACKLOG_MAX: Final = 4_096  # frames a slow client may be behind before it is dropped
Topic = Hashable


class Session:
    """One client: frames are queued without waiting and written by a task of their own.

    Parameters
    ----------
    socket : WebSocketResponse
        Prepared.
    request : Request
        Of the upgrade; its transport is what a hard close aborts.
    ts_ns : int
        Monotonic time of the start.
    maker : bool
        Whether it belongs to the maker market, or else to the lead.
    """

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, ts_ns: int, maker: bool) -> None:
        self._socket = socket
        self._transport = request.transport
        self._frames: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.maker = maker
        self.topics: dict[Topic, None] = {}
        self.sent = False  # anything since the owner last looked
        self.sent_ts_ns = ts_ns

    def send(self, frame: bytes) -> None:
        """Queue one text frame; a client that does not read is cut off."""
        if len(self._frames) >= BACKLOG_MAX:
            if self._thawed.is_set():
                self.abort()
            return
        self.sent = True
        self._frames.append(frame)
        self._ready.set()

    def abort(self) -> None:
        """Close the connection without a closing handshake, as the venue does."""
        if self._transport is not None:
            self._transport.abort()

    def freeze(self, frozen: bool) -> None:
        """Neither write nor read any more, or go on; the connection stays open."""
        if frozen:
            self._thawed.clear()
        else:
            self._thawed.set()

    async def thawed(self) -> None:
        """Wait until the session is not frozen."""
        await self._thawed.wait()

    async def write_all(self) -> None:
        """Write queued frames until the socket is gone."""
        while not self._socket.closed:
            await self._ready.wait()
            self._ready.clear()
            while self._frames:
                await self._thawed.wait()
                await self._socket.send_frame(self._frames.popleft(), WSMsgType.TEXT)


class Topics:
    """Who listens to what."""

    def __init__(self) -> None:
        self._listeners: dict[Topic, dict[Session, None]] = {}

    def add(self, topic: Topic, session: Session) -> bool:
        """Subscribe; False if it was subscribed already."""
        if topic in session.topics:
            return False
        session.topics[topic] = None
        self._listeners.setdefault(topic, {})[session] = None
        return True

    def remove(self, topic: Topic, session: Session) -> bool:
        """Unsubscribe; False if it was not subscribed."""
        if topic not in session.topics:
            return False
        del session.topics[topic]
        listeners = self._listeners[topic]
        del listeners[session]
        if not listeners:
            del self._listeners[topic]
        return True

    def drop(self, session: Session) -> None:
        """Unsubscribe a session that ended from everything."""
        for topic in list(session.topics):
            self.remove(topic, session)

    def wanted(self, topic: Topic) -> bool:
        """Whether anybody listens, so that nothing is encoded for nobody."""
        return topic in self._listeners

    def publish(self, topic: Topic, frame: bytes) -> None:
        """Queue one frame for every listener."""
        for session in list(self._listeners.get(topic, ())):
            session.send(frame)

    def sessions(self) -> Iterable[Session]:
        """Every session that listens to something."""
        return {session: None for listeners in self._listeners.values() for session in listeners}
