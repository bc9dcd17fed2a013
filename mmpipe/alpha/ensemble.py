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

from typing import Final, NamedTuple

import numpy as np

from mmpipe.alpha import cross_asset, external_signals, lead_lag, tracked_beta
from mmpipe.alpha.cross_asset import SLOW
from mmpipe.alpha.external_signals import MODELS_MAX
from mmpipe.alpha.lead_lag import SPREAD
from mmpipe.alpha.run_length import PRIOR
from mmpipe.alpha.tracked_beta import BETA
from mmpipe.enums import Param, Signal, Trigger
from mmpipe.records import EXTERNAL_SIGNAL, SIGNALS
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


class AlphaState(NamedTuple):
    """What alpha remembers; every array is indexed by symbol first, `prior` is scratch."""

    spreads: np.ndarray  # (n,) SPREAD
    slows: np.ndarray  # (n,) SLOW
    betas: np.ndarray  # (n, TRACKED) BETA
    signals: np.ndarray  # (n, SIGNALS) float64, bps, index Signal
    externals: np.ndarray  # (n, MODELS_MAX) EXTERNAL_SIGNAL in force
    params: np.ndarray  # (n, PARAMS_COUNT) float64, index Param
    stds: np.ndarray  # … their posterior standard deviations
    thresholds: np.ndarray  # (SCALES,) float64 of the CUSUM bank, nats
    prior: np.ndarray  # (1,) PRIOR


def new_state(prior_values: np.ndarray, thresholds: np.ndarray, symbols: int) -> AlphaState:
    """State before the first snapshot.

    Parameters
    ----------
    prior_values : ndarray of float64, shape (PARAMS_COUNT,)
        Value of each learned parameter before there is evidence.
    thresholds : ndarray of float64, shape (SCALES,)
        Of the CUSUM bank.
    symbols : int
        How many.
    """
    betas = np.zeros((symbols, TRACKED), BETA)
    for symbol in range(symbols):
        for index in range(TRACKED):
            slow = float(prior_values[_BETA]) if index == _LEAD else 0.0
            tracked_beta.begin(betas[symbol, index], slow, BETA_STD, float(prior_values[_NOISE]))
    params: np.ndarray = np.tile(prior_values, (symbols, 1))
    return AlphaState(
        np.zeros(symbols, SPREAD),
        np.zeros(symbols, SLOW),
        betas,
        np.zeros((symbols, SIGNALS)),
        np.zeros((symbols, MODELS_MAX), EXTERNAL_SIGNAL),
        params,
        np.zeros_like(params),
        thresholds,
        np.zeros(1, PRIOR),
    )


@kernel
def hear(state: AlphaState, snapshot: np.void, settings: np.void, basis_halflife_s: float) -> None:
    """Let every filter of a symbol take a snapshot.

    Parameters
    ----------
    state : AlphaState
        Changed in place.
    snapshot : SNAPSHOT record
        In order.
    settings : settings record of AlphaConfig
        Horizon, ages, half-lives.
    basis_halflife_s : float
        Of the slow level in the snapshot's divergence.
    """
    symbol, slow = int(snapshot["symbol"]), state.slows[int(snapshot["symbol"])]
    on_timer = int(snapshot["trigger"]) == _ON_TIMER
    if on_timer:
        cross_asset.on_timer(slow, snapshot, state.prior[0], settings["level_run_s"])
    divergence_bps = cross_asset.divergence_bps(slow, snapshot, basis_halflife_s)
    spread = state.spreads[symbol]
    lead_lag.observe(
        spread, snapshot, divergence_bps, state.thresholds, settings["lead_age_max_ms"], basis_halflife_s
    )
    if on_timer:
        _track(state, snapshot, settings)


@kernel
def _track(state: AlphaState, snapshot: np.void, settings: np.void) -> None:
    symbol, ts_ns = int(snapshot["symbol"]), snapshot["ts_ns"]
    mid_px = snapshot["mid_px"] if snapshot["book_valid"] == 1 else 0.0
    betas, horizon_ns = state.betas[symbol], settings["horizon_ms"] * 1_000_000
    halflife_s, slow = settings["beta_halflife_s"], state.params[symbol, _BETA]
    spread = state.spreads[symbol]
    x = spread["size_bps"] * spread["fresh"]
    tracked_beta.track(betas[_LEAD], x, mid_px, ts_ns, horizon_ns, halflife_s, slow, BETA_STD)
    x = _first_lead_bps(state, symbol, ts_ns, settings["lead_age_max_ms"])
    tracked_beta.track(betas[_CROSS], x, mid_px, ts_ns, horizon_ns, halflife_s, 0.0, BETA_STD)
    x = cross_asset.funding_excess_bps(state.slows[symbol], snapshot)
    tracked_beta.track(betas[_FUNDING], x, mid_px, ts_ns, horizon_ns, halflife_s, 0.0, BETA_STD)


@kernel
def _first_lead_bps(state: AlphaState, symbol: int, ts_ns: int, age_max_ms: float) -> float:
    # Divergence of the first symbol, for the others; nothing once it is old.
    first = state.spreads[0]
    if symbol == 0 or not ts_ns - first["ts_ns"] <= age_max_ms * 1e6:
        return 0.0
    return first["size_bps"] * first["fresh"]


@kernel
def write_signals(state: AlphaState, snapshot: np.void, instrument: np.void, settings: np.void) -> None:
    """What each signal expects now, into `state.signals`, bps over the horizon.

    Parameters
    ----------
    state : AlphaState
        `signals` of the snapshot's symbol is written.
    snapshot : SNAPSHOT record
        Already heard.
    instrument : INSTRUMENT record
        Grid of the symbol.
    settings : settings record of AlphaConfig
        Horizon, ages, threshold.
    """
    symbol, ts_ns = int(snapshot["symbol"]), snapshot["ts_ns"]
    out, betas, spread = state.signals[symbol], state.betas[symbol], state.spreads[symbol]
    slow, horizon_s = state.slows[symbol], settings["horizon_ms"] * 1e-3
    out[_LEAD_LAG] = betas[_LEAD]["value"] * spread["size_bps"] * spread["fresh"]
    out[_MICROPRICE] = micro_move_bps(snapshot)
    out[_ORDER_FLOW] = flow_move_bps(snapshot, instrument)
    first_bps = _first_lead_bps(state, symbol, ts_ns, settings["lead_age_max_ms"])
    out[_CROSS_ASSET] = betas[_CROSS]["value"] * first_bps
    out[_FUNDING_SIGNAL] = betas[_FUNDING]["value"] * cross_asset.funding_excess_bps(slow, snapshot)
    out[_STAT_ARB] = cross_asset.reversion_bps(slow, horizon_s) if spread["fresh"] > 0.0 else 0.0
    out[_EXTERNAL] = external_signals.move_bps(
        state.externals[symbol], ts_ns, horizon_s, snapshot["sigma_ewma_bps"], settings["external_threshold"]
    )


@kernel
def combine(state: AlphaState, snapshot: np.void, horizon_s: float) -> tuple[float, float]:
    """Expected move of the mid and its standard deviation.

    Parameters
    ----------
    state : AlphaState
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
    params, stds, signals = state.params[symbol], state.stds[symbol], state.signals[symbol]
    spread, noise_bps = state.spreads[symbol], params[_NOISE]
    own_bps = snapshot["sigma_ewma_bps"] * np.sqrt(horizon_s)
    size_bps, doubt_bps = spread["size_bps"] * spread["fresh"], spread["doubt_bps"]
    total = noise_bps * noise_bps + own_bps * own_bps * (1.0 - spread["fresh"]) + doubt_bps * doubt_bps
    total += size_bps * size_bps * state.betas[symbol, _LEAD]["variance"]
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
