"""Slow things beside the lead: the level of the spread between the venues, and funding.

    level      means over PERIOD_S of lead over maker, judged by `run_length`: after a change the new level is
               the mean since then, while an exponential mean would call it a divergence for minutes. A
               period is longer than a trend in which the maker lags: that is a divergence, not a level
    stat-arb   the level around its own long mean, an Ornstein-Uhlenbeck process: what it is expected to
               close over the horizon, half of it by the maker, once it is beyond one standard deviation
    funding    the rate beyond its slow level; what it is worth is tracked

References
----------
Avellaneda, Lee, "Statistical arbitrage in the US equities market", Quantitative Finance 2010, section 4,
for the z-score of a mean-reverting spread.
"""

from typing import Final

import numpy as np

from mmpipe.alpha import run_length
from mmpipe.alpha.run_length import LEVEL
from mmpipe.enums import FeedState
from ringbuf.jit import kernel

PERIOD_S: Final = 5.0
PERIOD_NS: Final = 5_000_000_000
LONG_PERIODS: Final = 120.0  # over which the long mean and the reversion are averaged
NOISE_PERIODS: Final = 24.0
EVIDENCE_PERIODS: Final = 24  # before which a reversion is not believed
SINCE_CHANGE_MIN: Final = 3  # periods before a new level is known
HALFLIVES_KNOWN: Final = 4.0  # after so many the exponential mean knows the level as well
FUNDING_HALFLIFE_S: Final = 3600.0
MAKER_SHARE: Final = 0.5  # of a closing spread: which venue moves is not known
LEVEL_PRIOR_KAPPA: Final = 0.05  # periods that the guess of a new level is worth
LEVEL_PRIOR_SHAPE: Final = 2.0
NOISE_SQ_MIN: Final = 1e-4  # bps^2; two venues that agree to the last digit still are two
_LN2: Final = 0.6931471805599453
_LIVE: Final = int(FeedState.LIVE)

SLOW = np.dtype(
    [
        ("sum_bps", "f8"),  # lead over maker in this period
        ("samples", "i8"),
        ("due_ts_ns", "i8"),  # end of the period; 0: none begun
        ("periods", "i8"),  # observed
        ("last_bps", "f8"),
        ("noise_sq", "f8"),  # half the mean squared difference of two periods, bps^2
        ("long_bps", "f8"),  # long mean of the level
        ("square", "f8"),  # of the level around it
        ("product", "f8"),  # … of one period with the next
        ("funding_slow", "f8"),  # fraction per 8 h
        ("funding_ts_ns", "i8"),  # 0: none seen
        ("level", LEVEL),
    ],
    align=True,
)


@kernel
def on_timer(slow: np.void, snapshot: np.void, prior: np.void, level_run_s: float) -> None:
    """Take a TIMER snapshot.

    Parameters
    ----------
    slow : SLOW record
        Changed in place.
    snapshot : SNAPSHOT record
        Read.
    prior : PRIOR record
        Scratch.
    level_run_s : float
        Seconds a level is expected to last.
    """
    _take_funding(slow, snapshot["funding_rate_8h"], snapshot["ts_ns"])
    lead_px, mid_px = snapshot["lead_mid_px"], snapshot["mid_px"]
    if int(snapshot["lead_feed"]) != _LIVE or not (lead_px > 0.0 and mid_px > 0.0):
        return
    slow["sum_bps"] += (lead_px - mid_px) / mid_px * 1e4
    slow["samples"] += 1
    if snapshot["ts_ns"] < slow["due_ts_ns"]:
        return
    x_bps = slow["sum_bps"] / slow["samples"]
    slow["sum_bps"], slow["samples"] = 0.0, 0
    slow["due_ts_ns"] = snapshot["ts_ns"] + PERIOD_NS
    _take_period(slow, x_bps)
    prior["hazard"] = PERIOD_S / level_run_s
    prior["mean"], prior["kappa"], prior["shape"] = slow["long_bps"], LEVEL_PRIOR_KAPPA, LEVEL_PRIOR_SHAPE
    prior["scale"] = LEVEL_PRIOR_SHAPE * max(slow["noise_sq"], NOISE_SQ_MIN)
    run_length.observe(slow["level"], x_bps, prior)


@kernel
def _take_period(slow: np.void, x_bps: float) -> None:
    slow["periods"] += 1
    weight = 1.0 / min(float(slow["periods"]), LONG_PERIODS)
    if slow["periods"] > 1:
        change_bps = x_bps - slow["last_bps"]
        away_bps, before_bps = x_bps - slow["long_bps"], slow["last_bps"] - slow["long_bps"]
        slow["noise_sq"] += max(weight, 1.0 / NOISE_PERIODS) * (
            0.5 * change_bps * change_bps - slow["noise_sq"]
        )
        slow["square"] += weight * (before_bps * before_bps - slow["square"])
        slow["product"] += weight * (away_bps * before_bps - slow["product"])
    slow["long_bps"] += weight * (x_bps - slow["long_bps"])
    slow["last_bps"] = x_bps


@kernel
def _take_funding(slow: np.void, rate_8h: float, ts_ns: int) -> None:
    if slow["funding_ts_ns"] == 0:
        slow["funding_slow"] = rate_8h
    else:
        keep = np.exp(-_LN2 * (ts_ns - slow["funding_ts_ns"]) * 1e-9 / FUNDING_HALFLIFE_S)
        slow["funding_slow"] = rate_8h + keep * (slow["funding_slow"] - rate_8h)
    slow["funding_ts_ns"] = ts_ns


@kernel
def divergence_bps(slow: np.void, snapshot: np.void, basis_halflife_s: float) -> float:
    """Lead over maker beyond the slow level: the snapshot's own, or by the new level after a change.

    Parameters
    ----------
    slow : SLOW record
        Read.
    snapshot : SNAPSHOT record
        Read.
    basis_halflife_s : float
        Of the exponential mean behind the snapshot's divergence.
    """
    level = slow["level"]
    age = run_length.age_of(level)
    known = age >= SINCE_CHANGE_MIN and age * PERIOD_S < HALFLIVES_KNOWN * basis_halflife_s
    if level["changes"] == 0 or not (known and snapshot["lead_mid_px"] > 0.0 and snapshot["mid_px"] > 0.0):
        return snapshot["lead_divergence_bps"]
    raw_bps = (snapshot["lead_mid_px"] - snapshot["mid_px"]) / snapshot["mid_px"] * 1e4
    return raw_bps - run_length.mean_of(level)


@kernel
def reversion_bps(slow: np.void, horizon_s: float) -> float:
    """Move of the maker over the horizon by which the spread returns to its long mean, bps."""
    if not (slow["periods"] >= EVIDENCE_PERIODS and slow["square"] > 0.0):
        return 0.0
    away_bps = slow["last_bps"] - slow["long_bps"]
    if not away_bps * away_bps >= slow["square"]:
        return 0.0  # within one standard deviation: noise
    kept = min(max(slow["product"] / slow["square"], 0.0), 1.0)
    return MAKER_SHARE * (1.0 - kept ** (horizon_s / PERIOD_S)) * away_bps


@kernel
def funding_excess_bps(slow: np.void, snapshot: np.void) -> float:
    """Funding beyond its slow level, bps per 8 h; > 0: longs pay more than usual."""
    if slow["funding_ts_ns"] == 0:
        return 0.0
    return (snapshot["funding_rate_8h"] - slow["funding_slow"]) * 1e4
