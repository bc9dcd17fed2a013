"""Numbers of the wire: exact, and nothing Python's own parsers would let through."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue import decimal_text

NOT_NUMBERS = [
    "", " ", "nan", "NaN", "inf", "-inf", "Infinity", "1_000", "١٢٣", " 1.5", "1.5 ", "1.5\n", "1e400", "1e3",
    "+1", "1.", ".5", "1.2.3", "0x10", "1,5", "１", "1" * 13, "0." + "1" * 19, "-1", "--1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_not_a_plain_number_is_refused_everywhere(text: str) -> None:
    for parse in (decimal_text.positive, decimal_text.non_negative):
        with pytest.raises(ValueError, match="not a plain decimal"):
            parse(text)
    for parse in (decimal_text.scaled, decimal_text.nearest):
        with pytest.raises(ValueError, match="not a plain decimal"):
            parse(text, 8)


@pytest.mark.parametrize("text", ["0", "0.0", "0.000"])
def test_zero_is_a_quantity_but_not_a_price(text: str) -> None:
    assert decimal_text.non_negative(text) == 0.0
    with pytest.raises(ValueError, match="not above zero"):
        decimal_text.positive(text)


def test_worked_values() -> None:
    assert decimal_text.scaled("83757.0", 1) == 837_570
    assert decimal_text.scaled("83757", 1) == 837_570
    assert decimal_text.scaled("10.25923", 5) == 1_025_923
    assert decimal_text.scaled_signed("-0.0213", 5) == -2_130
    assert decimal_text.scaled_signed("0.009997", 8) == 999_700
    assert decimal_text.signed("-0.0001348801") == -0.0001348801
    assert decimal_text.nearest("61837.64", 1) == 618_376
    assert decimal_text.nearest("61837.65", 1) == 618_377
    assert decimal_text.wire(837_570, 1) == "83757"
    assert decimal_text.wire(1_000, 5) == "0.01"
    assert decimal_text.wire(0, 3) == "0"
    assert decimal_text.wire(7, 0) == "7"


def test_finer_than_the_unit_is_refused_unless_only_zeros() -> None:
    assert decimal_text.scaled("1.500000", 1) == 15
    with pytest.raises(ValueError, match="finer"):
        decimal_text.scaled("1.55", 1)


def test_what_does_not_fit_a_record_and_negative_wire_values_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        decimal_text.scaled("999999999999", 8)
    with pytest.raises(ValueError, match="negative"):
        decimal_text.wire(-1, 2)


@given(st.integers(0, 10**12 - 1), st.integers(0, 6))
def test_wire_and_scaled_are_inverse_and_exact(units: int, decimals: int) -> None:
    text = decimal_text.wire(units, decimals)
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert decimal_text.scaled(text, decimals) == units
    assert "." not in text or not text.endswith(("0", "."))
