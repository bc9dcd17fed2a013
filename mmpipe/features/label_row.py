"""How every LABEL begins, and what was known of a quote when it joined, carried from record to record."""

import numpy as np

from ringbuf.jit import kernel


@kernel
def start_label(label: np.void, kind: int, symbol: int, side: int, ts_ns: int) -> None:
    """Set kind, symbol, side and time of a LABEL and zero everything else but `seq`: rows are used again.

    Parameters
    ----------
    label : LABEL record
        Overwritten.
    kind, symbol, side : int
        LabelKind, index, +1 bid, -1 ask, 0 none.
    ts_ns : int
        When the label resolved.
    """
    label["ts_ns"], label["kind"], label["symbol"], label["side"] = ts_ns, kind, symbol, side
    label["cause_seq"] = label["cause_ts_ns"] = label["horizon_ns"] = label["wait_ns"] = 0
    label["mid_px"] = label["move_bps"] = label["realized_edge_bps"] = label["realized_as_bps"] = 0.0
    label["predicted_edge_bps"] = label["predicted_std_bps"] = label["predicted_fill_prob"] = 0.0
    label["fill_factor"] = label["expected_fills"] = 0.0
    label["depth_bps"] = label["queue_rank"] = label["ahead_qty"] = 0.0
    label["markouts_bps"][:] = 0.0
    label["filled"] = label["toxicity"] = label["regime"] = label["outcome"] = label["level"] = 0


@kernel
def carry_join(to: np.void, source: np.void) -> None:
    """Carry what was known at a join: from a virtual quote to its fill, and from either to a LABEL.

    Parameters
    ----------
    to, source : SHADOW, FILL or LABEL record
        Place in the queue, market and predictions of `source` are written to `to`.
    """
    to["level"], to["toxicity"], to["regime"] = source["level"], source["toxicity"], source["regime"]
    to["mid_px"], to["depth_bps"] = source["mid_px"], source["depth_bps"]
    to["queue_rank"], to["ahead_qty"] = source["queue_rank"], source["ahead_qty"]
    to["predicted_edge_bps"], to["predicted_std_bps"] = (
        source["predicted_edge_bps"],
        source["predicted_std_bps"],
    )
    to["predicted_fill_prob"], to["fill_factor"] = source["predicted_fill_prob"], source["fill_factor"]
