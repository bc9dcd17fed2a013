"""The work of the alpha stage: SNAPSHOT in, FORECAST out, one compiled call per batch.

Every snapshot is heard by the filters; the newest of each symbol is judged and carried whole. On TIMER
snapshots a forecast also leaves a PREDICTION, which the learner scores when the horizon is over.
"""

from typing import Final

import numpy as np

from mmpipe.alpha import ensemble, external_signals, target
from mmpipe.alpha.changepoint import alarm_thresholds
from mmpipe.alpha.cross_asset import PERIOD_S
from mmpipe.alpha.ensemble import OUTLOOK, new_state
from mmpipe.boards import ALPHA_BOARD
from mmpipe.config import AlphaConfig, Config, ExecutionConfig, settings_dtype, settings_row
from mmpipe.enums import Counter, Param, Part, Reason, Signal, Trigger
from mmpipe.models.ablation import NOTHING, hold_params
from mmpipe.models.parameters import prior_values, take_params
from mmpipe.records import (
    FORECAST,
    PARAMS_COUNT,
    PREDICTION,
    SNAPSHOT,
    SYMBOLS_MAX,
)
from ringbuf.jit import entry, example, kernel

SNAPSHOTS_MAX: Final = 64  # per call

_ON_TIMER: Final = int(Trigger.TIMER)
_NO_BOOK: Final = 1 << int(Reason.NO_BOOK)
_NO_LEAD: Final = 1 << int(Reason.LEAD_FEED_NOT_LIVE)
_EDGE: Final = 1 << int(Reason.EDGE_POSITIVE)
_GAP: Final = 1 << int(Reason.TARGET_GAP)
_FORECASTS: Final = int(Counter.FORECASTS)
_PREDICTIONS: Final = int(Counter.PREDICTIONS)
_SKIPPED: Final = int(Counter.SKIPPED_STALE)
_LEAD_LAG: Final = int(Signal.LEAD_LAG)
_SIGNALS: Final = len(Signal)
_FIRST_WEIGHT: Final = int(Param.SIGNAL_WEIGHT_LEAD_LAG)


RULES = np.dtype(
    [
        ("alpha", settings_dtype(AlphaConfig)),  # horizon, ages, limits
        ("execution", settings_dtype(ExecutionConfig)),  # sizes and fees
        ("basis_halflife_s", "f8"),  # of the slow level in the snapshots' divergence
    ],
    align=True,
)

# What one call makes, and where it keeps which snapshot is a symbol's newest.
OUTLET = np.dtype(
    [
        ("forecast_count", "i8"),
        ("prediction_count", "i8"),
        ("newest", "i8", (SYMBOLS_MAX,)),
        ("forecasts", FORECAST, (SNAPSHOTS_MAX,)),
        ("predictions", PREDICTION, (SNAPSHOTS_MAX,)),
    ],
    align=True,
)


class ForecastEngine:
    """State and buffers of the alpha stage.

    Parameters
    ----------
    config : Config
        Horizon, half-lives, largest inventory.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.
    without : Part
        Signals that are removed, for a comparison.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        FORECASTS, PREDICTIONS, SKIPPED_STALE, PARAMS_APPLIED, BAD_NUMBER.
    """

    def __init__(self, config: Config, instruments: np.ndarray, without: Part = NOTHING) -> None:
        self._without = without
        thresholds = alarm_thresholds(config.alpha.cusum_arl)
        self._state = new_state(prior_values(config), thresholds, instruments)
        hold_params(self._state["params"], without)
        rules: np.ndarray = np.zeros(1, RULES)
        rules["alpha"], rules["execution"] = settings_row(config.alpha), settings_row(config.execution)
        rules["basis_halflife_s"] = config.features.basis_halflife_s
        outlet = np.zeros(1, OUTLET)
        self._forecasts, self._predictions = outlet["forecasts"][0], outlet["predictions"][0]
        self._forecast_count, self._prediction_count = outlet["forecast_count"], outlet["prediction_count"]
        self._board = np.zeros(1, ALPHA_BOARD)
        self.counters = np.zeros(len(Counter), np.int64)
        self._rest = (self._state, rules, outlet, self.counters)
        self._forecast_all = entry(forecast_all, np.zeros(0, SNAPSHOT), *self._rest)

    def on_snapshots(self, snapshots: np.ndarray) -> np.ndarray:
        """Hear snapshots, judge the newest of each symbol.

        Parameters
        ----------
        snapshots : ndarray of SNAPSHOT, shape (n,), n <= SNAPSHOTS_MAX
            As their ring delivered them.

        Returns
        -------
        ndarray of FORECAST, shape (symbols among them,)
            A view of the engine's buffer, valid until the next call; `seq` is left to the ring.
        """
        assert len(snapshots) <= SNAPSHOTS_MAX, f"at most {SNAPSHOTS_MAX} snapshots, not {len(snapshots)}"
        self._forecast_all(snapshots, *self._rest)
        return self._forecasts[: self._forecast_count[0]]

    def predictions(self) -> np.ndarray:
        """PREDICTION rows of the last `on_snapshots`, a view of the engine's buffer."""
        return self._predictions[: self._prediction_count[0]]

    def on_params(self, rows: np.ndarray) -> None:
        """PARAMS rows: learned parameters that replace the priors; a value that is not finite is refused."""
        take_params(self._state["params"], rows, self.counters)
        hold_params(self._state["params"], self._without)
        for row in rows:
            param, symbol, std = int(row["param"]), int(row["symbol"]), float(row["std"])
            if param < PARAMS_COUNT and symbol < len(self._state) and 0.0 <= std < np.inf:
                self._state["stds"][symbol, param] = std

    def on_external(self, rows: np.ndarray) -> None:
        """EXTERNAL_SIGNAL rows, in force from the next batch on."""
        external_signals.take(self._state["externals"], rows)

    def board(self, symbol: int, accepted: int, refused: np.ndarray) -> np.ndarray:
        """ALPHA_BOARD of a symbol, shape (1,), valid until the next call.

        Parameters
        ----------
        symbol : int
            Index.
        accepted : int
            External signals so far.
        refused : ndarray of int64, shape (SignalRefusal,)
            And what was none, by reason.
        """
        state, out = self._state[symbol], self._board[0]
        spread, beta = state["spread"], state["betas"][0]
        out["ts_ns"], out["symbol"] = spread["ts_ns"], symbol
        weights = state["params"][_FIRST_WEIGHT : _FIRST_WEIGHT + _SIGNALS]
        out["signal_weights"][:_SIGNALS] = weights
        out["lead_beta"], out["lead_beta_std"] = beta["value"], beta["variance"] ** 0.5
        out["lead_lag_ms"] = spread["lag"]["lag_ms"]
        out["change_bps"], out["changes"] = spread["change_bps"], spread["bank"]["alarms"]
        level = state["slow"]["level"]
        out["run_length_s"] = level["age"][level["best"]] * PERIOD_S
        out["external_accepted"], out["external_refused"] = accepted, refused
        return self._board


@kernel
def forecast_all(
    snapshots: np.ndarray, state: np.ndarray, rules: np.ndarray, outlets: np.ndarray, counters: np.ndarray
) -> None:
    """Hear a batch and judge the newest of each symbol.

    Parameters
    ----------
    snapshots : (n,) SNAPSHOT, n <= SNAPSHOTS_MAX
        Read only.
    state : (symbols,) OUTLOOK
        Changed in place.
    rules : (1,) RULES
        Read only.
    outlets : (1,) OUTLET
        Forecasts and predictions are written from index 0, and how many there are.
    counters : (len(Counter),) int64
        Added to.
    """
    out = outlets[0]
    settings, newest = rules[0]["alpha"], out["newest"]
    for index in range(len(snapshots)):
        newest[int(snapshots[index]["symbol"])] = index
    made, count = 0, 0
    for index in range(len(snapshots)):
        snapshot = snapshots[index]
        ensemble.hear(state, snapshot, settings, rules[0]["basis_halflife_s"])
        symbol = int(snapshot["symbol"])
        if newest[symbol] != index:
            counters[_SKIPPED] += 1
            continue
        forecast = out["forecasts"][made]
        made += 1
        _forecast(snapshot, state, settings, rules[0]["execution"], forecast)
        counters[_FORECASTS] += 1
        if int(snapshot["trigger"]) == _ON_TIMER and snapshot["mid_px"] > 0.0:
            row, spread = out["predictions"][count], state[symbol]["spread"]
            row["ts_ns"], row["cause_seq"], row["symbol"] = snapshot["ts_ns"], snapshot["seq"], symbol
            row["alpha_bps"], row["alpha_std_bps"] = forecast["alpha_bps"], forecast["alpha_std_bps"]
            row["divergence_bps"] = spread["size_bps"] * spread["fresh"]
            row["signals_bps"][:] = state[symbol]["signals"]
            counters[_PREDICTIONS] += 1
            count += 1
    out["forecast_count"], out["prediction_count"] = made, count


@kernel
def _forecast(
    snapshot: np.void, state: np.ndarray, settings: np.void, execution: np.void, out: np.void
) -> None:
    symbol, horizon_s = int(snapshot["symbol"]), settings["horizon_ms"] * 1e-3
    spread = state[symbol]["spread"]
    ensemble.write_signals(state, snapshot, settings)
    alpha_bps, std_bps = ensemble.combine(state, snapshot, horizon_s)
    out["snapshot"] = snapshot
    out["ts_ns"], out["cause_seq"], out["cause_ts_ns"] = (
        snapshot["ts_ns"],
        snapshot["seq"],
        snapshot["cause_ts_ns"],
    )
    out["symbol"], out["alpha_bps"], out["alpha_std_bps"] = snapshot["symbol"], alpha_bps, std_bps
    # The forecast and the queue value err independently.
    bid_std_bps = np.hypot(std_bps, snapshot["bid_queue_value_std_bps"])
    ask_std_bps = np.hypot(std_bps, snapshot["ask_queue_value_std_bps"])
    out["p_edge_bid"] = target.edge_prob(snapshot["bid_queue_value_bps"], alpha_bps, 1, bid_std_bps)
    out["p_edge_ask"] = target.edge_prob(snapshot["ask_queue_value_bps"], alpha_bps, -1, ask_std_bps)
    for index in range(_SIGNALS):
        out["signals_bps"][index] = state[symbol]["signals"][index]
        out["signal_weights"][index] = state[symbol]["params"][_FIRST_WEIGHT + index]
    out["change_bps"], out["lead_beta"] = spread["change_bps"], state[symbol]["betas"][0]["value"]
    _aim(snapshot, state, settings, execution, out)
    reasons = 0
    if snapshot["book_valid"] == 0:
        reasons |= _NO_BOOK
    if spread["fresh"] == 0.0:
        reasons |= _NO_LEAD
    if out["p_edge_bid"] > 0.5 or out["p_edge_ask"] > 0.5:
        reasons |= _EDGE
    if out["target_lots"] != snapshot["inventory_lots"]:
        reasons |= _GAP
    out["reasons"] = reasons


@kernel
def _aim(snapshot: np.void, state: np.ndarray, settings: np.void, execution: np.void, out: np.void) -> None:
    # Drift and target: the two parts of one forecast.
    out["target_lots"], out["target_std_lots"], out["lead_lag_skew_bps"] = 0, 0.0, 0.0
    if not (snapshot["book_valid"] == 1 and snapshot["mid_px"] > 0.0):
        return
    symbol, horizon_s = int(snapshot["symbol"]), settings["horizon_ms"] * 1e-3
    alpha_bps, std_bps = out["alpha_bps"], out["alpha_std_bps"]
    lot_cost = snapshot["mid_px"] * state[symbol]["instrument"]["lot_qty"]
    max_lots = execution["max_inventory_usdc"] / lot_cost
    wanted = target.target_share(alpha_bps, std_bps, settings) * max_lots
    gap_lots = wanted - snapshot["inventory_lots"]
    # A bid is filled by sellers.
    fills_per_s = snapshot["sell_intensity_per_s"] if gap_lots > 0.0 else snapshot["buy_intensity_per_s"]
    reach_s = target.reach_s(abs(gap_lots) * lot_cost / execution["order_usdc"], fills_per_s, horizon_s)
    if abs(alpha_bps) > snapshot["spread_bps"] / 2.0 + execution["taker_fee_bps"]:
        reach_s = 0.0
    lead_bps = state[symbol]["params"][_FIRST_WEIGHT + _LEAD_LAG] * state[symbol]["signals"][_LEAD_LAG]
    lag_s = max(state[symbol]["spread"]["lag"]["lag_ms"], 1.0) * 1e-3
    drift_bps = lead_bps * target.early_share(reach_s, lag_s, horizon_s)
    drift_bps += (alpha_bps - lead_bps) * reach_s / horizon_s
    held_bps = alpha_bps - drift_bps
    out["lead_lag_skew_bps"] = drift_bps
    out["target_lots"] = int(np.round(target.target_share(held_bps, std_bps, settings) * max_lots))
    out["target_std_lots"] = target.target_std_share(held_bps, std_bps, settings) * max_lots


@example(forecast_all)
def _forecast_all_example() -> tuple[object, ...]:
    made = np.zeros(1, OUTLOOK), np.zeros(1, RULES), np.zeros(1, OUTLET)
    return np.zeros(1, SNAPSHOT), *made, np.zeros(len(Counter), np.int64)
