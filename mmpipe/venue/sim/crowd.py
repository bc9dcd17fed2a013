"""The arrays of the simulated participants: what they know, what they quote, how they behave.

    efficient price ──0 ms──▶ lead market
                    ──~40 ms─▶ informed traders: take what is stale
                    ──~150 ms▶ liquidity providers: requote
    noise traders know nothing

A PHASE row is a stretch of a scenario; all its numbers come from the scenario's file.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.venue.sim.chance import CHANCE
from mmpipe.venue.sim.market import CROWD_FIRST

PROVIDERS: Final = 3  # per symbol
LADDER: Final = 24  # price levels a provider quotes per side
NOISE_ORDERS: Final = 32  # resting orders of noise traders per symbol
HISTORY: Final = 4_096  # blocks of efficient price remembered
LEAD_TRADES: Final = 8  # per symbol and block

# Accounts: from CROWD_FIRST on per symbol its providers, its noise, its informed and its liquidated.
ACCOUNTS_PER_SYMBOL: Final = PROVIDERS + 3

PHASE = np.dtype(
    [
        ("duration_s", "f8"),
        ("volatility_bps", "f8"),  # of the efficient price per root second
        ("jump_share", "f8"),  # of the variance that comes in jumps
        ("jumps_per_s", "f8"),
        ("drift_bps_per_s", "f8"),
        ("common_share", "f8"),  # of the variance all symbols share
        ("noise_per_s", "f8"),  # market orders
        ("noise_usdc", "f8"),  # median of one
        ("noise_repeat_prob", "f8"),  # the next one is on the same side
        ("noise_limits_per_s", "f8"),  # resting orders
        ("informed_per_s", "f8"),  # reaction rate while the touch is stale
        ("informed_usdc", "f8"),
        ("informed_cost_bps", "f8"),  # edge beyond the touch they need
        ("informed_lag_ms", "f8"),  # mean
        ("liquidations_per_s", "f8"),
        ("liquidation_usdc", "f8"),
        ("liquidation_side", "f8"),  # +1 buys, -1 sells
        ("provider_lag_ms", "f8"),  # mean delay of the providers' view behind the lead
        ("provider_refresh_ms", "f8"),  # mean
        ("provider_usdc", "f8"),  # median of the first level
        ("provider_width_bps", "f8"),  # added to their half spread
        ("provider_patience_bps", "f8"),  # move of their view before they requote
        ("provider_withdraw_prob", "f8"),  # share of refreshes at which they quote nothing
        ("lead_trades_per_s", "f8"),
        ("lead_basis_bps", "f8"),  # lead over maker, constant
    ],
    align=True,
)

CROWD = np.dtype(
    [
        ("efficient_tick", "f8"),  # price in finest ticks of the maker market
        ("ticks_in_unit", "i8"),
        ("lots_per_usdc", "f8"),
        ("noise_side", "i8"),
        ("noise_account", "i8"),
        ("informed_account", "i8"),
        ("liquidated_account", "i8"),
    ],
    align=True,
)

CLOCK = np.dtype(
    [
        ("block", "i8"),
        ("dt_s", "f8"),
        ("phase", "i8"),
        ("phase_blocks", "i8"),  # since it began
        ("phases_begun", "i8"),
    ],
    align=True,
)

PROVIDER = np.dtype(
    [
        ("account", "i8"),
        ("half_spread_steps", "f8"),
        ("lag_blocks", "i8"),
        ("seen_block", "i8"),  # newest block it has seen; never goes back
        ("centre_tick", "f8"),  # its ladder is built around this
        ("away_blocks", "i8"),  # quotes nothing for so long
    ],
    align=True,
)

LEAD_QUOTE = np.dtype(
    [
        ("bid_tick", "i8"),  # on the maker market's finest grid, as all ticks here
        ("ask_tick", "i8"),
        ("bid_lots", "i8"),
        ("ask_lots", "i8"),
        ("update_id", "i8"),
        ("changed", "i8"),  # in this block
        ("trades", "i8"),  # in this block
        ("trade_id", "i8"),
    ],
    align=True,
)

LEAD_TRADE = np.dtype([("id", "i8"), ("tick", "i8"), ("lots", "i8"), ("side", "i8")], align=True)


class Crowd(NamedTuple):
    """Every array the flow kernels read and write besides the market's."""

    chance: np.ndarray  # (1,) CHANCE
    clock: np.ndarray  # (1,) CLOCK
    phases: np.ndarray  # (phases,) PHASE
    symbols: np.ndarray  # (symbols,) CROWD
    history: np.ndarray  # (symbols, HISTORY) float64 efficient tick, by block % HISTORY
    providers: np.ndarray  # (symbols, PROVIDERS) PROVIDER
    ladders: np.ndarray  # (symbols, PROVIDERS, 2, LADDER) int64 oid, by step % LADDER
    noise_oids: np.ndarray  # (symbols, NOISE_ORDERS) int64
    lead: np.ndarray  # (symbols,) LEAD_QUOTE
    lead_trades: np.ndarray  # (symbols, LEAD_TRADES) LEAD_TRADE


def new_crowd(seed: int, block_ms: int, phases: np.ndarray, instruments: np.ndarray) -> Crowd:
    """Participants of a market that has not begun.

    Parameters
    ----------
    seed : int
        The same seed is the same market.
    block_ms : int
        Length of one block.
    phases : (n,) PHASE
        The scenario; after the last phase the first begins again.
    instruments : (symbols, 3) float64
        Start price in finest ticks, finest ticks per quote unit, lots per base unit.
    """
    count = len(instruments)
    crowd = Crowd(
        np.zeros(1, CHANCE),
        np.zeros(1, CLOCK),
        phases,
        np.zeros(count, CROWD),
        np.zeros((count, HISTORY)),
        np.zeros((count, PROVIDERS), PROVIDER),
        np.zeros((count, PROVIDERS, 2, LADDER), np.int64),
        np.zeros((count, NOISE_ORDERS), np.int64),
        np.zeros(count, LEAD_QUOTE),
        np.zeros((count, LEAD_TRADES), LEAD_TRADE),
    )
    crowd.chance["key"] = seed
    crowd.clock["dt_s"] = block_ms / 1e3
    crowd.clock["phases_begun"] = 1
    start_tick, ticks_in_unit, lots_in_unit = instruments.T
    crowd.symbols["efficient_tick"] = start_tick
    crowd.symbols["ticks_in_unit"] = ticks_in_unit
    crowd.symbols["lots_per_usdc"] = lots_in_unit * ticks_in_unit / start_tick
    crowd.symbols["noise_side"] = 1
    crowd.history[:] = start_tick[:, None]
    first = CROWD_FIRST + ACCOUNTS_PER_SYMBOL * np.arange(count)
    crowd.providers["account"] = first[:, None] + np.arange(PROVIDERS)
    crowd.providers["half_spread_steps"] = np.linspace(0.1, 0.7, PROVIDERS)
    crowd.symbols["noise_account"] = first + PROVIDERS
    crowd.symbols["informed_account"] = first + PROVIDERS + 1
    crowd.symbols["liquidated_account"] = first + PROVIDERS + 2
    return crowd
