"""Things that happened and wait one label horizon for the mid that says what they were worth.

Two kinds: TIMER snapshots, whose mid move scores predictions, and our own fills, whose markout is the
adverse selection we really suffered. A ring per symbol, oldest first; a full ring loses its oldest.
"""

from typing import Final

import numpy as np

from mmpipe.enums import LabelKind
from ringbuf.jit import kernel

PENDING_MAX: Final = 1024  # per symbol; a horizon of 10 s at a TIMER of 10 ms

PENDING = np.dtype(
    [
        ("ts_ns", "i8"),
        ("cause_seq", "i8"),  # SNAPSHOT.seq, or tid
        ("kind", "i8"),  # LabelKind
        ("side", "i8"),
        ("px", "f8"),  # of the fill
        ("mid_px", "f8"),  # at the snapshot, or at the decision of the fill
        ("fee_bps", "f8"),
        ("predicted_edge_bps", "f8"),
        ("toxicity", "i8"),
        ("regime", "i8"),
    ],
    align=True,
)
QUEUE_ENDS = np.dtype([("head", "i8"), ("tail", "i8")], align=True)

_MARKOUT: Final = int(LabelKind.FILL_MARKOUT)


@kernel
def append(ends: np.void, pending: np.ndarray) -> int:
    """Index of the slot for one more; the caller fills it in whole."""
    if ends["head"] - ends["tail"] == len(pending):
        ends["tail"] += 1
    index = ends["head"] % len(pending)
    ends["head"] += 1
    return index


@kernel
def resolve(
    ends: np.void,
    pending: np.ndarray,
    ts_ns: int,
    mid_px: float,
    horizon_ns: int,
    symbol: int,
    labels: np.ndarray,
    count: int,
) -> int:
    """Turn what is due into LABELs, oldest first.

    Parameters
    ----------
    ends, pending : QUEUE_ENDS record, (PENDING_MAX,) PENDING
        Of one symbol, changed in place.
    ts_ns : int
        Now.
    mid_px : float
        Of the maker, > 0.
    horizon_ns : int
        Age at which a thing is due.
    symbol : int
        Index for the label.
    labels : (n,) LABEL
        Written from `count` on; what finds no room waits.
    count : int
        Labels already in `labels`.

    Returns
    -------
    int
        Labels now in `labels`.
    """
    while ends["tail"] < ends["head"] and count < len(labels):
        item = pending[ends["tail"] % len(pending)]
        if ts_ns - item["ts_ns"] < horizon_ns:
            break
        label = labels[count]
        side, start_px = item["side"], item["mid_px"]
        label["ts_ns"], label["cause_seq"], label["cause_ts_ns"] = ts_ns, item["cause_seq"], item["ts_ns"]
        label["horizon_ns"] = ts_ns - item["ts_ns"]
        label["kind"], label["side"], label["symbol"] = item["kind"], side, symbol
        label["toxicity"], label["regime"], label["mid_px"] = item["toxicity"], item["regime"], start_px
        label["move_bps"] = (mid_px - start_px) / start_px * 1e4
        label["predicted_edge_bps"], label["predicted_fill_prob"] = item["predicted_edge_bps"], 0.0
        label["filled"], label["wait_ns"], label["depth_bps"] = 0, 0, 0.0
        label["realized_as_bps"], label["realized_edge_bps"] = 0.0, 0.0
        if item["kind"] == _MARKOUT:
            captured_bps = side * (start_px - item["px"]) / start_px * 1e4
            label["filled"], label["depth_bps"] = 1, captured_bps
            label["realized_as_bps"] = -side * label["move_bps"]
            label["realized_edge_bps"] = captured_bps - label["realized_as_bps"] - item["fee_bps"]
        ends["tail"] += 1
        count += 1
    return count
