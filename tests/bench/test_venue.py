"""The bench of the exchange: its statistics on streams with known answers, its storm, its contract."""

import numpy as np
import pytest

from bench import venue
from bench.venue_calibration import MATCHES, Stream, measure, simulate
from bench.venue_engine import new_storm, storm
from mmpipe.venue.sim.crowd import PHASE
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.scenarios import load_scenario


def known_stream() -> Stream:
    # Ten minutes: every second quote is two ticks wide for a quarter of a second; two trades each second.
    seconds = np.arange(0.0, 600.0, 1.0)
    times = np.sort(np.concatenate([seconds, seconds + 0.25]))
    wide = np.arange(len(times)) % 2 == 0
    mid = 4_300.0
    bbo = np.column_stack([times, np.full(len(times), mid - 0.1), np.where(wide, mid + 0.1, mid)])
    at = np.repeat(seconds, 2) + np.tile([0.1, 0.6], len(seconds))
    sides = np.tile([1.0, 1.0, 1.0, -1.0], len(at) // 4)
    trades = np.column_stack([at, sides, np.full(len(at), mid), np.tile([100.0, 300.0], len(seconds))])
    return Stream(bbo, trades, np.tile([1_000.0, 5_000.0, 20_000.0], (50, 1)))


def test_statistics_of_a_stream_that_is_known() -> None:
    numbers = measure(known_stream())
    assert numbers["spread_one_tick_share"] == pytest.approx(0.75, abs=0.01)
    assert numbers["spread_ticks_p90"] == 2
    assert numbers["mid_changes_per_s"] == pytest.approx(2.0, abs=0.01)
    assert numbers["trades_per_s"] == pytest.approx(2.0, abs=0.01)
    assert numbers["trades_per_s_fano"] == pytest.approx(0.0, abs=0.01)
    assert numbers["run_length_mean"] == pytest.approx(2.0, abs=0.02)
    assert numbers["trade_usdc_p90"] == 300.0
    assert numbers["depth_five_usdc_p50"] == 5_000.0
    assert numbers["mid_1s_std_bps"] == pytest.approx(0.0, abs=1e-9)


def test_prints_of_one_block_and_side_are_one_trade() -> None:
    stream = known_stream()
    twice = stream.trades.repeat(2, axis=0)
    numbers = measure(stream._replace(trades=twice))
    assert numbers["trades_per_s"] == pytest.approx(2.0, abs=0.01)
    assert numbers["trade_usdc_p90"] == 600.0


def test_the_storm_counts_what_it_does() -> None:
    market, chance, oids = new_storm(3)
    events = storm(market, chance, oids, 50_000)
    assert events >= 50_000
    assert market.header["tid"][0] > 5_000
    assert (market.orders["oid"] != 0).sum() > 500
    assert is_conserved(market)


def test_every_fitted_parameter_and_statistic_exists() -> None:
    numbers = measure(simulate(load_scenario("quiet").phases, 60.0, 1))
    for match in MATCHES:
        assert match.key in (PHASE.names or ())
        assert numbers[match.statistic] > 0.0


def test_a_missed_budget_is_one() -> None:
    assert venue.budget("x", 2.0, 1.0)["ok"] is True
    assert venue.budget("x", 0.5, 1.0)["ok"] is False
    assert venue.budget("x", float("nan"), 1.0)["ok"] is False


def test_quiet_is_near_the_recording_where_it_claims_to_be() -> None:
    likeness = venue.calibration()
    if not likeness:
        pytest.skip("the recording is not here; set MMPIPE_DATA")
    ratios = {name: row["ratio"] for name, row in likeness.items()}
    far = {"mid_changes_per_s", "trade_usdc_p10", "spread_ticks_p99"}
    for name, ratio in ratios.items():
        assert (0.5 if name in far else 0.66) <= ratio <= (2.0 if name in far else 1.5), (name, ratio)
