"""Info answers of one exchange, and requests that cannot be read."""

from typing import Any

import pytest

from mmpipe.venue.sim.info import UnreadableRequestError, answer_info
from tests.mmpipe.venue.sim.trader import MASTER, Trader, order, place

NOBODY = "0x" + "1" * 40


@pytest.fixture(scope="module")
def trader() -> Trader:
    trader = Trader()
    bid, ask = trader.touch()
    trader.act(place(order(str(ask + 50), "0.01", tif="Ioc")))
    trader.act(place(order(str(bid - 500), "0.002", c="0x" + "0" * 31 + "7")))
    trader.act(place(order(str(bid - 500), "0")))
    return trader


def ask(trader: Trader, kind: str, **fields: Any) -> Any:
    return answer_info(trader.exchange, {"type": kind} | fields)


def test_account_value_is_cash_plus_position_at_the_mid(trader: Trader) -> None:
    state = ask(trader, "clearinghouseState", user=MASTER)
    summary, position = state["marginSummary"], state["assetPositions"][0]["position"]
    assert position["szi"] == "0.01"
    cash, value = float(summary["totalRawUsd"]), float(summary["accountValue"])
    assert value == pytest.approx(cash + float(position["positionValue"]), abs=1e-6)
    fees = sum(float(fill["fee"]) for fill in ask(trader, "userFills", user=MASTER))
    assert value == pytest.approx(100_000 - fees + float(position["unrealizedPnl"]), abs=1e-6)


def test_address_is_not_case_sensitive_and_strangers_have_nothing(trader: Trader) -> None:
    upper = "0x" + MASTER[2:].upper()
    assert len(ask(trader, "openOrders", user=upper)) == 1
    assert ask(trader, "openOrders", user=NOBODY) == []
    assert ask(trader, "clearinghouseState", user=NOBODY)["marginSummary"]["accountValue"] == "0.0"
    assert ask(trader, "orderStatus", user=NOBODY, oid=1) == {"status": "unknownOid"}


def test_order_status_by_either_id(trader: Trader) -> None:
    (resting,) = ask(trader, "openOrders", user=MASTER)
    for oid in (resting["oid"], resting["cloid"]):
        answer = ask(trader, "orderStatus", user=MASTER, oid=oid)
        assert answer["order"]["status"] == "open"
        assert answer["order"]["order"]["oid"] == resting["oid"]
    assert ask(trader, "orderStatus", user=MASTER, oid="0x" + "f" * 32) == {"status": "unknownOid"}


def test_history_has_every_order_with_its_end(trader: Trader) -> None:
    history = ask(trader, "historicalOrders", user=MASTER)
    assert sorted(item["status"] for item in history) == ["filled", "open", "rejected"]


def test_fills_by_time_are_cut(trader: Trader) -> None:
    (fill, *_) = fills = ask(trader, "userFills", user=MASTER)
    assert ask(trader, "userFillsByTime", user=MASTER, startTime=fill["time"] + 1) == []
    assert len(ask(trader, "userFillsByTime", user=MASTER, startTime=0, endTime=fill["time"])) == len(fills)


def test_phases_are_labelled(trader: Trader) -> None:
    (phase,) = ask(trader, "scenarioPhases")["phases"]
    assert (phase["name"], phase["end"]) == ("quiet", None)


def test_unknown_coin_has_a_null_book(trader: Trader) -> None:
    assert ask(trader, "l2Book", coin="DOGE") is None


@pytest.mark.parametrize(
    "request_",
    [
        None,
        [],
        {},
        {"type": ["meta"]},
        {"type": "nope"},
        {"type": "l2Book"},
        {"type": "openOrders", "user": "0x"},
        {"type": "openOrders", "user": None},
        {"type": "orderStatus", "user": MASTER},
        {"type": "orderStatus", "user": MASTER, "oid": "0x1"},
        {"type": "orderStatus", "user": MASTER, "oid": 1.5},
        {"type": "userFillsByTime", "user": MASTER},
        {"type": "userFillsByTime", "user": MASTER, "startTime": True},
    ],
)
def test_what_cannot_be_read(trader: Trader, request_: Any) -> None:
    with pytest.raises(UnreadableRequestError):
        answer_info(trader.exchange, request_)
