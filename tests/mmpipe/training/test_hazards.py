"""Competing hazards: known coefficients are found, probabilities are those of the simulation, signs hold."""

import numpy as np
import pytest

from mmpipe.training.hazards import Hazard, events, exposures, fit_hazard, incidence

EDGES_S = np.array([0.0, 0.5, 1.0, 3.0, 10.0])
FILL = Hazard(np.log([0.6, 0.4, 0.3, 0.2]), np.array([-0.8, 0.5]), np.zeros((6, 6)), np.ones(4))
ADVERSE = Hazard(np.log([0.1, 0.15, 0.2, 0.2]), np.array([0.0, 0.7]), np.zeros((6, 6)), np.ones(4))


def drawn(count: int, seed: int, patience_s: float = 6.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orders, how long they waited, and what ended them: 1 fill, 2 adverse, 0 our own cancel or the end."""
    rng = np.random.default_rng(seed)
    inputs = np.stack([rng.uniform(0.0, 1.0, count), rng.normal(size=count)], axis=1)
    waits, causes = np.full(count, EDGES_S[-1]), np.zeros(count, dtype=int)
    alive = np.ones(count, dtype=bool)
    for k in range(4):
        rates = [np.exp(h.base[k] + inputs @ h.weights) for h in (FILL, ADVERSE)]
        total = rates[0] + rates[1]
        spent = rng.exponential(1.0 / total)
        ends = alive & (spent < EDGES_S[k + 1] - EDGES_S[k])
        waits[ends] = EDGES_S[k] + spent[ends]
        fills = rng.uniform(size=count) < rates[0] / total
        causes[ends] = np.where(fills, 1, 2)[ends]
        alive &= ~ends
    cancelled = rng.exponential(patience_s, count)
    early = cancelled < waits
    return inputs, np.where(early, cancelled, waits), np.where(early, 0, causes)


def fitted(count: int, seed: int) -> tuple[Hazard, Hazard]:
    inputs, waits, causes = drawn(count, seed)
    free = np.zeros(2, dtype=bool)
    exposure = exposures(waits, EDGES_S)
    fill, adverse = (
        fit_hazard(inputs, exposure, events(waits, causes == cause, EDGES_S), np.zeros(2), free, np.ones(4))
        for cause in (1, 2)
    )
    return fill, adverse


def test_coefficients_of_20_000_orders_are_found_within_their_errors() -> None:
    for found, truth in zip(fitted(20_000, 4), (FILL, ADVERSE), strict=True):
        errors = np.concatenate((found.base - truth.base, found.weights - truth.weights))
        assert np.abs(errors / np.sqrt(np.diag(found.covariance))).max() <= 2.5


def test_closed_form_equals_the_share_that_filled() -> None:
    inputs, waits, causes = drawn(40_000, 5, patience_s=1e9)
    for horizon_s in (0.5, 1.0, 3.0):
        rate = float(((causes == 1) & (waits <= horizon_s)).mean())
        said = float(incidence((FILL, ADVERSE), inputs, EDGES_S, horizon_s).mean())
        assert said == pytest.approx(rate, abs=0.007)  # 2.5 standard errors
    alone = incidence((FILL,), inputs, EDGES_S, 3.0)
    assert (alone > incidence((FILL, ADVERSE), inputs, EDGES_S, 3.0)).all()


def test_one_bin_and_no_input_is_events_over_time() -> None:
    waits = np.array([0.2, 1.0, 2.0, 0.8])
    happened = np.array([True, False, True, True])
    edges = np.array([0.0, 5.0])
    found = fit_hazard(
        np.zeros((4, 1)),
        exposures(waits, edges),
        events(waits, happened, edges),
        np.ones(1),
        np.zeros(1, bool),
        np.ones(1),
    )
    assert np.exp(found.base[0]) == pytest.approx(3.0 / 4.0, rel=1e-5)


def test_exposure_and_events_by_hand() -> None:
    edges = np.array([0.0, 1.0, 2.0])
    assert exposures(np.array([0.5, 1.5, 9.0]), edges).tolist() == [[0.5, 0.0], [1.0, 0.5], [1.0, 1.0]]
    happened = np.array([True, True, True])
    assert events(np.array([0.5, 1.5, 9.0]), happened, edges).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert events(np.array([0.0]), np.array([True]), edges).tolist() == [[1, 0]]


def test_a_weight_of_the_wrong_sign_is_held_at_zero_and_the_others_are_as_without_it() -> None:
    inputs, waits, causes = drawn(5_000, 6)
    exposure, event = exposures(waits, EDGES_S), events(waits, causes == 1, EDGES_S)
    held = fit_hazard(inputs, exposure, event, np.zeros(2), np.array([True, True]), np.ones(4))
    assert held.weights[1] == 0.0
    assert held.weights[0] < 0.0
    assert (held.covariance[5] == 0.0).all()
    alone = fit_hazard(inputs[:, :1], exposure, event, np.zeros(1), np.zeros(1, bool), np.ones(4))
    assert held.weights[0] == pytest.approx(alone.weights[0], abs=1e-6)
    kept = fit_hazard(inputs, exposure, event, np.array([0.0, np.inf]), np.array([False, False]), np.ones(4))
    assert kept.weights[1] == 0.0


def test_refusals() -> None:
    edges = np.array([0.0, 1.0])
    with pytest.raises(ValueError, match="never happened"):
        fit_hazard(
            np.zeros((2, 1)), np.ones((2, 1)), np.zeros((2, 1)), np.ones(1), np.zeros(1, bool), np.ones(1)
        )
    with pytest.raises(ValueError, match="not finite"):
        fit_hazard(
            np.full((2, 1), np.nan),
            np.ones((2, 1)),
            np.ones((2, 1)),
            np.ones(1),
            np.zeros(1, bool),
            np.ones(1),
        )
    assert exposures(np.array([2.0]), edges).tolist() == [[1.0]]
