"""Fits of the decision path's models: what they promise holds in the kernels that use them."""

import numpy as np
import pytest

from bench import learning_models
from mmpipe.enums import ModelKind, Outcome
from mmpipe.models.artefact_forms import FORMS, refusal
from mmpipe.models.model_inputs import AHEAD, INPUTS, RANK
from mmpipe.models.toxic_labels import TRADE_SAMPLE
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.records import PARAMS_COUNT
from mmpipe.training import fit_queue_value as value_module
from mmpipe.training.fit_fill_survival import fit_fill_survival
from mmpipe.training.fit_queue_value import fit_queue_value
from mmpipe.training.fit_toxicity import fit_toxicity, llr_against
from mmpipe.training.hazards import Hazard, events, exposures, fit_gains, fit_hazard
from mmpipe.training.live_models import fill_probs_all, losses_all

S = 1_000_000_000
FREE = np.zeros(2, dtype=bool)


def quotes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, waits (s) and outcomes: who is behind waits longer."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(count, INPUTS)) * 0.1
    inputs[:, RANK], inputs[:, AHEAD] = rng.uniform(size=count), rng.uniform(0.0, 3.0, count)
    waits = rng.exponential(1.0 / np.exp(-0.5 - 1.5 * inputs[:, RANK]))
    left = rng.exponential(8.0, count)
    outcome = np.where(waits < left, Outcome.FILLED, Outcome.ADVERSE)
    waits = np.minimum(waits, left)
    outcome = np.where(waits < 5.0, outcome, Outcome.HORIZON)
    return inputs, np.minimum(waits, 5.0), outcome.astype(np.int64)


def test_gains_that_fade_are_found() -> None:
    gains = np.array([1.6, 1.2, 0.6, 0.1])
    truth = tuple(Hazard(h.base, h.weights, h.covariance, gains) for h in learning_models.true_hazards())
    inputs, waits, causes = learning_models.drawn_orders((truth[0], truth[1]), 40_000, 3)
    exposure = exposures(waits, learning_models.EDGES_S)
    event = events(waits, causes == 1, learning_models.EDGES_S)
    found = fit_hazard(inputs, exposure, event, np.zeros(2), FREE, np.ones(4))
    for _ in range(3):
        gains_found = fit_gains(found, inputs, exposure, event)
        found = fit_hazard(inputs, exposure, event, np.zeros(2), FREE, gains_found, found)
    assert found.gains[:, None] * found.weights == pytest.approx(gains[:, None] * truth[0].weights, abs=0.15)
    share = event.sum(axis=0) / event.sum()
    assert share @ found.gains == pytest.approx(1.0, abs=0.02)


def test_a_fitted_survival_falls_with_rank_and_is_of_its_form() -> None:
    inputs, waits, outcome = quotes(4_000)
    fitted = fit_fill_survival(inputs, waits, outcome)
    spec = FORMS[ModelKind.FILL_SURVIVAL, "hazards"]
    assert refusal(spec, dict(fitted.arrays), INPUTS) == ""
    models = with_arrays(built_in_models(), ModelKind.FILL_SURVIVAL, "hazards", fitted.arrays)
    places = np.zeros((11, INPUTS))
    places[:, RANK], places[:, AHEAD] = np.linspace(0.0, 1.0, 11), 1.0
    out = np.zeros((11, 3))
    fill_probs_all(models, places, np.ones((11, PARAMS_COUNT)), out)
    assert (np.diff(out, axis=0) < 0.0).all()
    assert (np.diff(out, axis=1) > 0.0).all()
    # Within 1 s at the front: fills at exp(-0.5) against being left behind at 1/8.
    assert out[0, 1] == pytest.approx(0.43, abs=0.06)
    with pytest.raises(ValueError, match="50 are needed"):
        fit_fill_survival(inputs, waits, np.full(len(waits), Outcome.HORIZON, dtype=np.int64))


@pytest.mark.parametrize("form", ["linear", "trees"])
def test_a_fitted_value_falls_with_rank_in_either_form(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "trees":
        pytest.importorskip("lightgbm")
        monkeypatch.setattr(value_module, "TREES_MIN", 1_000)
    rng = np.random.default_rng(2)
    inputs, _, _ = quotes(4_000)
    loss = 0.3 + 1.0 * inputs[:, RANK] + rng.standard_t(4, len(inputs)) * 0.5
    ts_ns = np.arange(len(loss)) * S
    fitted = fit_queue_value(inputs, loss, ts_ns, ts_ns + 1, 7)
    assert fitted.form == form
    assert refusal(FORMS[ModelKind.QUEUE_VALUE, form], dict(fitted.arrays), INPUTS) == ""
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, form, fitted.arrays)
    places = np.zeros((11, INPUTS))
    places[:, RANK], places[:, AHEAD] = np.linspace(0.0, 1.0, 11), 1.5
    out = np.zeros((11, 2))
    losses_all(models, places, out)
    assert (np.diff(out[:, 0]) >= 0.0).all()
    assert out[[0, 5, 10], 0] == pytest.approx([0.3, 0.8, 1.3], abs=0.2)
    assert (out[:, 1] > 0.0).all()
    # The mean of what was lost is kept, tails and all.
    everywhere = np.zeros((len(inputs), 2))
    losses_all(models, inputs, everywhere)
    assert everywhere[:, 0].mean() == pytest.approx(loss.mean(), abs=0.02)
    again = fit_queue_value(inputs, loss, ts_ns, ts_ns + 1, 7)
    assert all((fitted.arrays[name] == again.arrays[name]).all() for name in fitted.arrays)
    assert max(fitted.importance, key=lambda name: fitted.importance[name]) == "queue_rank"


def test_a_loss_that_falls_with_rank_is_not_learned() -> None:
    inputs, _, _ = quotes(2_000)
    loss = -inputs[:, RANK] + np.random.default_rng(3).normal(size=2_000) * 0.1
    ts_ns = np.arange(2_000) * S
    fitted = fit_queue_value(inputs, loss, ts_ns, ts_ns + 1, 1)
    assert not (fitted.arrays["pairs"] == 1 + RANK).any()
    with pytest.raises(ValueError, match="100 are needed"):
        fit_queue_value(inputs[:50], loss[:50], ts_ns[:50], ts_ns[:50] + 1, 1)


def test_evidence_of_aggressors_is_fitted_and_opposite_ones_speak_against() -> None:
    rng = np.random.default_rng(4)
    rows = np.zeros(4_000, TRADE_SAMPLE)
    rows["ts_ns"] = np.arange(4_000) * S // 10
    storm = (np.arange(4_000) // 200) % 5 == 0
    rows["side"] = np.where(rng.uniform(size=4_000) < np.where(storm, 0.95, 0.5), 1, -1)
    rows["inputs"] = rng.normal(size=rows["inputs"].shape)
    rows["inputs"][:, 0] += 2.0 * storm
    rows["toxic"] = storm & (rows["side"] > 0)
    fitted, strength = fit_toxicity(rows["inputs"], rows["toxic"].astype(np.int64))
    assert np.argmax(np.abs(fitted.weights)) == 0
    assert fitted.weights[0] > 0.5
    assert strength > 0.0
    assert -6.0 <= llr_against(rows, S) < -1.0
    with pytest.raises(ValueError, match="20 are needed"):
        fit_toxicity(rows["inputs"], np.zeros(4_000, dtype=np.int64))
