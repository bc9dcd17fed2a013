"""The resilient socket against small servers that misbehave in one way each."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from mmpipe.clock import MonotonicClock
from mmpipe.config import FeedConfig, load
from mmpipe.enums import FeedState
from mmpipe.errors import VenueError
from mmpipe.venue.connection import Connection, Endpoint

QUICK = {
    "feed.first_message_timeout_ms": 300, "feed.ping_interval_s": 1.0, "feed.reconnect_min_ms": 10,
    "feed.reconnect_max_ms": 40, "feed.message_size_max": 1_024, "feed.connects_per_min_max": 100,
}  # fmt: skip


def feed_config(**changes: object) -> FeedConfig:
    path = Path(__file__).parents[3] / "pipeline.toml"
    return load(path, QUICK | {f"feed.{key}": value for key, value in changes.items()}).feed


FEED = feed_config()
Behaviour = Callable[[ServerConnection, int], Awaitable[None]]


class Watched:
    """A connection with everything it said."""

    def __init__(self, url: str, feed: FeedConfig = FEED, **changes: object) -> None:
        self.frames: list[bytes] = []
        self.states: list[FeedState] = []
        endpoint = {"subscriptions": (b"one", b"two"), "ping": b"ping", "awaits_first": False, **changes}
        self.connection = Connection(
            Endpoint(url=url, **endpoint),
            feed,
            MonotonicClock(),
            random.Random(1),
            self.on_frame,
            self.states.append,
        )

    def on_frame(self, frame: bytes, local_ts_ns: int) -> bool:
        assert local_ts_ns > 0
        self.frames.append(frame)
        return frame != b"ack"


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def played(behaviour: Behaviour, condition: Callable[[Watched], bool], **changes: object) -> Watched:
    async def main() -> Watched:
        count = 0

        async def handler(socket: ServerConnection) -> None:
            nonlocal count
            count += 1
            with suppress(ConnectionClosed):
                await behaviour(socket, count)

        async with serve(handler, "127.0.0.1", 0, close_timeout=0.1) as server:
            port = server.sockets[0].getsockname()[1]
            watched = Watched(f"ws://127.0.0.1:{port}", **changes)
            stop = asyncio.Event()
            task = asyncio.create_task(watched.connection.run(stop))
            await until(lambda: task.done() or condition(watched))
            if task.done():
                task.result()
            stop.set()
            await asyncio.wait_for(task, 2.0)
            assert not watched.connection.connected
            return watched

    return uvloop.run(main())


async def greet(socket: ServerConnection, number: int) -> None:
    for _ in range(2):
        await socket.send(await socket.recv())
    await socket.wait_closed()


def test_subscriptions_go_out_in_order_and_frames_come_in() -> None:
    watched = played(greet, lambda w: len(w.frames) == 2)
    assert watched.frames == [b"one", b"two"]
    assert watched.states == [FeedState.SYNCING, FeedState.GAPPED]
    assert watched.connection.reconnects == 0


def test_a_dropped_socket_is_replaced_and_both_are_said() -> None:
    async def hang_up(socket: ServerConnection, number: int) -> None:
        assert [await socket.recv(), await socket.recv()] == ["one", "two"]
        await socket.send(f"hello {number}")
        if number < 3:
            socket.transport.abort()
        await socket.wait_closed()

    watched = played(hang_up, lambda w: b"hello 3" in w.frames)
    assert watched.states == [FeedState.SYNCING, FeedState.GAPPED] * 3
    assert watched.connection.reconnects == 2


def test_an_acknowledged_but_silent_subscription_is_given_up() -> None:
    async def ack(socket: ServerConnection, number: int) -> None:
        await socket.send("ack" if number == 1 else "news")
        await socket.wait_closed()

    watched = played(ack, lambda w: b"news" in w.frames, awaits_first=True)
    assert watched.connection.reconnects == 1


def test_pings_keep_a_quiet_socket_and_silence_ends_it() -> None:
    async def pong(socket: ServerConnection, number: int) -> None:
        async for message in socket:
            if message == "ping" and number == 1:
                await socket.send("pong")
                await socket.wait_closed()

    watched = played(pong, lambda w: w.connection.reconnects == 1, awaits_first=False)
    assert watched.frames == [b"pong"]


def test_frames_without_use_do_not_keep_a_stream_that_must_flow() -> None:
    async def turn_useless(socket: ServerConnection, number: int) -> None:
        await socket.send(f"news {number}")
        while True:
            await socket.send("ack")
            await asyncio.sleep(0.05)

    watched = played(turn_useless, lambda w: b"news 2" in w.frames, awaits_first=True)
    assert watched.connection.reconnects == 1


def test_too_large_a_frame_ends_the_connection_only() -> None:
    async def shout(socket: ServerConnection, number: int) -> None:
        await socket.send("x" * 2_000 if number == 1 else "small")
        await socket.wait_closed()

    assert played(shout, lambda w: b"small" in w.frames).frames == [b"small"]


def test_a_loss_is_only_said_of_what_was_subscribed(monkeypatch: pytest.MonkeyPatch) -> None:
    sends: list[bytes] = []
    send = Connection.send

    async def fail_first(self: Connection, message: bytes) -> None:
        sends.append(message)
        if len(sends) == 1:
            raise ConnectionError("gone")
        await send(self, message)

    monkeypatch.setattr(Connection, "send", fail_first)
    watched = played(greet, lambda w: len(w.frames) == 2)
    assert watched.states == [FeedState.SYNCING, FeedState.GAPPED]
    assert watched.connection.reconnects == 1


def test_drop_reconnects() -> None:
    dropped: list[int] = []

    def once(watched: Watched) -> bool:
        if len(watched.frames) == 2 and not dropped:
            dropped.append(1)
            watched.connection.drop()
        return len(watched.frames) == 4

    assert played(greet, once).connection.reconnects == 1


def test_an_exception_in_a_callback_leaves_run() -> None:
    async def main() -> None:
        def on_frame(frame: bytes, local_ts_ns: int) -> bool:
            raise AssertionError("broken invariant")

        async def talk(socket: ServerConnection) -> None:
            await socket.send("x")
            await socket.wait_closed()

        async with serve(talk, "127.0.0.1", 0, close_timeout=0.1) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            endpoint = Endpoint(url, (), b"", False)
            connection = Connection(
                endpoint, FEED, MonotonicClock(), random.Random(1), on_frame, lambda s: None
            )
            await asyncio.wait_for(connection.run(asyncio.Event()), 5.0)

    with pytest.raises(AssertionError, match="broken invariant"):
        uvloop.run(main())


def test_nobody_there_is_tried_again_until_stopped() -> None:
    async def main() -> None:
        watched = Watched("ws://127.0.0.1:1")
        stop = asyncio.Event()
        task = asyncio.create_task(watched.connection.run(stop))
        await until(lambda: watched.connection.reconnects >= 3)
        with pytest.raises(ConnectionError, match="not connected"):
            await watched.connection.send(b"x")
        stop.set()
        await asyncio.wait_for(task, 1.0)
        assert watched.states == []

    uvloop.run(main())


def test_a_url_that_is_none_is_the_operators_error() -> None:
    with pytest.raises(VenueError, match="correct the URL"):
        uvloop.run(Watched("http://127.0.0.1:1").connection.run(asyncio.Event()))


def test_the_wait_doubles_to_its_bound_with_jitter_of_the_seed() -> None:
    waits = [Watched("ws://x").connection._next_wait_s for _ in range(2)]
    first, second = ([wait() for _ in range(6)] for wait in waits)
    assert first == second
    for wait_s, bound_s in zip(first, (0.01, 0.02, 0.04, 0.04, 0.04, 0.04), strict=True):
        assert bound_s / 2 <= wait_s <= bound_s


async def hang_up_at_once(socket: ServerConnection, number: int) -> None:
    socket.transport.abort()


def test_a_connection_that_is_cut_off_again_and_again_stays_within_its_budget() -> None:
    budget = 3
    started_s = time.monotonic()
    watched = played(
        hang_up_at_once,
        lambda w: time.monotonic() - started_s > 1.0,  # ten times what the back-off alone would need
        feed=feed_config(connects_per_min_max=budget),
    )
    assert watched.connection.reconnects == budget
    freely = played(hang_up_at_once, lambda w: w.connection.reconnects > 3 * budget)
    assert freely.connection.reconnects > 3 * budget


def test_an_old_connection_is_replaced_before_the_venue_ends_it() -> None:
    async def chat(socket: ServerConnection, number: int) -> None:
        await socket.send(f"hello {number}")
        await socket.wait_closed()

    watched = played(
        chat, lambda w: b"hello 2" in w.frames, feed=feed_config(connection_age_max_h=0.3 / 3_600)
    )
    assert watched.states[:3] == [FeedState.SYNCING, FeedState.GAPPED, FeedState.SYNCING]
