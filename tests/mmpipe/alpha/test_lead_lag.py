"""Who made a divergence, how much of it is believed, and from when on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.alpha import lead_lag
from mmpipe.alpha.changepoint import alarm_thresholds
from mmpipe.alpha.lead_lag import DIVERGENCE_MAX_BPS, SPREAD
from mmpipe.enums import FeedState
from tests.mmpipe.alpha.snapshots import Pair

THRESHOLDS = alarm_thresholds(10_000.0)
HALFLIFE_S = 1e6  # the slow level stands still


class Watched:
    """A spread that watches a pair."""

    def __init__(self) -> None:
        self.pair, self.state = Pair(), np.zeros(1, SPREAD)
        self.move()

    def move(self, lead: float = 0.0, maker: float = 0.0, **fields: float) -> np.void:
        row = self.pair.moved(lead, maker, **fields)
        divergence = float(row["lead_divergence_bps"][0])
        lead_lag.observe(self.state[0], row[0], divergence, THRESHOLDS, 1500.0, HALFLIFE_S)
        return self.state[0]

    def quiet(self, moves: int, sd: float = 0.5, seed: int = 0) -> None:
        """A lead that trembles and a maker that follows at once."""
        rng = np.random.default_rng(seed)
        for _ in range(moves):
            step = float(rng.normal(0.0, sd))
            self.move(lead=step)
            self.move(maker=step)


def test_a_divergence_belongs_to_whoever_moved() -> None:
    watched = Watched()
    state = watched.move(lead=5.0)
    assert (state["lead_part_bps"], round(state["maker_part_bps"], 6)) == (pytest.approx(5.0, rel=1e-3), 0.0)
    state = watched.move(maker=2.0)  # follows
    assert state["lead_part_bps"] == pytest.approx(3.0, rel=1e-3)
    state = watched.move(maker=-4.0)  # leaves
    assert state["maker_part_bps"] == pytest.approx(4.0, rel=1e-2)
    state = watched.move(lead=-1.0)  # the lead comes after the maker: that closes what the maker opened
    assert state["lead_part_bps"] == pytest.approx(3.0, rel=1e-2)
    assert state["maker_part_bps"] == pytest.approx(3.0, rel=1e-2)


@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(-4, 4)), max_size=40))
def test_the_parts_add_up_to_the_divergence(moves: list[tuple[float, float]]) -> None:
    watched = Watched()
    for lead, maker in moves:
        state = watched.move(lead, maker)
        total = state["lead_part_bps"] + state["maker_part_bps"]
        assert total == pytest.approx(watched.pair.lead_bps - watched.pair.maker_bps, abs=1e-6)
        assert abs(state["size_bps"]) <= abs(state["lead_part_bps"]) + abs(state["maker_part_bps"]) + 1e-9


def test_the_market_mirrored_is_the_belief_mirrored() -> None:
    up, down = Watched(), Watched()
    rng = np.random.default_rng(5)
    for _ in range(200):
        lead, maker = rng.normal(0.0, 1.0, 2)
        above, below = up.move(lead, maker), down.move(-lead, -maker)
        assert above["size_bps"] == pytest.approx(-below["size_bps"], abs=0.05)
        assert above["change_bps"] == pytest.approx(-below["change_bps"], abs=0.05)


def test_the_first_sign_counts_a_little_and_a_confirmed_change_whole() -> None:
    watched = Watched()
    watched.quiet(300)
    first = watched.move(lead=0.4)
    assert 0.0 < first["size_bps"] < 0.75 * 0.4
    assert first["change_bps"] == 0.0
    shares = []
    for _ in range(4):
        state = watched.move(lead=1.2)
        shares.append(float(state["size_bps"]) / float(state["lead_part_bps"]))
    assert shares == sorted(shares)
    assert state["change_bps"] > 0.0
    assert shares[-1] == pytest.approx(1.0, abs=1e-6)


def test_a_change_ends_when_the_maker_has_followed() -> None:
    watched = Watched()
    watched.quiet(300)
    assert watched.move(lead=6.0)["change_bps"] == pytest.approx(6.0, abs=0.6)
    assert watched.move(maker=3.0)["change_bps"] > 0.0
    assert watched.move(maker=2.5)["change_bps"] == 0.0
    assert watched.state["bank"]["alarms"][0] == 1


def test_a_maker_that_leaves_the_lead_by_far_is_doubt_and_not_signal() -> None:
    watched = Watched()
    rng = np.random.default_rng(7)
    for _ in range(200):  # its usual own moves come back
        step = float(rng.normal(0.0, 0.5))
        watched.move(maker=step)
        watched.move(maker=-step)
    assert watched.move(maker=-0.5)["doubt_bps"] < 0.1
    watched.move(maker=0.5)
    for _ in range(5):
        state = watched.move(maker=-10.0)
    assert abs(state["size_bps"]) < 0.1
    assert state["doubt_bps"] > 45.0
    # The same divergence made by the lead is believed.
    other = Watched()
    other.quiet(300)
    assert other.move(lead=50.0)["size_bps"] == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize(
    "fields",
    [
        {"lead_feed": int(FeedState.STALE)},
        {"lead_age_ns": 2_000_000_000},
        {"lead_mid_px": 0.0},
        {"lead_divergence_bps": math.nan},
        {"book_valid": 0},
    ],
)
def test_a_lead_nobody_can_trust_says_nothing(fields: dict[str, float]) -> None:
    watched = Watched()
    watched.quiet(100)
    watched.move(lead=5.0)
    state = watched.move(**fields)
    assert state["size_bps"] * state["fresh"] == 0.0
    assert state["change_bps"] == 0.0
    assert watched.move()["maker_part_bps"] == 0.0  # who made it is not known: the lead leads


def test_two_markets_that_are_not_one_are_all_doubt() -> None:
    watched = Watched()
    watched.quiet(100)
    state = watched.move(maker=-DIVERGENCE_MAX_BPS - 20.0)
    assert state["size_bps"] == 0.0
    assert state["doubt_bps"] == pytest.approx(DIVERGENCE_MAX_BPS + 20.0, rel=0.02)
