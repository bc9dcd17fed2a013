"""Decimal strings of the venues, read strictly and without a float in between where money is counted.

A number is ASCII digits with at most one point. Signs, exponents, spaces, underscores, `nan`, `inf` and
other scripts' digits are refused with `ValueError`: Python's own `float()` and `int()` accept them all.
"""

import re
from typing import Final

_NUMBER: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,18}))?")
_INT64_MAX: Final = 2**63 - 1


def positive(text: str) -> float:
    """A price or size above zero.

    Raises
    ------
    ValueError
        If `text` is not a plain decimal number, or is zero.
    """
    value = non_negative(text)
    if not value > 0.0:
        raise ValueError(f"{text!r} is not above zero")
    return value


def non_negative(text: str) -> float:
    """A quantity that may be zero; otherwise as `positive`."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a plain decimal number")
    return float(text)


def signed(text: str) -> float:
    """A rate that may be negative; otherwise as `non_negative`."""
    return -non_negative(text[1:]) if text.startswith("-") else non_negative(text)


def scaled(text: str, decimals: int) -> int:
    """`text` in units of 10^-`decimals`, exact: ticks, lots or cash.

    Raises
    ------
    ValueError
        If `text` is not a plain decimal number or is finer than the unit.
    """
    units, rest = _split(text, decimals)
    if rest.strip("0"):
        raise ValueError(f"{text!r} is finer than 10^-{decimals}")
    return units


def scaled_signed(text: str, decimals: int) -> int:
    """A position, fee or other amount that may be negative; otherwise as `scaled`."""
    return -scaled(text[1:], decimals) if text.startswith("-") else scaled(text, decimals)


def nearest(text: str, decimals: int) -> int:
    """`text` in units of 10^-`decimals`, rounded half up: another venue's price on our grid."""
    units, rest = _split(text, decimals)
    return units + (rest[:1] >= "5")


def wire(units: int, decimals: int) -> str:
    """`units` of 10^-`decimals` as the shortest plain decimal string; the inverse of `scaled`.

    Raises
    ------
    ValueError
        If `units` is negative.
    """
    if units < 0:
        raise ValueError(f"{units} is negative: prices and sizes on the wire are not")
    whole, fraction = divmod(units, 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _split(text: str, decimals: int) -> tuple[int, str]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a plain decimal number")
    whole, fraction = match.group(1), match.group(2) or ""
    units = int(whole + fraction[:decimals].ljust(decimals, "0"))
    if not units < _INT64_MAX:
        raise ValueError(f"{text!r} in units of 10^-{decimals} does not fit a record")
    return units, fraction[decimals:]
