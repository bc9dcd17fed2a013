"""What a live line's own calibration makes of predictions: each corrected by what had resolved before it.

The same Bayesian line on the logit as the learner's (`learning.platt`), updated once per STEP_S. Nothing of
the future enters: an outcome counts from the moment it was known.
"""

from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.learning.bayes import Evidence
from mmpipe.learning.platt import SUMS, platt_posterior, platt_sums, tempered

STEP_S: Final = 1.0  # between two looks at the evidence, as the learner publishes
PROB_EDGE: Final = 1e-6


def calibrated_online(
    ts_ns: np.ndarray,
    resolved_ns: np.ndarray,
    probs: np.ndarray,
    outcomes: np.ndarray,
    halflife_s: float,
) -> np.ndarray:
    """Probabilities as a line would have published them.

    Parameters
    ----------
    ts_ns, resolved_ns : ndarray of int64, shape (n,)
        When each prediction was made, in order, and when its outcome was known.
    probs, outcomes : ndarray, shape (n,)
        Before calibration; 0 or 1.
    halflife_s : float
        After which an outcome weighs half.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    evidence = Evidence(SUMS)
    order = np.argsort(resolved_ns, kind="stable")
    horizon_ns = np.maximum(resolved_ns - ts_ns, 1)
    inside = np.clip(probs, PROB_EDGE, 1.0 - PROB_EDGE)
    logits = np.log(inside / (1.0 - inside))
    out = probs.astype(float)
    slope, intercept = 1.0, 0.0
    told, looked_ns, last_ns = 0, 0, 0
    for row in range(len(ts_ns)):
        if ts_ns[row] - looked_ns >= STEP_S * NS_PER_S:
            looked_ns = int(ts_ns[row])
            before = told
            while told < len(order) and resolved_ns[order[told]] <= looked_ns:
                at = order[told]
                share = min(max((int(ts_ns[at]) - last_ns) / int(horizon_ns[at]), 0.0), 1.0)
                last_ns = max(last_ns, int(ts_ns[at]))
                sums = platt_sums(float(probs[at]), bool(outcomes[at]), share)
                evidence.add(sums, 1.0, int(resolved_ns[at]), halflife_s * NS_PER_S)
                told += 1
            if told > before:
                found = evidence.at(looked_ns, halflife_s * NS_PER_S)
                lines = platt_posterior(tempered(found), 1.0, 0.0)
                slope, intercept = lines[0].value, lines[1].value
        out[row] = 1.0 / (1.0 + np.exp(-(slope * logits[row] + intercept)))
    return out
