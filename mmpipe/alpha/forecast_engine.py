"""The work of the alpha stage: SNAPSHOT in, FORECAST out, one compiled call per batch.

A forecast judges one snapshot and carries it whole. On TIMER snapshots it also leaves a PREDICTION, which
the learner scores when the horizon is over.
"""

from typing import Final

import numpy as np

from mmpipe.alpha import lead_lag, target
from mmpipe.config import AlphaConfig, Config, settings_dtype, settings_row
from mmpipe.enums import Counter, Reason, Trigger
from mmpipe.models.parameters import prior_values, take_params
from mmpipe.records import FORECAST, INSTRUMENT, PARAMS_COUNT, PREDICTION, SNAPSHOT
from ringbuf.jit import entry, example, kernel

SNAPSHOTS_MAX: Final = 64  # per call

_ON_TIMER: Final = int(Trigger.TIMER)
_NO_BOOK: Final = 1 << int(Reason.NO_BOOK)
_NO_LEAD: Final = 1 << int(Reason.LEAD_FEED_NOT_LIVE)
_EDGE: Final = 1 << int(Reason.EDGE_POSITIVE)
_GAP: Final = 1 << int(Reason.TARGET_GAP)
_FORECASTS: Final = int(Counter.FORECASTS)
_PREDICTIONS: Final = int(Counter.PREDICTIONS)


class ForecastEngine:
    """State and buffers of the alpha stage.

    Parameters
    ----------
    config : Config
        Horizon, weights, largest inventory.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        FORECASTS, PREDICTIONS, PARAMS_APPLIED, BAD_NUMBER.
    """

    def __init__(self, config: Config, instruments: np.ndarray) -> None:
        self._settings = settings_row(config.alpha)
        self._instruments = instruments.copy()
        self._params: np.ndarray = np.tile(prior_values(config), (len(instruments), 1))
        self._forecasts = np.zeros(SNAPSHOTS_MAX, FORECAST)
        self._predictions = np.zeros(SNAPSHOTS_MAX, PREDICTION)
        self._prediction_count = 0
        self.counters = np.zeros(len(Counter), np.int64)
        self._rest = (
            self._params,
            self._instruments,
            self._settings,
            config.execution.max_inventory_usdc,
            self._forecasts,
            self._predictions,
            self.counters,
        )
        self._forecast_all = entry(forecast_all, np.zeros(0, SNAPSHOT), *self._rest)

    def on_snapshots(self, snapshots: np.ndarray) -> np.ndarray:
        """Judge snapshots.

        Parameters
        ----------
        snapshots : ndarray of SNAPSHOT, shape (n,), n <= SNAPSHOTS_MAX
            As their ring delivered them.

        Returns
        -------
        ndarray of FORECAST, shape (n,)
            A view of the engine's buffer, valid until the next call; `seq` is left to the ring.
        """
        assert len(snapshots) <= SNAPSHOTS_MAX, f"at most {SNAPSHOTS_MAX} snapshots, not {len(snapshots)}"
        self._prediction_count = self._forecast_all(snapshots, *self._rest)
        return self._forecasts[: len(snapshots)]

    def predictions(self) -> np.ndarray:
        """PREDICTION rows of the last `on_snapshots`, a view of the engine's buffer."""
        return self._predictions[: self._prediction_count]

    def on_params(self, rows: np.ndarray) -> None:
        """PARAMS rows: learned parameters that replace the priors; a value that is not finite is refused."""
        take_params(self._params, rows, self.counters)


@kernel
def forecast_all(
    snapshots: np.ndarray,
    params: np.ndarray,
    instruments: np.ndarray,
    settings: np.ndarray,
    max_inventory_usdc: float,
    forecasts: np.ndarray,
    predictions: np.ndarray,
    counters: np.ndarray,
) -> int:
    """Judge a batch; returns the number of predictions written.

    Parameters
    ----------
    snapshots : (n,) SNAPSHOT
        Read only.
    params : (symbols, PARAMS_COUNT) float64
        Learned parameters, index Param.
    instruments : (symbols,) INSTRUMENT
        Lots.
    settings : (1,) settings of AlphaConfig
        Horizon, weights, limits.
    max_inventory_usdc : float
        Largest position of a symbol.
    forecasts, predictions : (≥ n,) FORECAST, (≥ n,) PREDICTION
        Written from index 0.
    counters : (len(Counter),) int64
        Added to.
    """
    count = 0
    for index in range(len(snapshots)):
        snapshot, out = snapshots[index], forecasts[index]
        symbol = int(snapshot["symbol"])
        _forecast(snapshot, params[symbol], instruments[symbol], settings[0], max_inventory_usdc, out)
        counters[_FORECASTS] += 1
        if int(snapshot["trigger"]) == _ON_TIMER and snapshot["mid_px"] > 0.0:
            row = predictions[count]
            row["ts_ns"], row["cause_seq"], row["symbol"] = snapshot["ts_ns"], snapshot["seq"], symbol
            row["alpha_bps"], row["alpha_std_bps"] = out["alpha_bps"], out["alpha_std_bps"]
            row["divergence_bps"] = snapshot["lead_divergence_bps"]
            counters[_PREDICTIONS] += 1
            count += 1
    return count


@kernel
def _forecast(
    snapshot: np.void,
    params: np.ndarray,
    instrument: np.void,
    settings: np.void,
    max_inventory_usdc: float,
    out: np.void,
) -> None:
    horizon_s = settings["horizon_ms"] * 1e-3
    fresh = lead_lag.freshness(snapshot, settings["lead_age_max_ms"])
    lead_bps = lead_lag.lead_move_bps(snapshot, params, fresh)
    micro_bps = settings["microprice_weight"] * lead_lag.micro_move_bps(snapshot)
    flow_bps = settings["order_flow_weight"] * lead_lag.flow_move_bps(snapshot, instrument)
    alpha_bps = lead_bps + micro_bps + flow_bps
    std_bps = lead_lag.move_std_bps(snapshot, params, fresh, horizon_s)
    out["snapshot"] = snapshot
    out["ts_ns"], out["cause_seq"], out["cause_ts_ns"] = (
        snapshot["ts_ns"],
        snapshot["seq"],
        snapshot["cause_ts_ns"],
    )
    out["symbol"], out["alpha_bps"], out["alpha_std_bps"] = snapshot["symbol"], alpha_bps, std_bps
    out["lead_lag_skew_bps"] = lead_bps
    out["p_edge_bid"] = target.edge_prob(snapshot["bid_queue_value_bps"], alpha_bps, 1, std_bps)
    out["p_edge_ask"] = target.edge_prob(snapshot["ask_queue_value_bps"], alpha_bps, -1, std_bps)
    total_bps = abs(lead_bps) + abs(micro_bps) + abs(flow_bps) + settings["noise_floor_bps"] + 1e-9
    out["model_weights"][0], out["model_weights"][1] = abs(lead_bps) / total_bps, abs(micro_bps) / total_bps
    out["model_weights"][2] = abs(flow_bps) / total_bps
    out["model_weights"][3] = (settings["noise_floor_bps"] + 1e-9) / total_bps
    share = target.target_share(alpha_bps, std_bps, settings) if snapshot["book_valid"] == 1 else 0.0
    max_lots = 0.0
    if snapshot["mid_px"] > 0.0:
        max_lots = max_inventory_usdc / snapshot["mid_px"] / instrument["lot_qty"]
    out["target_lots"] = int(np.round(share * max_lots))
    out["target_std_lots"] = abs(share) * max_lots * std_bps / (abs(alpha_bps) + std_bps)
    reasons = 0
    if snapshot["book_valid"] == 0:
        reasons |= _NO_BOOK
    if fresh == 0.0:
        reasons |= _NO_LEAD
    if out["p_edge_bid"] > 0.5 or out["p_edge_ask"] > 0.5:
        reasons |= _EDGE
    if out["target_lots"] != snapshot["inventory_lots"]:
        reasons |= _GAP
    out["reasons"] = reasons


@example(forecast_all)
def _forecast_all_example() -> tuple[object, ...]:
    return (
        np.zeros(1, SNAPSHOT),
        np.ones((1, PARAMS_COUNT)),
        np.ones(1, INSTRUMENT),
        np.ones(1, settings_dtype(AlphaConfig)),
        1.0,
        np.zeros(1, FORECAST),
        np.zeros(1, PREDICTION),
        np.zeros(len(Counter), np.int64),
    )
