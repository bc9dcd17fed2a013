"""Gradient-boosted trees of depth 5, walked eight at a time without a branch.

A tree is a perfect heap: node n has the children 2n + 1 and 2n + 2, inner nodes come first, and a branch that
ends early is padded with nodes whose threshold is +inf, which always go left. So every tree takes five steps,
and the processor works on eight at once while the next node of each is being fetched:

    node' = 2 node + 1 + (input > threshold)          five times, then leaf[node - 31]

Inputs must be finite: NaN would go left everywhere. Unsigned indices spare the test for negative ones. Bags
are groups of trees fitted on different samples: their mean is the answer, their spread its uncertainty.

References
----------
LightGBM decides `input <= threshold` to the left; the sum over trees is its raw prediction.
Asadi, Lin, de Vries, "Runtime optimizations for tree-based machine learning models" (2014), for interleaving.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

DEPTH: Final = 5
_STEP: Final = 8
_INNER: Final = np.uint64(31)
_ONE: Final = np.uint64(1)
_TWO: Final = np.uint64(2)
_ROOT: Final = np.uint64(0)


@kernel
def walk(model: np.void, inputs: np.ndarray) -> None:
    """What each tree says.

    Parameters
    ----------
    model : MODELS record
        `scratch_trees` is written, up to `trees`.
    inputs : (INPUTS,) float64
        Finite.
    """
    thresholds, features = model["tree_thresholds"], model["tree_features"]
    leaves, out = model["tree_leaves"], model["scratch_trees"]
    for first in range(0, model["trees"], _STEP):
        t0, t1, t2, t3 = np.uint64(first), np.uint64(first + 1), np.uint64(first + 2), np.uint64(first + 3)
        t4, t5, t6, t7 = (
            np.uint64(first + 4),
            np.uint64(first + 5),
            np.uint64(first + 6),
            np.uint64(first + 7),
        )
        n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = _ROOT
        for _ in range(DEPTH):
            n0 = _TWO * n0 + _ONE + np.uint64(inputs[features[t0, n0]] > thresholds[t0, n0])
            n1 = _TWO * n1 + _ONE + np.uint64(inputs[features[t1, n1]] > thresholds[t1, n1])
            n2 = _TWO * n2 + _ONE + np.uint64(inputs[features[t2, n2]] > thresholds[t2, n2])
            n3 = _TWO * n3 + _ONE + np.uint64(inputs[features[t3, n3]] > thresholds[t3, n3])
            n4 = _TWO * n4 + _ONE + np.uint64(inputs[features[t4, n4]] > thresholds[t4, n4])
            n5 = _TWO * n5 + _ONE + np.uint64(inputs[features[t5, n5]] > thresholds[t5, n5])
            n6 = _TWO * n6 + _ONE + np.uint64(inputs[features[t6, n6]] > thresholds[t6, n6])
            n7 = _TWO * n7 + _ONE + np.uint64(inputs[features[t7, n7]] > thresholds[t7, n7])
        out[t0], out[t1] = leaves[t0, n0 - _INNER], leaves[t1, n1 - _INNER]
        out[t2], out[t3] = leaves[t2, n2 - _INNER], leaves[t3, n3 - _INNER]
        out[t4], out[t5] = leaves[t4, n4 - _INNER], leaves[t5, n5 - _INNER]
        out[t6], out[t7] = leaves[t6, n6 - _INNER], leaves[t7, n7 - _INNER]


@kernel
def over_bags(model: np.void) -> tuple[float, float]:
    """Mean and spread of the sums of the bags, after `walk`.

    Parameters
    ----------
    model : MODELS record

    Returns
    -------
    mean : float
        Of the bags' sums.
    std : float
        Standard deviation between bags; 0 for one bag.
    """
    mean, squares = 0.0, 0.0
    each, bags, trees = model["scratch_trees"], model["bags"], model["bag_trees"]
    for bag in range(bags):
        total = 0.0
        for tree in range(bag * trees, (bag + 1) * trees):
            total += each[tree]
        shift = total - mean  # Welford: no cancellation
        mean += shift / (bag + 1)
        squares += shift * (total - mean)
    return mean, np.sqrt(squares / (bags - 1)) if bags > 1 else 0.0
