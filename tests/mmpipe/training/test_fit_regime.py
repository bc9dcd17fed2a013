"""A chain of known states is found again; labels never switch."""

import numpy as np
import pytest

from mmpipe.training.fit_regime import fit_regime

MEANS = np.array([-1.0, 0.0, 1.0, 2.5])
FREE, WIDTHS = np.full(4, -np.inf), np.full(4, 0.5)


def drawn(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    states = np.zeros(count, dtype=int)
    for t in range(1, count):
        near = [s for s in (states[t - 1] - 1, states[t - 1] + 1) if 0 <= s < 4]
        states[t] = rng.choice(near) if rng.uniform() < 1 / 40 else states[t - 1]
    readings: np.ndarray = MEANS[states] + 0.15 * rng.standard_t(6, count)
    return readings


def test_known_states_are_found_in_order() -> None:
    found = fit_regime(drawn(4_000), 1.0, 6.0, FREE, WIDTHS, 1)
    assert found.means == pytest.approx(MEANS, abs=0.1)
    assert found.scales == pytest.approx(np.full(4, 0.15), abs=0.05)
    assert (np.abs(np.log(found.dwell_s / 40.0)) < 0.7).all()
    assert found.jump.sum(axis=1) == pytest.approx(np.ones(4))
    assert (np.diag(found.jump) == 0.0).all()
    assert found.jump[0, 1] > 0.8
    again = fit_regime(drawn(4_000), 1.0, 6.0, FREE, WIDTHS, 1)
    assert (again.means == found.means).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="200 finite readings"):
        fit_regime(np.zeros(10), 1.0, 6.0, FREE, WIDTHS, 1)


def test_a_calm_market_has_no_cascade_and_its_lively_part_is_not_called_one() -> None:
    floors = np.array([-np.inf, -np.inf, np.log(2.0), np.log(5.0)])
    rng = np.random.default_rng(3)
    readings = np.where(np.arange(1_200) // 60 % 2 == 0, -0.8, 0.0) + 0.1 * rng.standard_normal(1_200)
    found = fit_regime(readings, 1.0, 6.0, floors, WIDTHS, 1)
    assert (found.means[2:] >= floors[2:]).all()
    assert found.means[:2] == pytest.approx([-0.8, 0.0], abs=0.15)
    assert found.scales[3] == WIDTHS[3]
