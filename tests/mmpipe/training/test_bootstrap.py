"""Intervals by resampled stretches: they cover, they widen with dependence, they are the same every time."""

import numpy as np
import pytest

from mmpipe.training import bootstrap

S = 1_000_000_000


def correlated(rng: np.random.Generator, count: int, memory: int) -> np.ndarray:
    return np.convolve(rng.normal(size=count + memory - 1), np.ones(memory), mode="valid") / memory


def test_sums_are_those_of_the_drawn_stretches() -> None:
    ts_ns = np.arange(20) * S
    columns = np.stack([np.ones(20), np.arange(20.0)], axis=1)
    sums = bootstrap.block_sums(ts_ns, columns, 2.0, np.random.default_rng(4), draws=50)
    rng = np.random.default_rng(4)
    span = 19 * S + 1
    starts = rng.integers(0, span, size=(50, 10))
    for draw in range(50):
        kept = [
            row
            for start in starts[draw]
            for row in range(20)
            if start <= ts_ns[row] < start + 2 * S or start <= ts_ns[row] + span < start + 2 * S
        ]
        assert sums[draw, 0] == len(kept)
        assert sums[draw, 1] == sum(kept)


def test_the_interval_of_a_mean_covers_it_and_single_rows_would_not() -> None:
    covered = naive = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = correlated(rng, 2_000, 20)
        low, high = bootstrap.gain_interval(np.arange(2_000) * S, values, 100.0, rng)
        covered += low <= 0.0 <= high
        naive += abs(values.mean()) <= 1.96 * values.std() / np.sqrt(len(values))
    assert covered >= 50
    assert naive <= 40


def test_skill_of_a_true_forecast_is_above_nothing_and_of_noise_is_not() -> None:
    rng = np.random.default_rng(5)
    probs = rng.uniform(size=2_000)
    outcomes = (rng.uniform(size=2_000) < probs).astype(int)
    ts_ns = np.arange(2_000) * S // 10
    low, high = bootstrap.skill_interval(ts_ns, probs, outcomes, 5.0, np.random.default_rng(6))
    assert 0.2 < low < high < 0.45
    noise = rng.permutation(probs)
    assert bootstrap.skill_interval(ts_ns, noise, outcomes, 5.0, np.random.default_rng(6))[1] < 0.0
    low, high = bootstrap.rank_correlation_interval(
        ts_ns, probs, probs + rng.normal(size=2_000), 5.0, np.random.default_rng(6)
    )
    assert 0.15 < low < high < 0.4
    low, high = bootstrap.calibration_interval(ts_ns, probs, outcomes, 5.0, np.random.default_rng(6))
    assert 0.0 < low < high < 0.06


def test_the_same_seed_gives_the_same_interval_and_too_short_a_series_none() -> None:
    ts_ns, gains = np.arange(100) * S, np.arange(100.0)
    first = bootstrap.gain_interval(ts_ns, gains, 10.0, np.random.default_rng(1))
    assert first == bootstrap.gain_interval(ts_ns, gains, 10.0, np.random.default_rng(1))
    with pytest.raises(ValueError, match="too few for stretches of 40 s"):
        bootstrap.gain_interval(ts_ns, gains, 40.0, np.random.default_rng(1))
    assert all(np.isnan(bootstrap.interval(np.full(10, np.nan))))
