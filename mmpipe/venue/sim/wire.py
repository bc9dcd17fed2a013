"""Numbers and actions as they travel: exact decimal texts, and typed `/exchange` requests.

Sizes, prices and money are texts on the wire and integers inside; nothing here goes through a float.
"""

import re
from typing import Any, Final, Literal

import msgspec

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
CLOID: Final = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.ASCII)


class Limit(msgspec.Struct):
    """A limit order's time in force."""

    tif: Literal["Alo", "Gtc", "Ioc"]


class OrderType(msgspec.Struct):
    """Trigger orders are not offered here: only `limit` is accepted."""

    limit: Limit


class OrderWire(msgspec.Struct):
    """One order of an order action."""

    a: int
    b: bool
    p: str
    s: str
    r: bool
    t: OrderType
    c: str | None = None


class OrderAction(msgspec.Struct, tag_field="type", tag="order"):
    """Place orders."""

    orders: list[OrderWire]
    grouping: Literal["na"]
    builder: Any = None


class CancelWire(msgspec.Struct):
    """One order to cancel, by the venue's id."""

    a: int
    o: int


class CancelAction(msgspec.Struct, tag_field="type", tag="cancel"):
    """Cancel by order id."""

    cancels: list[CancelWire]
    f: bool = False


class CloidWire(msgspec.Struct):
    """One order to cancel, by the client's id."""

    asset: int
    cloid: str


class CancelByCloidAction(msgspec.Struct, tag_field="type", tag="cancelByCloid"):
    """Cancel by client order id."""

    cancels: list[CloidWire]
    f: bool = False


Action = OrderAction | CancelAction | CancelByCloidAction


class Envelope(msgspec.Struct):
    """Body of `/exchange` and payload of a posted action."""

    action: dict[str, Any]
    nonce: int
    signature: dict[str, Any]
    vaultAddress: str | None = None
    expiresAfter: int | None = None


def action_of(raw: dict[str, Any]) -> Action:
    """Typed action; `msgspec.ValidationError` if it is none this exchange knows."""
    return msgspec.convert(raw, Action)


def is_post_only(action: Action) -> bool:
    """Whether the action consists of post-only orders and so goes before cancels."""
    return isinstance(action, OrderAction) and all(order.t.limit.tif == "Alo" for order in action.orders)


def count_of(text: str, units_in_one: int) -> int | None:
    """A decimal text as a number of units, exactly.

    Parameters
    ----------
    text : str
        Digits with at most one point; nothing else.
    units_in_one : int
        A power of ten, or 0.1 expressed by none: texts finer than the unit give -1.

    Returns
    -------
    int or None
        None when the text is not a number, -1 when it is finer than the unit.
    """
    if _NUMBER.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    digits = len(str(units_in_one)) - 1
    if fraction[digits:].strip("0"):
        return -1
    return int(whole) * units_in_one + int(fraction[:digits].ljust(digits, "0") or "0")


def text_of(count: int, units_in_one: int) -> str:
    """A number of units as the venue writes it: no trailing zeros, but at least one decimal.

    Parameters
    ----------
    count : int
        Units, any sign.
    units_in_one : int
        A power of ten.
    """
    sign = "-" if count < 0 else ""
    whole, fraction = divmod(abs(count), units_in_one)
    digits = len(str(units_in_one)) - 1
    decimals = str(fraction).rjust(digits, "0").rstrip("0") if digits else ""
    return f"{sign}{whole}.{decimals or '0'}"
