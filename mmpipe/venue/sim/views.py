"""The venue's JSON shapes of books, trades, orders, fills and accounts, as plain dicts."""

from typing import Any, Final

import numpy as np

from mmpipe.units import CASH_PER_TICK_LOT, CASH_PER_USDC
from mmpipe.venue.sim.accounts import Account, Fill, Order, direction_of
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.market import DEPTH
from mmpipe.venue.sim.matching import depth
from mmpipe.venue.sim.order_checks import LEVERAGE
from mmpipe.venue.sim.wire import text_of

View = dict[str, Any]

BOOK_LEVELS: Final = 20
FAST_LEVELS: Final = 5
NO_HASH: Final = "0x" + "0" * 64
_SIDE: Final = {1: "B", -1: "A"}


def levels_view(exchange: Exchange, symbol: int, count: int) -> list[list[View]]:
    """Best `count` bids and asks, best first."""
    coin = exchange.coins[symbol]
    rows = np.zeros(count, DEPTH)
    sides = []
    for side in (1, -1):
        written = depth(exchange.market, symbol, side, rows)
        sides.append([_level(coin, row) for row in rows[:written].tolist()])
    return sides


def book_view(exchange: Exchange, symbol: int, count: int) -> View:
    """An l2Book."""
    levels = levels_view(exchange, symbol, count)
    return {"coin": exchange.coins[symbol].name, "time": exchange.ts_ms, "levels": levels}


def bbo_view(exchange: Exchange, symbol: int) -> View:
    """Best bid and ask; a side without orders is null."""
    sides = levels_view(exchange, symbol, 1)
    bbo = [side[0] if side else None for side in sides]
    return {"coin": exchange.coins[symbol].name, "time": exchange.ts_ms, "bbo": bbo}


def mids_view(exchange: Exchange) -> dict[str, str]:
    """Mid price of each coin."""
    return {
        coin.name: text_of(int(tick), coin.ticks_in_unit)
        for coin, tick in zip(exchange.coins, exchange.mark_ticks, strict=True)
    }


def ctx_view(exchange: Exchange, symbol: int) -> View:
    """Asset context; nothing is charged for holding a position here, so funding is zero."""
    coin = exchange.coins[symbol]
    mark = text_of(int(exchange.mark_ticks[symbol]), coin.ticks_in_unit)
    held = int(np.abs(exchange.market.positions[:, symbol]).sum()) // 2
    return {
        "funding": "0.0",
        "openInterest": text_of(held, coin.lots_in_unit),
        "prevDayPx": f"{coin.start_px:.1f}",
        "dayNtlVlm": "0.0",
        "premium": "0.0",
        "oraclePx": mark,
        "markPx": mark,
        "midPx": mark,
        "impactPxs": [mark, mark],
        "dayBaseVlm": "0.0",
    }


def trade_view(exchange: Exchange, row: np.void) -> View:
    """A public trade; `side` is the aggressor's, `users` are buyer and seller."""
    coin = exchange.coins[int(row["symbol"])]
    taker, maker = (exchange.addresses[int(row[key])] for key in ("taker_account", "maker_account"))
    side = int(row["side"])
    return {
        "coin": coin.name,
        "side": _SIDE[side],
        "px": text_of(int(row["tick"]), coin.ticks_in_unit),
        "sz": text_of(int(row["lots"]), coin.lots_in_unit),
        "time": exchange.ts_ms,
        "hash": NO_HASH,
        "tid": int(row["tid"]),
        "users": [taker, maker] if side > 0 else [maker, taker],
    }


def order_view(exchange: Exchange, order: Order) -> View:
    """An order as openOrders and orderUpdates show it."""
    coin = exchange.coins[order.symbol]
    view: View = {
        "coin": coin.name,
        "side": _SIDE[order.side],
        "limitPx": text_of(order.tick, coin.ticks_in_unit),
        "sz": text_of(order.lots, coin.lots_in_unit),
        "oid": order.oid,
        "timestamp": order.ts_ms,
        "origSz": text_of(order.orig_lots, coin.lots_in_unit),
    }
    if order.cloid is not None:
        view["cloid"] = order.cloid
    if order.reduce_only:
        view["reduceOnly"] = True
    return view


def update_view(exchange: Exchange, order: Order) -> View:
    """One element of an orderUpdates message."""
    view = order_view(exchange, order)
    return {"order": view, "status": order.status, "statusTimestamp": order.status_ts_ms}


def full_order_view(exchange: Exchange, order: Order) -> View:
    """An order as frontendOpenOrders, historicalOrders and orderStatus show it."""
    return order_view(exchange, order) | {
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.reduce_only,
        "orderType": "Limit",
        "tif": order.tif,
        "cloid": order.cloid,
    }


def fill_view(exchange: Exchange, fill: Fill) -> View:
    """One of a user's fills."""
    coin = exchange.coins[fill.symbol]
    view: View = {
        "coin": coin.name,
        "px": text_of(fill.tick, coin.ticks_in_unit),
        "sz": text_of(fill.lots, coin.lots_in_unit),
        "side": _SIDE[fill.side],
        "time": fill.ts_ms,
        "startPosition": text_of(fill.start_lots, coin.lots_in_unit),
        "dir": direction_of(fill.side, fill.lots, fill.start_lots),
        "closedPnl": text_of(fill.closed_cash, CASH_PER_USDC),
        "hash": NO_HASH,
        "oid": fill.oid,
        "crossed": fill.crossed,
        "fee": text_of(fill.fee_cash, CASH_PER_USDC),
        "tid": fill.tid,
    }
    if fill.cloid is not None:
        view["cloid"] = fill.cloid
    return view | {"feeToken": "USDC", "twapId": None}


def account_view(exchange: Exchange, account: Account | None) -> View:
    """clearinghouseState; an address without an account has nothing."""
    cash = int(exchange.market.cash[account.index]) if account is not None else 0
    value, notional, positions = cash, 0, []
    if account is not None:
        for symbol, lots in enumerate(exchange.market.positions[account.index].tolist()):
            signed = lots * int(exchange.mark_ticks[symbol]) * CASH_PER_TICK_LOT
            value += signed
            notional += abs(signed)
            if lots:
                positions.append(_position_view(exchange, account, symbol, lots, signed))
    margin = notional // LEVERAGE
    summary = {
        "accountValue": _usdc(value),
        "totalNtlPos": _usdc(notional),
        "totalRawUsd": _usdc(cash),
        "totalMarginUsed": _usdc(margin),
    }
    return {
        "marginSummary": summary,
        "crossMarginSummary": dict(summary),
        "crossMaintenanceMarginUsed": _usdc(margin // 2),
        "withdrawable": _usdc(max(value - margin, 0)),
        "assetPositions": positions,
        "time": exchange.ts_ms,
    }


def _position_view(exchange: Exchange, account: Account, symbol: int, lots: int, signed_cash: int) -> View:
    coin: Coin = exchange.coins[symbol]
    entry = int(account.entry_notional[symbol])
    entry_cash = entry * CASH_PER_TICK_LOT
    pnl = signed_cash - entry_cash if lots > 0 else signed_cash + entry_cash
    margin = abs(signed_cash) // LEVERAGE
    entry_px = round(entry * 10**6 / abs(lots) / coin.ticks_in_unit)
    return {
        "type": "oneWay",
        "position": {
            "coin": coin.name,
            "szi": text_of(lots, coin.lots_in_unit),
            "leverage": {"type": "cross", "value": LEVERAGE},
            "entryPx": text_of(entry_px, 10**6),
            "positionValue": _usdc(abs(signed_cash)),
            "unrealizedPnl": _usdc(pnl),
            "returnOnEquity": f"{pnl * LEVERAGE / entry_cash if entry_cash else 0.0:.10f}",
            "liquidationPx": None,
            "marginUsed": _usdc(margin),
            "maxLeverage": coin.max_leverage,
            "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
        },
    }


def _usdc(cash: int) -> str:
    return text_of(cash, CASH_PER_USDC)


def _level(coin: Coin, row: tuple[int, int, int]) -> View:
    tick, lots, orders = row
    px, sz = text_of(tick, coin.ticks_in_unit), text_of(lots, coin.lots_in_unit)
    return {"px": px, "sz": sz, "n": orders}
