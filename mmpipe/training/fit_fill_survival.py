"""Fit of the fill survival: hazards of the fill and of being left behind, from how virtual quotes ended.

The place of a quote enters the fill hazard alone and never raises it, which is what makes the fitted chance
fall with rank and distance (`models.fill_survival`). Our own cancels do not occur: a virtual quote is
cancelled only by a book that became void, and that censors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mmpipe.enums import Outcome
from mmpipe.models.model_inputs import FEATURE_NAMES, PLACE_COUNT
from mmpipe.training.hazards import Hazard, events, exposures, fit_gains, fit_hazard, incidence

EDGES_S: Final = (0.0, 0.2, 0.5, 1.0, 3.0, 5.0)
STRENGTHS: Final = (3.0, 50.0, 800.0)  # tried, precision of the prior of a standardised weight
TURNS: Final = 2  # of gains and weights; more change nothing to be seen
NEVER_LOG: Final = -20.0  # log hazard of a cause that was never seen
FILLS_MIN: Final = 50
RANGE: Final = 0.005  # of each end of an input beyond which the model does not extrapolate
INNER_SHARE: Final = 0.75  # of the training time that fits while the strength is chosen


@dataclass(frozen=True, slots=True)
class SurvivalFit:
    """Arrays of `models.fill_survival`, and what to tell about them.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        As `weights.with_arrays` takes them for the form "hazards".
    effects : mapping of str to tuple of float
        Change of the log hazards (fill, adverse) per standard deviation of an input.
    notes : tuple of str
        Choices made on the way.
    """

    arrays: Mapping[str, np.ndarray]
    effects: Mapping[str, tuple[float, float]]
    notes: tuple[str, ...]


def fit_fill_survival(inputs: np.ndarray, wait_s: np.ndarray, outcome: np.ndarray) -> SurvivalFit:
    """Fit both hazards.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, INPUTS)
        In order of time.
    wait_s : ndarray of float64, shape (n,)
        Until the outcome.
    outcome : ndarray of int64, shape (n,)
        Outcome.

    Raises
    ------
    ValueError
        Fewer than FILLS_MIN fills.
    """
    filled, adverse = outcome == Outcome.FILLED, outcome == Outcome.ADVERSE
    if not filled.sum() >= FILLS_MIN:
        raise ValueError(f"fill survival: {filled.sum()} fills, {FILLS_MIN} are needed; record longer")
    low, high = np.quantile(inputs, (RANGE, 1.0 - RANGE), axis=0)
    inside = np.clip(inputs, low, high)
    centre, scale = inside.mean(axis=0), inside.std(axis=0)
    scale = np.where(scale > 1e-9 * (1.0 + np.abs(centre)), scale, 1.0)
    units = (inside - centre) / scale
    edges = np.array(EDGES_S)
    exposure = exposures(wait_s, edges)
    hits = [events(wait_s, happened, edges) for happened in (filled, adverse)]
    strength, notes = _strength(units, exposure, hits, wait_s, filled)
    fill, left = _both(units, exposure, hits, strength)
    arrays = {"ends_s": np.append(edges[1:-1], np.inf), "low": low, "high": high}
    for name, hazard in (("fill", fill), ("adverse", left)):
        coefs = hazard.weights / scale
        arrays[f"{name}_coefs"] = coefs
        arrays[f"{name}_log"] = hazard.base - hazard.gains * float(coefs @ centre)
        arrays[f"{name}_gains"] = hazard.gains
    effects = {name: (float(fill.weights[k]), float(left.weights[k])) for k, name in enumerate(FEATURE_NAMES)}
    return SurvivalFit(arrays, effects, (notes, f"{filled.sum()} fills, {adverse.sum()} left behind"))


def _both(
    units: np.ndarray, exposure: np.ndarray, hits: list[np.ndarray], strength: float
) -> tuple[Hazard, Hazard]:
    inputs, bins = units.shape[1], exposure.shape[1]
    place = np.arange(inputs) < PLACE_COUNT
    fill = _in_turn(units, exposure, hits[0], np.full(inputs, strength), place)
    if not hits[1].sum() > 0.0:
        never, nothing = np.full(bins, NEVER_LOG), np.zeros(inputs)
        return fill, Hazard(never, nothing, np.zeros((inputs + bins,) * 2), np.ones(bins))
    nowhere = np.zeros(inputs, dtype=bool)
    return fill, _in_turn(units, exposure, hits[1], np.where(place, np.inf, strength), nowhere)


def _in_turn(
    units: np.ndarray, exposure: np.ndarray, event: np.ndarray, strength: np.ndarray, not_positive: np.ndarray
) -> Hazard:
    found = fit_hazard(units, exposure, event, strength, not_positive, np.ones(exposure.shape[1]))
    for _ in range(TURNS):
        gains = fit_gains(found, units, exposure, event)
        found = fit_hazard(units, exposure, event, strength, not_positive, gains, found)
    return found


def _strength(
    units: np.ndarray, exposure: np.ndarray, hits: list[np.ndarray], wait_s: np.ndarray, filled: np.ndarray
) -> tuple[float, str]:
    # By the Brier score at one second on the last part of the training time.
    cut = int(INNER_SHARE * len(units))
    soon = (filled & (wait_s <= 1.0))[cut:]
    scores = {}
    for strength in STRENGTHS:
        if not hits[0][:cut].sum() > 0.0:
            break
        trial = _both(units[:cut], exposure[:cut], [hit[:cut] for hit in hits], strength)
        said = incidence(trial, units[cut:], np.array(EDGES_S), 1.0)
        scores[strength] = float(np.mean((said - soon) ** 2))
    best = min(scores, key=lambda value: scores[value]) if scores else STRENGTHS[-1]
    return best, f"prior of precision {best:g}, by the last part of the training time"
