"""Fills, of virtual quotes and our own, that wait for the mids which say what they were worth.

    filled ─┬─ mid just before ── 0.1 ─ 0.5 ─ 1 ─ 3 ─ 5 ─ 10 ─ 30 ─ 60 s ─▶ SHADOW_MARKOUTS, FILL_MARKOUTS
            └─ label horizon ─▶ SHADOW_QUOTE, FILL_MARKOUT        └─ edge horizon

Each mid is looked up at exactly its moment as soon as that has passed, so that no storm of changes in
between can take it away. What a fill was worth needs two starts, which are not the same mid:

    edge        side x (mid at the horizon - price), over the mid of the decision: what the spread captured
                then, plus the whole move since, less the fee
    markouts    side x the mid's move since just before the fill was seen: what who filled us knew, and did

Judging both by the mid at the fill would make an edge that is the fee by construction. A mid nobody could see
is NaN in the label, and a horizon that was not reached, or not seen, is 0. A ring per symbol, oldest first;
a full one loses its oldest and counts it.

References
----------
Requirement incident H3: spread and adverse selection measured from one mid cancel out.
"""

from typing import Final

import numpy as np

from mmpipe.enums import LabelKind, Outcome
from mmpipe.features.label_row import carry_join, start_label
from mmpipe.features.mid_path import mid_at
from mmpipe.records import MARKOUT_HORIZONS_S, MARKOUTS
from ringbuf.jit import kernel

FILLS_MAX: Final = 2048  # per symbol; a minute of six virtual quotes each 200 ms, all filled
HORIZONS_NS: Final = tuple(round(horizon_s * 1e9) for horizon_s in MARKOUT_HORIZONS_S)
# Moments a fill is looked at: those of MARKOUT_HORIZONS_S, then these.
LAST: Final = 7  # the longest of MARKOUT_HORIZONS_S; then the fill is done with
JUDGED: Final = 8  # label horizon
EDGE: Final = 9  # edge horizon
FILLED: Final = 10  # just before the fill: a trade and the quotes it leaves behind are seen together
MOMENTS: Final = 11

FILL = np.dtype(
    [
        ("filled_ts_ns", "i8"),
        ("decided_ts_ns", "i8"),  # join of a virtual quote; of our own order not known: the fill
        ("cause_seq", "i8"),  # SNAPSHOT.seq of the join, or tid
        ("virtual", "i8"),  # 1: never sent
        ("side", "i8"),
        ("level", "i8"),  # steps before the best at the join
        ("toxicity", "i8"),  # at the join, or at the fill of our own
        ("regime", "i8"),
        ("mid_px", "f8"),  # at the decision
        ("depth_bps", "f8"),  # spread captured: side x (mid at the decision - price), over that mid
        ("fee_bps", "f8"),
        ("queue_rank", "f8"),
        ("ahead_qty", "f8"),
        ("predicted_edge_bps", "f8"),
        ("predicted_std_bps", "f8"),
        ("predicted_fill_prob", "f8"),
        ("fill_factor", "f8"),
        ("mids_px", "f8", (MOMENTS,)),  # by moment; 0: not yet, or not seen
    ],
    align=True,
)
FILL_ENDS = np.dtype(
    [
        ("head", "i8"),  # fills ever
        ("next", "i8", (MOMENTS,)),  # by moment, the first fill not looked at then
        ("lost", "i8"),  # dropped for want of room
    ],
    align=True,
)

_SHADOW: Final = int(LabelKind.SHADOW_QUOTE)
_OWN: Final = int(LabelKind.FILL_MARKOUT)
_SHADOW_MARKOUTS: Final = int(LabelKind.SHADOW_MARKOUTS)
_OWN_MARKOUTS: Final = int(LabelKind.FILL_MARKOUTS)
_FILLED: Final = int(Outcome.FILLED)

assert MARKOUTS == LAST + 1
assert HORIZONS_NS[LAST] == max(HORIZONS_NS)


@kernel
def append(ends: np.void, fills: np.ndarray) -> int:
    """Index of the slot for one more fill; its mids are cleared, the caller fills in the rest."""
    if ends["head"] - ends["next"][LAST] == len(fills):
        ends["lost"] += 1
        for moment in range(MOMENTS):
            ends["next"][moment] = max(ends["next"][moment], ends["head"] - len(fills) + 1)
    index = ends["head"] % len(fills)
    ends["head"] += 1
    fills[index]["mids_px"][:] = 0.0
    return index


@kernel
def resolve(
    ends: np.void,
    fills: np.ndarray,
    path: np.void,
    seen: bool,
    ts_ns: int,
    horizons_ns: tuple[int, int],
    symbol: int,
    labels: np.ndarray,
    count: int,
) -> int:
    """Look up the mids that are due, and turn what is complete into LABELs.

    Parameters
    ----------
    ends, fills : FILL_ENDS record, (FILLS_MAX,) FILL
        Of one symbol, changed in place.
    path : MID_PATH record
        Of the symbol, known up to `ts_ns`.
    seen : bool
        The market is live: what is due now happened where it could be seen.
    ts_ns : int
        Now.
    horizons_ns : (int, int)
        Label horizon and edge horizon; neither beyond the longest of MARKOUT_HORIZONS_S.
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
    for moment in range(MOMENTS):
        while moment != LAST and moment != JUDGED and ends["next"][moment] < ends["head"]:
            fill = fills[ends["next"][moment] % len(fills)]
            if not _look(fill, path, seen, ts_ns, moment, horizons_ns):
                break
            ends["next"][moment] += 1
    # These two write, and the last one lets go of the fill: the other moments are behind them.
    for moment in (JUDGED, LAST):
        while ends["next"][moment] < ends["head"] and count < len(labels):
            fill = fills[ends["next"][moment] % len(fills)]
            if not _look(fill, path, seen, ts_ns, moment, horizons_ns):
                break
            _write(labels[count], fill, symbol, ts_ns, moment, horizons_ns)
            ends["next"][moment] += 1
            count += 1
    return count


@kernel
def finish(
    ends: np.void,
    fills: np.ndarray,
    ts_ns: int,
    horizons_ns: tuple[int, int],
    symbol: int,
    labels: np.ndarray,
    count: int,
) -> int:
    """Nothing more will come: label what still waits, NaN where its horizon was not reached.

    Parameters
    ----------
    ends, fills, ts_ns, horizons_ns, symbol, labels, count
        As of `resolve`, which has been called for the same `ts_ns`.

    Returns
    -------
    int
        Labels now in `labels`; when they are full, fills may still wait for the next call.
    """
    while ends["next"][LAST] < ends["head"] and count < len(labels):
        fill = fills[ends["next"][LAST] % len(fills)]
        _write(labels[count], fill, symbol, ts_ns, LAST, horizons_ns)
        count += 1
        done = ends["next"][LAST] + 1
        for moment in range(MOMENTS):
            ends["next"][moment] = max(ends["next"][moment], done)
    return count


@kernel
def _look(
    fill: np.void, path: np.void, seen: bool, ts_ns: int, moment: int, horizons_ns: tuple[int, int]
) -> bool:
    # False while the moment has not come.
    at_ns = fill["filled_ts_ns"] + _horizon_ns(moment, horizons_ns)
    if at_ns > ts_ns:
        return False
    fill["mids_px"][moment] = mid_at(path, at_ns) if seen else 0.0
    return True


@kernel
def _horizon_ns(moment: int, horizons_ns: tuple[int, int]) -> int:
    if moment <= LAST:
        return HORIZONS_NS[moment]
    if moment == JUDGED:
        return horizons_ns[0]
    return horizons_ns[1] if moment == EDGE else -1


@kernel
def _write(
    label: np.void, fill: np.void, symbol: int, ts_ns: int, moment: int, horizons_ns: tuple[int, int]
) -> None:
    virtual, side, start_px = fill["virtual"] == 1, fill["side"], fill["mid_px"]
    if moment == JUDGED:
        kind, end = _SHADOW if virtual else _OWN, JUDGED
    else:
        kind, end = _SHADOW_MARKOUTS if virtual else _OWN_MARKOUTS, EDGE
    start_label(label, kind, symbol, side, ts_ns)
    label["cause_seq"], label["cause_ts_ns"] = fill["cause_seq"], fill["decided_ts_ns"]
    label["wait_ns"] = fill["filled_ts_ns"] - fill["decided_ts_ns"]
    label["filled"], label["outcome"] = 1, _FILLED
    carry_join(label, fill)
    end_px, move_bps = fill["mids_px"][end], np.nan
    if end_px > 0.0:
        move_bps = (end_px - start_px) / start_px * 1e4
        label["horizon_ns"] = _horizon_ns(end, horizons_ns)
    label["move_bps"] = move_bps
    label["realized_as_bps"] = -side * move_bps
    label["realized_edge_bps"] = fill["depth_bps"] + side * move_bps - fill["fee_bps"]
    if moment == JUDGED:
        return
    fill_px = fill["mids_px"][FILLED]
    for index in range(MARKOUTS):
        later_px, markout_bps = fill["mids_px"][index], np.nan
        if fill_px > 0.0 and later_px > 0.0:
            markout_bps = side * (later_px - fill_px) / fill_px * 1e4
        label["markouts_bps"][index] = markout_bps
