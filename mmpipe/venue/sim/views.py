"""The venue's messages of books, trades, orders, fills and accounts, made from the state."""

import math
from typing import Any, Final

import numpy as np
from msgspec import UNSET

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Fill, Funding, Order, direction_of
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.margin import (
    WORTH,
    isolated_value_cash,
    liquidation_tick,
    position_cash,
    unrealised_cash,
    weigh,
)
from mmpipe.venue.sim.market import DEPTH
from mmpipe.venue.sim.matching import best_tick, depth
from mmpipe.venue.sim.pricing import funding_rate, impact_tick, premium_of
from mmpipe.venue.sim.state import VenueState
from mmpipe.venue.sim.wire import text_of

BOOK_LEVELS: Final = 20
FAST_LEVELS: Final = 5
NO_HASH: Final = "0x" + "0" * 64
SIDE: Final = {1: "B", -1: "A"}
RATE_UNITS: Final = 10**10  # decimals of funding rates and premiums
CASH_PER_NOTIONAL: Final = 100
_METHOD: Final = {codes.LIQUIDATED: "market", codes.BACKSTOPPED: "backstop", codes.DELEVERAGED: "adl"}


def levels_view(state: VenueState, symbol: int, count: int) -> tuple[list[wire.Level], list[wire.Level]]:
    """Best `count` bids and asks, best first."""
    coin = state.coins[symbol]
    rows = np.zeros(count, DEPTH)
    bids, asks = (
        [level_view(coin, *row) for row in rows[: depth(state.market, symbol, side, rows)].tolist()]
        for side in (1, -1)
    )
    return bids, asks


def level_view(coin: Coin, tick: int, lots: int, orders: int) -> wire.Level:
    """One price level."""
    return wire.Level(text_of(tick, coin.ticks_in_unit), text_of(lots, coin.lots_in_unit), orders)


def book_view(state: VenueState, symbol: int, fast: bool = False) -> wire.Book:
    """An l2Book; the fast one has five levels and says so."""
    levels = levels_view(state, symbol, FAST_LEVELS if fast else BOOK_LEVELS)
    return wire.Book(state.coins[symbol].name, levels, state.ts_ms, True if fast else UNSET)


def grouped_book_view(state: VenueState, symbol: int, figures: int, mantissa: int) -> wire.Book:
    """An l2Book whose prices are rounded away from the mid to `figures` significant figures.

    Parameters
    ----------
    figures : int
        2 to 5.
    mantissa : int
        With 5 figures the last one is a multiple of it: 1, 2 or 5.
    """
    coin = state.coins[symbol]
    rows = np.zeros(codes.LEVELS_MAX, DEPTH)
    sides: list[list[wire.Level]] = []
    for side in (1, -1):
        groups: dict[int, list[int]] = {}
        for tick, lots, orders in rows[: depth(state.market, symbol, side, rows)].tolist():
            step = 10 ** max(len(str(tick)) - figures, 0) * mantissa
            rounded = tick // step * step if side > 0 else -(-tick // step) * step
            group = groups.setdefault(rounded, [0, 0])
            group[0] += lots
            group[1] += orders
            if len(groups) > BOOK_LEVELS:
                break
        sides.append([level_view(coin, tick, *group) for tick, group in list(groups.items())[:BOOK_LEVELS]])
    return wire.Book(coin.name, (sides[0], sides[1]), state.ts_ms)


def bbo_view(state: VenueState, symbol: int) -> wire.Bbo:
    """Best bid and ask; a side without orders is null."""
    bids, asks = levels_view(state, symbol, 1)
    return wire.Bbo(
        state.coins[symbol].name, state.ts_ms, (bids[0] if bids else None, asks[0] if asks else None)
    )


def mid_view(state: VenueState, symbol: int) -> str | None:
    """Mid price; None when a side is empty."""
    bid, ask = (best_tick(state.market, symbol, side) for side in (1, -1))
    return text_of((bid + ask) * 5, state.coins[symbol].ticks_in_unit * 10) if bid and ask else None


def mids_view(state: VenueState) -> dict[str, str]:
    """Mid price of each coin, its mark price when a side is empty."""
    return {
        coin.name: mid_view(state, symbol) or text_of(state.mark_tick(symbol), coin.ticks_in_unit)
        for symbol, coin in enumerate(state.coins)
    }


def context_view(state: VenueState, symbol: int) -> wire.Context:
    """Funding, open interest, volume and the prices that are not traded."""
    coin, price = state.coins[symbol], state.market.prices[symbol]
    held = int(np.abs(state.market.standings["lots"][:, symbol]).sum()) // 2
    impacts = [_tick_text(coin, impact_tick(state.market, symbol, side)) for side in (1, -1)]
    return wire.Context(
        funding=rate_text(funding_rate(state.market, symbol)),
        openInterest=text_of(held, coin.lots_in_unit),
        prevDayPx=f"{coin.start_px:.1f}",
        dayNtlVlm=text_of(int(price["volume_notional"]), 10**6),
        premium=rate_text(premium_of(state.market, symbol)),
        oraclePx=text_of(int(price["oracle_tick"]), coin.ticks_in_unit),
        markPx=text_of(int(price["mark_tick"]), coin.ticks_in_unit),
        midPx=mid_view(state, symbol),
        impactPxs=(impacts[0], impacts[1]) if all(impacts) else None,
        dayBaseVlm=text_of(int(price["volume_lots"]), coin.lots_in_unit),
    )


def trade_view(state: VenueState, row: np.void) -> wire.Trade:
    """A public trade; `side` is the aggressor's, `users` are buyer and seller."""
    coin = state.coins[int(row["symbol"])]
    taker, maker = (state.addresses[int(row[key])] for key in ("taker_account", "maker_account"))
    side = int(row["side"])
    return wire.Trade(
        coin=coin.name,
        side=SIDE[side],
        px=text_of(int(row["tick"]), coin.ticks_in_unit),
        sz=text_of(int(row["lots"]), coin.lots_in_unit),
        time=state.ts_ms,
        hash=NO_HASH,
        tid=int(row["tid"]),
        users=(taker, maker) if side > 0 else (maker, taker),
    )


def order_view(state: VenueState, order: Order) -> wire.Order:
    """An order as openOrders and orderUpdates show it."""
    coin = state.coins[order.symbol]
    return wire.Order(
        coin=coin.name,
        side=SIDE[order.side],
        limitPx=text_of(order.tick, coin.ticks_in_unit),
        sz=text_of(order.lots, coin.lots_in_unit),
        oid=order.oid,
        timestamp=order.ts_ms,
        origSz=text_of(order.orig_lots, coin.lots_in_unit),
        cloid=order.cloid if order.cloid is not None else UNSET,
        reduceOnly=True if order.reduce_only else UNSET,
    )


def update_view(state: VenueState, order: Order) -> wire.OrderUpdate:
    """One element of an orderUpdates message."""
    return wire.OrderUpdate(order_view(state, order), order.status, order.status_ts_ms)


def full_order_view(state: VenueState, order: Order, children: list[Order] | None = None) -> wire.FullOrder:
    """An order as frontendOpenOrders, historicalOrders and orderStatus show it."""
    coin, trigger = state.coins[order.symbol], order.trigger
    condition, trigger_px = "N/A", "0.0"
    if trigger is not None:
        trigger_px = text_of(trigger.tick, coin.ticks_in_unit)
        rises = (order.side > 0) != trigger.take_profit
        condition = f"Price {'above' if rises else 'below'} {trigger_px.removesuffix('.0')}"
    return wire.FullOrder(
        coin=coin.name,
        side=SIDE[order.side],
        limitPx=text_of(order.tick, coin.ticks_in_unit),
        sz=text_of(order.lots, coin.lots_in_unit),
        oid=order.oid,
        timestamp=order.ts_ms,
        triggerCondition=condition,
        isTrigger=trigger is not None,
        triggerPx=trigger_px,
        children=[full_order_view(state, child) for child in children or ()],
        isPositionTpsl=trigger is not None and trigger.whole_position,
        reduceOnly=order.reduce_only,
        orderType=order.kind,
        origSz=text_of(order.orig_lots, coin.lots_in_unit),
        tif=None if trigger is not None else order.tif,
        cloid=order.cloid,
    )


def record_view(state: VenueState, order: Order) -> wire.OrderRecord:
    """One row of historicalOrders, and the inner part of orderStatus."""
    return wire.OrderRecord(full_order_view(state, order), order.status, order.status_ts_ms)


def fill_view(state: VenueState, fill: Fill) -> wire.Fill:
    """A fill as its owner sees it."""
    coin = state.coins[fill.symbol]
    view = wire.Fill(
        coin=coin.name,
        px=text_of(fill.tick, coin.ticks_in_unit),
        sz=text_of(fill.lots, coin.lots_in_unit),
        side=SIDE[fill.side],
        time=fill.ts_ms,
        startPosition=text_of(fill.start_lots, coin.lots_in_unit),
        dir=direction_of(fill.side, fill.lots, fill.start_lots),
        closedPnl=usdc(fill.closed_cash),
        hash=NO_HASH,
        oid=fill.oid,
        crossed=fill.crossed,
        fee=usdc(fill.fee_cash),
        tid=fill.tid,
        cloid=fill.cloid if fill.cloid is not None else UNSET,
        feeToken="USDC",
        twapId=None,
    )
    if fill.liquidated:
        mark = text_of(fill.mark_tick, coin.ticks_in_unit)
        view.liquidation = wire.Liquidation(fill.liquidated, mark, _METHOD[fill.cause])
    return view


def funding_view(state: VenueState, funding: Funding) -> wire.UserFunding:
    """One settlement; what was paid is negative here."""
    coin = state.coins[funding.symbol]
    szi, rate = text_of(funding.lots, coin.lots_in_unit), rate_text(funding.rate)
    delta = wire.FundingDelta("funding", coin.name, usdc(-funding.cash), szi, rate, None)
    return wire.UserFunding(funding.ts_ms, NO_HASH, delta)


def account_view(state: VenueState, account: Account | None) -> wire.AccountState:
    """clearinghouseState; an address without an account has nothing."""
    worth = np.zeros(1, WORTH)
    positions = []
    raw, cross_raw = 0, 0
    if account is not None:
        weigh(state.market, account.index, worth)
        raw = cross_raw = int(state.market.cash[account.index])
        for symbol, standing in enumerate(state.market.standings[account.index]):
            if standing["lots"]:
                positions.append(_position_view(state, account, symbol))
                if standing["isolated"]:
                    value = isolated_value_cash(state.market, account.index, symbol)
                    cross_raw -= value - position_cash(state.market, account.index, symbol)
    row = {name: int(worth[0][name]) for name in WORTH.names or ()}
    return wire.AccountState(
        marginSummary=wire.MarginSummary(
            usdc(row["value_cash"]), usdc(row["notional_cash"]), usdc(raw), usdc(row["used_cash"])
        ),
        crossMarginSummary=wire.MarginSummary(
            usdc(row["cross_cash"]),
            usdc(row["cross_notional_cash"]),
            usdc(cross_raw),
            usdc(row["cross_used_cash"]),
        ),
        crossMaintenanceMarginUsed=usdc(row["maintenance_cash"]),
        withdrawable=usdc(max(row["cross_cash"] - row["cross_used_cash"], 0)),
        assetPositions=positions,
        time=state.ts_ms,
    )


def leverage_view(state: VenueState, account: Account, symbol: int) -> wire.Leverage:
    """Margin mode and leverage of one market."""
    standing = state.market.standings[account.index, symbol]
    if not standing["isolated"]:
        return wire.Leverage("cross", int(standing["leverage"]))
    value = isolated_value_cash(state.market, account.index, symbol)
    raw = value - position_cash(state.market, account.index, symbol)
    return wire.Leverage("isolated", int(standing["leverage"]), usdc(raw))


def _position_view(state: VenueState, account: Account, symbol: int) -> wire.AssetPosition:
    coin, standing = state.coins[symbol], state.market.standings[account.index, symbol]
    lots, entry, leverage = (int(standing[key]) for key in ("lots", "entry_notional", "leverage"))
    value = abs(position_cash(state.market, account.index, symbol))
    pnl = unrealised_cash(state.market, account.index, symbol)
    used = value // leverage
    if standing["isolated"]:
        used = isolated_value_cash(state.market, account.index, symbol)
    liquidated_tick = liquidation_tick(state.market, account.index, symbol)
    return_on_equity = pnl * leverage / (entry * CASH_PER_NOTIONAL) if entry else 0.0
    position = wire.Position(
        coin=coin.name,
        szi=text_of(lots, coin.lots_in_unit),
        leverage=leverage_view(state, account, symbol),
        entryPx=text_of(round(entry * 10**6 / abs(lots) / coin.ticks_in_unit), 10**6),
        positionValue=usdc(value),
        unrealizedPnl=usdc(pnl),
        returnOnEquity=text_of(round(return_on_equity * RATE_UNITS), RATE_UNITS),
        liquidationPx=None if math.isnan(liquidated_tick) else _tick_text(coin, liquidated_tick),
        marginUsed=usdc(used),
        maxLeverage=coin.max_leverage,
        cumFunding=wire.CumulativeFunding(
            usdc(int(standing["funding_all_cash"])),
            usdc(int(standing["funding_cash"])),
            usdc(int(standing["funding_cash"])),
        ),
    )
    return wire.AssetPosition("oneWay", position)


def usdc(cash: int) -> str:
    """Cash as the venue writes it, to a millionth of a USDC."""
    micro = (abs(cash) + CASH_PER_NOTIONAL // 2) // CASH_PER_NOTIONAL
    return text_of(-micro if cash < 0 else micro, CASH_PER_USDC // CASH_PER_NOTIONAL)


def rate_text(rate: float) -> str:
    """A rate or premium with at most ten decimals."""
    return text_of(round(rate * RATE_UNITS), RATE_UNITS)


def _tick_text(coin: Coin, tick: float) -> str:
    # Prices that are averages: six decimals beyond the tick are more than enough.
    return text_of(round(tick * 10**6 / coin.ticks_in_unit), 10**6) if tick > 0.0 else ""


def ledger_view(state: VenueState, ts_ms: int, delta: dict[str, Any]) -> wire.LedgerUpdate:
    """One deposit, transfer or liquidation."""
    shown = dict(delta)
    if shown["type"] == "liquidation":
        coin = state.coins[shown["symbol"]]
        shown = {
            "type": "liquidation",
            "liquidatedNtlPos": text_of(shown["notional"], 10**6),
            "accountValue": "0.0",
            "leverageType": "Cross",
            "liquidatedPositions": [{"coin": coin.name, "szi": text_of(shown["lots"], coin.lots_in_unit)}],
        }
    elif isinstance(shown["usdc"], int):
        shown["usdc"] = usdc(shown["usdc"])
    return wire.LedgerUpdate(ts_ms, NO_HASH, shown)
