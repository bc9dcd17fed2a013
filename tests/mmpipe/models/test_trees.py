"""The walker against a walk on foot, and bags against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import INPUTS
from mmpipe.models.trees import over_bags, walk
from mmpipe.models.weights import built_in_models, with_arrays
from tests.mmpipe.models import made_models


def on_foot(inputs: np.ndarray, arrays: made_models.Arrays, tree: int) -> float:
    node = 0
    while node < 31:
        goes_right = inputs[arrays["features"][tree, node]] > arrays["thresholds"][tree, node]
        node = 2 * node + (2 if goes_right else 1)
    return float(arrays["leaves"][tree, node - 31])


def test_a_worked_tree() -> None:
    # Root asks input 5 at 0.5, its right child input 6 at -1; everything else is padding.
    arrays = made_models.trees(1, 8, 1)
    arrays["thresholds"][:] = np.inf
    arrays["features"][:, 0], arrays["features"][:, 2] = 5, 6
    arrays["thresholds"][:, 0], arrays["thresholds"][:, 2] = 0.5, -1.0
    arrays["leaves"][:] = 0.0
    arrays["leaves"][:, 0], arrays["leaves"][:, 16], arrays["leaves"][:, 24] = 1.0, 2.0, 3.0
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "trees", arrays)
    for own, second, leaf in ((0.5, 9.0, 1.0), (0.6, -1.0, 2.0), (0.6, -0.9, 3.0)):
        inputs = np.zeros(INPUTS)
        inputs[5], inputs[6] = own, second
        walk(models[0], inputs)
        assert (models["scratch_trees"][0, :8] == leaf).all()


@given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_as_many_trees_as_there_are_each_as_on_foot(seed: int, bags: int, each: int) -> None:
    arrays = made_models.trees(seed, bags * each, bags)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, "trees", arrays)
    inputs = made_models.rows(seed, 1)[0]
    inputs[arrays["features"][0, 0]] = arrays["thresholds"][0, 0]  # a threshold itself goes left
    walk(models[0], inputs)
    expected = [on_foot(inputs, arrays, tree) for tree in range(bags * each)]
    assert models["scratch_trees"][0, : bags * each].tolist() == expected
    sums = np.reshape(expected, (bags, each)).sum(axis=1)
    mean, std = over_bags(models[0])
    assert mean == pytest.approx(sums.mean(), abs=1e-12)
    assert std == pytest.approx(sums.std(ddof=1) if bags > 1 else 0.0, abs=1e-12)
