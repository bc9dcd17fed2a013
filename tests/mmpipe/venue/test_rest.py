"""HTTP: answers, and one error for every way of having none."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from mmpipe.venue import rest
from mmpipe.venue.rest import RestClient, RestError, fetch_info

Handler = Callable[[web.Request], Awaitable[web.Response]]


async def served(handler: Handler) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_post("/info", handler)
    app.router.add_post("/exchange", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def hang(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def refuse(request: web.Request) -> web.Response:
    return web.Response(status=429, text="slow down")


def asked(handler: Handler, timeout_s: float = 5.0) -> bytes:
    async def main() -> bytes:
        runner, url = await served(handler)
        try:
            async with RestClient(url + "/", timeout_s) as client:
                assert await client.exchange(b"{}") is not None
                return await client.info({"type": "meta"})
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def test_the_body_comes_back() -> None:
    assert asked(echo) == b'{"type":"meta"}'


def test_a_status_other_than_200_is_an_error_with_its_text() -> None:
    with pytest.raises(RestError, match="HTTP 429: slow down"):
        asked(refuse)


def test_a_late_answer_is_an_error() -> None:
    with pytest.raises(RestError, match="Timeout"):
        asked(hang, timeout_s=0.1)


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "ANSWER_SIZE_MAX", 100)

    async def flood(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 101)

    with pytest.raises(RestError, match="more than 100 bytes"):
        asked(flood)


def test_nobody_there_is_an_error() -> None:
    async def main() -> None:
        async with RestClient("http://127.0.0.1:1", 1.0) as client:
            await client.info({})

    with pytest.raises(RestError, match=r"127\.0\.0\.1:1/info"):
        asyncio.run(main())


def test_a_closed_client_says_so() -> None:
    with pytest.raises(RestError, match="not open"):
        asyncio.run(RestClient("http://127.0.0.1:1", 1.0).info({}))


def test_fetch_info_decodes_and_refuses() -> None:
    async def main() -> None:
        runner, url = await served(echo)
        try:
            assert await asyncio.to_thread(fetch_info, url, {"type": "meta"}, 5.0) == {"type": "meta"}
        finally:
            await runner.cleanup()
        with pytest.raises(RestError, match="venue runs"):
            await asyncio.to_thread(fetch_info, url, {}, 1.0)

    asyncio.run(main())
    with pytest.raises(RestError, match="not an http URL"):
        fetch_info("file:///etc", {}, 1.0)
