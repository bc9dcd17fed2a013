"""How PARAMS records become the numbers that kernels read: what a prior may be, a learned value may be.

The range of every key of `[priors]` is checked again here, because a learner that went wrong must not be
able to hand a kernel a decay of zero or a negative volatility.
"""

from typing import get_type_hints

import msgspec
import numpy as np

from mmpipe.config import Config, PriorsConfig
from mmpipe.enums import Counter, Param
from mmpipe.records import PARAMS_COUNT

_RANGES = get_type_hints(PriorsConfig, include_extras=True)


def prior_values(config: Config) -> np.ndarray:
    """Configured value of every learned parameter, shape (PARAMS_COUNT,), index Param."""
    values = np.zeros(PARAMS_COUNT)
    for param in Param:
        values[param] = getattr(config.priors, param.name.lower())
    return values


def take_params(values: np.ndarray, rows: np.ndarray, counters: np.ndarray) -> None:
    """Replace parameters by what `rows` say, refusing what no prior could be.

    Parameters
    ----------
    values : ndarray of float64, shape (symbols, PARAMS_COUNT)
        Changed in place.
    rows : ndarray of PARAMS
        In order of arrival.
    counters : ndarray of int64, shape (len(Counter),)
        PARAMS_APPLIED or BAD_NUMBER is counted for each row.
    """
    for row in rows:
        param, symbol, value = int(row["param"]), int(row["symbol"]), float(row["value"])
        if param < PARAMS_COUNT and symbol < len(values) and _in_range(Param(param), value):
            values[symbol, param] = value
            counters[Counter.PARAMS_APPLIED] += 1
        else:
            counters[Counter.BAD_NUMBER] += 1


def _in_range(param: Param, value: float) -> bool:
    if not np.isfinite(value):
        return False
    try:
        msgspec.convert(value, _RANGES[param.name.lower()])
    except msgspec.ValidationError:
        return False
    return True
