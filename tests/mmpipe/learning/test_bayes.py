"""Posteriors equal their textbook forms, cover what they claim, and forget towards the prior."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.learning.bayes import (
    Evidence,
    LinearPrior,
    decay_posterior,
    depth_sums,
    linear_posterior,
    linear_sums,
    ratio_posterior,
)

NEVER = 1e30  # halflife, ns
PRIOR = LinearPrior(slope=0.5, precision=4.0, noise=1.0)


def line(pairs: list[tuple[float, float]], halflife_ns: float = NEVER, step_ns: int = 1) -> Evidence:
    evidence = Evidence(3)
    for index, (x, y) in enumerate(pairs):
        evidence.add(linear_sums(x, y), 1.0, 1 + index * step_ns, halflife_ns)
    return evidence


def test_slope_is_the_ridge_estimate() -> None:
    # Prior worth x² = 4 at 0.5, data x² = 5 at xy = 6: (2 + 6) / 9.
    slope, _ = linear_posterior(line([(1.0, 2.0), (2.0, 2.0)]).at(2, NEVER), PRIOR)
    assert slope.value == pytest.approx(8 / 9, abs=1e-15)


def test_without_evidence_it_is_the_prior() -> None:
    slope, noise = linear_posterior(Evidence(3).at(5, 1.0), PRIOR)
    assert (slope.value, noise.value) == (0.5, 1.0)
    assert slope.std == pytest.approx(0.5)
    assert ratio_posterior(Evidence(2).at(5, 1.0), 1.2, 10.0).value == pytest.approx(1.2)
    assert decay_posterior(
        Evidence(len(depth_sums(1.0, 1.0, False))).at(5, 1.0), 0.8, 4.0
    ).value == pytest.approx(0.8)


@given(st.permutations([(1.0, 2.0), (-2.0, 1.0), (3.0, 3.0), (4.0, -1.0)]))
def test_order_does_not_matter_without_forgetting(pairs: list[tuple[float, float]]) -> None:
    got, want = line(pairs), line(sorted(pairs))
    assert np.array_equal(got.at(9, NEVER).values, want.at(9, NEVER).values)


def test_discounted_weight_and_sample_saturate_as_derived() -> None:
    keep = 0.98
    halflife = -np.log(2) / np.log(keep)
    sums = line([(1.0, 1.0)] * 2000, halflife_ns=halflife).at(2000, halflife)
    assert sums.weight == pytest.approx(1 / (1 - keep), rel=1e-6)
    assert sums.observations == pytest.approx((1 + keep) / (1 - keep), rel=1e-6)


def test_evidence_fades_to_the_prior() -> None:
    evidence = line([(1.0, 9.0)] * 50)
    fresh, later, much_later = (linear_posterior(evidence.at(t, 1e9), PRIOR)[0] for t in (50, 10**9, 10**11))
    assert fresh.value > later.value > much_later.value == pytest.approx(0.5, abs=1e-9)
    assert evidence.at(50, 1e9).observations == pytest.approx(50)
    assert evidence.at(10**9, 1e9).observations < 26


@pytest.mark.parametrize("keep", [1.0, 0.95])
def test_intervals_cover_ninety_percent(keep: float) -> None:
    rng = np.random.default_rng(3)
    halflife = NEVER if keep == 1.0 else -np.log(2) / np.log(keep)
    prior = LinearPrior(0.0, 0.01, 1.0)
    covered = np.zeros(2)
    rounds = 1500
    for _ in range(rounds):
        truth = rng.normal()
        sigma = (2.0 / rng.gamma(3.0)) ** 0.5  # the prior of the noise: inverse gamma of shape 3, scale 2
        x = rng.normal(size=80)
        y = truth * x + sigma * rng.normal(size=80)
        evidence = line(list(zip(x, y, strict=True)), halflife)
        slope, noise = linear_posterior(evidence.at(80, halflife), prior)
        covered += abs(slope.value - truth) < 1.645 * slope.std, abs(noise.value - sigma) < 1.645 * noise.std
    # Three standard errors of 1500 rounds are 0.023; a normal interval for a t costs a little more.
    assert covered / rounds == pytest.approx(np.full(2, 0.9), abs=0.035)


def test_ratio_recovers_a_miscalibrated_probability() -> None:
    rng = np.random.default_rng(1)
    evidence = Evidence(2)
    for ts in range(1, 4001):
        prob = rng.uniform(0.05, 0.4)
        evidence.add((float(rng.random() < 1.5 * prob), prob), 1.0, ts, NEVER)
    found = ratio_posterior(evidence.at(4000, NEVER), 1.0, 10.0)
    assert abs(found.value - 1.5) < 3 * found.std
    assert found.std == pytest.approx(1.5 / np.sqrt(1.5 * evidence.at(4000, NEVER).values[1]), rel=0.1)


def quoted(kappa: float, rounds: int, rng: np.random.Generator) -> Evidence:
    # Quotes at a few depths, each up to 5 s, filled at rate A exp(-kappa depth).
    evidence = Evidence(len(depth_sums(1.0, 1.0, False)))
    for ts in range(1, rounds + 1):
        depth = rng.choice([0.05, 0.15, 0.5, 1.0, 2.0])
        wait = rng.exponential(1 / (0.5 * np.exp(-kappa * depth)))
        evidence.add(depth_sums(depth, min(wait, 5.0), wait < 5.0), 1.0, ts, NEVER)
    return evidence


def test_kappa_is_recovered_without_bias_and_with_honest_error() -> None:
    rng = np.random.default_rng(5)
    scores = []
    for _ in range(60):
        found = decay_posterior(quoted(1.5, 400, rng).at(400, NEVER), 0.8, 0.5)
        scores.append((found.value - 1.5) / found.std)
    assert abs(np.mean(scores)) < 0.5
    assert 0.7 < np.std(scores) < 1.3


def test_kappa_solves_the_score_equation() -> None:
    # One fill at 1 bp, none at 2 bps, equal exposure: the likelihood alone is maximal at infinity, the prior
    # holds it; by hand: 4 / k - 4 / 0.8 - d1 + (d1 + d2 e^-k(d2-d1)) / (1 + e^-k(d2-d1)) = 0.
    evidence = Evidence(len(depth_sums(1.0, 1.0, False)))
    evidence.add(depth_sums(1.0, 1.0, True), 1.0, 1, NEVER)
    evidence.add(depth_sums(2.0, 1.0, False), 1.0, 2, NEVER)
    kappa = decay_posterior(evidence.at(2, NEVER), 0.8, 4.0).value
    tilt = np.exp(-kappa)
    assert 4 / kappa - 5 - 1 + (1 + 2 * tilt) / (1 + tilt) == pytest.approx(0.0, abs=1e-8)


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.floats(1e-3, 10.0), st.booleans()), max_size=30))
def test_kappa_is_positive_and_finite_whatever_was_quoted(quotes: list[tuple[float, float, bool]]) -> None:
    evidence = Evidence(len(depth_sums(1.0, 1.0, False)))
    for ts, quote in enumerate(quotes, 1):
        evidence.add(depth_sums(*quote), 1.0, ts, NEVER)
    found = decay_posterior(evidence.at(99, NEVER), 0.8, 4.0)
    assert 0 < found.value < 1e9
    assert 0 < found.std < 1e9


def test_saved_evidence_continues_bit_for_bit() -> None:
    evidence, again = line([(0.1, 0.3), (1 / 3, -2.0)]), Evidence(3)
    again.restore(evidence.state())
    for one in (evidence, again):
        one.add(linear_sums(0.7, 0.1), 0.3, 10, NEVER)
    assert again.state() == evidence.state()
    with pytest.raises(ValueError, match="2 finite sums"):
        Evidence(2).restore(evidence.state())
    with pytest.raises(ValueError, match="finite"):
        again.restore({**evidence.state(), "weight": float("nan")})
