"""The lead market: its mid, and how far it is ahead of the maker once the slow basis is taken out.

Two venues differ by a basis (funding, quote currency, fees) that moves over minutes; a divergence that
predicts is what is left after an exponentially weighted mean of the log difference.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

LN2: Final = 0.6931471805599453

LEAD = np.dtype(
    [
        ("bid_px", "f8"),  # 0: none
        ("ask_px", "f8"),
        ("bid_qty", "f8"),  # base units, at the touch
        ("ask_qty", "f8"),
        ("quote_ts_ns", "i8"),
        ("state", "i8"),  # FeedState
        ("basis_bps", "f8"),
        ("basis_ts_ns", "i8"),  # 0: no basis yet
    ],
    align=True,
)


@kernel
def on_quote(state: np.void, side: int, px: float, qty: float, ts_ns: int) -> None:
    """Take one side of the lead's best quotes; quantity 0 says that the side is empty."""
    if side > 0:
        state["bid_px"], state["bid_qty"] = px if qty > 0.0 else 0.0, qty
    else:
        state["ask_px"], state["ask_qty"] = px if qty > 0.0 else 0.0, qty
    state["quote_ts_ns"] = ts_ns


@kernel
def on_book(state: np.void, bid_px: float, bid_qty: float, ask_px: float, ask_qty: float, ts_ns: int) -> None:
    """Take the touch of the lead's whole book: as new as its last message, whatever stream that came on."""
    state["bid_px"], state["bid_qty"] = bid_px, bid_qty
    state["ask_px"], state["ask_qty"] = ask_px, ask_qty
    state["quote_ts_ns"] = ts_ns


@kernel
def mid(state: np.void) -> float:
    """Mid of the lead, quote units; 0 while a side is missing or the quotes are crossed."""
    if state["bid_px"] > 0.0 and state["ask_px"] >= state["bid_px"]:
        return (state["bid_px"] + state["ask_px"]) / 2.0
    return 0.0


@kernel
def imbalance(state: np.void) -> float:
    """(bid - ask) / (bid + ask) of the quantities at the lead's touch, -1 to 1; 0 without a mid."""
    total_qty = state["bid_qty"] + state["ask_qty"]
    if not (mid(state) > 0.0 and 0.0 < total_qty < np.inf):
        return 0.0
    return (state["bid_qty"] - state["ask_qty"]) / total_qty


@kernel
def divergence_bps(state: np.void, maker_mid_px: float) -> float:
    """Lead over maker beyond the basis, bps; 0 while either mid or the basis is missing."""
    lead_mid_px = mid(state)
    if not (lead_mid_px > 0.0 and maker_mid_px > 0.0) or state["basis_ts_ns"] == 0:
        return 0.0
    return (lead_mid_px - maker_mid_px) / maker_mid_px * 1e4 - state["basis_bps"]


@kernel
def on_timer(state: np.void, maker_mid_px: float, ts_ns: int, halflife_s: float) -> None:
    """Let the basis follow the difference, slowly.

    Parameters
    ----------
    state : LEAD record
        Changed in place.
    maker_mid_px : float
        Quote units.
    ts_ns : int
        Time of the TIMER.
    halflife_s : float
        Of the basis.
    """
    lead_mid_px = mid(state)
    if not (lead_mid_px > 0.0 and maker_mid_px > 0.0):
        return
    difference_bps = (lead_mid_px - maker_mid_px) / maker_mid_px * 1e4
    if state["basis_ts_ns"] == 0:
        state["basis_bps"] = difference_bps
    else:
        elapsed_s = max(ts_ns - state["basis_ts_ns"], 0) * 1e-9
        weight = 1.0 - np.exp(-LN2 * elapsed_s / halflife_s)
        state["basis_bps"] += weight * (difference_bps - state["basis_bps"])
    state["basis_ts_ns"] = ts_ns
