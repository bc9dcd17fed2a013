"""Places are valued with what rests there: at a level, inside the spread, in a hole, deeper than is shown."""

from pathlib import Path

import numpy as np
import pytest

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.execution.sizing import edge_doubt_bps
from mmpipe.execution.valuation import VALUER, shown_qty, value_level, view_market
from mmpipe.models.fill_survival import fill_prob
from mmpipe.models.model_inputs import INPUTS, write_inputs
from mmpipe.models.parameters import prior_values
from mmpipe.models.queue_value import queue_value
from mmpipe.models.weights import built_in_models
from mmpipe.records import SNAPSHOT

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
EXECUTION, PARAMS, TICK_PX = settings_row(CONFIG.execution), prior_values(CONFIG), 0.1


def market() -> np.ndarray:
    row = np.zeros(1, SNAPSHOT)
    row["book_valid"], row["best_bid_tick"], row["best_ask_tick"] = 1, 9_990, 10_010
    row["mid_px"], row["spread_bps"] = 1_000.0, 20.0
    for side in ("bid", "ask"):
        row[f"{side}_depth_qty"][0, :3], row[f"{side}_offset_tick"][0, :3] = (5.0, 7.0, 9.0), (0, 10, 30)
    row["sigma_1m_bps"], row["sell_intensity_per_s"], row["buy_intensity_per_s"] = 8.0, 2.0, 1.0
    row["toxic_sell_prob"], row["toxic_buy_prob"] = 0.1, 0.3
    return row


def a_valuer() -> np.void:
    valuer: np.void = np.zeros(1, VALUER)[0]
    valuer["models"] = built_in_models()
    return valuer


@pytest.mark.parametrize(
    ("away_tick", "qty"), [(0, 5.0), (10, 7.0), (30, 9.0), (-5, 0.0), (20, 0.0), (40, 9.0), (500, 9.0)]
)
@pytest.mark.parametrize("side", [1, -1])
def test_what_rests_at_a_price(side: int, away_tick: int, qty: float) -> None:
    row = market()
    tick = 9_990 - away_tick if side > 0 else 10_010 + away_tick
    assert shown_qty(row[0], side, tick) == qty  # deeper than is shown: unseen, not empty


def test_without_a_book_nothing_rests() -> None:
    assert shown_qty(np.zeros(1, SNAPSHOT)[0], 1, 100) == 0.0


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    ("away_tick", "queue_rank", "rank", "ahead_qty"),
    [
        (0, -1.0, 1.0, 5.0),
        (-5, -1.0, 0.0, 0.0),
        (10, 0.5, 0.5, 3.5),
        (20, -1.0, 0.0, 0.0),
        (50, -1.0, 1.0, 9.0),
    ],
)
def test_a_level_is_valued_by_the_inputs_training_sees(
    side: int, away_tick: int, queue_rank: float, rank: float, ahead_qty: float
) -> None:
    row, valuer, inputs = market(), a_valuer(), np.zeros(INPUTS)
    tick = 9_990 - away_tick if side > 0 else 10_010 + away_tick
    view_market(valuer, row)
    value_level(side, tick, queue_rank, row, PARAMS, TICK_PX, EXECUTION, valuer)
    said = valuer["scratch"][0]
    depth_bps = side * (1_000.0 - tick * TICK_PX) / 1_000.0 * 1e4
    write_inputs(inputs, row, side, depth_bps, rank, ahead_qty)
    assert valuer["inputs"][0 if side > 0 else 1] == pytest.approx(inputs, abs=1e-12)
    mean_bps, std_bps = queue_value(valuer["models"], inputs, 0, CONFIG.execution.maker_fee_bps, PARAMS)
    assert (said["queue_value_bps"], said["queue_value_std_bps"]) == pytest.approx((mean_bps, std_bps))
    horizon_s = CONFIG.execution.fill_horizon_s
    assert said["fill_prob"] == pytest.approx(fill_prob(valuer["models"], inputs, horizon_s, PARAMS))
    assert (said["queue_rank"], said["depth_bps"]) == pytest.approx((rank, depth_bps))


def test_an_informed_seller_poisons_the_bid_and_not_the_ask() -> None:
    values = {}
    for prob in (0.1, 0.9):
        row, valuer = market(), a_valuer()
        row["toxic_sell_prob"] = prob
        view_market(valuer, row)
        for side, tick in ((1, 9_990), (-1, 10_010)):
            value_level(side, tick, -1.0, row, PARAMS, TICK_PX, EXECUTION, valuer)
            values[side, prob] = float(valuer["scratch"]["queue_value_bps"][0])
    assert values[1, 0.9] < values[1, 0.1]
    assert values[-1, 0.9] == values[-1, 0.1]


def test_a_market_without_a_mid_has_no_value() -> None:
    row, valuer = market(), a_valuer()
    row["mid_px"] = 0.0
    view_market(valuer, row)
    value_level(1, 9_990, -1.0, row, PARAMS, TICK_PX, EXECUTION, valuer)
    assert np.isnan(valuer["scratch"]["queue_value_bps"][0])
    assert np.isnan(valuer["scratch"]["fill_prob"][0])


def test_doubts_add_as_independent_errors_do() -> None:
    assert edge_doubt_bps(3.0, 4.0) == pytest.approx(5.0)
    assert np.isnan(edge_doubt_bps(np.nan, 1.0))
