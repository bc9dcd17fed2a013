import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.alpha import target
from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.config import settings_row
from mmpipe.enums import Counter, FeedState, Param, Reason, Trigger
from mmpipe.records import INSTRUMENT, PARAMS, SNAPSHOT

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.alpha)


def engine() -> ForecastEngine:
    rows = np.zeros(1, INSTRUMENT)
    rows["tick_px"], rows["lot_qty"], rows["ticks_per_unit"] = 0.1, 1e-5, 10
    return ForecastEngine(CONFIG, rows)


def snapshot(**fields: float) -> np.ndarray:
    row = np.zeros(1, SNAPSHOT)
    row["seq"], row["ts_ns"], row["cause_ts_ns"], row["book_valid"], row["trigger"] = (
        7,
        5,
        4,
        1,
        int(Trigger.TIMER),
    )
    row["mid_px"] = row["microprice_px"] = 100_000.0
    row["best_bid_tick"], row["best_ask_tick"], row["spread_bps"] = 999_900, 1_000_100, 2.0
    row["lead_feed"], row["lead_mid_px"] = int(FeedState.LIVE), 100_000.0
    row["bid_depth_qty"], row["ask_depth_qty"] = 1.0, 1.0
    for name, value in fields.items():
        row[name] = value
    return row


def test_a_lead_that_is_ahead_wants_inventory_and_says_why() -> None:
    made = engine()
    forecast = made.on_snapshots(snapshot(lead_divergence_bps=10.0))[0]
    assert forecast["alpha_bps"] == pytest.approx(CONFIG.priors.lead_lag_beta * 10.0)
    assert forecast["lead_lag_skew_bps"] == forecast["alpha_bps"]
    assert forecast["target_lots"] > 0
    assert forecast["model_weights"].sum() == pytest.approx(1.0)
    assert int(forecast["reasons"]) & 1 << Reason.TARGET_GAP
    assert (forecast["cause_seq"], forecast["cause_ts_ns"]) == (7, 4)
    assert forecast["snapshot"].tobytes() == snapshot(lead_divergence_bps=10.0)[0].tobytes()


def test_the_market_mirrored_is_the_forecast_mirrored() -> None:
    up = (
        engine()
        .on_snapshots(snapshot(lead_divergence_bps=6.0, ofi_500ms=2.0, microprice_px=100_001.0))[0]
        .copy()
    )
    down = engine().on_snapshots(snapshot(lead_divergence_bps=-6.0, ofi_500ms=-2.0, microprice_px=99_999.0))[
        0
    ]
    assert up["alpha_bps"] == pytest.approx(-down["alpha_bps"])
    assert up["target_lots"] == -down["target_lots"]
    assert up["alpha_std_bps"] == down["alpha_std_bps"]


@pytest.mark.parametrize(
    "fields",
    [
        {"lead_feed": int(FeedState.STALE)},
        {"lead_age_ns": 10**12},
        {"lead_mid_px": 0.0},
        {"lead_divergence_bps": 900.0},
    ],
)
def test_a_lead_nobody_can_trust_says_nothing_and_widens_the_doubt(fields: dict[str, float]) -> None:
    usual = {"lead_divergence_bps": 10.0, "sigma_ewma_bps": 2.0}
    trusted = engine().on_snapshots(snapshot(**usual))[0].copy()
    forecast = engine().on_snapshots(snapshot(**{**usual, **fields}))[0]
    assert forecast["lead_lag_skew_bps"] == forecast["alpha_bps"] == 0.0
    assert forecast["alpha_std_bps"] > trusted["alpha_std_bps"]
    assert int(forecast["reasons"]) & 1 << Reason.LEAD_FEED_NOT_LIVE


def test_without_a_book_there_is_no_target() -> None:
    forecast = engine().on_snapshots(snapshot(book_valid=0, lead_divergence_bps=10.0))[0]
    assert forecast["target_lots"] == 0
    assert int(forecast["reasons"]) & 1 << Reason.NO_BOOK


def test_predictions_are_made_on_timers_only_and_carry_their_snapshot() -> None:
    made = engine()
    made.on_snapshots(snapshot(lead_divergence_bps=3.0))
    rows = made.predictions()
    assert rows["cause_seq"].tolist() == [7]
    assert rows["divergence_bps"].tolist() == [3.0]
    made.on_snapshots(snapshot(trigger=int(Trigger.TRADE)))
    assert len(made.predictions()) == 0


def params(param: Param, value: float) -> np.ndarray:
    row = np.zeros(1, PARAMS)
    row["param"], row["value"] = int(param), value
    return row


def test_a_learned_beta_replaces_its_prior_and_nonsense_does_not() -> None:
    made = engine()
    made.on_params(params(Param.LEAD_LAG_BETA, 0.9))
    assert made.on_snapshots(snapshot(lead_divergence_bps=10.0))["alpha_bps"][0] == pytest.approx(9.0)
    for value in (math.nan, math.inf, 99.0):
        made.on_params(params(Param.LEAD_LAG_BETA, value))
    made.on_params(params(Param.LEAD_LAG_NOISE_BPS, 0.0))
    assert made.counters[Counter.BAD_NUMBER] == 4
    assert made.counters[Counter.PARAMS_APPLIED] == 1
    assert made.on_snapshots(snapshot(lead_divergence_bps=10.0))["alpha_bps"][0] == pytest.approx(9.0)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_target_share_is_bounded_odd_and_silent_inside_the_noise(alpha_bps: float, std_bps: float) -> None:
    share = target.target_share(alpha_bps, std_bps, SETTINGS[0])
    assert abs(share) <= CONFIG.alpha.target_max_share
    assert share == -target.target_share(-alpha_bps, std_bps, SETTINGS[0])
    assert share * alpha_bps >= 0.0
    if abs(alpha_bps) <= CONFIG.alpha.noise_floor_bps:
        assert share == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_target_and_edge_of_no_number_are_none(bad: float) -> None:
    assert target.target_share(bad, 1.0, SETTINGS[0]) == target.target_share(1.0, bad, SETTINGS[0]) == 0.0
    assert target.edge_prob(bad, 0.0, 1, 1.0) == target.edge_prob(0.0, 0.0, 1, bad) == 0.0


def test_edge_probability_is_the_normal_one() -> None:
    assert target.edge_prob(1.96, 0.0, 1, 1.0) == pytest.approx(0.9750021)
    assert target.edge_prob(0.0, 1.0, -1, 1.0) == pytest.approx(0.1586553)
