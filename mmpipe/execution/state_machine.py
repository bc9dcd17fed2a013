"""Which of five modes a symbol is in, from one judgement; every change has a reason and both expected values.

              no edge                 edge or a position to work
      ┌──────── FLAT ◀──────────────▶ MAKER ────▶ TAKER_ENTRY    target far, taking beats making
      │           ▲                     │
      │ toxic,    │ nothing left        │ toxic, or over the limit
      ▼ exposed   │                     ▼
   INVENTORY_REDUCE ───────────────▶ TAKER_EXIT                  patience, stop, or a stale feed
                                                                 (from any mode with inventory)

Rules are tried from the safest: what is not known is treated as the worst. FLAT and MAKER switch where the
best expected value changes sign, which takes the quote away or brings it anyway; only leaving a limit and
leaving TAKER_EXIT have hysteresis of their own. Toxicity has its own dwell where it is made. Patience is
counted while INVENTORY_REDUCE lasts: a market maker's ordinary inventory is not an exit that failed.
"""

from typing import Final

import numpy as np

from mmpipe.boards import MODES
from mmpipe.config import ExecutionConfig, settings_dtype
from mmpipe.enums import FeedState, Mode, Reason, Regime, Toxicity
from ringbuf.jit import example, kernel

JUDGEMENT = np.dtype(
    [
        ("now_ns", "i8"),
        ("position_lots", "i8"),
        ("max_lots", "i8"),  # hard inventory limit at the mid, > 0
        ("safe_lots", "i8"),  # the limit shrunk by volatility over its baseline
        ("unit_lots", "i8"),  # one quote of full size
        ("target_lots", "f8"),  # clamped to safe_lots
        ("target_std_lots", "f8"),  # how far it may be off
        ("mid_px", "f8"),
        ("half_spread_bps", "f8"),
        ("alpha_bps", "f8"),
        ("doubt_bps", "f8"),  # standard deviation of alpha
        ("bid_value_bps", "f8"),  # best queue value of the side among quotable levels; NaN: none
        ("ask_value_bps", "f8"),
        ("maker_ev_bps", "f8"),  # towards the target
        ("taker_ev_bps", "f8"),
        ("patience_share", "f8"),  # passive exit waited / patience
        ("stop_share", "f8"),  # adverse move since entry / stop
        ("sound", "u1"),  # book valid and every input a number
        ("maker_feed", "u1"),  # FeedState
        ("toxicity", "u1"),
        ("regime", "u1"),
        ("mode", "u1"),  # chosen
        ("reason", "u2"),
        ("urgency", "f8"),  # 0 to 1
    ],
    align=True,
)

MODE_STATE = np.dtype(
    [
        ("mode_ns", "i8", (MODES,)),
        ("quoting_ns", "i8"),
        ("quotable_ns", "i8"),
        ("counted_ts_ns", "i8"),  # up to when time was counted; 0: not begun
        ("exit_ts_ns", "i8"),  # since when a passive exit is wanted, 0: none is
        ("snapshot_ts_ns", "i8"),  # of the last judgement, 0: none yet
        ("target_lots", "i8"),
        ("maker_ev_bps", "f8"),
        ("taker_ev_bps", "f8"),
        ("mode_reason", "u2"),
        ("bid_reason", "u2"),
        ("ask_reason", "u2"),
        ("mode", "u1"),
        ("toxicity", "u1"),
        ("quotable", "u1"),  # not toxic and a level of positive value on some side
    ],
    align=True,
)

LIMIT_LEAVE_SHARE: Final = 0.9  # of max inventory, below which an inventory over the limit is forgiven
_FLAT: Final = int(Mode.FLAT)
_MAKER: Final = int(Mode.MAKER)
_TAKER_ENTRY: Final = int(Mode.TAKER_ENTRY)
_TAKER_EXIT: Final = int(Mode.TAKER_EXIT)
_REDUCE: Final = int(Mode.INVENTORY_REDUCE)
_TOXIC: Final = int(Toxicity.TOXIC)
_CASCADE: Final = int(Regime.CASCADE)
_STALE: Final = int(FeedState.STALE)
_LIVE: Final = int(FeedState.LIVE)
_NO_BOOK: Final = int(Reason.NO_BOOK)
_FEED: Final = int(Reason.MAKER_FEED_NOT_LIVE)
_OVER: Final = int(Reason.INVENTORY_OVER_LIMIT)
_POISONED: Final = int(Reason.TOXIC)
_CASCADING: Final = int(Reason.REGIME_CASCADE)
_PATIENCE: Final = int(Reason.EXIT_PATIENCE)
_STOP: Final = int(Reason.EXIT_STOP)
_GAP: Final = int(Reason.TARGET_GAP)
_NO_EDGE: Final = int(Reason.FLAT_NO_EDGE)
_EDGE: Final = int(Reason.EDGE_POSITIVE)
_TOXIC_URGENCY: Final = 0.8


@kernel
def select_mode(judgement: np.ndarray, previous: int, execution: np.ndarray) -> None:
    """Choose mode, reason and urgency.

    Parameters
    ----------
    judgement : (1,) JUDGEMENT
        `mode`, `reason` and `urgency` are written, the rest is read.
    previous : int
        Mode until now.
    execution : (1,) settings of ExecutionConfig
        Shares of max inventory.
    """
    case, settings = judgement[0], execution[0]
    held = abs(case["position_lots"])
    exposed = not held <= settings["dust_share"] * case["max_lots"]
    if exposed and _select_exit(case, previous):
        return
    if not case["sound"] or int(case["maker_feed"]) != _LIVE:
        reason = _FEED if case["sound"] else _NO_BOOK
        _choose(case, _REDUCE if exposed else _FLAT, reason, 1.0 if exposed else 0.0)
        return
    limit_share = LIMIT_LEAVE_SHARE if previous == _REDUCE and int(case["reason"]) == _OVER else 1.0
    if not held <= limit_share * case["max_lots"]:
        _choose(case, _REDUCE, _OVER, 1.0)
    elif int(case["toxicity"]) >= _TOXIC or int(case["regime"]) >= _CASCADE:
        near = settings["toxic_reduce_share"] * case["max_lots"]
        share = min(held / near, 1.0) if near > 0.0 else 1.0
        reason = _POISONED if int(case["toxicity"]) >= _TOXIC else _CASCADING
        _choose(case, _REDUCE if exposed else _FLAT, reason, _TOXIC_URGENCY * share if exposed else 0.0)
    else:
        _select_quiet(case, held, settings)


@kernel
def _select_exit(case: np.void, previous: int) -> bool:
    stale = case["sound"] and int(case["maker_feed"]) == _STALE
    patience, stop = case["patience_share"], case["stop_share"]
    if stale:
        _choose(case, _TAKER_EXIT, _FEED, 1.0)
    elif not case["sound"] or int(case["maker_feed"]) != _LIVE:
        return False  # there is no price to take at
    elif not stop < 1.0:
        _choose(case, _TAKER_EXIT, _STOP, 1.0)
    elif not patience < 1.0:
        _choose(case, _TAKER_EXIT, _PATIENCE, 1.0)
    elif previous == _TAKER_EXIT and int(case["reason"]) != _FEED:
        _choose(case, _TAKER_EXIT, int(case["reason"]), 1.0)  # once begun, it is finished
    else:
        return False
    return True


@kernel
def _select_quiet(case: np.void, held: int, settings: np.void) -> None:
    limit, gap = case["max_lots"], case["target_lots"] - case["position_lots"]
    taking = case["taker_ev_bps"] > 0.0 and case["taker_ev_bps"] > case["maker_ev_bps"]
    edge = case["bid_value_bps"] > 0.0 or case["ask_value_bps"] > 0.0
    small = held < settings["flat_inventory_share"] * limit
    # Taking pays for a gap that is there even if the target is off by what it may be.
    if abs(gap) - case["target_std_lots"] > settings["taker_gap_share"] * limit and taking:
        _choose(case, _TAKER_ENTRY, _GAP, min(abs(gap) / limit, 1.0))
    elif not edge and small and abs(case["target_lots"]) < settings["flat_target_share"] * limit:
        _choose(case, _FLAT, _NO_EDGE, 0.0)
    else:
        _choose(case, _MAKER, _EDGE if edge else _GAP, 0.0)


@kernel
def _choose(case: np.void, mode: int, reason: int, urgency: float) -> None:
    case["mode"] = mode
    case["reason"] = reason
    case["urgency"] = urgency


@example(select_mode)
def _select_mode_example() -> tuple[object, ...]:
    return np.zeros(1, JUDGEMENT), 0, np.zeros(1, settings_dtype(ExecutionConfig))
