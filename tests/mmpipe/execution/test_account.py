"""Money in integers: the identity of equity, the sign of each part, and what starts at zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.execution.account import (
    ACCOUNT,
    FRESH,
    FRESH_FILLS,
    adopt,
    book_fill,
    equity,
    mark,
    parts,
    pay_funding,
)

S = 1_000_000_000
HORIZON = S


class Books:
    def __init__(self) -> None:
        self.row, self.fresh = np.zeros(1, ACCOUNT), np.zeros(FRESH_FILLS, FRESH)

    @property
    def account(self) -> np.void:
        return self.row[0]

    def mark(self, half_tick: int, now_ns: int = 0) -> None:
        mark(self.account, self.fresh, half_tick, now_ns, HORIZON)

    def fill(self, side: int, tick: int, lots: int, fee: int = 0, decided: int = 0, now_ns: int = 0) -> None:
        book_fill(self.account, self.fresh, side, tick, lots, fee, decided, now_ns)


def test_a_bid_at_the_touch_earns_half_the_spread_and_loses_what_the_mid_moved() -> None:
    # 1 tick x 1 lot is 100 cash units. Decided at mid 1001, filled at 1000 while the mid stood at 999.
    books = Books()
    books.mark(2 * 999)
    books.fill(1, 1000, 5, fee=7, decided=2 * 1001)
    account = books.account
    assert account["spread_cash"] == 500
    assert account["adverse_cash"] == -1000
    assert account["fees_cash"] == -7
    assert equity(account) == 500 - 1000 - 7


def test_the_mark_is_adverse_for_one_horizon_and_inventory_after_it() -> None:
    books = Books()
    books.mark(2000)
    books.fill(1, 1000, 3)
    books.mark(1998, HORIZON // 2)
    assert (books.account["adverse_cash"], books.account["inventory_cash"]) == (-300, 0)
    books.mark(1996, 2 * HORIZON)
    assert (books.account["adverse_cash"], books.account["inventory_cash"]) == (-300, -300)


def test_what_is_taken_over_earns_from_then_on_only() -> None:
    books = Books()
    adopt(books.account, 50, 0)
    books.mark(2000)
    assert equity(books.account) == 0
    books.mark(2002)
    assert equity(books.account) == 50 * 100
    adopt(books.account, -20, 0)
    assert equity(books.account) == 50 * 100


@pytest.mark.parametrize(("rate", "sign"), [(0.0008, -1), (-0.0008, 1), (float("nan"), 0)])
def test_a_long_pays_a_positive_rate_once_per_settlement(rate: float, sign: int) -> None:
    books = Books()
    books.mark(2000)
    books.fill(1, 1000, 1000)
    hour = 3600 * S
    for next_ts in (hour, hour, 2 * hour, 2 * hour):
        pay_funding(books.account, rate, next_ts)
    assert books.account["funding_cash"] == sign * round(1000 * 1000 * 100 * 0.0001)
    assert equity(books.account) == parts(books.account)


def test_the_entry_is_the_average_of_what_is_held() -> None:
    books = Books()
    books.fill(1, 1000, 10, now_ns=5)
    books.fill(1, 1010, 30, now_ns=6)
    assert books.account["entry_tick"] == 1007.5
    books.fill(-1, 1100, 39, now_ns=7)
    assert (books.account["entry_tick"], books.account["entry_ts_ns"]) == (1007.5, 5)
    books.fill(-1, 1100, 2, now_ns=8)
    assert (books.account["entry_tick"], books.account["entry_ts_ns"]) == (1100.0, 8)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("mark"), st.integers(1800, 2200), st.integers(0, 2 * HORIZON), st.just(0)),
        st.tuples(st.just("fill"), st.integers(900, 1100), st.integers(1, 500), st.integers(-9, 9)),
        st.tuples(st.just("adopt"), st.integers(-500, 500), st.just(0), st.just(0)),
    ),
    max_size=400,
)


@given(MOVES, st.integers(0, 2200))
def test_equity_is_cash_and_position_and_the_sum_of_the_parts(
    moves: list[tuple[str, int, int, int]], decided: int
) -> None:
    books, now_ns, cash, position, half_tick = Books(), 0, 0, 0, 0
    for number, (kind, first, second, third) in enumerate(moves):
        if kind == "mark":
            now_ns += second
            books.mark(first, now_ns)
            if half_tick == 0:
                cash -= position * first * 50
            half_tick = first
        elif kind == "fill":
            side = 1 if number % 2 else -1
            books.fill(side, first, second, third, decided, now_ns)
            cash -= side * first * second * 100 + third
            if half_tick == 0:
                half_tick = 2 * first
                # Lots taken over before any price start at this one too: see the assertion below.
                cash -= position * half_tick * 50
            position += side * second
        else:
            adopt(books.account, first, now_ns)
            cash -= first * half_tick * 50
            position += first
        assert books.account["position_lots"] == position
        assert equity(books.account) == parts(books.account) == cash + position * half_tick * 50
