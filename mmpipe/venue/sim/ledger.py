"""Who owns what: positions, entry prices and cash, moved between two accounts and never made or lost.

Every change of cash or lots goes through these kernels, each of which asserts that what it took from one
account it gave to another. All amounts are integers: ticks, lots, notional in 1e-6 USDC, cash in 1e-8 USDC.
"""

from mmpipe.venue.sim.market import FEE_ACCOUNT, Market, new_market
from ringbuf.jit import example, kernel

CASH_PER_NOTIONAL = 100  # cash units in 1e-6 USDC, mmpipe.units.CASH_PER_TICK_LOT
PPM = 1_000_000


@kernel
def deposit(market: Market, account: int, cash: int) -> None:
    """Pay cash into an account, or out of it when negative."""
    market.cash[account] += cash
    market.header[0]["deposits"] += cash


@kernel
def transfer(market: Market, payer: int, receiver: int, cash: int) -> None:
    """Move cash between two accounts."""
    market.cash[payer] -= cash
    market.cash[receiver] += cash


@kernel
def exchange_lots(
    market: Market, maker: int, taker: int, symbol: int, side: int, tick: int, lots: int
) -> int:
    """Let a taker buy (side +1) or sell (-1) lots from a maker at a price, and write the FILL row.

    Parameters
    ----------
    maker, taker : int
        Accounts, not the same one.
    tick, lots : int
        > 0.

    Returns
    -------
    int
        Row on the tape of the block; order numbers and fees are the caller's.
    """
    head = market.header[0]
    paid = side * tick * lots * CASH_PER_NOTIONAL
    before = market.cash[maker] + market.cash[taker]
    head["tid"] += 1
    index = head["fills"]
    head["fills"] += 1
    row = market.fills[index]
    row["tid"] = head["tid"]
    row["ts_ns"] = head["ts_ns"]
    row["maker_oid"] = 0
    row["taker_oid"] = 0
    row["maker_account"] = maker
    row["taker_account"] = taker
    row["symbol"] = symbol
    row["side"] = side
    row["tick"] = tick
    row["lots"] = lots
    row["maker_fee"] = 0
    row["taker_fee"] = 0
    row["cause"] = head["cause"]
    row["maker_start_lots"] = market.standings[maker, symbol]["lots"]
    row["taker_start_lots"] = market.standings[taker, symbol]["lots"]
    row["maker_closed"] = _move(market, maker, symbol, -side * lots, tick)
    row["taker_closed"] = _move(market, taker, symbol, side * lots, tick)
    transfer(market, taker, maker, paid)
    assert market.cash[maker] + market.cash[taker] == before, "a trade moves cash, it makes none"
    return index


@kernel
def charge_fees(market: Market, index: int, notional: int) -> None:
    """Take both fees of a fill and write them into its row.

    Parameters
    ----------
    index : int
        Of the row `exchange_lots` wrote.
    notional : int
        1e-6 USDC.
    """
    head = market.header[0]
    row = market.fills[index]
    row["maker_fee"] = (notional * head["maker_fee_ppm"] + PPM // 2) // PPM * CASH_PER_NOTIONAL
    row["taker_fee"] = (notional * head["taker_fee_ppm"] + PPM // 2) // PPM * CASH_PER_NOTIONAL
    transfer(market, row["maker_account"], FEE_ACCOUNT, row["maker_fee"])
    transfer(market, row["taker_account"], FEE_ACCOUNT, row["taker_fee"])


@kernel
def is_conserved(market: Market) -> bool:
    """Whether the cash of all accounts is what was paid in, and the lots of every market sum to zero."""
    cash = 0
    for account in range(market.cash.shape[0]):
        cash += market.cash[account]
    if cash != market.header[0]["deposits"]:
        return False
    for symbol in range(market.prices.shape[0]):
        lots = 0
        for account in range(market.cash.shape[0]):
            lots += market.standings[account, symbol]["lots"]
        if lots != 0:
            return False
    return True


@kernel
def _move(market: Market, account: int, symbol: int, lots: int, tick: int) -> int:
    # Changes a position and its entry by signed lots; returns the profit of what was closed, in cash.
    standing = market.standings[account, symbol]
    start = standing["lots"]
    size = abs(lots)
    closing = min(size, abs(start)) if lots * start < 0 else 0
    share = standing["entry_notional"] * closing // abs(start) if closing > 0 else 0
    # The margin of an isolated position is set free with what is closed, and set aside for what is opened.
    if standing["isolated"] != 0:
        freed = standing["margin_cash"] * closing // abs(start) if closing > 0 else 0
        opened = tick * (size - closing) * CASH_PER_NOTIONAL // standing["leverage"]
        standing["margin_cash"] += opened - freed
    standing["entry_notional"] += tick * (size - closing) - share
    standing["lots"] = start + lots
    if start * standing["lots"] <= 0:
        standing["funding_cash"] = 0
    direction = 1 if lots > 0 else -1
    return -direction * (tick * closing - share) * CASH_PER_NOTIONAL


@example(deposit)
def _deposit_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450), 1, 1)


@example(is_conserved)
def _is_conserved_example() -> tuple[object, ...]:
    return (new_market(1, 2, 150, 450),)
