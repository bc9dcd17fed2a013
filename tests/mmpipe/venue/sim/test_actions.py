"""Actions besides orders: leverage, margin, schedules, requests."""

from typing import Any

import pytest

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim.market import FEE_ACCOUNT
from mmpipe.venue.sim.profiles import load_profile
from tests.mmpipe.venue.sim.trader import Trader, furnished, order, place

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def trader() -> Trader:
    return furnished()


def refused(text: str) -> dict[str, str]:
    return {"status": "err", "response": text}


def leverage(value: int, cross: bool = True, asset: int = 0) -> dict[str, Any]:
    return {"type": "updateLeverage", "asset": asset, "isCross": cross, "leverage": value}


def margin(ntli: int) -> dict[str, Any]:
    return {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": ntli}


def schedule(time: int | None) -> dict[str, Any]:
    return {"type": "scheduleCancel"} | ({"time": time} if time is not None else {})


def buy(trader: Trader, size: str) -> None:
    _, ask = trader.touch()
    (item,) = trader.act(place(order(str(ask + 50), size, tif="Ioc")))
    assert "filled" in item


def standing(trader: Trader) -> Any:
    return trader.exchange.state.market.standings[trader.account.index, 0]


def test_leverage_decides_what_can_be_bought(trader: Trader) -> None:
    bid, _ = trader.touch()
    wire = order(str(bid - 100), "0.9")  # 90,000 USDC with 100,000 on the account
    assert trader.act(leverage(1)) == DONE
    assert "resting" in trader.act(place(wire))[0]
    assert trader.act(place(wire)) == [{"error": "Insufficient margin to place order. asset=0"}]
    assert trader.act(leverage(40)) == DONE
    assert "resting" in trader.act(place(wire))[0]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (leverage(0), "Invalid leverage value"),
        (leverage(41), "Invalid leverage value"),
        (leverage(5, asset=7), "Invalid asset: 7"),
        (margin(1), "No isolated position to update margin of."),
        ({"type": "setReferrer", "code": "A"}, None),
        ({"type": "noop"}, None),
    ],
)
def test_what_is_refused_and_what_is_not(trader: Trader, action: dict[str, Any], text: str | None) -> None:
    assert trader.act(action) == (DONE if text is None else refused(text))


def test_margin_mode_is_fixed_while_there_is_a_position(trader: Trader) -> None:
    buy(trader, "0.1")
    assert trader.act(leverage(20, cross=False)) == refused("Cannot switch leverage type with open position.")
    assert trader.act(leverage(5)) == DONE
    assert standing(trader)["leverage"] == 5


def test_less_leverage_needs_the_margin(trader: Trader) -> None:
    buy(trader, "5")
    assert trader.act(leverage(2)) == refused("Insufficient margin to set leverage.")
    assert standing(trader)["leverage"] == 20


def test_isolated_margin_moves_between_position_and_account(trader: Trader) -> None:
    trader.act(leverage(10, cross=False))
    buy(trader, "0.1")
    before = int(standing(trader)["margin_cash"])
    assert before == pytest.approx(1_000 * CASH_PER_USDC, rel=0.01)
    assert trader.act(margin(500_000_000)) == DONE
    assert standing(trader)["margin_cash"] == before + 500 * CASH_PER_USDC
    assert trader.act(margin(-400_000_000)) == DONE
    assert trader.act(margin(-400_000_000)) == refused("Insufficient margin to update isolated margin.")
    assert trader.act(margin(10**12)) == refused("Insufficient margin to update isolated margin.")
    trader.act(leverage(2, cross=False))
    assert standing(trader)["margin_cash"] == pytest.approx(5_000 * CASH_PER_USDC, rel=0.01)


def test_scheduled_cancel_takes_everything_at_its_time(trader: Trader) -> None:
    bid, _ = trader.touch()
    trader.act(place(order(str(bid - 500), "0.01"), order(str(bid - 600), "0.01")))
    trigger = {"trigger": {"isMarket": True, "triggerPx": str(bid - 100), "tpsl": "sl"}}
    trader.act(place(order(str(bid - 600), "0.01", b=False, r=True, t=trigger)))
    assert trader.act(schedule(trader.ts_ms + 4_000))["response"].startswith(
        "Scheduled cancel time too early"
    )
    assert trader.act(schedule(trader.ts_ms + 6_000)) == DONE
    trader.run(200)
    assert len(trader.account.open) == 3
    trader.run(200)
    assert not trader.account.open
    ends = {o.status for o in trader.account.closed.values()}
    assert ends == {"scheduledCancel"}


def test_cleared_schedule_cancels_nothing(trader: Trader) -> None:
    bid, _ = trader.touch()
    trader.act(place(order(str(bid - 500), "0.01")))
    trader.act(schedule(trader.ts_ms + 6_000))
    assert trader.act(schedule(None)) == DONE
    trader.run(400)
    assert len(trader.account.open) == 1


def test_schedules_end_after_ten_a_day(trader: Trader) -> None:
    trader.account.triggered_days = {trader.ts_ms // 86_400_000: 10}
    assert "too many times" in trader.act(schedule(trader.ts_ms + 6_000))["response"]


def test_small_accounts_have_no_schedule_at_the_real_venue() -> None:
    trader = furnished(profile=load_profile("hyperliquid"))
    trader.enqueue(schedule(trader.ts_ms + 60_000))
    for _ in range(20):
        trader.run(1)
    assert trader.answers.pop() == refused(
        "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    )


def test_requests_are_bought(trader: Trader) -> None:
    before = int(trader.exchange.state.market.cash[FEE_ACCOUNT])
    assert trader.act({"type": "reserveRequestWeight", "weight": 1_000}) == DONE
    assert trader.account.reserved_requests == 1_000
    assert trader.exchange.state.market.cash[FEE_ACCOUNT] - before == CASH_PER_USDC // 2
    too_many = {"type": "reserveRequestWeight", "weight": 10**9}
    assert trader.act(too_many) == refused("Insufficient balance to reserve request weight.")


def test_referrer_is_set_once(trader: Trader) -> None:
    assert trader.act({"type": "setReferrer", "code": "A"}) == DONE
    assert trader.act({"type": "setReferrer", "code": "B"}) == refused("Referrer already set.")


def test_funding_is_paid_on_the_hour(trader: Trader) -> None:
    buy(trader, "1")
    trader.ts_ms = (trader.ts_ms // 3_600_000 + 1) * 3_600_000
    trader.run(1)
    (paid,) = trader.account.fundings
    oracle = int(trader.exchange.state.market.prices["oracle_tick"][0])
    assert paid.lots == 100_000
    assert paid.cash == round(oracle * 100_000 * paid.rate) * 100
    assert trader.exchange.state.funding_log[0][-1]["time"] == paid.ts_ms
    assert trader.result.fundings[trader.account.address] == [paid]
    trader.run(5)
    assert len(trader.account.fundings) == 1
