"""Fit of the queue value: what is lost of a quote's distance by the time its fill is judged.

Under TREES_MIN labels a Bayesian regression on the inputs and, if a later stretch of the training time says
they help, their products. No prior holds the slope of the distance: what lies further out fills when more
happens, and a prior of no slope would promise every fill the whole of its distance. Above TREES_MIN bags of
monotone boosted trees, each on a sample of stretches of its own. Fills of overlapping windows weigh the share
of them that is news. Loss has heavy tails, from sweeps: it is winsorised for the fit, and the mean put right
afterwards, because a mean that leaves out the worst fills is the wrong mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import AHEAD, DEPTH, FEATURE_NAMES, INPUTS, RANK
from mmpipe.models.weights import TERMS_MAX, built_in_models, leading_factor, with_arrays
from mmpipe.training.linear import Linear, fit_linear, uniqueness
from mmpipe.training.live_models import losses_all
from mmpipe.training.needs import require

TREES_MIN: Final = 50_000  # labels
LABELS_MIN: Final = 100
TAIL: Final = 0.01  # of each end of the losses that is winsorised
RANGE: Final = 0.005  # of each end of an input beyond which the model does not extrapolate
INNER_SHARE: Final = 0.75  # of the training time that fits while a form is chosen
PLACE: Final = (1 + RANK, 1 + AHEAD)  # units whose terms may not fall
FREE: Final = 2  # terms that no prior holds: one, and the distance
PAIR_SCALE: Final = 0.3  # of the prior of a product over that of an input
BAGS: Final = 5
TREES_PER_BAG: Final = 20
TREE_PARAMS: Final[dict[str, Any]] = {
    "objective": "regression", "max_depth": 5, "num_leaves": 32, "learning_rate": 0.15,
    "min_data_in_leaf": 200, "lambda_l2": 10.0, "feature_fraction": 0.7,
    "monotone_constraints_method": "advanced",
    "deterministic": True, "force_row_wise": True, "num_threads": 2, "verbosity": -1, "use_missing": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ValueFit:
    """Arrays of a form of `models.queue_value`, and what to tell about them.

    Attributes
    ----------
    form : str
        "linear" or "trees".
    arrays : mapping of str to ndarray
        As `weights.with_arrays` takes them.
    importance : mapping of str to float
        Share of the fitted variance that an input carries, alone or in products.
    notes : tuple of str
        Choices made on the way.
    """

    form: str
    arrays: Mapping[str, np.ndarray]
    importance: Mapping[str, float]
    notes: tuple[str, ...]


def fit_queue_value(
    inputs: np.ndarray, loss_bps: np.ndarray, start_ns: np.ndarray, end_ns: np.ndarray, seed: int
) -> ValueFit:
    """Fit the form that the number of labels allows.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, INPUTS)
        In order of time.
    loss_bps : ndarray of float64, shape (n,)
        As `queue_value.loss_target_bps` makes it.
    start_ns, end_ns : ndarray of int64, shape (n,)
        Window of each label.
    seed : int
        Of the bags.

    Raises
    ------
    ValueError
        Fewer than LABELS_MIN labels.
    """
    if not len(loss_bps) >= LABELS_MIN:
        raise ValueError(
            f"queue value: {len(loss_bps)} fills are known, {LABELS_MIN} are needed; record longer"
        )
    share = uniqueness(start_ns, end_ns)
    if len(loss_bps) > TREES_MIN:
        return _fit_trees(inputs, loss_bps, share, seed)
    return _fit_linear(inputs, loss_bps, share)


def _winsorised(loss_bps: np.ndarray) -> np.ndarray:
    return np.clip(loss_bps, *np.quantile(loss_bps, (TAIL, 1.0 - TAIL)))


def _fit_linear(inputs: np.ndarray, loss_bps: np.ndarray, share: np.ndarray) -> ValueFit:
    units, ranges = _standard(inputs)
    target = _winsorised(loss_bps)
    cut = int(INNER_SHARE * len(target))
    early = (units[:cut], target[:cut], share[:cut])
    forms = {"inputs": single_terms(), "inputs and products": single_terms() + _best_products(*early)}
    errors = {}
    for name, terms in forms.items():
        trial, kept = _rising(*early, terms)
        off = _scaled(units[cut:], kept) @ trial.mean - target[cut:]
        errors[name] = float(np.average(off**2, weights=share[cut:]))
    chosen = min(errors, key=lambda name: errors[name])
    terms = single_terms()
    if chosen != "inputs":
        terms += _best_products(units, target, share)
    fitted, terms = _rising(units, target, share, terms)
    low, high, centre, scale = ranges
    scales = np.array([PAIR_SCALE if first > 0 else 1.0 for first, _ in terms])
    arrays = {
        "pairs": np.array(terms, dtype=np.int64),
        "coefs": fitted.mean * scales,
        "factor": leading_factor(fitted.covariance * scales * scales[:, None]),
        "centre": centre, "scale": scale, "low": low, "high": high,
    }  # fmt: skip
    # The winsorised mean, and slopes in the queue that the kernel does not let fall below zero.
    arrays["coefs"][0] += float(np.average(loss_bps - _said("linear", arrays, inputs), weights=share))
    flat = np.average(target[:cut], weights=share[:cut]) - target[cut:]
    notes = (
        f"linear in {chosen}, {len(terms)} terms: {errors[chosen]:.4g} bps^2 off on the last part of the "
        f"training time, {np.average(flat**2, weights=share[cut:]):.4g} by a constant",
        f"noise {fitted.noise_std:.3g} bps, {share.sum():.0f} independent labels of {len(share)}",
    )
    return ValueFit("linear", arrays, _linear_importance(fitted, _scaled(units, terms), terms), notes)


def _said(form: str, arrays: Mapping[str, np.ndarray], inputs: np.ndarray) -> np.ndarray:
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, form, arrays)
    out = np.zeros((len(inputs), 2))
    losses_all(models, np.ascontiguousarray(inputs), out)
    return out[:, 0]


def _rising(
    units: np.ndarray, target: np.ndarray, share: np.ndarray, terms: list[tuple[int, int]]
) -> tuple[Linear, list[tuple[int, int]]]:
    # Rank, or what is ahead, is left out where more of it would mean a smaller loss.
    for _ in range(3):
        fitted = fit_linear(_scaled(units, terms), target, share, FREE)
        falling = [unit for unit in PLACE if (0, unit) in terms and fitted.mean[terms.index((0, unit))] < 0.0]
        if not falling:
            break
        worst = min(falling, key=lambda unit: fitted.mean[terms.index((0, unit))])
        terms = [term for term in terms if worst not in term]
    return fitted, terms


def _best_products(units: np.ndarray, target: np.ndarray, share: np.ndarray) -> list[tuple[int, int]]:
    # As many as the kernel has room for: those that carry most of what all of them together explain.
    singles, products = single_terms(), product_terms()
    design = _scaled(units, singles + products)
    weight = np.abs(fit_linear(design, target, share, FREE).mean * design.std(axis=0))[len(singles) :]
    best = np.argsort(-weight, kind="stable")[: TERMS_MAX - len(singles)]
    return [products[index] for index in sorted(best.tolist())]


def single_terms() -> list[tuple[int, int]]:
    """One and every input, the distance first, as pairs of factors: 0 is one, 1 + index an input."""
    assert DEPTH == 0, "the first terms are one and the distance"
    return [(0, 0), *((0, 1 + index) for index in range(INPUTS))]


def product_terms() -> list[tuple[int, int]]:
    """Products of two inputs, and squares of all but the place in the queue, which stays linear."""
    squares = [(unit, unit) for unit in range(1, INPUTS + 1) if unit not in PLACE]
    pairs = [pair for pair in combinations(range(1, INPUTS + 1), 2) if not set(pair) <= set(PLACE)]
    return squares + pairs


def _standard(inputs: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    # Clipped to the range seen, then centred and scaled; a constant input is 0 throughout.
    low, high = np.quantile(inputs, (RANGE, 1.0 - RANGE), axis=0)
    low[RANK], high[RANK] = 0.0, 1.0
    inside = np.clip(inputs, low, high)
    centre, scale = inside.mean(axis=0), inside.std(axis=0)
    scale = np.where(scale > 1e-9 * (1.0 + np.abs(centre)), scale, 1.0)
    units = np.concatenate((np.ones((len(inputs), 1)), (inside - centre) / scale), axis=1)
    return units, (low, high, centre, scale)


def _scaled(units: np.ndarray, terms: list[tuple[int, int]]) -> np.ndarray:
    first, second = np.array(terms).T
    design: np.ndarray = units[:, first] * units[:, second]
    design[:, first > 0] *= PAIR_SCALE
    return design


def _linear_importance(fitted: Linear, design: np.ndarray, terms: list[tuple[int, int]]) -> dict[str, float]:
    spread = (fitted.mean * design.std(axis=0)) ** 2
    total = max(float(spread.sum()), 1e-300)
    shares = np.zeros(INPUTS + 1)
    for (first, second), value in zip(terms, spread, strict=True):
        shares[[first, second]] += value / total / 2.0 if first else [0.0, value / total]
    return {name: float(shares[1 + index]) for index, name in enumerate(FEATURE_NAMES)}


def _fit_trees(inputs: np.ndarray, loss_bps: np.ndarray, share: np.ndarray, seed: int) -> ValueFit:
    lightgbm = require("lightgbm")
    from mmpipe.training.tree_export import export_bags

    target = _winsorised(loss_bps)
    constraints = [0] * INPUTS
    constraints[RANK] = constraints[AHEAD] = 1
    rng = np.random.default_rng(seed)
    blocks = np.array_split(np.arange(len(target)), 100)
    boosters, gains = [], np.zeros(INPUTS)
    for bag in range(BAGS):
        drawn = np.concatenate([blocks[index] for index in rng.integers(0, len(blocks), len(blocks))])
        rows = lightgbm.Dataset(inputs[drawn], target[drawn], weight=share[drawn], free_raw_data=False)
        params = {**TREE_PARAMS, "monotone_constraints": constraints, "seed": seed + bag}
        boosters.append(lightgbm.train(params, rows, num_boost_round=TREES_PER_BAG))
        gains += boosters[-1].feature_importance("gain")
    arrays = dict(export_bags(boosters))
    correction = float(np.average(loss_bps - _said("trees", arrays, inputs), weights=share))
    arrays["leaves"] = arrays["leaves"] + correction / (len(arrays["leaves"]) // BAGS)
    importance = {name: float(gains[k] / max(gains.sum(), 1e-300)) for k, name in enumerate(FEATURE_NAMES)}
    return ValueFit("trees", arrays, importance, (f"{BAGS} bags of {TREES_PER_BAG} trees",))
