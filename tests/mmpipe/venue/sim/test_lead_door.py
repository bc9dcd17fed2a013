"""The lead market's books over real sockets: who follows the venue's rules has the venue's book."""

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from mmpipe.enums import EventKind, Side
from mmpipe.venue.binance import LEAD_DECIMALS, BinanceDecoder
from mmpipe.venue.port import DEPTH_ROWS_MAX
from tests.mmpipe.venue.frames import instruments, out_rows
from tests.mmpipe.venue.sim.client import Client, run
from tests.mmpipe.venue.sim.running import RunningVenue

USDM = ("/public/stream", "/fapi/v1")
SPOT = ("/lead-spot/stream", "/lead-spot/api/v3")
STREAM = "btcusdt@depth@100ms"
JOINS = 25
COMPARED_MIN = 5
Book = dict[tuple[int, int], float]


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    with RunningVenue(scenario="thin") as running:
        yield running.url


class Follower:
    """A book kept by the decoder's rows alone."""

    def __init__(self) -> None:
        self._decoder = BinanceDecoder(["BTCUSDT"], instruments()[:1])
        self._rows = out_rows(DEPTH_ROWS_MAX)
        self.book: Book = {}
        self.books: dict[int, Book] = {}  # by the number of its last change

    @property
    def needs_snapshot(self) -> bool:
        return self._decoder.needs_snapshot(0)

    def read(self, frame: bytes) -> None:
        rows = self._rows[: self._decoder.decode(frame, 1, self._rows)]
        assert not self._decoder.counters.any()
        for row in rows:
            assert row["kind"] in (EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA), "a gap"
            if row["kind"] == EventKind.BOOK_CLEAR:
                self.book = {}
                continue
            key = int(row["side"]), int(row["px_tick"])
            self.book[key] = float(row["qty"])
            if row["qty"] == 0.0:
                del self.book[key]
            self.books[int(row["remote_seq"])] = self.book
        if len(rows):
            self.book = dict(self.book)


GRID = 10**LEAD_DECIMALS


def levels_of(snapshot: Any) -> Book:
    return {
        (int(side), round(float(px) * GRID)): float(qty)
        for side, levels in ((Side.BUY, snapshot["bids"]), (Side.SELL, snapshot["asks"]))
        for px, qty in levels
    }


async def snapshot_of(client: Client, rest: str) -> bytes:
    async with client.session.get(client.url + rest + "/depth?symbol=BTCUSDT&limit=1000") as answer:
        assert answer.status == 200
        return await answer.read()


async def joined(client: Client, market: tuple[str, str], wait_s: float, diffs: int) -> Follower:
    """Subscribe, wait, ask for the snapshot, and follow until it and some diffs are in the book."""
    stream, rest = market
    follower = Follower()
    async with client.session.ws_connect(f"{client.url}{stream}?streams={STREAM}") as socket:
        await asyncio.sleep(wait_s)
        asked = asyncio.create_task(snapshot_of(client, rest))
        while follower.needs_snapshot or diffs:
            reading = asyncio.create_task(socket.receive())
            await asyncio.wait({reading, asked}, return_when=asyncio.FIRST_COMPLETED)
            if asked.done() and follower.needs_snapshot:
                follower.read(asked.result())
                assert not follower.needs_snapshot
            follower.read((await reading).data.encode())
            diffs -= not follower.needs_snapshot and diffs > 0
    return follower


@pytest.mark.parametrize("market", [USDM, SPOT])
def test_whoever_joins_by_the_rules_never_sees_a_gap(venue: str, market: tuple[str, str]) -> None:
    draw = random.Random(11)

    async def story(client: Client) -> None:
        for join in range(JOINS):
            # Half of them ask at once: the snapshot may then be older than any diff they will hear.
            await asyncio.sleep(draw.uniform(0.0, 0.1))
            await joined(client, market, draw.uniform(0.0, 0.2) if join % 2 else 0.0, 3)

    run(venue, story)


@pytest.mark.parametrize("market", [USDM, SPOT])
def test_book_of_a_follower_is_the_book_of_the_venue(venue: str, market: tuple[str, str]) -> None:
    draw = random.Random(5)

    async def story(client: Client) -> list[int]:
        follower, snapshots, compared = Follower(), [], []
        async with client.session.ws_connect(f"{client.url}{market[0]}?streams={STREAM}") as socket:
            follower.read(await snapshot_of(client, market[1]))

            async def ask() -> None:
                while True:
                    await asyncio.sleep(draw.uniform(0.0, 0.05))
                    snapshots.append(json.loads(await snapshot_of(client, market[1])))

            asking = asyncio.create_task(ask())
            while len(compared) < COMPARED_MIN:
                follower.read((await socket.receive()).data.encode())
                for snapshot in [s for s in snapshots if s["lastUpdateId"] in follower.books]:
                    snapshots.remove(snapshot)
                    assert len(snapshot["bids"]) == len(snapshot["asks"]) == 20
                    assert levels_of(snapshot) == follower.books[snapshot["lastUpdateId"]]
                    compared.append(snapshot["lastUpdateId"])
            asking.cancel()
        return compared

    assert len(set(run(venue, story))) > 1


def test_best_quotes_and_book_are_one_market(venue: str) -> None:
    async def story(client: Client) -> None:
        streams = f"{STREAM}/btcusdt@bookTicker"
        follower = Follower()
        touches: dict[int, tuple[str, str]] = {}
        async with client.session.ws_connect(f"{client.url}/public/stream?streams={streams}") as socket:
            follower.read(await snapshot_of(client, "/fapi/v1"))
            agreed = 0
            while agreed < 10:
                frame = json.loads((await socket.receive()).data)
                data = frame["data"]
                if frame["stream"] != STREAM:
                    assert data["u"] > max(touches, default=0)
                    touches[data["u"]] = data["b"], data["a"]
                    continue
                follower.read(json.dumps(frame).encode())
                inside = [number for number in touches if data["pu"] < number <= data["u"]]
                if not inside:
                    continue
                bid, ask = touches[max(inside)]
                best = {side: [tick for s, tick in follower.book if s == side] for side in (1, -1)}
                assert max(best[1]) == round(float(bid) * GRID)
                assert min(best[-1]) == round(float(ask) * GRID)
                agreed += 1

    run(venue, story)


def test_spot_has_one_route_for_everything(venue: str) -> None:
    async def story(client: Client) -> None:
        kinds = {"bookTicker", "depth@100ms", "trade", "aggTrade"}
        seen: dict[str, Any] = {}
        url = f"{client.url}/lead-spot/stream?streams={'/'.join(f'btcusdt@{kind}' for kind in kinds)}"
        async with client.session.ws_connect(url) as socket:
            while len(seen) < len(kinds):
                frame = json.loads((await socket.receive()).data)
                seen[frame["stream"].partition("@")[2]] = frame["data"]
        assert set(seen["bookTicker"]) == {"u", "s", "b", "B", "a", "A"}
        assert set(seen["depth@100ms"]) == {"e", "E", "s", "U", "u", "b", "a"}
        assert seen["trade"]["M"] is seen["aggTrade"]["M"] is True

    run(venue, story)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", -1130),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=0", -1130),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=5000", -1130),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=٥", -1130),
        ("/fapi/v1/depth?symbol=DOGEUSDT", -1121),
        ("/fapi/v1/depth?symbol=btcusdt", -1121),
        ("/fapi/v1/depth", -1102),
        ("/lead-spot/api/v3/depth?symbol=BTCUSDT&limit=0", -1130),
        ("/lead-spot/api/v3/depth?symbol=BTCUSDT&limit=x", -1130),
        ("/lead-spot/api/v3/depth?symbol=BTCUSDT&limit=-5", -1130),
        ("/lead-spot/api/v3/depth?symbol=NOPE&limit=5", -1121),
    ],
)
def test_what_is_wrong_is_said_as_binance_says_it(venue: str, path: str, code: int) -> None:
    async def story(client: Client) -> None:
        async with client.session.get(client.url + path) as answer:
            assert answer.status == 400
            error = await answer.json()
        assert set(error) == {"code", "msg"}
        assert error["code"] == code
        if code == -1121:
            assert error["msg"] == "Invalid symbol."

    run(venue, story)


@pytest.mark.parametrize(
    ("path", "levels"),
    [("/fapi/v1/depth?symbol=ETHUSDT&limit=5", 5), ("/fapi/v1/depth?symbol=ETHUSDT", 20),
     ("/lead-spot/api/v3/depth?symbol=ETHUSDT&limit=7", 7),
     ("/lead-spot/api/v3/depth?symbol=ETHUSDT&limit=99999", 20)],
)  # fmt: skip
def test_limit_is_the_number_of_levels(venue: str, path: str, levels: int) -> None:
    async def story(client: Client) -> None:
        async with client.session.get(client.url + path) as answer:
            book = await answer.json()
        assert (len(book["bids"]), len(book["asks"])) == (levels, levels)
        assert float(book["bids"][0][0]) < float(book["asks"][0][0])

    run(venue, story)


@pytest.mark.parametrize("path", ["/fapi/v1/time", "/lead-spot/api/v3/time"])
def test_time_is_the_venue_s(venue: str, path: str) -> None:
    async def story(client: Client) -> None:
        async with client.session.get(client.url + path) as answer:
            told = (await answer.json())["serverTime"]
        assert abs(told - (await client.ask("l2Book", coin="BTC"))["time"]) < 5_000

    run(venue, story)
