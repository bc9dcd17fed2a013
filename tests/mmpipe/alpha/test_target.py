"""Inventory wanted: bounded, odd, silent inside the noise; and the part of a forecast that is too early."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.alpha import target
from mmpipe.config import settings_row

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.alpha)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_target_share_is_bounded_odd_and_silent_inside_the_noise(held_bps: float, std_bps: float) -> None:
    share = target.target_share(held_bps, std_bps, SETTINGS[0])
    assert abs(share) <= CONFIG.alpha.target_max_share
    assert share == -target.target_share(-held_bps, std_bps, SETTINGS[0])
    assert share * held_bps >= 0.0
    if abs(held_bps) <= CONFIG.alpha.noise_floor_bps:
        assert share == 0.0


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_a_target_may_be_off_by_its_slope_times_the_doubt(held_bps: float, std_bps: float) -> None:
    std = target.target_std_share(held_bps, std_bps, SETTINGS[0])
    share = target.target_share(held_bps, std_bps, SETTINGS[0])
    assert 0.0 <= std <= CONFIG.alpha.target_max_share
    assert (std == 0.0) == (share == 0.0)
    assert std <= CONFIG.alpha.target_per_bps_share * std_bps + 1e-12


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_target_and_edge_of_no_number_are_none(bad: float) -> None:
    assert target.target_share(bad, 1.0, SETTINGS[0]) == target.target_share(1.0, bad, SETTINGS[0]) == 0.0
    assert target.target_std_share(bad, 1.0, SETTINGS[0]) == 0.0
    assert target.edge_prob(bad, 0.0, 1, 1.0) == target.edge_prob(0.0, 0.0, 1, bad) == 0.0
    assert target.reach_s(0.0, math.nan, 1.0) == 1.0


def test_edge_probability_is_the_normal_one() -> None:
    assert target.edge_prob(1.96, 0.0, 1, 1.0) == pytest.approx(0.9750021)
    assert target.edge_prob(0.0, 1.0, -1, 1.0) == pytest.approx(0.1586553)


def test_a_target_is_reached_one_quote_at_a_time_and_the_first_takes_time_too() -> None:
    assert target.reach_s(0.0, 4.0, 1.0) == 0.25
    assert target.reach_s(2.0, 4.0, 1.0) == 0.75
    assert target.reach_s(30.0, 4.0, 1.0) == 1.0
    assert target.reach_s(0.0, 0.0, 1.0) == 1.0


@given(st.floats(0.0, 1.0), st.floats(0.01, 2.0))
def test_the_early_share_grows_from_nothing_to_all(reach_s: float, lag_s: float) -> None:
    share = target.early_share(reach_s, lag_s, 1.0)
    assert 0.0 <= share <= 1.0 + 1e-12
    assert share >= reach_s - 1e-12  # a maker that follows moves early
    assert target.early_share(0.0, lag_s, 1.0) == 0.0
    assert target.early_share(1.0, lag_s, 1.0) == 1.0
