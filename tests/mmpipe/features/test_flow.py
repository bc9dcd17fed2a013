import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.features import flow

MS = 1_000_000
START = 1_000_000 * MS
HALFLIFE_S = 2.0
LOT_QTY = 0.25


def fresh() -> np.ndarray:
    return np.zeros(1, flow.FLOW)


def test_three_buys_and_a_sell_by_hand() -> None:
    rows = fresh()
    for step, (side, qty) in enumerate([(1, 2.0), (1, 1.0), (1, 1.0), (-1, 4.0)]):
        flow.on_trade(rows[0], START + step * 10 * MS, side, 100.0, qty, LOT_QTY, HALFLIFE_S)
        assert rows["run_length"][0] == (1, 2, 3, -1)[step]
    assert flow.vwap_direction(rows[0]) == 0.0
    assert flow.trades_in_window(rows[0]) == 4
    assert rows["buy_per_s"][0] == pytest.approx(3 * math.log(2) / HALFLIFE_S, rel=0.02)


def test_an_arrival_rate_is_read_back_on_average() -> None:
    rng, rows, now_ns, readings = np.random.default_rng(1), fresh(), START, []
    for _ in range(4_000):
        now_ns += int(rng.exponential(0.25) * 1e9)
        flow.on_trade(rows[0], now_ns, 1, 100.0, 1.0, LOT_QTY, HALFLIFE_S)
        readings.append(rows["buy_per_s"][0] - math.log(2) / HALFLIFE_S)  # as just before the arrival
    assert np.mean(readings[100:]) == pytest.approx(4.0, rel=0.1)


@given(st.lists(st.tuples(st.integers(0, 900), st.sampled_from([1, -1]), st.integers(1, 9)), max_size=40))
def test_windows_and_runs_match_the_obvious(trades: list[tuple[int, int, int]]) -> None:
    rows, now_ns, seen, run = fresh(), START, [], 0
    for wait_ms, side, qty in trades:
        now_ns += wait_ms * MS
        flow.on_trade(rows[0], now_ns, side, 100.0, float(qty), LOT_QTY, HALFLIFE_S)
        seen.append((now_ns, side, qty))
        run = run + side if run * side > 0 else side
        recent = [trade for trade in seen if trade[0] > now_ns - 2_000 * MS]
        total = sum(qty for _, _, qty in recent)
        assert flow.trades_in_window(rows[0]) == len(recent)
        assert flow.vwap_direction(rows[0]) == sum(side * qty for _, side, qty in recent) / total
        assert rows["run_length"][0] == run


def test_two_seconds_are_two_seconds() -> None:
    rows = fresh()
    flow.on_trade(rows[0], START + 50 * MS, 1, 100.0, 1.0, LOT_QTY, HALFLIFE_S)
    flow.advance(rows[0], START + 2_049 * MS, HALFLIFE_S)
    assert (flow.trades_in_window(rows[0]), flow.vwap_direction(rows[0])) == (1, 1.0)
    flow.advance(rows[0], START + 2_050 * MS, HALFLIFE_S)
    assert (flow.trades_in_window(rows[0]), flow.vwap_direction(rows[0])) == (0, 0.0)


def test_intensity_halves_in_its_halflife() -> None:
    rows = fresh()
    flow.on_trade(rows[0], START, 1, 100.0, 1.0, LOT_QTY, HALFLIFE_S)
    before = float(rows["buy_per_s"][0])
    flow.advance(rows[0], START + int(HALFLIFE_S * 1e9), HALFLIFE_S)
    assert rows["buy_per_s"][0] == pytest.approx(before / 2)
