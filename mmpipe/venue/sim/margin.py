"""What an account is worth and what it must hold: cross and isolated margin over integer cash.

An isolated position has cash set aside (`margin_cash`) inside the cash of its account: the worth of the
cross account is what all positions and all cash come to, less what the isolated positions are worth.

    initial margin      notional / leverage, of the position and what may still fill
    maintenance margin  notional / (2 * largest leverage of the market)

References
----------
Hyperliquid, "Margining".
"""

import numpy as np

from mmpipe.venue.sim.market import Market, new_market
from ringbuf.jit import example, kernel

CASH_PER_NOTIONAL = 100

WORTH = np.dtype(
    [
        ("value_cash", "i8"),  # of the whole account
        ("cross_cash", "i8"),  # without isolated positions
        ("notional_cash", "i8"),
        ("cross_notional_cash", "i8"),
        ("used_cash", "i8"),  # margin of the positions, isolated ones at their value
        ("cross_used_cash", "i8"),
        ("maintenance_cash", "i8"),  # of the cross positions
        ("isolated_cash", "i8"),  # value of the isolated positions
    ],
    align=True,
)


@kernel
def position_cash(market: Market, account: int, symbol: int) -> int:
    """Signed value of a position at the mark price, cash."""
    lots = market.standings[account, symbol]["lots"]
    return lots * market.prices[symbol]["mark_tick"] * CASH_PER_NOTIONAL


@kernel
def unrealised_cash(market: Market, account: int, symbol: int) -> int:
    """Profit of an open position at the mark price, cash."""
    standing = market.standings[account, symbol]
    entry = standing["entry_notional"] * CASH_PER_NOTIONAL
    return position_cash(market, account, symbol) - (entry if standing["lots"] > 0 else -entry)


@kernel
def maintenance_cash(market: Market, account: int, symbol: int) -> int:
    """What a position must hold so as not to be liquidated, cash."""
    return abs(position_cash(market, account, symbol)) // (2 * market.prices[symbol]["max_leverage"])


@kernel
def isolated_value_cash(market: Market, account: int, symbol: int) -> int:
    """What an isolated position is worth: cash set aside and profit."""
    return market.standings[account, symbol]["margin_cash"] + unrealised_cash(market, account, symbol)


@kernel
def weigh(market: Market, account: int, worth: np.ndarray) -> None:
    """Value and margin of one account.

    Parameters
    ----------
    worth : (1,) WORTH
        Written.
    """
    row = worth[0]
    row["value_cash"] = market.cash[account]
    row["notional_cash"] = 0
    row["cross_notional_cash"] = 0
    row["cross_used_cash"] = 0
    row["maintenance_cash"] = 0
    row["isolated_cash"] = 0
    for symbol in range(market.prices.shape[0]):
        standing = market.standings[account, symbol]
        if standing["lots"] == 0:
            continue
        signed = position_cash(market, account, symbol)
        row["value_cash"] += signed
        row["notional_cash"] += abs(signed)
        if standing["isolated"] != 0:
            row["isolated_cash"] += isolated_value_cash(market, account, symbol)
        else:
            row["cross_notional_cash"] += abs(signed)
            row["cross_used_cash"] += abs(signed) // standing["leverage"]
            row["maintenance_cash"] += maintenance_cash(market, account, symbol)
    row["cross_cash"] = row["value_cash"] - row["isolated_cash"]
    row["used_cash"] = row["cross_used_cash"] + row["isolated_cash"]


@kernel
def affords(market: Market, account: int, symbol: int, side: int, lots: int, tick: int) -> bool:
    """Whether an account can hold the margin of the worst case with one more order.

    Parameters
    ----------
    side : int
        +1 buys, -1 sells.
    lots, tick : int
        Of the new order.

    Returns
    -------
    bool
        True as well when the order does not make the worst case worse.
    """
    standing = market.standings[account, symbol]
    bids = standing["bid_lots"] + (lots if side > 0 else 0)
    asks = standing["ask_lots"] + (0 if side > 0 else lots)
    before = max(abs(standing["lots"] + standing["bid_lots"]), abs(standing["lots"] - standing["ask_lots"]))
    after = max(abs(standing["lots"] + bids), abs(standing["lots"] - asks))
    if after <= before:
        return True
    free = market.cash[account]
    for other in range(market.prices.shape[0]):
        row = market.standings[account, other]
        free += position_cash(market, account, other)
        if row["isolated"] != 0 and row["lots"] != 0:
            free -= isolated_value_cash(market, account, other)
        free -= _initial_cash(market, account, other, row["bid_lots"], row["ask_lots"])
    free += _initial_cash(market, account, symbol, standing["bid_lots"], standing["ask_lots"])
    return free >= _initial_cash(market, account, symbol, bids, asks)


@kernel
def liquidation_tick(market: Market, account: int, symbol: int) -> float:
    """Mark price in ticks at which a position would be liquidated, others unchanged; NaN if none would."""
    standing = market.standings[account, symbol]
    lots = standing["lots"]
    if lots == 0:
        return np.nan
    if standing["isolated"] != 0:
        spare = isolated_value_cash(market, account, symbol) - maintenance_cash(market, account, symbol)
    else:
        spare = market.cash[account]
        for other in range(market.prices.shape[0]):
            row = market.standings[account, other]
            if row["lots"] == 0:
                continue
            spare += position_cash(market, account, other)
            if row["isolated"] != 0:
                spare -= isolated_value_cash(market, account, other)
            else:
                spare -= maintenance_cash(market, account, other)
    direction = 1.0 if lots > 0 else -1.0
    share = 1.0 / (2.0 * market.prices[symbol]["max_leverage"])
    per_tick = abs(lots) * CASH_PER_NOTIONAL * (1.0 - direction * share)
    tick = market.prices[symbol]["mark_tick"] - direction * spare / per_tick
    return tick if tick > 0.0 else np.nan


@kernel
def _initial_cash(market: Market, account: int, symbol: int, bids: int, asks: int) -> int:
    # What an isolated position already holds is not asked for again.
    standing = market.standings[account, symbol]
    lots = max(abs(standing["lots"] + bids), abs(standing["lots"] - asks))
    if standing["isolated"] != 0:
        lots -= abs(standing["lots"])
    return lots * market.prices[symbol]["mark_tick"] * CASH_PER_NOTIONAL // standing["leverage"]


def _pair() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 0)


@example(position_cash)
def _position_cash_example() -> tuple[object, ...]:
    return _pair()


@example(unrealised_cash)
def _unrealised_cash_example() -> tuple[object, ...]:
    return _pair()


@example(maintenance_cash)
def _maintenance_cash_example() -> tuple[object, ...]:
    return _pair()


@example(isolated_value_cash)
def _isolated_value_cash_example() -> tuple[object, ...]:
    return _pair()


@example(liquidation_tick)
def _liquidation_tick_example() -> tuple[object, ...]:
    return _pair()


@example(weigh)
def _weigh_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, np.zeros(1, WORTH))


@example(affords)
def _affords_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 0, 1, 1, 1)
