"""The level of the spread after a change, its return to the mean, and funding beyond the usual."""

import numpy as np
import pytest

from mmpipe.alpha import cross_asset
from mmpipe.alpha.cross_asset import MAKER_SHARE, PERIOD_S, SLOW
from mmpipe.alpha.run_length import PRIOR
from mmpipe.enums import FeedState
from tests.mmpipe.alpha.snapshots import S, snapshot

BASIS_S = 30.0


def seen(levels_bps: np.ndarray, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, float]:
    """A slow state after one level per period, five timers each; and the exponential mean of features."""
    rng, slow, prior, basis = np.random.default_rng(seed), np.zeros(1, SLOW), np.zeros(1, PRIOR), 0.0
    for second in range(5 * len(levels_bps)):
        raw = levels_bps[second // 5] + noise * rng.normal()
        basis = raw if second == 0 else basis + (1 - 0.5 ** (1.0 / BASIS_S)) * (raw - basis)
        cross_asset.on_timer(slow[0], at(raw, S + second * S)[0], prior[0], 600.0)
    return slow, basis


def at(raw_bps: float, ts_ns: int = 0, **fields: float) -> np.ndarray:
    return snapshot(ts_ns=ts_ns, lead_mid_px=100_000.0 * (1.0 + raw_bps * 1e-4), **fields)


def test_a_new_level_is_no_divergence_for_long() -> None:
    slow, basis = seen(np.concatenate([np.full(60, 1.0), np.full(5, 9.0)]))
    row = at(9.0, lead_divergence_bps=9.0 - basis)
    assert 9.0 - basis > 4.0  # what the exponential mean still calls a divergence
    assert cross_asset.divergence_bps(slow[0], row[0], BASIS_S) == pytest.approx(0.0, abs=0.5)
    # … and a real one on top of the new level is seen whole.
    row = at(14.0, lead_divergence_bps=14.0 - basis)
    assert cross_asset.divergence_bps(slow[0], row[0], BASIS_S) == pytest.approx(5.0, abs=0.5)


def test_without_a_change_the_divergence_is_the_snapshots_own() -> None:
    slow, _ = seen(np.full(60, 1.0))
    assert cross_asset.divergence_bps(slow[0], at(4.0, lead_divergence_bps=3.0)[0], BASIS_S) == 3.0
    assert (
        cross_asset.divergence_bps(np.zeros(1, SLOW)[0], at(4.0, lead_divergence_bps=3.0)[0], BASIS_S) == 3.0
    )


def test_reversion_is_that_of_the_process() -> None:
    # Ornstein-Uhlenbeck with a coefficient of 0.8 per period: over two periods it closes 1 - 0.64.
    rng, level = np.random.default_rng(2), np.zeros(900)
    for period in range(1, len(level)):
        level[period] = 0.8 * level[period - 1] + rng.normal()
    slow, _ = seen(level, noise=0.0)
    slow["last_bps"] = slow["long_bps"] + 6.0
    expected = MAKER_SHARE * (1.0 - 0.64) * 6.0
    assert cross_asset.reversion_bps(slow[0], 2 * PERIOD_S) == pytest.approx(expected, rel=0.25)
    slow["last_bps"] = slow["long_bps"] + 0.5 * np.sqrt(slow["square"])
    assert cross_asset.reversion_bps(slow[0], 2 * PERIOD_S) == 0.0


def test_little_evidence_reverts_to_nothing() -> None:
    slow, _ = seen(np.array([0.0, 5.0] * 10))
    assert cross_asset.reversion_bps(slow[0], 1.0) == 0.0


def test_a_lead_that_is_not_live_is_not_a_level() -> None:
    slow, prior = np.zeros(1, SLOW), np.zeros(1, PRIOR)
    for fields in ({"lead_feed": int(FeedState.STALE)}, {"lead_mid_px": 0.0}, {"mid_px": 0.0}):
        cross_asset.on_timer(slow[0], snapshot(ts_ns=S, **fields)[0], prior[0], 600.0)
    assert slow["periods"][0] == slow["samples"][0] == 0


def test_funding_counts_beyond_its_slow_level() -> None:
    slow, prior = np.zeros(1, SLOW), np.zeros(1, PRIOR)
    usual = at(0.0, S, funding_rate_8h=1e-4)
    assert cross_asset.funding_excess_bps(slow[0], usual[0]) == 0.0
    cross_asset.on_timer(slow[0], usual[0], prior[0], 600.0)
    dear = at(0.0, 2 * S, funding_rate_8h=4e-4)
    assert cross_asset.funding_excess_bps(slow[0], dear[0]) == pytest.approx(3.0)
    for hour in range(1, 25):
        late = at(0.0, hour * 3600 * S, funding_rate_8h=4e-4)
        cross_asset.on_timer(slow[0], late[0], prior[0], 600.0)
    assert cross_asset.funding_excess_bps(slow[0], dear[0]) == pytest.approx(0.0, abs=1e-5)
