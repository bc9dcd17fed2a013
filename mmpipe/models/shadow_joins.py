"""Where the virtual quotes join, and what the models expect of them at that moment."""

from typing import Final

import numpy as np

from mmpipe.book import l2
from mmpipe.features import shadow_quotes
from mmpipe.models.fill_survival import fill_prob
from mmpipe.models.market_state import MarketState, Settings
from mmpipe.models.queue_value import queue_value_bps
from mmpipe.units import tick_step
from ringbuf.jit import kernel

STEPS: Final = 3  # one step behind the best, the best, one step before it


@kernel
def join_all(state: MarketState, settings: Settings, symbol: int, snapshot: np.void, seq: int) -> int:
    """Join best and best plus and minus one step on both sides.

    Parameters
    ----------
    state, settings : MarketState, Settings
        Shadows of `symbol` are changed; the rest is read.
    symbol : int
        Whose book, which must be valid.
    snapshot : SNAPSHOT record
        Of this moment.
    seq : int
        Its sequence number.

    Returns
    -------
    int
        Virtual quotes that joined.
    """
    joined = 0
    step = tick_step(snapshot["best_bid_tick"], state.instruments[symbol]["ticks_per_unit"])
    for side in (1, -1):
        best = snapshot["best_bid_tick"] if side > 0 else snapshot["best_ask_tick"]
        other = snapshot["best_ask_tick"] if side > 0 else snapshot["best_bid_tick"]
        for offset in range(-1, STEPS - 1):
            tick = best + side * offset * step
            if tick > 0 and side * (other - tick) > 0:
                joined += _join(state, settings, symbol, side, tick, snapshot, seq)
    return joined


@kernel
def _join(
    state: MarketState, settings: Settings, symbol: int, side: int, tick: int, snapshot: np.void, seq: int
) -> int:
    slot = shadow_quotes.free_slot(state.shadows[symbol])
    if slot < 0:
        return 0
    shadow, params = state.shadows[symbol, slot], state.params[symbol]
    px, mid_px = tick * state.instruments[symbol]["tick_px"], snapshot["mid_px"]
    depth_bps = side * (mid_px - px) / mid_px * 1e4
    toxic_prob = snapshot["toxic_sell_prob"] if side > 0 else snapshot["toxic_buy_prob"]
    arrivals_per_s = snapshot["sell_intensity_per_s"] if side > 0 else snapshot["buy_intensity_per_s"]
    behind_bps = depth_bps - snapshot["spread_bps"] / 2.0
    horizon_s = settings.features[0]["shadow_horizon_ms"] * 1e-3
    fee_bps = settings.execution[0]["maker_fee_bps"]
    ahead_qty = l2.qty_at(state.books[symbol], side, tick)
    rank = 1.0 if ahead_qty > 0.0 else 0.0
    edge_bps = queue_value_bps(
        depth_bps, rank, toxic_prob, int(snapshot["toxicity"]), snapshot["sigma_1m_bps"], fee_bps, params
    )
    prob = fill_prob(arrivals_per_s, behind_bps, rank, horizon_s, params)
    if not (abs(edge_bps) < np.inf and 0.0 <= prob <= 1.0):
        return 0
    shadow["joined_ts_ns"], shadow["filled_ts_ns"], shadow["cause_seq"] = snapshot["ts_ns"], 0, seq
    shadow["tick"], shadow["side"], shadow["px"], shadow["mid_px"] = tick, side, px, mid_px
    shadow["ahead_qty"], shadow["depth_bps"] = ahead_qty, depth_bps
    shadow["predicted_edge_bps"], shadow["fill_prob"] = edge_bps, prob
    shadow["toxicity"], shadow["regime"] = snapshot["toxicity"], snapshot["regime"]
    return 1
