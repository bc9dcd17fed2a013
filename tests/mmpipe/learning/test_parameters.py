"""Each observation moves its own parameter, and every estimate stays within its key's bounds."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.config import load
from mmpipe.enums import Param
from mmpipe.learning.engine import LOOPS
from mmpipe.learning.parameters import BOUNDS, SymbolParameters, prior_of

PRIORS = load(Path("pipeline.toml")).priors
NEVER = 1e30


def values(parameters: SymbolParameters, now_ns: int = 1) -> dict[Param, float]:
    return {param: estimate.value for param, estimate in parameters.estimates(now_ns).items()}


def test_without_observations_every_parameter_is_its_prior() -> None:
    found = SymbolParameters(PRIORS, NEVER, NEVER).estimates(1)
    assert set(found) == set(Param)
    for param, estimate in found.items():
        assert estimate.value == pytest.approx(prior_of(PRIORS, param))
        assert estimate.observations == 0
        learned = any(param in loop.params for loop in LOOPS.values())
        assert (estimate.std > 0) == learned


def test_each_observation_moves_only_its_own_parameters() -> None:
    moves = {
        "lead_lag": lambda p: p.add_divergence(2.0, 3.0, 1.0, 1),
        "sigma": lambda p: p.add_move(4.0, 10**9, 1.0, 1),
        "normal": lambda p: p.add_markout(1, 4.0, 1),
        "bias": lambda p: p.add_residual(-1.0, 1),
        "quote": lambda p: [p.add_quote(depth, 0.2, depth < 1, 0.3, 1) for depth in (0.1, 2.0)],
    }
    owners = {
        "lead_lag": {Param.LEAD_LAG_BETA, Param.LEAD_LAG_NOISE_BPS},
        "sigma": {Param.SIGMA_BASELINE_BPS},
        "bias": {Param.QUEUE_VALUE_BIAS_BPS},
        "normal": {Param.ADVERSE_SELECTION_NORMAL_BPS},
        "quote": {Param.KAPPA_PER_BPS, Param.FILL_PROB_SCALE},
    }
    before = values(SymbolParameters(PRIORS, NEVER, NEVER))
    for name, move in moves.items():
        parameters = SymbolParameters(PRIORS, NEVER, NEVER)
        move(parameters)
        after = values(parameters)
        assert {param for param in Param if after[param] != before[param]} == owners[name]


def test_known_truth_is_recovered() -> None:
    rng = np.random.default_rng(2)
    parameters = SymbolParameters(PRIORS, NEVER, NEVER)
    for ts in range(1, 3001):
        divergence = rng.normal()
        parameters.add_divergence(divergence, 0.8 * divergence + rng.normal(0.0, 0.5), 1.0, ts)
        parameters.add_move(rng.normal(0.0, 2.0), 10**9, 1.0, ts)
        parameters.add_markout(2, rng.normal(1.0, 3.0), ts)
    found = parameters.estimates(3000)
    truth = {
        Param.LEAD_LAG_BETA: 0.8,
        Param.LEAD_LAG_NOISE_BPS: 0.5,
        Param.SIGMA_BASELINE_BPS: 2.0 * 60**0.5,
        Param.ADVERSE_SELECTION_TOXIC_BPS: 1.0,
    }
    for param, true in truth.items():
        assert found[param].value == pytest.approx(true, abs=3.5 * found[param].std)
        assert found[param].observations == 3000


def test_one_jump_does_not_set_the_normal_volatility() -> None:
    parameters = SymbolParameters(PRIORS, NEVER, NEVER)
    for ts in range(1, 101):
        parameters.add_move(1.0 if ts != 50 else 5000.0, 10**9, 1.0, ts)
    assert values(parameters)[Param.SIGMA_BASELINE_BPS] < 1.5 * PRIORS.sigma_baseline_bps


def test_estimates_are_clamped_to_the_bounds_of_their_key() -> None:
    assert BOUNDS[Param.LEAD_LAG_BETA] == (-2.0, 2.0)
    assert BOUNDS[Param.KAPPA_PER_BPS][0] > 0.0
    parameters = SymbolParameters(PRIORS, NEVER, NEVER)
    for ts in range(1, 500):
        parameters.add_divergence(1.0, 50.0, 1.0, ts)
        parameters.add_markout(0, -50.0, ts)
    found = values(parameters)
    assert found[Param.LEAD_LAG_BETA] == 2.0
    assert found[Param.ADVERSE_SELECTION_BENIGN_BPS] == 0.0
