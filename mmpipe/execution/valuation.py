"""What an order of ours at a price would be worth: queue value and fill survival, asked of a SNAPSHOT.

Informed sellers fill a bid, informed buyers an ask, and the aggressors of the other side are who fills us at
all; which is which is decided here, once. What is not known is NaN, which no caller takes for an edge.
"""

import numpy as np

from mmpipe.models.fill_survival import fill_prob
from mmpipe.models.queue_value import queue_value_bps
from ringbuf.jit import kernel

VALUE = np.dtype(
    [
        ("queue_value_bps", "f8"),  # expected edge of a fill; NaN: not known
        ("fill_prob", "f8"),  # within the fill horizon; NaN: not known
        ("queue_rank", "f8"),  # share of the level ahead of us, 1: behind all of it
        ("depth_bps", "f8"),  # distance from the mid, > 0 behind it
    ],
    align=True,
)


@kernel
def value_level(
    side: int,
    tick: int,
    queue_rank: float,
    snapshots: np.ndarray,
    params: np.ndarray,
    tick_px: float,
    execution: np.ndarray,
    out: np.void,
) -> None:
    """Value of an order of ours resting at a price.

    Parameters
    ----------
    side, tick : int
        Of the order.
    queue_rank : float
        Share of the level ahead of it, 0 to 1; negative: it would join now, behind all.
    snapshots : (1,) SNAPSHOT
        The market.
    params : (PARAMS_COUNT,) float64
        Learned parameters of the symbol, index Param.
    tick_px : float
        Price of a tick.
    execution : (1,) settings of ExecutionConfig
        Fees and fill horizon.
    out : VALUE record
        Written in whole.
    """
    snapshot = snapshots[0]
    mid_px = snapshot["mid_px"]
    depth_bps = np.nan
    if mid_px > 0.0:
        depth_bps = side * (mid_px - tick * tick_px) / mid_px * 1e4
    rank = queue_rank if queue_rank >= 0.0 else 1.0
    out["depth_bps"] = depth_bps
    out["queue_rank"] = rank
    toxic_prob = snapshot["toxic_sell_prob"] if side > 0 else snapshot["toxic_buy_prob"]
    arrivals_per_s = snapshot["sell_intensity_per_s"] if side > 0 else snapshot["buy_intensity_per_s"]
    out["queue_value_bps"] = queue_value_bps(
        depth_bps, rank, toxic_prob, int(snapshot["toxicity"]), snapshot["sigma_1m_bps"],
        execution[0]["maker_fee_bps"], params,
    )  # fmt: skip
    behind_bps = depth_bps - snapshot["spread_bps"] / 2.0
    out["fill_prob"] = fill_prob(arrivals_per_s, behind_bps, rank, execution[0]["fill_horizon_s"], params)
