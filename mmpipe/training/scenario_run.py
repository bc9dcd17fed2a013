"""Runs the models over a simulated market and keeps of every judgement what the measures need.

The same kernels as in the line, parameters at their priors. Events are taken as feed would deliver them;
every SNAPSHOT is judged by alpha at once, as in a line that keeps up: what computing costs is for the bench
to say.
"""

from typing import Final

import numpy as np

from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.config import Config
from mmpipe.enums import EventKind, Signal, Venue
from mmpipe.models.snapshot_engine import EVENTS_MAX, SnapshotEngine
from mmpipe.replay.timeline import timeline
from mmpipe.training.scenario_events import ScenarioMarket, market_config

LOOK = np.dtype(
    [
        ("ts_ns", "i8"),  # receive time of the event judged
        ("symbol", "i8"),
        ("trigger", "i8"),  # Trigger
        ("trade_side", "i8"),
        ("trade_px", "f8"),  # of the last trade
        ("trade_index", "i8"),  # maker trades of the symbol until now
        ("mid_px", "f8"),  # 0 without a valid book
        ("spread_bps", "f8"),
        ("toxicity", "i8"),  # Toxicity
        ("toxic_buy_prob", "f8"),
        ("toxic_sell_prob", "f8"),
        ("bid_value_bps", "f8"),
        ("ask_value_bps", "f8"),
        ("divergence_bps", "f8"),
        ("signal_bps", "f8"),  # what lead-lag alone expects of the maker's mid
        ("change_bps", "f8"),  # divergence that the changepoint detector says began
    ],
    align=True,
)
_FROM_SNAPSHOT: Final = {
    "ts_ns": "ts_ns", "symbol": "symbol", "trigger": "trigger", "trade_side": "trade_side",
    "trade_px": "last_trade_px", "trade_index": "trades_seen", "mid_px": "mid_px", "spread_bps": "spread_bps",
    "toxicity": "toxicity", "toxic_buy_prob": "toxic_buy_prob", "toxic_sell_prob": "toxic_sell_prob",
    "bid_value_bps": "bid_queue_value_bps", "ask_value_bps": "ask_queue_value_bps",
    "divergence_bps": "lead_divergence_bps",
}  # fmt: skip


def look(market: ScenarioMarket, config: Config) -> np.ndarray:
    """Everything the models said of a market, in order.

    Parameters
    ----------
    market : ScenarioMarket
        Whose streams are taken.
    config : Config
        Windows, thresholds, priors.

    Returns
    -------
    ndarray of LOOK, shape (n,)
        One row per FORECAST, in order of time.
    """
    config = market_config(config, market)
    features = SnapshotEngine(config, market.instruments)
    alpha = ForecastEngine(config, market.instruments)
    parts, next_seq = [np.zeros(0, LOOK)], 1
    for chunk in timeline(market.streams, config.feed):
        for start in range(0, len(chunk), EVENTS_MAX):
            snapshots = features.on_events(chunk[start : start + EVENTS_MAX], next_seq)
            snapshots["seq"] = next_seq + np.arange(len(snapshots))
            next_seq += len(snapshots)
            parts.append(_judged(snapshots, alpha))
    return np.concatenate(parts)


def trade_rows(market: ScenarioMarket, symbol: int) -> np.ndarray:
    """EVENT rows of the maker's trades of one symbol, in order."""
    stream = market.streams[symbol]
    assert not len(stream) or stream["venue"][0] == Venue.MAKER
    return stream[stream["kind"] == EventKind.TRADE]


def _judged(snapshots: np.ndarray, alpha: ForecastEngine) -> np.ndarray:
    rows = np.zeros(len(snapshots), LOOK)
    for name, source in _FROM_SNAPSHOT.items():
        rows[name] = snapshots[source]
    for index in range(len(snapshots)):
        forecast = alpha.on_snapshots(snapshots[index : index + 1])
        rows["signal_bps"][index] = forecast["signals_bps"][0, Signal.LEAD_LAG]
        rows["change_bps"][index] = forecast["change_bps"][0]
    return rows
