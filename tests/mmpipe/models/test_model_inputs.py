"""Inputs: worked numbers, the mirror image, bounds, and nothing where a number is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import FeedState
from mmpipe.models.model_inputs import (
    FEATURE_NAMES,
    INPUTS,
    PLACE_COUNT,
    schema_hash,
    write_all_inputs,
    write_inputs,
)
from mmpipe.records import SNAPSHOT

SIGNED = (
    "imbalance", "microprice_px", "ofi_500ms", "ofi_2s", "mlofi_500ms", "mlofi_500ms_lags",
    "trade_sign_run_length", "vwap_direction", "hawkes_asymmetry", "lead_divergence_bps", "lead_imbalance",
    "funding_rate_8h",
)  # fmt: skip
PAIRED = (
    ("bid_depth_qty", "ask_depth_qty"),
    ("sell_intensity_per_s", "buy_intensity_per_s"),
    ("toxic_sell_prob", "toxic_buy_prob"),
)


def market(seed: int = 1) -> np.ndarray:
    """A market in which every field an input is made of says something; the mid is 100."""
    chance = np.random.default_rng(seed)
    row = np.zeros(1, SNAPSHOT)
    row["mid_px"], row["spread_bps"], row["lead_feed"] = 100.0, 2.0, int(FeedState.LIVE)
    row["microprice_px"] = 100.0 + 0.01 * chance.normal()
    row["bid_depth_qty"], row["ask_depth_qty"] = 1.0 + chance.random((2, 10)) * 9.0
    for name in ("imbalance", "vwap_direction", "hawkes_asymmetry", "lead_imbalance"):
        row[name] = 2.0 * chance.random() - 1.0
    for name in ("ofi_500ms", "ofi_2s", "mlofi_500ms", "lead_divergence_bps"):
        row[name] = 3.0 * chance.normal()
    row["mlofi_500ms_lags"] = chance.normal(size=4)
    row["trade_sign_run_length"], row["trades_in_2s"] = chance.integers(-15, 15), chance.integers(0, 50)
    row["buy_intensity_per_s"], row["sell_intensity_per_s"] = 5.0 * chance.random(2)
    row["sigma_ewma_bps"], row["sigma_1m_bps"], row["vpin"] = 0.5, 7.0, 0.3
    row["toxic_buy_prob"], row["toxic_sell_prob"] = chance.random(2)
    row["regime_probs"] = 0.4, 0.3, 0.2, 0.1
    row["lead_age_ns"], row["funding_rate_8h"] = 500_000_000, 1e-4
    row["book_age_ns"], row["book_limit_ns"] = 300, 1_500
    return row


def inputs_of(row: np.ndarray, side: int) -> dict[str, float]:
    out = np.zeros(INPUTS)
    write_inputs(out, row, side, 1.5, 0.25, 30.0)
    return dict(zip(FEATURE_NAMES, out.tolist(), strict=True))


def mirrored(row: np.ndarray) -> np.ndarray:
    """The same market with bid and ask exchanged; only differences to the mid count."""
    other = row.copy()
    for name in SIGNED:
        other[name] = 2.0 * row["mid_px"] - row[name] if name.endswith("_px") else -row[name]
    for one, another in PAIRED:
        other[one], other[another] = row[another], row[one]
    return other


def test_worked_numbers() -> None:
    row = market()
    row["bid_depth_qty"][0, 0], row["ask_depth_qty"][0, 0] = 6.0, 2.0
    row["ofi_500ms"], row["trade_sign_run_length"], row["sell_intensity_per_s"] = 2.0, -3, 3.0
    bid, ask = inputs_of(row, 1), inputs_of(row, -1)
    assert (bid["depth_bps"], bid["behind_bps"], bid["queue_rank"]) == (1.5, 0.5, 0.25)
    assert bid["log_ahead_notional"] == pytest.approx(np.log(4.0))  # 30 at 100 are 3,000
    assert (bid["touch_imbalance"], ask["touch_imbalance"]) == (0.5, -0.5)
    assert (bid["ofi_500ms"], ask["ofi_500ms"]) == (0.5, -0.5)  # over the mean of 6 and 2
    assert (bid["run_length"], ask["run_length"]) == (-3.0, 3.0)
    assert bid["log_fillers_per_s"] == ask["log_others_per_s"] == pytest.approx(np.log(4.0))
    assert bid["funding_bps"] == -1.0  # positive funding: who is short is paid
    assert ask["funding_bps"] == 1.0
    assert bid["lead_freshness"] == pytest.approx(np.exp(-0.5))
    assert bid["book_age_share"] == pytest.approx(0.2)
    assert (bid["regime_quiet_prob"], bid["regime_volatile_prob"], bid["regime_cascade_prob"]) == (
        0.4,
        0.2,
        0.1,
    )


@given(st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_a_bid_and_an_ask_in_the_mirror_see_the_same(seed: int) -> None:
    row = market(seed)
    bid, ask = inputs_of(row, 1), inputs_of(mirrored(row), -1)
    assert bid == pytest.approx(ask, abs=1e-9)
    assert inputs_of(row, 1) != pytest.approx(inputs_of(row, -1), abs=1e-9)


@pytest.mark.parametrize("name", [name for name in FEATURE_NAMES if name != "half_spread_bps"])
def test_every_input_says_something(name: str) -> None:
    values = []
    for seed in range(8):
        row, out = market(seed), np.zeros(INPUTS)
        for field in ("sigma_ewma_bps", "sigma_1m_bps", "vpin", "funding_rate_8h"):
            row[field] *= 1.0 + 0.1 * seed
        row["lead_age_ns"], row["book_age_ns"] = 500_000_000 + seed * 10_000_000, 300 + seed
        row["regime_probs"] = (0.4 - 0.01 * seed, 0.3 - 0.01 * seed, 0.2 + 0.01 * seed, 0.1 + 0.01 * seed)
        write_inputs(out, row, 1, 1.0 + seed, seed / 8.0, float(seed))
        values.append(out[FEATURE_NAMES.index(name)])
    assert len(set(values)) > 1


def test_a_lead_that_is_not_live_says_nothing() -> None:
    row = market()
    for state in (FeedState.NEVER, FeedState.STALE, FeedState.GAPPED):
        row["lead_feed"] = int(state)
        seen = inputs_of(row, 1)
        assert (seen["lead_divergence_bps"], seen["lead_freshness"], seen["lead_imbalance"]) == (
            0.0,
            0.0,
            0.0,
        )


@given(st.sampled_from([1, -1]), st.floats(-1e12, 1e12), st.floats(0.0, 1e12))
@settings(max_examples=60, deadline=None)
def test_whatever_flows_inputs_are_bounded(side: int, flow: float, rate: float) -> None:
    row = market()
    for name in ("ofi_500ms", "ofi_2s", "mlofi_500ms", "lead_divergence_bps", "microprice_px"):
        row[name] = flow
    row["buy_intensity_per_s"], row["trade_sign_run_length"] = rate, 2**30
    seen = inputs_of(row, side)
    assert max(abs(value) for value in seen.values()) <= 200.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "field",
    ["mid_px", "spread_bps", "imbalance", "microprice_px", "ofi_500ms", "mlofi_500ms", "vwap_direction",
     "buy_intensity_per_s", "sell_intensity_per_s", "hawkes_asymmetry", "vpin", "sigma_ewma_bps",
     "sigma_1m_bps", "toxic_buy_prob", "toxic_sell_prob", "lead_divergence_bps", "lead_imbalance",
     "funding_rate_8h", "bid_depth_qty", "ask_depth_qty", "regime_probs"],
)  # fmt: skip
def test_one_number_that_is_none_voids_the_state(field: str, bad: float) -> None:
    row, out = market(), np.zeros(INPUTS)
    row[field] = bad
    write_inputs(out, row, 1, 1.5, 0.25, 30.0)
    # What is clipped may be infinite, on its way.
    clipped = field in ("microprice_px", "ofi_500ms", "mlofi_500ms", "lead_divergence_bps", "funding_rate_8h")
    if clipped and np.isinf(bad):
        assert np.isfinite(out[PLACE_COUNT:]).all()
    else:
        assert np.isnan(out[PLACE_COUNT:]).all()


def test_without_a_mid_there_is_no_state() -> None:
    row, out = market(), np.zeros(INPUTS)
    row["mid_px"] = 0.0
    write_inputs(out, row, 1, 1.5, 0.25, 30.0)
    assert np.isnan(out[PLACE_COUNT:]).all()


def test_many_at_once_are_as_one_by_one() -> None:
    rows = np.concatenate([market(seed) for seed in range(4)])
    out, one = np.zeros((4, INPUTS)), np.zeros(INPUTS)
    sides, ranks = np.array([1, -1, 1, -1]), np.array([0.0, 0.3, 0.6, 1.0])
    write_all_inputs(out, rows, sides, ranks + 0.5, ranks, ranks * 10.0)
    for index, rank in enumerate(ranks):
        write_inputs(one, rows[index : index + 1], int(sides[index]), rank + 0.5, rank, rank * 10.0)
        assert out[index].tolist() == one.tolist()


def test_another_order_of_names_is_another_schema() -> None:
    assert schema_hash(FEATURE_NAMES) != schema_hash(FEATURE_NAMES[::-1])
    assert len(schema_hash(FEATURE_NAMES)) == 16
