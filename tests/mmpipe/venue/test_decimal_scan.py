"""Decimal strings in compiled code: worked numbers, the strict text reader as oracle, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue import decimal_text
from mmpipe.venue.decimal_scan import BAD, as_float, as_ticks, decimal, nearest_tick, signed_decimal
from mmpipe.venue.json_tape import MALFORMED, new_tape, padded, read_tape
from ringbuf.atomics import address_of

TAPE = new_tape()


def scan(text: str) -> tuple[int, int]:
    body = padded(b'["' + text.encode() + b'"]')
    if read_tape(body, TAPE) == MALFORMED:
        return BAD, 0  # other scripts' digits are no text of a market
    return decimal(address_of(body), TAPE[1])


def signed(text: str) -> float:
    body = padded(b'["' + text.encode() + b'"]')
    assert read_tape(body, TAPE) == 2
    digits, places, sign = signed_decimal(address_of(body), TAPE[1])
    return sign * as_float(digits, places) if digits >= 0 else float("nan")


@pytest.mark.parametrize(("text", "digits", "places"), [
    ("83757.0", 83757, 0), ("0.00016", 16, 5), ("10.25923", 1_025_923, 5), ("0", 0, 0), ("0.000", 0, 0),
    ("61737.63000000", 6_173_763, 2), ("999999999999.99999900", 999_999_999_999_999_999, 6), ("100", 100, 0),
    ("1.000000000000000000", 1, 0),
])  # fmt: skip
def test_worked_numbers(text: str, digits: int, places: int) -> None:
    assert scan(text) == (digits, places)
    assert as_float(digits, places) == float(text)


NOT_PLAIN = [
    "nan", "inf", "1_000", "١٢٣", " 1.5", "1.5 ", "1e400", "-5", "+5", "", ".", ".5", "5.", "1.2.3", "9" * 13,
    "0." + "0" * 18 + "1", "1." + "0" * 19, "0x1", "999999999999.9999999",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_what_is_no_plain_decimal_number_is_refused(text: str) -> None:
    assert scan(text)[0] == BAD


def test_no_token_and_no_string_are_refused() -> None:
    body = padded(b"[1.5]")
    read_tape(body, TAPE)
    for token in (TAPE[0], TAPE[1]):
        assert decimal(address_of(body), token)[0] == signed_decimal(address_of(body), token)[0] == BAD


numbers = st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,8})?", fullmatch=True)


@given(numbers)
def test_it_reads_what_the_text_reader_reads(text: str) -> None:
    digits, places = scan(text)
    significant = len(text.replace(".", "").strip("0"))
    if significant > 18:
        assert digits == BAD
        return
    expected = decimal_text.non_negative(text)
    if significant <= 15:
        assert as_float(digits, places) == expected
    else:
        assert abs(as_float(digits, places) - expected) <= np.spacing(expected)


@given(numbers, st.integers(0, 8))
def test_ticks_are_exact_and_the_nearest_rounds_half_up(text: str, decimals: int) -> None:
    digits, places = scan(text)
    if digits == BAD:
        return
    try:
        assert as_ticks(digits, places, decimals) == decimal_text.scaled(text, decimals)
    except ValueError:
        assert as_ticks(digits, places, decimals) == BAD
    if decimal_text.nearest(text, decimals) < 1 << 60:
        assert nearest_tick(digits, places, decimals) == decimal_text.nearest(text, decimals)


@pytest.mark.parametrize(("text", "value"), [("-0.0000125", -0.0000125), ("0.5", 0.5), ("-0", 0.0)])
def test_signs(text: str, value: float) -> None:
    assert signed(text) == value


@pytest.mark.parametrize("text", ["--1", "-", "", "-nan", "+1"])
def test_a_sign_without_a_number_is_refused(text: str) -> None:
    assert np.isnan(signed(text))
