"""Quotes that exist only in the books: labels without being in the market.

Every interval a virtual order joins the best level and the levels one step before and behind it, on both
sides. Its queue is tracked like a real one: trades at its price come off the front, a level that shrinks
takes the queue with it, a trade or a touch beyond it fills it. A filled one waits one label horizon for the
mid that says what the fill was worth; an unfilled one ends at the shadow horizon. What was predicted at the
join travels with it into the LABEL.
"""

from typing import Final

import numpy as np

from mmpipe.enums import LabelKind
from ringbuf.jit import kernel

SHADOWS_MAX: Final = 96  # per symbol: six joins a second for a horizon and a label

SHADOW = np.dtype(
    [
        ("joined_ts_ns", "i8"),  # 0: free
        ("filled_ts_ns", "i8"),  # 0: still resting
        ("cause_seq", "i8"),
        ("tick", "i8"),
        ("side", "i8"),
        ("px", "f8"),
        ("ahead_qty", "f8"),
        ("mid_px", "f8"),  # at the join
        ("predicted_edge_bps", "f8"),
        ("fill_prob", "f8"),
        ("depth_bps", "f8"),
        ("toxicity", "i8"),
        ("regime", "i8"),
    ],
    align=True,
)

_SHADOW: Final = int(LabelKind.SHADOW_QUOTE)


@kernel
def free_slot(shadows: np.ndarray) -> int:
    """Index of a free slot, -1 when all are taken."""
    for index in range(len(shadows)):
        if shadows[index]["joined_ts_ns"] == 0:
            return index
    return -1


@kernel
def on_trade(shadows: np.ndarray, ts_ns: int, side: int, tick: int, qty: float) -> None:
    """A trade by an aggressor of `side` at `tick`.

    Parameters
    ----------
    shadows : (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    ts_ns, side, tick : int
        Of the trade.
    qty : float
        Base units.
    """
    for index in range(len(shadows)):
        shadow = shadows[index]
        if shadow["joined_ts_ns"] == 0 or shadow["filled_ts_ns"] != 0 or shadow["side"] == side:
            continue
        own = shadow["side"]
        if own * tick < own * shadow["tick"]:
            shadow["filled_ts_ns"] = ts_ns
        elif tick == shadow["tick"]:
            shadow["ahead_qty"] -= qty
            if shadow["ahead_qty"] < 0.0:
                shadow["filled_ts_ns"] = ts_ns


@kernel
def on_touch(shadows: np.ndarray, ts_ns: int, bid_tick: int, ask_tick: int) -> None:
    """The other side's best reached or crossed a resting price: it must have filled."""
    for index in range(len(shadows)):
        shadow = shadows[index]
        if shadow["joined_ts_ns"] == 0 or shadow["filled_ts_ns"] != 0:
            continue
        crossed = ask_tick <= shadow["tick"] if shadow["side"] > 0 else bid_tick >= shadow["tick"]
        if crossed:
            shadow["filled_ts_ns"] = ts_ns


@kernel
def resolve(
    shadows: np.ndarray,
    ts_ns: int,
    mid_px: float,
    fee_bps: float,
    settings: np.ndarray,
    symbol: int,
    labels: np.ndarray,
    count: int,
) -> int:
    """Turn what is due into LABELs and free its slots.

    Parameters
    ----------
    shadows : (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    ts_ns : int
        Now.
    mid_px : float
        Of the maker, > 0.
    fee_bps : float
        Of a passive fill.
    settings : (1,) settings of FeaturesConfig
        Horizons.
    symbol : int
        Index for the label.
    labels : (n,) LABEL
        Written from `count` on; what finds no room waits for the next call.
    count : int
        Labels already in `labels`.

    Returns
    -------
    int
        Labels now in `labels`.
    """
    label_ns = settings[0]["label_horizon_ms"] * 1_000_000
    wait_ns = settings[0]["shadow_horizon_ms"] * 1_000_000
    for index in range(len(shadows)):
        shadow = shadows[index]
        if shadow["joined_ts_ns"] == 0 or count >= len(labels):
            continue
        filled = shadow["filled_ts_ns"] != 0
        if filled and ts_ns - shadow["filled_ts_ns"] < label_ns:
            continue
        if not filled and ts_ns - shadow["joined_ts_ns"] < wait_ns:
            continue
        label = labels[count]
        start_ns = shadow["filled_ts_ns"] if filled else shadow["joined_ts_ns"]
        _write(label, shadow, symbol, mid_px, fee_bps, filled)
        label["ts_ns"] = ts_ns
        label["wait_ns"] = (start_ns if filled else ts_ns) - shadow["joined_ts_ns"]
        label["horizon_ns"] = ts_ns - start_ns
        shadow["joined_ts_ns"] = 0
        count += 1
    return count


@kernel
def _write(label: np.void, shadow: np.void, symbol: int, mid_px: float, fee_bps: float, filled: bool) -> None:
    side = shadow["side"]
    start_px = shadow["mid_px"]
    label["kind"], label["side"], label["filled"] = _SHADOW, side, 1 if filled else 0
    label["cause_seq"], label["cause_ts_ns"] = shadow["cause_seq"], shadow["joined_ts_ns"]
    label["symbol"], label["toxicity"], label["regime"] = symbol, shadow["toxicity"], shadow["regime"]
    label["mid_px"] = start_px
    label["move_bps"] = (mid_px - start_px) / start_px * 1e4
    label["predicted_edge_bps"] = shadow["predicted_edge_bps"]
    label["predicted_fill_prob"] = shadow["fill_prob"]
    label["depth_bps"] = shadow["depth_bps"]
    label["realized_as_bps"] = -side * label["move_bps"] if filled else 0.0
    captured_bps = side * (start_px - shadow["px"]) / start_px * 1e4
    label["realized_edge_bps"] = captured_bps - label["realized_as_bps"] - fee_bps if filled else 0.0
