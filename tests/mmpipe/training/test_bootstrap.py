"""Intervals by resampled stretches: they cover, they widen with dependence, they are the same every time."""

import numpy as np
import pytest

from mmpipe.training import bootstrap, metrics

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


def test_the_noise_of_a_calibration_error_is_that_of_a_perfect_forecast() -> None:
    rng, errors, noises = np.random.default_rng(8), [], []
    ts_ns = np.arange(1_200) * 1_000_000_000
    for _ in range(12):
        probs = rng.uniform(0.05, 0.6, 1_200)
        outcomes = (rng.uniform(size=1_200) < probs).astype(np.int64)
        errors.append(metrics.expected_calibration_error(probs, outcomes))
        noises.append(bootstrap.calibration_noise(ts_ns, probs, outcomes, 10.0, rng))
    assert np.mean([mean for mean, _ in noises]) == pytest.approx(np.mean(errors), rel=0.15)
    assert np.mean([error <= high for error, (_, high) in zip(errors, noises, strict=True)]) > 0.7
    # Outcomes that come in bursts are fewer than they look, and a wrong level is no noise.
    bursts = np.repeat((rng.uniform(size=120) < 0.3).astype(np.int64), 10)
    said = 0.3 + np.repeat(rng.uniform(-0.01, 0.01, 120), 10)
    one_by_one = (rng.uniform(size=1_200) < 0.3).astype(np.int64)
    noise = [bootstrap.calibration_noise(ts_ns, said, came, 10.0, rng)[0] for came in (bursts, one_by_one)]
    assert noise[0] > 1.5 * noise[1]
    wrong = bootstrap.calibration_noise(ts_ns, said + 0.4, one_by_one, 10.0, rng)
    assert wrong[1] < 0.1 < metrics.expected_calibration_error(said + 0.4, one_by_one)


def test_the_skill_of_losses_has_its_interval() -> None:
    rng = np.random.default_rng(9)
    ts_ns, base = np.arange(2_000) * 1_000_000_000, rng.uniform(0.5, 1.5, 2_000)
    low, high = bootstrap.loss_skill_interval(ts_ns, 0.8 * base, base, 10.0, rng)
    assert low == pytest.approx(0.2)
    assert high == pytest.approx(0.2)
    low, high = bootstrap.loss_skill_interval(ts_ns, rng.permutation(base), base, 10.0, rng)
    assert low < 0.0 < high
