"""The age of a level is the exact posterior's, and the Nile changed in 1899."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.learning_alpha import level_ages, level_prior
from mmpipe.alpha import run_length
from mmpipe.alpha.run_length import LEVEL, RUNS_MAX

# Annual flow of the Nile at Aswan 1871-1970, 10^8 m^3 (Cobb 1978).
NILE = (
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958,
    1140, 1100, 1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020,
    1050, 969, 831, 726, 456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796,
    1040, 759, 781, 865, 845, 944, 984, 897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874,
    848, 890, 744, 749, 838, 1050, 918, 986, 797, 923, 975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718,
    714, 740,
)  # fmt: skip


def test_the_nile_changed_after_28_years() -> None:
    # Adams & MacKay on the z-scored series with hazard 1/100 and a unit prior, as in the benchmark of
    # van den Burg & Williams 2020: one change, at 28.
    values = np.array(NILE, float)
    values = (values - values.mean()) / values.std(ddof=1)
    ages = np.zeros(len(values), np.int64)
    level_ages(np.zeros(1, LEVEL), values, level_prior(0.01, 0.0, 1.0, 1.0, 1.0), ages)
    assert ages[27] == 28
    assert ages[-1] == 72
    assert (np.diff(ages) == 1).sum() >= 90


def posterior(values: list[float], prior: np.ndarray) -> dict[int, float]:
    """P(age) by the definition: every age predicts by the whole stretch since its change."""
    hazard, mean, kappa, shape, scale = prior[0].tolist()
    probs = {0: 1.0}
    for index, x in enumerate(values):
        grown: dict[int, float] = {0: 0.0}
        for age, prob in probs.items():
            seen = np.array(values[index - age : index]) if age else np.zeros(0)
            n, average = len(seen), seen.mean() if age else 0.0
            k, a = kappa + n, shape + n / 2
            m = (kappa * mean + n * average) / k
            spread = ((seen - average) ** 2).sum() if n else 0.0
            b = scale + spread / 2 + kappa * n * (average - mean) ** 2 / (2 * k)
            width = b * (k + 1) / (a * k)
            density = math.exp(math.lgamma(a + 0.5) - math.lgamma(a)) / math.sqrt(2 * a * math.pi * width)
            density *= (1 + (x - m) ** 2 / (2 * a * width)) ** -(a + 0.5)
            grown[age + 1] = prob * density * (1 - hazard)
            grown[0] += prob * density * hazard
        total = sum(grown.values())
        probs = {age: prob / total for age, prob in grown.items()}
    return probs


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=RUNS_MAX - 2))
def test_it_is_the_exact_posterior(values: list[float]) -> None:
    prior = level_prior(0.05, 0.5, 0.5, 1.5, 0.7)
    levels, ages = np.zeros(1, LEVEL), np.zeros(len(values), np.int64)
    level_ages(levels, np.array(values), prior, ages)
    level, expected = levels[0], posterior(values, prior)
    found = {int(level["age"][run]): float(level["prob"][run]) for run in range(level["count"])}
    assert found.keys() == expected.keys()
    for age, prob in expected.items():
        assert found[age] == pytest.approx(prob, rel=1e-9, abs=1e-12)


def test_many_hypotheses_are_kept_to_the_likely_ones() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0.0, 0.5, 500), rng.normal(4.0, 0.5, 200)])
    levels, ages = np.zeros(1, LEVEL), np.zeros(len(values), np.int64)
    level_ages(levels, values, level_prior(1 / 600, 0.0, 0.05, 2.0, 0.5), ages)
    assert levels["count"][0] == RUNS_MAX
    assert levels["prob"][0].sum() == pytest.approx(1.0)
    assert ages[499] == 500
    assert ages[503] < 10
    assert ages[-1] == 200
    assert run_length.mean_of(levels[0]) == pytest.approx(4.0, abs=0.15)
    assert 1 <= levels["changes"][0] <= 3


def test_the_probability_of_a_change_now_is_the_hazard_whatever_happens() -> None:
    levels, ages = np.zeros(1, LEVEL), np.zeros(31, np.int64)
    values = np.concatenate([np.zeros(30), [50.0]])
    level_ages(levels, values, level_prior(0.01, 0.0, 1.0, 1.0, 1.0), ages)
    level = levels[0]
    now = next(float(level["prob"][run]) for run in range(level["count"]) if level["age"][run] == 0)
    assert now == pytest.approx(0.01)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(AssertionError):
        run_length.observe(np.zeros(1, LEVEL)[0], bad, level_prior(0.01, 0.0, 1.0, 1.0, 1.0)[0])
