"""The unmodified ccxt against the embedded exchange: nothing but its `urls` option is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ccxt
import ccxt.pro
import pytest

from mmpipe.venue.sim.settings import demo_keys
from tests.conformance.parties import ME

SYMBOL = "BTC/USDC:USDC"
ETH = "ETH/USDC:USDC"
CLOID = "0x" + "0" * 31 + "9"
DEADLINE_S = 30.0


def options(url: str) -> dict[str, Any]:
    socket = url.replace("http", "ws") + "/ws"
    return {
        "walletAddress": ME,
        "privateKey": "0x" + demo_keys().master.hex(),
        "urls": {"api": {"public": url, "private": url, "ws": {"public": socket}}},
        "enableRateLimit": False,
    }


@pytest.fixture(scope="module")
def client(venue: str) -> Any:
    client = ccxt.hyperliquid(options(venue))  # type: ignore[arg-type]  # a plain dict is what it takes
    client.load_markets()
    return client


def touch(client: Any, symbol: str = SYMBOL) -> tuple[float, float]:
    book = client.fetch_order_book(symbol)
    return book["bids"][0][0], book["asks"][0][0]


def test_markets_and_prices(client: Any) -> None:
    assert set(client.markets) == {SYMBOL, ETH}
    assert client.markets[SYMBOL]["precision"]["amount"] == 1e-5
    assert set(client.fetch_tickers()) == {SYMBOL, ETH}
    bid, ask = touch(client)
    assert bid < client.fetch_ticker(SYMBOL)["last"] < ask or bid <= ask
    assert client.fetch_ohlcv(SYMBOL, "1m")
    assert client.fetch_funding_rates()[SYMBOL]["fundingRate"] == pytest.approx(0.0000125, abs=1e-4)
    assert client.fetch_funding_rate_history(SYMBOL) == []
    assert client.fetch_open_interest(SYMBOL)["openInterestAmount"] >= 0


def test_limit_order_edited_and_cancelled(client: Any) -> None:
    bid, _ = touch(client)
    first = client.create_order(SYMBOL, "limit", "buy", 0.001, bid - 500)
    assert client.fetch_order(first["id"], SYMBOL)["status"] == "open"
    second = client.edit_order(first["id"], SYMBOL, "limit", "buy", 0.002, bid - 400)
    (open_order,) = client.fetch_open_orders(SYMBOL)
    assert (open_order["id"], open_order["amount"]) == (second["id"], 0.002)
    client.cancel_order(second["id"], SYMBOL)
    assert client.fetch_open_orders(SYMBOL) == []
    assert {order["status"] for order in client.fetch_orders(SYMBOL)} == {"canceled"}


def test_post_only_with_a_client_id(client: Any) -> None:
    bid, _ = touch(client)
    made = client.create_order(
        SYMBOL, "limit", "buy", 0.001, bid - 500, {"postOnly": True, "clientOrderId": CLOID}
    )
    assert made["clientOrderId"] == CLOID
    client.cancel_order(None, SYMBOL, {"clientOrderId": CLOID})
    assert client.fetch_open_orders(SYMBOL) == []


def test_many_orders_in_one_request(client: Any) -> None:
    bid, _ = touch(client)
    orders = [
        {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.001, "price": bid - offset}
        for offset in (500, 600)
    ]
    ids = [order["id"] for order in client.create_orders(orders)]
    assert sorted(ids) == sorted(order["id"] for order in client.fetch_open_orders(SYMBOL))
    assert len(client.cancel_orders(ids, SYMBOL)) == 2
    assert client.fetch_open_orders(SYMBOL) == []


def test_market_order_position_balance_and_trades(client: Any) -> None:
    bid, ask = touch(client)
    client.create_order(SYMBOL, "market", "buy", 0.01, ask)
    (position,) = client.fetch_positions()
    assert (position["symbol"], position["contracts"], position["side"]) == (SYMBOL, 0.01, "long")
    balance = client.fetch_balance()["USDC"]
    assert balance["total"] == pytest.approx(100_000, abs=50)
    assert balance["used"] > 0
    assert sum(trade["amount"] for trade in client.fetch_my_trades(SYMBOL)) == pytest.approx(0.01)
    client.create_order(SYMBOL, "market", "sell", 0.01, bid, {"reduceOnly": True})
    assert client.fetch_positions() == []
    assert client.fetch_trading_fee(SYMBOL)["taker"] == 0.00045


def test_refusals_are_told_apart(client: Any) -> None:
    bid, _ = touch(client)
    with pytest.raises(ccxt.InvalidOrder, match=r"minimum value of \$10"):
        client.create_order(SYMBOL, "limit", "buy", 0.00001, bid - 500)
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order("1", SYMBOL)


def test_leverage_margin_transfer_ledger_and_dead_mans_switch(client: Any) -> None:
    for answer in (
        client.set_leverage(5, SYMBOL, {"marginMode": "cross"}),
        client.set_margin_mode("isolated", ETH, {"leverage": 3}),
        client.cancel_all_orders_after(10_000),
    ):
        assert answer["status"] == "ok"
    assert client.transfer("USDC", 10, "swap", "spot")["status"] == "ok"
    assert [row["type"] for row in client.fetch_ledger()] == ["deposit", "transfer"]


def pro(url: str, story: Callable[[Any], Awaitable[None]]) -> None:
    async def main() -> None:
        client = ccxt.pro.hyperliquid(options(url))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await client.load_markets()
                await story(client)
        finally:
            await client.close()

    asyncio.run(main())


def test_pro_watches_markets(venue: str) -> None:
    async def story(client: Any) -> None:
        book = await client.watch_order_book(SYMBOL)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert (await client.watch_trades(SYMBOL))[0]["symbol"] == SYMBOL
        assert (await client.watch_ticker(SYMBOL))["symbol"] == SYMBOL
        assert await client.watch_ohlcv(SYMBOL, "1m")

    pro(venue, story)


def test_pro_places_cancels_and_hears_of_it(venue: str) -> None:
    async def story(client: Any) -> None:
        book = await client.watch_order_book(SYMBOL)
        orders = asyncio.create_task(client.watch_orders(SYMBOL))
        trades = asyncio.create_task(client.watch_my_trades(SYMBOL))
        while not client.clients or len(next(iter(client.clients.values())).subscriptions) < 3:
            await asyncio.sleep(0.01)
        made = await client.create_order_ws(SYMBOL, "limit", "buy", 0.001, book["bids"][0][0] - 800)
        assert (await orders)[0]["id"] == made["id"]
        assert (await client.cancel_order_ws(made["id"], SYMBOL))["info"] == "success"
        await client.create_order_ws(SYMBOL, "market", "buy", 0.001, book["asks"][0][0])
        assert (await trades)[-1]["symbol"] == SYMBOL
        closing = {"reduceOnly": True}
        await client.create_order_ws(SYMBOL, "market", "sell", 0.001, book["bids"][0][0], closing)

    pro(venue, story)
