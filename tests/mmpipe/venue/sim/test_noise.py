"""Noise traders: their rate follows the queue, their own trades and a slow tide."""

import numpy as np
import pytest

from mmpipe.venue.sim.chance import CHANCE, lognormal
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from mmpipe.venue.sim.market import Market, new_market
from mmpipe.venue.sim.matching import submit
from mmpipe.venue.sim.noise import noise_rate, trade_noise


def world(**changes: float) -> tuple[Market, Crowd]:
    phases = np.zeros(1, PHASE)
    numbers = {
        "noise_per_s": 4.0,
        "noise_usdc": 1_000.0,
        "noise_usdc_spread": 0.5,
        "noise_repeat_prob": 0.5,
        "excitation_time_s": 1.0,
        "activity_time_s": 60.0,
    }
    for key, value in (numbers | changes).items():
        phases[key] = value
    market = new_market(1, 60, 150, 450)
    for side in (1, -1):
        submit(market, 2, 0, side, 1_000_000 - 10 * side, 10**12, 0, 0)
    return market, new_crowd(7, 20, phases, np.array([[1_000_000.0, 10.0, 100_000.0]]))


def trades(market: Market, crowd: Crowd, seconds: int) -> list[np.ndarray]:
    out = []
    for _ in range(seconds * 50):
        market.header["fills"] = market.header["events"] = 0
        trade_noise(market, crowd, 0)
        out.append(market.fills[: int(market.header["fills"][0])].copy())
    return out


def test_rate_falls_with_the_queue() -> None:
    _, crowd = world(noise_queue_decay=0.5)
    crowd.queues[0, :, 0] = 3
    assert noise_rate(crowd, 0) == pytest.approx(4.0)
    crowd.queues[0, :, 0] = 5
    assert noise_rate(crowd, 0) == pytest.approx(4.0 * np.exp(-1.0))


def test_counts_of_a_plain_process_are_poisson() -> None:
    counts = np.array([len(block) for block in trades(*world(), 1_000)]).reshape(-1, 50).sum(axis=1)
    assert counts.mean() == pytest.approx(4.0, rel=0.07)
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.15)


def test_excited_trades_cluster_and_keep_their_mean() -> None:
    counts = np.array([len(b) for b in trades(*world(excitation=0.5), 2_000)]).reshape(-1, 50).sum(axis=1)
    assert counts.mean() == pytest.approx(4.0, rel=0.1)
    assert counts.var() / counts.mean() > 1.3


def test_sides_repeat_as_often_as_they_are_told() -> None:
    fills = np.concatenate(trades(*world(noise_repeat_prob=0.8), 500))
    assert (np.diff(fills["side"]) == 0).mean() == pytest.approx(0.8, abs=0.04)


def test_nobody_pays_more_than_five_basis_points() -> None:
    market, crowd = world()
    market.levels[0, 1, 0]["lots"] = 1
    fills = np.concatenate(trades(market, crowd, 20))
    assert (np.abs(fills["tick"] - 1_000_000) <= 10).all()
    assert fills["lots"].min() >= 10  # 10 USDC


def test_lognormal_has_its_median_and_spread() -> None:
    chance = np.zeros(1, CHANCE)
    values = np.log([lognormal(chance, 5.0, 0.7) for _ in range(4_000)])
    assert np.exp(np.median(values)) == pytest.approx(5.0, rel=0.05)
    assert values.std() == pytest.approx(0.7, rel=0.05)
