"""Requests over a WebSocket of their own: each gets a number, and its answer or a broken connection."""

import asyncio
import random
from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from mmpipe.clock import Clock
from mmpipe.config import FeedConfig
from mmpipe.enums import FeedState
from mmpipe.venue.connection import Connection, Endpoint

PING = b'{"method":"ping"}'


class _Response(Struct):
    type: str
    payload: Raw


class _Data(Struct):
    id: int
    response: _Response


class _Post(Struct, tag_field="channel", tag="post"):
    data: _Data


class _Pong(Struct, tag_field="channel", tag="pong"):
    pass


class Posts:
    """The venue's `post` method.

    Parameters
    ----------
    url : str
        WebSocket URL of the venue.
    feed : FeedConfig
        Timeouts and back-off.
    clock : Clock
        For the connection.
    draw : random.Random
        Seeded source of the back-off's jitter.

    on_change : callable
        Called whenever the connection came or went.
    """

    def __init__(
        self, url: str, feed: FeedConfig, clock: Clock, draw: random.Random, on_change: Callable[[], None]
    ) -> None:
        endpoint = Endpoint(url, (), PING, awaits_first=False)
        self._connection = Connection(endpoint, feed, clock, draw, self._on_frame, self._on_state)
        self._parse = msgspec.json.Decoder(_Post | _Pong)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._on_change = on_change

    @property
    def connected(self) -> bool:
        """True while requests can be sent."""
        return self._connection.connected

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop`."""
        await self._connection.run(stop)

    async def ask(self, payload: bytes) -> bytes:
        """Post one signed action and wait for the venue's reply to it; the caller bounds the wait.

        Raises
        ------
        ConnectionError
            No reply will come, or it is an error instead of a reply: the outcome is unknown.
        """
        self._number += 1
        number = self._number
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        head = b'{"method":"post","id":%d,"request":{"type":"action","payload":' % number
        try:
            await self._connection.send(head + payload + b"}}")
            return await answer
        finally:
            del self._waiting[number]

    def _on_frame(self, frame: bytes, local_ts_ns: int) -> bool:
        try:
            message = self._parse.decode(frame)
        except (ValueError, RecursionError):
            return False  # an unreadable answer is no answer: its request times out
        if isinstance(message, _Post):
            answer = self._waiting.get(message.data.id)
            response = message.data.response
            if answer is not None and not answer.done():
                if response.type == "action":
                    answer.set_result(bytes(response.payload))
                else:
                    text = bytes(response.payload)[:200].decode("utf-8", "replace")
                    answer.set_exception(ConnectionError(f"the venue answered {response.type}: {text}"))
        return True

    def _on_state(self, state: FeedState) -> None:
        if state == FeedState.GAPPED:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("the order socket was lost"))
        self._on_change()
