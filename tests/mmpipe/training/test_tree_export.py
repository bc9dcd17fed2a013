"""Exported trees say what LightGBM says, to the ninth digit, and what cannot be walked is refused."""

import lightgbm
import numpy as np
import pytest

from mmpipe.enums import ModelKind
from mmpipe.errors import ArtefactError
from mmpipe.models.model_inputs import INPUTS
from mmpipe.models.queue_value import loss_bps_of
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training.tree_export import export_bags

FIT = {
    "objective": "regression", "max_depth": 5, "num_leaves": 32, "min_data_in_leaf": 5, "verbosity": -1,
    "num_threads": 1, "deterministic": True, "use_missing": False, "seed": 3,
}  # fmt: skip


def rows(seed: int, count: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    inputs = np.round(chance.normal(size=(count, INPUTS)), 2)  # ties: inputs that equal a threshold
    target = inputs[:, 4] * inputs[:, 5] + np.maximum(inputs[:, 2], 0.0) + 0.1 * chance.normal(size=count)
    return inputs, target


def fitted(seed: int, trees: int, **more: object) -> lightgbm.Booster:
    inputs, target = rows(seed)
    return lightgbm.train({**FIT, **more}, lightgbm.Dataset(inputs, target), num_boost_round=trees)


def test_bags_say_what_the_boosters_say() -> None:
    boosters = [fitted(seed, trees) for seed, trees in ((1, 20), (2, 20), (3, 13))]
    arrays = export_bags(boosters)
    assert arrays["leaves"].shape == (60, 32)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "trees", arrays)
    assert models["trees"][0] == 64
    inputs, _ = rows(9, 500)
    each = np.array([booster.predict(inputs) for booster in boosters])
    said = np.array([loss_bps_of(models, row) for row in inputs])
    assert np.abs(said[:, 0] - each.mean(axis=0)).max() <= 1e-9
    assert np.abs(said[:, 1] - each.std(axis=0, ddof=1)).max() <= 1e-9


def test_a_threshold_itself_goes_left() -> None:
    booster = fitted(1, 1)
    arrays = export_bags([booster])
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "trees", arrays)
    row = np.zeros(INPUTS)
    row[arrays["features"][0, 0]] = arrays["thresholds"][0, 0]
    assert loss_bps_of(models, row)[0] == pytest.approx(booster.predict(row[None])[0], abs=1e-12)


def test_a_stump_that_learned_nothing_is_a_constant() -> None:
    inputs, _ = rows(1, 100)
    flat = lightgbm.train(FIT, lightgbm.Dataset(inputs, np.full(100, 0.5)), num_boost_round=1)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "trees", export_bags([flat]))
    assert loss_bps_of(models, inputs[0])[0] == pytest.approx(float(flat.predict(inputs[:1])[0]), abs=1e-12)


def test_deep_trees_are_refused() -> None:
    with pytest.raises(ArtefactError, match="deeper than 5"):
        export_bags([fitted(1, 3, max_depth=8, num_leaves=100)])


def test_categories_and_missing_values_are_refused() -> None:
    inputs, target = rows(1)
    inputs[:, 3] = np.arange(len(inputs)) % 7
    data = lightgbm.Dataset(inputs, target + inputs[:, 3] % 2, categorical_feature=[3])
    with pytest.raises(ArtefactError, match="categories"):
        export_bags([lightgbm.train(FIT, data, num_boost_round=3)])
    inputs[::3, 4] = np.nan
    data = lightgbm.Dataset(inputs, target)
    with pytest.raises(ArtefactError, match="missing"):
        export_bags([lightgbm.train({**FIT, "use_missing": True}, data, num_boost_round=3)])


def test_forests_and_too_many_inputs_are_refused() -> None:
    forest = fitted(1, 3, boosting="rf", bagging_freq=1, bagging_fraction=0.7)
    with pytest.raises(ArtefactError, match="forest"):
        export_bags([forest])
    chance = np.random.default_rng(1)
    wide = lightgbm.Dataset(chance.normal(size=(200, INPUTS + 1)), chance.normal(size=200))
    with pytest.raises(ArtefactError, match="more than 36"):
        export_bags([lightgbm.train(FIT, wide, num_boost_round=1)])
    with pytest.raises(ArtefactError, match="no trees"):
        export_bags([])
