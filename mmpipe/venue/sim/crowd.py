"""The arrays of the simulated participants: what they know, what they quote, how they behave.

    efficient price ──0 ms────────▶ lead market
                    ──informed lag─▶ informed traders: take what is stale
                    ──view lag─────▶ liquidity providers: move their ladder
    noise traders know nothing; leveraged holders only wait to be liquidated

A PHASE row is a stretch of a scenario; all its numbers come from the scenario's file.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.venue.sim.chance import CHANCE
from mmpipe.venue.sim.market import CROWD_FIRST

MAKERS: Final = 3  # accounts the providers' orders are spread over, per symbol
HOLDERS: Final = 48  # leveraged accounts per symbol
LEVELS: Final = 24  # price levels the providers quote per side
PLACES: Final = 64  # price steps their orders may stand at, by step modulo
DEEP: Final = 6  # orders of providers at one price
HISTORY: Final = 4_096  # blocks of efficient price remembered
LEAD_TRADES: Final = 8  # per symbol and block
LABELS: Final = 256  # cascades remembered
ACCOUNTS_PER_SYMBOL: Final = MAKERS + 3 + HOLDERS

PHASE = np.dtype(
    [
        ("duration_s", "f8"),
        # The efficient price.
        ("volatility_bps", "f8"),  # per root second
        ("jump_share", "f8"),  # of the variance that comes in jumps
        ("jumps_per_s", "f8"),
        ("drift_bps_per_s", "f8"),
        ("common_share", "f8"),  # of the variance all symbols share
        ("impact_bps_per_musdc", "f8"),  # that a million of liquidations leaves in it
        ("gap_bps", "f8"),  # the maker market comes to lie so far beside the lead, logarithmic
        ("gap_time_s", "f8"),  # with this time constant
        # What the providers know, and when.
        ("view_lag_ms", "f8"),  # median delay of their view
        ("view_lag_spread", "f8"),  # standard deviation of its logarithm
        ("view_refresh_ms", "f8"),  # mean time between looks
        ("view_patience_bps", "f8"),  # move of their view before they follow
        # Queue-reactive orders: rates per second and price level.
        ("width_bps", "f8"),  # half spread beyond the nearest step
        ("touch_usdc", "f8"),  # median size of an order at the first level
        ("near_usdc", "f8"),  # at levels two to five
        ("far_usdc", "f8"),  # deeper
        ("limit_per_s", "f8"),  # arrivals at a level that has orders
        ("join_per_s", "f8"),  # arrivals at a level that has none
        ("cancel_per_s", "f8"),  # of the first order of a queue; further ones add less and less
        ("flee_per_s", "f8"),  # of each order that stands on the wrong side of its owner's view
        # Traders who know nothing.
        ("noise_per_s", "f8"),  # at an average queue
        ("noise_usdc", "f8"),  # median
        ("noise_usdc_spread", "f8"),  # standard deviation of the logarithm
        ("noise_repeat_prob", "f8"),  # the next one is on the same side
        ("noise_queue_decay", "f8"),  # their rate falls by exp(-this) per order in the best queue
        ("excitation", "f8"),  # trades one trade brings about, < 1
        ("excitation_time_s", "f8"),
        ("activity_spread", "f8"),  # standard deviation of the logarithm of the slow rate
        ("activity_time_s", "f8"),
        # Traders who know.
        ("informed_per_s", "f8"),  # reaction rate while the touch is stale
        ("informed_usdc", "f8"),  # median
        ("informed_usdc_spread", "f8"),  # standard deviation of the logarithm
        ("informed_cost_bps", "f8"),  # edge beyond the touch they need
        ("informed_lag_ms", "f8"),  # median
        # Leveraged holders, seated when a phase begins.
        ("levered_usdc", "f8"),  # notional of all of them; positive: long
        ("levered_distance_bps", "f8"),  # their liquidation prices lie up to so far away
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
        ("gap_log", "f8"),  # of the maker market beside the lead, now
        ("centre_tick", "f8"),  # the providers' ladder is built around this
        ("seen_block", "i8"),  # newest block they have seen; never goes back
        ("bid_step", "i8"),  # innermost step of their bids, and of their asks
        ("ask_step", "i8"),
        ("step", "i8"),  # ticks
        ("wrong", "i8"),  # orders on the wrong side of their owners' view
        ("noise_side", "i8"),
        ("activity_log", "f8"),
        ("excited_per_s", "f8"),
        ("maker_account", "i8"),  # first of MAKERS
        ("noise_account", "i8"),
        ("informed_account", "i8"),
        ("counter_account", "i8"),  # holds the other side of the leveraged positions
        ("holder_account", "i8"),  # first of HOLDERS
        ("seated_phase", "i8"),  # phases begun when the holders were seated
        ("forced_ts_ns", "i8"),  # of the last liquidation
        ("label", "i8"),  # row of the running cascade, -1: none
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
        ("labels", "i8"),  # written so far
    ],
    align=True,
)

LEAD_QUOTE = np.dtype(
    [
        ("bid_tick", "i8"),  # on the maker market's finest grid, as all ticks here
        ("ask_tick", "i8"),
        ("bid_lots", "i8"),
        ("ask_lots", "i8"),
        ("update_id", "i8"),  # one more whenever they change
        ("trades", "i8"),  # in this block
        ("trade_id", "i8"),
    ],
    align=True,
)

LEAD_TRADE = np.dtype([("id", "i8"), ("tick", "i8"), ("lots", "i8"), ("side", "i8")], align=True)

LABEL = np.dtype(
    [
        ("symbol", "i8"),
        ("start_ts_ns", "i8"),  # of its first liquidation
        ("end_ts_ns", "i8"),  # of its last; 0 while it runs
        ("lots", "i8"),  # sold by force, signed
    ],
    align=True,
)


class Crowd(NamedTuple):
    """Every array the flow kernels read and write besides the market's."""

    chance: np.ndarray  # (1,) CHANCE
    clock: np.ndarray  # (1,) CLOCK
    phases: np.ndarray  # (phases,) PHASE
    symbols: np.ndarray  # (symbols,) CROWD
    history: np.ndarray  # (symbols, HISTORY) float64 efficient tick, by block % HISTORY
    oids: np.ndarray  # (symbols, 2, PLACES, DEEP) int64 orders of the providers, by step % PLACES
    queues: np.ndarray  # (symbols, 2, LEVELS) int64 orders of the providers per level
    lead: np.ndarray  # (symbols,) LEAD_QUOTE
    lead_trades: np.ndarray  # (symbols, LEAD_TRADES) LEAD_TRADE
    labels: np.ndarray  # (LABELS,) LABEL


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
        np.zeros((count, 2, PLACES, DEEP), np.int64),
        np.zeros((count, 2, LEVELS), np.int64),
        np.zeros(count, LEAD_QUOTE),
        np.zeros((count, LEAD_TRADES), LEAD_TRADE),
        np.zeros(LABELS, LABEL),
    )
    crowd.chance["key"] = seed
    crowd.clock["dt_s"] = block_ms / 1e3
    crowd.clock["phases_begun"] = 1
    start_tick, ticks_in_unit, lots_in_unit = instruments.T
    crowd.symbols["efficient_tick"] = start_tick
    crowd.symbols["ticks_in_unit"] = ticks_in_unit
    crowd.symbols["lots_per_usdc"] = lots_in_unit * ticks_in_unit / start_tick
    crowd.symbols["noise_side"] = 1
    crowd.symbols["label"] = -1
    crowd.history[:] = start_tick[:, None]
    first = CROWD_FIRST + ACCOUNTS_PER_SYMBOL * np.arange(count)
    for offset, name in enumerate(("noise_account", "informed_account", "counter_account")):
        crowd.symbols[name] = first + MAKERS + offset
    crowd.symbols["maker_account"] = first
    crowd.symbols["holder_account"] = first + MAKERS + 3
    return crowd
