from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import Toxicity
from mmpipe.models import toxicity

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.toxicity)
MS = 1_000_000
START = 1_000_000 * MS


def feed(rows: np.ndarray, trades: list[tuple[int, int, float, float]]) -> list[int]:
    # (side, run, ln(size ratio), imbalance) every 50 ms
    verdicts = []
    for step, (side, run, size, imbalance) in enumerate(trades):
        llr = toxicity.trade_llr(side, run, size, imbalance, SETTINGS)
        toxicity.on_trade(rows[0], START + step * 50 * MS, side, llr, SETTINGS)
        verdicts.append(int(rows["verdict"][0]))
    return verdicts


def test_a_run_of_large_sells_into_a_leaning_book_is_toxic_within_three_trades() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    feed(rows, [(1, 1, 0.0, 0.0), (-1, -1, -0.3, 0.1), (1, 1, 0.2, 0.0)])
    verdicts = feed(rows, [(-1, -1, 1.8, -0.6), (-1, -2, 1.8, -0.8), (-1, -3, 1.8, -0.9)])
    assert verdicts[-1] == Toxicity.TOXIC
    assert rows["sell_prob"][0] > 0.8 > rows["buy_prob"][0]


def test_alternating_small_flow_stays_benign() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    verdicts = feed(rows, [(1 - 2 * (step % 2), 1 - 2 * (step % 2), 0.0, 0.0) for step in range(500)])
    assert max(verdicts) == Toxicity.BENIGN


def test_a_toxic_verdict_dwells_and_then_leaves_with_time() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    feed(rows, [(-1, -step, 3.0, -1.0) for step in range(1, 6)])
    assert rows["verdict"][0] == Toxicity.TOXIC
    since_ns = int(rows["toxic_since_ts_ns"][0])
    toxicity.advance(rows[0], since_ns + (CONFIG.toxicity.dwell_ms - 1) * MS, SETTINGS)
    assert rows["verdict"][0] == Toxicity.TOXIC
    toxicity.advance(rows[0], since_ns + 60_000 * MS, SETTINGS)
    assert rows["verdict"][0] == Toxicity.BENIGN


@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1]), st.integers(-20, 20), st.floats(-5, 5), st.floats(-1, 1)),
        max_size=50,
    )
)
def test_beliefs_are_probabilities(trades: list[tuple[int, int, float, float]]) -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    feed(rows, trades)
    buy, sell = float(rows["buy_prob"][0]), float(rows["sell_prob"][0])
    assert 0.0 <= buy <= 1.0
    assert 0.0 <= sell <= 1.0
    assert buy + sell <= 1.0 + 1e-12


@given(st.integers(-5, 5), st.floats(-3, 3), st.floats(-1, 1))
def test_evidence_mirrors(run: int, size: float, imbalance: float) -> None:
    assert toxicity.trade_llr(1, run, size, imbalance, SETTINGS) == toxicity.trade_llr(
        -1, -run, size, -imbalance, SETTINGS
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_evidence_that_is_no_number_is_none(bad: float) -> None:
    assert abs(toxicity.trade_llr(1, 1, bad, 0.0, SETTINGS)) <= toxicity.LLR_MAX  # finite, whatever comes
    assert toxicity.trade_llr(1, 1, 0.0, bad, SETTINGS) == 0.0
