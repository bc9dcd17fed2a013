"""The one vector that queue value and fill survival are asked with, in training and live.

An order on a side at a place is described by what the market looks like *from that side*: signed quantities
are multiplied by it, so that > 0 always favours the order (flow, book or lead pushing the price away from it
in its favour), "fillers" are the aggressors who would fill it and "own" depth is its own side of the book.
A bid in a market and an ask in its mirror image have the same inputs, so one model serves both sides.

    SNAPSHOT ─▶ write_state ─▶ inputs[PLACE_COUNT:]     once per side and decision
    price    ─▶ write_place ─▶ inputs[:PLACE_COUNT]     once per candidate

All are dimensionless or in bps and bounded; a SNAPSHOT with a number that is none gives NaN throughout, so
that a model has to look at one state input only.

References
----------
Side-mirrored inputs: Cont, Kukanov, Stoikov (2014) for order flow over depth; Moallemi, Yuan (2016) for the
place in the queue.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from mmpipe.enums import FeedState
from mmpipe.records import DEPTH_LEVELS, OFI_LAGS, SNAPSHOT
from ringbuf.jit import example, kernel

FEATURE_NAMES: Final = (
    # the place: written per candidate
    "depth_bps",  # distance from the mid, > 0 behind it
    "behind_bps",  # distance behind the touch, < 0 inside the spread
    "queue_rank",  # share of the level ahead, 0 front to 1 back
    "log_ahead_notional",  # ln(1 + quote units ahead / 1000)
    # the state: written per side
    "half_spread_bps",
    "imbalance",  # of the visible depth, -1 to 1
    "touch_imbalance",  # of the best levels, -1 to 1
    "microprice_bps",  # over the mid
    "ofi_500ms",  # over the mean quantity of the touch
    "ofi_2s",
    "mlofi_500ms",  # multi-level, over mean depth
    "mlofi_lag_1",
    "mlofi_lag_2",
    "mlofi_lag_3",
    "mlofi_lag_4",
    "run_length",  # of trades of one sign, capped
    "vwap_direction",  # -1 to 1
    "log_fillers_per_s",  # ln(1 + arrivals per s of the aggressors who would fill us)
    "log_others_per_s",
    "hawkes_asymmetry",  # -1 to 1
    "vpin",  # 0 to 1
    "sigma_ewma_bps",  # per root second
    "sigma_1m_bps",  # per root minute
    "toxic_fillers_prob",  # that who would fill us is informed
    "toxic_others_prob",
    "regime_quiet_prob",
    "regime_volatile_prob",
    "regime_cascade_prob",
    "lead_divergence_bps",  # 0 while the lead is not live
    "lead_freshness",  # exp(-age in s); 0 while the lead is not live
    "lead_imbalance",  # -1 to 1; 0 while the lead is not live
    "funding_bps",  # per 8 h, > 0: the side is paid
    "log_trades_in_2s",
    "log_own_depth",  # ln(1 + visible quote units on our side / 1000)
    "log_other_depth",
    "book_age_share",  # age of the touch over its contract, 0 to 1
)
INPUTS: Final = 36
PLACE_COUNT: Final = 4  # inputs of the place, first
DEPTH: Final = 0
BEHIND: Final = 1
RANK: Final = 2
AHEAD: Final = 3
HALF_SPREAD: Final = 4
FILLERS: Final = 17
SIGMA_1M: Final = 22
TOXIC_FILLERS: Final = 23

BPS_MAX: Final = 200.0
FLOW_MAX: Final = 50.0  # multiples of the touch
RUN_MAX: Final = 10.0
NOTIONAL_UNIT: Final = 1_000.0  # quote units
_LIVE: Final = int(FeedState.LIVE)
_LEVELS: Final = DEPTH_LEVELS
_LAGS: Final = OFI_LAGS
_OFI: Final = 8
_LAG_1: Final = 11

assert len(FEATURE_NAMES) == INPUTS
assert (FEATURE_NAMES[FILLERS], FEATURE_NAMES[SIGMA_1M]) == ("log_fillers_per_s", "sigma_1m_bps")
assert FEATURE_NAMES[TOXIC_FILLERS] == "toxic_fillers_prob"


def schema_hash(names: Sequence[str]) -> str:
    """Digest of input names in order: 16 hexadecimal digits; an artefact of other inputs is refused."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


@kernel
def write_inputs(
    out: np.ndarray, snapshots: np.ndarray, side: int, depth_bps: float, queue_rank: float, ahead_qty: float
) -> None:
    """All inputs of one order.

    Parameters
    ----------
    out : (INPUTS,) float64
        Written in whole, by FEATURE_NAMES; NaN throughout the state when a number of the SNAPSHOT is none.
    snapshots : (1,) SNAPSHOT
        The market at the moment of the decision; with a valid book.
    side : int
        Of the order, +1 bid, -1 ask.
    depth_bps : float
        Its distance from the mid, > 0 behind it.
    queue_rank : float
        Share of its level ahead of it, 0 to 1.
    ahead_qty : float
        Resting ahead of it, base units, >= 0.
    """
    snapshot = snapshots[0]
    write_state(out, snapshot, side)
    write_place(out, depth_bps, queue_rank, ahead_qty * snapshot["mid_px"])


@kernel
def write_all_inputs(
    out: np.ndarray, snapshots: np.ndarray, sides: np.ndarray, depths_bps: np.ndarray,
    queue_ranks: np.ndarray, ahead_qty: np.ndarray,
) -> None:  # fmt: skip
    """Inputs of many orders, each with the SNAPSHOT of its own moment.

    Parameters
    ----------
    out : (n, INPUTS) float64
        Written in whole.
    snapshots : (n,) SNAPSHOT
    sides : (n,) int64
    depths_bps, queue_ranks, ahead_qty : (n,) float64
        As for `write_inputs`.
    """
    for index in range(len(out)):
        write_inputs(
            out[index], snapshots[index : index + 1], sides[index], depths_bps[index], queue_ranks[index],
            ahead_qty[index],
        )  # fmt: skip


@kernel
def write_place(out: np.ndarray, depth_bps: float, queue_rank: float, ahead_notional: float) -> None:
    """The inputs that differ between candidates; the state must have been written before.

    Parameters
    ----------
    out : (INPUTS,) float64
        Its first PLACE_COUNT entries are written.
    depth_bps, queue_rank : float
        As for `write_inputs`.
    ahead_notional : float
        Resting ahead, quote units, >= 0.
    """
    out[DEPTH] = depth_bps
    out[BEHIND] = depth_bps - out[HALF_SPREAD]
    out[RANK] = queue_rank
    out[AHEAD] = _log1p(ahead_notional / NOTIONAL_UNIT) if ahead_notional >= 0.0 else np.nan


@kernel
def write_state(out: np.ndarray, snapshot: np.void, side: int) -> None:
    """The inputs that all places of a side share.

    Parameters
    ----------
    out : (INPUTS,) float64
        All but the first PLACE_COUNT entries are written.
    snapshot : SNAPSHOT record
    side : int
        +1 bid, -1 ask.
    """
    mid_px = snapshot["mid_px"]
    if not mid_px > 0.0:
        for index in range(PLACE_COUNT, INPUTS):
            out[index] = np.nan
        return
    own, other = snapshot["bid_depth_qty"], snapshot["ask_depth_qty"]
    fillers_per_s, others_per_s = snapshot["sell_intensity_per_s"], snapshot["buy_intensity_per_s"]
    toxic_fillers, toxic_others = snapshot["toxic_sell_prob"], snapshot["toxic_buy_prob"]
    if side < 0:
        own, other = other, own
        fillers_per_s, others_per_s = others_per_s, fillers_per_s
        toxic_fillers, toxic_others = toxic_others, toxic_fillers
    touch_qty = own[0] + other[0]
    own_qty, other_qty = 0.0, 0.0
    for level in range(_LEVELS):
        own_qty += own[level]
        other_qty += other[level]
    out[4] = snapshot["spread_bps"] / 2.0
    out[5] = side * snapshot["imbalance"]
    out[6] = (own[0] - other[0]) / touch_qty if touch_qty != 0.0 else 0.0
    out[7] = _within(side * (snapshot["microprice_px"] - mid_px) / mid_px * 1e4, BPS_MAX)
    over = 2.0 * side / touch_qty if touch_qty != 0.0 else 0.0
    out[_OFI] = _within(over * snapshot["ofi_500ms"], FLOW_MAX)
    out[9] = _within(over * snapshot["ofi_2s"], FLOW_MAX)
    out[10] = _within(side * snapshot["mlofi_500ms"], FLOW_MAX)
    for lag in range(_LAGS):
        out[_LAG_1 + lag] = _within(side * snapshot["mlofi_500ms_lags"][lag], FLOW_MAX)
    out[15] = _within(side * float(snapshot["trade_sign_run_length"]), RUN_MAX)
    out[16] = side * snapshot["vwap_direction"]
    out[FILLERS] = _log1p(fillers_per_s)
    out[18] = _log1p(others_per_s)
    out[19] = side * snapshot["hawkes_asymmetry"]
    out[20] = snapshot["vpin"]
    out[21] = snapshot["sigma_ewma_bps"]
    out[SIGMA_1M] = snapshot["sigma_1m_bps"]
    out[TOXIC_FILLERS], out[24] = toxic_fillers, toxic_others
    out[25], out[26] = snapshot["regime_probs"][0], snapshot["regime_probs"][2]
    out[27] = snapshot["regime_probs"][3]
    _write_slow(out, snapshot, side)
    out[33] = _log1p(own_qty * mid_px / NOTIONAL_UNIT)
    out[34] = _log1p(other_qty * mid_px / NOTIONAL_UNIT)
    _void_unless_finite(out)


@kernel
def _write_slow(out: np.ndarray, snapshot: np.void, side: int) -> None:
    out[28] = out[29] = out[30] = 0.0
    if int(snapshot["lead_feed"]) == _LIVE:
        out[28] = _within(side * snapshot["lead_divergence_bps"], BPS_MAX)
        out[29] = np.exp(-snapshot["lead_age_ns"] * 1e-9)
        out[30] = side * snapshot["lead_imbalance"]
    # Who is short is paid when funding is positive.
    out[31] = _within(-side * snapshot["funding_rate_8h"] * 1e4, BPS_MAX)
    out[32] = _log1p(float(snapshot["trades_in_2s"]))
    age_share = 0.0
    if snapshot["book_limit_ns"] > 0:
        age_share = min(snapshot["book_age_ns"] / snapshot["book_limit_ns"], 1.0)
    out[35] = age_share


@kernel
def _within(value: float, bound: float) -> float:
    # Not by min and max, which would turn NaN into the bound.
    if value > bound:
        return bound
    return -bound if value < -bound else value


@kernel
def _void_unless_finite(out: np.ndarray) -> None:
    total = 0.0
    for index in range(PLACE_COUNT, INPUTS):
        total += abs(out[index])
    if not total < np.inf:
        for index in range(PLACE_COUNT, INPUTS):
            out[index] = np.nan


@example(write_all_inputs)
def _write_all_inputs_example() -> tuple[object, ...]:
    one = np.zeros(1)
    return np.zeros((1, INPUTS)), np.zeros(1, SNAPSHOT), np.zeros(1, np.int64), one, one, one


@example(write_inputs)
def _write_inputs_example() -> tuple[object, ...]:
    return np.zeros(INPUTS), np.zeros(1, SNAPSHOT), 1, 0.0, 0.0, 0.0


@kernel
def _log1p(value: float) -> float:
    return np.log1p(value) if 0.0 <= value < np.inf else np.nan
