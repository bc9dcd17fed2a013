"""What an aggressor looks like: hand-made numbers, a slow oracle, his mirror image, the state before him."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.models import trade_features
from mmpipe.models.trade_features import AGGRESSORS, TOXICITY_INPUTS
from tests.oracles.trade_features import History, Touch

MS = 1_000_000
START = 1_000_000 * MS
LOG_SIZE, IMBALANCE, SWEPT = (TOXICITY_INPUTS.index(name) for name in ("log_size", "imbalance", "swept"))


class Line:
    """The kernels on one record."""

    def __init__(self) -> None:
        self.rows = np.zeros(1, AGGRESSORS)

    def touch(self, at_ms: int, stamp_ms: int, bid: float, ask: float, *qtys: float) -> None:
        bid_qty, ask_qty, bids, asks = qtys or (1.0, 1.0, 10.0, 10.0)
        trade_features.on_touch(
            self.rows[0], START + at_ms * MS, stamp_ms * MS, bid, ask, bid_qty, ask_qty, bids, asks
        )

    def trade(
        self, at_ms: int, stamp_ms: int, side: int, px: float, qty: float, lead: float = 0.0
    ) -> list[float]:
        trade_features.begin(self.rows[0], START + at_ms * MS, stamp_ms * MS, side)
        trade_features.on_trade(self.rows[0], side, px, qty, lead)
        return [float(value) for value in self.rows["inputs"][0]]


def test_worked_numbers() -> None:
    line = Line()
    line.touch(0, 1_000, 100.0, 100.1)
    for step in range(1, 5):  # sizes 1 and e², a second apart: usual is e, one e-fold up or down
        line.trade(1_000 * step, 1_000 + 1_000 * step, -1, 100.0, math.exp(2.0 * (step % 2)))
    line.trade(5_000, 6_000, 1, 100.1, 1.0)
    line.trade(6_000, 7_000, 1, 100.1, math.exp(2.0))
    line.touch(6_500, 7_500, 100.0, 100.1, 1.0, 1.0, 30.0, 10.0 * math.exp(-0.6))
    size = math.exp(4.0)
    values = line.trade(6_000 + round(1_000 * math.exp(0.3)), 0, 1, 100.2, size, 3.0)
    inputs = dict(zip(TOXICITY_INPUTS, values, strict=True))
    assert inputs["log_size"] == pytest.approx(3.0)
    assert inputs["log_gap"] == pytest.approx(1.0, abs=2e-3)  # 0.3 e-folds, and no variance but the least
    asks_qty = 10.0 * math.exp(-0.6)
    assert inputs["imbalance"] == pytest.approx((30.0 - asks_qty) / (30.0 + asks_qty))
    assert inputs["spread_change"] == pytest.approx(0.0, abs=1e-9)
    assert inputs["depth_change"] == pytest.approx(-2.0)
    assert inputs["run_length"] == 2.0
    assert inputs["swept"] == pytest.approx(math.log1p(0.1 / 100.1 * 1e4))
    assert inputs["divergence"] == 3.0


def test_rows_of_one_block_and_side_are_one_aggressor_whose_numbers_grow() -> None:
    line = Line()
    line.touch(0, 1_000, 100.0, 100.1)
    line.trade(10, 1_010, -1, 100.0, 1.0)
    for step in range(6):
        line.trade(12 + step, 1_012 + step, -1, 100.0, 1.0)
    first = line.trade(20, 1_020, 1, 100.1, 1.0)
    second = line.trade(20, 1_020, 1, 100.3, 3.0)
    assert line.rows["fresh"][0] == 0
    assert line.rows["run_length"][0] == 1
    assert second[LOG_SIZE] == pytest.approx(first[LOG_SIZE] + math.log(4.0) / trade_features.STD_MIN)
    assert second[SWEPT] > first[SWEPT] == 0.0
    assert trade_features.mean_px(line.rows[0]) == pytest.approx((100.1 + 3.0 * 100.3) / 4.0)
    line.trade(20, 1_020, -1, 100.0, 1.0)
    assert line.rows["fresh"][0] == 1
    line.trade(20, 0, -1, 100.0, 1.0)  # a venue without stamps: every row is somebody
    assert line.rows["fresh"][0] == 1


def test_the_score_uses_what_was_usual_before_him() -> None:
    line = Line()
    line.touch(0, 1_000, 100.0, 100.1)
    for step in range(50):
        line.trade(step, 1_001 + step, 1 - 2 * (step % 2), 100.0, 1.0)
    before = float(line.rows["means"][0, trade_features.SIZE])
    inputs = line.trade(60, 1_061, 1, 100.1, 3.0)
    assert line.rows["means"][0, trade_features.SIZE] == before == 0.0
    assert inputs[LOG_SIZE] == pytest.approx(math.log(3.0) / trade_features.STD_MIN)
    line.trade(70, 1_071, 1, 100.1, 1.0)
    assert line.rows["means"][0, trade_features.SIZE] > before


@pytest.mark.parametrize("book_first", [True, False])
def test_the_book_he_met_is_not_the_one_he_left(book_first: bool) -> None:
    line = Line()
    line.touch(0, 1_000, 100.0, 100.1, 1.0, 1.0, 10.0, 10.0)
    line.trade(10, 1_010, -1, 100.0, 1.0)
    if book_first:  # his own block's message overtakes his trade
        line.touch(20, 1_020, 100.0, 100.4, 1.0, 1.0, 10.0, 2.0)
    inputs = line.trade(21, 1_020, 1, 100.4, 5.0)
    assert inputs[IMBALANCE] == 0.0
    assert inputs[SWEPT] == pytest.approx(math.log1p(0.3 / 100.1 * 1e4))


def test_a_void_book_says_nothing() -> None:
    line = Line()
    line.touch(0, 1_000, 100.0, 100.1)
    line.trade(10, 1_010, 1, 100.1, 1.0)
    line.touch(20, 1_020, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    inputs = dict(zip(TOXICITY_INPUTS, line.trade(30, 1_030, 1, 100.1, 1.0), strict=True))
    book = ("imbalance", "flow_fast", "flow_slow", "spread_change", "depth_change", "swept")
    assert {inputs[name] for name in book} == {0.0}
    assert trade_features.half_spread_px(line.rows[0]) == 0.0


touches = st.tuples(
    st.just("touch"),
    st.integers(0, 400),
    st.sampled_from([0, 0, 20, 40]),
    st.integers(990, 1_000),
    st.integers(1, 8),
    st.tuples(*[st.integers(1, 50)] * 4),
    st.booleans(),
)
trades = st.tuples(
    st.just("trade"),
    st.integers(0, 400),
    st.sampled_from([0, 0, 20, 40]),
    st.sampled_from([1, -1]),
    st.integers(985, 1_010),
    st.integers(1, 500),
    st.integers(-20, 20),
)


def play(steps: list[tuple], mirrored: bool = False) -> list[list[float]]:
    line, history, found = Line(), History(), []
    at_ms, stamp_ms = 0, 1_000
    for step in [("touch", 0, 20, 995, 5, (4, 4, 9, 9), False), *steps]:
        kind, wait_ms, later_ms = step[:3]
        at_ms, stamp_ms = at_ms + wait_ms, stamp_ms + later_ms
        if kind == "touch":
            _, _, _, bid, width, qtys, void = step
            prices = (0.0, 0.0) if void else (bid / 10.0, (bid + width) / 10.0)
            numbers = (0.0,) * 4 if void else tuple(float(qty) for qty in qtys)
            if mirrored and not void:
                prices = (200.0 - prices[1], 200.0 - prices[0])
                numbers = (numbers[1], numbers[0], numbers[3], numbers[2])
            line.touch(at_ms, stamp_ms, *prices, *numbers)
            history.touches.append(Touch(START + at_ms * MS, stamp_ms * MS, *prices, *numbers))
            continue
        _, _, _, side, tick, qty, lead = step
        px = tick / 10.0
        if mirrored:
            side, px, lead = -side, 200.0 - px, -lead
        ours = line.trade(at_ms, stamp_ms, side, px, float(qty), float(lead))
        history.trade(START + at_ms * MS, stamp_ms * MS, side, px, float(qty), float(lead))
        assert ours == pytest.approx(history.inputs(), abs=1e-9)
        found.append(ours)
    return found


@given(st.lists(st.one_of(touches, trades, trades), max_size=40))
@settings(max_examples=150, deadline=None)
def test_as_the_oracle_says_and_finite(steps: list[tuple]) -> None:
    assert np.isfinite(np.array(play(steps))).all()


@given(st.lists(st.one_of(touches, trades, trades), max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_mirrored_market_looks_the_same_to_its_aggressors(steps: list[tuple]) -> None:
    # Prices mirror around 100, where a bp of one side is almost a bp of the other.
    ours, mirror = np.array(play(steps)), np.array(play(steps, mirrored=True))
    assert ours == pytest.approx(mirror, abs=0.05)
