"""Platt's line: the mode against a grid, honest deviations, tempering, the no-signal case."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.learning.bayes import Evidence, Sums
from mmpipe.learning.platt import BINS, LOGIT_MAX, SUMS, platt_posterior, platt_sums, tempered


def evidence(beliefs: np.ndarray, outcomes: np.ndarray) -> Sums:
    total = np.zeros(SUMS)
    for belief, outcome in zip(beliefs, outcomes, strict=True):
        total += platt_sums(float(belief), bool(outcome), 1.0)
    return Sums(total, float(len(beliefs)), float(len(beliefs)))


def drawn(rng: np.random.Generator, count: int, slope: float, intercept: float) -> Sums:
    logits = rng.normal(-1.0, 1.5, count)
    outcomes = rng.random(count) < 1.0 / (1.0 + np.exp(-(slope * logits + intercept)))
    return evidence(1.0 / (1.0 + np.exp(-logits)), outcomes)


def test_without_evidence_the_line_is_the_prior() -> None:
    slope, intercept = platt_posterior(Sums(np.zeros(SUMS), 0.0, 0.0), 1.0, 0.0)
    assert (slope.value, intercept.value) == (1.0, 0.0)
    assert (slope.std, intercept.std) == pytest.approx((1.0, 1.0))


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_the_mode_is_where_the_posterior_is_highest(pairs: list[tuple[float, bool]]) -> None:
    sums = evidence(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
    count, logits, happened = sums.values[: 3 * BINS].reshape(3, BINS)
    used = count > 0.0
    x = logits[used] / count[used]

    def height(slope: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        scores = slope[..., None] * x + intercept[..., None]
        fit = (happened[used] * scores - count[used] * np.logaddexp(0.0, scores)).sum(axis=-1)
        return fit - 0.5 * ((slope - 1.0) ** 2 + intercept**2)

    found = [posterior.value for posterior in platt_posterior(sums, 1.0, 0.0)]
    slopes, intercepts = np.meshgrid(np.linspace(0.0, 5.0, 126), np.linspace(-6.0, 6.0, 241))
    best = height(slopes, intercepts).max()
    assert height(np.array([found[0]]), np.array([found[1]]))[0] >= best - 1e-9


def test_a_line_is_recovered_and_its_deviation_is_honest() -> None:
    rng = np.random.default_rng(0)
    misses = []
    for _ in range(60):
        slope, intercept = platt_posterior(drawn(rng, 400, 0.5, -0.4), 1.0, 0.0)
        misses.append(((slope.value - 0.5) / slope.std, (intercept.value + 0.4) / intercept.std))
    spread = np.array(misses).std(axis=0)
    assert (np.abs(np.array(misses).mean(axis=0)) < 0.5).all()
    assert (spread > 0.75).all()
    assert (spread < 1.25).all()


def test_no_signal_is_a_flat_line_at_the_base_rate() -> None:
    rng = np.random.default_rng(1)
    for _ in range(10):
        slope, intercept = platt_posterior(drawn(rng, 3_000, 0.0, -1.5), 1.0, 0.0)
        assert 0.0 <= slope.value < 3.0 * slope.std
        assert 1.0 / (1.0 + np.exp(-intercept.value)) == pytest.approx(0.182, abs=0.08)
    slope, _ = platt_posterior(drawn(rng, 3_000, -0.7, -1.5), 1.0, 0.0)
    assert slope.value == 0.0


def test_tempering_keeps_the_rates_and_counts_what_is_independent() -> None:
    sums = np.zeros(SUMS)
    for outcome in (1, 0, 0, 0):
        sums += platt_sums(0.3, bool(outcome), 0.25)
    cool = tempered(Sums(sums, 4.0, 4.0))
    assert cool.values[:BINS].sum() == pytest.approx(1.0)
    assert cool.values[2 * BINS : 3 * BINS].sum() == pytest.approx(0.25)
    assert cool.observations == pytest.approx(1.0)
    assert tempered(Sums(np.zeros(SUMS), 0.0, 0.0)).observations == 0.0


@pytest.mark.parametrize("belief", [0.0, 1e-300, 0.5, 1.0])
def test_every_belief_has_a_bin(belief: float) -> None:
    sums = platt_sums(belief, True, 1.0)
    assert sums[:BINS].sum() == sums[2 * BINS : 3 * BINS].sum() == 1.0
    assert abs(sums[BINS : 2 * BINS].sum()) <= LOGIT_MAX + 1e-9


def test_evidence_of_this_size_survives_a_restart() -> None:
    ours, again = Evidence(SUMS), Evidence(SUMS)
    ours.add(platt_sums(0.2, True, 0.5), 1.0, 10, 1e12)
    again.restore(ours.state())
    assert platt_posterior(tempered(again.at(10, 1e12)), 1.0, 0.0) == platt_posterior(
        tempered(ours.at(10, 1e12)), 1.0, 0.0
    )
