"""Volatility of the mid: exponentially weighted per root second, and realised over exactly the last minute.

Squared returns are shot noise: each adds r^2 * ln2 / halflife to a variance rate that fades with the
half-life, which needs no regular sampling. The realised one sums the squared returns of the last 60 s from
the path of mids, scaled up to a minute while less has been seen.
"""

from typing import Final

import numpy as np

from mmpipe.features.mid_path import PATH_MAX, squares_since
from ringbuf.jit import kernel

MINUTE_NS: Final = 60_000_000_000
LN2: Final = 0.6931471805599453
SEEN_MIN_NS: Final = 5_000_000_000  # below, a scaled-up minute would be mostly noise

VOLATILITY = np.dtype(
    [
        ("mid_px", "f8"),  # 0: none yet
        ("ts_ns", "i8"),  # the variance rate is of this time
        ("variance_per_s", "f8"),  # bps^2 per second
    ],
    align=True,
)


@kernel
def on_mid(state: np.void, ts_ns: int, mid_px: float, halflife_s: float) -> None:
    """Take the mid after a message.

    Parameters
    ----------
    state : VOLATILITY record
        Changed in place.
    ts_ns : int
        Receive time.
    mid_px : float
        > 0.
    halflife_s : float
        Seconds.
    """
    advance(state, ts_ns, halflife_s)
    if state["mid_px"] > 0.0 and mid_px != state["mid_px"]:
        return_bps = (mid_px - state["mid_px"]) / state["mid_px"] * 1e4
        state["variance_per_s"] += return_bps * return_bps * LN2 / halflife_s
    state["mid_px"] = mid_px


@kernel
def advance(state: np.void, ts_ns: int, halflife_s: float) -> None:
    """Move time on."""
    if state["ts_ns"] == 0:
        state["ts_ns"] = ts_ns
    if ts_ns > state["ts_ns"]:
        state["variance_per_s"] *= np.exp(-LN2 * (ts_ns - state["ts_ns"]) * 1e-9 / halflife_s)
        state["ts_ns"] = ts_ns


@kernel
def sigma_ewma_bps(state: np.void) -> float:
    """Volatility per root second, bps."""
    return np.sqrt(state["variance_per_s"])


@kernel
def sigma_1m_bps(path: np.void, ts_ns: int) -> float:
    """Realised volatility per root minute, bps; 0 in the first seconds.

    Parameters
    ----------
    path : MID_PATH record
        Read only. Where it no longer reaches back a minute, what it holds is scaled up.
    ts_ns : int
        Now.
    """
    if path["count"] == 0:
        return 0.0
    oldest_ns = path["ts_ns"][max(path["count"] - PATH_MAX, 0) % PATH_MAX]
    seen_ns = min(ts_ns - oldest_ns, MINUTE_NS)
    if seen_ns < SEEN_MIN_NS:
        return 0.0
    return np.sqrt(max(squares_since(path, ts_ns - seen_ns), 0.0) * MINUTE_NS / seen_ns)
