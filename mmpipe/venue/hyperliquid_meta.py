"""The configured coins as INSTRUMENT rows, from the venue's `meta` answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from mmpipe import units
from mmpipe.errors import PreflightError
from mmpipe.records import INSTRUMENT

MIN_NOTIONAL_USDC: Final = 10  # of an order that does not close a position


class _Asset(Struct):
    name: str
    szDecimals: Annotated[int, Meta(ge=0, le=units.PX_DECIMALS)]
    maxLeverage: Annotated[int, Meta(ge=1, le=1_000)]
    isDelisted: bool | None = None


class _Universe(Struct):
    universe: list[_Asset]


def parse_meta(meta: Any, coins: Sequence[str]) -> np.ndarray:
    """Tick, lot and limits of each coin.

    Parameters
    ----------
    meta : object
        The decoded JSON answer to `{"type": "meta"}`.
    coins : sequence of str
        The configured coins, in their order.

    Returns
    -------
    ndarray of INSTRUMENT, shape (len(coins),)
        `asset` is the position in the venue's list, where delisted coins keep theirs.

    Raises
    ------
    PreflightError
        A coin is unknown or delisted, or the answer is not a `meta`.
    """
    try:
        universe = msgspec.convert(meta, _Universe).universe
    except msgspec.ValidationError as error:
        raise PreflightError(f"meta of the venue: {error}; check venue.url") from error
    assets = {asset.name: (index, asset) for index, asset in enumerate(universe)}
    rows = np.zeros(len(coins), INSTRUMENT)
    for symbol, coin in enumerate(coins):
        if coin not in assets:
            raise PreflightError(f"coin {coin!r} does not exist at the venue; correct [[symbol]] coin")
        index, asset = assets[coin]
        if asset.isDelisted:
            raise PreflightError(f"coin {coin!r} is delisted at the venue; remove its [[symbol]]")
        row = rows[symbol : symbol + 1]
        row["asset"], row["symbol"] = index, symbol
        row["size_decimals"] = asset.szDecimals
        row["ticks_per_unit"] = units.ticks_per_unit(asset.szDecimals)
        row["tick_px"] = units.tick_px(asset.szDecimals)
        row["lot_qty"] = units.lot_qty(asset.szDecimals)
        row["min_notional_cash"] = MIN_NOTIONAL_USDC * units.CASH_PER_USDC
    return rows
