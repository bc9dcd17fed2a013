"""The arrays of the embedded market: one book per symbol, one order table, positions and cash.

    levels[symbol, side]  sorted by `key`, the best level last: O(1) best, O(levels in front) insertion
        └─ head ─▶ orders[slot] ─next─▶ orders[slot] ─▶ …    first in, first filled

A sorted array rather than a dense window of ticks: prices may lie anywhere (a user may bid at half the
price), nearly all changes happen within a few levels of the end, and nothing has to be re-based when the
market crashes. `oid % ORDERS_MAX` is the slot of an order, so a cancel needs no map.

Everything is an integer: ticks, lots, and cash in 1e-8 USDC.
"""

from typing import Final, NamedTuple

import numpy as np

ORDERS_MAX: Final = 16_384  # resting orders of all symbols
LEVELS_MAX: Final = 2_048  # price levels per symbol and side
TAPE_MAX: Final = 65_536  # fills, and order events, of one block
TAPE_RESERVE: Final = 2 * ORDERS_MAX  # one order can fill at most every resting order
NO_SLOT: Final = -1
FEE_ACCOUNT: Final = 0  # receives every fee, so that the cash of all accounts sums to the deposits
BACKSTOP_ACCOUNT: Final = 1  # takes over what could not be liquidated in the book
DEFAULT_LEVERAGE: Final = 20
CROWD_FIRST: Final = 2  # simulated participants, then the users' accounts

PLACE: Final = 0  # REQUEST.kind; any other is the status of a cancel

# Status of an order; the text the venue shows is in `exchange`.
OPEN: Final = 1
FILLED: Final = 2
CANCELED: Final = 3  # asked for by its owner, or the unfilled rest of an immediate order
SELF_TRADE_CANCELED: Final = 4
REDUCE_ONLY_CANCELED: Final = 5
BAD_ALO_REJECTED: Final = 6
IOC_REJECTED: Final = 7
REDUCE_ONLY_REJECTED: Final = 8
NO_LIQUIDITY_REJECTED: Final = 9
NO_ROOM_REJECTED: Final = 10
UNKNOWN_ORDER: Final = 11  # answer to a cancel: never placed, already cancelled, or filled
LIQUIDATED_CANCELED: Final = 12
DELISTED_CANCELED: Final = 13
SCHEDULED_CANCELED: Final = 14
MARGIN_CANCELED: Final = 15

# FILL.cause
TRADED: Final = 0
LIQUIDATED: Final = 1  # the taker's position was sold in the book
BACKSTOPPED: Final = 2  # taken over by the backstop, not a public trade
DELEVERAGED: Final = 3  # closed against an account that had nothing left, not a public trade

HEADER = np.dtype(
    [
        ("ts_ns", "i8"),  # of the block
        ("serial", "i8"),  # of the last order; oid = serial * ORDERS_MAX + slot
        ("tid", "i8"),  # of the last fill
        ("free_slot", "i8"),  # head of the free list, NO_SLOT when none
        ("fills", "i8"),  # rows of this block
        ("events", "i8"),
        ("maker_fee_ppm", "i8"),  # of the notional; 1.5 bps is 150
        ("taker_fee_ppm", "i8"),
        ("last_oid", "i8"),  # of the order just submitted
        ("last_lots", "i8"),  # filled at once
        ("last_notional", "i8"),  # tick * lots of what was filled at once, 1e-6 USDC
        ("cause", "i8"),  # of the fills to come
        ("deposits", "i8"),  # cash paid in; the cash of all accounts sums to it at every event
    ],
    align=True,
)

LEVEL = np.dtype(
    [
        ("key", "i8"),  # tick of a bid, -tick of an ask: larger is better
        ("lots", "i8"),
        ("orders", "i8"),
        ("head", "i8"),  # slot of the oldest order
        ("tail", "i8"),
    ],
    align=True,
)

ORDER = np.dtype(
    [
        ("oid", "i8"),  # 0: the slot is free
        ("tick", "i8"),
        ("lots", "i8"),  # open
        ("orig_lots", "i8"),
        ("next", "i8"),  # behind it in its level, or in the free list
        ("prev", "i8"),
        ("account", "i8"),
        ("symbol", "i8"),
        ("side", "i8"),  # +1 bid, -1 ask
        ("reduce_only", "i8"),
    ],
    align=True,
)

FILL = np.dtype(
    [
        ("tid", "i8"),
        ("ts_ns", "i8"),
        ("maker_oid", "i8"),
        ("taker_oid", "i8"),
        ("maker_account", "i8"),
        ("taker_account", "i8"),
        ("symbol", "i8"),
        ("side", "i8"),  # of the taker
        ("tick", "i8"),
        ("lots", "i8"),
        ("maker_fee", "i8"),  # cash
        ("taker_fee", "i8"),
        ("maker_start_lots", "i8"),  # position before this fill
        ("taker_start_lots", "i8"),
        ("maker_closed", "i8"),  # profit realised against the entry price, cash, without the fee
        ("taker_closed", "i8"),
        ("cause", "i8"),
    ],
    align=True,
)

ORDER_EVENT = np.dtype(
    [
        ("oid", "i8"),
        ("ts_ns", "i8"),
        ("account", "i8"),
        ("symbol", "i8"),
        ("side", "i8"),
        ("status", "i8"),
        ("tick", "i8"),
        ("lots", "i8"),  # still open, or open when it was cancelled
        ("orig_lots", "i8"),
    ],
    align=True,
)

REQUEST = np.dtype(
    [
        ("kind", "i8"),  # PLACE, or the status a cancel is to have
        ("account", "i8"),
        ("symbol", "i8"),
        ("side", "i8"),
        ("tif", "i8"),  # mmpipe.enums.Tif
        ("reduce_only", "i8"),
        ("tick", "i8"),
        ("lots", "i8"),
        ("oid", "i8"),  # CANCEL: in; PLACE: out
        ("status", "i8"),  # out
        ("filled_lots", "i8"),  # out
        ("filled_notional", "i8"),  # out, 1e-6 USDC
    ],
    align=True,
)

DEPTH = np.dtype([("tick", "i8"), ("lots", "i8"), ("orders", "i8")], align=True)


STANDING = np.dtype(
    [
        ("lots", "i8"),  # signed position
        ("entry_notional", "i8"),  # |position| at its entry prices, tick * lots, >= 0
        ("leverage", "i8"),  # chosen by the owner, >= 1
        ("isolated", "i8"),  # 1: the position has a margin of its own
        ("margin_cash", "i8"),  # set aside for an isolated position
        ("funding_cash", "i8"),  # paid (+) or received (-) for this position since it was opened
        ("funding_all_cash", "i8"),  # ever
        ("settled_cash", "i8"),  # paid (+) or received (-) in the last settlement
        ("bid_lots", "i8"),  # resting
        ("ask_lots", "i8"),
        ("eased_ts_ns", "i8"),  # of the last liquidation of a part
    ],
    align=True,
)

PRICE = np.dtype(
    [
        ("oracle_tick", "i8"),  # of the spot markets, a few seconds old at the most
        ("oracle_ts_ns", "i8"),  # when it was taken
        ("marked_ts_ns", "i8"),
        ("premium_ts_ns", "i8"),  # of the last sample
        ("spot_tick", "i8"),  # mid of the lead market now
        ("mark_tick", "i8"),  # what margin and liquidation go by
        ("last_tick", "i8"),  # of the last trade
        ("max_leverage", "i8"),
        ("basis_tick", "f8"),  # slow average of mid - oracle
        ("premium_sum", "f8"),  # samples of this funding hour
        ("premium_count", "i8"),
        ("forced_lots", "i8"),  # signed lots liquidations traded in this block
        ("volume_lots", "i8"),  # traded since the start
        ("volume_notional", "i8"),
        ("delisted", "i8"),
    ],
    align=True,
)


class Market(NamedTuple):
    """Every array the matching kernels read and write."""

    header: np.ndarray  # (1,) HEADER
    orders: np.ndarray  # (ORDERS_MAX,) ORDER
    levels: np.ndarray  # (symbols, 2, LEVELS_MAX) LEVEL; side 0 bids, 1 asks
    level_counts: np.ndarray  # (symbols, 2) int64
    standings: np.ndarray  # (accounts, symbols) STANDING
    cash: np.ndarray  # (accounts,) int64
    margined: np.ndarray  # (accounts,) int64; 1: liquidated when its equity is below maintenance
    prices: np.ndarray  # (symbols,) PRICE
    fills: np.ndarray  # (TAPE_MAX,) FILL
    events: np.ndarray  # (TAPE_MAX,) ORDER_EVENT


def new_market(symbol_count: int, account_count: int, maker_fee_ppm: int, taker_fee_ppm: int) -> Market:
    """An empty market without positions or cash.

    Parameters
    ----------
    symbol_count, account_count : int
        Sizes; account 0 receives the fees, account 1 is the backstop.
    maker_fee_ppm, taker_fee_ppm : int
        Fees in millionths of the notional, 1.5 bps is 150.
    """
    market = Market(
        np.zeros(1, HEADER),
        np.zeros(ORDERS_MAX, ORDER),
        np.zeros((symbol_count, 2, LEVELS_MAX), LEVEL),
        np.zeros((symbol_count, 2), np.int64),
        np.zeros((account_count, symbol_count), STANDING),
        np.zeros(account_count, np.int64),
        np.zeros(account_count, np.int64),
        np.zeros(symbol_count, PRICE),
        np.zeros(TAPE_MAX, FILL),
        np.zeros(TAPE_MAX, ORDER_EVENT),
    )
    market.header["maker_fee_ppm"] = maker_fee_ppm
    market.header["taker_fee_ppm"] = taker_fee_ppm
    market.standings["leverage"] = DEFAULT_LEVERAGE
    market.prices["max_leverage"] = DEFAULT_LEVERAGE
    market.orders["next"][:-1] = np.arange(1, ORDERS_MAX)
    market.orders["next"][-1] = NO_SLOT
    return market
