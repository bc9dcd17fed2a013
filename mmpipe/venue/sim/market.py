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

# REQUEST.kind
PLACE: Final = 1
CANCEL: Final = 2

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
        ("kind", "i8"),  # PLACE or CANCEL
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


class Market(NamedTuple):
    """Every array the matching kernels read and write."""

    header: np.ndarray  # (1,) HEADER
    orders: np.ndarray  # (ORDERS_MAX,) ORDER
    levels: np.ndarray  # (symbols, 2, LEVELS_MAX) LEVEL; side 0 bids, 1 asks
    level_counts: np.ndarray  # (symbols, 2) int64
    positions: np.ndarray  # (accounts, symbols) int64 lots
    cash: np.ndarray  # (accounts,) int64
    fills: np.ndarray  # (TAPE_MAX,) FILL
    events: np.ndarray  # (TAPE_MAX,) ORDER_EVENT


def new_market(symbol_count: int, account_count: int, maker_fee_ppm: int, taker_fee_ppm: int) -> Market:
    """An empty market without positions or cash.

    Parameters
    ----------
    symbol_count, account_count : int
        Sizes; account 0 receives the fees.
    maker_fee_ppm, taker_fee_ppm : int
        Fees in millionths of the notional, 1.5 bps is 150.
    """
    market = Market(
        np.zeros(1, HEADER),
        np.zeros(ORDERS_MAX, ORDER),
        np.zeros((symbol_count, 2, LEVELS_MAX), LEVEL),
        np.zeros((symbol_count, 2), np.int64),
        np.zeros((account_count, symbol_count), np.int64),
        np.zeros(account_count, np.int64),
        np.zeros(TAPE_MAX, FILL),
        np.zeros(TAPE_MAX, ORDER_EVENT),
    )
    market.header["maker_fee_ppm"] = maker_fee_ppm
    market.header["taker_fee_ppm"] = taker_fee_ppm
    market.orders["next"][:-1] = np.arange(1, ORDERS_MAX)
    market.orders["next"][-1] = NO_SLOT
    return market
