"""Boosters of LightGBM as the arrays that the walker of `mmpipe.models.trees` reads.

A tree becomes a perfect heap of depth 5. Where it ends early, the rest of that branch is padding: thresholds
of +inf, and the leaf's value in every place below. What the walker does not do is refused: splits on
categories or on missing values, averaged output, and trees that are deeper.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpipe.errors import ArtefactError
from mmpipe.models.model_inputs import INPUTS
from mmpipe.models.trees import DEPTH
from mmpipe.models.weights import LEAVES, NODES


def export_bags(boosters: Sequence[Any]) -> dict[str, np.ndarray]:
    """Arrays of the form "trees", one booster per bag; a bag with fewer trees is filled up with empty ones.

    Parameters
    ----------
    boosters : sequence of lightgbm.Booster
        Fitted to different samples with the same inputs in the same order.

    Returns
    -------
    dict of str to ndarray
        thresholds (trees, 31), leaves (trees, 32) float64, features (trees, 31) uint8, bags (1,) int64.

    Raises
    ------
    ArtefactError
        A tree cannot be walked; the message names bag, tree and why.
    """
    dumps = [booster.dump_model() for booster in boosters]
    each = max((len(dump["tree_info"]) for dump in dumps), default=0)
    if each == 0:
        raise ArtefactError("no trees: the boosters learned nothing; look at the labels")
    trees = each * len(dumps)
    thresholds, leaves = np.full((trees, NODES), np.inf), np.zeros((trees, LEAVES))
    features = np.zeros((trees, NODES), np.uint8)
    for bag, dump in enumerate(dumps):
        if dump.get("average_output"):
            raise ArtefactError(f"bag {bag}: a random forest averages its trees; boost them instead")
        if dump["max_feature_idx"] >= INPUTS:
            raise ArtefactError(f"bag {bag}: has {dump['max_feature_idx'] + 1} inputs, more than {INPUTS}")
        for number, info in enumerate(dump["tree_info"]):
            row = bag * each + number
            _write(info["tree_structure"], 0, 0, thresholds[row], features[row], leaves[row], bag, number)
    return {
        "thresholds": thresholds,
        "features": features,
        "leaves": leaves,
        "bags": np.array([len(dumps)], np.int64),
    }


def _write(
    branch: dict[str, Any], node: int, depth: int, thresholds: np.ndarray, features: np.ndarray,
    leaves: np.ndarray, bag: int, tree: int,
) -> None:  # fmt: skip
    if "leaf_value" in branch:
        width = LEAVES >> depth
        first = (node - ((1 << depth) - 1)) * width
        leaves[first : first + width] = branch["leaf_value"]
        return
    where = f"bag {bag}, tree {tree}"
    if depth == DEPTH:
        raise ArtefactError(f"{where}: deeper than {DEPTH}; fit it with max_depth={DEPTH}")
    if branch["decision_type"] != "<=":
        raise ArtefactError(f"{where}: splits on categories ({branch['decision_type']}); use numbers only")
    if branch["missing_type"] != "None":
        raise ArtefactError(f"{where}: splits on missing values; fit it with use_missing=false")
    thresholds[node], features[node] = branch["threshold"], branch["split_feature"]
    for child, offset in (("left_child", 1), ("right_child", 2)):
        _write(branch[child], 2 * node + offset, depth + 1, thresholds, features, leaves, bag, tree)
