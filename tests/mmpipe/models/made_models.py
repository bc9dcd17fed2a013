"""Artefacts made up for tests: sound in every respect, of no market."""

from pathlib import Path
from typing import Any

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.artefact import FORMAT, Artefact, Header, save
from mmpipe.models.artefact_forms import FORMS, answers
from mmpipe.models.model_inputs import AHEAD, FEATURE_NAMES, INPUTS, PLACE_COUNT, RANK, schema_hash
from mmpipe.models.weights import DIRECTIONS, LEAVES, NODES, leading_factor

Arrays = dict[str, np.ndarray]


def rows(seed: int, count: int) -> np.ndarray:
    """Plausible inputs, (count, INPUTS)."""
    chance = np.random.default_rng(seed)
    inputs = chance.normal(size=(count, INPUTS))
    inputs[:, 4] = np.abs(inputs[:, 4])
    inputs[:, 0] = inputs[:, 4] + chance.integers(-1, 3, count) * 0.5
    inputs[:, 1] = inputs[:, 0] - inputs[:, 4]
    inputs[:, RANK] = chance.random(count)
    inputs[:, AHEAD] = np.abs(inputs[:, AHEAD])
    for share in (17, 18, 22, 23, 24):
        inputs[:, share] = chance.random(count)
    return inputs


def linear(seed: int, terms: int = 45) -> Arrays:
    """A linear model with interactions, some of them with rank and with what is ahead."""
    chance = np.random.default_rng(seed)
    mains = [(0, 1 + index) for index in range(INPUTS)]
    others = [(RANK + 1, 22), (RANK + 1, 24), (AHEAD + 1, 24), (5, 22), (24, 29), (6, 6), (7, 24), (1, 22)]
    pairs = np.array([(0, 0), *mains, *others][:terms])
    root = chance.normal(size=(len(pairs), len(pairs))) / len(pairs)
    return {
        "pairs": pairs,
        "coefs": chance.normal(size=len(pairs)),
        "factor": leading_factor(root @ root.T),
        "centre": chance.normal(size=INPUTS),
        "scale": 0.5 + chance.random(INPUTS),
        "low": np.full(INPUTS, -2.5),
        "high": np.full(INPUTS, 2.5),
    }


def trees(seed: int, count: int = 20, bags: int = 5) -> Arrays:
    """Trees that ask for other inputs than the place, with branches that end early."""
    chance = np.random.default_rng(seed)
    features = chance.integers(PLACE_COUNT, INPUTS, (count, NODES)).astype(np.uint8)
    thresholds, leaves = chance.normal(size=(count, NODES)), chance.normal(size=(count, LEAVES))
    thresholds[:, 9], thresholds[:, 19:21], leaves[:, 9:12] = np.inf, np.inf, leaves[:, 8:9]
    return {
        "thresholds": thresholds, "features": features, "leaves": leaves, "bags": np.array([bags]),
    }  # fmt: skip


def hazards(seed: int) -> Arrays:
    """Hazards of both causes in seven pieces."""
    chance = np.random.default_rng(seed)
    fill, adverse = 0.3 * chance.normal(size=INPUTS), 0.3 * chance.normal(size=INPUTS)
    fill[:PLACE_COUNT], adverse[:PLACE_COUNT] = -np.abs(fill[:PLACE_COUNT]), 0.0
    return {
        "ends_s": np.array([0.1, 0.25, 0.7, 1.0, 2.0, 5.0, np.inf]),
        "fill_log": chance.normal(size=7) - 0.5,
        "adverse_log": chance.normal(size=7) - 1.0,
        "fill_gains": 0.5 + chance.random(7),
        "adverse_gains": 0.5 + chance.random(7),
        "fill_coefs": fill,
        "adverse_coefs": adverse,
        "low": np.full(INPUTS, -2.5),
        "high": np.full(INPUTS, 2.5),
    }


def header(kind: ModelKind, form: str, **more: Any) -> Header:
    """A header of this version."""
    names = FORMS[kind, form].names or FEATURE_NAMES if (kind, form) in FORMS else FEATURE_NAMES
    fields: dict[str, Any] = {
        "kind": kind.name.lower(), "form": form, "format": FORMAT, "feature_names": names,
        "schema_hash": schema_hash(names), "created_from": "test", "data": ("made up",),
        "data_sha256": "0" * 64, "train_range_ns": (1, 2), "rows": 100, "seed": 3,
        "metrics": {"skill": 0.1}, "settings": {"horizon_s": 5.0},
    }  # fmt: skip
    return Header(**{**fields, **more})


def write(path: Path, kind: ModelKind, form: str, arrays: Arrays, **more: Any) -> Artefact:
    """An artefact of it, whose golden rows are what it says; `more` replaces fields of its header."""
    inputs = rows(7, 5)
    if kind == ModelKind.TOXICITY:
        inputs = inputs[:, : len(arrays["weights"])]
    return save(path, header(kind, form, **more), arrays, inputs, answers(kind, form, arrays, inputs))


assert DIRECTIONS < 45  # the linear model above has more terms than directions
