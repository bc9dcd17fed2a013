"""The mode table, line by line; and what is not known is never a reason to quote."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import FeedState, Mode, Reason, Regime, Toxicity
from mmpipe.execution.state_machine import JUDGEMENT, LIMIT_LEAVE_SHARE, select_mode

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml").execution
SETTINGS = settings_row(CONFIG)
MAX = 8_000  # lots: shares of it are whole
INCREASING = {Mode.MAKER, Mode.TAKER_ENTRY}


def judge(previous: Mode = Mode.FLAT, **fields: Any) -> tuple[Mode, Reason, float]:
    row = np.zeros(1, JUDGEMENT)
    values = {
        "max_lots": MAX, "safe_lots": MAX, "unit_lots": 1_000, "mid_px": 100_000.0, "sound": 1,
        "maker_feed": int(FeedState.LIVE), "bid_value_bps": 0.5, "ask_value_bps": 0.5, "maker_ev_bps": 0.2,
        "taker_ev_bps": -5.0,
    }  # fmt: skip
    for name, value in {**values, **fields}.items():
        row[name] = value
    select_mode(row, int(previous), SETTINGS)
    return Mode(int(row["mode"][0])), Reason(int(row["reason"][0])), float(row["urgency"][0])


DUST = int(CONFIG.dust_share * MAX)
SMALL = int(CONFIG.flat_inventory_share * MAX)
GAP = int(CONFIG.taker_gap_share * MAX)
NO_EDGE = {"bid_value_bps": -0.1, "ask_value_bps": 0.0}

TABLE = [
    ({}, Mode.MAKER, Reason.EDGE_POSITIVE),
    (NO_EDGE, Mode.FLAT, Reason.FLAT_NO_EDGE),
    ({"bid_value_bps": -0.1}, Mode.MAKER, Reason.EDGE_POSITIVE),
    ({**NO_EDGE, "position_lots": SMALL}, Mode.MAKER, Reason.TARGET_GAP),
    ({**NO_EDGE, "position_lots": SMALL - 1}, Mode.FLAT, Reason.FLAT_NO_EDGE),
    ({**NO_EDGE, "target_lots": CONFIG.flat_target_share * MAX}, Mode.MAKER, Reason.TARGET_GAP),
    ({"position_lots": MAX + 1}, Mode.INVENTORY_REDUCE, Reason.INVENTORY_OVER_LIMIT),
    ({"position_lots": -MAX - 1}, Mode.INVENTORY_REDUCE, Reason.INVENTORY_OVER_LIMIT),
    ({"position_lots": MAX}, Mode.MAKER, Reason.EDGE_POSITIVE),
    ({"toxicity": Toxicity.TOXIC}, Mode.FLAT, Reason.TOXIC),
    ({"toxicity": Toxicity.TOXIC, "position_lots": DUST}, Mode.FLAT, Reason.TOXIC),
    ({"toxicity": Toxicity.TOXIC, "position_lots": -DUST - 1}, Mode.INVENTORY_REDUCE, Reason.TOXIC),
    ({"regime": Regime.CASCADE}, Mode.FLAT, Reason.REGIME_CASCADE),
    ({"target_lots": GAP + 1.0, "taker_ev_bps": 0.3}, Mode.TAKER_ENTRY, Reason.TARGET_GAP),
    ({"target_lots": float(GAP), "taker_ev_bps": 0.3}, Mode.MAKER, Reason.EDGE_POSITIVE),
    ({"target_lots": GAP + 1.0, "taker_ev_bps": 0.2}, Mode.MAKER, Reason.EDGE_POSITIVE),
    (
        {"target_lots": GAP + 1.0, "target_std_lots": 1.0, "taker_ev_bps": 0.3},
        Mode.MAKER,
        Reason.EDGE_POSITIVE,
    ),
    (
        {"target_lots": GAP + 2.0, "target_std_lots": 1.0, "taker_ev_bps": 0.3},
        Mode.TAKER_ENTRY,
        Reason.TARGET_GAP,
    ),
    (
        {"target_lots": GAP + 1.0, "maker_ev_bps": -2.0, "taker_ev_bps": -1.0},
        Mode.MAKER,
        Reason.EDGE_POSITIVE,
    ),
    ({"position_lots": 900, "patience_share": 1.0}, Mode.TAKER_EXIT, Reason.EXIT_PATIENCE),
    ({"position_lots": 900, "stop_share": 1.0}, Mode.TAKER_EXIT, Reason.EXIT_STOP),
    ({"position_lots": DUST, "stop_share": 9.0}, Mode.MAKER, Reason.EDGE_POSITIVE),
    (
        {"position_lots": 900, "maker_feed": FeedState.STALE},
        Mode.TAKER_EXIT,
        Reason.MAKER_FEED_NOT_LIVE,
    ),
    ({"maker_feed": FeedState.STALE}, Mode.FLAT, Reason.MAKER_FEED_NOT_LIVE),
    (
        {"position_lots": 900, "maker_feed": FeedState.GAPPED},
        Mode.INVENTORY_REDUCE,
        Reason.MAKER_FEED_NOT_LIVE,
    ),
    ({"position_lots": 900, "sound": 0}, Mode.INVENTORY_REDUCE, Reason.NO_BOOK),
    ({"sound": 0}, Mode.FLAT, Reason.NO_BOOK),
]


@pytest.mark.parametrize(("fields", "mode", "reason"), TABLE)
def test_the_table(fields: dict[str, Any], mode: Mode, reason: Reason) -> None:
    assert judge(**fields)[:2] == (mode, reason)


@pytest.mark.parametrize("name", ["bid_value_bps", "ask_value_bps"])
def test_no_edge_is_no_number_either(name: str) -> None:
    other = "ask_value_bps" if name == "bid_value_bps" else "bid_value_bps"
    assert judge(**{name: math.nan, other: -1.0})[0] == Mode.FLAT


@pytest.mark.parametrize("name", ["taker_ev_bps", "maker_ev_bps"])
def test_an_expected_value_that_is_no_number_never_takes(name: str) -> None:
    fields = {"target_lots": GAP + 1.0, "taker_ev_bps": 3.0, name: math.nan}
    assert judge(**fields)[0] == Mode.MAKER


@pytest.mark.parametrize("name", ["patience_share", "stop_share"])
def test_an_exit_condition_that_is_no_number_holds(name: str) -> None:
    assert judge(position_lots=900, **{name: math.nan})[0] == Mode.TAKER_EXIT


def test_urgency_grows_to_that_of_the_requirement_and_stays() -> None:
    near = int(CONFIG.toxic_reduce_share * MAX)
    urgencies = [
        judge(toxicity=Toxicity.TOXIC, position_lots=lots)[2] for lots in (near // 2, near, 3 * near)
    ]
    assert urgencies == pytest.approx([0.4, 0.8, 0.8])


def test_an_exit_once_begun_is_finished_but_a_feed_that_is_back_forgives() -> None:
    kept = {"position_lots": 900, "reason": Reason.EXIT_STOP}
    assert judge(Mode.TAKER_EXIT, **kept)[0] == Mode.TAKER_EXIT
    assert judge(Mode.TAKER_EXIT, **{**kept, "position_lots": DUST})[0] == Mode.MAKER
    assert judge(Mode.TAKER_EXIT, **{**kept, "reason": Reason.MAKER_FEED_NOT_LIVE})[0] == Mode.MAKER


def test_leaving_the_limit_has_hysteresis() -> None:
    lots = int(LIMIT_LEAVE_SHARE * MAX) + 1
    over = {"position_lots": lots, "reason": Reason.INVENTORY_OVER_LIMIT}
    assert judge(Mode.INVENTORY_REDUCE, **over)[0] == Mode.INVENTORY_REDUCE
    assert judge(Mode.MAKER, **over)[0] == Mode.MAKER
    assert judge(Mode.INVENTORY_REDUCE, **{**over, "position_lots": lots - 2})[0] == Mode.MAKER


NUMBERS = st.one_of(st.floats(-20, 20), st.sampled_from([math.nan, math.inf, -math.inf]))


@given(
    st.sampled_from(list(Mode)), st.sampled_from(list(Reason)), st.integers(-2 * MAX, 2 * MAX),
    st.sampled_from(list(Toxicity)), st.sampled_from(list(Regime)), st.sampled_from(list(FeedState)),
    st.integers(0, 1), st.lists(NUMBERS, min_size=7, max_size=7),
)  # fmt: skip
def test_no_input_makes_it_increase_when_it_must_not(
    previous: Mode, before: Reason, lots: int, toxicity: Toxicity, regime: Regime, feed: FeedState,
    sound: int, numbers: list[float],
) -> None:  # fmt: skip
    names = ("bid_value_bps", "ask_value_bps", "maker_ev_bps", "taker_ev_bps", "patience_share", "stop_share",
             "target_lots")  # fmt: skip
    mode, reason, urgency = judge(
        previous, reason=before, position_lots=lots, toxicity=toxicity, regime=regime, maker_feed=feed,
        sound=sound, **dict(zip(names, numbers, strict=True)),
    )  # fmt: skip
    unsafe = not sound or feed != FeedState.LIVE or toxicity == Toxicity.TOXIC or regime == Regime.CASCADE
    if unsafe or abs(lots) > MAX:
        assert mode not in INCREASING
    if mode in (Mode.INVENTORY_REDUCE, Mode.TAKER_EXIT):
        assert abs(lots) > DUST
    elif mode == Mode.FLAT and unsafe:
        assert abs(lots) <= DUST
    assert 0.0 <= urgency <= 1.0
    assert reason != Reason.NONE
