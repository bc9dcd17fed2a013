"""Leverage, agents, vaults, money and information through the official, unmodified Python SDK."""

import time

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from mmpipe.venue.sim.settings import demo_keys, demo_vaults
from tests.conformance.parties import ALO, DONE, ME, resting_oid, statuses, touch

(VAULT,) = demo_vaults()
BUILDER = "0x" + "ab" * 20


def test_leverage_cross_and_isolated(info: Info, exchange: Exchange) -> None:
    assert exchange.update_leverage(5, "ETH", is_cross=False) == DONE
    exchange.market_open("ETH", True, 1.0)
    before = info.user_state(ME)["assetPositions"][0]["position"]
    assert before["leverage"]["type"] == "isolated"
    assert float(before["marginUsed"]) == pytest.approx(float(before["positionValue"]) / 5, rel=0.01)
    assert exchange.update_isolated_margin(100.0, "ETH") == DONE
    after = info.user_state(ME)["assetPositions"][0]["position"]
    assert float(after["marginUsed"]) == pytest.approx(float(before["marginUsed"]) + 100, abs=3.0)
    assert float(after["liquidationPx"]) < float(before["liquidationPx"])
    answer = exchange.update_leverage(5, "ETH", is_cross=True)
    assert answer == {"status": "err", "response": "Cannot switch leverage type with open position."}
    exchange.market_close("ETH")
    assert exchange.update_leverage(20, "ETH", is_cross=True) == DONE
    assert exchange.update_leverage(26, "ETH")["response"] == "Invalid leverage value"


@pytest.mark.parametrize("name", [None, "bot"])
def test_an_approved_agent_trades_for_the_account(
    venue: str, info: Info, master: Exchange, name: str | None
) -> None:
    answer, key = master.approve_agent(name)
    assert answer == DONE
    agent = Exchange(Account.from_key(key), venue, account_address=ME)
    bid, _ = touch(info)
    oid = resting_oid(agent.order("BTC", True, 0.001, bid - 500, ALO))
    assert oid in [order["oid"] for order in info.open_orders(ME)]
    assert statuses(agent.cancel("BTC", oid)) == ["success"]
    assert info.user_role(agent.wallet.address) == {"role": "agent", "data": {"user": ME}}
    named = [row["name"] for row in info.extra_agents(ME)]
    assert ("bot" in named) == (name == "bot")


def test_only_the_account_itself_may_approve(exchange: Exchange) -> None:
    answer, _ = exchange.approve_agent("other")
    assert answer["status"] == "err"


def test_builder_fee_and_referrer(venue: str, info: Info, master: Exchange) -> None:
    assert master.approve_builder_fee(BUILDER, "0.01%") == DONE
    assert info.post("/info", {"type": "maxBuilderFee", "user": ME, "builder": BUILDER}) == 10
    assert master.set_referrer("MMPIPE") == DONE
    assert master.noop(int(time.time() * 1_000)) == DONE


def test_vault_orders_belong_to_the_vault(venue: str, info: Info) -> None:
    leader = Exchange(Account.from_key(demo_keys().master), venue, vault_address=VAULT)
    bid, _ = touch(info)
    oid = resting_oid(leader.order("BTC", True, 0.001, bid - 500, ALO))
    assert [order["oid"] for order in info.open_orders(VAULT)] == [oid]
    assert info.open_orders(ME) == []
    assert statuses(leader.cancel("BTC", oid)) == ["success"]
    assert info.user_role(VAULT) == {"role": "vault"}
    stranger = Exchange(Account.from_key(demo_keys().master), venue, vault_address=BUILDER)
    answer = stranger.order("BTC", True, 0.001, bid - 500, ALO)
    assert answer == {"status": "err", "response": f"Vault not registered: {BUILDER}"}


def test_money_moves_between_the_two_accounts(info: Info, master: Exchange) -> None:
    before = float(info.user_state(ME)["withdrawable"])
    assert master.usd_class_transfer(25.5, False) == DONE
    (balance,) = info.spot_user_state(ME)["balances"]
    assert (balance["coin"], balance["total"]) == ("USDC", "25.5")
    assert float(info.user_state(ME)["withdrawable"]) == pytest.approx(before - 25.5)
    assert master.usd_class_transfer(25.5, True) == DONE
    assert info.spot_user_state(ME)["balances"] == []
    assert master.usd_class_transfer(1e9, False)["status"] == "err"
    kinds = [row["delta"]["type"] for row in info.user_non_funding_ledger_updates(ME, 0)]
    assert kinds == ["deposit", "accountClassTransfer", "accountClassTransfer"]


def test_information_of_markets(info: Info) -> None:
    assert [coin["name"] for coin in info.meta()["universe"]] == ["BTC", "ETH"]
    universe, contexts = info.meta_and_asset_ctxs()
    assert len(universe["universe"]) == len(contexts) == 2
    assert info.spot_meta()["universe"] == []
    assert info.spot_meta_and_asset_ctxs()[1] == []
    assert info.perp_dexs() == [None]
    assert set(info.all_mids()) == {"BTC", "ETH"}
    bids, asks = info.l2_snapshot("BTC")["levels"]
    assert len(bids) == len(asks) == 20
    assert [float(level["px"]) for level in bids] == sorted((float(x["px"]) for x in bids), reverse=True)
    now = int(time.time() * 1_000)
    candles = info.candles_snapshot("BTC", "1m", now - 600_000, now)
    assert candles[-1]["s"] == "BTC"
    assert info.funding_history("BTC", 0) == []


def test_information_of_an_account(info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    oid = resting_oid(exchange.order("BTC", True, 0.001, bid - 500, ALO))
    assert info.historical_orders(ME)[0]["order"]["oid"] == oid
    assert info.user_fees(ME)["userAddRate"] == "0.00015"
    assert info.user_fees(ME)["userCrossRate"] == "0.00045"
    limit = info.user_rate_limit(ME)
    assert limit["nRequestsUsed"] < limit["nRequestsCap"]
    assert info.user_funding_history(ME, 0) == []
    assert info.user_role(ME) == {"role": "user"}
    assert info.query_order_by_oid(ME, 1) == {"status": "unknownOid"}
    assert statuses(exchange.cancel("BTC", oid)) == ["success"]
