"""Self-exciting intensities of buyers and sellers: a trade makes more of either side likely.

    lambda_i(t) = base + sum_k w_k beta_k [ self R_ik(t) + cross R_jk(t) ]
    R_ik(t) = sum of exp(-beta_k (t - t_n)) over the trades t_n <= t of side i,   beta_k = ln2 / halflife_k

with a fast and a slow decay (one exponential forgets too soon or too late). `self` and `cross` are the trades
of the same and of the other side that one trade causes on average; below a sum of 1 the process does not
explode. R follows in O(1) per trade, since an exponential fades as a whole. Who calls this gives one trade
per aggressor: the rows of one sweep did not excite each other.

References
----------
Hawkes, "Spectra of some self-exciting and mutually exciting point processes" (1971).
Ozaki, "Maximum likelihood estimation of Hawkes' self-exciting point processes" (1979), the recursion.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

LN2: Final = 0.6931471805599453

HAWKES = np.dtype(
    [
        ("ts_ns", "i8"),  # the sums are of this time; 0: no trade yet
        ("fast", "f8", (2,)),  # R with the fast decay, of buyers and of sellers
        ("slow", "f8", (2,)),
    ],
    align=True,
)


@kernel
def on_trade(state: np.void, ts_ns: int, side: int, settings: np.ndarray) -> None:
    """Take one trade.

    Parameters
    ----------
    state : HAWKES record
        Changed in place.
    ts_ns : int
        Receive time.
    side : int
        Of the aggressor, +1 or -1.
    settings : (1,) settings of FeaturesConfig
        Half-lives and shares.
    """
    advance(state, ts_ns, settings)
    index = 0 if side > 0 else 1
    state["fast"][index] += 1.0
    state["slow"][index] += 1.0


@kernel
def advance(state: np.void, ts_ns: int, settings: np.ndarray) -> None:
    """Move time on: what was excited fades."""
    if state["ts_ns"] > 0 and ts_ns > state["ts_ns"]:
        elapsed_s = (ts_ns - state["ts_ns"]) * 1e-9
        fast = np.exp(-LN2 * elapsed_s / settings[0]["hawkes_fast_halflife_s"])
        slow = np.exp(-LN2 * elapsed_s / settings[0]["hawkes_slow_halflife_s"])
        for index in range(2):
            state["fast"][index] *= fast
            state["slow"][index] *= slow
    state["ts_ns"] = max(ts_ns, state["ts_ns"])


@kernel
def intensity_per_s(state: np.void, side: int, settings: np.ndarray) -> float:
    """Expected trades of a side (+1 buyers, -1 sellers) per second from now, > 0.

    Parameters
    ----------
    state : HAWKES record
        Read only; of the time `advance` moved it to.
    side : int
        +1 or -1.
    settings : (1,) settings of FeaturesConfig
        Base rate, half-lives and shares.
    """
    own = 0 if side > 0 else 1
    row = settings[0]
    fast = row["hawkes_self_share"] * state["fast"][own] + row["hawkes_cross_share"] * state["fast"][1 - own]
    slow = row["hawkes_self_share"] * state["slow"][own] + row["hawkes_cross_share"] * state["slow"][1 - own]
    fast_per_s = row["hawkes_fast_share"] * LN2 / row["hawkes_fast_halflife_s"]
    slow_per_s = (1.0 - row["hawkes_fast_share"]) * LN2 / row["hawkes_slow_halflife_s"]
    return row["hawkes_base_per_s"] + fast_per_s * fast + slow_per_s * slow


@kernel
def asymmetry(state: np.void, settings: np.ndarray) -> float:
    """(buy - sell) / (buy + sell) of the intensities, above -1 and below 1; 0 before the first trade."""
    buy_per_s = intensity_per_s(state, 1, settings)
    sell_per_s = intensity_per_s(state, -1, settings)
    return (buy_per_s - sell_per_s) / (buy_per_s + sell_per_s)
