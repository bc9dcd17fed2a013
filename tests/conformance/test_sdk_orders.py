"""Orders through the official, unmodified Python SDK."""

import time
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from mmpipe.venue.sim.settings import demo_keys
from tests.conformance.parties import ALO, DONE, GTC, IOC, ME, resting_oid, statuses, touch


def request(px: float, size: float, kind: Any = ALO, **changes: Any) -> dict[str, Any]:
    wire = {
        "coin": "BTC",
        "is_buy": True,
        "sz": size,
        "limit_px": px,
        "order_type": kind,
        "reduce_only": False,
    }
    return wire | changes


def test_orders_of_every_kind_and_their_ends(info: Info, exchange: Exchange) -> None:
    bid, ask = touch(info)
    cloid = Cloid.from_int(7)
    oid = resting_oid(exchange.order("BTC", True, 0.001, bid - 500, ALO, cloid=cloid))
    assert [o["oid"] for o in info.open_orders(ME)] == [oid]
    (front,) = info.frontend_open_orders(ME)
    assert (front["tif"], front["cloid"], front["origSz"]) == ("Alo", cloid.to_raw(), "0.001")
    assert info.query_order_by_oid(ME, oid)["order"]["status"] == "open"
    assert info.query_order_by_cloid(ME, cloid)["order"]["order"]["oid"] == oid
    assert statuses(exchange.cancel_by_cloid("BTC", cloid)) == ["success"]
    assert info.query_order_by_cloid(ME, cloid)["order"]["status"] == "canceled"
    assert "never placed" in statuses(exchange.cancel("BTC", oid))[0]["error"]
    (taken,) = statuses(exchange.order("BTC", True, 0.01, ask + 50, IOC))
    assert taken["filled"]["totalSz"] == "0.01"
    assert statuses(exchange.cancel("ETH", resting_oid(exchange.order("ETH", True, 0.1, 4_000.0, GTC)))) == [
        "success"
    ]
    position = info.user_state(ME)["assetPositions"][0]["position"]
    assert (position["coin"], position["szi"]) == ("BTC", "0.01")
    assert statuses(exchange.market_close("BTC"))[0]["filled"]["totalSz"] == "0.01"
    assert info.user_state(ME)["assetPositions"] == []
    newest, *_ = info.user_fills(ME)
    assert (newest["dir"], newest["crossed"], newest["feeToken"]) == ("Close Long", True, "USDC")
    assert [f["tid"] for f in info.user_fills_by_time(ME, 0)] == [f["tid"] for f in info.user_fills(ME)][::-1]


def test_what_would_trade_is_not_posted_and_what_cannot_trade_does_not_rest(
    info: Info, exchange: Exchange
) -> None:
    bid, ask = touch(info)
    (crossing,) = statuses(exchange.order("BTC", True, 0.001, ask + 50, ALO))
    assert crossing["error"].startswith("Post only order would have immediately matched, bbo was ")
    assert crossing["error"].endswith(". asset=0")
    (missing,) = statuses(exchange.order("BTC", True, 0.001, bid - 500, IOC))
    assert missing == {"error": "Order could not immediately match against any resting orders. asset=0"}
    assert info.open_orders(ME) == []


def test_one_error_in_a_batch(info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    orders = [request(bid - 400, size) for size in (0.001, 0.00001, 0.002)]
    first, second, third = statuses(exchange.bulk_orders(orders))
    assert second == {"error": "Order must have minimum value of $10. asset=0"}
    oids = [first["resting"]["oid"], third["resting"]["oid"]]
    assert statuses(exchange.bulk_cancel([{"coin": "BTC", "oid": oid} for oid in oids])) == ["success"] * 2


def test_modify_by_either_id(info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    cloid = Cloid.from_int(11)
    oid = resting_oid(exchange.order("BTC", True, 0.001, bid - 500, ALO, cloid=cloid))
    again = resting_oid(exchange.modify_order(oid, "BTC", True, 0.002, bid - 400, ALO, cloid=cloid))
    assert again != oid
    last = resting_oid(exchange.modify_order(cloid, "BTC", True, 0.003, bid - 300, ALO, cloid=cloid))
    (order,) = info.open_orders(ME)
    assert (order["oid"], order["sz"], order["cloid"]) == (last, "0.003", cloid.to_raw())
    changes: Any = [{"oid": last, "order": request(bid - 450, 0.004)}, {"oid": 1, "order": request(bid, 1)}]
    changed, refused = statuses(exchange.bulk_modify_orders_new(changes))
    assert refused == {"error": "Cannot modify canceled or filled order asset=0"}
    assert statuses(exchange.cancel("BTC", changed["resting"]["oid"])) == ["success"]


def test_market_open_and_close(info: Info, exchange: Exchange) -> None:
    (opened,) = statuses(exchange.market_open("ETH", False, 0.5))
    assert opened["filled"]["totalSz"] == "0.5"
    (closed,) = statuses(exchange.market_close("ETH", 0.2))
    assert closed["filled"]["totalSz"] == "0.2"
    assert info.user_state(ME)["assetPositions"][0]["position"]["szi"] == "-0.3"
    assert "filled" in statuses(exchange.market_close("ETH"))[0]


def test_take_profit_and_stop_loss_sleep(info: Info, exchange: Exchange) -> None:
    bid, ask = touch(info)
    exchange.market_open("BTC", True, 0.01)
    stop: Any = {"trigger": {"triggerPx": bid - 2_000, "isMarket": True, "tpsl": "sl"}}
    gain: Any = {"trigger": {"triggerPx": ask + 2_000, "isMarket": False, "tpsl": "tp"}}
    first = resting_oid(exchange.order("BTC", False, 0.01, bid - 2_500, stop, reduce_only=True))
    second = resting_oid(exchange.order("BTC", False, 0.01, ask + 2_000, gain, reduce_only=True))
    shown = {order["oid"]: order for order in info.frontend_open_orders(ME)}
    assert shown[first]["orderType"] == "Stop Market"
    assert shown[first]["triggerCondition"] == f"Price below {bid - 2_000:.0f}"
    assert shown[second]["orderType"] == "Take Profit Limit"
    assert shown[second]["isTrigger"] is True
    assert statuses(exchange.bulk_cancel([{"coin": "BTC", "oid": o} for o in shown])) == ["success"] * 2
    exchange.market_close("BTC")


def test_schedule_cancel_is_set_and_cleared(exchange: Exchange) -> None:
    assert exchange.schedule_cancel(int(time.time() * 1_000) + 60_000) == DONE
    assert exchange.schedule_cancel(None) == DONE
    early = exchange.schedule_cancel(int(time.time() * 1_000) + 1_000)
    assert early["status"] == "err"


def test_expired_action_is_refused(venue: str) -> None:
    late = Exchange(Account.from_key(demo_keys().risk), venue, account_address=ME)
    late.set_expires_after(1)
    assert late.order("BTC", True, 0.001, 99_000, ALO) == {
        "status": "err",
        "response": "Action already expired",
    }


def test_unknown_signer_is_refused(venue: str) -> None:
    wallet = Account.create()
    answer = Exchange(wallet, venue).order("BTC", True, 0.001, 99_000, ALO)
    text = f"User or API Wallet {wallet.address.lower()} does not exist."
    assert answer == {"status": "err", "response": text}


@pytest.mark.parametrize("grouping", ["normalTpsl", "positionTpsl"])
def test_grouped_orders_wait(info: Info, exchange: Exchange, grouping: Any) -> None:
    bid, _ = touch(info)
    stop = {"trigger": {"triggerPx": bid - 900, "isMarket": True, "tpsl": "sl"}}
    child = request(bid - 1_500, 0.001, stop, is_buy=False, reduce_only=True)
    if grouping == "normalTpsl":
        parent, waiting = statuses(
            exchange.bulk_orders([request(bid - 500, 0.001), child], grouping=grouping)
        )
        assert waiting == "waitingForFill"
        assert statuses(exchange.cancel("BTC", parent["resting"]["oid"])) == ["success"]
    else:
        assert statuses(exchange.bulk_orders([child], grouping=grouping)) == ["waitingForTrigger"]
        (order,) = info.frontend_open_orders(ME)
        assert order["isPositionTpsl"] is True
        exchange.cancel("BTC", order["oid"])
    assert info.frontend_open_orders(ME) == []
