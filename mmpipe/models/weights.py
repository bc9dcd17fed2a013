"""What the models of the decision path decide by, as one record that kernels are handed in one argument.

The record has room for the largest model of each form, so that whatever is loaded is the same type to a
kernel, and one pointer instead of twenty arrays crosses each call: handing over those took 0.3 us within
compiled code and 4 us from Python. `scratch` fields are overwritten by every evaluation: kernels allocate
nothing.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from mmpipe.boards import MODEL_KINDS
from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import INPUTS

BUILT_IN: Final = 0  # forms of a model
LINEAR: Final = 1
TREES: Final = 2
HAZARDS: Final = 3
NODES: Final = 31  # inner nodes of a perfect tree of depth 5
LEAVES: Final = 32
TREES_STEP: Final = 8  # trees walked at once
TREES_MAX: Final = 256
TERMS_MAX: Final = 96  # of a linear model; a multiple of 4
DIRECTIONS: Final = 32  # of its posterior covariance
PIECES_MAX: Final = 32  # of a hazard

MODELS = np.dtype(
    [
        ("models_id", "i8"),  # first 8 bytes of the digest over the artefacts in force; 0: all built in
        ("artefact_ids", "i8", (MODEL_KINDS,)),  # of each artefact, by ModelKind; 0: built in
        ("value_form", "i8"),  # in force: BUILT_IN, LINEAR or TREES
        ("survival_form", "i8"),  # BUILT_IN or HAZARDS
        ("terms", "i8"),
        ("trees", "i8"),  # a multiple of TREES_STEP
        ("bags", "i8"),
        ("bag_trees", "i8"),  # trees of each bag; those after bags x bag_trees are padding
        ("pieces", "i8"),
        # linear: inputs are taken into [low, high], less centre, times rate
        ("linear_pairs", "i8", (TERMS_MAX, 2)),  # factors of a term: 0 for one, else 1 + index of an input
        ("linear_coefs", "f8", (TERMS_MAX,)),  # posterior mean, bps per unit of the term
        ("linear_factor", "f8", (TERMS_MAX, DIRECTIONS)),  # F of the posterior covariance F F'
        ("linear_centre", "f8", (INPUTS,)),
        ("linear_rate", "f8", (INPUTS,)),
        ("linear_low", "f8", (INPUTS,)),
        ("linear_high", "f8", (INPUTS,)),
        # trees: perfect heaps
        ("tree_thresholds", "f8", (TREES_MAX, NODES)),
        ("tree_leaves", "f8", (TREES_MAX, LEAVES)),
        ("tree_features", "u1", (TREES_MAX, NODES)),
        # hazards
        ("hazard_ends_s", "f8", (PIECES_MAX,)),  # where each piece ends; the last is infinite
        ("hazard_fill", "f8", (PIECES_MAX,)),  # per second, where all inputs are 0
        ("hazard_adverse", "f8", (PIECES_MAX,)),
        ("hazard_fill_gains", "f8", (PIECES_MAX,)),  # share of the coefs' say that a piece feels, > 0
        ("hazard_adverse_gains", "f8", (PIECES_MAX,)),
        ("hazard_fill_coefs", "f8", (INPUTS,)),  # of the log hazard, per unit of input
        ("hazard_adverse_coefs", "f8", (INPUTS,)),
        ("hazard_low", "f8", (INPUTS,)),  # inputs are taken into [low, high]
        ("hazard_high", "f8", (INPUTS,)),
        ("scratch_units", "f8", (1 + INPUTS,)),
        ("scratch_terms", "f8", (TERMS_MAX,)),
        ("scratch_spread", "f8", (DIRECTIONS,)),
        ("scratch_trees", "f8", (TREES_MAX,)),
    ],
    align=True,
)


def built_in_models() -> np.ndarray:
    """The heuristics, which need no numbers: (1,) MODELS."""
    models = np.zeros(1, MODELS)
    models["linear_rate"] = 1.0
    models["tree_thresholds"] = np.inf
    models["hazard_ends_s"] = np.inf
    models["pieces"] = models["bags"] = models["bag_trees"] = 1
    return models


def with_arrays(
    models: np.ndarray, kind: ModelKind, form: str, arrays: Mapping[str, np.ndarray]
) -> np.ndarray:
    """The models with one of them replaced by what an artefact holds.

    Parameters
    ----------
    models : (1,) MODELS
        Left as they are.
    kind : ModelKind
        QUEUE_VALUE or FILL_SURVIVAL.
    form : str
        "linear", "trees" or "hazards".
    arrays : mapping of str to ndarray
        As the artefact of that form holds them, checked.

    Returns
    -------
    (1,) MODELS
    """
    changed = models.copy()
    row = changed[0]
    if kind == ModelKind.QUEUE_VALUE and form == "linear":
        row["value_form"], row["terms"] = LINEAR, len(arrays["coefs"])
        for name in ("pairs", "coefs", "centre", "low", "high"):
            row[f"linear_{name}"][: len(arrays[name])] = arrays[name]
        row["linear_rate"][:] = 1.0 / arrays["scale"]
        row["linear_factor"][:] = 0.0
        row["linear_factor"][: len(arrays["factor"]), : arrays["factor"].shape[1]] = arrays["factor"]
    elif kind == ModelKind.QUEUE_VALUE and form == "trees":
        count, bags = len(arrays["leaves"]), int(arrays["bags"][0])
        row["value_form"], row["trees"] = TREES, -(-count // TREES_STEP) * TREES_STEP
        row["bags"], row["bag_trees"] = bags, count // bags
        for name in ("thresholds", "leaves", "features"):
            row[f"tree_{name}"][:count] = arrays[name]
    else:
        assert (kind, form) == (ModelKind.FILL_SURVIVAL, "hazards"), f"{kind.name} has no form '{form}'"
        row["survival_form"], row["pieces"] = HAZARDS, len(arrays["ends_s"])
        for name in ("ends_s", "fill_gains", "adverse_gains", "fill_coefs", "adverse_coefs", "low", "high"):
            row[f"hazard_{name}"][: len(arrays[name])] = arrays[name]
        row["hazard_fill"][: len(arrays["fill_log"])] = np.exp(arrays["fill_log"])
        row["hazard_adverse"][: len(arrays["adverse_log"])] = np.exp(arrays["adverse_log"])
    return changed


def leading_factor(covariance: np.ndarray) -> np.ndarray:
    """F with F F' close to a covariance: its DIRECTIONS widest directions; exact up to that many terms.

    Parameters
    ----------
    covariance : ndarray of float64, shape (terms, terms)
        Symmetric, positive semi-definite.

    Returns
    -------
    ndarray of float64, shape (terms, min(terms, DIRECTIONS))
        Columns from the widest direction on.
    """
    values, vectors = np.linalg.eigh(covariance)
    kept = slice(None, -DIRECTIONS - 1, -1)
    factor: np.ndarray = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0.0))
    return np.ascontiguousarray(factor)


assert INPUTS < 256  # tree_features are uint8
