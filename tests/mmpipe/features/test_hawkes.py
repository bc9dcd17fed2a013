"""Hawkes intensities: a worked number, the double sum as oracle, symmetry, what may not be configured."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.errors import ConfigError
from mmpipe.features import hawkes

TOML = Path(__file__).resolve().parents[3] / "pipeline.toml"
FEATURES = configuration.load(TOML).features
SETTINGS = settings_row(FEATURES)
START = 10**15
S = 10**9


def fresh() -> np.ndarray:
    return np.zeros(1, hawkes.HAWKES)


def test_one_buy_by_hand() -> None:
    row = SETTINGS.copy()
    row["hawkes_base_per_s"], row["hawkes_self_share"], row["hawkes_cross_share"] = 0.5, 0.4, 0.1
    row["hawkes_fast_share"] = 0.25
    row["hawkes_fast_halflife_s"], row["hawkes_slow_halflife_s"] = 1.0, 4.0
    rows = fresh()
    hawkes.on_trade(rows[0], START, 1, row)
    hawkes.advance(rows[0], START + 4 * S, row)  # four fast half-lives, one slow one
    kernel = math.log(2) * (0.25 * 1.0 / 16 + 0.75 / 4.0 / 2)
    assert hawkes.intensity_per_s(rows[0], 1, row) == pytest.approx(0.5 + 0.4 * kernel, rel=1e-12)
    assert hawkes.intensity_per_s(rows[0], -1, row) == pytest.approx(0.5 + 0.1 * kernel, rel=1e-12)
    assert hawkes.asymmetry(rows[0], row) == pytest.approx(0.3 * kernel / (1.0 + 0.5 * kernel), rel=1e-12)


def slow_intensity(trades: list[tuple[float, int]], now_s: float, side: int) -> float:
    total = FEATURES.hawkes_base_per_s
    for at_s, trade_side in trades:
        share = FEATURES.hawkes_self_share if trade_side == side else FEATURES.hawkes_cross_share
        for part, halflife_s in (
            (FEATURES.hawkes_fast_share, FEATURES.hawkes_fast_halflife_s),
            (1.0 - FEATURES.hawkes_fast_share, FEATURES.hawkes_slow_halflife_s),
        ):
            beta = math.log(2) / halflife_s
            total += share * part * beta * math.exp(-beta * (now_s - at_s))
    return total


TRADES = st.lists(st.tuples(st.integers(0, 4_000), st.sampled_from([1, -1])), min_size=1, max_size=60)


@given(TRADES, st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_the_recursion_is_the_double_sum(trades: list[tuple[int, int]], wait_ms: int) -> None:
    rows, now_ms, seen = fresh(), 0, []
    for pause_ms, side in trades:
        now_ms += pause_ms
        hawkes.on_trade(rows[0], START + now_ms * 10**6, side, SETTINGS)
        seen.append((now_ms / 1e3, side))
    now_ms += wait_ms
    hawkes.advance(rows[0], START + now_ms * 10**6, SETTINGS)
    for side in (1, -1):
        expected = slow_intensity(seen, now_ms / 1e3, side)
        assert hawkes.intensity_per_s(rows[0], side, SETTINGS) == pytest.approx(expected, rel=1e-9)
    assert -1.0 < hawkes.asymmetry(rows[0], SETTINGS) < 1.0


@given(TRADES)
@settings(max_examples=50, deadline=None)
def test_buyers_and_sellers_exchanged_is_the_opposite(trades: list[tuple[int, int]]) -> None:
    rows, other, now_ns = fresh(), fresh(), START
    for pause_ms, side in trades:
        now_ns += pause_ms * 10**6
        hawkes.on_trade(rows[0], now_ns, side, SETTINGS)
        hawkes.on_trade(other[0], now_ns, -side, SETTINGS)
    assert hawkes.asymmetry(rows[0], SETTINGS) == -hawkes.asymmetry(other[0], SETTINGS)


def test_a_process_of_this_kind_is_read_back_on_average() -> None:
    # By Ogata's thinning with the kernel's own intensity: n / t tends to base / (1 - self - cross).
    rng, rows, now_s, count = np.random.default_rng(3), fresh(), 0.0, 0
    while now_s < 4_000.0:
        bound = sum(hawkes.intensity_per_s(rows[0], side, SETTINGS) for side in (1, -1))
        now_s += rng.exponential(1.0 / bound)
        hawkes.advance(rows[0], START + int(now_s * S), SETTINGS)
        buy, sell = (hawkes.intensity_per_s(rows[0], side, SETTINGS) for side in (1, -1))
        if rng.uniform() * bound < buy + sell:
            count += 1
            hawkes.on_trade(
                rows[0], START + int(now_s * S), 1 if rng.uniform() * (buy + sell) < buy else -1, SETTINGS
            )
    branching = FEATURES.hawkes_self_share + FEATURES.hawkes_cross_share
    assert count / now_s == pytest.approx(2 * FEATURES.hawkes_base_per_s / (1.0 - branching), rel=0.1)


def test_before_the_first_trade_nothing_leans() -> None:
    rows = fresh()
    hawkes.advance(rows[0], START, SETTINGS)
    assert hawkes.asymmetry(rows[0], SETTINGS) == 0.0


@pytest.mark.parametrize(
    "change", [{"features.hawkes_self_share": 0.9}, {"features.hawkes_fast_halflife_s": 50.0}]
)
def test_a_configuration_that_explodes_or_is_upside_down_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        configuration.load(TOML, change)
