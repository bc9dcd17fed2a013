import math

import numpy as np
import pytest

from mmpipe.features import volatility

START = 1_000_000_000_000_000
HALFLIFE_S = 10.0


def walk(sigma_bps: float, step_s: float, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.zeros(1, volatility.VOLATILITY)
    mid_px = 100.0
    for step in range(count):
        mid_px *= 1.0 + rng.normal(0.0, sigma_bps * math.sqrt(step_s)) * 1e-4
        volatility.on_mid(rows[0], START + int(step * step_s * 1e9), mid_px, HALFLIFE_S)
    return rows


def test_one_move_by_hand() -> None:
    rows = np.zeros(1, volatility.VOLATILITY)
    volatility.on_mid(rows[0], START, 100.0, HALFLIFE_S)
    volatility.on_mid(rows[0], START, 100.01, HALFLIFE_S)  # 1 bp
    assert volatility.sigma_ewma_bps(rows[0]) == pytest.approx(math.sqrt(math.log(2) / HALFLIFE_S))
    volatility.advance(rows[0], START + 10_000_000_000, HALFLIFE_S)
    assert volatility.sigma_ewma_bps(rows[0]) == pytest.approx(math.sqrt(math.log(2) / HALFLIFE_S / 2))


@pytest.mark.parametrize("step_s", [0.05, 0.5])
def test_a_known_volatility_is_read_back_whatever_the_sampling(step_s: float) -> None:
    readings = [walk(2.0, step_s, int(120 / step_s), seed) for seed in range(12)]
    ewma = np.mean([volatility.sigma_ewma_bps(rows[0]) ** 2 for rows in readings])
    minute = np.mean([volatility.sigma_1m_bps(rows[0]) ** 2 for rows in readings])
    assert ewma == pytest.approx(4.0, rel=0.25)
    assert minute == pytest.approx(4.0 * 60, rel=0.15)


def test_the_first_seconds_say_nothing_of_a_minute() -> None:
    assert volatility.sigma_1m_bps(walk(2.0, 0.1, 20, 1)[0]) == 0.0


def test_a_market_that_stands_still_has_none() -> None:
    rows = np.zeros(1, volatility.VOLATILITY)
    for second in range(100):
        volatility.on_mid(rows[0], START + second * 10**9, 100.0, HALFLIFE_S)
    assert volatility.sigma_ewma_bps(rows[0]) == volatility.sigma_1m_bps(rows[0]) == 0.0
