from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import units


@pytest.mark.parametrize(
    ("price", "size_decimals", "step_px"),
    [
        (84143, 5, "1"),
        (105055, 5, "1"),
        ("2639.4", 4, "0.1"),
        ("40.123", 2, "0.001"),
        ("0.12345", 0, "0.00001"),
    ],
)
def test_step_between_prices_of_five_significant_figures(
    price: object, size_decimals: int, step_px: str
) -> None:
    tick = int(Decimal(str(price)) * 10 ** (6 - size_decimals))
    in_unit = units.ticks_per_unit(size_decimals)
    assert units.tick_step(tick, in_unit) == int(Decimal(step_px) * in_unit)


@given(st.integers(1, 10**9), st.integers(0, 5))
def test_step_is_never_finer_than_five_figures_nor_coarser_than_a_unit(tick: int, size_decimals: int) -> None:
    in_unit = units.ticks_per_unit(size_decimals)
    step = units.tick_step(tick, in_unit)
    figures = len(str(tick // step))
    assert 1 <= step <= in_unit
    assert step == in_unit or figures <= 5
    assert step == 1 or len(str(tick // (step // 10))) > 5


@given(st.integers(1, 10**8), st.integers(1, 10**6), st.integers(0, 5))
def test_notional_in_cash_units_is_exact(tick: int, lots: int, size_decimals: int) -> None:
    exact = Decimal(tick) / 10 ** (6 - size_decimals) * Decimal(lots) / 10**size_decimals
    assert units.cash_of_notional(tick, lots) == exact * units.CASH_PER_USDC
