"""The price grid of a market, read off its data where the source does not state it."""

from typing import Final

import numpy as np

from mmpipe.enums import EventKind
from mmpipe.records import INSTRUMENT
from mmpipe.units import CASH_PER_USDC, PX_DECIMALS, lot_qty, tick_px, ticks_per_unit

MIN_NOTIONAL_USDC: Final = 10  # what Hyperliquid demands of an order
DECIMALS_TOLERANCE: Final = 1e-9  # of a grid step: prices and sizes were decimal texts
PRICED: Final = (EventKind.TRADE, EventKind.BOOK_DELTA, EventKind.BBO)  # the px of FUNDING is a rate
FINEST_PX: Final = 10.0**-PX_DECIMALS


def instrument_of(px: np.ndarray, qty: np.ndarray, symbol: int) -> np.ndarray:
    """The coarsest Hyperliquid grid that holds every price; sizes may be finer than its lot.

    Parameters
    ----------
    px, qty : ndarray of float64
        Every price (> 0) and size (>= 0) of the data.
    symbol : int
        Index of the instrument.

    Returns
    -------
    ndarray of INSTRUMENT, shape (1,)
        With lot 10^-d and tick 10^-(6-d), so that one tick times one lot is 1e-6 USDC.

    Raises
    ------
    ValueError
        Prices need more than six decimals.
    """
    px_decimals, size_decimals = decimals(px), decimals(qty)
    if px_decimals > PX_DECIMALS:
        raise ValueError(f"prices need {px_decimals} decimals, at most {PX_DECIMALS} are supported")
    size_decimals = min(size_decimals, PX_DECIMALS - px_decimals)
    row = np.zeros(1, INSTRUMENT)
    row["symbol"], row["asset"], row["size_decimals"] = symbol, symbol, size_decimals
    row["ticks_per_unit"], row["tick_px"] = ticks_per_unit(size_decimals), tick_px(size_decimals)
    row["lot_qty"], row["min_notional_cash"] = lot_qty(size_decimals), MIN_NOTIONAL_USDC * CASH_PER_USDC
    return row


def finest_instrument(symbol: int) -> np.ndarray:
    """The finest grid there is: what a decoder is given before the real one is known."""
    return instrument_of(np.array([FINEST_PX]), np.array([1.0]), symbol)


def put_on_grid(rows: np.ndarray, symbol: int) -> np.ndarray:
    """Find the grid of one market's rows and write their `px_tick`.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        Of one market; `px_tick` is changed in place.
    symbol : int
        Index of the instrument.

    Returns
    -------
    ndarray of INSTRUMENT, shape (1,)
        The grid.

    Raises
    ------
    ValueError
        Prices need more than six decimals.
    """
    priced = (rows["px"] > 0.0) & np.isin(rows["kind"], PRICED)
    instrument = instrument_of(rows["px"][priced], rows["qty"][priced], symbol)
    ticks = np.rint(rows["px"] * float(instrument["ticks_per_unit"][0])).astype(np.int64)
    rows["px_tick"] = np.where(priced, ticks, 0)
    return instrument


def decimals(values: np.ndarray) -> int:
    """Decimals that all values need, 0 to 12; 12 also when more would be needed.

    Parameters
    ----------
    values : ndarray of float64
        Numbers that were decimal texts, >= 0.
    """
    unique = np.unique(values)
    for count in range(PX_DECIMALS + 6):
        scaled = unique * 10.0**count
        # A decimal text read as a double and scaled is off by its rounding, relative to its size.
        if (np.abs(scaled - np.rint(scaled)) <= np.maximum(DECIMALS_TOLERANCE, scaled * 1e-15)).all():
            return count
    return PX_DECIMALS + 6
