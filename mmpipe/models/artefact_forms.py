"""The forms an artefact may have: which arrays, what they promise, and what they say about a row.

| kind          | form     | arrays                                                                          |
|---------------|----------|---------------------------------------------------------------------------------|
| queue_value   | linear   | pairs, coefs, factor (`leading_factor`), centre, scale, low, high               |
| queue_value   | trees    | thresholds, features, leaves, bags (count)                                      |
| fill_survival | hazards  | ends_s, fill_log, adverse_log, fill_gains, adverse_gains, fill_coefs,           |
|               |          | adverse_coefs, low, high                                                        |
| toxicity      | logistic | weights, means, scales, bias, prior_log_odds, llr_against (see `toxicity`)|
| microprice    | table    | table_tick, step_tick (`microprice.preset`)                                     |
| regime        | states   | means, scales, dwell_s, jump, degrees (`regime.REGIME_MODEL`)                   |

Golden outputs: loss and its uncertainty in bps (queue value), chances of a fill at the standard horizons with
kappa and scale 1 (fill survival), probability (toxicity), the table's and the states' own numbers otherwise.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.features.microprice import STATES, mirror
from mmpipe.models.fill_survival import HORIZONS, fill_probs_standard
from mmpipe.models.model_inputs import AHEAD, FEATURE_NAMES, INPUTS, PLACE_COUNT, RANK
from mmpipe.models.queue_value import loss_bps_of
from mmpipe.models.trade_features import TOXICITY_INPUTS
from mmpipe.models.weights import (
    DIRECTIONS,
    LEAVES,
    NODES,
    PIECES_MAX,
    TERMS_MAX,
    TREES_MAX,
    built_in_models,
    with_arrays,
)
from mmpipe.records import PARAMS_COUNT, REGIMES

GAIN_MAX: Final = 10.0  # a hazard that e^200 multiplies is still a number

Arrays = Mapping[str, np.ndarray]


class FormSpec(NamedTuple):
    """What a form demands.

    Attributes
    ----------
    names : tuple of str
        Inputs; empty: its own, the artefact's word counts.
    arrays : dict of str to (str, tuple of str)
        dtype, and the sizes of the dimensions by letter: equal letters are equal sizes, `F` is the number
        of inputs, digits are themselves.
    promises : callable
        Of the arrays: why it may not decide; "" when it may.
    """

    names: tuple[str, ...]
    arrays: dict[str, tuple[str, tuple[str, ...]]]
    promises: Callable[[Arrays], str]


def refusal(spec: FormSpec, arrays: Arrays, inputs: int) -> str:
    """Why arrays are not of a form; "" when they are."""
    if set(arrays) != set(spec.arrays):
        return f"arrays {sorted(arrays)} instead of {sorted(spec.arrays)}"
    sizes = {"F": inputs}
    for name, (dtype, shape) in spec.arrays.items():
        array = arrays[name]
        if array.dtype != np.dtype(dtype):
            return f"{name} is {array.dtype}, not {np.dtype(dtype)}"
        wanted = tuple(
            int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
            for letter, size in zip(shape, array.shape, strict=False)
        )
        if len(shape) != array.ndim or wanted != array.shape or 0 in array.shape:
            return (
                f"{name} has shape {array.shape} instead of {wanted if len(shape) == array.ndim else shape}"
            )
        # Padding of trees and the end of the last piece are infinite; nothing else may be.
        if array.dtype.kind == "f" and name not in ("thresholds", "ends_s") and not np.isfinite(array).all():
            return f"{name} holds numbers that are none"
    return spec.promises(arrays)


def golden_error(
    spec: FormSpec, kind: ModelKind, form: str, arrays: Arrays, inputs: np.ndarray, outputs: np.ndarray
) -> float:
    """Largest difference between what arrays say about golden rows and what they should; inf: cannot be."""
    said = answers(kind, form, arrays, inputs)
    if said.shape != outputs.shape:
        return np.inf
    return float(np.max(np.abs(said - outputs)))


def answers(kind: ModelKind, form: str, arrays: Arrays, inputs: np.ndarray) -> np.ndarray:
    """What a model says about rows of inputs, by the kernels that decide live.

    Parameters
    ----------
    kind, form
        Of the artefact.
    arrays : mapping
        Checked.
    inputs : (n, F) float64

    Returns
    -------
    (n, outputs) float64
        Columns as the module says.
    """
    if kind == ModelKind.TOXICITY:
        scaled = (inputs - arrays["means"]) / arrays["scales"]
        logits = scaled @ arrays["weights"] + arrays["bias"][0]
        return 1.0 / (1.0 + np.exp(-logits))[:, None]
    if kind in (ModelKind.MICROPRICE, ModelKind.REGIME):
        own = np.concatenate([arrays[name].ravel() for name in sorted(arrays)])
        return np.tile(own, (len(inputs), 1))
    models, params = with_arrays(built_in_models(), kind, form, arrays), np.ones(PARAMS_COUNT)
    if kind == ModelKind.QUEUE_VALUE:
        return np.array([loss_bps_of(models, row) for row in np.ascontiguousarray(inputs)])
    out = np.zeros((len(inputs), HORIZONS))
    for index, row in enumerate(np.ascontiguousarray(inputs)):
        fill_probs_standard(models, row, params, out[index])
    return out


def _linear_promises(arrays: Arrays) -> str:
    pairs, place = arrays["pairs"], (RANK + 1, AHEAD + 1)
    if len(pairs) > TERMS_MAX:
        return f"{len(pairs)} terms, more than {TERMS_MAX}"
    if not ((pairs >= 0).all() and (pairs <= INPUTS).all()):
        return f"pairs name inputs outside 0 to {INPUTS}"
    if np.isin(pairs, place).all(axis=1).any():
        return "a term is a product of rank or what is ahead with one of them: not linear in the queue"
    if not (arrays["scale"] > 0.0).all() or not (arrays["low"] <= arrays["high"]).all():
        return "scale must be > 0 and low <= high"
    if arrays["factor"].shape[1] > DIRECTIONS:
        return f"factor has {arrays['factor'].shape[1]} directions, more than {DIRECTIONS}"
    return ""


def _tree_promises(arrays: Arrays) -> str:
    thresholds, features, leaves = arrays["thresholds"], arrays["features"], arrays["leaves"]
    count, bags = len(leaves), int(arrays["bags"][0])
    if count > TREES_MAX or not (1 <= bags <= count and count % bags == 0):
        return f"{count} trees in {bags} bags: at most {TREES_MAX}, the same number in each"
    if np.isnan(thresholds).any() or (thresholds == -np.inf).any():
        return "thresholds hold numbers that are none"
    if (features >= INPUTS).any():
        return f"a node asks for input {int(features.max())} of {INPUTS}"
    for tree in range(count):
        low, high = _boxes(thresholds[tree], features[tree])
        for name, index in (("queue_rank", RANK), ("log_ahead_notional", AHEAD)):
            if _falls(low, high, leaves[tree], index):
                return f"the loss of tree {tree} falls with {name}: fit it with monotone_constraints +1 there"
    return ""


def _boxes(thresholds: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Region of each leaf, (32, INPUTS): low < input <= high; an empty one was padding.
    low, high = np.full((NODES + LEAVES, INPUTS), -np.inf), np.full((NODES + LEAVES, INPUTS), np.inf)
    for node in range(NODES):
        left, right, feature = 2 * node + 1, 2 * node + 2, int(features[node])
        low[left], high[left], low[right], high[right] = low[node], high[node], low[node], high[node]
        high[left, feature] = min(high[node, feature], thresholds[node])
        low[right, feature] = max(low[node, feature], thresholds[node])
    return low[NODES:], high[NODES:]


def _falls(low: np.ndarray, high: np.ndarray, leaves: np.ndarray, feature: int) -> bool:
    real = np.flatnonzero((low < high).all(axis=1))
    others = np.arange(INPUTS) != feature
    low, high, leaves = low[real], high[real], leaves[real]
    # Leaf i lies below leaf j along the feature and they share a region in all others.
    below = high[:, None, feature] <= low[None, :, feature]
    shared = (
        np.maximum(low[:, None], low[None])[..., others] < np.minimum(high[:, None], high[None])[..., others]
    )
    return bool((below & shared.all(axis=2) & (leaves[:, None] > leaves[None] + 1e-12)).any())


def _hazard_promises(arrays: Arrays) -> str:
    ends_s, fill, adverse = arrays["ends_s"], arrays["fill_coefs"], arrays["adverse_coefs"]
    if len(ends_s) > PIECES_MAX or not (np.diff(ends_s, prepend=0.0) > 0.0).all() or ends_s[-1] != np.inf:
        return f"ends_s must rise from above 0 to inf in at most {PIECES_MAX} pieces"
    if not (fill[:PLACE_COUNT] <= 0.0).all():
        return f"fill_coefs of {FEATURE_NAMES[:PLACE_COUNT]} must be <= 0: a fill never gets likelier behind"
    if (adverse[:PLACE_COUNT] != 0.0).any():
        return f"adverse_coefs of {FEATURE_NAMES[:PLACE_COUNT]} must be 0: the market does not see our place"
    for name in ("fill_gains", "adverse_gains"):
        if not ((arrays[name] > 0.0) & (arrays[name] <= GAIN_MAX)).all():
            return f"{name} must be > 0, a fill never gets likelier behind, and <= {GAIN_MAX:g}"
    return "" if (arrays["low"] <= arrays["high"]).all() else "low must be <= high"


def _logistic_promises(arrays: Arrays) -> str:
    if not (arrays["scales"] > 0.0).all():
        return "scales must be > 0"
    return "" if arrays["llr_against"][0] <= 0.0 else "llr_against must be <= 0"


def _table_promises(arrays: Arrays) -> str:
    # Bids and asks are mirror images: what is expected at an imbalance is the opposite at its opposite.
    table = arrays["table_tick"]
    mirrored = table[[mirror(index) for index in range(STATES)]]
    if not np.allclose(table, -mirrored, rtol=0.0, atol=1e-9):
        return "table_tick is not odd in the imbalance"
    return "" if arrays["step_tick"][0] > 0 else "step_tick must be > 0"


def _state_promises(arrays: Arrays) -> str:
    if not all((arrays[name] > 0.0).all() for name in ("scales", "dwell_s", "degrees")):
        return "scales, dwell_s and degrees must be > 0"
    if not (np.diff(arrays["means"]) > 0.0).all():
        return "means must rise from quiet to cascade"
    jump = arrays["jump"]
    if not ((jump >= 0.0).all() and np.allclose(jump.sum(axis=1), 1.0, rtol=0.0, atol=1e-9)):
        return "rows of jump must be probabilities"
    return "" if not np.diag(jump).any() else "the diagonal of jump must be 0: who leaves goes elsewhere"


_PER_INPUT: Final = ("f8", ("F",))
_PER_STATE: Final = ("f8", (str(REGIMES),))
_NUMBER: Final = ("f8", ("1",))
FORMS: Final = {
    (ModelKind.QUEUE_VALUE, "linear"): FormSpec(
        FEATURE_NAMES,
        {
            "pairs": ("i8", ("T", "2")), "coefs": ("f8", ("T",)), "factor": ("f8", ("T", "D")),
            "centre": _PER_INPUT, "scale": _PER_INPUT, "low": _PER_INPUT, "high": _PER_INPUT,
        },
        _linear_promises,
    ),
    (ModelKind.QUEUE_VALUE, "trees"): FormSpec(
        FEATURE_NAMES,
        {
            "thresholds": ("f8", ("N", str(NODES))), "features": ("u1", ("N", str(NODES))),
            "leaves": ("f8", ("N", str(LEAVES))), "bags": ("i8", ("1",)),
        },
        _tree_promises,
    ),
    (ModelKind.FILL_SURVIVAL, "hazards"): FormSpec(
        FEATURE_NAMES,
        {
            "ends_s": ("f8", ("B",)), "fill_log": ("f8", ("B",)), "adverse_log": ("f8", ("B",)),
            "fill_gains": ("f8", ("B",)), "adverse_gains": ("f8", ("B",)),
            "fill_coefs": _PER_INPUT, "adverse_coefs": _PER_INPUT, "low": _PER_INPUT, "high": _PER_INPUT,
        },
        _hazard_promises,
    ),
    (ModelKind.TOXICITY, "logistic"): FormSpec(
        TOXICITY_INPUTS,
        {
            "weights": _PER_INPUT, "means": _PER_INPUT, "scales": _PER_INPUT, "bias": _NUMBER,
            "prior_log_odds": _NUMBER, "llr_against": _NUMBER,
        },
        _logistic_promises,
    ),
    (ModelKind.MICROPRICE, "table"): FormSpec(
        (), {"table_tick": ("f8", (str(STATES),)), "step_tick": ("i8", ("1",))}, _table_promises
    ),
    (ModelKind.REGIME, "states"): FormSpec(
        (),
        {
            "means": _PER_STATE, "scales": _PER_STATE, "dwell_s": _PER_STATE, "degrees": _NUMBER,
            "jump": ("f8", (str(REGIMES), str(REGIMES))),
        },
        _state_promises,
    ),
}  # fmt: skip
