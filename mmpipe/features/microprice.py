"""Microprice: where the mid is expected to come to rest, given imbalance and spread at the touch.

A state is a bucket of the imbalance times a bucket of the spread. From what the touch did before,

    Q_xy   the touch changed from x to y and the mid stayed       G1 = (I - Q)^-1 r        the next move
    S_xy   … and the mid moved                                    B  = (I - Q)^-1 S        where that leads
    r_x    mean move of the mid on leaving x                      G* = G1 + B G1 + B^2 G1 + …

Every change is counted together with its mirror image, in which bid and ask are exchanged; G* is then odd in
the imbalance and its terms vanish. PRIOR_COUNT unobserved changes per state lead nowhere: they keep I - Q
regular and draw what was hardly seen, and what lies many moves ahead, towards the mid. Moves count in ticks,
and no more than twice the wider spread, so that one jump does not decide. Spreads are measured in the
narrowest one seen; when that shrinks, what was counted in the wider one is given up. Until enough moves were
seen it is the mid weighted by quantity.

References
----------
Stoikov, "The micro-price: a high-frequency estimator of future prices" (2018), sections 3 and 4.
"""

from typing import Final

import numpy as np

from mmpipe.records import SYMBOLS_MAX
from ringbuf.jit import example, kernel

IMBALANCES: Final = 9  # odd: a balanced touch is a state of its own, with G* = 0
HALF: Final = 4  # bucket of a balanced touch
SPREADS: Final = 3  # one narrowest spread, two, more
STATES: Final = 27
PRIOR_COUNT: Final = 20.0  # unobserved changes per state; 1 overshoots at all horizons up to 3 s
MOVE_SPREADS_MAX: Final = 2
TERMS_MAX: Final = 200
TERM_MIN_TICK: Final = 1e-13
TERM_SHARE_MAX: Final = 0.01  # of the first term: more left after TERMS_MAX is no sum
PIVOT_MIN: Final = 1e-12
LN2: Final = 0.6931471805599453
NS_PER_S: Final = 1_000_000_000
_NONE: Final = -1

MICROPRICE = np.dtype(
    [
        ("table_tick", "f8", (STATES,)),  # G* of each state, ticks over the mid
        ("known", "i8"),  # 1: the table is in force
        ("updates", "i8"),  # times it was estimated
        ("refused", "i8"),  # estimates that did not converge; the table before stayed
        ("moves", "f8"),  # moves of the mid seen, faded
        ("step_tick", "i8"),  # narrowest spread; 0: none yet
        ("state", "i8"),  # of the touch at the last change, + 1; 0: a beginning
        ("spread_tick", "i8"),
        ("sum_tick", "i8"),  # bid + ask: twice the mid
        ("next_ts_ns", "i8"),  # of the next estimate
        ("faded_ts_ns", "i8"),
        ("stays", "f8", (STATES, STATES)),  # changes from row to column, faded, mirror images counted
        ("leaves", "f8", (STATES, STATES)),  # … with a move of the mid
        ("drift_tick", "f8", (STATES,)),  # sum of moves on leaving
        ("factors", "f8", (STATES, STATES)),  # workspace: LU factors of I - Q
        ("steps", "f8", (STATES, STATES)),  # workspace: S
        ("term", "f8", (2, STATES)),  # workspace
        ("estimate_tick", "f8", (STATES,)),  # workspace
    ],
    align=True,
)


@kernel
def preset(state: np.void, table_tick: np.ndarray, step_tick: int) -> None:
    """Begin with a table estimated elsewhere; it is in force until the first estimate of this market.

    Parameters
    ----------
    state : MICROPRICE record
        Changed in place.
    table_tick : (STATES,) float64
        G* of each state, ticks.
    step_tick : int
        Narrowest spread it was estimated with, > 0.
    """
    for index in range(STATES):
        state["table_tick"][index] = table_tick[index]
    state["step_tick"], state["known"] = step_tick, 1


@kernel
def on_touch(state: np.void, bid_tick: int, bid_qty: float, ask_tick: int, ask_qty: float) -> None:
    """Take the best quotes after they changed in price or quantity.

    Parameters
    ----------
    state : MICROPRICE record
        Changed in place.
    bid_tick, ask_tick : int
        Best prices, ticks, bid < ask.
    bid_qty, ask_qty : float
        Quantities there, > 0.
    """
    spread_tick, sum_tick = ask_tick - bid_tick, bid_tick + ask_tick
    if state["step_tick"] == 0 or spread_tick < state["step_tick"]:
        _begin(state, spread_tick)
    now = state_of(state, spread_tick, bid_qty, ask_qty)
    before = state["state"] - 1
    if before >= 0 and now >= 0:
        move_max = MOVE_SPREADS_MAX * max(spread_tick, state["spread_tick"])
        move_tick = min(max((sum_tick - state["sum_tick"]) / 2.0, -move_max), move_max)
        if move_tick == 0.0:
            state["stays"][before, now] += 1.0
            state["stays"][mirror(before), mirror(now)] += 1.0
        else:
            state["leaves"][before, now] += 1.0
            state["leaves"][mirror(before), mirror(now)] += 1.0
            state["drift_tick"][before] += move_tick
            state["drift_tick"][mirror(before)] -= move_tick
            state["moves"] += 1.0
    state["state"], state["spread_tick"], state["sum_tick"] = now + 1, spread_tick, sum_tick


@kernel
def forget_touch(state: np.void) -> None:
    """The book is void: the next touch is a beginning, not a change."""
    state["state"] = 0


@kernel
def state_of(state: np.void, spread_tick: int, bid_qty: float, ask_qty: float) -> int:
    """State of a touch, 0 to STATES - 1; -1 where the quantities say nothing.

    Parameters
    ----------
    state : MICROPRICE record
        Read only: the narrowest spread.
    spread_tick : int
        > 0.
    bid_qty, ask_qty : float
        At the touch.
    """
    total_qty = bid_qty + ask_qty
    if not (0.0 < total_qty < np.inf) or state["step_tick"] <= 0:
        return _NONE
    # The same distance from balance on both sides, so that the mirror image is exact.
    distance = min(int(abs(bid_qty - ask_qty) / total_qty * IMBALANCES / 2.0 + 0.5), HALF)
    imbalance = HALF + distance if bid_qty > ask_qty else HALF - distance
    steps = (spread_tick + state["step_tick"] - 1) // state["step_tick"]
    return (min(steps, SPREADS) - 1) * IMBALANCES + imbalance


@kernel
def mirror(index: int) -> int:
    """The state with bid and ask exchanged."""
    spread = index // IMBALANCES
    return spread * IMBALANCES + (IMBALANCES - 1 - index % IMBALANCES)


@kernel
def offset_tick(state: np.void, spread_tick: int, bid_qty: float, ask_qty: float) -> float:
    """Microprice over the mid, ticks; by quantity alone until the table is known.

    Parameters
    ----------
    state : MICROPRICE record
        Read only.
    spread_tick : int
        > 0.
    bid_qty, ask_qty : float
        At the touch.
    """
    index = state_of(state, spread_tick, bid_qty, ask_qty)
    if state["known"] == 1 and index >= 0:
        return state["table_tick"][index]
    total_qty = bid_qty + ask_qty
    if not (0.0 < total_qty < np.inf):
        return 0.0
    return (bid_qty - ask_qty) / total_qty * spread_tick / 2.0


@kernel
def on_timer(state: np.void, ts_ns: int, symbol: int, settings: np.ndarray) -> None:
    """Estimate the table anew once per interval, if enough moves were seen.

    Parameters
    ----------
    state : MICROPRICE record
        Changed in place.
    ts_ns : int
        Time of the TIMER.
    symbol : int
        Index: symbols take turns, so that no TIMER has to do it for all.
    settings : (1,) settings of FeaturesConfig
        Interval, moves, half-life.
    """
    interval_ns = int(settings[0]["microprice_interval_s"] * NS_PER_S)
    if state["next_ts_ns"] == 0:
        state["next_ts_ns"] = ts_ns + interval_ns + symbol * interval_ns // SYMBOLS_MAX
        state["faded_ts_ns"] = ts_ns
    if ts_ns < state["next_ts_ns"]:
        return
    state["next_ts_ns"] = ts_ns + interval_ns
    if state["moves"] >= settings[0]["microprice_moves_min"]:
        _estimate(state)
    _fade(state, ts_ns, settings[0]["microprice_halflife_s"])


@kernel
def _estimate(state: np.void) -> None:
    for row in range(STATES):
        count = PRIOR_COUNT
        for column in range(STATES):
            count += state["stays"][row, column] + state["leaves"][row, column]
        for column in range(STATES):
            stays = state["stays"][row, column] / count
            state["factors"][row, column] = (1.0 if row == column else 0.0) - stays
            state["steps"][row, column] = state["leaves"][row, column] / count
        state["term"][0, row] = state["drift_tick"][row] / count
    terms = solve(state["factors"], state["steps"], state["term"], state["estimate_tick"])
    if terms == 0:
        state["refused"] += 1
        return
    for index in range(STATES):
        state["table_tick"][index] = state["estimate_tick"][index]
    state["known"] = 1
    state["updates"] += 1


@kernel
def solve(factors: np.ndarray, steps: np.ndarray, term: np.ndarray, total: np.ndarray) -> int:
    """G* of a chain, in place.

    Parameters
    ----------
    factors : (n, n) float64
        I - Q; overwritten by its LU factors. Diagonally dominant, so no pivoting.
    steps : (n, n) float64
        S.
    term : (2, n) float64
        term[0] is r; overwritten.
    total : (n,) float64
        Receives G*.

    Returns
    -------
    int
        Terms summed up to the first below TERM_MIN_TICK, at most TERMS_MAX; 0: the chain never moves from
        some states, or the terms do not vanish (a mid that only bounces), and `total` means nothing.
    """
    size = len(total)
    if not _factorise(factors):
        return 0
    _substitute(factors, term[0])
    first, largest = 0.0, 0.0
    for index in range(size):
        total[index] = term[0, index]
        first = max(first, abs(term[0, index]))
    for number in range(1, TERMS_MAX + 1):
        now, after = (number - 1) % 2, number % 2
        largest = 0.0
        for row in range(size):
            expected = 0.0
            for column in range(size):
                expected += steps[row, column] * term[now, column]
            term[after, row] = expected
        _substitute(factors, term[after])
        for index in range(size):
            total[index] += term[after, index]
            largest = max(largest, abs(term[after, index]))
        if largest < TERM_MIN_TICK:
            return number
    return TERMS_MAX if largest < TERM_SHARE_MAX * first else 0


@kernel
def _factorise(matrix: np.ndarray) -> bool:
    # Gaussian elimination: L below the diagonal (ones on it), U on and above.
    size = len(matrix)
    for pivot in range(size):
        if not (abs(matrix[pivot, pivot]) > PIVOT_MIN):
            return False
        for row in range(pivot + 1, size):
            factor = matrix[row, pivot] / matrix[pivot, pivot]
            matrix[row, pivot] = factor
            if factor != 0.0:
                for column in range(pivot + 1, size):
                    matrix[row, column] -= factor * matrix[pivot, column]
    return True


@kernel
def _substitute(factors: np.ndarray, values: np.ndarray) -> None:
    size = len(values)
    for row in range(size):
        for column in range(row):
            values[row] -= factors[row, column] * values[column]
    for row in range(size - 1, -1, -1):
        for column in range(row + 1, size):
            values[row] -= factors[row, column] * values[column]
        values[row] /= factors[row, row]


@kernel
def _fade(state: np.void, ts_ns: int, halflife_s: float) -> None:
    kept = np.exp(-LN2 * (ts_ns - state["faded_ts_ns"]) * 1e-9 / halflife_s)
    state["faded_ts_ns"] = ts_ns
    state["moves"] *= kept
    for row in range(STATES):
        state["drift_tick"][row] *= kept
        for column in range(STATES):
            state["stays"][row, column] *= kept
            state["leaves"][row, column] *= kept


@kernel
def _begin(state: np.void, step_tick: int) -> None:
    # Buckets of another grid mean something else.
    state["step_tick"], state["state"], state["known"], state["moves"] = step_tick, 0, 0, 0.0
    for row in range(STATES):
        state["drift_tick"][row] = 0.0
        for column in range(STATES):
            state["stays"][row, column] = state["leaves"][row, column] = 0.0


@example(preset)
def _preset_example() -> tuple[object, ...]:
    return (np.zeros(1, MICROPRICE)[0], np.zeros(STATES), 1)
