"""A fit of the queue value has to be surely better than what decides without it."""

from dataclasses import replace

import numpy as np
import pytest

from mmpipe.enums import Outcome
from mmpipe.models.model_inputs import DEPTH, INPUTS, RANK
from mmpipe.training.quote_rows import QuoteRows
from mmpipe.training.value_rival import Gain, gain_over_models_in_force

S = 1_000_000_000
FEE_BPS = 1.5


def fills(slope_bps: float, count: int = 3_000) -> QuoteRows:
    """Fills whose loss rises with an input of the state; the models in force say the mean."""
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(count, INPUTS)) * 0.1
    inputs[:, DEPTH], inputs[:, RANK] = rng.uniform(0.5, 2.0, count), rng.uniform(size=count)
    joined_ns, zeros = np.arange(count) * S, np.zeros(count, np.int64)
    loss = 1.0 + slope_bps * inputs[:, 20] + rng.normal(size=count)
    edge, said = inputs[:, DEPTH] - FEE_BPS - loss, inputs[:, DEPTH] - FEE_BPS - 3.0
    outcome = np.full(count, int(Outcome.FILLED))
    return QuoteRows(
        joined_ns, zeros, inputs, zeros, outcome, np.ones(count), joined_ns + 1, edge, joined_ns + S // 2,
        said, np.ones(count),
    )  # fmt: skip


def test_what_was_learned_is_better_and_its_level_does_not_count() -> None:
    gain = gain_over_models_in_force(fills(5.0), FEE_BPS, 1)
    assert gain.sure
    assert gain.gain == pytest.approx(25.0 * 0.01, abs=0.1)  # variance of slope times input
    assert gain.slope == pytest.approx(1.0, abs=0.1)  # what came moved as far as the fit said
    assert gain.low < gain.slope < gain.high
    assert str(gain).startswith("saves +0.")


def test_what_held_at_first_and_then_turned_is_not_sure() -> None:
    rows = fills(5.0)
    late = np.arange(len(rows)) > 0.5 * len(rows)
    turned = replace(rows, edge_bps=rows.edge_bps + 10.0 * late * rows.inputs[:, 20])
    assert not gain_over_models_in_force(turned, FEE_BPS, 1).sure


@pytest.mark.parametrize(("gain", "low", "sure"), [(0.1, 0.2, True), (0.1, -0.2, False), (-0.1, 0.2, False)])
def test_it_has_to_save_and_to_point_the_right_way(gain: float, low: float, sure: bool) -> None:
    assert Gain(gain, 0.5, low, 0.9).sure == sure
    assert not Gain(float("nan"), 0.5, low, 0.9).sure
    assert not Gain(gain, 0.5, float("nan"), 0.9).sure


def test_noise_is_not_sure_and_too_little_is_refused() -> None:
    assert not gain_over_models_in_force(fills(0.0), FEE_BPS, 1).sure
    for count in (0, 90, 110):
        with pytest.raises(ValueError, match="100 are needed before the first piece"):
            gain_over_models_in_force(fills(1.0, count), FEE_BPS, 1)
