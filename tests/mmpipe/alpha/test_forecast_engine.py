"""A forecast judges the newest snapshot of a symbol, having heard them all, and acts once."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.alpha import target
from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.config import settings_row
from mmpipe.enums import Counter, FeedState, Param, Reason, Signal, SignalRefusal, Trigger
from mmpipe.records import FORECAST, INSTRUMENT, PARAMS
from tests.mmpipe.alpha.snapshots import Pair, S, snapshot

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.alpha)
BRISK = {"buy_intensity_per_s": 40.0, "sell_intensity_per_s": 40.0}


def engine(symbols: int = 1) -> ForecastEngine:
    rows = np.zeros(symbols, INSTRUMENT)
    rows["tick_px"], rows["lot_qty"], rows["ticks_per_unit"] = 0.1, 1e-5, 10
    return ForecastEngine(CONFIG, rows)


def test_a_lead_that_is_ahead_wants_inventory_and_says_why() -> None:
    made, row = engine(), snapshot(lead_divergence_bps=10.0, **BRISK)
    forecast = made.on_snapshots(row)[0]
    assert forecast["alpha_bps"] == pytest.approx(CONFIG.priors.lead_lag_beta * 10.0)
    assert forecast["target_lots"] > 0
    assert forecast["target_std_lots"] > 0
    assert forecast["signals_bps"][Signal.LEAD_LAG] == pytest.approx(forecast["alpha_bps"])
    assert forecast["lead_beta"] == pytest.approx(CONFIG.priors.lead_lag_beta)
    assert int(forecast["reasons"]) & 1 << Reason.TARGET_GAP
    assert (forecast["cause_seq"], forecast["cause_ts_ns"]) == (7, 4)
    assert forecast["snapshot"].tobytes() == row[0].tobytes()


def test_the_market_mirrored_is_the_forecast_mirrored() -> None:
    up = snapshot(lead_divergence_bps=6.0, ofi_500ms=2.0, microprice_px=100_001.0, **BRISK)
    down = snapshot(lead_divergence_bps=-6.0, ofi_500ms=-2.0, microprice_px=99_999.0, **BRISK)
    above, below = engine().on_snapshots(up)[0].copy(), engine().on_snapshots(down)[0]
    assert above["alpha_bps"] == pytest.approx(-below["alpha_bps"])
    assert above["lead_lag_skew_bps"] == pytest.approx(-below["lead_lag_skew_bps"])
    assert above["target_lots"] == -below["target_lots"]
    assert above["alpha_std_bps"] == below["alpha_std_bps"]


@given(
    st.floats(-20.0, 20.0), st.floats(-3.0, 3.0), st.floats(0.0, 50.0), st.floats(0.0, 50.0),
    st.integers(-8_000, 8_000),
)  # fmt: skip
def test_a_forecast_acts_once(
    divergence: float, micro: float, buys: float, sells: float, inventory: int
) -> None:
    # Drift moves the prices by what comes before the target can be reached, the target holds the rest:
    # counting a part in both makes the target that of a larger forecast.
    row = snapshot(
        lead_divergence_bps=divergence, microprice_px=100_000.0 + 10.0 * micro, buy_intensity_per_s=buys,
        sell_intensity_per_s=sells, inventory_lots=inventory,
    )  # fmt: skip
    forecast = engine_of_once().on_snapshots(row)[0]
    alpha, drift = float(forecast["alpha_bps"]), float(forecast["lead_lag_skew_bps"])
    assert abs(drift) <= abs(divergence) * CONFIG.priors.lead_lag_beta + abs(micro) + 1e-9
    share = target.target_share(alpha - drift, float(forecast["alpha_std_bps"]), SETTINGS[0])
    max_lots = CONFIG.execution.max_inventory_usdc / 100_000.0 / 1e-5
    assert forecast["target_lots"] == round(share * max_lots)


def engine_of_once() -> ForecastEngine:
    # The same fresh state for every example; building one costs more than using it.
    made = _ONCE[0]
    for part in ("spread", "slow"):
        made._state[part] = np.zeros(1, made._state.dtype[part])
    return made


_ONCE = [engine()]


def test_slow_fills_turn_inventory_into_prices_and_a_taker_needs_no_time() -> None:
    slow = engine().on_snapshots(snapshot(lead_divergence_bps=8.0, sell_intensity_per_s=0.1))[0].copy()
    assert slow["lead_lag_skew_bps"] == pytest.approx(slow["alpha_bps"])
    assert slow["target_lots"] == 0
    brisk = engine().on_snapshots(snapshot(lead_divergence_bps=8.0, sell_intensity_per_s=50.0))[0].copy()
    assert 0.0 < brisk["lead_lag_skew_bps"] < 0.7 * brisk["alpha_bps"]
    assert brisk["target_lots"] > 0
    # Beyond half a spread and the fee taking pays: the target can be had at once, nothing comes before it.
    large = engine().on_snapshots(snapshot(lead_divergence_bps=30.0, sell_intensity_per_s=0.1))[0]
    assert large["lead_lag_skew_bps"] == 0.0
    assert large["target_lots"] > 0


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
    usual = {"lead_divergence_bps": 10.0, "sigma_ewma_bps": 5.0}
    trusted = engine().on_snapshots(snapshot(**usual))[0].copy()
    forecast = engine().on_snapshots(snapshot(**{**usual, **fields}))[0]
    assert forecast["lead_lag_skew_bps"] == forecast["alpha_bps"] == 0.0
    assert forecast["alpha_std_bps"] > trusted["alpha_std_bps"]
    assert int(forecast["reasons"]) & 1 << Reason.LEAD_FEED_NOT_LIVE


def test_a_crash_that_leaves_the_lead_behind_is_quoted_with_the_doubt_it_deserves() -> None:
    made, pair = engine(), Pair()
    for step in range(100):
        made.on_snapshots(pair.moved(maker=0.5 if step % 2 else -0.5))
    calm = made.on_snapshots(pair.moved(maker=0.5))[0].copy()
    for _ in range(6):
        crash = made.on_snapshots(pair.moved(maker=-10.0))[0].copy()
    assert abs(crash["alpha_bps"]) < 0.1  # not the 30 bps of a naive reading: no knife is caught
    assert crash["alpha_std_bps"] > 20.0 * calm["alpha_std_bps"]


def test_without_a_book_there_is_no_target() -> None:
    forecast = engine().on_snapshots(snapshot(book_valid=0, lead_divergence_bps=10.0))[0]
    assert forecast["target_lots"] == 0
    assert int(forecast["reasons"]) & 1 << Reason.NO_BOOK


def test_every_snapshot_is_heard_and_the_newest_of_each_symbol_judged() -> None:
    alone, together = engine(2), engine(2)
    pair = Pair()
    rng = np.random.default_rng(1)
    rows = [pair.moved(*rng.normal(0.0, 1.0, 2), seq=index, symbol=index % 2) for index in range(60)]
    for row in rows:
        one = alone.on_snapshots(row)[0].copy()
    batch = together.on_snapshots(np.concatenate(rows))
    assert batch["cause_seq"].tolist() == [58, 59]
    assert batch[1].tobytes() == one.tobytes()
    assert together.counters[Counter.SKIPPED_STALE] == 58
    assert together.counters[Counter.FORECASTS] == 2


def test_a_change_of_the_lead_is_named_in_the_first_forecast_after_it() -> None:
    made, pair, rng = engine(), Pair(), np.random.default_rng(2)
    for _ in range(300):
        step = float(rng.normal(0.0, 0.3))
        made.on_snapshots(np.concatenate([pair.moved(lead=step), pair.moved(maker=step)]))
    assert made.on_snapshots(pair.moved())["change_bps"][0] == 0.0
    forecast = made.on_snapshots(np.concatenate([pair.moved(lead=4.0), pair.moved()]))[0]
    assert forecast["change_bps"] == pytest.approx(4.0, abs=0.5)
    assert forecast["lead_lag_skew_bps"] > 1.0


def test_predictions_are_made_on_timers_only_and_carry_their_signals() -> None:
    made = engine()
    forecast = made.on_snapshots(snapshot(lead_divergence_bps=3.0, microprice_px=100_005.0))[0]
    rows = made.predictions()
    assert rows["cause_seq"].tolist() == [7]
    assert rows["divergence_bps"].tolist() == [3.0]
    assert rows["signals_bps"][0] == pytest.approx(forecast["signals_bps"], rel=1e-6)
    assert rows["signals_bps"][0][Signal.MICROPRICE] == pytest.approx(0.5)
    made.on_snapshots(snapshot(trigger=int(Trigger.TRADE)))
    assert len(made.predictions()) == 0


def params(param: Param, value: float, std: float = 0.0) -> np.ndarray:
    row = np.zeros(1, PARAMS)
    row["param"], row["value"], row["std"] = int(param), value, std
    return row


def test_a_learned_weight_decides_and_its_doubt_is_part_of_the_forecasts() -> None:
    row = snapshot(microprice_px=100_100.0)
    before = engine().on_snapshots(row)[0].copy()
    assert before["alpha_bps"] == pytest.approx(CONFIG.priors.signal_weight_microprice * 10.0)
    made = engine()
    made.on_params(params(Param.SIGNAL_WEIGHT_MICROPRICE, 0.8, std=0.2))
    after = made.on_snapshots(row)[0].copy()
    assert after["alpha_bps"] == pytest.approx(8.0)
    assert after["signal_weights"][Signal.MICROPRICE] == pytest.approx(0.8)
    assert after["alpha_std_bps"] ** 2 == pytest.approx(before["alpha_std_bps"] ** 2 + 4.0)
    made.on_params(params(Param.SIGNAL_WEIGHT_MICROPRICE, 0.0))
    assert made.on_snapshots(row)["alpha_bps"][0] == 0.0


def test_nonsense_replaces_nothing() -> None:
    made = engine()
    for value in (math.nan, math.inf, 99.0):
        made.on_params(params(Param.SIGNAL_WEIGHT_MICROPRICE, value))
    made.on_params(params(Param.LEAD_LAG_NOISE_BPS, 0.0))
    made.on_params(params(Param.SIGNAL_WEIGHT_MICROPRICE, 0.3, std=math.nan))
    assert made.counters[Counter.BAD_NUMBER] == 4
    assert made.counters[Counter.PARAMS_APPLIED] == 1
    assert np.isfinite(made.on_snapshots(snapshot(microprice_px=100_100.0))["alpha_std_bps"][0])


def test_the_first_symbols_lead_speaks_for_the_others() -> None:
    made = engine(2)
    made._state["betas"]["value"][1, 1] = 0.4
    made._state["params"][1, Param.SIGNAL_WEIGHT_CROSS_ASSET] = 1.0
    first, other = snapshot(lead_divergence_bps=10.0), snapshot(symbol=1)
    forecasts = made.on_snapshots(np.concatenate([first, other]))
    assert forecasts["signals_bps"][:, Signal.CROSS_ASSET] == pytest.approx([0.0, 4.0])
    assert forecasts["alpha_bps"][1] == pytest.approx(4.0)
    late = made.on_snapshots(snapshot(symbol=1, ts_ns=10 * S))
    assert late["signals_bps"][0, Signal.CROSS_ASSET] == 0.0


def test_a_users_signal_moves_alpha_by_its_weight_until_its_horizon() -> None:
    made, desk = engine(), ExternalDesk(["BTC"], 10.0)
    line = b'{"model_id":"m","symbol":"BTC","direction":1,"confidence":1,"horizon_ms":1000}'
    row = desk.judge(line, S)[1]
    assert row is not None
    made.on_external(row)
    full = made.on_snapshots(snapshot(ts_ns=S, sigma_ewma_bps=5.0))[0].copy()
    assert full["signals_bps"][Signal.EXTERNAL] == pytest.approx(5.0 * math.sqrt(2 / math.pi), rel=1e-6)
    assert full["alpha_bps"] == 0.0  # measured, not acted on, until it has shown its worth
    made.on_params(params(Param.SIGNAL_WEIGHT_EXTERNAL, 0.5))
    half = made.on_snapshots(snapshot(ts_ns=S + S // 2, sigma_ewma_bps=5.0))[0].copy()
    assert half["alpha_bps"] == pytest.approx(0.25 * 5.0 * math.sqrt(2 / math.pi))
    assert made.on_snapshots(snapshot(ts_ns=2 * S, sigma_ewma_bps=5.0))["alpha_bps"][0] == 0.0


def test_the_board_shows_what_is_in_force() -> None:
    made = engine()
    made.on_params(params(Param.SIGNAL_WEIGHT_STAT_ARB, 0.7))
    made.on_snapshots(snapshot(ts_ns=S, lead_divergence_bps=3.0))
    board = made.board(0, accepted=3, refused=np.arange(len(SignalRefusal)))[0]
    assert board["signal_weights"][Signal.STAT_ARB] == 0.7
    assert board["signal_weights"][Signal.LEAD_LAG] == CONFIG.priors.signal_weight_lead_lag
    assert (board["ts_ns"], board["external_accepted"]) == (S, 3)
    assert board["external_refused"].tolist() == list(range(len(SignalRefusal)))
    assert board["lead_beta"] == CONFIG.priors.lead_lag_beta
    assert board["lead_lag_ms"] > 0.0


def test_forecasts_are_whole_records() -> None:
    rows = engine().on_snapshots(snapshot(lead_divergence_bps=2.0))
    assert rows.dtype == FORECAST
    for name in ("alpha_bps", "alpha_std_bps", "lead_lag_skew_bps", "target_std_lots", "p_edge_bid"):
        assert np.isfinite(rows[name]).all()
