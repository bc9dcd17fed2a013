"""Regime: the forward filter of a hidden Markov chain, exactly; a smoother would be found out."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

from mmpipe import config as configuration
from mmpipe.enums import Regime
from mmpipe.features import regime

FEATURES = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml").features
MODEL = regime.built_in_model(FEATURES)
TRAINED = MODEL.copy()
TRAINED["scales"], TRAINED["dwell_s"], TRAINED["degrees"] = (0.4, 0.3, 0.6, 1.1), (40.0, 90.0, 15.0, 4.0), 3.5
TRAINED["jump"][0, 1] = (0.7, 0.0, 0.2, 0.1)
BASELINE_BPS = 8.0
START = 10**15


def fresh() -> np.ndarray:
    rows = np.zeros(1, regime.REGIME)
    rows["probs"] = regime.PRIOR
    return rows


def observe(rows: np.ndarray, step: float, ratio: float, model: np.ndarray = MODEL) -> None:
    sigma_s_bps = ratio * BASELINE_BPS / regime.ROOT_MINUTE
    regime.on_timer(rows[0], START + round(step * 10**9), sigma_s_bps, BASELINE_BPS, model)


def after(ratio: float, seconds: float) -> np.ndarray:
    rows = fresh()
    for step in range(int(seconds * 10)):
        observe(rows, step / 10, ratio)
    return rows


class Chain:
    """The same model as matrices, densities with all their constants, sums over whole paths."""

    def __init__(self, model: np.ndarray) -> None:
        self.model = model[0]

    def transition(self, elapsed_s: float) -> np.ndarray:
        leave = 1.0 - np.exp(-elapsed_s / self.model["dwell_s"])
        return np.diag(1.0 - leave) + leave[:, None] * self.model["jump"]

    def density(self, seen: float) -> np.ndarray:
        scales, degrees = self.model["scales"], self.model["degrees"]
        constant = np.exp(gammaln((degrees + 1) / 2) - gammaln(degrees / 2)) / np.sqrt(degrees * np.pi)
        t = (seen - self.model["means"]) / scales
        return constant / scales * (1 + t * t / degrees) ** (-(degrees + 1) / 2)

    def posteriors(self, seen: np.ndarray, elapsed_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Of each state at each step: given the past alone, and given everything."""
        weight, step = min(elapsed_s, 1.0), self.transition(elapsed_s)
        forward = [np.array(regime.PRIOR)]
        for value in seen:
            now = (forward[-1] @ step) * self.density(value) ** weight
            forward.append(now / now.sum())
        backward = [np.ones(4)]
        for value in seen[:0:-1]:
            now = step @ (self.density(value) ** weight * backward[-1])
            backward.append(now / now.sum())
        smooth = np.array(forward[1:]) * np.array(backward[::-1])
        return np.array(forward[1:]), smooth / smooth.sum(axis=1, keepdims=True)


def simulated(count: int, elapsed_s: float, seed: int) -> np.ndarray:
    rng, chain, state, seen = np.random.default_rng(seed), Chain(MODEL), 1, []
    step = chain.transition(elapsed_s)
    for _ in range(count):
        state = rng.choice(4, p=step[state])
        noise = rng.standard_t(MODEL["degrees"][0])
        seen.append(MODEL["means"][0, state] + MODEL["scales"][0, state] * noise)
    return np.maximum(seen, np.log(regime.RATIO_MIN))


@pytest.mark.parametrize("model", [MODEL, TRAINED], ids=["configured", "trained"])
@pytest.mark.parametrize("elapsed_s", [0.1, 1.0, 7.0])
def test_it_is_the_exact_posterior_given_the_past_and_no_smoother(
    elapsed_s: float, model: np.ndarray
) -> None:
    rows, seen, found = fresh(), simulated(400, elapsed_s, 5), []
    # A reading that is none starts the clock.
    regime.on_timer(rows[0], START - round(elapsed_s * 10**9), np.nan, BASELINE_BPS, model)
    for step, value in enumerate(seen):
        observe(rows, step * elapsed_s, float(np.exp(value)), model)
        found.append(rows["probs"][0].copy())
    filtered, smoothed = Chain(model).posteriors(seen, elapsed_s)
    assert np.abs(np.array(found) - filtered).max() < 1e-9
    assert np.abs(np.array(found) - smoothed).max() > 0.05


def test_what_comes_later_never_changes_what_was_said() -> None:
    seen = simulated(60, 1.0, 8)
    for tail in (seen[30:], seen[30:][::-1]):
        rows = fresh()
        for step, value in enumerate(np.concatenate([seen[:30], tail])):
            observe(rows, step, float(np.exp(value)))
            if step == 29:
                said = rows["probs"][0].copy()
    again = fresh()
    for step, value in enumerate(seen[:30]):
        observe(again, step, float(np.exp(value)))
    assert (again["probs"][0] == said).all()


def test_a_trained_model_replaces_the_configured_one() -> None:
    model = MODEL.copy()
    model["means"] += np.log(10.0)
    rows, other = fresh(), fresh()
    for step in range(300):
        observe(rows, step / 10, 20.0, model)  # ten times as wild counts as nothing special
        observe(other, step / 10, 2.0)
    assert rows["probs"][0] == pytest.approx(other["probs"][0], abs=1e-9)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.3, Regime.QUIET), (1.0, Regime.NORMAL), (2.2, Regime.VOLATILE), (8.0, Regime.CASCADE)],
)
def test_a_lasting_level_of_volatility_is_its_regime(ratio: float, expected: Regime) -> None:
    assert regime.most_probable(after(ratio, 30.0)[0]) == expected


def test_one_odd_reading_does_not_decide() -> None:
    rows = after(1.0, 30.0)
    observe(rows, 30.0, 1e6)
    assert regime.most_probable(rows[0]) == Regime.NORMAL


@given(st.floats(0.0, 1e300), st.floats(0.0, 5.0))
@settings(deadline=None)
def test_probabilities_sum_to_one_and_none_is_impossible(ratio: float, seconds: float) -> None:
    probs = after(ratio, seconds)["probs"][0]
    assert probs.sum() == pytest.approx(1.0)
    assert (probs > 0.0).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_reading_that_is_none_changes_nothing(bad: float) -> None:
    rows = after(1.0, 5.0)
    before = rows["probs"].copy()
    regime.on_timer(rows[0], START + 10**12, bad, BASELINE_BPS, MODEL)
    assert (rows["probs"] == before).all()
