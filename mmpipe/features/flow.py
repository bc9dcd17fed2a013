"""Aggressive flow: run of one side, direction of the last two seconds, intensity per side.

Intensities are exponentially weighted arrival rates: each trade adds ln2 / halflife, and all decays with the
half-life, so that a Poisson stream of rate r reads r on average.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

BUCKETS: Final = 32
BUCKET_NS: Final = 100_000_000
WINDOW_BUCKETS: Final = 20  # 2 s
LN2: Final = 0.6931471805599453

FLOW = np.dtype(
    [
        ("bucket", "i8"),
        ("signed_qty", "f8", (BUCKETS,)),
        ("qty", "f8", (BUCKETS,)),
        ("trades", "i8", (BUCKETS,)),
        ("run_length", "i8"),  # signed: +3 = three buys in a row
        ("ts_ns", "i8"),  # the intensities are of this time
        ("buy_per_s", "f8"),
        ("sell_per_s", "f8"),
        ("trades_seen", "i8"),
        ("last_px", "f8"),
        ("last_qty", "f8"),
        ("typical_log_qty", "f8"),  # exponentially weighted mean of ln(size)
    ],
    align=True,
)

TYPICAL_WEIGHT: Final = 0.02  # of one trade in the typical size


@kernel
def on_trade(state: np.void, ts_ns: int, side: int, px: float, qty: float, halflife_s: float) -> None:
    """Take one trade.

    Parameters
    ----------
    state : FLOW record
        Changed in place.
    ts_ns : int
        Receive time.
    side : int
        Of the aggressor, +1 or -1.
    px, qty : float
        Quote units; base units, > 0.
    halflife_s : float
        Of the intensities, seconds.
    """
    advance(state, ts_ns, halflife_s)
    at = state["bucket"] % BUCKETS
    state["signed_qty"][at] += side * qty
    state["qty"][at] += qty
    state["trades"][at] += 1
    run = state["run_length"]
    state["run_length"] = run + side if run * side > 0 else side
    step = LN2 / halflife_s
    if side > 0:
        state["buy_per_s"] += step
    else:
        state["sell_per_s"] += step
    log_qty = np.log(qty)
    if state["trades_seen"] == 0:
        state["typical_log_qty"] = log_qty
    else:
        state["typical_log_qty"] += TYPICAL_WEIGHT * (log_qty - state["typical_log_qty"])
    state["trades_seen"] += 1
    state["last_px"], state["last_qty"] = px, qty


@kernel
def advance(state: np.void, ts_ns: int, halflife_s: float) -> None:
    """Move time on: intensities fade, passed buckets are empty."""
    if state["ts_ns"] == 0:
        state["ts_ns"] = ts_ns
    if ts_ns > state["ts_ns"]:
        fade = np.exp(-LN2 * (ts_ns - state["ts_ns"]) * 1e-9 / halflife_s)
        state["buy_per_s"] *= fade
        state["sell_per_s"] *= fade
        state["ts_ns"] = ts_ns
    bucket = ts_ns // BUCKET_NS
    if bucket > state["bucket"]:
        for number in range(max(state["bucket"] + 1, bucket - BUCKETS + 1), bucket + 1):
            state["signed_qty"][number % BUCKETS] = 0.0
            state["qty"][number % BUCKETS] = 0.0
            state["trades"][number % BUCKETS] = 0
        state["bucket"] = bucket


@kernel
def vwap_direction(state: np.void) -> float:
    """Signed over total traded quantity of the last two seconds, -1 to 1; 0 without trades."""
    signed, total = 0.0, 0.0
    for back in range(WINDOW_BUCKETS):
        signed += state["signed_qty"][(state["bucket"] - back) % BUCKETS]
        total += state["qty"][(state["bucket"] - back) % BUCKETS]
    return min(max(signed / total, -1.0), 1.0) if total > 0.0 else 0.0


@kernel
def trades_in_window(state: np.void) -> int:
    """Trades of the last two seconds."""
    count = 0
    for back in range(WINDOW_BUCKETS):
        count += state["trades"][(state["bucket"] - back) % BUCKETS]
    return count
