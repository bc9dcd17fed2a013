"""The order port against the embedded exchange: place, cancel, fill, reconcile, reconnect, query."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
import uvloop

from mmpipe.enums import AnswerKind, IntentKind, Reason, Side, Tif
from mmpipe.records import SYMBOLS_MAX
from mmpipe.venue.rest import fetch_info
from mmpipe.venue.sim.server import demo_keys

from .test_order_wire import intent
from .venues import MASTER, Trader, Wire, embedded

EPOCH = 5 << 32
Scene = Callable[[Wire, Trader, Trader, int], Awaitable[None]]


def play(scene: Scene, gateway: str = "ws") -> None:
    """A scene with an execution trader behind a wire, a risk trader, and a BTC tick far below the market."""

    async def main() -> None:
        async with embedded() as (wire, url, rows):
            keys = demo_keys()
            trader = Trader(url, keys.execution, rows, execution__gateway=gateway)
            direct = f"http://127.0.0.1:{wire._port}"
            risk = Trader(direct, keys.risk, rows, execution__gateway=gateway)
            book = await asyncio.to_thread(fetch_info, direct, {"type": "l2Book", "coin": "BTC"}, 5.0)
            bid = int(float(book["levels"][0][0]["px"]))
            async with trader.running(), risk.running():
                await trader.until(AnswerKind.SYNCED)
                await risk.until(AnswerKind.SYNCED)
                await scene(wire, trader, risk, (bid - 500) * int(rows["ticks_per_unit"][0]))

    uvloop.run(main())


@pytest.mark.parametrize("gateway", ["ws", "rest"])
def test_place_rest_cancel(gateway: str) -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        assert trader.port.connected
        first = trader.read()
        assert first["kind"].tolist() == [AnswerKind.POSITION] * 2 + [AnswerKind.SYNCED]
        assert first["symbol"].tolist() == [0, 1, SYMBOLS_MAX]
        sent = trader.port.requests_sent
        trader.port.send(
            np.concatenate([intent(EPOCH + 1, px_tick=tick), intent(EPOCH + 2, px_tick=tick - 10)])
        )
        (resting,) = await trader.until(AnswerKind.RESTING, EPOCH + 2)
        assert trader.port.requests_sent == sent + 1
        assert (resting["px_tick"], resting["qty_lots"], resting["side"]) == (tick - 10, 1_000, 1)
        assert resting["oid"] > 0
        trader.port.send(intent(EPOCH + 1, IntentKind.CANCEL))
        await trader.until(AnswerKind.CANCELLED, EPOCH + 1)
        trader.port.send(intent(EPOCH + 1, IntentKind.CANCEL))
        (refused,) = await trader.until(AnswerKind.CANCEL_REFUSED, EPOCH + 1)
        assert refused["reason"] == Reason.VENUE_GONE
        trader.port.reconcile()
        await trader.until(AnswerKind.SYNCED, count=2)
        assert trader.of(AnswerKind.OPEN_ORDER)["order_id"].tolist() == [EPOCH + 2]
        rows = trader.read()
        assert rows["seq"].tolist() == list(range(1, len(rows) + 1))
        assert (np.diff(rows["ts_ns"]) >= 0).all()
        assert trader.wakes == len(rows)

    play(scene, gateway)


def test_rejections_of_one_order_do_not_touch_the_others() -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        rows = [
            intent(EPOCH + 1, px_tick=tick),
            intent(EPOCH + 2, px_tick=tick + 10_000_0),  # through the ask
            intent(EPOCH + 3, px_tick=tick, qty_lots=1),  # below the minimum
        ]
        trader.port.send(np.concatenate(rows))
        await trader.until(AnswerKind.RESTING, EPOCH + 1)
        (crossing,) = await trader.until(AnswerKind.REJECTED, EPOCH + 2)
        (small,) = await trader.until(AnswerKind.REJECTED, EPOCH + 3)
        assert crossing["reason"] == Reason.VENUE_WOULD_CROSS
        assert small["reason"] == Reason.VENUE_REJECT

    play(scene)


def take(order_id: int, tick: int) -> np.ndarray:
    return intent(order_id, px_tick=tick + 10_000, tif=Tif.IOC)


def test_a_fill_comes_once_and_agrees_with_the_position() -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        trader.port.send(take(EPOCH + 1, tick))
        (filled,) = await trader.until(AnswerKind.FILLED, EPOCH + 1)
        await until_filled(trader, int(filled["qty_lots"]))
        await until_filled(risk, int(filled["qty_lots"]))
        trader.port.reconcile()
        await trader.until(AnswerKind.SYNCED, count=2)
        fills = trader.of(AnswerKind.FILL)
        assert fills["qty_lots"].sum() == filled["qty_lots"]
        assert len(set(fills["tid"].tolist())) == len(fills)
        assert trader.of(AnswerKind.POSITION)["qty_lots"].tolist()[-2:] == [filled["qty_lots"], 0]
        assert set(fills["order_id"].tolist()) == {EPOCH + 1}
        assert set(fills["side"].tolist()) == {Side.BUY}
        assert set(fills["maker_fill"].tolist()) == {0}
        notional = fills["px_tick"] * fills["qty_lots"] * 100
        assert fills["fee_cash"] == pytest.approx(notional * 4.5e-4, abs=200)

    play(scene)


async def until_filled(trader: Trader, lots: int) -> None:
    async with asyncio.timeout(20.0):
        while trader.of(AnswerKind.FILL)["qty_lots"].sum() < lots:
            await asyncio.sleep(0.005)


def test_after_a_lost_session_the_missed_fill_arrives_before_synced() -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        wire.refusing = True
        wire.cut()
        await trader.until(AnswerKind.DISCONNECTED)
        assert not trader.port.connected
        trader.port.send(intent(EPOCH + 1, px_tick=tick))
        (lost,) = await trader.until(AnswerKind.NO_ANSWER, EPOCH + 1)
        assert lost["reason"] == Reason.VENUE_NO_ANSWER
        risk.port.send(take(EPOCH + 2, tick))
        (filled,) = await risk.until(AnswerKind.FILLED, EPOCH + 2)
        assert len(trader.of(AnswerKind.FILL)) == 0
        wire.refusing = False
        await trader.until(AnswerKind.SYNCED, count=2)
        rows = trader.read()
        after = rows[int(np.flatnonzero(rows["kind"] == AnswerKind.DISCONNECTED)[0]) :]
        before_synced = after[: int(np.flatnonzero(after["kind"] == AnswerKind.SYNCED)[0])]
        fills = before_synced[before_synced["kind"] == AnswerKind.FILL]
        assert fills["qty_lots"].sum() == filled["qty_lots"]
        assert trader.port.connected

    play(scene)


def test_query_finds_what_is_known_and_says_not_found_only_after_the_expiry() -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        trader.port.send(intent(EPOCH + 1, px_tick=tick))
        await trader.until(AnswerKind.RESTING, EPOCH + 1)
        trader.port.query(np.array([EPOCH + 1, EPOCH + 1]))
        await trader.until(AnswerKind.RESTING, EPOCH + 1, count=3)  # reply, orderUpdates, query
        trader.port.query(np.array([EPOCH + 9]))
        await trader.until(AnswerKind.NO_ANSWER, EPOCH + 9)
        async with asyncio.timeout(10.0):
            while not len(trader.of(AnswerKind.NOT_FOUND, EPOCH + 9)):
                trader.port.query(np.array([EPOCH + 9]))
                await asyncio.sleep(0.05)
        trader.port.send(intent(EPOCH + 1, IntentKind.CANCEL))
        await trader.until(AnswerKind.CANCELLED, EPOCH + 1)

    play(scene)


@pytest.mark.parametrize("gateway", ["ws", "rest"])
def test_cancel_all_ends_the_orders_of_another_key(gateway: str) -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        trader.port.send(np.concatenate([intent(EPOCH + i, px_tick=tick - 10 * i) for i in range(1, 4)]))
        await trader.until(AnswerKind.RESTING, EPOCH + 3)
        risk.port.cancel_all()
        risk.port.cancel_all()
        for trader_or_risk in (trader, risk):
            for i in range(1, 4):
                await trader_or_risk.until(AnswerKind.CANCELLED, EPOCH + i)
        direct = f"http://127.0.0.1:{wire._port}"
        request = {"type": "openOrders", "user": MASTER}
        assert await asyncio.to_thread(fetch_info, direct, request, 5.0) == []

    play(scene, gateway)


def test_an_order_without_our_name_is_listed_and_cancelled_by_the_venues_id() -> None:
    async def scene(wire: Wire, trader: Trader, risk: Trader, tick: int) -> None:
        trader.port.send(intent(EPOCH + 1, px_tick=tick))
        (resting,) = await trader.until(AnswerKind.RESTING, EPOCH + 1)
        trader.port.send(intent(0, IntentKind.CANCEL, oid=int(resting["oid"])))
        await trader.until(AnswerKind.CANCELLED)

    play(scene)
