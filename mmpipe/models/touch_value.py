"""What joining the touch is worth, as a SNAPSHOT carries it: by the kernels that execution decides with."""

from typing import Final

import numpy as np

from mmpipe.models.market_state import Settings
from mmpipe.models.model_inputs import write_place, write_state
from mmpipe.models.queue_value import queue_value
from ringbuf.jit import kernel

UNKNOWN_BPS: Final = -1e4  # a queue value that is not known is certainly not an edge


@kernel
def write_touch_values(out: np.void, state: np.ndarray, settings: Settings, symbol: int) -> None:
    """Queue values of both sides at the touch, and which models said so.

    Parameters
    ----------
    out : SNAPSHOT record
        All else must be written; `*_queue_value_bps`, their `std` and `models_id` are.
    state : (symbols,) MARKET
        Inputs of the symbol are overwritten.
    settings : Settings
        Models and fee.
    symbol : int
        Whose.
    """
    out["models_id"] = settings.models[0]["models_id"]
    out["bid_queue_value_bps"], out["bid_queue_value_std_bps"] = _touch_value(out, state, settings, symbol, 1)
    out["ask_queue_value_bps"], out["ask_queue_value_std_bps"] = _touch_value(
        out, state, settings, symbol, -1
    )


@kernel
def _touch_value(
    out: np.void, state: np.ndarray, settings: Settings, symbol: int, side: int
) -> tuple[float, float]:
    mid_px, index = out["mid_px"], 0 if side > 0 else 1
    if not mid_px > 0.0:
        return UNKNOWN_BPS, 0.0
    rank, best = out["bid_queue_rank"], out["best_bid_tick"]
    level_qty = out["bid_depth_qty"][0]
    if side < 0:
        rank, best, level_qty = out["ask_queue_rank"], out["best_ask_tick"], out["ask_depth_qty"][0]
    # Ours, where we rest at the touch; otherwise the last one's.
    at = rank if rank >= 0.0 and state[symbol]["queues"][index]["tick"] == best else 1.0
    inputs = state[symbol]["inputs"][index]
    write_state(inputs, out, side)
    write_place(inputs, out["spread_bps"] / 2.0, at, at * level_qty * mid_px)
    fee_bps, verdict = settings.execution[0]["maker_fee_bps"], int(out["toxicity"])
    mean_bps, std_bps = queue_value(settings.models, inputs, verdict, fee_bps, state[symbol]["params"])
    if not abs(mean_bps) < np.inf:
        return UNKNOWN_BPS, 0.0
    return mean_bps, std_bps
