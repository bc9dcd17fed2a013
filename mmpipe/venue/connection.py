"""One WebSocket that comes back: connect, subscribe, watch for silence, back off with jitter, again.

    connect ──▶ subscribe ──▶ SYNCING ──▶ frames … ──▶ closed or silent ──▶ GAPPED ──▶ wait ──▶ connect

Silent failure is the norm on both venues, so five things end a connection: nothing useful after the
subscriptions, nothing useful or nothing at all for two ping intervals, an age at which the venue would end
it at a moment of its own choice, and `drop`. Venues count new connections, so each connects only so often
in a minute, however often it is cut off. An exception in a callback is a broken program and leaves `run`;
only the network's own trouble is answered by a new connection.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from loguru import logger
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock
from mmpipe.config import FeedConfig
from mmpipe.enums import FeedState
from mmpipe.errors import VenueError

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.5
SEND_TIMEOUT_S: Final = 5.0
WATCH_INTERVAL_S: Final = 0.1
SILENT_PINGS: Final = 2  # ping intervals of silence that end a connection
JITTER_MIN: Final = 0.5  # a wait is this share to all of its bound, so that clients do not march in step
QUEUED_FRAMES_MAX: Final = 64
CONNECTS_WINDOW_NS: Final = 60 * NS_PER_S
NS_PER_H: Final = 3_600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect and what to say.

    Attributes
    ----------
    url : str
        ws:// or wss://.
    subscriptions : tuple of bytes
        Sent in order after each connect.
    ping : bytes
        The venue's own ping message; empty: WebSocket pings.
    awaits_first : bool
        Whether a frame that `on_frame` calls useful must come within the first-message timeout, and
        others after it.
    """

    url: str
    subscriptions: tuple[bytes, ...]
    ping: bytes
    awaits_first: bool


class Connection:
    """A resilient connection to one endpoint.

    Parameters
    ----------
    endpoint : Endpoint
        Where to.
    feed : FeedConfig
        Timeouts, back-off and the size of the largest frame.
    clock : Clock
        Stamps received frames.
    draw : random.Random
        Seeded source of the jitter.
    on_frame : callable
        Gets each frame and its receive time (monotonic ns); returns whether it was useful.
    on_state : callable
        Gets SYNCING when subscribed and GAPPED when the connection is lost.

    Attributes
    ----------
    connected : bool
        Between SYNCING and GAPPED.
    reconnects : int
        Connections or attempts after the first.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        feed: FeedConfig,
        clock: Clock,
        draw: random.Random,
        on_frame: Callable[[bytes, int], bool],
        on_state: Callable[[FeedState], None],
    ) -> None:
        self._endpoint = endpoint
        self._feed = feed
        self._clock = clock
        self._draw = draw
        self._on_frame = on_frame
        self._on_state = on_state
        self._socket: ClientConnection | None = None
        self._failures = 0
        self._connects: deque[int] = deque(maxlen=feed.connects_per_min_max)
        self._last_frame_ns = 0
        self._last_useful_ns = 0  # 0: none on this connection
        self.reconnects = 0

    @property
    def connected(self) -> bool:
        """True while frames can be sent."""
        return self._socket is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop` is set.

        Raises
        ------
        VenueError
            The URL is none. Whatever a callback raises is raised as well.
        """
        forever = asyncio.create_task(self._forever())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({forever, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            forever.cancel()
            with suppress(asyncio.CancelledError):
                await forever

    async def send(self, message: bytes) -> None:
        """Send one text message.

        Raises
        ------
        ConnectionError
            There is no connection, or it did not take the message in time; it may still have arrived.
        """
        socket = self._socket
        if socket is None:
            raise ConnectionError(f"{self._endpoint.url}: not connected")
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await socket.send(message, text=True)
        except (WebSocketException, TimeoutError) as error:
            raise ConnectionError(f"{self._endpoint.url}: {error!r}") from error

    def drop(self) -> None:
        """Give this connection up: a caller knows that it is of no use."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _forever(self) -> None:
        while True:
            try:
                await self._connect_once()
            except InvalidURI as error:
                raise VenueError(f"{self._endpoint.url}: {error}; correct the URL") from error
            except (OSError, WebSocketException, TimeoutError) as error:
                logger.warning("{}: {!r}; connecting again", self._endpoint.url, error)
            self.reconnects += 1
            await asyncio.sleep(max(self._next_wait_s(), self._budget_wait_s()))

    async def _connect_once(self) -> None:
        self._connects.append(self._clock.now_ns())
        async with connect(
            self._endpoint.url,
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None if self._endpoint.ping else self._feed.ping_interval_s,
            ping_timeout=self._feed.ping_interval_s,
            max_size=self._feed.message_size_max,
            max_queue=QUEUED_FRAMES_MAX,
        ) as socket:
            self._socket, self._last_useful_ns = socket, 0
            self._last_frame_ns = self._clock.now_ns()
            synced = False
            try:
                for subscription in self._endpoint.subscriptions:
                    await self.send(subscription)
                synced = True
                self._on_state(FeedState.SYNCING)
                await self._listen(socket)
            finally:
                self._socket = None
                socket.transport.abort()  # nothing to say goodbye to: the venue's side may be gone
                if synced:
                    self._on_state(FeedState.GAPPED)

    async def _listen(self, socket: ClientConnection) -> None:
        watch = asyncio.create_task(self._watch(socket))
        try:
            while True:
                frame = await socket.recv(decode=False)
                self._last_frame_ns = self._clock.now_ns()
                if self._on_frame(frame, self._last_frame_ns):
                    self._last_useful_ns, self._failures = self._last_frame_ns, 0
        except WebSocketException:
            if watch.done():
                watch.result()  # why it was closed
            raise
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await watch

    async def _watch(self, socket: ClientConnection) -> None:
        started_ns = pinged_ns = self._clock.now_ns()
        ping_ns = int(self._feed.ping_interval_s * NS_PER_S)
        first_ns = self._feed.first_message_timeout_ms * NS_PER_MS
        age_max_ns = int(self._feed.connection_age_max_h * NS_PER_H * self._draw.uniform(JITTER_MIN, 1.0))
        try:
            while True:
                await asyncio.sleep(WATCH_INTERVAL_S)
                now_ns = self._clock.now_ns()
                if self._endpoint.awaits_first:
                    first = self._last_useful_ns == 0
                    since_ns = started_ns if first else self._last_useful_ns
                    if now_ns - since_ns > (first_ns if first else SILENT_PINGS * ping_ns):
                        raise TimeoutError("nothing useful comes")
                if now_ns - self._last_frame_ns > SILENT_PINGS * ping_ns:
                    raise TimeoutError("silent")
                if now_ns - started_ns > age_max_ns:
                    raise TimeoutError("old: a new one at once, before the venue ends it")
                if self._endpoint.ping and now_ns - pinged_ns > ping_ns:
                    pinged_ns = now_ns
                    await self.send(self._endpoint.ping)
        except OSError:  # TimeoutError and ConnectionError are among them
            socket.transport.abort()  # ends the reader, which reports this
            raise

    def _next_wait_s(self) -> float:
        bound_ms = min(
            self._feed.reconnect_max_ms, self._feed.reconnect_min_ms * 2 ** min(self._failures, 20)
        )
        self._failures += 1
        return bound_ms / 1e3 * self._draw.uniform(JITTER_MIN, 1.0)

    def _budget_wait_s(self) -> float:
        if len(self._connects) < (self._connects.maxlen or 0):
            return 0.0
        return (self._connects[0] + CONNECTS_WINDOW_NS - self._clock.now_ns()) / NS_PER_S
