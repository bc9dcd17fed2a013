"""A market of two queues one tick apart, solved exactly: what a fill is worth at every place of a queue.

Orders of size one join each queue at rate ADD, each resting order leaves at rate CANCEL, a taker takes one
at rate TAKE and sweeps a queue whole at rate SWEEP. A queue that becomes empty moves the mid by one tick its
way. Our order stays; filled as the last of its queue it has lost the half tick it captured, otherwise it
keeps that and the next move of the mid. If the ask's queue empties first it is left behind.
"""

from functools import lru_cache
from typing import Final

import numpy as np

ADD: Final = 1.0
TAKE: Final = 0.6
CANCEL: Final = 0.12
SWEEP: Final = 0.12
LONGEST: Final = 20  # orders in a queue; what would join a longer one is lost
TOLERANCE: Final = 1e-12


@lru_cache(maxsize=1)
def next_move() -> np.ndarray:
    """E[sign of the next move of the mid] by (bid, ask) queue, without us, shape (LONGEST + 1,) * 2."""
    bid, ask = (np.arange(LONGEST + 1.0).reshape(shape) for shape in ((-1, 1), (1, -1)))
    value = np.zeros((LONGEST + 1, LONGEST + 1))
    while True:
        more_bid = np.vstack([value[1:], value[-1:]])
        more_ask = np.hstack([value[:, 1:], value[:, -1:]])
        less_bid = np.vstack([value[:1], value[:-1]])
        less_ask = np.hstack([value[:, :1], value[:, :-1]])
        less_bid[1], less_ask[:, 1] = -1.0, 1.0
        rate = 2.0 * (ADD + TAKE + SWEEP) + CANCEL * (bid + ask)
        found = ADD * (more_bid + more_ask) + (TAKE + CANCEL * bid) * less_bid
        found = (found + (TAKE + CANCEL * ask) * less_ask) / rate  # sweeps up and down cancel
        if np.abs(found - value).max() < TOLERANCE:
            return found
        value = found


@lru_cache(maxsize=1)
def edge_given_fill() -> np.ndarray:
    """E[edge of a fill] in ticks by (ahead, behind, ask), shape (LONGEST, LONGEST, LONGEST + 1)."""
    size = LONGEST
    ahead = np.arange(size, dtype=float)[:, None, None]
    behind = np.arange(size, dtype=float)[None, :, None]
    ask = np.arange(size + 1, dtype=float)[None, None, :]
    at_front = 0.5 + next_move()[:size]
    at_front[0] = -0.5
    worth, filled = np.zeros((size, size, size + 1)), np.zeros((size, size, size + 1))
    rate = 2.0 * (ADD + TAKE + SWEEP) + CANCEL * (ahead + behind + ask)
    full = ahead + behind + 1.0 >= size
    while True:
        change = 0.0
        for value, hit, swept in ((worth, at_front, -0.5), (filled, np.ones_like(at_front), 1.0)):
            joined = np.where(full, value, np.concatenate([value[:, 1:], value[:, -1:]], axis=1))
            taken = np.concatenate([hit[None], value[:-1]])
            left_ahead = np.concatenate([value[:1], value[:-1]])
            left_behind = np.concatenate([value[:, :1], value[:, :-1]], axis=1)
            more_ask = np.concatenate([value[:, :, 1:], value[:, :, -1:]], axis=2)
            less_ask = np.concatenate([value[:, :, :1], value[:, :, :-1]], axis=2)
            less_ask[:, :, 1] = 0.0
            found = ADD * (joined + more_ask) + TAKE * taken + SWEEP * swept
            found += CANCEL * (ahead * left_ahead + behind * left_behind) + (TAKE + CANCEL * ask) * less_ask
            found /= rate
            change = max(change, float(np.abs(found - value).max()))
            value[:] = found
        if change < TOLERANCE:
            return worth / filled


def simulated(rng: np.random.Generator, ahead: int, behind: int, ask: int) -> float:
    """One order of ours: the edge it realised in ticks, NaN when it was left behind."""
    while True:
        rates = (ADD, ADD, TAKE, TAKE, SWEEP, SWEEP, CANCEL * ahead, CANCEL * behind, CANCEL * ask)
        event = int(np.searchsorted(np.cumsum(rates), rng.uniform() * sum(rates)))
        if event == 0:
            behind += ahead + behind + 1 < LONGEST
        elif event == 1:
            ask += ask < LONGEST
        elif event == 4 or (event == 2 and ahead + behind == 0):
            return -0.5
        elif event == 2 and ahead == 0:
            rises = rng.uniform() < 0.5 + next_move()[behind, ask] / 2.0
            return 1.5 if rises else -0.5
        elif event in (2, 6):
            ahead -= 1
        elif event == 7:
            behind -= 1
        elif event == 5 or ask == 1:
            return float("nan")
        else:
            ask -= 1
