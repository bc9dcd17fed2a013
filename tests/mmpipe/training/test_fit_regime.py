"""A chain of known states is found again; labels never switch."""

import numpy as np
import pytest

from mmpipe.training.fit_regime import fit_regime

MEANS = np.array([-1.0, 0.0, 1.0, 2.5])


def drawn(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    states = np.zeros(count, dtype=int)
    for t in range(1, count):
        near = [s for s in (states[t - 1] - 1, states[t - 1] + 1) if 0 <= s < 4]
        states[t] = rng.choice(near) if rng.uniform() < 1 / 40 else states[t - 1]
    readings: np.ndarray = MEANS[states] + 0.15 * rng.standard_t(6, count)
    return readings


def test_known_states_are_found_in_order() -> None:
    found = fit_regime(drawn(4_000), 1.0, 6.0, 1)
    assert found.means == pytest.approx(MEANS, abs=0.1)
    assert found.scales == pytest.approx(np.full(4, 0.15), abs=0.05)
    assert (np.abs(np.log(found.dwell_s / 40.0)) < 0.7).all()
    assert found.jump.sum(axis=1) == pytest.approx(np.ones(4))
    assert (np.diag(found.jump) == 0.0).all()
    assert found.jump[0, 1] > 0.8
    again = fit_regime(drawn(4_000), 1.0, 6.0, 1)
    assert (again.means == found.means).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="200 finite readings"):
        fit_regime(np.zeros(10), 1.0, 6.0, 1)
