"""Which of two markets moves first: cross-correlation of their mid returns over lags of a regular grid.

Both mids are sampled on one grid of receive times, as a trader beside the recorder sees them; the lag at
which the correlation is greatest is how far one leads the other.

References
----------
Hayashi and Yoshida 2005 and Huth and Abergel 2014, Journal of Empirical Finance, for the estimator without a
grid; on 20 ms of these markets the plain one suffices.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.errors import DataError
from mmpipe.recording.statistics import Touches

GRID_MS: Final = 20
LAG_MS_MAX: Final = 500
STEPS_MIN: Final = 1_000  # returns in common: 20 s


@dataclass(frozen=True, slots=True)
class LeadLag:
    """How far the first market leads the second.

    Attributes
    ----------
    lead_ms : int
        Where the correlation is greatest, ms; > 0: the first leads.
    correlation : float
        There, -1 to 1.
    at_zero : float
        Without a lag.
    seconds : float
        Time both markets have in common.
    """

    lead_ms: int
    correlation: float
    at_zero: float
    seconds: float


def lead_lag(first: Touches, second: Touches, grid_ms: int = GRID_MS) -> LeadLag:
    """Lead of one market over another.

    Parameters
    ----------
    first, second : Touches
        Best quotes on the same clock.
    grid_ms : int
        Step of the grid, ms, > 0.

    Raises
    ------
    DataError
        They have too little time in common, or one does not move.
    """
    assert grid_ms > 0, "the step of the grid is positive"
    if not (len(first.ts_ns) and len(second.ts_ns)):
        raise DataError("lead-lag: a market without quotes has no mid")
    start = max(int(first.ts_ns[0]), int(second.ts_ns[0]))
    stop = min(int(first.ts_ns[-1]), int(second.ts_ns[-1]))
    grid = np.arange(start, stop, grid_ms * NS_PER_MS)
    if not len(grid) > STEPS_MIN:
        raise DataError(f"lead-lag: {max(stop - start, 0) / 1e9:.1f} s in common are too few")
    early, late = _returns(first, grid), _returns(second, grid)
    if not (early.std() > 0.0 and late.std() > 0.0):
        raise DataError("lead-lag: a mid that does not move leads nothing")
    steps = range(-(LAG_MS_MAX // grid_ms), LAG_MS_MAX // grid_ms + 1)
    values = {step: _correlation(early, late, step) for step in steps}
    best = max(values, key=lambda step: values[step])
    return LeadLag(best * grid_ms, values[best], values[0], float(stop - start) / 1e9)


def _returns(touches: Touches, grid: np.ndarray) -> np.ndarray:
    mids: np.ndarray = np.log(touches.mid_px[np.searchsorted(touches.ts_ns, grid, side="right") - 1])
    return np.diff(mids)


def _correlation(early: np.ndarray, late: np.ndarray, step: int) -> float:
    count = len(early) - abs(step)
    shifted = late[step:] if step >= 0 else late[:count]
    base = early[:count] if step >= 0 else early[-step:]
    return float(np.corrcoef(base, shifted)[0, 1])
