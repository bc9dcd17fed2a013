"""When the lead begins to leave the maker: a bank of CUSUMs on the standardised innovation of their spread.

An innovation is what a move of the lead adds to the spread while the maker stands still: without news its
mean is nothing. Each of four scales asks for a shift of so many standard deviations, up and down,

    S = max(0, S + d (z - d/2)),  d = 0.5, 1, 2, 4        (log-likelihood ratio of a shift d, nats)

and the first that passes its threshold says that a change is under way: direction by its sign, size by what
the innovations have added up to since that statistic last was zero. A large change is heard within two
moves of the lead, a small one within sixty. z is standardised by what was known before it, and cut at
WINSOR, so that one wild quote is not worth more than the largest scale may hear.

Thresholds give every arm the same mean time between false alarms, by the Markov chain of Brook and Evans;
the eight arms alarm together so often that they are worth ARMS_WORTH independent ones (measured).
The length is counted in moves of the lead: wall time is what a symbol's moves make of it, times the
number of symbols.

References
----------
Page, "Continuous inspection schemes", Biometrika 1954; Brook, Evans, "An approach to the probability
distribution of CUSUM run length", Biometrika 1972.
"""

import math
from typing import Final

import numpy as np

from ringbuf.jit import kernel

SHIFTS: Final = (0.5, 1.0, 2.0, 4.0)  # standard deviations of an innovation
SCALES: Final = 4
WINSOR: Final = 5.0
ARMS_WORTH: Final = 6.4
NOISE_OBSERVATIONS: Final = 500.0  # moves of the lead over which their size is averaged
OBSERVATIONS_MIN: Final = 20  # before a size is known nothing is standardised by it
_CHAIN_STATES: Final = 60
_THRESHOLD_MAX: Final = 60.0
_BISECTIONS: Final = 40

BANK = np.dtype(
    [
        ("up", "f8", (SCALES,)),  # statistics, nats
        ("down", "f8", (SCALES,)),
        ("up_bps", "f8", (SCALES,)),  # innovations since the statistic was zero
        ("down_bps", "f8", (SCALES,)),
        ("noise_sq", "f8"),  # mean square of an innovation, bps^2
        ("observations", "i8"),
        ("alarms", "i8"),
    ],
    align=True,
)


@kernel
def standardise(bank: np.void, innovation_bps: float) -> float:
    """An innovation in standard deviations, by the noise known before it, which it then joins.

    Parameters
    ----------
    bank : BANK record
        `noise_sq` and `observations` are changed.
    innovation_bps : float
        Finite.

    Returns
    -------
    float
        -WINSOR to WINSOR; 0 until enough was seen.
    """
    z = 0.0
    square, noise_sq = innovation_bps * innovation_bps, bank["noise_sq"]
    if bank["observations"] >= OBSERVATIONS_MIN and noise_sq > 0.0:
        z = min(max(innovation_bps / np.sqrt(noise_sq), -WINSOR), WINSOR)
        square = min(square, WINSOR * WINSOR * noise_sq)
    bank["observations"] += 1
    weight = 1.0 / min(float(bank["observations"]), NOISE_OBSERVATIONS)
    bank["noise_sq"] += weight * (square - noise_sq)
    return z


@kernel
def observe(bank: np.void, z: float, innovation_bps: float, thresholds: np.ndarray) -> float:
    """Let the bank hear one innovation.

    Parameters
    ----------
    bank : BANK record
        Changed in place; after an alarm every statistic begins anew.
    z, innovation_bps : float
        Standardised, and as it was.
    thresholds : (SCALES,) float64
        Of `alarm_thresholds`, nats.

    Returns
    -------
    float
        Size of the change that began, bps, > 0 up; 0: no alarm.
    """
    best, size_bps = 1.0, 0.0
    for scale in range(SCALES):
        shift = SHIFTS[scale]
        up = bank["up"][scale] + shift * (z - 0.5 * shift)
        down = bank["down"][scale] + shift * (-z - 0.5 * shift)
        bank["up_bps"][scale] = bank["up_bps"][scale] + innovation_bps if up > 0.0 else 0.0
        bank["down_bps"][scale] = bank["down_bps"][scale] + innovation_bps if down > 0.0 else 0.0
        bank["up"][scale], bank["down"][scale] = max(up, 0.0), max(down, 0.0)
        if up >= best * thresholds[scale]:
            best, size_bps = up / thresholds[scale], bank["up_bps"][scale]
        if down >= best * thresholds[scale]:
            best, size_bps = down / thresholds[scale], bank["down_bps"][scale]
    if size_bps != 0.0:
        bank["alarms"] += 1
        reset(bank)
    return size_bps


@kernel
def evidence(bank: np.void, side: int, thresholds: np.ndarray) -> float:
    """How far the bank is towards an alarm in one direction, 0 to 1."""
    share = 0.0
    for scale in range(SCALES):
        statistic = bank["up"][scale] if side > 0 else bank["down"][scale]
        share = max(share, statistic / thresholds[scale])
    return min(share, 1.0)


@kernel
def reset(bank: np.void) -> None:
    """Forget what was heard; what is known of the noise stays."""
    bank["up"][:] = 0.0
    bank["down"][:] = 0.0
    bank["up_bps"][:] = 0.0
    bank["down_bps"][:] = 0.0


def alarm_thresholds(run_length: float) -> np.ndarray:
    """Thresholds of the scales for a mean number of observations between false alarms of the bank.

    Parameters
    ----------
    run_length : float
        Observations, > 1.

    Returns
    -------
    ndarray of float64, shape (SCALES,)
        Nats.
    """
    found = np.zeros(SCALES)
    for scale, shift in enumerate(SHIFTS):
        low, high = 0.0, _THRESHOLD_MAX
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            shorter = arm_run_length(shift, middle) < run_length * ARMS_WORTH
            low, high = (middle, high) if shorter else (low, middle)
        found[scale] = 0.5 * (low + high)
    return found


def arm_run_length(shift: float, threshold: float) -> float:
    """Mean observations until one arm alarms falsely, its statistic cut into states of a Markov chain.

    Parameters
    ----------
    shift : float
        Of the arm, standard deviations, > 0.
    threshold : float
        Nats, > 0.
    """
    states, width = np.arange(_CHAIN_STATES), 2.0 * threshold / (2 * _CHAIN_STATES - 1)
    steps = np.arange(-_CHAIN_STATES, _CHAIN_STATES) * width + 0.5 * width
    # Without a change a step is normal with mean -shift^2 / 2 and standard deviation shift.
    below = np.array([0.5 * math.erfc(-(step + 0.5 * shift * shift) / shift / 2.0**0.5) for step in steps])
    index = states[None, :] - states[:, None] + _CHAIN_STATES
    chance = below[index] - below[index - 1]
    chance[:, 0] = below[index[:, 0]]
    return float(np.linalg.solve(np.eye(_CHAIN_STATES) - chance, np.ones(_CHAIN_STATES))[0])
