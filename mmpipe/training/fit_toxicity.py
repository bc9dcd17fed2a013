"""Fit of the toxicity evidence: a logistic on what one aggressor looks like, its prior log-odds kept apart.

The filter of `models.toxicity` adds up log-likelihood ratios, so the artefact carries the prior log-odds of
its training to be taken off. The strength of the prior of the weights is chosen on the last part of the
training time; outcomes are not weighted up.
"""

from typing import Final

import numpy as np

from mmpipe.models.toxicity import LLR_MAX
from mmpipe.training import metrics
from mmpipe.training.logistic import Logistic, fit_logistic

STRENGTHS: Final = (3.0, 10.0, 30.0, 100.0, 300.0)  # tried, precision of the prior of a standardised weight
TOXIC_MIN: Final = 20
INNER_SHARE: Final = 0.75  # of the training time that fits while the strength is chosen


def fit_toxicity(inputs: np.ndarray, toxic: np.ndarray) -> tuple[Logistic, float]:
    """Fit on aggressors in order of time.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, inputs)
        By `trade_features.TOXICITY_INPUTS`.
    toxic : ndarray, shape (n,)
        0 or 1.

    Returns
    -------
    tuple of Logistic and float
        The fit, and the strength it was made with.

    Raises
    ------
    ValueError
        Fewer than TOXIC_MIN of either outcome.
    """
    count = int(toxic.sum())
    if not TOXIC_MIN <= count <= len(toxic) - TOXIC_MIN:
        raise ValueError(f"toxicity: {count} of {len(toxic)} aggressors were toxic, {TOXIC_MIN} are needed")
    cut = int(INNER_SHARE * len(toxic))
    losses = {}
    if 0 < toxic[:cut].sum() < cut:
        for strength in STRENGTHS:
            trial = fit_logistic(inputs[:cut], toxic[:cut], strength)
            # Its level is the filter's business; what is compared is what it tells apart.
            shift = _shift(trial.logits(inputs[cut:]), toxic[cut:])
            losses[strength] = metrics.log_loss(shift, toxic[cut:])
    best = min(losses, key=lambda value: losses[value]) if losses else STRENGTHS[2]
    return fit_logistic(inputs, toxic, best), best


def llr_against(trades: np.ndarray, horizon_ns: int) -> float:
    """What an aggressor says about informed flow of the other side, nats, -LLR_MAX to 0.

    Among the aggressors within a horizon after a toxic one of a side, those of the other side are rarer
    than half: ln of their share over a half.

    Parameters
    ----------
    trades : ndarray of TRADE_SAMPLE, shape (n,)
        In order of time.
    horizon_ns : int
        How long informed flow is looked at.
    """
    ts_ns, side = trades["ts_ns"], trades["side"]
    against, total = 0.5, 1.0
    for row in np.flatnonzero(trades["toxic"] > 0).tolist():
        stop = int(np.searchsorted(ts_ns, ts_ns[row] + horizon_ns, side="right"))
        against += float((side[row + 1 : stop] == -side[row]).sum())
        total += stop - row - 1
    return float(np.clip(np.log(2.0 * against / total), -LLR_MAX, 0.0))


def _shift(logits: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    # Probabilities of the same order with the mean of the outcomes: bisection on the intercept.
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2.0
        mean = float(np.mean(1.0 / (1.0 + np.exp(-(logits + middle)))))
        low, high = (middle, high) if mean < outcomes.mean() else (low, middle)
    probs: np.ndarray = 1.0 / (1.0 + np.exp(-(logits + (low + high) / 2.0)))
    return probs
