"""The venue's own, unmodified Python SDK against the embedded exchange; shapes against recorded answers."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.settings import demo_keys
from tests.mmpipe.venue.sim.running import RunningVenue, wait_for

ME = address_of(demo_keys().master)
ALO = {"limit": {"tif": "Alo"}}
GTC = {"limit": {"tif": "Gtc"}}
IOC = {"limit": {"tif": "Ioc"}}
DATA = Path(os.environ.get("MMPIPE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FIXTURES = DATA / "hl_fixtures"
needs_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"recorded answers not found at {FIXTURES}; set MMPIPE_DATA"
)


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    with RunningVenue() as running:
        yield running.url


@pytest.fixture(scope="module")
def info(venue: str) -> Info:
    return Info(venue, skip_ws=True)


@pytest.fixture(scope="module")
def exchange(venue: str) -> Exchange:
    return Exchange(Account.from_key(demo_keys().execution), venue, account_address=ME)


def touch(info: Info, coin: str = "BTC") -> tuple[float, float]:
    bids, asks = info.l2_snapshot(coin)["levels"]
    return float(bids[0]["px"]), float(asks[0]["px"])


def statuses(answer: Any) -> list[Any]:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]


def test_meta_and_book(info: Info) -> None:
    assert [coin["name"] for coin in info.meta()["universe"]] == ["BTC", "ETH"]
    book = info.l2_snapshot("BTC")
    bids, asks = book["levels"]
    assert len(bids) == len(asks) == 20
    assert [float(level["px"]) for level in bids] == sorted((float(x["px"]) for x in bids), reverse=True)
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    assert set(info.all_mids()) == {"BTC", "ETH"}
    assert info.user_fees(ME)["userAddRate"] == "0.00015"
    assert info.user_fees(ME)["userCrossRate"] == "0.00045"


def test_orders_of_every_kind_and_their_ends(info: Info, exchange: Exchange) -> None:
    bid, ask = touch(info)
    cloid = Cloid.from_int(7)
    (item,) = statuses(exchange.order("BTC", True, 0.001, bid - 500, ALO, cloid=cloid))
    oid = item["resting"]["oid"]
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
    (rested,) = statuses(exchange.order("ETH", True, 0.1, 4_000.0, GTC))
    assert statuses(exchange.cancel("ETH", rested["resting"]["oid"])) == ["success"]
    position = info.user_state(ME)["assetPositions"][0]["position"]
    assert (position["coin"], position["szi"]) == ("BTC", "0.01")
    assert statuses(exchange.market_close("BTC"))[0]["filled"]["totalSz"] == "0.01"
    assert info.user_state(ME)["assetPositions"] == []
    newest, *_ = info.user_fills(ME)
    assert (newest["dir"], newest["crossed"], newest["feeToken"]) == ("Close Long", True, "USDC")
    assert [f["tid"] for f in info.user_fills_by_time(ME, 0)] == [f["tid"] for f in info.user_fills(ME)][::-1]


def test_one_error_in_a_batch(info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    orders = [
        {
            "coin": "BTC",
            "is_buy": True,
            "sz": size,
            "limit_px": bid - 400,
            "order_type": ALO,
            "reduce_only": False,
        }
        for size in (0.001, 0.00001, 0.002)
    ]
    first, second, third = statuses(exchange.bulk_orders(orders))
    assert second == {"error": "Order must have minimum value of $10. asset=0"}
    oids = [first["resting"]["oid"], third["resting"]["oid"]]
    assert statuses(exchange.bulk_cancel([{"coin": "BTC", "oid": oid} for oid in oids])) == ["success"] * 2


def test_unknown_signer_is_refused(venue: str) -> None:
    wallet = Account.create()
    answer = Exchange(wallet, venue).order("BTC", True, 0.001, 99_000, ALO)
    text = f"User or API Wallet {wallet.address.lower()} does not exist."
    assert answer == {"status": "err", "response": text}


def test_expired_action_is_refused(venue: str) -> None:
    late = Exchange(Account.from_key(demo_keys().risk), venue, account_address=ME)
    late.set_expires_after(1)
    answer = late.order("BTC", True, 0.001, 99_000, ALO)
    assert answer == {"status": "err", "response": "Action already expired"}


def test_subscriptions(venue: str, exchange: Exchange) -> None:
    listening = Info(venue)
    seen: dict[str, list[Any]] = {}

    def keep(message: Any) -> None:
        seen.setdefault(message["channel"], []).append(message["data"])

    try:
        for kind in ("bbo", "l2Book", "trades"):
            listening.subscribe({"type": kind, "coin": "BTC"}, keep)
        for kind in ("orderUpdates", "userFills", "userEvents"):
            listening.subscribe({"type": kind, "user": ME}, keep)
        wait_for(lambda: {"bbo", "l2Book", "trades", "userFills"} <= set(seen), "first messages")
        assert seen["userFills"][0]["isSnapshot"] is True
        assert len(seen["trades"][0]) > 1  # history
        _, ask = touch(listening)
        (item,) = statuses(exchange.order("BTC", True, 0.005, ask + 50, IOC))
        oid = item["filled"]["oid"]
        wait_for(lambda: "user" in seen and "orderUpdates" in seen, "own fill and order update")
        assert seen["user"][0]["fills"][0]["oid"] == oid
        pushed = wait_for(lambda: [m for m in seen["userFills"] if "isSnapshot" not in m], "pushed fill")
        assert pushed[0]["fills"][0]["oid"] == oid
        update = seen["orderUpdates"][0][0]
        assert (update["order"]["oid"], update["status"]) == (oid, "filled")
        mine = wait_for(
            lambda: [t for m in seen["trades"] for t in m if t["users"][0] == ME], "own trade in public"
        )
        assert mine[0]["side"] == "B"
        exchange.market_close("BTC")
    finally:
        listening.disconnect_websocket()


def shape(value: Any) -> Any:
    """Keys and types; of a list, its first element."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def cassette(name: str) -> Any:
    # The last recorded body: JSON in a YAML scalar, possibly quoted and folded over lines.
    text = (FIXTURES / "python_sdk" / "cassettes" / "info_test" / f"{name}.yaml").read_text()
    body = text.split("string: ")[-1].lstrip("'").replace("''", "'")
    value, _ = json.JSONDecoder().raw_decode(" ".join(line.strip() for line in body.splitlines()))
    return value


@needs_fixtures
def test_book_has_the_recorded_shape(info: Info) -> None:
    assert shape(info.l2_snapshot("BTC")) == shape(cassette("test_get_l2_snapshot"))


@needs_fixtures
def test_fills_have_the_recorded_keys(info: Info, exchange: Exchange) -> None:
    _, ask = touch(info)
    exchange.order("BTC", True, 0.005, ask + 50, IOC)
    exchange.market_close("BTC")
    ours, recorded = info.user_fills(ME)[0], cassette("test_get_user_fills")[0]
    assert set(recorded) <= set(ours)
    assert all(type(ours[key]) is type(recorded[key]) for key in recorded)


@needs_fixtures
def test_account_has_the_recorded_keys(info: Info, exchange: Exchange) -> None:
    _, ask = touch(info)
    exchange.order("BTC", True, 0.005, ask + 50, IOC)
    ours, recorded = info.user_state(ME), cassette("test_get_user_state")
    exchange.market_close("BTC")
    assert shape(ours["marginSummary"]) == shape(recorded["marginSummary"])
    assert set(recorded) <= set(ours)


@needs_fixtures
def test_open_orders_have_the_recorded_keys(info: Info, exchange: Exchange) -> None:
    bid, _ = touch(info)
    (item,) = statuses(exchange.order("BTC", True, 0.001, bid - 500, ALO))
    for ours, name in (
        (info.open_orders(ME)[0], "test_get_open_orders"),
        (info.frontend_open_orders(ME)[0], "test_get_frontend_open_orders"),
    ):
        recorded = cassette(name)[0]
        assert set(recorded) <= set(ours), name
    exchange.cancel("BTC", item["resting"]["oid"])
