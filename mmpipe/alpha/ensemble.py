"""What each signal expects of the maker's mid, and all of them together with what is not known.

    alpha = sum over signals of weight * signal
    std^2 = noise^2 + (sigma sqrt(h))^2 (1 - freshness) + doubt^2 + (size std(beta))^2
            + sum (signal std(weight))^2

A weight is a learned parameter: what the signal adds to the prediction of moves, 0 while that is not known
to be anything (`learning.signal_value`). doubt is the part of a divergence nobody believes. Every snapshot
is heard, the last of each symbol is judged.

References
----------
Cont, Kukanov, Stoikov, "The price impact of order book events" (2014): impact of 1 / (2 * depth) ticks.
"""

from typing import Final

import numpy as np

from mmpipe.alpha import cross_asset, external_signals, lead_lag, tracked_beta
from mmpipe.alpha.changepoint import SCALES
from mmpipe.alpha.cross_asset import SLOW
from mmpipe.alpha.external_signals import MODELS_MAX
from mmpipe.alpha.lead_lag import SPREAD
from mmpipe.alpha.run_length import PRIOR
from mmpipe.alpha.tracked_beta import BETA
from mmpipe.enums import Param, Signal, Trigger
from mmpipe.records import EXTERNAL_SIGNAL, INSTRUMENT, PARAMS_COUNT, SIGNALS
from mmpipe.units import tick_step
from ringbuf.jit import kernel

TRACKED: Final = 3  # coefficients: of the lead, of the first symbol's lead, of funding
BETA_STD: Final = 0.25  # how far a tracked coefficient strays from the learned one
_LEAD, _CROSS, _FUNDING = 0, 1, 2
_BETA: Final = int(Param.LEAD_LAG_BETA)
_NOISE: Final = int(Param.LEAD_LAG_NOISE_BPS)
_FIRST_WEIGHT: Final = int(Param.SIGNAL_WEIGHT_LEAD_LAG)
_LEAD_LAG: Final = int(Signal.LEAD_LAG)
_MICROPRICE: Final = int(Signal.MICROPRICE)
_ORDER_FLOW: Final = int(Signal.ORDER_FLOW)
_CROSS_ASSET: Final = int(Signal.CROSS_ASSET)
_FUNDING_SIGNAL: Final = int(Signal.FUNDING)
_STAT_ARB: Final = int(Signal.STAT_ARB)
_EXTERNAL: Final = int(Signal.EXTERNAL)
_SIGNALS: Final = len(Signal)
_ON_TIMER: Final = int(Trigger.TIMER)


# All that alpha remembers of a symbol as one record, so that a kernel is handed all symbols in one argument.
OUTLOOK = np.dtype(
    [
        ("spread", SPREAD),
        ("signals", "f8", (SIGNALS,)),  # bps, index Signal
        ("params", "f8", (PARAMS_COUNT,)),  # index Param
        ("stds", "f8", (PARAMS_COUNT,)),  # … their posterior standard deviations
        ("thresholds", "f8", (SCALES,)),  # of the CUSUM bank, nats
        ("betas", BETA, (TRACKED,)),
        ("instrument", INSTRUMENT),
        ("externals", EXTERNAL_SIGNAL, (MODELS_MAX,)),  # in force
        ("prior", PRIOR),  # scratch
        ("slow", SLOW),
    ],
    align=True,
)


def new_state(prior_values: np.ndarray, thresholds: np.ndarray, instruments: np.ndarray) -> np.ndarray:
    """State before the first snapshot.

    Parameters
    ----------
    prior_values : ndarray of float64, shape (PARAMS_COUNT,)
        Value of each learned parameter before there is evidence.
    thresholds : ndarray of float64, shape (SCALES,)
        Of the CUSUM bank.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.

    Returns
    -------
    ndarray of OUTLOOK, shape (symbols,)
    """
    state: np.ndarray = np.zeros(len(instruments), OUTLOOK)
    for betas in state["betas"]:
        for index in range(TRACKED):
            slow = float(prior_values[_BETA]) if index == _LEAD else 0.0
            tracked_beta.begin(betas[index], slow, BETA_STD, float(prior_values[_NOISE]))
    state["params"], state["thresholds"] = prior_values, thresholds
    state["instrument"] = instruments
    return state


@kernel
def hear(state: np.ndarray, snapshot: np.void, settings: np.void, basis_halflife_s: float) -> None:
    """Let every filter of a symbol take a snapshot.

    Parameters
    ----------
    state : (symbols,) OUTLOOK
        Changed in place.
    snapshot : SNAPSHOT record
        In order.
    settings : settings record of AlphaConfig
        Horizon, ages, half-lives.
    basis_halflife_s : float
        Of the slow level in the snapshot's divergence.
    """
    symbol, slow = int(snapshot["symbol"]), state[int(snapshot["symbol"])]["slow"]
    on_timer = int(snapshot["trigger"]) == _ON_TIMER
    if on_timer:
        cross_asset.on_timer(slow, snapshot, state[symbol]["prior"], settings["level_run_s"])
    divergence_bps = cross_asset.divergence_bps(slow, snapshot, basis_halflife_s)
    spread = state[symbol]["spread"]
    thresholds, age_max_ms = state[symbol]["thresholds"], settings["lead_age_max_ms"]
    lead_lag.observe(spread, snapshot, divergence_bps, thresholds, age_max_ms, basis_halflife_s)
    if on_timer:
        _track(state, snapshot, settings)


@kernel
def _track(state: np.ndarray, snapshot: np.void, settings: np.void) -> None:
    symbol, ts_ns = int(snapshot["symbol"]), snapshot["ts_ns"]
    mid_px = snapshot["mid_px"] if snapshot["book_valid"] == 1 else 0.0
    betas, horizon_ns = state[symbol]["betas"], settings["horizon_ms"] * 1_000_000
    halflife_s, slow = settings["beta_halflife_s"], state[symbol]["params"][_BETA]
    spread = state[symbol]["spread"]
    x = spread["size_bps"] * spread["fresh"]
    tracked_beta.track(betas[_LEAD], x, mid_px, ts_ns, horizon_ns, halflife_s, slow, BETA_STD)
    x = _first_lead_bps(state, symbol, ts_ns, settings["lead_age_max_ms"])
    tracked_beta.track(betas[_CROSS], x, mid_px, ts_ns, horizon_ns, halflife_s, 0.0, BETA_STD)
    x = cross_asset.funding_excess_bps(state[symbol]["slow"], snapshot)
    tracked_beta.track(betas[_FUNDING], x, mid_px, ts_ns, horizon_ns, halflife_s, 0.0, BETA_STD)


@kernel
def _first_lead_bps(state: np.ndarray, symbol: int, ts_ns: int, age_max_ms: float) -> float:
    # Divergence of the first symbol, for the others; nothing once it is old.
    first = state[0]["spread"]
    if symbol == 0 or not ts_ns - first["ts_ns"] <= age_max_ms * 1e6:
        return 0.0
    return first["size_bps"] * first["fresh"]


@kernel
def write_signals(state: np.ndarray, snapshot: np.void, settings: np.void) -> None:
    """What each signal expects now, into `signals`, bps over the horizon.

    Parameters
    ----------
    state : (symbols,) OUTLOOK
        `signals` of the snapshot's symbol is written.
    snapshot : SNAPSHOT record
        Already heard.
    settings : settings record of AlphaConfig
        Horizon, ages, threshold.
    """
    symbol, ts_ns = int(snapshot["symbol"]), snapshot["ts_ns"]
    out, betas, spread = state[symbol]["signals"], state[symbol]["betas"], state[symbol]["spread"]
    slow, horizon_s = state[symbol]["slow"], settings["horizon_ms"] * 1e-3
    out[_LEAD_LAG] = betas[_LEAD]["value"] * spread["size_bps"] * spread["fresh"]
    out[_MICROPRICE] = micro_move_bps(snapshot)
    out[_ORDER_FLOW] = flow_move_bps(snapshot, state[symbol]["instrument"])
    first_bps = _first_lead_bps(state, symbol, ts_ns, settings["lead_age_max_ms"])
    out[_CROSS_ASSET] = betas[_CROSS]["value"] * first_bps
    out[_FUNDING_SIGNAL] = betas[_FUNDING]["value"] * cross_asset.funding_excess_bps(slow, snapshot)
    out[_STAT_ARB] = cross_asset.reversion_bps(slow, horizon_s) if spread["fresh"] > 0.0 else 0.0
    externals, sigma_bps = state[symbol]["externals"], snapshot["sigma_ewma_bps"]
    threshold = settings["external_threshold"]
    out[_EXTERNAL] = external_signals.move_bps(externals, ts_ns, horizon_s, sigma_bps, threshold)


@kernel
def combine(state: np.ndarray, snapshot: np.void, horizon_s: float) -> tuple[float, float]:
    """Expected move of the mid and its standard deviation.

    Parameters
    ----------
    state : (symbols,) OUTLOOK
        Signals as `write_signals` left them.
    snapshot : SNAPSHOT record
        Of the symbol.
    horizon_s : float
        > 0.

    Returns
    -------
    tuple of float and float
        alpha, bps; its standard deviation, bps, > 0.
    """
    symbol = int(snapshot["symbol"])
    params, stds, signals = state[symbol]["params"], state[symbol]["stds"], state[symbol]["signals"]
    spread, noise_bps = state[symbol]["spread"], params[_NOISE]
    own_bps = snapshot["sigma_ewma_bps"] * np.sqrt(horizon_s)
    size_bps, doubt_bps = spread["size_bps"] * spread["fresh"], spread["doubt_bps"]
    total = noise_bps * noise_bps + own_bps * own_bps * (1.0 - spread["fresh"]) + doubt_bps * doubt_bps
    total += size_bps * size_bps * state[symbol]["betas"][_LEAD]["variance"]
    alpha_bps = 0.0
    for index in range(_SIGNALS):
        weight = params[_FIRST_WEIGHT + index]
        alpha_bps += weight * signals[index]
        if weight > 0.0:
            share_bps = signals[index] * stds[_FIRST_WEIGHT + index]
            total += share_bps * share_bps
    return alpha_bps, np.sqrt(total)


@kernel
def micro_move_bps(snapshot: np.void) -> float:
    """Where the quantities at the touch say the mid goes, bps; 0 without a valid book."""
    if not (snapshot["mid_px"] > 0.0):
        return 0.0
    return (snapshot["microprice_px"] - snapshot["mid_px"]) / snapshot["mid_px"] * 1e4


@kernel
def flow_move_bps(snapshot: np.void, instrument: np.void) -> float:
    """Move that the order flow of the last 500 ms makes, bps; 0 without a valid book."""
    depth_qty = (snapshot["bid_depth_qty"][0] + snapshot["ask_depth_qty"][0]) / 2.0
    if not (snapshot["mid_px"] > 0.0 and depth_qty > 0.0):
        return 0.0
    step_px = tick_step(snapshot["best_bid_tick"], instrument["ticks_per_unit"]) * instrument["tick_px"]
    return snapshot["ofi_500ms"] / (2.0 * depth_qty) * step_px / snapshot["mid_px"] * 1e4
