"""A fit of the queue value has to be surely better than what decides without it."""

import numpy as np
import pytest

from mmpipe.enums import Outcome
from mmpipe.models.model_inputs import DEPTH, INPUTS, RANK
from mmpipe.training.quote_rows import QuoteRows
from mmpipe.training.value_rival import gain_over_models_in_force

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
    assert str(gain).startswith("saves +0.")


def test_noise_is_not_sure_and_too_little_is_refused() -> None:
    assert not gain_over_models_in_force(fills(0.0), FEE_BPS, 1).sure
    with pytest.raises(ValueError, match="100 are needed"):
        gain_over_models_in_force(fills(1.0, 90), FEE_BPS, 1)
    with pytest.raises(ValueError, match="100 are needed"):
        gain_over_models_in_force(fills(1.0, 0), FEE_BPS, 1)
