import math

import numpy as np
import pytest

from mmpipe.features import volatility
from mmpipe.features.mid_path import MID_PATH, PATH_MAX, on_mid

START = 1_000_000_000_000_000
HALFLIFE_S = 10.0


def walk(sigma_bps: float, step_s: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    rng = np.random.default_rng(seed)
    rows, path = np.zeros(1, volatility.VOLATILITY), np.zeros(1, MID_PATH)
    mid_px, now_ns = 100.0, START
    for step in range(count):
        now_ns = START + int(step * step_s * 1e9)
        mid_px *= 1.0 + rng.normal(0.0, sigma_bps * math.sqrt(step_s)) * 1e-4
        volatility.on_mid(rows[0], now_ns, mid_px, HALFLIFE_S)
        on_mid(path[0], now_ns, mid_px)
    return rows, path, now_ns


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
    ewma = np.mean([volatility.sigma_ewma_bps(rows[0]) ** 2 for rows, _, _ in readings])
    minute = np.mean([volatility.sigma_1m_bps(path[0], now_ns) ** 2 for _, path, now_ns in readings])
    assert ewma == pytest.approx(4.0, rel=0.25)
    assert minute == pytest.approx(4.0 * 60, rel=0.15)


def test_a_minute_is_exactly_a_minute() -> None:
    path = np.zeros(1, MID_PATH)
    for second, mid_px in ((0, 100.0), (10, 100.01), (40, 100.0), (50, 100.02)):
        on_mid(path[0], START + second * 10**9, mid_px)
    first, second, third = 1.0, 0.01 / 100.01 * 1e4, 2.0
    just_in = START + 70 * 10**9 - 1  # the first move is a nanosecond short of a minute old
    assert volatility.sigma_1m_bps(path[0], START + 60 * 10**9) == pytest.approx(
        math.sqrt(first**2 + second**2 + third**2)
    )
    assert volatility.sigma_1m_bps(path[0], just_in) == pytest.approx(
        math.sqrt(first**2 + second**2 + third**2)
    )
    assert volatility.sigma_1m_bps(path[0], just_in + 1) == pytest.approx(math.sqrt(second**2 + third**2))
    assert volatility.sigma_1m_bps(path[0], START + 200 * 10**9) == 0.0


def test_less_than_a_minute_is_scaled_up_and_seconds_say_nothing() -> None:
    path = np.zeros(1, MID_PATH)
    on_mid(path[0], START, 100.0)
    on_mid(path[0], START + 10**9, 100.01)
    assert volatility.sigma_1m_bps(path[0], START + 4 * 10**9) == 0.0
    assert volatility.sigma_1m_bps(path[0], START + 15 * 10**9) == pytest.approx(2.0)


def test_a_path_that_lost_its_beginning_is_scaled_by_what_it_holds() -> None:
    path = np.zeros(1, MID_PATH)
    for step in range(2 * PATH_MAX):  # 1,000 changes a second: the ring holds eight seconds
        on_mid(path[0], START + step * 10**6, 100.0 + 0.01 * (step % 2))
    reading = volatility.sigma_1m_bps(path[0], START + 2 * PATH_MAX * 10**6)
    assert reading == pytest.approx(math.sqrt(60_000.0), rel=1e-3)


def test_a_market_that_stands_still_has_none() -> None:
    rows, path = np.zeros(1, volatility.VOLATILITY), np.zeros(1, MID_PATH)
    for second in range(100):
        volatility.on_mid(rows[0], START + second * 10**9, 100.0, HALFLIFE_S)
        on_mid(path[0], START + second * 10**9, 100.0)
    assert volatility.sigma_ewma_bps(rows[0]) == volatility.sigma_1m_bps(path[0], START + 10**11) == 0.0
