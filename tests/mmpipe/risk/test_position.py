import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.enums import AnswerKind
from mmpipe.records import ANSWER
from mmpipe.risk.position import SymbolAccount
from mmpipe.units import CASH_PER_TICK_LOT, CASH_PER_USDC

TICK_PX = 0.01


def fill(tid: int, side: int, lots: int, tick: int, fee_cash: int = 0) -> np.void:
    row = np.zeros(1, ANSWER)
    row["kind"], row["tid"], row["side"] = int(AnswerKind.FILL), tid, side
    row["qty_lots"], row["px_tick"], row["fee_cash"] = lots, tick, fee_cash
    return row[0]


def test_a_round_trip_by_hand() -> None:
    account = SymbolAccount()
    account.on_position(0)
    account.synced = True
    account.mark(1000.0)
    account.on_fill(fill(1, 1, 10, 100_000, 500))
    account.on_fill(fill(2, -1, 10, 100_100, 500))
    assert account.position_lots == 0
    assert account.equity_cash(TICK_PX) == 10 * 100 * CASH_PER_TICK_LOT - 1000


@given(
    st.lists(
        st.tuples(
            st.integers(1, 20), st.sampled_from([1, -1]), st.integers(1, 50), st.integers(90_000, 110_000)
        ),
        max_size=40,
    ),
    st.integers(90_000, 110_000),
)
def test_cash_and_position_are_the_sums_of_distinct_trades(
    trades: list[tuple[int, int, int, int]], mark_tick: int
) -> None:
    account = SymbolAccount()
    account.on_position(0)
    account.synced = True
    account.mark(1000.0)
    first: dict[int, tuple[int, int, int]] = {}
    for tid, side, lots, tick in trades:
        assert account.on_fill(fill(tid, side, lots, tick, 7)) == (tid not in first)
        first.setdefault(tid, (side, lots, tick))
    account.mark(mark_tick * TICK_PX)
    position = sum(side * lots for side, lots, _ in first.values())
    cash = -sum(side * lots * tick for side, lots, tick in first.values()) * CASH_PER_TICK_LOT - 7 * len(
        first
    )
    assert account.position_lots == position
    assert account.fills == len(first)
    assert account.equity_cash(TICK_PX) == cash + position * mark_tick * CASH_PER_TICK_LOT
    assert account.notional_cash(TICK_PX) == abs(position) * mark_tick * CASH_PER_TICK_LOT


def test_a_position_found_at_the_start_earns_from_its_first_mark() -> None:
    account = SymbolAccount()
    account.on_position(100)
    account.synced = True
    account.mark(1000.0)
    assert account.equity_cash(TICK_PX) == 0
    account.mark(1001.0)
    assert account.equity_cash(TICK_PX) == 100 * 100 * CASH_PER_TICK_LOT
    assert account.notional_cash(TICK_PX) / CASH_PER_USDC == pytest.approx(100 * 100_100 * 1e-6)


def test_the_venues_word_is_believed_when_it_is_said_twice() -> None:
    account = SymbolAccount()
    account.on_position(0)
    account.synced = True
    account.on_position(5)  # a fill we have not heard of yet
    assert account.position_lots == 0
    account.on_fill(fill(1, 1, 5, 100_000))
    account.on_position(5)
    assert account.position_lots == 5
    account.on_position(9)
    account.on_position(9)
    assert account.position_lots == 9


@pytest.mark.parametrize("mid_px", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_mid_that_is_none_is_ignored(mid_px: float) -> None:
    account = SymbolAccount()
    account.mark(1000.0)
    account.mark(mid_px)
    assert account.mid_px == 1000.0
