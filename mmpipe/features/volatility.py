"""Volatility of the mid: exponentially weighted per root second, and realised over the last minute.

Squared returns are shot noise: each adds r^2 * ln2 / halflife to a variance rate that fades with the
half-life, which needs no regular sampling. The realised one sums squared returns of 60 one-second buckets,
scaled up to a minute while less has been seen.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

SECONDS: Final = 64
MINUTE: Final = 60
NS_PER_S: Final = 1_000_000_000
LN2: Final = 0.6931471805599453
SEEN_MIN_S: Final = 5  # below, a scaled-up minute would be mostly noise

VOLATILITY = np.dtype(
    [
        ("mid_px", "f8"),  # 0: none yet
        ("ts_ns", "i8"),  # the variance rate is of this time
        ("variance_per_s", "f8"),  # bps^2 per second
        ("second", "i8"),
        ("first_second", "i8"),
        ("squares", "f8", (SECONDS,)),  # bps^2 in each second
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
        square = return_bps * return_bps
        state["variance_per_s"] += square * LN2 / halflife_s
        state["squares"][state["second"] % SECONDS] += square
    state["mid_px"] = mid_px


@kernel
def advance(state: np.void, ts_ns: int, halflife_s: float) -> None:
    """Move time on."""
    second = ts_ns // NS_PER_S
    if state["ts_ns"] == 0:
        state["ts_ns"], state["second"], state["first_second"] = ts_ns, second, second
    if ts_ns > state["ts_ns"]:
        state["variance_per_s"] *= np.exp(-LN2 * (ts_ns - state["ts_ns"]) * 1e-9 / halflife_s)
        state["ts_ns"] = ts_ns
    if second > state["second"]:
        for number in range(max(state["second"] + 1, second - SECONDS + 1), second + 1):
            state["squares"][number % SECONDS] = 0.0
        state["second"] = second


@kernel
def sigma_ewma_bps(state: np.void) -> float:
    """Volatility per root second, bps."""
    return np.sqrt(state["variance_per_s"])


@kernel
def sigma_1m_bps(state: np.void) -> float:
    """Realised volatility per root minute, bps; 0 in the first seconds."""
    seen_s = min(state["second"] - state["first_second"] + 1, MINUTE)
    if seen_s < SEEN_MIN_S:
        return 0.0
    total = 0.0
    for back in range(seen_s):
        total += state["squares"][(state["second"] - back) % SECONDS]
    return np.sqrt(total * MINUTE / seen_s)
