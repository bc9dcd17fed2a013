"""Info answers of one exchange, and requests that cannot be read."""

from typing import Any

import msgspec
import pytest

from mmpipe.venue.sim.history import History
from mmpipe.venue.sim.info import answer_info
from mmpipe.venue.sim.info_request import Desk, UnreadableRequestError
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


def desk(trader: Trader) -> Desk:
    return Desk(trader.exchange.state, History(trader.exchange.state))


def ask(trader: Trader, kind: str, **fields: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer_info(desk(trader), {"type": kind} | fields)))


def test_account_value_is_cash_plus_position_at_the_mark(trader: Trader) -> None:
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
        {"type": "candleSnapshot", "coin": "BTC"},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 9},
        {"type": "activeAssetData", "user": MASTER, "coin": "DOGE"},
        {"type": "meta", "dex": "xyz"},
    ],
)
def test_what_cannot_be_read(trader: Trader, request_: Any) -> None:
    with pytest.raises(UnreadableRequestError):
        answer_info(desk(trader), request_)


def test_answers_that_never_change(trader: Trader) -> None:
    assert ask(trader, "perpDexs") == [None]
    assert ask(trader, "outcomeMeta") == {"outcomes": [], "questions": []}
    assert ask(trader, "userAbstraction", user=MASTER) == "default"
    assert ask(trader, "extraAgents", user=MASTER) != []  # the two of the demo account
    assert ask(trader, "maxBuilderFee", user=MASTER, builder=NOBODY) == 0
    assert ask(trader, "spotClearinghouseState", user=MASTER) == {"balances": []}
    assert ask(trader, "exchangeStatus")["specialStatuses"] is None
    assert ask(trader, "allPerpMetas") == [ask(trader, "meta")]


def test_limits_count_requests_and_volume(trader: Trader) -> None:
    limit = ask(trader, "userRateLimit", user=MASTER)
    traded = sum(float(f["px"]) * float(f["sz"]) for f in ask(trader, "userFills", user=MASTER))
    assert float(limit["cumVlm"]) == pytest.approx(traded)
    assert (limit["nRequestsUsed"], limit["nRequestsCap"]) == (3, 10_000 + int(traded))


def test_predicted_funding_is_that_of_the_next_hour(trader: Trader) -> None:
    rows = dict(ask(trader, "predictedFundings"))
    ((name, btc),) = rows["BTC"]
    assert name == "HlPerp"
    assert btc["nextFundingTime"] % 3_600_000 == 0
    assert 0 < btc["nextFundingTime"] - trader.ts_ms <= 3_600_000
