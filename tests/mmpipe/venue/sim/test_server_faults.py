"""Each fault as a client sees it, and what the ledger says really happened."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.mmpipe.venue.sim.client import Client, first, frames, run
from tests.mmpipe.venue.sim.running import RunningVenue, wait_for
from tests.mmpipe.venue.sim.trader import MASTER, cancel, order, place


@pytest.fixture(scope="module")
def running() -> Iterator[RunningVenue]:
    with RunningVenue() as venue:
        yield venue


@pytest.fixture
def venue(running: RunningVenue) -> Iterator[RunningVenue]:
    yield running
    running.control(do="clear")


def truth(venue: RunningVenue, fault: str) -> list[Any]:
    rows = venue.control(do="ledger")["ledger"]
    return [row for row in rows if row["fault"] == fault and "on" not in row]


def far_bid(bid: float, **changes: Any) -> dict[str, Any]:
    return order(f"{bid - 500:.0f}", "0.001", **changes)


def test_error_although_executed(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        bid, _ = await client.touch()
        cloid = "0x" + "0" * 30 + "e1"
        venue_says = await client.act(place(far_bid(bid, c=cloid)))
        assert venue_says["status"] == "err"
        status = await client.ask("orderStatus", user=MASTER, oid=cloid)
        assert status["order"]["status"] == "open"
        oid = status["order"]["order"]["oid"]
        (row,) = truth(venue, "error_executed")
        assert row["truth"]["response"]["data"]["statuses"] == [{"resting": {"oid": oid, "cloid": cloid}}]
        assert (await client.act(cancel(oid)))["status"] == "ok"

    venue.control(do="error_executed", count=1)
    run(venue.url, story)


def test_answer_lost_over_http_and_over_a_socket(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        bid, _ = await client.touch()
        with pytest.raises(aiohttp.ClientError):
            await client.act(place(far_bid(bid)))
        async with client.session.ws_connect(client.url + "/ws") as socket:
            payload = client.envelope(place(far_bid(bid)))
            request = {"type": "action", "payload": payload}
            await socket.send_json({"method": "post", "id": 1, "request": request})
            await socket.send_json({"method": "ping"})
            assert json.loads((await socket.receive()).data) == {"channel": "pong"}
            # The next answer comes, this one never does.
            await asyncio.to_thread(wait_for, lambda: len(truth(venue, "answer_lost")) == 2, "both lost")
            request = {"type": "action", "payload": client.envelope(place(far_bid(bid)))}
            await socket.send_json({"method": "post", "id": 2, "request": request})
            assert (await first(socket, "post"))["id"] == 2
        orders = await client.ask("openOrders", user=MASTER)
        assert len(orders) == 3
        for each in orders:
            await client.act(cancel(each["oid"]))

    venue.control(do="answer_lost", count=2)
    run(venue.url, story)


def test_fill_is_told_before_the_answer(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="userFills", user=MASTER) as socket:
            await first(socket, "userFills")
            _, ask = await client.touch()
            answer = asyncio.create_task(client.act(place(order(f"{ask + 50:.0f}", "0.001", tif="Ioc"))))
            fills = await first(socket, "userFills")
            assert not answer.done()
            assert (
                fills["fills"][0]["oid"] == (await answer)["response"]["data"]["statuses"][0]["filled"]["oid"]
            )

    venue.control(do="answer_late", ms=500)
    run(venue.url, story)


def test_cancel_is_answered_before_the_fill_is_told(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="userFills", user=MASTER) as socket:
            await first(socket, "userFills")
            _, ask = await client.touch()
            filled = await client.act(place(order(f"{ask + 50:.0f}", "0.001", tif="Ioc")))
            oid = filled["response"]["data"]["statuses"][0]["filled"]["oid"]
            (gone,) = (await client.act(cancel(oid)))["response"]["data"]["statuses"]
            assert "never placed" in gone["error"]
            told = asyncio.create_task(first(socket, "userFills"))
            await asyncio.sleep(0)
            assert not told.done()
            assert (await told)["fills"][0]["oid"] == oid

    venue.control(do="fills_late", ms=600)
    run(venue.url, story)


@pytest.mark.parametrize("fault", ["fills_twice", "fills_shuffled"])
def test_fills_twice_and_out_of_order(venue: RunningVenue, fault: str) -> None:
    async def story(client: Client) -> list[int]:
        tids: list[int] = []
        async with client.listen(type="userFills", user=MASTER) as socket:
            await first(socket, "userFills")
            venue.control(do=fault)
            sent = 0
            async with asyncio.timeout(15):
                while len(tids) < 4:
                    _, ask = await client.touch()
                    wire = order(f"{ask + 50:.0f}", "0.001", tif="Ioc", b=sent % 2 == 0)
                    if sent % 2:
                        wire["p"] = f"{ask - 100:.0f}"
                    await client.act(place(wire))
                    sent += 1
                    if fault == "fills_twice" or sent % 2 == 0:
                        for _ in range(2):
                            tids += [fill["tid"] for fill in (await first(socket, "userFills"))["fills"]]
        return tids

    tids = run(venue.url, story)
    if fault == "fills_twice":
        assert len(set(tids)) < len(tids)
    else:
        assert tids != sorted(tids)
        assert len(set(tids)) == len(tids)
    assert truth(venue, fault)


@pytest.mark.parametrize(("fault", "status"), [("too_many_requests", 429), ("server_error", 502)])
def test_http_errors_execute_nothing(venue: RunningVenue, fault: str, status: int) -> None:
    async def story(client: Client) -> None:
        bid, _ = await client.touch()
        venue.control(do=fault, count=2)
        assert await client.act(place(far_bid(bid))) == status
        assert await client.ask("meta") == status
        assert await client.ask("openOrders", user=MASTER) == []
        assert [row["executed"] for row in truth(venue, fault)] == [False, False]

    run(venue.url, story)


def test_dropped_sockets(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="bbo", coin="BTC") as socket:
            await first(socket, "bbo")
            venue.control(do="drop_sockets", count=1)
            async for _ in frames(socket, "bbo"):
                pass
            assert socket.close_code == 1006

    run(venue.url, story)


def test_half_open_socket_says_nothing_and_stays(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="bbo", coin="BTC") as socket:
            await first(socket, "bbo")
            venue.control(do="half_open", for_s=1.0)
            begun = time.monotonic()
            longest = last = begun
            async for _ in frames(socket, "bbo"):
                now = time.monotonic()
                if now - last > longest - begun:
                    longest = begun + now - last
                last = now
                if now - begun > 2.0:
                    break
            assert longest - begun > 0.5
            assert not socket.closed

    run(venue.url, story)


def test_idle_socket_is_closed_and_a_busy_one_is_not(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        venue.control(do="idle_close", ms=500)
        async with (
            client.listen(type="bbo", coin="BTC") as busy,
            client.session.ws_connect(client.url + "/ws") as idle,
        ):
            begun = time.monotonic()
            assert (await idle.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
            assert time.monotonic() - begun > 0.4
            assert not busy.closed

    run(venue.url, story)


def test_silent_channel_of_one_coin(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="bbo", coin="BTC") as socket:
            await socket.send_json({"method": "subscribe", "subscription": {"type": "bbo", "coin": "ETH"}})
            await first(socket, "bbo", lambda d: d["coin"] == "ETH")
            venue.control(do="silent", channel="bbo", coin="BTC")
            coins = []
            async for data in frames(socket, "bbo"):
                coins.append(data["coin"])
                if len(coins) == 40:
                    break
            assert set(coins[10:]) == {"ETH"}

    run(venue.url, story)


def test_garbage_arrives_and_the_socket_lives(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        async with client.listen(type="bbo", coin="BTC") as socket:
            await first(socket, "bbo")
            venue.control(do="garbage", channel="bbo", count=3)
            bad = 0
            async for message in socket:
                try:
                    bad += "bbo" not in json.loads(message.data)["data"]
                except (ValueError, TypeError, KeyError):
                    bad += 1
                if bad == 3:
                    return
            raise AssertionError(bad)

    run(venue.url, story)


def test_clock_runs_ahead(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        before = await client.ask("exchangeStatus")
        venue.control(do="clock_skew", ms=3_600_000)
        async with asyncio.timeout(5):
            while (await client.ask("exchangeStatus"))["time"] - before["time"] < 3_000_000:
                await asyncio.sleep(0.02)
        expired = client.envelope(place(order("90000", "0.001")), time.time_ns() // 1_000_000 + 60_000)
        async with client.session.post(client.url + "/exchange", json=expired) as answer:
            assert (await answer.json())["response"] == "Action already expired"

    with RunningVenue() as own:  # its clock never goes back afterwards
        venue = own
        run(own.url, story)


def test_dead_lead(venue: RunningVenue) -> None:
    async def story(client: Client) -> None:
        url = client.url + "/public/stream?streams=btcusdt@bookTicker"
        async with client.session.ws_connect(url) as socket:
            await socket.receive()
            venue.control(do="lead_silent", for_s=1.0)
            quiet = 0.0
            begun = last = time.monotonic()
            async for _ in socket:
                now = time.monotonic()
                quiet, last = max(quiet, now - last), now
                if now - begun > 2.0:
                    break
            assert quiet > 0.7
            venue.control(do="lead_drop", count=1)
            async for _ in socket:
                pass
            assert socket.close_code == 1006

    run(venue.url, story)
