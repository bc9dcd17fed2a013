"""At which price one side quotes: candidate levels, each valued, the best expected profit wins.

Candidates are the best price, one step inside and one behind it, the level of the closed-form optimum
(GLFT), and the price at which an order of ours already rests, so that moving has to pay. All parts of the
optimum are additive in bps and their sum is what is quoted:

    depth = base + fee + adverse + inventory - side x shift,   shift = drift - skew x (position - target)

The target moves the reference of the inventory term; drift is only the part of the forecast that comes
before the target can be reached. So one forecast is counted once.

References
----------
Gueant, Lehalle, Fernandez-Tapia, "Dealing with the inventory risk" (2013): closed form for gamma, kappa > 0.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Param, Reason, Tif
from mmpipe.execution.valuation import value_level
from mmpipe.units import tick_step
from ringbuf.jit import kernel

PARTS = np.dtype(
    [
        ("base_bps", "f8"),  # half-spread of the optimum without inventory
        ("fee_bps", "f8"),
        ("adverse_bps", "f8"),
        ("inventory_bps", "f8"),  # price of one more unit of inventory, half of the skew per unit
        ("skew_bps", "f8"),  # shift of both quotes by position over target, > 0 up
        ("drift_bps", "f8"),  # shift of both quotes by the forecast, > 0 up
    ],
    align=True,
)

DESIRED = np.dtype(
    [
        ("wanted", "u1"),
        ("hurry", "u1"),  # 1: an order elsewhere may not wait for its minimum rest
        ("reduce_only", "u1"),
        ("tif", "u1"),
        ("side", "i1"),
        ("reason", "u2"),  # why it is or is not quoted
        ("px_tick", "i8"),
        ("qty_lots", "i8"),
        ("queue_value_bps", "f8"),
        ("queue_value_std_bps", "f8"),  # uncertainty of that expectation
        ("queue_rank", "f8"),
        ("fill_prob", "f8"),
        ("depth_bps", "f8"),
        ("score_bps", "f8"),  # expected profit of quoting it, per unit size
    ],
    align=True,
)

REQUEST_PRICE_BPS: Final = 0.01  # expected profit a move must add: requests are a budget
_EXIT_STEPS_MAX: Final = 40
_KAPPA: Final = int(Param.KAPPA_PER_BPS)
_ADVERSE: Final = int(Param.ADVERSE_SELECTION_NORMAL_BPS)
_SKEW_BPS_MAX: Final = 20.0
_INTENSITY_MIN_PER_S: Final = 0.05
_ALO: Final = int(Tif.ALO)
_QUOTING: Final = int(Reason.QUOTING)
_NO_VALUE: Final = int(Reason.QUEUE_VALUE_NOT_POSITIVE)
_LOW_PROB: Final = int(Reason.FILL_PROB_LOW)
_PENALTY: Final = int(Reason.PNL_AFTER_PENALTY)


@kernel
def quote_parts(
    excess_units: float, drift_bps: float, snapshots: np.ndarray, params: np.ndarray, execution: np.ndarray,
    out: np.void,
) -> None:  # fmt: skip
    """The additive parts of the optimal quotes.

    Parameters
    ----------
    excess_units : float
        Position minus target, in units of one quote.
    drift_bps : float
        Move of the mid expected before the target can be reached.
    snapshots : (1,) SNAPSHOT
        Volatility and arrivals.
    params : (PARAMS_COUNT,) float64
        Learned parameters, index Param.
    execution : (1,) settings of ExecutionConfig
        `gamma`, `maker_fee_bps`.
    out : PARTS record
        Written in whole; NaN where an input was.
    """
    snapshot = snapshots[0]
    gamma, kappa = execution[0]["gamma"], params[_KAPPA]
    arrivals_per_s = 0.5 * (snapshot["buy_intensity_per_s"] + snapshot["sell_intensity_per_s"])
    out["base_bps"] = np.log(1.0 + gamma / kappa) / gamma if gamma > 0.0 and kappa > 0.0 else np.nan
    out["fee_bps"] = execution[0]["maker_fee_bps"]
    out["adverse_bps"] = params[_ADVERSE]
    risk_bps = glft_skew_bps(
        gamma, kappa, snapshot["sigma_ewma_bps"], max(arrivals_per_s, _INTENSITY_MIN_PER_S)
    )
    out["inventory_bps"] = 0.5 * risk_bps
    skew_bps = -risk_bps * excess_units
    # A clamp by min and max would turn NaN into the bound.
    if abs(skew_bps) > _SKEW_BPS_MAX:
        skew_bps = _SKEW_BPS_MAX if skew_bps > 0.0 else -_SKEW_BPS_MAX
    out["skew_bps"] = skew_bps
    out["drift_bps"] = drift_bps


@kernel
def glft_skew_bps(gamma: float, kappa: float, sigma_bps: float, arrivals_per_s: float) -> float:
    """Shift of both quotes per unit of inventory.

    sqrt(sigma^2 gamma / (2 kappa A) (1 + gamma/kappa)^(1 + kappa/gamma))

    Parameters
    ----------
    gamma : float
        Risk aversion per bp, > 0.
    kappa : float
        Decay of arrivals per bp, > 0.
    sigma_bps : float
        Volatility per root second, >= 0.
    arrivals_per_s : float
        Of aggressors at the touch, > 0.

    Returns
    -------
    float
        bps, >= 0; NaN when an argument is outside its range.
    """
    if not (gamma > 0.0 and kappa > 0.0 and sigma_bps >= 0.0 and arrivals_per_s > 0.0):
        return np.nan
    growth = np.exp((1.0 + kappa / gamma) * np.log(1.0 + gamma / kappa))
    return np.sqrt(sigma_bps * sigma_bps * gamma / (2.0 * kappa * arrivals_per_s) * growth)


@kernel
def optimal_depth_bps(side: int, parts: np.void) -> float:
    """Distance of the optimal quote of a side from the mid: the sum of its parts."""
    shift_bps = parts["drift_bps"] + parts["skew_bps"]
    return (
        parts["base_bps"]
        + parts["fee_bps"]
        + parts["adverse_bps"]
        + parts["inventory_bps"]
        - side * shift_bps
    )


@kernel
def choose_level(
    row: np.void,
    live_tick: int,
    penalty_bps: float,
    parts: np.void,
    snapshots: np.ndarray,
    params: np.ndarray,
    instrument: np.ndarray,
    execution: np.ndarray,
    valuer: np.void,
) -> None:
    """Find the level of a side with the best expected profit among those that may be quoted.

    Parameters
    ----------
    row : DESIRED record
        `side` and `reduce_only` are read: a reducing quote needs a positive value, but neither chance of a
        fill nor profit after penalty. All else is written; `wanted` 0 with its reason when no level passes.
    live_tick : int
        Where an order of ours rests, 0: none.
    penalty_bps : float
        What a fill costs for the inventory it adds.
    parts : PARTS record
    snapshots : (1,) SNAPSHOT
    params : (PARAMS_COUNT,) float64
    instrument : (1,) INSTRUMENT
    execution : (1,) settings of ExecutionConfig
    valuer : VALUER record
        It was shown the market; overwritten.
    """
    side = int(row["side"])
    snapshot, tick_px = snapshots[0], instrument[0]["tick_px"]
    row["wanted"] = row["hurry"] = 0
    row["tif"] = _ALO
    row["reason"] = _NO_VALUE
    row["px_tick"] = row["qty_lots"] = 0
    row["queue_value_bps"] = row["queue_value_std_bps"] = row["fill_prob"] = row["score_bps"] = np.nan
    shift_bps = side * (parts["drift_bps"] + parts["skew_bps"]) - penalty_bps
    tried = (0, 0, 0)
    for number in range(5):
        tick = candidate_tick(number, side, live_tick, parts, snapshots, instrument)
        if tick <= 0 or (number == 3 and tick in tried):
            continue  # what was valued once is worth the same again
        tried = (tried[1], tried[2], tick)
        joined = number == 4
        rank = _doubted_rank(snapshot, side) if joined else -1.0
        value_level(side, tick, rank, snapshots, params, tick_px, execution, valuer)
        value = valuer["scratch"][0]
        score_bps = value["fill_prob"] * (value["queue_value_bps"] + shift_bps)
        reason = _judge_level(row, value, score_bps, execution[0]["fill_prob_min"])
        if reason != _QUOTING:
            if row["wanted"] == 0:
                row["reason"] = max(int(row["reason"]), reason)  # the one that came closest to a quote
            continue
        bonus_bps = REQUEST_PRICE_BPS if joined else 0.0
        if row["wanted"] == 0 or score_bps + bonus_bps > row["score_bps"]:
            take_value(row, tick, value, score_bps)


@kernel
def _doubted_rank(snapshot: np.void, side: int) -> float:
    # Our place, one standard deviation further back: a place that is not certain is worth less.
    rank, std = snapshot["bid_queue_rank"], snapshot["bid_queue_rank_std"]
    if side < 0:
        rank, std = snapshot["ask_queue_rank"], snapshot["ask_queue_rank_std"]
    return min(rank + std, 1.0)


@kernel
def choose_exit(
    row: np.void, inside: bool, value_demanded: bool, snapshots: np.ndarray, params: np.ndarray,
    instrument: np.ndarray, execution: np.ndarray, valuer: np.void,
) -> None:  # fmt: skip
    """Price a passive exit: at the touch or inside it; further out only when a positive value is demanded.

    Parameters
    ----------
    row : DESIRED record
        `side` is read, the rest written; `wanted` is 1 unless no level within the collar has a value.
    inside : bool
        One step inside the spread, where there is room.
    value_demanded : bool
        Step out, in growing steps, to the first level whose queue value is positive.
    snapshots, params, instrument, execution, valuer
        As for `choose_level`.
    """
    side = int(row["side"])
    snapshot, tick_px = snapshots[0], instrument[0]["tick_px"]
    row["wanted"] = 0
    row["tif"] = _ALO
    row["reason"] = _NO_VALUE
    step = tick_step(_touch(side, snapshot), int(instrument[0]["ticks_per_unit"]))
    tick = _touch(side, snapshot)
    if inside and snapshot["best_ask_tick"] - snapshot["best_bid_tick"] > step:
        tick += side * step
    away = step
    for _ in range(_EXIT_STEPS_MAX):
        value = valuer["scratch"][0]
        value_level(side, tick, -1.0, snapshots, params, tick_px, execution, valuer)
        if not (value["depth_bps"] <= execution[0]["collar_bps"]) or tick <= 0:
            return
        if not value_demanded or value["queue_value_bps"] > 0.0:
            take_value(row, tick, value, 0.0)
            return
        tick = on_grid(side, tick - side * away, instrument)
        away += step


@kernel
def take_value(row: np.void, tick: int, value: np.void, score_bps: float) -> None:
    """Want a quote at `tick`, with the numbers that justify it."""
    row["wanted"] = 1
    row["reason"] = _QUOTING
    row["px_tick"] = tick
    row["queue_value_bps"] = value["queue_value_bps"]
    row["queue_value_std_bps"] = value["queue_value_std_bps"]
    row["queue_rank"] = value["queue_rank"]
    row["fill_prob"] = value["fill_prob"]
    row["depth_bps"] = value["depth_bps"]
    row["score_bps"] = score_bps


@kernel
def candidate_tick(
    number: int, side: int, live_tick: int, parts: np.void, snapshots: np.ndarray, instrument: np.ndarray
) -> int:
    """Price of one candidate: 0 best, 1 inside, 2 behind, 3 optimum, 4 where we rest; 0: there is none.

    Parameters
    ----------
    number : int
        Which candidate.
    side : int
    live_tick : int
        0: nothing rests.
    parts : PARTS record
    snapshots : (1,) SNAPSHOT
    instrument : (1,) INSTRUMENT

    Returns
    -------
    int
        A price on the venue's grid that does not cross the other side.
    """
    snapshot = snapshots[0]
    best = _touch(side, snapshot)
    step = tick_step(best, int(instrument[0]["ticks_per_unit"]))
    tick = best
    if number == 1:
        tick = best + side * step
    elif number == 2:
        tick = best - side * step
    elif number == 3:
        depth_bps = optimal_depth_bps(side, parts)
        if not abs(depth_bps) < 1e4:
            return 0
        px = snapshot["mid_px"] * (1.0 - side * depth_bps * 1e-4)
        tick = _round_away(side, px / instrument[0]["tick_px"])
    elif number == 4:
        tick = live_tick
    if number != 4:
        tick = on_grid(side, tick, instrument)
    opposite = snapshot["best_ask_tick"] if side > 0 else snapshot["best_bid_tick"]
    if number == 3 and side * (opposite - tick) <= 0:
        tick = opposite - side * step
    return tick if tick > 0 and side * (opposite - tick) > 0 else 0


@kernel
def on_grid(side: int, tick: int, instrument: np.ndarray) -> int:
    """The price the venue accepts at `tick` or next behind it: down for a bid, up for an ask."""
    if tick <= 0:
        return 0
    step = tick_step(tick, int(instrument[0]["ticks_per_unit"]))
    return tick // step * step if side > 0 else -(-tick // step) * step


@kernel
def _touch(side: int, snapshot: np.void) -> int:
    return snapshot["best_bid_tick"] if side > 0 else snapshot["best_ask_tick"]


@kernel
def _round_away(side: int, ticks: float) -> int:
    return int(np.floor(ticks + 1e-9)) if side > 0 else int(np.ceil(ticks - 1e-9))


@kernel
def _judge_level(row: np.void, value: np.void, score_bps: float, fill_prob_min: float) -> int:
    if not (0.0 < value["queue_value_bps"] < np.inf):
        return _NO_VALUE
    if row["reduce_only"]:
        return _QUOTING if value["fill_prob"] >= 0.0 and abs(score_bps) < np.inf else _LOW_PROB
    if not (value["fill_prob"] > fill_prob_min):
        return _LOW_PROB
    return _QUOTING if 0.0 < score_bps < np.inf else _PENALTY
