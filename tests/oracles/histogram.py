"""Quantiles from the values themselves."""

import math


def exact_quantile(values: list[int], q: float) -> int:
    """Smallest value that at least a share `q` of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(math.ceil(q * len(ranked)), 1) - 1]
