"""The port: frames as documented, errors as documented, and bad input that changes nothing."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.errors import PreflightError
from mmpipe.venue.hyperliquid_signing import Signer
from tests.mmpipe.venue.sim.running import RunningVenue
from tests.mmpipe.venue.sim.trader import KEYS, MASTER, order, place

UNREADABLE = "Failed to deserialize the JSON body into the target type"
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    with RunningVenue() as running:
        yield running.url


def run(scenario: Callable[[aiohttp.ClientSession], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with aiohttp.ClientSession() as session, asyncio.timeout(TIMEOUT_S):
            return await scenario(session)

    return asyncio.run(main())


@asynccontextmanager
async def socket_to(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Any]:
    async with session.ws_connect(url, max_msg_size=0) as socket:
        yield socket


async def until(socket: Any, wanted: Callable[[Any], bool]) -> Any:
    async for message in socket:
        frame = json.loads(message.data)
        if wanted(frame):
            return frame
    raise AssertionError("the socket closed")


def channel(name: str) -> Callable[[Any], bool]:
    return lambda frame: frame.get("channel") == name


def subscription(**fields: Any) -> dict[str, Any]:
    return {"method": "subscribe", "subscription": fields}


def test_acknowledgement_echoes_what_the_venue_understood(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            await socket.send_json(subscription(type="l2Book", coin="BTC", fast=True))
            data = (await until(socket, channel("subscriptionResponse")))["data"]
            echo = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": True}
            assert data == {"method": "subscribe", "subscription": echo}
            book = (await until(socket, channel("l2Book")))["data"]
            assert book["fast"] is True
            assert [len(side) for side in book["levels"]] == [5, 5]
            await socket.send_json(subscription(type="l2Book", coin="BTC", fast=True))
            again = await until(socket, channel("error"))
            assert again["data"].startswith("Already subscribed: {")
            await socket.send_json({"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}})
            never = await until(socket, channel("error"))
            assert never["data"].startswith("Already unsubscribed: {")
            await socket.send_json({"method": "ping"})
            assert await until(socket, channel("pong")) == {"channel": "pong"}

    run(scenario)


def test_bbo_never_repeats_and_time_never_goes_back(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            await socket.send_json(subscription(type="bbo", coin="ETH"))
            frames = [(await until(socket, channel("bbo")))["data"] for _ in range(12)]
            quotes = [frame["bbo"] for frame in frames]
            assert all(a != b for a, b in pairwise(quotes))
            times = [frame["time"] for frame in frames]
            assert times == sorted(times)
            assert all(float(bid["px"]) < float(ask["px"]) for bid, ask in quotes)

    run(scenario)


def test_trades_come_with_history_and_never_twice(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            await socket.send_json(subscription(type="trades", coin="BTC"))
            first = (await until(socket, channel("trades")))["data"]
            assert 0 < len(first) <= 30
            later = [t for _ in range(4) for t in (await until(socket, channel("trades")))["data"]]
            tids = [trade["tid"] for trade in first + later]
            assert tids == sorted(set(tids))

    run(scenario)


def post_action(action: dict[str, Any], number: int, nonce: int) -> dict[str, Any]:
    signature = Signer(KEYS.risk, False).sign(action, nonce, None)
    payload = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}
    return {"method": "post", "id": number, "request": {"type": "action", "payload": payload}}


def test_posts_answer_by_id_and_refusals_are_actions(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            request = {"type": "info", "payload": {"type": "l2Book", "coin": "BTC"}}
            await socket.send_json({"method": "post", "id": 1, "request": request})
            data = (await until(socket, channel("post")))["data"]
            assert data["id"] == 1
            assert data["response"]["type"] == "info"
            assert data["response"]["payload"]["type"] == "l2Book"
            assert data["response"]["payload"]["data"]["coin"] == "BTC"
            now_ms = data["response"]["payload"]["data"]["time"]
            await socket.send_json(post_action(place(order("99000", "0.001")), 2, now_ms))
            done = (await until(socket, channel("post")))["data"]
            assert done["id"] == 2
            statuses = done["response"]["payload"]["response"]["data"]["statuses"]
            oid = statuses[0]["resting"]["oid"]
            await socket.send_json(
                post_action({"type": "cancel", "cancels": [{"a": 0, "o": oid}]}, 3, now_ms)
            )
            refused = (await until(socket, channel("post")))["data"]["response"]
            assert refused["type"] == "action"
            assert refused["payload"]["status"] == "err"
            assert refused["payload"]["response"] == f"Invalid nonce: duplicate nonce {now_ms}"
            action = {"type": "cancel", "cancels": [{"a": 0, "o": oid}], "f": True}
            await socket.send_json(post_action(action, 4, now_ms + 1))
            payload = (await until(socket, channel("post")))["data"]["response"]["payload"]
            assert payload["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}
            await socket.send_json({"method": "post", "id": 5, "request": {"type": "action", "payload": {}}})
            malformed = (await until(socket, channel("post")))["data"]["response"]
            assert malformed == {"type": "error", "payload": UNREADABLE}

    run(scenario)


@pytest.mark.parametrize("fields", [{"coin": "btc"}, {"coin": "DOGE"}, {"coin": "BTC", "nSigFigs": 99}])
def test_unknown_coin_is_hung_up_on(venue: str, fields: dict[str, Any]) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            await socket.send_json(subscription(type="l2Book", **fields))
            message = await socket.receive()
            assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
            assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE

    run(scenario)


def test_lead_streams_live_on_their_route_only(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        streams = "btcusdt@bookTicker/btcusdt@aggTrade"
        async with (
            socket_to(session, f"{venue}/public/stream?streams={streams}") as public,
            socket_to(session, f"{venue}/market/stream") as market,
        ):
            frames = [json.loads((await public.receive()).data) for _ in range(20)]
            assert {frame["stream"] for frame in frames} == {"btcusdt@bookTicker"}
            data = frames[0]["data"]
            assert set(data) == {"e", "u", "s", "b", "B", "a", "A", "T", "E"}
            assert data["s"] == "BTCUSDT"
            assert 0.0 < float(data["b"]) < float(data["a"])
            numbers = [frame["data"]["u"] for frame in frames]
            assert numbers == sorted(set(numbers))
            params = ["btcusdt@aggTrade", "ethusdt@bookTicker"]
            await market.send_json({"method": "SUBSCRIBE", "params": params, "id": 1})
            assert json.loads((await market.receive()).data) == {"result": None, "id": 1}
            trades = [json.loads((await market.receive()).data) for _ in range(3)]
            assert {trade["stream"] for trade in trades} == {"btcusdt@aggTrade"}
            assert isinstance(trades[0]["data"]["m"], bool)

    run(scenario)


JUNK = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe",
    b'{"type":"nope"}',
    b'{"type":1}',
    b'{"type":"l2Book"}',
    b'{"type":"openOrders","user":"0x12"}',
    b'{"type":"orderStatus","user":"0x' + b"0" * 40 + b'","oid":true}',
    b"[" * 100_000,
    b'{"type":NaN}',
    b'{"action":{},"nonce":1,"signature":{}}',
    b'{"action":{"type":"order","orders":[{"a":1e999}]},"nonce":1,"signature":{}}',
    b'{"method":"post","id":1,"request":[]}',
    b'{"method":"subscribe","subscription":[]}',
    b'{"method":{"a":[]}}',
]


def account_now(state: Any) -> Any:
    return {key: value for key, value in state.items() if key != "time"}


async def state(session: aiohttp.ClientSession, venue: str) -> Any:
    body = {"type": "clearinghouseState", "user": MASTER}
    async with session.post(venue + "/info", json=body) as response:
        return account_now(await response.json())


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("path", ["/info", "/exchange"])
def test_junk_is_answered_and_changes_nothing(venue: str, path: str, junk: bytes) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        before = await state(session, venue)
        async with session.post(venue + path, data=junk) as response:
            text = await response.text()
            if response.status == 200:
                assert json.loads(text)["status"] == "err"
            else:
                assert (response.status, text) == (422, UNREADABLE)
        assert await state(session, venue) == before

    run(scenario)


def test_junk_on_the_socket_is_an_error_frame(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with socket_to(session, venue + "/ws") as socket:
            for junk in JUNK:
                await socket.send_str(junk.decode("utf-8", "replace"))
                frame = await until(socket, channel("error"))
                assert frame["data"].startswith("Error parsing JSON into valid websocket request: ")
            await socket.send_bytes(b"\x00")
            await until(socket, channel("error"))

    run(scenario)


def test_oversized_requests_are_refused(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        async with session.post(venue + "/info", data=io.BytesIO(b" " * (1 << 20 | 1))) as response:
            assert response.status == 413
        async with socket_to(session, venue + "/ws") as socket:
            await socket.send_str(" " * (1 << 20 | 1))
            assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
            # The reset may overtake the close frame while the client is still sending.
            assert socket.close_code in (
                aiohttp.WSCloseCode.MESSAGE_TOO_BIG,
                aiohttp.WSCloseCode.ABNORMAL_CLOSURE,
            )
        await state(session, venue)

    run(scenario)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS_SEEN = st.sampled_from(
    ["type", "coin", "user", "oid", "action", "nonce", "signature", "orders", "method", "id", "request"]
)
BODIES = st.dictionaries(
    KEYS_SEEN, VALUES | st.sampled_from(["order", "l2Book", "post", "subscribe", MASTER])
)


@settings(max_examples=15, deadline=None)
@given(st.lists(BODIES, min_size=1, max_size=20))
def test_any_json_is_survived(venue: str, bodies: list[Any]) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        before = await state(session, venue)
        for body in bodies:
            for path in ("/info", "/exchange"):
                async with session.post(venue + path, data=json.dumps(body)) as response:
                    assert response.status in {200, 422}
        assert await state(session, venue) == before

    run(scenario)


def test_port_in_use_is_one_clear_line(venue: str) -> None:
    port = int(venue.rsplit(":", 1)[1])
    text = f"127.0.0.1:{port} is in use; stop what listens"
    with pytest.raises(PreflightError, match=text), RunningVenue(port=port):
        pass


def test_client_that_leaves_is_forgotten(venue: str) -> None:
    async def scenario(session: aiohttp.ClientSession) -> None:
        for _ in range(5):
            async with socket_to(session, venue + "/ws") as socket:
                await socket.send_json(subscription(type="bbo", coin="BTC"))
                await until(socket, channel("bbo"))
                socket._response.connection.transport.abort()
        await state(session, venue)

    run(scenario)
