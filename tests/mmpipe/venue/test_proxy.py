"""The chaos proxy over real sockets: it changes nothing unless told to, and then exactly what it was told."""

import asyncio
import random

import aiohttp
import pytest
from aiohttp import WSMsgType
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mmpipe.clock import MonotonicClock
from mmpipe.errors import PreflightError, UsageError
from mmpipe.venue import proxy, proxy_tunnel
from mmpipe.venue.proxy import ChaosProxy
from mmpipe.venue.proxy_faults import Fault

from .proxied import Scene, SpokenVenue, played, until

FRAMES = 10_000


def drawn_frames(count: int) -> list[bytes]:
    draw = random.Random(3)
    sizes = [draw.choice((0, 1, 125, 126, 300, 2_000)) for _ in range(count)]
    sizes[7], sizes[11] = 65_535, 65_536
    return [draw.randbytes(size) for size in sizes]


def test_ten_thousand_frames_each_way_are_the_same_bytes() -> None:
    frames = drawn_frames(FRAMES)  # most are no UTF-8, which is not the proxy's business

    async def story(scene: Scene) -> None:
        async with scene.joined():

            async def speak() -> None:
                for i, frame in enumerate(frames):
                    kind = WSMsgType.BINARY if i % 3 else WSMsgType.TEXT
                    await scene.socket.send_frame(frame, kind)

            async def answer() -> None:
                for frame in frames:
                    await scene.client.send(frame)

            speaking = asyncio.gather(speak(), answer())
            assert await scene.hear(FRAMES) == frames
            await speaking
            await until(lambda: len(scene.venue.heard) == FRAMES)
            assert scene.venue.heard == frames
        assert scene.proxy.idle()
        assert scene.proxy.injected == {}
        assert scene.proxy.history == []

    played(story)


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "going"), (4001, "because")])
def test_close_codes_pass_in_both_directions(code: int, reason: str) -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            closing = asyncio.create_task(scene.socket.close(code=code, message=reason.encode()))
            with pytest.raises(ConnectionClosed) as caught:
                await scene.client.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, reason)
            await closing
        async with scene.joined():
            await scene.client.close(code, reason)
            await until(lambda: len(scene.venue.closed) == 2)
        assert scene.venue.closed[1] == code

    played(story)


def test_a_connection_that_ends_without_a_word_does_so_on_the_other_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxy_tunnel, "CLOSE_TIMEOUT_S", 3_600.0)  # nobody waits for it

    async def story(scene: Scene) -> None:
        async with scene.joined():
            await scene.say(b"before")
            scene.venue.transports[-1].abort()
            assert await scene.hear(1) == [b"before"]
            with pytest.raises(ConnectionClosed) as caught:
                await scene.client.recv()
            assert caught.value.rcvd is None
        async with scene.joined():
            scene.client.transport.abort()
            await until(lambda: len(scene.venue.closed) == 2)
        assert scene.venue.closed[1] != 1000

    played(story)


def test_pings_are_answered_by_the_venue_itself() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined():
            assert await (await scene.client.ping(b"are you there")) >= 0.0
            await scene.socket.ping(b"and you?")
            assert await scene.hears_nothing_more()

    played(story)


def test_protocols_and_queries_reach_the_venue() -> None:
    async def story(scene: Scene) -> None:
        async with scene.joined("/ws?streams=a@b/c%20d", subprotocols=["two", "one"]):
            assert scene.client.subprotocol == "one"
        async with aiohttp.ClientSession() as session:
            url = scene.proxy.url + "/info/x%2Fy?symbol=BTC%20USDT&limit=5"
            async with session.put(url, data=b"\x00\xffbody", headers={"X-Key": "k"}) as answer:
                assert (answer.status, await answer.read()) == (418, b"ydob\xff\x00")
                assert answer.headers["X-Weight"] == "20"
                assert answer.headers["Content-Type"] == "a/b"
        ((method, path, body, headers),) = scene.venue.requests
        assert (method, path, body) == ("PUT", "/info/x%2Fy?symbol=BTC%20USDT&limit=5", b"\x00\xffbody")
        assert headers["X-Key"] == "k"
        assert headers["Host"] not in scene.proxy.url

    played(story)


def test_refusals_and_silence_are_the_venue_s() -> None:
    async def story(scene: Scene) -> None:
        url = scene.proxy.url.replace("http", "ws")
        with pytest.raises(InvalidStatus) as caught:
            await connect(url + "/refused", proxy=None)
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "7"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.get(scene.proxy.url + "/cut")

    played(story)


def test_a_venue_that_is_not_there_is_not_answered_for() -> None:
    async def main() -> None:
        venue = SpokenVenue()
        async with venue.open() as url:
            pass
        alone = ChaosProxy(url, 1, MonotonicClock())
        await alone.start("127.0.0.1", 0)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await session.post(alone.url + "/info")
        await alone.close()

    asyncio.run(main())


def test_a_port_in_use_is_refused_by_name() -> None:
    async def story(scene: Scene) -> None:
        port = int(scene.proxy.url.rpartition(":")[2])
        with pytest.raises(PreflightError, match=rf"proxy: 127\.0\.0\.1:{port} is in use"):
            await ChaosProxy("http://127.0.0.1:1", 1, MonotonicClock()).start("127.0.0.1", port)

    played(story)


def test_closing_the_proxy_cuts_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CLOSE_TIMEOUT_S", 3_600.0)  # nobody waits for it

    async def story(scene: Scene) -> None:
        async with scene.joined():
            await scene.proxy.close()
            with pytest.raises(ConnectionClosed):
                await scene.client.recv()
            await until(lambda: scene.venue.closed)

    played(story)


def test_a_fault_that_does_not_exist_is_refused() -> None:
    unused = ChaosProxy("http://127.0.0.1:1", 1, MonotonicClock())
    with pytest.raises(UsageError, match="'flood' does not exist; choose one of: drop, "):
        unused.schedule(Fault("flood"))
    assert unused.idle()
