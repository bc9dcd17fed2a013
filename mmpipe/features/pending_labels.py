"""TIMER snapshots that wait one label horizon for the mid that scores the predictions made on them.

A ring per symbol, oldest first; a full ring loses its oldest. The mid is looked up at exactly the horizon
(`mid_path`), not taken from the first moment after it; where nobody could see it then, there is no label.
"""

from typing import Final

import numpy as np

from mmpipe.enums import LabelKind
from mmpipe.features.label_row import start_label
from mmpipe.features.mid_path import mid_at
from ringbuf.jit import kernel

PENDING_MAX: Final = 1024  # per symbol; a horizon of 10 s at a TIMER of 10 ms

PENDING = np.dtype(
    [
        ("ts_ns", "i8"),
        ("cause_seq", "i8"),  # SNAPSHOT.seq
        ("mid_px", "f8"),  # at the snapshot
        ("toxicity", "i8"),
        ("regime", "i8"),
    ],
    align=True,
)
QUEUE_ENDS = np.dtype([("head", "i8"), ("tail", "i8")], align=True)

_MID_MOVE: Final = int(LabelKind.MID_MOVE)


@kernel
def expect(ends: np.void, pending: np.ndarray, snapshot: np.void, seq: int) -> None:
    """One more SNAPSHOT waits for its label.

    Parameters
    ----------
    ends, pending : QUEUE_ENDS record, (PENDING_MAX,) PENDING
        Of its symbol, changed in place.
    snapshot : SNAPSHOT record
        With a valid book.
    seq : int
        Its sequence number.
    """
    if ends["head"] - ends["tail"] == len(pending):
        ends["tail"] += 1
    item = pending[ends["head"] % len(pending)]
    ends["head"] += 1
    item["ts_ns"], item["cause_seq"], item["mid_px"] = snapshot["ts_ns"], seq, snapshot["mid_px"]
    item["toxicity"], item["regime"] = snapshot["toxicity"], snapshot["regime"]


@kernel
def resolve(
    ends: np.void,
    pending: np.ndarray,
    path: np.void,
    seen: bool,
    ts_ns: int,
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
    path : MID_PATH record
        Of the symbol, known up to `ts_ns`.
    seen : bool
        The market is live: what is due now happened where it could be seen.
    ts_ns : int
        Now.
    horizon_ns : int
        Age at which a snapshot is judged.
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
        ends["tail"] += 1
        mid_px = mid_at(path, item["ts_ns"] + horizon_ns) if seen else 0.0
        if not mid_px > 0.0:
            continue
        label, start_px = labels[count], item["mid_px"]
        start_label(label, _MID_MOVE, symbol, 0, ts_ns)
        label["cause_seq"], label["cause_ts_ns"], label["horizon_ns"] = (
            item["cause_seq"],
            item["ts_ns"],
            horizon_ns,
        )
        label["toxicity"], label["regime"], label["mid_px"] = item["toxicity"], item["regime"], start_px
        label["move_bps"] = (mid_px - start_px) / start_px * 1e4
        count += 1
    return count
