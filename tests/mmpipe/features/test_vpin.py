"""VPIN: worked buckets, a slow oracle trade by trade, bounds, adaption to the market's volume."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.features import vpin

FEATURES = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml").features
SETTINGS = settings_row(FEATURES)
START = 10**15
S = 10**9


def fresh() -> np.ndarray:
    return np.zeros(1, vpin.VPIN)


def test_buckets_by_hand() -> None:
    # All in one moment: a bucket is what was traded so far, 1, 1, 2, 4 and 8.
    rows = fresh()
    sides = [1, -1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, 1, -1, 1, 1]
    for side in sides:
        vpin.on_trade(rows[0], START, side, 1.0, SETTINGS)
    assert rows["filled"][0] == 5
    assert rows["one_sided_qty"][0, :5].tolist() == [1.0, 1.0, 2.0, 0.0, 4.0]
    assert rows["vpin"][0] == (1 + 1 + 2 + 0 + 4) / 16


def test_one_sided_flow_is_one_and_even_flow_is_none() -> None:
    rows, other = fresh(), fresh()
    for number in range(4_000):
        vpin.on_trade(rows[0], START + number * S // 4, 1, 1.0, SETTINGS)
        vpin.on_trade(other[0], START + number * S // 4, 1 - 2 * (number % 2), 0.01, SETTINGS)
    assert rows["vpin"][0] == pytest.approx(1.0, abs=1e-12)
    assert 0.0 <= other["vpin"][0] < 0.1


class Slow:
    """Every bucket as a list of pieces, everything summed anew."""

    def __init__(self) -> None:
        self.filled: list[list[tuple[int, float]]] = []
        self.open: list[tuple[int, float]] = []
        self.trades: list[tuple[float, float]] = []
        self.bucket_qty = 0.0

    def next_bucket_qty(self, now_s: float) -> float:
        decay = math.log(2) / FEATURES.vpin_volume_halflife_s
        recent = sum(qty * math.exp(-decay * (now_s - at_s)) for at_s, qty in self.trades)
        seen_s = (1.0 - math.exp(-decay * (now_s - self.trades[0][0]))) / decay
        return recent * min(FEATURES.vpin_bucket_s / max(seen_s, FEATURES.vpin_bucket_s), 1.0)

    def on_trade(self, now_s: float, side: int, qty: float) -> None:
        self.trades.append((now_s, qty))
        self.bucket_qty = self.bucket_qty or self.next_bucket_qty(now_s)
        left, closed = qty, 0
        while left > 1e-12 and closed < vpin.BUCKETS:
            piece = min(left, self.bucket_qty - sum(piece for _, piece in self.open))
            self.open.append((side, piece))
            left -= piece
            if sum(piece for _, piece in self.open) >= self.bucket_qty - 1e-9:
                self.filled.append(self.open)
                self.open, self.bucket_qty, closed = [], self.next_bucket_qty(now_s), closed + 1

    def vpin(self) -> float:
        last = self.filled[-vpin.BUCKETS :]
        if len(self.filled) < vpin.BUCKETS_MIN:
            return 0.0
        one_sided = sum(abs(sum(side * piece for side, piece in bucket)) for bucket in last)
        return one_sided / sum(piece for bucket in last for _, piece in bucket)


@given(
    st.lists(
        st.tuples(st.integers(1, 9_000), st.sampled_from([1, -1]), st.floats(0.5, 50.0)),
        min_size=1,
        max_size=80,
    )
)
@settings(max_examples=80, deadline=None)
def test_it_is_the_definition_and_a_share(trades: list[tuple[int, int, float]]) -> None:
    rows, slow, now_ms = fresh(), Slow(), 0
    for pause_ms, side, qty in trades:
        now_ms += pause_ms
        vpin.on_trade(rows[0], START + now_ms * 10**6, side, qty, SETTINGS)
        slow.on_trade(now_ms / 1e3, side, qty)
        assert rows["filled"][0] == len(slow.filled)
        assert rows["vpin"][0] == pytest.approx(slow.vpin(), abs=1e-9)
        assert 0.0 <= rows["vpin"][0] <= 1.0


@pytest.mark.parametrize("per_s", [1.0, 10.0])
def test_a_bucket_is_the_average_volume_of_its_seconds(per_s: float) -> None:
    rows = fresh()
    for number in range(int(1_800 * per_s)):
        vpin.on_trade(rows[0], START + int(number / per_s * S), 1 - 2 * (number % 2), 2.0, SETTINGS)
    assert rows["bucket_qty"][0] == pytest.approx(2.0 * per_s * FEATURES.vpin_bucket_s, rel=0.05)


def test_a_trade_larger_than_all_buckets_ends() -> None:
    rows = fresh()
    for number in range(100):
        vpin.on_trade(rows[0], START + number * S, 1, 1.0, SETTINGS)
    before = int(rows["filled"][0])
    vpin.on_trade(rows[0], START + 101 * S, -1, 1e300, SETTINGS)
    assert 1 <= rows["filled"][0] - before <= vpin.BUCKETS
    assert 0.0 <= rows["vpin"][0] <= 1.0
