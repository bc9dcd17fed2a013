"""Are the microprice and the regimes worth listening to: judged on the second part of a recording.

Both are running estimates, so the figures are those of the line itself. The microprice says where the mid
comes to rest: its squared error after REST_S against the mid's own and the mid's weighted by quantity. The
regime says how wildly the mid moves next: the log-likelihood of the move over the label horizon under a
mixture of one Student's t per state, weighted by the probabilities of the filter at the moment before, less
that of a single t. The width of each t is fitted to the first part alone.

References
----------
Stoikov, "The micro-price" (2018). Hamilton (1989). Lange, Little and Taylor, "Robust statistical modeling
using the t distribution" (1989), for the fit of its width.
"""

from math import lgamma
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import LabelKind, Trigger
from mmpipe.training import bootstrap, judge, metrics
from mmpipe.training.dataset import Capture, embargo_s, split_by_time
from mmpipe.training.judge import Report

REST_S: Final = 10.0  # after which the mid is taken to have come to rest
REST_BLOCK_S: Final = 20.0  # stretches that are resampled for it
GAP_S: Final = 1.0  # between two TIMERs beyond which nobody knows the mid
ROUNDS: Final = 50
SEEN_MIN: Final = 20.0  # moves a state must have held in the first part for a width of its own


def report_microprice(source: Capture, config: Config, seed: int) -> Report:
    """Skill of the microprice over the mid, and over the weighted mid, after REST_S."""
    rows = _timers(source)
    ts_ns = rows["ts_ns"].astype(np.int64)
    later = np.searchsorted(ts_ns, ts_ns + int(REST_S * NS_PER_S), side="right") - 1
    known = ts_ns[later] > ts_ns + int((REST_S - GAP_S) * NS_PER_S)
    known &= ts_ns + int(REST_S * NS_PER_S) <= ts_ns[-1]
    begin = source.span_ns[0], source.span_ns[1]
    test = known & split_by_time(ts_ns, ts_ns, begin, embargo_s(config)).test
    if test.sum() < judge.TEST_MIN:
        return judge.silent(f"{test.sum()} moments in the test part, {judge.TEST_MIN} are needed")
    mid_px, now = rows["mid_px"][test], rows[test]
    rest_bps = (rows["mid_px"][later[test]] / mid_px - 1.0) * 1e4
    bid_qty, ask_qty = now["bid_depth_qty"][:, 0], now["ask_depth_qty"][:, 0]
    weighted_px = (now["best_bid_px"] * ask_qty + now["best_ask_px"] * bid_qty) / (bid_qty + ask_qty)
    said_bps = (now["microprice_px"] / mid_px - 1.0) * 1e4
    rivals = {"mid": np.zeros(len(now)), "weighted_mid": (weighted_px / mid_px - 1.0) * 1e4}
    report: Report = {
        "n": len(now),
        "horizon_s": REST_S,
        "rank_corr": judge.rounded(metrics.rank_correlation(said_bps, rest_bps)),
        "rmse": judge.rounded(metrics.rmse(said_bps, rest_bps)),
        "rmse_of_nothing": judge.rounded(metrics.rmse(rivals["mid"], rest_bps)),
    }
    for name, rival in rivals.items():
        losses, base = (said_bps - rest_bps) ** 2, (rival - rest_bps) ** 2
        low_high = _interval(bootstrap.loss_skill_interval, ts_ns[test], losses, base, REST_BLOCK_S, seed)
        skill = judge.rounded(1.0 - float(losses.sum() / base.sum()) if base.sum() > 0.0 else np.nan)
        report[name] = {"skill": skill, "interval": low_high}
    return report


def report_regime(source: Capture, config: Config, seed: int) -> Report:
    """Log-likelihood per move, nats, that the regimes add to one Student's t; and how long they last."""
    labels = source.labels[source.labels["kind"] == LabelKind.MID_MOVE]
    labels = labels[(labels["symbol"] == 0) & np.isfinite(labels["move_bps"])]
    labels = labels[np.argsort(labels["cause_ts_ns"], kind="stable")]
    ts_ns, moves = labels["cause_ts_ns"].astype(np.int64), labels["move_bps"].astype(float)
    parts = split_by_time(ts_ns, ts_ns + labels["horizon_ns"], source.span_ns, embargo_s(config))
    if not min(parts.train.sum(), parts.test.sum()) >= judge.TEST_MIN or not (moves != 0.0).any():
        return judge.silent(f"{parts.test.sum()} moves in the test part, {judge.TEST_MIN} are needed")
    probs = source.snapshots_of(labels["cause_seq"])["regime_probs"]
    degrees, floor_bps = config.features.regime_tail_degrees, float(np.abs(moves[moves != 0.0]).min())
    single_bps = width_bps(moves[parts.train], np.ones(int(parts.train.sum())), degrees, floor_bps)
    widths = np.full(probs.shape[1], single_bps)
    for state in range(probs.shape[1]):
        weights = probs[parts.train, state]
        if weights.sum() >= SEEN_MIN:
            widths[state] = width_bps(moves[parts.train], weights, degrees, floor_bps)
    after, said = moves[parts.test], probs[parts.test]
    mixed = np.log(np.maximum(said, 1e-300)) + _log_t(after[:, None], widths, degrees)
    gains = np.logaddexp.reduce(mixed, axis=1) - _log_t(after, single_bps, degrees)
    low_high = _interval(bootstrap.gain_interval, ts_ns[parts.test], gains, None, judge.BLOCK_S, seed)
    regimes = _timers(source)
    regimes = regimes[regimes["ts_ns"] >= ts_ns[parts.test][0]]["regime"]
    spells = 1 + int((np.diff(regimes.astype(int)) != 0).sum())
    return {
        "n": len(after),
        "gain_nats": judge.rounded(float(gains.mean())),
        "interval": low_high,
        "widths_bps": [judge.rounded(float(width)) for width in widths],
        "single_bps": judge.rounded(single_bps),
        "dwell_s": judge.rounded(len(regimes) * config.feed.timer_ms / 1e3 / spells),
        "share": [judge.rounded(float((regimes == state).mean())) for state in range(probs.shape[1])],
    }


def width_bps(moves: np.ndarray, weights: np.ndarray, degrees: float, floor_bps: float) -> float:
    """Scale of a Student's t around 0 with given degrees of freedom, by weighted maximum likelihood.

    Parameters
    ----------
    moves, weights : ndarray of float64, shape (n,)
        bps; >= 0, not all 0.
    degrees : float
        > 0.
    floor_bps : float
        Least scale, > 0: a mid that stands still is finer than its grid.
    """
    width = max(float(np.sqrt(np.average(moves**2, weights=weights))), floor_bps)
    for _ in range(ROUNDS):
        pull = weights * (degrees + 1.0) / (degrees + (moves / width) ** 2)
        found = max(float(np.sqrt((pull * moves**2).sum() / weights.sum())), floor_bps)
        if abs(found / width - 1.0) < 1e-9:
            break
        width = found
    return width


def _timers(source: Capture) -> np.ndarray:
    rows = source.snapshots
    return rows[(rows["trigger"] == Trigger.TIMER) & (rows["symbol"] == 0) & (rows["mid_px"] > 0.0)]


def _log_t(moves: np.ndarray, widths: np.ndarray | float, degrees: float) -> np.ndarray:
    constant = lgamma((degrees + 1.0) / 2.0) - lgamma(degrees / 2.0) - 0.5 * np.log(degrees * np.pi)
    square = (moves / widths) ** 2
    logs: np.ndarray = constant - np.log(widths) - 0.5 * (degrees + 1.0) * np.log1p(square / degrees)
    return logs


def _interval(
    of: object, ts_ns: np.ndarray, first: np.ndarray, second: np.ndarray | None, block_s: float, seed: int
) -> list[float | None] | None:
    assert callable(of), "an interval of bootstrap"
    series = (first,) if second is None else (first, second)
    try:
        low, high = of(ts_ns, *series, block_s, np.random.default_rng(seed))
    except ValueError:
        return None
    return [judge.rounded(low), judge.rounded(high)] if np.isfinite([low, high]).all() else None
