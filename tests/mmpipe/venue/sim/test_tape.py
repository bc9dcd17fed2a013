"""What users are told of what they did not do: liquidations, funding, cancels by the venue."""

from typing import Any

import pytest

from tests.conformance.recordings import FIXTURES, recordings
from tests.mmpipe.venue.sim.trader import MASTER, Trader, furnished, order, place
from tests.mmpipe.venue.sim.world import Publisher


class World(Publisher):
    """A trader with 40 times leverage who is about to find out."""

    def __init__(self) -> None:
        self.trader: Trader = furnished()
        super().__init__(self.trader.exchange)
        self.events = self.listen(type="userEvents", user=MASTER)
        self.fills = self.listen(type="userFills", user=MASTER)
        self.ledger = self.listen(type="userNonFundingLedgerUpdates", user=MASTER)
        self.act({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 40})
        _, ask = self.trader.touch()
        self.act(place(order(str(ask + 50), "0.9", tif="Ioc")))
        self.act(place(order(str(ask - 5_000), "0.1")))

    def act(self, action: dict[str, Any]) -> None:
        self.trader.act(action)
        self.feeds.publish_block(self.trader.result)

    def lose(self, usdc: float) -> None:
        """Take money away so that the account no longer carries its position."""
        state = self.trader.exchange.state
        state.pay_in(self.trader.account, -round(usdc * 1e8))
        self.feeds.publish_block(self.trader.run(1))


def told(world: World, key: str) -> list[Any]:
    return [message[key] for message in world.events.of("user") if key in message]


def test_a_liquidation_in_the_book_is_told_everywhere() -> None:
    world = World()
    world.lose(99_000.0)  # about 1,000 of value, 1,125 of maintenance
    assert world.trader.exchange.state.market.standings["lots"][world.trader.account.index, 0] == 0
    forced = [f for m in world.fills.of("userFills") for f in m["fills"] if "liquidation" in f]
    assert {f["dir"] for f in forced} == {"Close Long"}
    assert sum(float(f["sz"]) for f in forced) == pytest.approx(0.9)
    assert {f["liquidation"]["method"] for f in forced} == {"market"}
    assert {f["liquidation"]["liquidatedUser"] for f in forced} == {MASTER}
    (event,) = told(world, "liquidation")
    assert event["liquidated_user"] == MASTER
    assert float(event["liquidated_ntl_pos"]) == pytest.approx(90_000, rel=0.01)
    (gone,) = told(world, "nonUserCancel")
    assert [c["coin"] for c in gone] == ["BTC"]
    assert [o.status for o in world.trader.account.closed.values()][-1] == "liquidatedCanceled"
    update = world.ledger.of("userNonFundingLedgerUpdates")[-1]["nonFundingLedgerUpdates"][0]["delta"]
    assert update["type"] == "liquidation"
    assert update["liquidatedPositions"] == [{"coin": "BTC", "szi": "0.9"}]


def test_the_backstop_is_no_public_trade() -> None:
    world = World()
    trades = world.listen(type="trades", coin="BTC")
    before = len(trades.of("trades"))
    world.lose(99_500.0)
    (forced,) = [f for m in world.fills.of("userFills") for f in m["fills"] if "liquidation" in f]
    assert forced["liquidation"]["method"] == "backstop"
    assert len(trades.of("trades")) == before


@pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"recorded messages not found at {FIXTURES}; set MMPIPE_DATA"
)
def test_a_liquidation_looks_like_the_recorded_one() -> None:
    world = World()
    world.lose(99_000.0)
    ours = next(f for m in world.fills.of("userFills") for f in m["fills"] if "liquidation" in f)
    (recorded,) = [r.message for r in recordings() if r.origin == "ws_user_fill_liquidation"]
    theirs = recorded["fills"][0]
    assert set(ours) | {"cloid"} == set(theirs)  # a forced order has no name of its owner's
    assert set(ours["liquidation"]) == set(theirs["liquidation"])


def test_funding_is_told_when_it_is_paid() -> None:
    world = World()
    fundings = world.listen(type="userFundings", user=MASTER)
    world.trader.ts_ms = (world.trader.ts_ms // 3_600_000 + 1) * 3_600_000
    world.feeds.publish_block(world.trader.run(1))
    (event,) = told(world, "funding")
    assert (event["coin"], event["szi"]) == ("BTC", "0.9")
    assert float(event["usdc"]) == pytest.approx(-0.9 * 100_000 * 0.0000125, rel=0.01)
    (row,) = fundings.of("userFundings")[-1]["fundings"]
    assert row["delta"]["usdc"] == event["usdc"]
