"""Aggressive flow: run of one side, direction of the last two seconds, intensity per side.

Intensities are exponentially weighted arrival rates: each trade adds ln2 / halflife, and all decays with the
half-life, so that a Poisson stream of rate r reads r on average. The two seconds are an exact window.
"""

from typing import Final

import numpy as np

from mmpipe.features import rolling
from ringbuf.jit import kernel

SPANS_NS: Final = (2_000_000_000,)
SIGNED_LOTS: Final = 0  # values of an event
LOTS: Final = 1
TRADES: Final = 2
LN2: Final = 0.6931471805599453

FLOW = np.dtype(
    [
        ("run_length", "i8"),  # signed: +3 = three buys in a row
        ("ts_ns", "i8"),  # the intensities are of this time
        ("buy_per_s", "f8"),
        ("sell_per_s", "f8"),
        ("trades_seen", "i8"),
        ("last_px", "f8"),
        ("last_qty", "f8"),
        ("typical_log_qty", "f8"),  # exponentially weighted mean of ln(size)
        *rolling.sliding_fields(3, len(SPANS_NS)),
    ],
    align=True,
)

TYPICAL_WEIGHT: Final = 0.02  # of one trade in the typical size


@kernel
def on_trade(
    state: np.void, ts_ns: int, side: int, px: float, qty: float, lot_qty: float, halflife_s: float
) -> None:
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
    lot_qty : float
        Smallest quantity, base units, > 0.
    halflife_s : float
        Of the intensities, seconds.
    """
    advance(state, ts_ns, halflife_s)
    lots = rolling.lots_of(qty, lot_qty)
    place = rolling.place(state, ts_ns, SPANS_NS)
    rolling.add(state, place, SIGNED_LOTS, side * lots)
    rolling.add(state, place, LOTS, lots)
    rolling.add(state, place, TRADES, 1)
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
    """Move time on: intensities fade, what is older than the window leaves it."""
    if state["ts_ns"] == 0:
        state["ts_ns"] = ts_ns
    if ts_ns > state["ts_ns"]:
        fade = np.exp(-LN2 * (ts_ns - state["ts_ns"]) * 1e-9 / halflife_s)
        state["buy_per_s"] *= fade
        state["sell_per_s"] *= fade
        state["ts_ns"] = ts_ns
    rolling.advance(state, ts_ns, SPANS_NS)


@kernel
def vwap_direction(state: np.void) -> float:
    """Signed over total traded quantity of the last two seconds, -1 to 1; 0 without trades."""
    lots = state["sums"][0, LOTS]
    return state["sums"][0, SIGNED_LOTS] / lots if lots > 0 else 0.0


@kernel
def trades_in_window(state: np.void) -> int:
    """Trades of the last two seconds."""
    return state["sums"][0, TRADES]
