"""Prices are sums of named parts, and only a positive queue value is worth a quote that increases."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import Param, Reason
from mmpipe.execution.quoting import (
    DESIRED,
    PARTS,
    _doubted_rank,
    candidate_tick,
    choose_exit,
    choose_level,
    glft_skew_bps,
    optimal_depth_bps,
    quote_parts,
)
from mmpipe.execution.valuation import VALUER, view_market
from mmpipe.models.parameters import prior_values
from mmpipe.models.weights import built_in_models
from tests.mmpipe.execution.test_executor import ASK_TICK, BID_TICK, STEP, forecast, instruments

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.execution)
INSTRUMENT = instruments()
SIDES = (1, -1)


def snapshot(**fields: float) -> np.ndarray:
    return forecast(10**9, **fields)["snapshot"]


def shown(market: np.ndarray) -> np.void:
    valuer: np.void = np.zeros(1, VALUER)[0]
    valuer["models"] = built_in_models()
    view_market(valuer, market)
    return valuer


def parts(excess_units: float = 0.0, drift_bps: float = 0.0, **fields: float) -> np.void:
    row = np.zeros(1, PARTS)
    quote_parts(excess_units, drift_bps, snapshot(**fields), prior_values(CONFIG), SETTINGS, row[0])
    return row[0]


def chosen(side: int, shift_bps: float = 0.0, penalty_bps: float = 0.0, **fields: float) -> np.void:
    row, made = np.zeros(1, DESIRED), parts(**fields)
    row["side"] = side
    made["drift_bps"] = side * shift_bps
    market = snapshot(**fields)
    choose_level(
        row[0],
        0,
        penalty_bps,
        made,
        market,
        prior_values(CONFIG),
        INSTRUMENT,
        SETTINGS,
        shown(market),
    )
    return row[0]


def test_the_closed_form_of_the_paper() -> None:
    # gamma 0.1, kappa 0.8: 10 ln(1.125) = 1.17783; sigma 2, A 1: sqrt(4 * 0.1 / 1.6 * 1.125^9) = 0.84946.
    gamma, kappa = CONFIG.execution.gamma, CONFIG.priors.kappa_per_bps
    assert (gamma, kappa) == (0.1, 0.8)
    assert parts()["base_bps"] == pytest.approx(1.17783, abs=1e-5)
    assert glft_skew_bps(gamma, kappa, 2.0, 1.0) == pytest.approx(0.84946, abs=1e-4)


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("bad", [math.nan, -1.0])
def test_the_closed_form_refuses_what_is_out_of_range(position: int, bad: float) -> None:
    arguments = [0.1, 0.8, 2.0, 1.0]
    arguments[position] = bad
    assert math.isnan(glft_skew_bps(*arguments))


@given(st.floats(-8, 8), st.floats(-3, 3))
def test_both_quotes_shift_together_and_the_spread_stays(excess: float, drift: float) -> None:
    made, flat = parts(excess, drift), parts()
    bid, ask = optimal_depth_bps(1, made), optimal_depth_bps(-1, made)
    assert bid + ask == pytest.approx(2 * optimal_depth_bps(1, flat))
    assert (ask - bid) / 2 == pytest.approx(made["skew_bps"] + made["drift_bps"])
    assert made["skew_bps"] * excess <= 0.0


def test_long_in_a_rally_leans_up_while_the_target_is_ahead() -> None:
    # Long two units, the target three further: the reference of the inventory term is the target.
    made = parts(excess_units=-3.0, drift_bps=0.2)
    assert optimal_depth_bps(1, made) < optimal_depth_bps(1, parts()) < optimal_depth_bps(-1, made)
    assert made["drift_bps"] == 0.2  # what moves the target is not in the drift as well


@pytest.mark.parametrize("side", SIDES)
def test_no_forecast_pays_for_a_fill_that_is_expected_to_lose(side: int) -> None:
    toxic = {"toxic_buy_prob": 1.0, "toxic_sell_prob": 1.0, "sigma_1m_bps": 40.0}
    row = chosen(side, shift_bps=50.0, **toxic)
    if row["wanted"]:
        assert row["queue_value_bps"] > 0.0
    touch = BID_TICK if side > 0 else ASK_TICK
    assert not row["wanted"] or side * (touch - row["px_tick"]) > 0
    near = chosen(side, shift_bps=0.0, **toxic)
    assert not near["wanted"] or near["queue_value_bps"] > 0.0


@pytest.mark.parametrize("side", SIDES)
def test_a_place_in_the_queue_that_is_not_certain_counts_as_further_back(side: int) -> None:
    name = "bid" if side > 0 else "ask"

    def doubted(rank: float, std: float) -> float:
        return _doubted_rank(snapshot(**{f"{name}_queue_rank": rank, f"{name}_queue_rank_std": std})[0], side)

    assert doubted(0.25, 0.0) == 0.25
    assert doubted(0.25, 0.125) == 0.375
    assert doubted(0.9, 0.25) == 1.0
    assert doubted(-1.0, 0.0) == -1.0  # no order, no place


@pytest.mark.parametrize("side", SIDES)
def test_a_level_of_negative_value_is_not_quoted_whatever_it_scores(side: int) -> None:
    # A tight market: best, inside and behind all lose; only the optimum, further out, has a value.
    tight = {"best_bid_tick": 999_990, "best_ask_tick": 1_000_010, "spread_bps": 0.2}
    row = chosen(side, shift_bps=30.0, **tight)
    assert not row["wanted"]
    assert Reason(int(row["reason"])) == Reason.QUEUE_VALUE_NOT_POSITIVE
    assert chosen(side, **tight)["queue_value_bps"] > 0.0


@pytest.mark.parametrize("side", SIDES)
def test_a_penalty_above_the_value_is_a_reason_of_its_own(side: int) -> None:
    assert chosen(side)["wanted"]
    row = chosen(side, penalty_bps=500.0)
    assert not row["wanted"]
    assert Reason(int(row["reason"])) == Reason.PNL_AFTER_PENALTY


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("field", ["sigma_1m_bps", "buy_intensity_per_s", "toxic_buy_prob", "mid_px"])
def test_a_value_that_is_no_number_is_not_quoted(side: int, field: str) -> None:
    poisoned = {field: math.nan, "sell_intensity_per_s": math.nan, "toxic_sell_prob": math.nan}
    assert not chosen(side, **poisoned)["wanted"]


@given(
    st.integers(0, 4), st.sampled_from(SIDES), st.integers(-60, 60), st.integers(1, 60), st.floats(-30, 30)
)
def test_every_candidate_is_on_the_grid_and_crosses_nothing(
    number: int, side: int, bid_steps: int, spread_steps: int, skew_bps: float
) -> None:
    bid = (BID_TICK // STEP + bid_steps) * STEP
    ask = bid + spread_steps * STEP
    if bid < 1_000_000 <= ask:
        return  # the grid changes between them: the step of each side is its own
    row = np.zeros(1, PARTS)
    row["base_bps"], row["skew_bps"] = 1.0, skew_bps
    mid_px = (bid + ask) / 2 * 0.1
    market = snapshot(best_bid_tick=bid, best_ask_tick=ask, mid_px=mid_px)
    tick = candidate_tick(number, side, bid if side > 0 else ask, row[0], market, INSTRUMENT)
    if tick:
        assert tick % (10 if tick >= 1_000_000 else 1) == 0
        assert tick < ask if side > 0 else tick > bid


@pytest.mark.parametrize("side", SIDES)
def test_an_exit_rests_at_the_touch_and_further_out_only_for_its_value(side: int) -> None:
    tight = snapshot(best_bid_tick=999_990, best_ask_tick=1_000_010, spread_bps=0.2)
    touch = 999_990 if side > 0 else 1_000_010
    rows = np.zeros(2, DESIRED)
    rows["side"] = side
    for row, demanded in zip(rows, (False, True), strict=True):
        choose_exit(row, False, demanded, tight, prior_values(CONFIG), INSTRUMENT, SETTINGS, shown(tight))
    assert rows["wanted"].all()
    assert rows["px_tick"][0] == touch
    assert rows["queue_value_bps"][0] < 0.0 < rows["queue_value_bps"][1]
    assert side * (touch - rows["px_tick"][1]) > 0


def test_a_wider_kappa_closes_the_base_spread() -> None:
    values = prior_values(CONFIG)
    bases = []
    for kappa in (0.2, 0.8, 3.2):
        values[Param.KAPPA_PER_BPS] = kappa
        row = np.zeros(1, PARTS)
        quote_parts(0.0, 0.0, snapshot(), values, SETTINGS, row[0])
        bases.append(float(row["base_bps"][0]))
    assert bases == sorted(bases, reverse=True)
