"""What happens to an account that cannot hold its positions, and to everybody when a market closes.

    equity < maintenance        cancel its orders, sell the position in the book as a taker
    equity < 2/3 maintenance    the backstop takes over the positions and what is left of the cash
    equity < 0                  its counterparties with most profit and leverage are closed against it

A position above `PARTIAL_NOTIONAL` is sold a fifth at a time, with a pause between.

References
----------
Hyperliquid, "Liquidations" and "Auto-deleveraging".
"""

import numpy as np

from mmpipe.enums import Side, Tif
from mmpipe.venue.sim.ledger import exchange_lots, transfer
from mmpipe.venue.sim.margin import (
    WORTH,
    isolated_value_cash,
    maintenance_cash,
    position_cash,
    unrealised_cash,
    weigh,
)
from mmpipe.venue.sim.market import (
    BACKSTOP_ACCOUNT,
    BACKSTOPPED,
    CROWD_FIRST,
    DELEVERAGED,
    DELISTED_CANCELED,
    LIQUIDATED,
    LIQUIDATED_CANCELED,
    ORDERS_MAX,
    TRADED,
    Market,
    new_market,
)
from mmpipe.venue.sim.matching import best_tick, submit
from mmpipe.venue.sim.resting import remove
from ringbuf.jit import example, kernel

BUY = int(Side.BUY)
SELL = int(Side.SELL)
IOC = int(Tif.IOC)
PARTIAL_NOTIONAL = 100_000_000_000  # 100,000 USDC in 1e-6
PARTIAL_PARTS = 5
PAUSE_NS = 30_000_000_000
REACH_PARTS = 20  # a liquidation trades at most a twentieth through the touch
BACKSTOP_PARTS = 3  # below two thirds of maintenance the backstop steps in
BACKSTOP_SHARE = 2


@kernel
def liquidate_block(market: Market, worth: np.ndarray) -> None:
    """Look at every margined account once and liquidate what is below its maintenance margin.

    Parameters
    ----------
    market : Market
        Changed in place; `prices["forced_lots"]` is written.
    worth : (1,) WORTH
        Room to work in.
    """
    market.prices["forced_lots"][:] = 0
    for account in range(CROWD_FIRST, market.cash.shape[0]):
        if market.margined[account] == 0:
            continue
        for symbol in range(market.prices.shape[0]):
            standing = market.standings[account, symbol]
            if standing["isolated"] != 0 and standing["lots"] != 0:
                value = isolated_value_cash(market, account, symbol)
                _liquidate(market, account, symbol, value, maintenance_cash(market, account, symbol))
        weigh(market, account, worth)
        # Cash alone can be negative only after a loss nobody else carries yet.
        if worth[0]["cross_cash"] < worth[0]["maintenance_cash"] or worth[0]["cross_cash"] < 0:
            _liquidate_cross(market, account, worth)


@kernel
def close_market(market: Market, symbol: int) -> None:
    """Delist: cancel every order and settle every position at the oracle price."""
    for slot in range(ORDERS_MAX):
        order = market.orders[slot]
        if order["oid"] != 0 and order["symbol"] == symbol:
            remove(market, slot, DELISTED_CANCELED)
    price = market.prices[symbol]
    price["delisted"] = 1
    tick = price["oracle_tick"]
    # Longs are paid and shorts pay; the backstop stands between them and ends flat.
    for account in range(market.cash.shape[0]):
        lots = market.standings[account, symbol]["lots"]
        if account != BACKSTOP_ACCOUNT and lots != 0:
            _hand_over(market, account, BACKSTOP_ACCOUNT, symbol, lots, tick, BACKSTOPPED)


@kernel
def cancel_account(market: Market, account: int, symbol: int, status: int) -> None:
    """Cancel the resting orders of one account, in one market or with symbol -1 in all."""
    for slot in range(ORDERS_MAX):
        order = market.orders[slot]
        if order["oid"] != 0 and order["account"] == account and (symbol < 0 or order["symbol"] == symbol):
            remove(market, slot, status)


@kernel
def _liquidate_cross(market: Market, account: int, worth: np.ndarray) -> None:
    for _ in range(market.prices.shape[0]):
        symbol = _largest(market, account)
        if symbol < 0:
            break
        value, needed = worth[0]["cross_cash"], worth[0]["maintenance_cash"]
        before = market.standings[account, symbol]["lots"]
        _liquidate(market, account, symbol, value, needed)
        weigh(market, account, worth)
        sold = market.standings[account, symbol]["lots"] != before
        if not sold or worth[0]["cross_cash"] >= worth[0]["maintenance_cash"]:
            return
    _cover(market, account, worth)


@kernel
def _cover(market: Market, account: int, worth: np.ndarray) -> None:
    # An account without positions owes nothing: what is missing is the backstop's loss.
    weigh(market, account, worth)
    if worth[0]["cross_notional_cash"] == 0 and worth[0]["cross_cash"] < 0:
        transfer(market, BACKSTOP_ACCOUNT, account, -worth[0]["cross_cash"])


@kernel
def _largest(market: Market, account: int) -> int:
    # Cross position of the largest notional, -1 when there is none.
    largest, found = 0, -1
    for symbol in range(market.prices.shape[0]):
        size = abs(position_cash(market, account, symbol))
        if market.standings[account, symbol]["isolated"] == 0 and size > largest:
            largest, found = size, symbol
    return found


@kernel
def _liquidate(market: Market, account: int, symbol: int, value_cash: int, needed_cash: int) -> None:
    # One position that its collateral of `value_cash` no longer carries.
    if value_cash >= needed_cash:
        return
    standing = market.standings[account, symbol]
    cancel_account(market, account, -1 if standing["isolated"] == 0 else symbol, LIQUIDATED_CANCELED)
    if value_cash < 0:
        _deleverage(market, account, symbol)
        return
    if BACKSTOP_PARTS * value_cash < BACKSTOP_SHARE * needed_cash:
        _take_over(market, account, symbol, value_cash)
        return
    lots = abs(standing["lots"])
    now_ns = market.header[0]["ts_ns"]
    if lots * market.prices[symbol]["mark_tick"] > PARTIAL_NOTIONAL:
        if now_ns - standing["eased_ts_ns"] < PAUSE_NS:
            return
        standing["eased_ts_ns"] = now_ns
        lots = max(lots // PARTIAL_PARTS, 1)
    side = SELL if standing["lots"] > 0 else BUY
    touch = best_tick(market, symbol, -side)
    if touch == 0:
        return
    before = standing["lots"]
    market.header[0]["cause"] = LIQUIDATED
    submit(market, account, symbol, side, touch + side * (touch // REACH_PARTS), lots, IOC, 1)
    market.header[0]["cause"] = TRADED
    market.prices[symbol]["forced_lots"] += standing["lots"] - before


@kernel
def _take_over(market: Market, account: int, symbol: int, value_cash: int) -> None:
    standing = market.standings[account, symbol]
    isolated = standing["isolated"] != 0
    lots, tick = standing["lots"], market.prices[symbol]["mark_tick"]
    _hand_over(market, account, BACKSTOP_ACCOUNT, symbol, lots, tick, BACKSTOPPED)
    # The collateral goes with the last position it stood for.
    if isolated or _largest(market, account) < 0:
        transfer(market, account, BACKSTOP_ACCOUNT, value_cash)


@kernel
def _deleverage(market: Market, account: int, symbol: int) -> None:
    tick = market.prices[symbol]["oracle_tick"]
    lots = market.standings[account, symbol]["lots"]
    while lots != 0:
        other = _most_profitable(market, symbol, -1 if lots > 0 else 1)
        if other < 0:
            other = BACKSTOP_ACCOUNT
            taken = lots
        else:
            size = min(abs(lots), abs(market.standings[other, symbol]["lots"]))
            taken = size if lots > 0 else -size
        _hand_over(market, account, other, symbol, taken, tick, DELEVERAGED)
        lots -= taken


@kernel
def _most_profitable(market: Market, symbol: int, direction: int) -> int:
    # Rank of the venue: profit over entry, times notional over account value; -1 when nobody is there.
    best, found = -1e300, -1
    for account in range(CROWD_FIRST, market.cash.shape[0]):
        standing = market.standings[account, symbol]
        if standing["lots"] * direction <= 0:
            continue
        entry = max(float(standing["entry_notional"]), 1.0)
        value = max(float(market.cash[account] + position_cash(market, account, symbol)), 1.0)
        profit = unrealised_cash(market, account, symbol) / entry
        rank = profit * abs(position_cash(market, account, symbol)) / value
        if rank > best:
            best, found = rank, account
    return found


@kernel
def _hand_over(market: Market, giver: int, taker: int, symbol: int, lots: int, tick: int, cause: int) -> None:
    # Signed lots change hands outside the book, without fees.
    market.header[0]["cause"] = cause
    side = BUY if lots > 0 else SELL
    exchange_lots(market, giver, taker, symbol, side, tick, abs(lots))
    market.header[0]["cause"] = TRADED


@example(liquidate_block)
def _liquidate_block_example() -> tuple[object, ...]:
    return (new_market(1, 3, 150, 450), np.zeros(1, WORTH))


@example(close_market)
def _close_market_example() -> tuple[object, ...]:
    return (new_market(1, 3, 150, 450), 0)


@example(cancel_account)
def _cancel_account_example() -> tuple[object, ...]:
    return (new_market(1, 3, 150, 450), 2, -1, 3)
