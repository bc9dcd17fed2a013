"""From what the lead did to an expected move of the maker, from the first divergence on.

The divergence of the two is taken apart by who made it:

    lead part    the lead moved and the maker has not followed: this predicts
    maker part   the maker left the lead: that does not (measured: it goes on as often as it comes back)

    size  = lead part * (c + (1 - c) q^2 / (q^2 + noise^2))
    alpha = beta * size * freshness

q is the lead part and c what the CUSUM bank has heard in its direction, as a share of an alarm: the first
sign counts a little, a confirmed change whole, and no threshold has to be passed first. A maker that leaves
the lead by more than it usually does is another market (a flash crash): its part is doubt. beta is tracked
by a Kalman filter around the learned one. freshness fades linearly to 0 with the age of the lead's quote,
and is 0 for a divergence beyond DIVERGENCE_MAX_BPS.

References
----------
Huth, Abergel, "High frequency lead/lag relationships", Journal of Empirical Finance 2014, for leaders and
followers; Kelly's shrinkage q^2 / (q^2 + noise^2): Baker, McHale 2013.
"""

from typing import Final

import numpy as np

from mmpipe.alpha import changepoint, follow_lag
from mmpipe.alpha.changepoint import BANK
from mmpipe.alpha.follow_lag import LAG
from mmpipe.enums import FeedState
from ringbuf.jit import kernel

_LIVE: Final = int(FeedState.LIVE)
DIVERGENCE_MAX_BPS: Final = 100.0  # more is another market, not a signal
USUAL_LAG_MS: Final = 200.0  # what a maker takes to follow, before it was seen to
CHANGE_AGE_MAX_NS: Final = 5_000_000_000  # a change that was not followed by then will not be
CLOSED_SHARE: Final = 0.25  # of a change left to follow: it is over
LEAVING_SD: Final = 4.0  # of the maker's own moves at which half of its part is doubt
_LN2: Final = 0.6931471805599453

SPREAD = np.dtype(
    [
        ("lead_px", "f8"),  # 0: nothing seen
        ("mid_px", "f8"),
        ("ts_ns", "i8"),
        ("lead_part_bps", "f8"),
        ("maker_part_bps", "f8"),
        ("maker_noise_sq", "f8"),  # mean square of the maker's own moves, bps^2
        ("maker_moves", "i8"),
        ("change_bps", "f8"),  # under way; 0: none
        ("change_ts_ns", "i8"),
        ("size_bps", "f8"),  # of the divergence as it is believed
        ("doubt_bps", "f8"),  # of it that is not
        ("fresh", "f8"),
        ("bank", BANK),
        ("lag", LAG),
    ],
    align=True,
)


@kernel
def freshness(snapshot: np.void, divergence_bps: float, age_max_ms: float) -> float:
    """Share of the lead's signal that is still worth something, 0 (not live, too old) to 1."""
    if int(snapshot["lead_feed"]) != _LIVE or not (snapshot["lead_mid_px"] > 0.0):
        return 0.0
    if not (abs(divergence_bps) <= DIVERGENCE_MAX_BPS):
        return 0.0
    return max(1.0 - snapshot["lead_age_ns"] / (age_max_ms * 1e6), 0.0)


@kernel
def observe(
    spread: np.void, snapshot: np.void, divergence_bps: float, thresholds: np.ndarray, age_max_ms: float,
    halflife_s: float,
) -> None:  # fmt: skip
    """Take one snapshot; every one, for a move of the lead may be in none of the others.

    Parameters
    ----------
    spread : SPREAD record
        Changed in place.
    snapshot : SNAPSHOT record
        Of its symbol, in order.
    divergence_bps : float
        Lead over maker beyond the slow level, bps.
    thresholds : (SCALES,) float64
        Of the CUSUM bank.
    age_max_ms : float
        Age at which the lead's quote says nothing any more.
    halflife_s : float
        In which the slow level takes over half of a difference.
    """
    spread["fresh"] = freshness(snapshot, divergence_bps, age_max_ms)
    lead_px, mid_px, ts_ns = snapshot["lead_mid_px"], snapshot["mid_px"], snapshot["ts_ns"]
    if spread["fresh"] == 0.0 or not (mid_px > 0.0 and snapshot["book_valid"] == 1):
        _forget(spread, divergence_bps)
        return
    follow_lag.observe(spread["lag"], lead_px, mid_px, ts_ns, USUAL_LAG_MS)
    if spread["lead_px"] > 0.0:
        keep = np.exp(-_LN2 * (ts_ns - spread["ts_ns"]) * 1e-9 / halflife_s)
        spread["lead_part_bps"] *= keep
        spread["maker_part_bps"] *= keep
        if lead_px != spread["lead_px"]:
            _on_lead_move(spread, (lead_px - spread["lead_px"]) / spread["lead_px"] * 1e4, ts_ns, thresholds)
        if mid_px != spread["mid_px"]:
            _on_maker_move(spread, (mid_px - spread["mid_px"]) / spread["mid_px"] * 1e4)
    else:
        spread["lead_part_bps"] = (
            divergence_bps  # nobody saw who made the first one: leading is a lead's trade
        )
    spread["maker_part_bps"] = divergence_bps - spread["lead_part_bps"]  # the slow level moves too
    spread["lead_px"], spread["mid_px"], spread["ts_ns"] = lead_px, mid_px, ts_ns
    _end_change(spread, ts_ns)
    _believe(spread, thresholds)


@kernel
def _forget(spread: np.void, divergence_bps: float) -> None:
    spread["lead_px"] = spread["mid_px"] = 0.0
    spread["lead_part_bps"] = spread["maker_part_bps"] = 0.0
    spread["change_bps"] = spread["size_bps"] = 0.0
    # Beyond all bounds the two are not one market: how far apart they are is not known to be nothing.
    spread["doubt_bps"] = abs(divergence_bps) if abs(divergence_bps) > DIVERGENCE_MAX_BPS else 0.0
    spread["lag"]["cell"] = 0
    changepoint.reset(spread["bank"])


@kernel
def _on_lead_move(spread: np.void, move_bps: float, ts_ns: int, thresholds: np.ndarray) -> None:
    closing = _closing(spread["maker_part_bps"], move_bps)
    spread["maker_part_bps"] += closing
    spread["lead_part_bps"] += move_bps - closing
    bank = spread["bank"]
    size_bps = changepoint.observe(bank, changepoint.standardise(bank, move_bps), move_bps, thresholds)
    if size_bps != 0.0:
        spread["change_bps"], spread["change_ts_ns"] = size_bps, ts_ns


@kernel
def _on_maker_move(spread: np.void, move_bps: float) -> None:
    closing = _closing(spread["lead_part_bps"], -move_bps)
    spread["lead_part_bps"] += closing
    own_bps = -move_bps - closing
    spread["maker_part_bps"] += own_bps
    if own_bps == 0.0:
        return  # it only followed
    spread["maker_moves"] += 1
    weight = 1.0 / min(float(spread["maker_moves"]), changepoint.NOISE_OBSERVATIONS)
    square, mean_sq = own_bps * own_bps, spread["maker_noise_sq"]
    if spread["maker_moves"] > changepoint.OBSERVATIONS_MIN and mean_sq > 0.0:
        square = min(square, changepoint.WINSOR * changepoint.WINSOR * mean_sq)
    spread["maker_noise_sq"] += weight * (square - mean_sq)


@kernel
def _closing(part_bps: float, change_bps: float) -> float:
    # What of a change of the divergence takes back a part of it.
    if part_bps * change_bps >= 0.0:
        return 0.0
    return change_bps if abs(change_bps) < abs(part_bps) else -part_bps


@kernel
def _end_change(spread: np.void, ts_ns: int) -> None:
    change_bps = spread["change_bps"]
    if change_bps == 0.0:
        return
    left = spread["lead_part_bps"] / change_bps
    if not left > CLOSED_SHARE or ts_ns - spread["change_ts_ns"] > CHANGE_AGE_MAX_NS:
        spread["change_bps"] = 0.0


@kernel
def _believe(spread: np.void, thresholds: np.ndarray) -> None:
    lead_bps, maker_bps, bank = spread["lead_part_bps"], spread["maker_part_bps"], spread["bank"]
    heard = 1.0
    if spread["change_bps"] == 0.0:
        heard = changepoint.evidence(bank, 1 if lead_bps > 0.0 else -1, thresholds)
    square = lead_bps * lead_bps
    share = square / (square + bank["noise_sq"]) if square > 0.0 else 0.0
    ratio_sq = 0.0
    if spread["maker_moves"] >= changepoint.OBSERVATIONS_MIN and spread["maker_noise_sq"] > 0.0:
        ratio_sq = maker_bps * maker_bps / (LEAVING_SD * LEAVING_SD * spread["maker_noise_sq"])
    spread["size_bps"] = lead_bps * (heard + (1.0 - heard) * share)
    spread["doubt_bps"] = abs(maker_bps) * ratio_sq / (1.0 + ratio_sq)
