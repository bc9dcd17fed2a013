"""Every kind of fault over real sockets: what the client received, frame by frame, and what was counted."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from aiohttp import WSMsgType
from websockets.exceptions import ConnectionClosed

from mmpipe.venue.proxy_tunnel import HELD_MAX_MS, QUEUE_MAX, wire_of

from .proxied import OVERSIZE, Scene, played, until

BBO, ETH, FAST = "bbo:BTC", "bbo:ETH", "l2Book.fast:BTC"


def bbo(number: int, coin: str = "BTC") -> bytes:
    return b'{"channel":"bbo","data":{"coin":"%s","time":%d,"bbo":[{"px":"1.5","sz":"2"},null]}}' % (
        coin.encode(),
        number,
    )


def book(number: int) -> bytes:
    return b'{"channel":"l2Book","data":{"coin":"BTC","time":%d,"fast":true}}' % number


def injected(scene: Scene) -> dict[tuple[str, str], int]:
    """What was counted; it agrees with the history."""
    counted: dict[tuple[str, str], int] = {}
    for _, kind, stream in scene.proxy.history:
        counted[kind, stream] = counted.get((kind, stream), 0) + 1
    assert counted == scene.proxy.injected
    stamps = [ts_ns for ts_ns, _, _ in scene.proxy.history]
    assert stamps == sorted(stamps)
    return counted


def test_drop_takes_the_next_frames_of_its_stream_only() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("drop", BBO, count=2)
            await scene.say(bbo(1, "ETH"), bbo(1), book(1), bbo(2), bbo(3))
            assert await scene.hear(3) == [bbo(1, "ETH"), book(1), bbo(3)]
            assert await scene.hears_nothing_more()
        assert injected(scene) == {("drop", BBO): 2}
        assert scene.proxy.idle()

    played(story)


def test_duplicate_comes_twice() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("duplicate", FAST)
            await scene.say(bbo(1), book(1), book(2))
            assert await scene.hear(4) == [bbo(1), book(1), book(1), book(2)]
            assert await scene.hears_nothing_more()
        assert injected(scene) == {("duplicate", FAST): 1}

    played(story)


def test_reorder_lets_the_next_of_its_stream_pass_first() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("reorder", BBO, count=2)
            await scene.say(bbo(1), book(1), bbo(1, "ETH"), bbo(2), bbo(3), book(2), bbo(4), bbo(5))
            heard = await scene.hear(8)
            assert heard == [book(1), bbo(1, "ETH"), bbo(2), bbo(1), book(2), bbo(4), bbo(3), bbo(5)]
            assert await scene.hears_nothing_more()
        assert injected(scene) == {("reorder", BBO): 2}

    played(story)


@pytest.mark.parametrize("duration_ms", [200, 0])
def test_a_held_frame_that_nothing_follows_comes_in_the_end(duration_ms: int) -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("reorder", BBO, duration_ms=duration_ms)
            begun_s = time.monotonic()
            await scene.say(bbo(1), book(1))
            assert await scene.hear(1) == [book(1)]
            idle = scene.proxy.idle()
            held_s = (duration_ms or HELD_MAX_MS) / 1e3
            assert not idle or time.monotonic() - begun_s >= held_s
            assert await scene.hear(1) == [bbo(1)]
            assert time.monotonic() - begun_s >= held_s * 0.99
            assert scene.proxy.idle()

    played(story)


def test_a_held_frame_waits_for_one_that_passes_not_for_one_that_vanishes() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("drop", BBO)
            scene.schedule("reorder", BBO)
            scene.schedule("drop", BBO)
            await scene.say(bbo(1), bbo(2), bbo(3), bbo(4))
            assert await scene.hear(2) == [bbo(4), bbo(2)]
            assert await scene.hears_nothing_more()
        assert injected(scene) == {("drop", BBO): 2, ("reorder", BBO): 1}

    played(story)


def test_delay_holds_the_socket_and_keeps_the_order() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("delay", BBO, duration_ms=1_500)
            begun_s = time.monotonic()
            await scene.say(book(1), bbo(1), book(2), bbo(2))
            assert await scene.hear(1) == [book(1)]
            await scene.client.send("still heard")
            await until(lambda: scene.venue.heard)
            assert not scene.proxy.idle()
            assert time.monotonic() - begun_s < 1.5, "the other direction does not wait"
            assert await scene.hear(3) == [bbo(1), book(2), bbo(2)]
            assert time.monotonic() - begun_s >= 1.499
            assert scene.proxy.idle()
        assert injected(scene) == {("delay", BBO): 1}

    played(story)


def test_more_than_fits_waits_at_the_venue_and_comes_in_order() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("delay", BBO, duration_ms=200)
            frames = [bbo(i) for i in range(3 * QUEUE_MAX)]
            speaking = asyncio.create_task(scene.say(*frames))
            assert await scene.hear(len(frames)) == frames
            await speaking

    played(story)


def test_corrupt_damages_the_frame_and_says_how() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("corrupt", BBO, count=20)
            await scene.say(*(bbo(i) for i in range(21)))
            heard = await scene.hear(21)
        assert all(frame != bbo(i) for i, frame in enumerate(heard[:20]))
        assert heard[20] == bbo(20)
        assert injected(scene) == {("corrupt", BBO): 20}
        assert len(scene.proxy.damages) == 20
        assert len({text.split()[0] for _, _, text in scene.proxy.damages}) > 2

    played(story)


def test_stall_silences_one_stream_for_its_time() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("stall", BBO, duration_ms=1_000)
            begun_s = time.monotonic()
            await scene.say(bbo(1), book(1), bbo(2), bbo(1, "ETH"), bbo(3))
            assert await scene.hear(2) == [book(1), bbo(1, "ETH")]
            idle = scene.proxy.idle()
            assert not idle or time.monotonic() - begun_s >= 1.0
            await until(scene.proxy.idle)
            await scene.say(bbo(4))
            assert await scene.hear(1) == [bbo(4)]
        assert injected(scene) == {("stall", BBO): 1}

    played(story)


def test_half_open_passes_nothing_either_way_and_keeps_the_connection() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("half_open", BBO, duration_ms=200)
            begun_s = time.monotonic()
            await scene.say(bbo(1), book(1))
            await until(lambda: scene.proxy.injected)
            await scene.client.send("hello?")
            ponged = await scene.client.ping()
            assert await scene.hear(2) == [bbo(1), book(1)]
            assert time.monotonic() - begun_s >= 0.199
            await ponged
            assert scene.venue.heard == ["hello?"]
        assert injected(scene) == {("half_open", BBO): 1}

    played(story)


def test_a_client_that_gives_a_half_open_connection_up_is_let_go() -> None:
    async def story(scene: Scene) -> None:
        for give_up in (scene_close, scene_abort):
            async with scene.joined():
                scene.schedule("half_open", BBO, duration_ms=3_600_000)
                await scene.say(bbo(1))
                await until(lambda: not scene.proxy._plan.is_waiting)
                before = len(scene.venue.closed)
                await give_up(scene)
                await until(lambda before=before: len(scene.venue.closed) > before)
            await until(scene.proxy.idle)

    played(story)


async def scene_close(scene: Scene) -> None:
    await scene.client.close()


async def scene_abort(scene: Scene) -> None:
    scene.client.transport.abort()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_reset_is_a_reset_below_the_socket(run: Callable[[Any], Any]) -> None:
    async def story(scene: Scene) -> None:
        reader, writer = await upgraded(scene)
        scene.schedule("reset", BBO)
        await scene.say(book(1), bbo(1), book(2))
        with pytest.raises(ConnectionResetError):
            await reader.read(-1)
        writer.transport.abort()
        await until(lambda: scene.venue.closed)
        assert scene.proxy.injected == {("reset", BBO): 1}
        assert scene.proxy.idle()

    played(story, run)


async def upgraded(scene: Scene) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that sees bytes."""
    where = urlsplit(scene.proxy.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    scene.socket = await scene.venue.sockets.get()
    return reader, writer


def test_slice_dribbles_the_bytes_of_the_frame() -> None:
    async def story(scene: Scene) -> None:
        reader, writer = await upgraded(scene)
        scene.schedule("slice", BBO, duration_ms=400)
        begun_s = time.monotonic()
        await scene.say(bbo(1), book(1))
        wanted = wire_of(bbo(1), WSMsgType.TEXT) + wire_of(book(1), WSMsgType.TEXT)
        pieces: list[bytes] = []
        while len(b"".join(pieces)) < len(wanted):
            pieces.append(await reader.read(4_096))
        assert b"".join(pieces) == wanted
        assert len(pieces) > 10
        assert time.monotonic() - begun_s > 0.38
        assert scene.proxy.injected == {("slice", BBO): 1}
        writer.transport.abort()

    played(story)


def test_a_sliced_frame_is_whole_to_who_waits() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("slice", BBO, count=3, duration_ms=20)
            frames = [bbo(1), book(1), bbo(2), bbo(3), book(2)]
            await scene.say(*frames)
            assert await scene.hear(5) == frames

    played(story)


def test_oversize_is_more_than_the_client_takes() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("oversize", BBO)
            await scene.say(book(1), bbo(1))
            assert await scene.hear(1) == [book(1)]
            with pytest.raises(ConnectionClosed) as caught:
                await scene.hear(1)
            assert caught.value.sent is not None
            assert caught.value.sent.code == 1009
        async with scene.joined(max_size=None):
            scene.schedule("oversize", BBO)
            await scene.say(bbo(1))
            assert await scene.hear(1) == [bbo(1).ljust(OVERSIZE)]
        assert injected(scene) == {("oversize", BBO): 2}

    played(story)


def test_a_path_narrows_a_fault_to_its_sockets() -> None:
    async def story(scene: Scene) -> None:
        scene.schedule("drop", "btcusdt@bookTicker", path="/lead-spot")
        frame = b'{"stream":"btcusdt@bookTicker","data":{"u":1}}'
        async with scene.joined("/public/stream?streams=btcusdt@bookTicker"):
            await scene.say(frame)
            assert await scene.hear(1) == [frame]
        assert scene.proxy.injected == {}
        async with scene.joined("/lead-spot/stream"):
            await scene.say(frame)
            assert await scene.hears_nothing_more()
        assert injected(scene) == {("drop", "btcusdt@bookTicker"): 1}

    played(story)


def test_any_stream_is_any_frame_and_is_counted_by_its_own() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            scene.schedule("drop", count=3)
            await scene.say(bbo(1), book(1), b"no JSON", bbo(2))
            assert await scene.hear(1) == [bbo(2)]
        assert injected(scene) == {("drop", BBO): 1, ("drop", FAST): 1, ("drop", ""): 1}

    played(story)


def test_a_storm_loses_what_it_says_it_loses() -> None:
    # Every frame carries its number: what is missing, late or twice is what was counted.
    count, draw = 400, random.Random(5)
    kinds = ["drop", "duplicate", "reorder"] * 10
    draw.shuffle(kinds)

    async def story(scene: Scene) -> None:
        async with scene.joined():
            for kind in kinds:
                scene.schedule(kind, BBO)
            await scene.say(*(bbo(i) for i in range(count)))
            heard = await scene.hear(count - 10 + 10)
            assert await scene.hears_nothing_more()
        assert len(set(heard)) == count - 10
        swaps = sum(a > b for a, b in zip(map(number, heard), map(number, heard[1:]), strict=False))
        assert swaps == 10
        assert injected(scene) == {("drop", BBO): 10, ("duplicate", BBO): 10, ("reorder", BBO): 10}
        assert scene.proxy.idle()

    played(story)


def number(frame: bytes) -> int:
    return int(frame.split(b'"time":')[1].split(b",")[0])


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_by_hand_is_the_one_the_library_writes(size: int) -> None:
    payload = bytes(size)

    async def story(scene: Scene) -> bytes:
        reader, writer = await upgraded(scene)
        await scene.say(payload)
        data = await reader.readexactly(len(wire_of(payload, WSMsgType.TEXT)))
        writer.transport.abort()
        return data

    assert played(story) == wire_of(payload, WSMsgType.TEXT)
