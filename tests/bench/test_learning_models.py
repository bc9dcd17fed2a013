"""The bench of fits, short; and that the chain it learns from is the one whose values are published."""

import numpy as np
import pytest

from bench import learning_models
from tests.oracles import two_queues


def test_the_chain_has_the_published_values() -> None:
    exact = two_queues.edge_given_fill()
    found = [exact[ahead, 8 - ahead, 7] for ahead in (0, 2, 4, 8)]
    assert found == pytest.approx([0.355, 0.101, -0.074, -0.276], abs=5e-4)


def test_the_simulation_agrees_with_the_chain() -> None:
    rng = np.random.default_rng(1)
    edges = np.array([two_queues.simulated(rng, 2, 6, 7) for _ in range(4_000)])
    filled = edges[np.isfinite(edges)]
    assert filled.mean() == pytest.approx(0.101, abs=3.0 * filled.std() / np.sqrt(len(filled)))


def test_every_case_holds() -> None:
    rows = learning_models.rows(1.0, 0)
    assert [(row["case"], row["value"]) for row in rows if not row["ok"]] == []
    for row in rows:
        assert set(row) == {"case", "value", "interval", "n", "ok"}
        assert row["interval"][0] <= row["value"] <= row["interval"][1]


def test_labels_that_are_noise_have_no_sign_to_learn() -> None:
    rng = np.random.default_rng(2)
    inputs, edges = learning_models.drawn_fills(rng, 600)
    ts_ns = np.arange(600) * 1_000_000_000
    fitted = learning_models.fit_queue_value(inputs, 0.5 - rng.permutation(edges), ts_ns, ts_ns + 1, 1)
    assert np.abs(fitted.arrays["coefs"][1:]).max() < 0.1
