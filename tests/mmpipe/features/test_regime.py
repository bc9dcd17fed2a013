from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import Regime
from mmpipe.features import regime

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.features)
BASELINE_BPS = 8.0


def after(ratio: float, seconds: float) -> np.ndarray:
    rows = np.zeros(1, regime.REGIME)
    rows["probs"] = regime.PRIOR
    for step in range(int(seconds * 10)):
        sigma_s_bps = ratio * BASELINE_BPS / regime.ROOT_MINUTE
        regime.on_timer(rows[0], 10**15 + step * 10**8, sigma_s_bps, BASELINE_BPS, SETTINGS)
    return rows


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.3, Regime.QUIET), (1.0, Regime.NORMAL), (2.2, Regime.VOLATILE), (8.0, Regime.CASCADE)],
)
def test_a_lasting_level_of_volatility_is_its_regime(ratio: float, expected: Regime) -> None:
    assert regime.most_probable(after(ratio, 30.0)[0]) == expected


@given(st.floats(0.0, 1e6), st.floats(0.0, 5.0))
def test_probabilities_sum_to_one_and_none_is_impossible(ratio: float, seconds: float) -> None:
    probs = after(ratio, seconds)["probs"][0]
    assert probs.sum() == pytest.approx(1.0)
    assert (probs > 0.0).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_reading_that_is_none_changes_nothing(bad: float) -> None:
    rows = after(1.0, 5.0)
    before = rows["probs"].copy()
    regime.on_timer(rows[0], 10**15 + 10**12, bad, BASELINE_BPS, SETTINGS)
    assert (rows["probs"] == before).all()
