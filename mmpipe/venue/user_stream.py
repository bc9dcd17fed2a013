"""The account's own messages over a WebSocket: order updates and fills, as answers."""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from loguru import logger
from msgspec import Struct

from mmpipe.clock import Clock
from mmpipe.config import FeedConfig
from mmpipe.enums import Counter, FeedState
from mmpipe.venue.answer_queue import Answer
from mmpipe.venue.connection import Connection, Endpoint
from mmpipe.venue.order_answers import AnswerReader, FillMessage, OrderUpdate
from mmpipe.venue.posts import PING

_GREETING: Final = b"Websocket connection established."


class _Updates(Struct, tag_field="channel", tag="orderUpdates"):
    data: list[OrderUpdate]


class _FillsData(Struct):
    fills: list[FillMessage]
    isSnapshot: bool | None = None


class _Fills(Struct, tag_field="channel", tag="userFills"):
    data: _FillsData


class _Acknowledged(Struct, tag_field="channel", tag="subscriptionResponse"):
    pass


class _Pong(Struct, tag_field="channel", tag="pong"):
    pass


class _Error(Struct, tag_field="channel", tag="error"):
    data: str


class UserStream:
    """Subscriptions to `orderUpdates` and `userFills` of one account.

    Parameters
    ----------
    endpoint_url, account : str
        WebSocket URL and master address.
    feed : FeedConfig
        Timeouts and back-off.
    clock : Clock
        For the connection.
    draw : random.Random
        Seeded source of the back-off's jitter.
    reader : AnswerReader
        Makes the answers.
    counters : ndarray of int64
        Indexed by `Counter`.

    Attributes
    ----------
    on_answers : callable
        Set by the owner; gets the answers of one message.
    on_change : callable
        Set by the owner; called when the stream became complete, was lost, or a message could not be read.
    live : bool
        Both subscriptions deliver: from the first fills message on.
    unreadable : bool
        A message could not be read since the owner cleared this; reconciliation tells what it said.
    """

    def __init__(
        self,
        endpoint_url: str,
        account: str,
        feed: FeedConfig,
        clock: Clock,
        draw: random.Random,
        reader: AnswerReader,
        counters: np.ndarray,
    ) -> None:
        subscriptions = tuple(
            msgspec.json.encode({"method": "subscribe", "subscription": {"type": kind, "user": account}})
            for kind in ("orderUpdates", "userFills")
        )
        endpoint = Endpoint(endpoint_url, subscriptions, PING, awaits_first=True)
        self._connection = Connection(endpoint, feed, clock, draw, self._on_frame, self._on_state)
        self._parse = msgspec.json.Decoder(_Updates | _Fills | _Acknowledged | _Pong | _Error)
        self._reader = reader
        self._counters = counters
        self.on_answers: Callable[[list[Answer]], None] = lambda answers: None
        self.on_change: Callable[[], None] = lambda: None
        self.live = False
        self.unreadable = False

    async def run(self, stop: asyncio.Event) -> None:
        """Stay subscribed until `stop`."""
        await self._connection.run(stop)

    def _on_frame(self, frame: bytes, local_ts_ns: int) -> bool:
        if frame == _GREETING:
            return False
        try:
            message = self._parse.decode(frame)
            if isinstance(message, _Fills):
                return self._fills(message.data)
            if isinstance(message, _Updates):
                self._deliver([self._reader.update(update) for update in message.data])
                return True
        except (ValueError, RecursionError) as error:
            self._counters[Counter.MALFORMED] += 1
            logger.error("user stream: {}: {!r}; reconciling", error, frame[:300])
            self.unreadable = True
            self.on_change()
            return False
        if isinstance(message, _Error):
            self._counters[Counter.REJECTS] += 1
            logger.error("user stream: the venue says: {}", message.data[:300])
        return self.live and isinstance(message, _Pong)  # an account may be quiet for hours

    def _fills(self, data: _FillsData) -> bool:
        # The first message repeats old fills, over and over; reconciliation asks for the missed ones.
        if not data.isSnapshot:
            self._deliver([self._reader.fill(fill) for fill in data.fills])
        if not self.live:
            self.live = True
            self.on_change()
        return True

    def _deliver(self, answers: list[Answer | None]) -> None:
        self.on_answers([answer for answer in answers if answer is not None])

    def _on_state(self, state: FeedState) -> None:
        if state == FeedState.GAPPED and self.live:
            self.live = False
            self.on_change()
