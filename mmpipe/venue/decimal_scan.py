"""Decimal strings of the venues read in compiled code, by the rules of `decimal_text`.

A number is ASCII digits with at most one point: no sign, exponent, space, underscore, `nan` or other
scripts' digits. It is read as a whole number of 10^-places, so that ticks come out exact; as a double it is
correctly rounded up to 15 significant digits and within one unit in the last place beyond.
"""

from typing import Final

import numpy as np

from mmpipe.venue.json_tape import STRING
from ringbuf.byte_words import (
    WORD_BYTES,
    are_digits,
    byte_at,
    first_marked,
    marks_of,
    number_of,
    right_aligned_digits,
    shift_left,
    trailing_zero_digits,
    word_at,
)
from ringbuf.jit import kernel

BAD: Final = -1
DIGITS_MAX: Final = 18  # significant ones; what more a venue sends is no number of ours
WHOLE_DIGITS_MAX: Final = 12
PLACES_MAX: Final = 18
TICK_MAX: Final = 1 << 61
POWERS: Final = np.array([10**power for power in range(19)], dtype=np.int64)
LIMITS: Final = TICK_MAX // POWERS
FLOAT_POWERS: Final = np.array([10.0**power for power in range(19)])  # exact

_POINT: Final = 46
_MINUS: Final = 45
_ZERO: Final = 48


@kernel
def decimal(text: int, token: np.void) -> tuple[int, int]:
    """Read a string token of the text at an address as a decimal number.

    Returns
    -------
    digits : int
        The number times 10^places, >= 0; BAD when it is none, or the token no string.
    places : int
        Digits after the point, trailing zeros not counted.
    """
    if token["kind"] != STRING:
        return BAD, 0
    return _decimal(text, int(token["start"]), int(token["stop"]))


@kernel
def signed_decimal(text: int, token: np.void) -> tuple[int, int, int]:
    """As `decimal` with a sign behind: -1 where the string begins with a minus, else +1."""
    if token["kind"] != STRING:
        return BAD, 0, 1
    start, stop = int(token["start"]), int(token["stop"])
    negative = start < stop and byte_at(text, start) == _MINUS
    digits, places = _decimal(text, start + 1 if negative else start, stop)
    return digits, places, -1 if negative else 1


@kernel
def as_float(digits: int, places: int) -> float:
    """The number as a double; 0.0 of BAD digits."""
    return digits / FLOAT_POWERS[places] if digits > 0 else 0.0


@kernel
def as_ticks(digits: int, places: int, decimals: int) -> int:
    """The number in units of 10^-decimals, exact; BAD when it is finer or too large for a record."""
    if digits < 0 or places > decimals or digits > LIMITS[decimals - places]:
        return BAD
    return digits * POWERS[decimals - places]


@kernel
def nearest_tick(digits: int, places: int, decimals: int) -> int:
    """The number in units of 10^-decimals, rounded half up: another venue's price on our grid; or BAD."""
    if places <= decimals:
        return as_ticks(digits, places, decimals)
    if digits < 0:
        return BAD
    unit = POWERS[places - decimals]
    return (digits + unit // 2) // unit


@kernel
def _decimal(text: int, start: int, stop: int) -> tuple[int, int]:
    # Up to eight digits before the point and eight behind it, as nearly all are; others by `_long_decimal`.
    size, head = stop - start, word_at(text, start)
    whole = min(first_marked(marks_of(head, _POINT)), size)
    count = size - whole - 1
    if not 0 < whole <= size or whole == WORD_BYTES < size or count > WORD_BYTES or count == 0:
        return _long_decimal(text, start, stop)
    digits = right_aligned_digits(head, whole)
    if count < 0:
        return (number_of(digits), 0) if are_digits(digits) else (BAD, 0)
    fraction = right_aligned_digits(word_at(text, start + whole + 1), count)
    if not (are_digits(digits) and are_digits(fraction)):
        return BAD, 0
    zeros = trailing_zero_digits(fraction)
    places = max(count - zeros, 0)
    kept = shift_left(fraction, 8 * min(zeros, WORD_BYTES - 1))
    return number_of(digits) * POWERS[places] + number_of(kept), places


@kernel
def _long_decimal(text: int, start: int, stop: int) -> tuple[int, int]:
    if stop - start > WHOLE_DIGITS_MAX + PLACES_MAX + 1:
        return BAD, 0
    end = stop
    while end - start > DIGITS_MAX + 1 and byte_at(text, end - 1) == _ZERO:
        end -= 1  # zeros behind the point say nothing
    digits, point = _digits(text, start, end)
    whole = (stop if point == BAD else point) - start
    if digits < 0 or not 0 < whole <= WHOLE_DIGITS_MAX:
        return BAD, 0
    if point == BAD:
        return digits, 0
    if not 0 < stop - point - 1 <= PLACES_MAX:
        return BAD, 0
    places = end - point - 1
    while places > 0 and digits % 10 == 0:
        digits //= 10
        places -= 1
    return digits, places


@kernel
def _digits(text: int, start: int, end: int) -> tuple[int, int]:
    # The digits as one whole number, and where the point stands among them; BAD for each that is none.
    digits, point = 0, BAD
    if end - start > DIGITS_MAX + 1:
        return BAD, 0
    for at in range(start, end):
        digit = byte_at(text, at) - _ZERO
        if 0 <= digit <= 9:
            digits = digits * 10 + digit
        elif digit == _POINT - _ZERO and point == BAD:
            point = at
        else:
            return BAD, 0
    if point == BAD and end - start > DIGITS_MAX:
        return BAD, 0
    return digits, point
