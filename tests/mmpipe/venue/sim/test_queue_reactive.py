"""The law of one queue, and what providers do when their view moves."""

import math

import numpy as np
import pytest

from mmpipe.venue.sim.crowd import DEEP, LEVELS, PHASE, Crowd, new_crowd
from mmpipe.venue.sim.market import CROWD_FIRST, ORDERS_MAX, Market, new_market
from mmpipe.venue.sim.matching import best_tick
from mmpipe.venue.sim.queue_reactive import arrival_rate, cancel_rate, requote

BLOCK_MS = 20
START = np.array([[1_000_000.0, 10.0, 100_000.0]])


def phases(**changes: float) -> np.ndarray:
    rows = np.zeros(1, PHASE)
    numbers = {
        "touch_usdc": 1_000.0,
        "near_usdc": 1_000.0,
        "far_usdc": 1_000.0,
        "limit_per_s": 2.0,
        "join_per_s": 3.0,
        "cancel_per_s": 1.5,
        "flee_per_s": 50.0,
    }
    for key, value in (numbers | changes).items():
        rows[key] = value
    return rows


def world(**changes: float) -> tuple[Market, Crowd]:
    crowd = new_crowd(7, BLOCK_MS, phases(**changes), START)
    crowd.symbols["centre_tick"] = 1_000_005.0
    return new_market(1, CROWD_FIRST + 60, 150, 450), crowd


def run(market: Market, crowd: Crowd, blocks: int) -> None:
    for _ in range(blocks):
        market.header["fills"] = market.header["events"] = 0
        requote(market, crowd, 0)


def test_a_queue_follows_its_stationary_law() -> None:
    # pi(n) = pi(0) prod arrive(j - 1) / cancel(j): Huang, Lehalle, Rosenbaum 2015, a birth-death process.
    # Arrivals at empty levels come in ladders, so that each level's own rate holds only at n > 0:
    # the law is compared given n >= 1.
    market, crowd = world()
    phase = crowd.phases[0]
    weights = [1.0]
    for n in range(2, DEEP + 1):
        weights.append(weights[-1] * arrival_rate(phase, n - 1) / cancel_rate(phase, n))
    law = np.array(weights) / sum(weights)
    run(market, crowd, 500)
    counts = np.zeros(DEEP + 1)
    for _ in range(6_000):
        run(market, crowd, 5)
        for index in range(2):
            np.add.at(counts, crowd.queues[0, index], 1)
    seen = counts[1:] / counts[1:].sum()
    assert seen == pytest.approx(law, abs=0.012)


@pytest.mark.parametrize(("queue", "rate"), [(0, 0.0), (1, 1.5 / 1.25), (4, 1.5 * 4 / 2), (6, 1.5 * 6 / 2.5)])
def test_cancels_grow_with_the_queue_but_less_and_less(queue: int, rate: float) -> None:
    assert cancel_rate(phases()[0], queue) == pytest.approx(rate)


def test_arrivals_are_fast_at_an_empty_level_flat_after_and_end() -> None:
    rates = [arrival_rate(phases()[0], n) for n in range(DEEP + 1)]
    assert rates == [3.0] + [2.0] * (DEEP - 1) + [0.0]


def test_ladder_stands_around_the_view_within_its_width() -> None:
    market, crowd = world(width_bps=3.0, join_per_s=50.0)
    run(market, crowd, 100)
    assert best_tick(market, 0, 1) == 999_700  # 100,000.5 less 3 bps, on a step of 1 USDC
    assert best_tick(market, 0, -1) == 1_000_310
    assert market.level_counts[0].max() <= LEVELS


def test_orders_on_the_wrong_side_flee_with_all_of_their_owner() -> None:
    market, crowd = world(join_per_s=50.0)
    run(market, crowd, 100)
    crowd.symbols["centre_tick"] = 1_000_105.0  # ten steps up: ten levels of asks are too cheap
    market.header["events"] = 0
    requote(market, crowd, 0)
    wrong = int(crowd.symbols["wrong"][0])
    asks = market.orders[(market.orders["oid"] != 0) & (market.orders["side"] < 0)]
    too_cheap = asks[asks["tick"] < 1_000_110]
    assert len(too_cheap) == wrong
    owners = set(too_cheap["account"].tolist())
    assert len(owners) < 3 or wrong > 0
    run(market, crowd, 50)
    assert crowd.symbols["wrong"][0] == 0
    assert best_tick(market, 0, -1) == 1_000_110
    assert best_tick(market, 0, 1) == 1_000_100


def test_every_remembered_order_is_in_the_book_and_counted() -> None:
    market, crowd = world()
    for step in range(300):
        crowd.symbols["centre_tick"] += 30.0 * math.sin(step)
        run(market, crowd, 1)
    oids = crowd.oids[crowd.oids != 0]
    alive = market.orders[oids % ORDERS_MAX]["oid"] == oids
    assert alive.all()
    assert len(set(oids.tolist())) == len(oids) == (market.orders["oid"] != 0).sum()
    assert crowd.queues.sum() + crowd.symbols["wrong"][0] == len(oids)


def test_a_swept_side_gets_a_price_at_once() -> None:
    market, crowd = world(join_per_s=0.0, limit_per_s=0.0)
    run(market, crowd, 1)
    assert best_tick(market, 0, 1) > 0
    assert best_tick(market, 0, -1) > 0
