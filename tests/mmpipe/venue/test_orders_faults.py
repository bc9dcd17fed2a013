"""The order port against a venue that is silent, broken or wrong: unknown stays unknown, no resend."""

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import uvloop
from aiohttp import web

from mmpipe.enums import AnswerKind, Counter, IntentKind, Reason
from mmpipe.venue.sim.server import demo_keys

from .frames import T0_MS, instruments
from .test_order_wire import intent
from .venues import Misbehaving, Trader, post_reply, until

Scene = Callable[[Misbehaving, Trader], Awaitable[None]]


def play(
    on_action: Callable[[int], Any],
    scene: Scene,
    gateway: str = "ws",
    timeout_ms: int = 200,
    snapshot: Any = (),
) -> None:
    async def main() -> None:
        venue = Misbehaving(on_action)
        venue.snapshot = list(snapshot)
        async with venue.open() as url:
            trader = Trader(
                url,
                demo_keys().execution,
                instruments(),
                execution__gateway=gateway,
                execution__answer_timeout_ms=timeout_ms,
            )
            async with trader.running():
                await trader.until(AnswerKind.SYNCED)
                await scene(venue, trader)

    uvloop.run(main())


async def unknown(venue: Misbehaving, trader: Trader) -> None:
    trader.port.send(np.concatenate([intent(1), intent(2), intent(3, IntentKind.CANCEL)]))
    for order_id in (1, 2, 3):
        (answer,) = await trader.until(AnswerKind.NO_ANSWER, order_id)
        assert answer["reason"] == Reason.VENUE_NO_ANSWER
    assert [payload["action"]["type"] for payload in venue.actions] == ["cancelByCloid", "order"]
    assert len(trader.of(AnswerKind.REJECTED)) == 0


REPLIES: list[tuple[str, Callable[[int], Any]]] = [
    ("ws", lambda number: None),
    ("ws", lambda number: "garbage"),
    ("ws", lambda number: post_reply(number + 1_000, {"status": "ok"})),
    ("ws", lambda number: post_reply(number, "Too many in flight", "error")),
    ("ws", lambda number: post_reply(number, {"status": "err", "response": "internal error"})),
    ("ws", lambda number: post_reply(number, None)),
    ("rest", lambda number: None),
    ("rest", lambda number: web.Response(status=500, text="oops")),
    ("rest", lambda number: web.Response(status=429, text="slow down")),
    ("rest", lambda number: web.Response(text="<html>")),
]


@pytest.mark.parametrize(("gateway", "reply"), REPLIES)
def test_without_a_readable_reply_the_outcome_is_unknown(gateway: str, reply: Callable[[int], Any]) -> None:
    play(reply, unknown, gateway)


def test_a_socket_that_breaks_under_a_request_is_unknown_and_a_new_session_follows() -> None:
    async def scene(venue: Misbehaving, trader: Trader) -> None:
        trader.port.send(intent(1))
        await trader.until(AnswerKind.NO_ANSWER, 1)
        await trader.until(AnswerKind.DISCONNECTED)
        await trader.until(AnswerKind.SYNCED, count=2)
        assert len(venue.actions) == 1

    # The timeout is longer than the test may take: the broken socket itself is the answer.
    play(lambda number: "hang up", scene, timeout_ms=60_000)


def test_fills_repeated_at_subscription_are_not_news() -> None:
    async def scene(venue: Misbehaving, trader: Trader) -> None:
        assert len(trader.of(AnswerKind.FILL)) == 0
        news = {**old, "tid": 2}
        for socket in venue.sockets:
            if not socket.closed:
                await socket.send_json({"channel": "userFills", "data": {"user": "", "fills": [news, news]}})
        (fill,) = await trader.until(AnswerKind.FILL)
        assert fill["tid"] == 2
        trader.port.reconcile()
        await trader.until(AnswerKind.SYNCED, count=2)
        assert len(trader.of(AnswerKind.FILL)) == 1

    old = {"coin": "BTC", "px": "83757.0", "sz": "0.01", "side": "B", "time": T0_MS, "oid": 5, "tid": 1}
    old |= {"crossed": False, "fee": "0.1"}
    play(lambda number: None, scene, snapshot=[old])


def test_an_order_is_not_asked_for_twice_at_once() -> None:
    async def scene(venue: Misbehaving, trader: Trader) -> None:
        for _ in range(5):
            trader.port.query(np.array([7, 8]))
        for order_id in (7, 8):
            await trader.until(AnswerKind.NO_ANSWER, order_id)
        assert venue.asked.count("orderStatus") == 2
        trader.port.query(np.array([7]))
        await trader.until(AnswerKind.NO_ANSWER, 7, count=2)

    play(lambda number: None, scene)


def test_a_late_reply_is_nobodys() -> None:
    held: list[int] = []

    async def scene(venue: Misbehaving, trader: Trader) -> None:
        trader.port.send(intent(1))
        await trader.until(AnswerKind.NO_ANSWER, 1)
        done = {"type": "order", "data": {"statuses": [{"resting": {"oid": 1}}]}}
        late = post_reply(held[0], {"status": "ok", "response": done})
        for socket in venue.sockets:
            await socket.send_json(late)
        trader.port.reconcile()
        await trader.until(AnswerKind.SYNCED, count=2)
        assert len(trader.of(AnswerKind.RESTING)) == 0
        assert trader.port.connected

    play(held.append, scene)


def test_requests_are_signed_with_rising_nonces_and_orders_expire() -> None:
    async def scene(venue: Misbehaving, trader: Trader) -> None:
        for order_id in range(1, 6):
            trader.port.send(np.concatenate([intent(order_id), intent(order_id, IntentKind.CANCEL)]))
        await until(lambda: len(venue.actions) == 10)
        nonces = [payload["nonce"] for payload in venue.actions]
        assert nonces == sorted(set(nonces))
        for payload in venue.actions:
            if payload["action"]["type"] == "order":
                assert 0 <= payload["nonce"] - (payload["expiresAfter"] - 500) <= 10
            else:
                assert payload["expiresAfter"] is None
            assert payload["vaultAddress"] is None
            assert sorted(payload["signature"]) == ["r", "s", "v"]

    play(lambda number: None, scene)


def test_a_moving_position_is_looked_at_again() -> None:
    sizes = iter(["0", "1", "1", "2", "3", "4", "5", "5", "5"])

    async def scene(venue: Misbehaving, trader: Trader) -> None:
        assert trader.of(AnswerKind.POSITION)["qty_lots"].tolist() == [100_000, 0]
        assert venue.asked.count("clearinghouseState") == 3

    async def main() -> None:
        venue = Misbehaving(lambda number: None)
        venue.positions = lambda: [{"position": {"coin": "BTC", "szi": next(sizes)}}]
        async with venue.open() as url:
            trader = Trader(url, demo_keys().execution, instruments())
            async with trader.running():
                await trader.until(AnswerKind.SYNCED)
                await scene(venue, trader)
                trader.port.reconcile()  # 2, 3, 4, 5: gives up, waits, and then finds 5 and 5
                await trader.until(AnswerKind.SYNCED, count=2)
                assert trader.of(AnswerKind.POSITION)["qty_lots"].tolist()[2:] == [500_000, 0]

    uvloop.run(main())


def test_an_unreadable_user_message_is_counted_and_reconciled() -> None:
    async def scene(venue: Misbehaving, trader: Trader) -> None:
        for socket in venue.sockets:
            await socket.send_str('{"channel":"userFills","data":{"fills":[{"coin":"BTC"}]}}')
        await trader.until(AnswerKind.SYNCED, count=2)
        assert trader.port.counters[Counter.MALFORMED] == 1

    play(lambda number: None, scene)


def test_before_a_session_everything_is_unknown_at_once() -> None:
    trader = Trader("http://127.0.0.1:1", demo_keys().execution, instruments())
    trader.port.send(intent(1))
    trader.port.query(np.array([2]))
    trader.port.cancel_all()
    rows = trader.read()
    assert rows["kind"].tolist() == [AnswerKind.NO_ANSWER] * 2
    assert rows["order_id"].tolist() == [1, 2]
    assert not trader.port.connected
