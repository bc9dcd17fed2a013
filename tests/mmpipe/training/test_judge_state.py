"""Width of a Student's t: known truth, weights, and a mid that stands still."""

import numpy as np
import pytest

from mmpipe.training.judge_state import width_bps


def test_the_width_of_known_draws_is_found_and_weights_choose_whose() -> None:
    rng = np.random.default_rng(1)
    calm, wild = 0.5 * rng.standard_t(5.0, 20_000), 3.0 * rng.standard_t(5.0, 20_000)
    moves, wild_prob = np.concatenate((calm, wild)), np.repeat((0.0, 1.0), 20_000)
    assert width_bps(moves, 1.0 - wild_prob, 5.0, 0.01) == pytest.approx(0.5, rel=0.03)
    assert width_bps(moves, wild_prob, 5.0, 0.01) == pytest.approx(3.0, rel=0.03)
    assert 0.5 < width_bps(moves, np.ones(40_000), 5.0, 0.01) < 3.0


def test_a_mid_that_stands_still_has_the_width_of_its_grid() -> None:
    assert width_bps(np.zeros(100), np.ones(100), 5.0, 0.04) == 0.04
