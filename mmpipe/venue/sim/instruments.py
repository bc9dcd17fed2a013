"""The coins of the embedded exchange: grids, start prices and what `meta` says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import UNSET

from mmpipe.units import ticks_per_unit
from mmpipe.venue import hyperliquid_messages as wire


@dataclass(frozen=True, slots=True)
class Coin:
    """One perpetual.

    Attributes
    ----------
    name : str
        At the maker venue.
    lead : str
        At the lead venue.
    size_decimals : int
        A lot is 10^-size_decimals, the finest tick 10^-(6 - size_decimals).
    start_px : float
        Efficient price before the first block.
    max_leverage : int
        Half its inverse is the maintenance margin.
    """

    name: str
    lead: str
    size_decimals: int
    start_px: float
    max_leverage: int

    @property
    def ticks_in_unit(self) -> int:
        """Finest ticks in one quote unit."""
        return ticks_per_unit(self.size_decimals)

    @property
    def lots_in_unit(self) -> int:
        """Lots in one base unit."""
        return int(10**self.size_decimals)


_KNOWN: Final = {
    "BTC": (5, 100_000.0, 40),
    "ETH": (4, 4_300.0, 25),
    "SOL": (2, 210.0, 20),
    "HYPE": (2, 45.0, 10),
}
_OTHER: Final = (1, 20.0, 10)
_MARGIN_TABLE_FIRST: Final = 50


def coins_of(names: tuple[str, ...], leads: tuple[str, ...]) -> tuple[Coin, ...]:
    """Coins in the order of their asset index; unknown names get an ordinary coin at 20 USDC.

    Parameters
    ----------
    names, leads : tuple of str
        Names at the two venues, of equal length.
    """
    return tuple(Coin(name, lead, *_KNOWN.get(name, _OTHER)) for name, lead in zip(names, leads, strict=True))


def start_table(coins: tuple[Coin, ...]) -> np.ndarray:
    """What `crowd.new_crowd` needs of each coin, (coins, 3) float64."""
    rows = [(coin.start_px * coin.ticks_in_unit, coin.ticks_in_unit, coin.lots_in_unit) for coin in coins]
    return np.array(rows, dtype=np.float64)


def meta_of(coins: tuple[Coin, ...], delisted: Sequence[int]) -> wire.Meta:
    """Answer to `{"type": "meta"}`; a delisted coin keeps its index.

    Parameters
    ----------
    delisted : sequence of int
        1 where trading has ended.
    """
    leverages = sorted({coin.max_leverage for coin in coins})
    tables = {leverage: _MARGIN_TABLE_FIRST + i for i, leverage in enumerate(leverages)}
    return wire.Meta(
        universe=[
            wire.Coin(
                coin.size_decimals,
                coin.name,
                coin.max_leverage,
                tables[coin.max_leverage],
                isDelisted=True if ended else UNSET,
            )
            for coin, ended in zip(coins, delisted, strict=True)
        ],
        marginTables=[
            (index, wire.MarginTable(f"flat {leverage}x", [wire.MarginTier("0.0", leverage)]))
            for leverage, index in tables.items()
        ],
        collateralToken=0,
    )
