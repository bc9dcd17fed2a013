"""Without a part, what it would say says nothing; the other parts are as they were."""

import numpy as np
import pytest

from mmpipe.enums import Param, Part, Regime, Toxicity
from mmpipe.models.ablation import FILLS_PER_S, HELD_PARAMS, NOTHING, forget, hold_params, less
from mmpipe.models.fill_survival import fill_prob
from mmpipe.models.model_inputs import AHEAD, BEHIND, DEPTH, FILLERS, INPUTS, RANK, TOXIC_FILLERS
from mmpipe.models.model_set import ModelSet
from mmpipe.models.queue_value import queue_value
from mmpipe.models.weights import TREES, built_in_models
from mmpipe.records import PARAMS_COUNT, SNAPSHOT


def inputs(**values: float) -> np.ndarray:
    row = np.zeros(INPUTS)
    for name, value in values.items():
        row[{"depth": DEPTH, "rank": RANK, "ahead": AHEAD, "behind": BEHIND, "fillers": FILLERS,
             "toxic": TOXIC_FILLERS}[name]] = value  # fmt: skip
    return row


def test_a_value_without_its_model_is_the_distance_less_the_fee() -> None:
    models = built_in_models()
    models["value_form"] = TREES  # an artefact decides
    params = np.ones((2, PARAMS_COUNT))
    hold_params(params, Part.QUEUE_VALUE)
    removed = less(ModelSet(models, {}), Part.QUEUE_VALUE)
    for place in (inputs(depth=3.0), inputs(depth=3.0, toxic=1.0, rank=1.0)):
        value = queue_value(removed.models, place, int(Toxicity.TOXIC), 1.5, params[1])
        assert value == (1.5, 0.0)
    assert models["value_form"][0] == TREES, "what was chosen stays"


def test_a_fill_without_its_model_is_as_likely_everywhere() -> None:
    params = np.ones(PARAMS_COUNT)
    models = less(ModelSet(built_in_models(), {}), Part.FILL_SURVIVAL).models
    places = [inputs(), inputs(rank=1.0, ahead=9.0), inputs(behind=40.0), inputs(fillers=5.0)]
    for horizon_s in (0.5, 1.0, 30.0):
        probs = [fill_prob(models, place, horizon_s, params) for place in places]
        assert probs == pytest.approx([1.0 - np.exp(-FILLS_PER_S * horizon_s)] * len(places))
    params[Param.FILL_PROB_SCALE] = 3.0  # the average may still be learned
    assert fill_prob(models, places[0], 1.0, params) == pytest.approx(1.0 - np.exp(-3.0 * FILLS_PER_S))


def test_flow_and_regime_are_taken_out_of_a_snapshot() -> None:
    row = np.zeros(1, SNAPSHOT)
    row["toxic_buy_prob"], row["toxic_sell_prob"], row["toxicity"] = 0.9, 0.1, Toxicity.TOXIC
    row["regime"], row["regime_probs"] = Regime.CASCADE, [0.0, 0.1, 0.2, 0.7]
    whole = row.copy()
    forget(row[0], int(NOTHING))
    assert row.tobytes() == whole.tobytes()
    forget(row[0], int(Part.TOXICITY))
    assert (row["toxic_buy_prob"], row["toxic_sell_prob"], row["toxicity"]) == (0.0, 0.0, Toxicity.BENIGN)
    assert row["regime"] == Regime.CASCADE
    forget(row[0], int(Part.REGIME))
    assert row["regime"] == Regime.NORMAL
    assert row["regime_probs"][0].tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("part", list(HELD_PARAMS))
def test_parameters_of_a_removed_part_are_held_at_nothing(part: Part) -> None:
    values = np.ones((2, PARAMS_COUNT))
    hold_params(values, part)
    held = set(HELD_PARAMS[part])
    assert all((values[:, param] == (0.0 if param in held else 1.0)).all() for param in Param)


def test_nothing_removed_changes_nothing() -> None:
    chosen = ModelSet(built_in_models(), {})
    same = less(chosen, NOTHING)
    assert same.models.tobytes() == chosen.models.tobytes()
    values = np.ones((1, PARAMS_COUNT))
    hold_params(values, NOTHING)
    assert (values == 1.0).all()


def test_every_part_is_removed_by_something() -> None:
    by_models = Part.QUEUE_VALUE | Part.FILL_SURVIVAL
    by_snapshot = Part.TOXICITY | Part.REGIME
    assert Part(sum(HELD_PARAMS)) | by_models | by_snapshot == ~NOTHING
