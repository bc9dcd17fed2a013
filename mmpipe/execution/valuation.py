"""What an order of ours at a price would be worth: queue value and fill survival, asked of a SNAPSHOT.

What all places of a side share is written once per decision (`view_market`), then four numbers per candidate.
What is not known is NaN, which no caller takes for an edge.
"""

from typing import Final

import numpy as np

from mmpipe.models.fill_survival import fill_prob
from mmpipe.models.model_inputs import INPUTS, write_place, write_state
from mmpipe.models.queue_value import queue_value
from mmpipe.models.weights import MODELS
from mmpipe.records import DEPTH_LEVELS
from ringbuf.jit import kernel

VALUE = np.dtype(
    [
        ("queue_value_bps", "f8"),  # expected edge of a fill; NaN: not known
        ("queue_value_std_bps", "f8"),  # uncertainty of that expectation
        ("fill_prob", "f8"),  # within the fill horizon; NaN: not known
        ("queue_rank", "f8"),  # share of the level ahead of us, 1: behind all of it
        ("depth_bps", "f8"),  # distance from the mid, > 0 behind it
    ],
    align=True,
)
_LEVELS: Final = DEPTH_LEVELS


VALUER = np.dtype(
    [
        ("models", MODELS, (1,)),  # in force; their scratch is overwritten
        ("inputs", "f8", (2, INPUTS)),  # of our bid and ask, overwritten
        ("scratch", VALUE, (2,)),  # overwritten
    ],
    align=True,
)


@kernel
def view_market(valuer: np.void, snapshots: np.ndarray) -> None:
    """Look at the market from both sides, once before any level is valued.

    Parameters
    ----------
    valuer : VALUER record
        Inputs of both sides are written.
    snapshots : (1,) SNAPSHOT
    """
    write_state(valuer["inputs"][0], snapshots[0], 1)
    write_state(valuer["inputs"][1], snapshots[0], -1)


@kernel
def value_level(
    side: int,
    tick: int,
    queue_rank: float,
    snapshots: np.ndarray,
    params: np.ndarray,
    tick_px: float,
    execution: np.ndarray,
    valuer: np.void,
) -> None:
    """Value of an order of ours resting at a price; the result is `valuer["scratch"][0]`.

    Parameters
    ----------
    side, tick : int
        Of the order.
    queue_rank : float
        Share of the level ahead of it, 0 to 1; negative: it would join now, behind all.
    snapshots : (1,) SNAPSHOT
        The market `view_market` was shown.
    params : (PARAMS_COUNT,) float64
        Learned parameters of the symbol, index Param.
    tick_px : float
        Price of a tick.
    execution : (1,) settings of ExecutionConfig
        Fees and fill horizon.
    valuer : VALUER record
        `scratch[0]` is written in whole.
    """
    snapshot, out = snapshots[0], valuer["scratch"][0]
    inputs = valuer["inputs"][0 if side > 0 else 1]
    mid_px = snapshot["mid_px"]
    depth_bps = np.nan
    if mid_px > 0.0:
        depth_bps = side * (mid_px - tick * tick_px) / mid_px * 1e4
    level_qty = shown_qty(snapshot, side, tick)
    rank = queue_rank
    if rank < 0.0:
        rank = 1.0 if level_qty > 0.0 else 0.0
    write_place(inputs, depth_bps, rank, rank * level_qty * mid_px)
    mean_bps, std_bps = queue_value(
        valuer["models"], inputs, int(snapshot["toxicity"]), execution[0]["maker_fee_bps"], params
    )
    out["depth_bps"], out["queue_rank"] = depth_bps, rank
    out["queue_value_bps"], out["queue_value_std_bps"] = mean_bps, std_bps
    out["fill_prob"] = fill_prob(valuer["models"], inputs, execution[0]["fill_horizon_s"], params)


@kernel
def shown_qty(snapshot: np.void, side: int, tick: int) -> float:
    """Quantity resting at a price of a side, base units; deeper than is shown, that of the deepest level.

    Parameters
    ----------
    snapshot : SNAPSHOT record
    side, tick : int
        Of the level.

    Returns
    -------
    float
        >= 0; 0 inside the spread and where there is a hole.
    """
    qty, offset_tick = snapshot["bid_depth_qty"], snapshot["bid_offset_tick"]
    away = snapshot["best_bid_tick"] - tick
    if side < 0:
        qty, offset_tick = snapshot["ask_depth_qty"], snapshot["ask_offset_tick"]
        away = tick - snapshot["best_ask_tick"]
    deepest = 0.0
    for level in range(_LEVELS):
        if not qty[level] > 0.0:
            break
        deepest = qty[level]
        if offset_tick[level] == away:
            return deepest
        if offset_tick[level] > away:
            return 0.0
    return deepest if away >= 0 else 0.0
