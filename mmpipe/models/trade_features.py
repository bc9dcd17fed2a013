"""What one aggressor looks like beside the ones before him, seen from his own side.

A taker's order arrives as one row per maker it met: rows of the same side and the same venue stamp (one
block) are one aggressor. Every further row of him adds to his size and depth and revises his numbers; nothing
is counted twice. Who takes twice in one block on one side counts as one, which to a quote he is.

    usual size, gap, spread, depth   exponentially weighted mean and deviation over the aggressors *before*
                                     him, so that a surprise weighs the same in every market
    the book he met                  the touch of the newest block before his, because his own block's
                                     message may be here already and shows what he left

All numbers are mirrored: > 0 speaks for flow in his direction.

References
----------
Cont, Kukanov, Stoikov, "The price impact of order book events" (2014), equation 5, for the order flow.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

TOXICITY_INPUTS: Final = (
    "log_size",  # logarithm of his size so far, usual deviations from the usual
    "log_gap",  # … of the time since the aggressor before him
    "imbalance",  # of DEPTH_LEVELS levels, > 0: thin where he takes
    "flow_fast",  # order flow of half-life FAST_S his way, in usual depths
    "flow_slow",  # … of half-life SLOW_S
    "spread_change",  # logarithm of the spread he met, usual deviations from the usual
    "depth_change",  # … of the depth of the side he takes from
    "run_length",  # aggressors before him on his side without a break, capped
    "swept",  # ln(1 + bps he paid beyond the touch he met)
    "divergence",  # lead over maker beyond the basis, his way, bps
)
INPUTS: Final = len(TOXICITY_INPUTS)
USUAL_WEIGHT: Final = 0.02  # of one aggressor in what is usual
USUAL_COUNT_MIN: Final = 5  # fewer are not usual
STD_MIN: Final = 0.3  # e-folds; a market that hardly varies is not surprised by a trifle
SIZE, GAP, SPREAD, TAKEN, BOOK = range(5)  # quantities with a usual value: their logarithms
QUANTITIES: Final = 5
LN2: Final = 0.6931471805599453
FAST_S: Final = 0.5  # half-lives of the two order flows
SLOW_S: Final = 2.0
GAP_S_MIN: Final = 1e-3  # a venue's stamps are whole milliseconds
RUN_CAP: Final = 5.0
SURPRISE_CAP: Final = 5.0  # deviations; beyond them it says no more
FLOW_CAP: Final = 5.0  # usual depths
SWEPT_CAP: Final = 4.0
DIVERGENCE_CAP_BPS: Final = 10.0
DEPTH_LEVELS: Final = 5

AGGRESSORS = np.dtype(
    [
        ("touch_exch_ts_ns", "i8", (2,)),  # newest touch, and the one of the newest block before its block
        ("touch_ts_ns", "i8", (2,)),  # 0: none
        ("bid_px", "f8", (2,)),  # 0: void
        ("ask_px", "f8", (2,)),
        ("bid_qty", "f8", (2,)),
        ("ask_qty", "f8", (2,)),
        ("bid_depth_qty", "f8", (2,)),  # over DEPTH_LEVELS
        ("ask_depth_qty", "f8", (2,)),
        ("flow_fast_qty", "f8", (2,)),  # order-flow imbalance, faded to touch_ts_ns
        ("flow_slow_qty", "f8", (2,)),
        ("side", "i8"),  # of the newest aggressor; 0: none yet
        ("fresh", "i8"),  # 1: the newest row was his first
        ("exch_ts_ns", "i8"),
        ("ts_ns", "i8"),
        ("qty", "f8"),  # so far
        ("notional", "f8"),  # so far, quote units
        ("run_length", "i8"),  # signed, in aggressors
        (
            "logs",
            "f8",
            (QUANTITIES,),
        ),  # of the newest aggressor: base units, s, bps, base units twice
        ("known", "i8", (QUANTITIES,)),  # 1: there is such a logarithm
        ("counts", "i8", (QUANTITIES,)),  # of the aggressors before the newest that had one
        ("means", "f8", (QUANTITIES,)),
        ("variances", "f8", (QUANTITIES,)),
        ("met_px", "f8", (4,)),  # bid, ask, bid depth, ask depth he met; 0: no book
        ("met_flow", "f8", (2,)),
        ("inputs", "f8", (INPUTS,)),  # by TOXICITY_INPUTS
    ],
    align=True,
)


@kernel
def on_touch(
    state: np.void,
    ts_ns: int,
    exch_ts_ns: int,
    bid_px: float,
    ask_px: float,
    bid_qty: float,
    ask_qty: float,
    bid_depth_qty: float,
    ask_depth_qty: float,
) -> None:
    """Take the book after a message, changed or not; one of a newer block pushes the one before aside.

    Parameters
    ----------
    state : AGGRESSORS record
        Changed in place.
    ts_ns, exch_ts_ns : int
        Receive time; the venue's stamp, 0: it gives none.
    bid_px, ask_px : float
        Quote units; 0: the book is void.
    bid_qty, ask_qty, bid_depth_qty, ask_depth_qty : float
        At the best price, and over DEPTH_LEVELS levels; base units.
    """
    if state["touch_ts_ns"][0] > 0 and not (0 < exch_ts_ns <= state["touch_exch_ts_ns"][0]):
        state["touch_exch_ts_ns"][1] = state["touch_exch_ts_ns"][0]
        state["touch_ts_ns"][1] = state["touch_ts_ns"][0]
        state["bid_px"][1], state["ask_px"][1] = state["bid_px"][0], state["ask_px"][0]
        state["bid_qty"][1], state["ask_qty"][1] = state["bid_qty"][0], state["ask_qty"][0]
        state["bid_depth_qty"][1] = state["bid_depth_qty"][0]
        state["ask_depth_qty"][1] = state["ask_depth_qty"][0]
        state["flow_fast_qty"][1] = state["flow_fast_qty"][0]
        state["flow_slow_qty"][1] = state["flow_slow_qty"][0]
    flow_qty = 0.0
    if state["bid_px"][0] > 0.0 and bid_px > 0.0:
        flow_qty += bid_qty if bid_px >= state["bid_px"][0] else 0.0
        flow_qty -= state["bid_qty"][0] if bid_px <= state["bid_px"][0] else 0.0
        flow_qty -= ask_qty if ask_px <= state["ask_px"][0] else 0.0
        flow_qty += state["ask_qty"][0] if ask_px >= state["ask_px"][0] else 0.0
    elapsed_s = max(ts_ns - state["touch_ts_ns"][0], 0) * 1e-9
    state["flow_fast_qty"][0] = state["flow_fast_qty"][0] * np.exp(-LN2 * elapsed_s / FAST_S) + flow_qty
    state["flow_slow_qty"][0] = state["flow_slow_qty"][0] * np.exp(-LN2 * elapsed_s / SLOW_S) + flow_qty
    state["touch_ts_ns"][0] = ts_ns
    state["touch_exch_ts_ns"][0] = max(exch_ts_ns, state["touch_exch_ts_ns"][0])
    state["bid_px"][0], state["ask_px"][0] = bid_px, ask_px
    state["bid_qty"][0], state["ask_qty"][0] = bid_qty, ask_qty
    state["bid_depth_qty"][0], state["ask_depth_qty"][0] = bid_depth_qty, ask_depth_qty


@kernel
def begin(state: np.void, ts_ns: int, exch_ts_ns: int, side: int) -> None:
    """Say whose row comes next: `fresh` is 1 for a new aggressor, who meets a book (`met_px`).

    Parameters
    ----------
    state : AGGRESSORS record
        Changed in place.
    ts_ns, exch_ts_ns : int
        Receive time; the venue's stamp, 0: it gives none.
    side : int
        Of the aggressor, +1 or -1.
    """
    same = side == state["side"] and exch_ts_ns > 0 and exch_ts_ns == state["exch_ts_ns"]
    state["fresh"] = 0 if same else 1
    if not same:
        _remember(state)
        _meet(state, ts_ns, exch_ts_ns, side)


@kernel
def on_trade(state: np.void, side: int, px: float, qty: float, lead_offset_bps: float) -> None:
    """Take one row of the aggressor that `begin` named and write what he looks like to `inputs`.

    Parameters
    ----------
    state : AGGRESSORS record
        Changed in place.
    side : int
        Of the aggressor, +1 or -1.
    px, qty : float
        Of the row, quote and base units, > 0.
    lead_offset_bps : float
        Divergence of the lead over the mid he met, > 0: it is higher; 0: no lead.
    """
    state["qty"] += qty
    state["notional"] += px * qty
    _describe(state, side, px, lead_offset_bps)


@kernel
def mean_px(state: np.void) -> float:
    """Mean price the newest aggressor paid so far, quote units; 0 before the first."""
    return state["notional"] / state["qty"] if state["qty"] > 0.0 else 0.0


@kernel
def half_spread_px(state: np.void) -> float:
    """Half the spread the newest aggressor met, quote units; 0 without a book."""
    return (state["met_px"][1] - state["met_px"][0]) / 2.0 if state["met_px"][0] > 0.0 else 0.0


@kernel
def _remember(state: np.void) -> None:
    # The newest aggressor is complete and becomes part of what is usual.
    if state["side"] == 0:
        return
    for index in range(QUANTITIES):
        if state["known"][index] == 0:
            continue
        weight = max(USUAL_WEIGHT, 1.0 / (state["counts"][index] + 1.0))
        off = state["logs"][index] - state["means"][index]
        state["means"][index] += weight * off
        state["variances"][index] += weight * ((1.0 - weight) * off * off - state["variances"][index])
        state["counts"][index] += 1


@kernel
def _meet(state: np.void, ts_ns: int, exch_ts_ns: int, side: int) -> None:
    # A new aggressor: his gap, his run, the book he met.
    both_stamped = exch_ts_ns > 0 and state["exch_ts_ns"] > 0
    gap_ns = exch_ts_ns - state["exch_ts_ns"] if both_stamped else ts_ns - state["ts_ns"]
    state["known"][GAP] = 1 if state["side"] != 0 else 0
    state["logs"][GAP] = np.log(max(gap_ns * 1e-9, GAP_S_MIN))
    run = state["run_length"]
    state["run_length"] = run + side if run * side > 0 else side
    state["side"], state["exch_ts_ns"], state["ts_ns"] = side, exch_ts_ns, ts_ns
    state["qty"], state["notional"] = 0.0, 0.0
    late = exch_ts_ns > 0 and state["touch_exch_ts_ns"][0] >= exch_ts_ns and state["touch_ts_ns"][1] > 0
    at = 1 if late else 0
    bid_px, ask_px = state["bid_px"][at], state["ask_px"][at]
    bids_qty, asks_qty = state["bid_depth_qty"][at], state["ask_depth_qty"][at]
    state["met_px"][0], state["met_px"][1] = bid_px, ask_px
    state["met_px"][2], state["met_px"][3] = bids_qty, asks_qty
    elapsed_s = max(ts_ns - state["touch_ts_ns"][at], 0) * 1e-9
    state["met_flow"][0] = state["flow_fast_qty"][at] * np.exp(-LN2 * elapsed_s / FAST_S)
    state["met_flow"][1] = state["flow_slow_qty"][at] * np.exp(-LN2 * elapsed_s / SLOW_S)
    book = 1 if ask_px > bid_px > 0.0 and bids_qty > 0.0 and asks_qty > 0.0 else 0
    state["known"][SPREAD] = state["known"][TAKEN] = state["known"][BOOK] = book
    if book == 1:
        state["logs"][SPREAD] = np.log((ask_px - bid_px) / bid_px * 1e4)
        state["logs"][TAKEN] = np.log(asks_qty if side > 0 else bids_qty)
        state["logs"][BOOK] = np.log((bids_qty + asks_qty) / 2.0)


@kernel
def _describe(state: np.void, side: int, px: float, lead_offset_bps: float) -> None:
    inputs = state["inputs"]
    state["logs"][SIZE], state["known"][SIZE] = np.log(state["qty"]), 1
    inputs[0] = _surprise(state, SIZE)
    if state["fresh"] == 1:
        inputs[1] = _surprise(state, GAP)
        inputs[5], inputs[6] = _surprise(state, SPREAD), _surprise(state, TAKEN)
        inputs[7] = min(abs(state["run_length"]) - 1.0, RUN_CAP)
        inputs[9] = _capped(side * lead_offset_bps, DIVERGENCE_CAP_BPS)
        inputs[2] = inputs[3] = inputs[4] = inputs[8] = 0.0
    if state["known"][BOOK] == 0:
        return
    touch_px = state["met_px"][1] if side > 0 else state["met_px"][0]
    swept_bps = max(side * (px - touch_px) / touch_px * 1e4, 0.0)
    inputs[8] = max(inputs[8], min(np.log1p(swept_bps), SWEPT_CAP))
    bids_qty, asks_qty = state["met_px"][2], state["met_px"][3]
    inputs[2] = side * (bids_qty - asks_qty) / (bids_qty + asks_qty)
    if state["counts"][BOOK] >= USUAL_COUNT_MIN:
        usual_qty = np.exp(state["means"][BOOK])
        inputs[3] = _capped(side * state["met_flow"][0] / usual_qty, FLOW_CAP)
        inputs[4] = _capped(side * state["met_flow"][1] / usual_qty, FLOW_CAP)


@kernel
def _surprise(state: np.void, index: int) -> float:
    # Deviations from the usual, by what was usual before him.
    if state["known"][index] == 0 or state["counts"][index] < USUAL_COUNT_MIN:
        return 0.0
    std = max(np.sqrt(state["variances"][index]), STD_MIN)
    return _capped((state["logs"][index] - state["means"][index]) / std, SURPRISE_CAP)


@kernel
def _capped(value: float, cap: float) -> float:
    # NaN becomes no evidence.
    return min(max(value, -cap), cap) if abs(value) < np.inf else 0.0
