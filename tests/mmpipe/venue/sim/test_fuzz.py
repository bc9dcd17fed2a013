"""Damaged requests and frames: no crash, no bad value accepted, no change by what was refused."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import msgspec
import pytest

from mmpipe.clock import MonotonicClock
from mmpipe.venue.sim.http_door import UNREADABLE_ERRORS, HttpDoor
from mmpipe.venue.sim.info import answer_info
from mmpipe.venue.sim.info_request import UnreadableRequestError
from mmpipe.venue.sim.socket_door import SocketDoor
from mmpipe.venue.sim.wire import Envelope, canonical
from tests.mmpipe.venue.sim.client import Client, run
from tests.mmpipe.venue.sim.mutations import ACTIONS, Mutator
from tests.mmpipe.venue.sim.running import RunningVenue
from tests.mmpipe.venue.sim.trader import MASTER, WALL_MS, Trader
from tests.mmpipe.venue.sim.world import Listener, Publisher

LONG = pytest.mark.long
MEANT = [canonical(action) for action in ACTIONS]


def take_actions(trader: Trader, count: int, seed: int) -> int:
    """Send damaged actions to the door; how many it took. Each one taken was meant by its signer."""
    mutator, taken = Mutator(seed, WALL_MS), 0
    for _ in range(count):
        try:
            envelope = msgspec.convert(msgspec.json.decode(mutator.action()), Envelope)
            refused = trader.exchange.admit(envelope, trader.ts_ms, lambda _: None)
        except UNREADABLE_ERRORS:
            continue
        if refused is None:
            taken += 1
            assert canonical(envelope.action) in MEANT, envelope
            assert envelope.nonce > WALL_MS
            assert envelope.expiresAfter is None
        else:
            assert refused["status"] == "err"
            assert isinstance(refused["response"], str)
    return taken


@pytest.mark.parametrize("count", [50_000, pytest.param(500_000, marks=LONG)])
def test_damaged_actions_change_nothing(count: int) -> None:
    trader = Trader()
    before = trader.exchange.state_hash()
    taken = take_actions(trader, count, 7)
    assert 0 < taken <= 200  # damage that did not touch what was signed, once per nonce
    assert trader.exchange.state_hash() == before
    assert not trader.account.open
    trader.run(5)  # what was taken is processed like any other


@pytest.mark.parametrize("count", [20_000, pytest.param(200_000, marks=LONG)])
def test_damaged_questions_are_answered_or_refused(count: int) -> None:
    trader = Trader()
    desk = Publisher(trader.exchange).desk
    before, mutator, answered = trader.exchange.state_hash(), Mutator(8, WALL_MS), 0
    for _ in range(count):
        try:
            answer = answer_info(desk, msgspec.json.decode(mutator.info()))
        except (UnreadableRequestError, *UNREADABLE_ERRORS):
            continue
        answered += 1
        if answered % 50 == 0:
            msgspec.json.encode(answer)
    assert count // 60 < answered < count
    assert trader.exchange.state_hash() == before


class Ear(Listener):
    """A session that can be cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = 0

    def abort(self) -> None:
        self.cut += 1


@pytest.mark.parametrize("count", [20_000, pytest.param(200_000, marks=LONG)])
def test_damaged_frames_are_answered_or_hung_up_on(count: int) -> None:
    trader = Trader()
    world = Publisher(trader.exchange)
    http = HttpDoor(
        world.desk, trader.exchange, world.delivery, world.faults, world.clients, lambda: trader.ts_ms
    )
    door = SocketDoor(world.desk, http, world.subscriptions, world.lead, world.topics, world.faults,
                      world.clients, MonotonicClock())  # fmt: skip
    before, mutator, client = trader.exchange.state_hash(), Mutator(11, WALL_MS), world.clients.of("me")
    ear: Any = Ear()
    for number in range(count):
        said = len(ear.raw) + ear.cut
        text = mutator.frame().decode("utf-8", "replace")
        door.react(text, ear, client)
        assert json.loads(world.lead.answer("public", text, ear)) != {}
        if len(ear.raw) + ear.cut == said:  # only a post that waits for its block says nothing
            assert '"post"' in text
        if number % 500 == 0:
            world.topics.drop(ear)
            ear = Ear()
    assert trader.exchange.state_hash() == before


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=LONG)])
def test_damaged_texts_never_become_a_number(count: int) -> None:
    # Prices and sizes of signed orders: what is accepted is a plain decimal on the grid.
    trader = Trader()
    mutator = Mutator(9, WALL_MS)
    for _ in range(count // 100):
        for key in ("p", "s"):
            for value in (mutator.damaged(b'"90000.5"'), mutator.damaged(b'"0.00100"')):
                try:
                    text = json.loads(value)
                except (ValueError, RecursionError):
                    continue
                wire = {
                    "a": 0,
                    "b": True,
                    "p": "90000",
                    "s": "0.001",
                    "r": False,
                    "t": {"limit": {"tif": "Alo"}},
                }
                try:
                    items = trader.act({"type": "order", "orders": [wire | {key: text}], "grouping": "na"})
                except (*UNREADABLE_ERRORS, TypeError, OverflowError):
                    continue  # the client's own packing refuses some before they are sent
                if isinstance(items, list) and "resting" in items[0]:
                    made = trader.account.open[items[0]["resting"]["oid"]]
                    assert text.replace(".", "", 1).isascii()
                    assert text.replace(".", "", 1).isdigit()
                    exact = made.tick / 10 if key == "p" else made.lots / 100_000
                    assert float(text) == pytest.approx(exact, rel=1e-12)
                    trader.act({"type": "cancel", "cancels": [{"a": 0, "o": made.oid}]})


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=LONG)])
def test_damaged_requests_over_sockets(count: int) -> None:
    async def story(client: Client) -> Any:
        mutator = Mutator(10, time.time_ns() // 1_000_000)
        for number in range(count // 2):
            path, body = ("/info", mutator.info()) if number % 2 else ("/exchange", mutator.action())
            async with client.session.post(client.url + path, data=body) as answer:
                assert answer.status in (200, 413, 422), (answer.status, body)
                await answer.read()
        await frames_over_sockets(client, mutator, count // 2)
        assert (await client.ask("exchangeStatus"))["time"] > 0
        return await client.ask("clearinghouseState", user=MASTER)

    with RunningVenue() as venue:
        state = run(venue.url, story)
        assert venue.control(do="status")["ok"]
    # Only what somebody signed can have come through: orders far below the market, and requests for money.
    assert 99_999.0 < float(state["marginSummary"]["accountValue"]) <= 100_000.0


async def frames_over_sockets(client: Client, mutator: Mutator, count: int) -> None:
    socket = await client.session.ws_connect(client.url + "/ws", max_msg_size=0)
    hung_up = 0
    for _ in range(count):
        data = mutator.frame()
        try:
            await socket.send_bytes(data) if b"\xff" in data else await socket.send_str(
                data.decode("utf-8", "replace")
            )
            await socket.send_str('{"method":"ping"}')
            async with asyncio.timeout(10):
                async for message in socket:
                    if message.data == '{"channel":"pong"}':
                        break
        except (ConnectionError, aiohttp.ClientError):
            pass
        if socket.closed:
            hung_up += 1
            socket = await client.session.ws_connect(client.url + "/ws", max_msg_size=0)
    assert hung_up < count // 2  # only for coins and groupings that do not exist
    await socket.close()
