"""The proxy before the embedded exchange: orders and quotes pass, and lost depth is a gap to its reader."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import pytest
import uvloop

from mmpipe.clock import MonotonicClock
from mmpipe.enums import Counter, EventKind
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX
from mmpipe.venue.proxy import ChaosProxy
from mmpipe.venue.proxy_faults import Fault

from .frames import instruments, out_rows
from .sim.client import Client, first
from .sim.running import RunningVenue
from .sim.trader import order, place

DEPTH = "btcusdt@depth@100ms"
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    with RunningVenue(scenario="thin") as running:
        yield running.url


def told(venue: str, story: Callable[[ChaosProxy, Client], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        proxy = ChaosProxy(venue, seed=3, clock=MonotonicClock())
        await proxy.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as session, asyncio.timeout(DEADLINE_S):
                return await story(proxy, Client(proxy.url, session))
        finally:
            await proxy.close()

    return uvloop.run(main())


def test_orders_and_quotes_pass(venue: str) -> None:
    async def story(_: ChaosProxy, client: Client) -> None:
        bid, _ask = await client.touch()
        answer = await client.act(place(order(str(round(bid * 0.9)), "0.001")))
        assert "resting" in answer["response"]["data"]["statuses"][0]
        async with client.listen(type="bbo", coin="BTC") as socket:
            assert (await first(socket, "bbo"))["coin"] == "BTC"

    told(venue, story)


@pytest.mark.parametrize(
    ("kind", "gaps", "counter"),
    [
        ("drop", 1, Counter.GAPS),
        ("reorder", 1, Counter.GAPS),
        ("duplicate", 0, Counter.OUT_OF_ORDER),
        ("corrupt", 1, Counter.GAPS),
    ],
)
@pytest.mark.parametrize(
    ("stream", "rest"),
    [("/public/stream", "/fapi/v1/depth"), ("/lead-spot/stream", "/lead-spot/api/v3/depth")],
)
def test_what_happens_to_a_diff_is_what_its_reader_counts(
    venue: str, stream: str, rest: str, kind: str, gaps: int, counter: Counter
) -> None:
    decoder, rows = BinanceDecoder(["BTCUSDT"], instruments()[:1]), out_rows(DEPTH_ROWS_MAX)

    def read(frame: bytes) -> list[int]:
        return [int(k) for k in rows[: decoder.decode(frame, 1, rows)]["kind"]]

    async def story(proxy: ChaosProxy, client: Client) -> None:
        url = f"{client.url}{stream}?streams={DEPTH}"
        async with client.session.ws_connect(url, decode_text=False) as socket:
            async with client.session.get(f"{client.url}{rest}?symbol=BTCUSDT&limit=1000") as answer:
                read(await answer.read())
            for _ in range(3):
                assert EventKind.GAP not in read((await socket.receive()).data)
            assert not decoder.counters.any()
            proxy.schedule(Fault(kind, DEPTH, path=stream))
            seen = 0
            for _ in range(5):
                seen += read((await socket.receive()).data).count(EventKind.GAP)
        assert proxy.injected == {(kind, DEPTH): 1}
        assert seen == gaps
        assert decoder.counters[counter] >= 1

    told(venue, story)
