"""Random numbers as a pure function of a key and a counter, with the counter in a record.

Philox 2x32-10: the same key and counter give the same number on every machine, so a market is reproduced
from its seed, and a checkpoint needs two integers. Products are split so that they fit 64-bit signed
integers: compiled and interpreted runs are equal.

References
----------
Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11.
"""

import math

import numpy as np

from ringbuf.jit import example, kernel

CHANCE = np.dtype([("key", "i8"), ("counter", "i8")], align=True)

_MULTIPLIER = 0xD256D193
_WEYL = 0x9E3779B9
_MASK = 0xFFFFFFFF
_ROUNDS = 10
_UNIT = 1.0 / 4294967296.0  # 2^-32
_TWO_PI = 6.283185307179586


@kernel
def philox(counter_low: int, counter_high: int, key: int) -> tuple[int, int]:
    """Two random 32-bit words.

    Parameters
    ----------
    counter_low, counter_high, key : int
        0 to 2^32 - 1.
    """
    for _ in range(_ROUNDS):
        product_low = counter_low * (_MULTIPLIER & 0xFFFF)
        product_high = counter_low * (_MULTIPLIER >> 16)
        carry = product_high + (product_low >> 16)
        high = (carry >> 16) & _MASK
        low = ((carry & 0xFFFF) << 16) | (product_low & 0xFFFF)
        counter_low = (high ^ key ^ counter_high) & _MASK
        counter_high = low
        key = (key + _WEYL) & _MASK
    return counter_low, counter_high


@kernel
def uniform(chance: np.ndarray) -> float:
    """A number strictly between 0 and 1; moves the counter.

    Parameters
    ----------
    chance : (1,) CHANCE
        Key and counter.
    """
    row = chance[0]
    first, _ = philox(row["counter"] & _MASK, (row["counter"] >> 32) & _MASK, row["key"] & _MASK)
    row["counter"] += 1
    return (first + 0.5) * _UNIT


@kernel
def normal(chance: np.ndarray) -> float:
    """A standard normal number (Box and Muller, 1958)."""
    radius = math.sqrt(-2.0 * math.log(uniform(chance)))
    return radius * math.cos(_TWO_PI * uniform(chance))


@kernel
def exponential(chance: np.ndarray, mean: float) -> float:
    """An exponential number of the given mean."""
    return -mean * math.log(uniform(chance))


@kernel
def lognormal(chance: np.ndarray, median: float, spread: float) -> float:
    """A number whose logarithm is normal.

    Parameters
    ----------
    median : float
        >= 0.
    spread : float
        Standard deviation of the logarithm.
    """
    return median * math.exp(spread * normal(chance))


@kernel
def happens(chance: np.ndarray, per_s: float, dt_s: float) -> bool:
    """Whether something of rate `per_s` happens within `dt_s`."""
    return uniform(chance) < 1.0 - math.exp(-per_s * dt_s)


@example(philox)
def _philox_example() -> tuple[object, ...]:
    return (0, 0, 0)


@example(uniform)
def _uniform_example() -> tuple[object, ...]:
    return (np.zeros(1, CHANCE),)
