"""Is the flow informed? A three-state filter (benign, toxic-buy, toxic-sell) that moves with every trade.

A trade's features give a log-likelihood ratio for informed flow of its own side: an unbroken run, a size
above the typical one, a book that leans with it. Prior odds stay out of it; they are the filter's business,
which mixes in a small hazard per trade that informed flow begins, and lets belief fade with time. The
verdict has hysteresis and a minimum dwell.

References
----------
Wald, "Sequential analysis" (1947): evidence adds up in log-likelihood ratios.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Toxicity
from ringbuf.jit import kernel

LN2: Final = 0.6931471805599453
LLR_MAX: Final = 4.0  # nats of one trade: no single print decides alone for ever
RUN_CAP: Final = 4
SIZE_CAP: Final = 3.0  # e-folds over the typical size
_BENIGN: Final = int(Toxicity.BENIGN)
_NORMAL: Final = int(Toxicity.NORMAL)
_TOXIC: Final = int(Toxicity.TOXIC)

TOXICITY = np.dtype(
    [
        ("buy_prob", "f8"),  # informed buyers are at work: poisons our ask
        ("sell_prob", "f8"),
        ("ts_ns", "i8"),  # the beliefs are of this time
        ("verdict", "i8"),  # Toxicity
        ("toxic_since_ts_ns", "i8"),
    ],
    align=True,
)


@kernel
def trade_llr(
    side: int, run_length: int, log_size_ratio: float, imbalance: float, settings: np.ndarray
) -> float:
    """Log-likelihood ratio of one trade for informed flow of its side, nats.

    Parameters
    ----------
    side : int
        Of the aggressor.
    run_length : int
        Signed run after this trade.
    log_size_ratio : float
        ln(size / typical size).
    imbalance : float
        Of the book, -1 to 1, > 0: more bids.
    settings : (1,) settings of ToxicityConfig
        Weights.

    Returns
    -------
    float
        -LLR_MAX to LLR_MAX; 0 when an input is not finite.
    """
    weights = settings[0]
    run = min(abs(run_length), RUN_CAP) - 1
    size = min(max(log_size_ratio, 0.0), SIZE_CAP)
    llr = weights["llr_bias"] + weights["llr_run"] * run + weights["llr_size"] * size
    llr += weights["llr_imbalance"] * side * imbalance
    if not (abs(llr) < np.inf):
        return 0.0
    return min(max(llr, -LLR_MAX), LLR_MAX)


@kernel
def on_trade(state: np.void, ts_ns: int, side: int, llr: float, settings: np.ndarray) -> None:
    """Filter one trade.

    Parameters
    ----------
    state : TOXICITY record
        Changed in place.
    ts_ns, side : int
        Of the trade.
    llr : float
        Its evidence for informed flow of its side; it speaks against the other side's.
    settings : (1,) settings of ToxicityConfig
        Hazard and thresholds.
    """
    advance(state, ts_ns, settings)
    hazard = settings[0]["hazard_per_trade"]
    buy = state["buy_prob"] + hazard * (1.0 - state["buy_prob"] - state["sell_prob"])
    sell = state["sell_prob"] + hazard * (1.0 - state["buy_prob"] - state["sell_prob"])
    benign = max(1.0 - buy - sell, 1e-12)
    weight = np.exp(llr)
    against = np.exp(-abs(llr))
    buy *= weight if side > 0 else against
    sell *= weight if side < 0 else against
    total = benign + buy + sell
    state["buy_prob"], state["sell_prob"] = buy / total, sell / total
    judge(state, ts_ns, settings)


@kernel
def advance(state: np.void, ts_ns: int, settings: np.ndarray) -> None:
    """Let belief fade with time and look at the verdict again."""
    if state["ts_ns"] > 0 and ts_ns > state["ts_ns"]:
        elapsed_s = (ts_ns - state["ts_ns"]) * 1e-9
        fade = np.exp(-LN2 * elapsed_s / settings[0]["decay_halflife_s"])
        state["buy_prob"] *= fade
        state["sell_prob"] *= fade
    state["ts_ns"] = max(state["ts_ns"], ts_ns)
    judge(state, ts_ns, settings)


@kernel
def judge(state: np.void, ts_ns: int, settings: np.ndarray) -> None:
    """Turn belief into a verdict, with hysteresis and minimum dwell."""
    limits = settings[0]
    worst = max(state["buy_prob"], state["sell_prob"])
    if worst > limits["toxic_enter_prob"]:
        if state["verdict"] != _TOXIC:
            state["toxic_since_ts_ns"] = ts_ns
        state["verdict"] = _TOXIC
        return
    if state["verdict"] == _TOXIC:
        dwelt = ts_ns - state["toxic_since_ts_ns"] >= limits["dwell_ms"] * 1_000_000
        if not (dwelt and worst < limits["toxic_leave_prob"]):
            return
    state["verdict"] = _NORMAL if worst > limits["normal_prob"] else _BENIGN
