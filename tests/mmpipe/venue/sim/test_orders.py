"""Replacing orders, trigger orders, orders that depend on one another, and states of the venue."""

from typing import Any

import pytest

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim.orders import DELISTED, POST_ONLY
from tests.mmpipe.venue.sim.trader import Trader, cancel, furnished, order, place

CLOID = "0x" + "0" * 31 + "7"


@pytest.fixture
def trader() -> Trader:
    return furnished()


def modify(oid: Any, wire: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "modify", "oid": oid, "order": wire} | more


def batch(*pairs: tuple[Any, dict[str, Any]]) -> dict[str, Any]:
    return {"type": "batchModify", "modifies": [{"oid": oid, "order": wire} for oid, wire in pairs]}


def trigger(px: int, tpsl: str, market: bool = True) -> dict[str, Any]:
    return {"trigger": {"isMarket": market, "triggerPx": str(px), "tpsl": tpsl}}


def rest(trader: Trader, px: int, **changes: Any) -> int:
    return int(trader.act(place(order(str(px), "0.01", **changes)))[0]["resting"]["oid"])


def position(trader: Trader) -> int:
    return int(trader.exchange.state.market.standings[trader.account.index, 0]["lots"])


def mark(trader: Trader, px: int) -> None:
    """Run blocks with the mark price held at `px`: the lead and the oracle go there."""
    state = trader.exchange.state
    state.crowd.lead["bid_tick"][0] = state.crowd.lead["ask_tick"][0] = px * 10
    state.crowd.symbols["efficient_tick"][0] = px * 10
    state.market.prices["oracle_ts_ns"][0] = 0
    state.market.prices["basis_tick"][0] = 0.0
    trader.run(1)
    trader.run(1)


def test_modify_is_cancel_and_place_under_a_new_number(trader: Trader) -> None:
    bid, _ = trader.touch()
    oid = rest(trader, bid - 500, c=CLOID)
    assert trader.act(modify(oid, order(str(bid - 400), "0.02", c=CLOID))) == {
        "status": "ok",
        "response": {"type": "default"},
    }
    (new,) = trader.account.open.values()
    assert new.oid != oid
    assert (new.tick, new.lots, new.cloid) == ((bid - 400) * 10, 2_000, CLOID)
    assert trader.account.order(oid).status == "canceled"
    assert trader.account.oid_of_cloid[CLOID] == new.oid
    (item,) = trader.act(batch((CLOID, order(str(bid - 300), "0.02", c=CLOID))))
    assert item["resting"]["cloid"] == CLOID
    assert item["resting"]["oid"] != new.oid


def test_modify_makes_a_gtc_order_post_only_unless_told_otherwise(trader: Trader) -> None:
    bid, ask = trader.touch()
    oid = rest(trader, bid - 500)
    answer = trader.act(modify(oid, order(str(ask + 5), "0.01", tif="Gtc")))
    assert answer["response"].startswith("Error placing new order during modify: Post only order would")
    oid = rest(trader, bid - 500)
    trader.act(modify(oid, order(str(ask + 5), "0.01", tif="Gtc"), a=True))
    assert position(trader) == 1_000


@pytest.mark.parametrize("oid", [1, CLOID])
def test_modify_of_nothing(trader: Trader, oid: Any) -> None:
    answer = trader.act(modify(oid, order("90000", "0.01")))
    assert answer == {"status": "err", "response": "Cannot modify canceled or filled order asset=0"}
    assert not trader.account.open


def test_refused_modify_of_a_batch_leaves_the_others(trader: Trader) -> None:
    bid, _ = trader.touch()
    first, second = rest(trader, bid - 500), rest(trader, bid - 600)
    items = trader.act(
        batch((first, order(str(bid - 510), "0.01")), (9, order("1", "1")), (second, order("1", "0")))
    )
    assert "resting" in items[0]
    assert items[1]["error"] == "Cannot modify canceled or filled order asset=0"
    assert items[2]["error"].startswith("Error placing new order during modify: ")


def test_stop_sleeps_until_the_mark_price_reaches_it(trader: Trader) -> None:
    bid, ask = trader.touch()
    trader.act(place(order(str(ask + 5), "0.01", tif="Ioc")))
    (item,) = trader.act(place(order(str(bid - 300), "0.01", b=False, r=True, t=trigger(bid - 20, "sl"))))
    oid = item["resting"]["oid"]
    assert trader.account.open[oid].kind == "Stop Market"
    trader.run(3)
    assert position(trader) == 1_000
    mark(trader, bid - 30)
    assert trader.account.order(oid).status == "triggered"
    assert position(trader) == 0


def test_limit_trigger_rests_where_it_says(trader: Trader) -> None:
    _, ask = trader.touch()
    trader.act(place(order(str(ask + 5), "0.01", tif="Ioc")))
    trader.act(
        place(order(str(ask + 100), "0.01", b=False, r=True, c=CLOID, t=trigger(ask + 20, "tp", False)))
    )
    mark(trader, ask + 30)
    (resting,) = trader.account.open.values()
    assert (resting.tick, resting.trigger, resting.cloid) == ((ask + 100) * 10, None, CLOID)


def test_fast_cancel_does_not_take_trigger_orders(trader: Trader) -> None:
    bid, _ = trader.touch()
    wire = order(str(bid - 300), "0.01", b=False, r=True, t=trigger(bid - 20, "sl"))
    oid = trader.act(place(wire))[0]["resting"]["oid"]
    (refused,) = trader.act(cancel(oid) | {"f": True})
    assert refused["error"].startswith("Cannot use fast cancel")
    assert trader.act(cancel(oid)) == ["success"]
    assert trader.account.order(oid).status == "canceled"


def bracket(bid: int, ask: int, px: int, tif: str) -> dict[str, Any]:
    sell = {"b": False, "r": True}
    return place(
        order(str(px), "0.01", tif=tif),
        order(str(ask + 300), "0.01", t=trigger(ask + 100, "tp"), **sell),
        order(str(bid - 300), "0.01", t=trigger(bid - 100, "sl"), **sell),
    ) | {"grouping": "normalTpsl"}


def test_children_wait_for_their_parent_and_one_ends_the_other(trader: Trader) -> None:
    bid, ask = trader.touch()
    parent, *children = trader.act(bracket(bid, ask, ask + 5, "Ioc"))
    assert "filled" in parent
    assert children == ["waitingForTrigger"] * 2
    mark(trader, bid - 110)
    assert position(trader) == 0
    ends = [o.status for o in trader.account.closed.values()]
    assert sorted(ends) == ["filled", "filled", "siblingFilledCanceled", "triggered"]


def test_children_of_a_resting_parent_end_with_it(trader: Trader) -> None:
    bid, ask = trader.touch()
    parent, *children = trader.act(bracket(bid, ask, bid - 500, "Gtc"))
    assert children == ["waitingForFill"] * 2
    mark(trader, bid - 110)
    assert len(trader.account.open) == 3  # nothing woke: the parent is not filled
    trader.act(cancel(parent["resting"]["oid"]))
    assert not trader.account.open


def test_refused_parent_takes_its_children_along(trader: Trader) -> None:
    bid, ask = trader.touch()
    items = trader.act(bracket(bid, ask, bid - 500, "Ioc"))
    assert all("error" in item for item in items)
    assert not trader.account.open


def test_position_order_closes_whatever_there_is(trader: Trader) -> None:
    bid, ask = trader.touch()
    wire = order(str(bid - 300), "0.01", b=False, r=True, t=trigger(bid - 100, "sl"))
    assert trader.act(place(wire) | {"grouping": "positionTpsl"}) == ["waitingForTrigger"]
    trader.act(place(order(str(ask + 5), "0.03", tif="Ioc")))
    mark(trader, bid - 110)
    assert position(trader) == 0


def test_resting_reduce_only_follows_the_position(trader: Trader) -> None:
    bid, ask = trader.touch()
    trader.act(place(order(str(ask + 5), "0.03", tif="Ioc")))
    oid = trader.act(place(order(str(ask + 300), "0.05", b=False, r=True)))[0]["resting"]["oid"]
    mine = trader.account.open[oid]
    assert (mine.lots, mine.orig_lots) == (3_000, 5_000)  # shrunk to the position
    trader.act(place(order(str(bid - 5), "0.02", b=False, tif="Ioc")))
    assert mine.lots == 1_000
    trader.act(place(order(str(bid - 5), "0.01", b=False, tif="Ioc", r=True)))
    assert mine.status == "reduceOnlyCanceled"
    standing = trader.exchange.state.market.standings[trader.account.index, 0]
    assert standing["ask_lots"] == 0
    assert [o.oid for o in trader.result.venue_cancels[trader.account.address]] == [oid]


def test_only_post_only_after_an_upgrade(trader: Trader) -> None:
    bid, ask = trader.touch()
    trader.exchange.state.post_only = True
    for wire in (order(str(ask), "0.01", tif="Ioc"), order(str(bid - 50), "0.01", tif="Gtc")):
        assert trader.act(place(wire)) == [{"error": f"{POST_ONLY} asset=0"}]
    assert "resting" in trader.act(place(order(str(bid - 50), "0.01")))[0]


def test_delisted_market_settles_and_takes_nothing(trader: Trader) -> None:
    bid, ask = trader.touch()
    trader.act(place(order(str(ask + 5), "0.01", tif="Ioc")))
    oid = rest(trader, bid - 500)
    oracle = int(trader.exchange.state.market.prices["oracle_tick"][0])
    trader.exchange.delist("BTC")
    trader.run(1)
    assert trader.account.order(oid).status == "delistedCanceled"
    assert position(trader) == 0
    assert trader.act(place(order(str(bid), "0.01"))) == [{"error": f"{DELISTED} asset=0"}]
    filled = next(f for f in trader.account.fills if f.side == 1)
    cash = int(trader.exchange.state.market.cash[trader.account.index])
    paid = (oracle - filled.tick) * 1_000 * 100 - filled.fee_cash
    assert cash == 100_000 * CASH_PER_USDC + paid
