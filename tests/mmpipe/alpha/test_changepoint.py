"""The bank hears what Page's table says it should, in both directions, and nothing when there is nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.learning_alpha import PUBLISHED_DELAYS, RUN_LENGTH, TOLERANCE, mean_delay
from mmpipe.alpha import changepoint
from mmpipe.alpha.changepoint import BANK, OBSERVATIONS_MIN, SCALES, SHIFTS, WINSOR, alarm_thresholds


@pytest.mark.parametrize("shift", PUBLISHED_DELAYS)
def test_delays_are_those_of_the_table(shift: float) -> None:
    expected = PUBLISHED_DELAYS[shift]
    assert mean_delay(shift, 4_000, seed=1) == pytest.approx(expected, rel=TOLERANCE)


def test_false_alarms_are_as_rare_as_asked_for() -> None:
    # 400 alarms know their mean to 5 %.
    assert mean_delay(0.0, 400, seed=2) == pytest.approx(RUN_LENGTH, rel=0.2)


@pytest.mark.parametrize(("shift", "threshold", "expected"), [(1.0, 4.0, 335.4), (1.0, 5.0, 930.9)])
def test_run_length_of_one_arm_is_the_textbook_one(shift: float, threshold: float, expected: float) -> None:
    # Montgomery, "Introduction to Statistical Quality Control", table of the one-sided CUSUM with k = 1/2:
    # two-sided 168 and 465 at h = 4 and 5, so twice that for one side; h in units of 1 / shift nats.
    assert changepoint.arm_run_length(shift, threshold) == pytest.approx(expected, rel=0.01)


class Oracle:
    """The bank as eight lists of everything that was ever heard."""

    def __init__(self, thresholds: np.ndarray) -> None:
        self.thresholds, self.heard = thresholds, []

    def observe(self, z: float, bps: float) -> float:
        self.heard.append((z, bps))
        best, size = 1.0, 0.0
        for scale, shift in enumerate(SHIFTS):
            for sign in (1.0, -1.0):
                # The greatest sum over any stretch that ends now, and what moved in that stretch.
                total, greatest, moved, moved_at = 0.0, 0.0, 0.0, 0.0
                for old_z, old_bps in reversed(self.heard):
                    total += shift * (sign * old_z - 0.5 * shift)
                    moved += old_bps
                    if total > greatest:
                        greatest, moved_at = total, moved
                if greatest >= best * self.thresholds[scale]:
                    best, size = greatest / self.thresholds[scale], moved_at
        if size != 0.0:
            self.heard = []
        return size


@given(st.lists(st.integers(-12, 12), min_size=1, max_size=60))
def test_the_recursion_is_the_greatest_sum_over_all_stretches(quarters: list[int]) -> None:
    thresholds = np.full(SCALES, 4.03125)  # off the grid of sums, so that no two are equal
    banks, oracle = np.zeros(1, BANK), Oracle(thresholds)
    for quarter in quarters:
        z = quarter * 0.25
        found = changepoint.observe(banks[0], z, 2.0 * z, thresholds)
        expected = oracle.observe(z, 2.0 * z)
        assert (found != 0.0) == (expected != 0.0)
        assert np.sign(found) == np.sign(expected)


@given(st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=50))
def test_up_mirrored_is_down(values: list[float]) -> None:
    thresholds = alarm_thresholds(100.0)
    up, down = np.zeros(1, BANK), np.zeros(1, BANK)
    for z in values:
        assert changepoint.observe(up[0], z, z, thresholds) == -changepoint.observe(
            down[0], -z, -z, thresholds
        )
        assert changepoint.evidence(up[0], 1, thresholds) == changepoint.evidence(down[0], -1, thresholds)


def test_a_change_has_the_size_of_what_moved_since_it_began() -> None:
    thresholds, banks = alarm_thresholds(RUN_LENGTH), np.zeros(1, BANK)
    for _ in range(50):
        assert changepoint.observe(banks[0], -0.1, -0.1, thresholds) == 0.0
    sizes = [changepoint.observe(banks[0], 3.0, 6.0, thresholds) for _ in range(3)]
    assert next(size for size in sizes if size != 0.0) in (12.0, 18.0)
    assert (banks["up"] == 0.0).all()


def test_noise_is_judged_before_it_is_learned_from_and_one_quote_cannot_be_worth_everything() -> None:
    banks = np.zeros(1, BANK)
    for index in range(OBSERVATIONS_MIN):
        assert changepoint.standardise(banks[0], 1.0 if index % 2 else -1.0) == 0.0
    assert changepoint.standardise(banks[0], 2.0) == pytest.approx(2.0)
    assert banks["noise_sq"][0] > 1.0
    assert changepoint.standardise(banks[0], 1e6) == WINSOR
    assert banks["noise_sq"][0] < 3.0
