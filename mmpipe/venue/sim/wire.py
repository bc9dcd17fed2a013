"""Requests as they travel: exact decimal texts, and typed `/exchange` actions.

Sizes, prices and money are texts on the wire and integers inside; nothing here goes through a float.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
CLOID: Final = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.ASCII)

Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=42)]


class Limit(msgspec.Struct):
    """A limit order's time in force; the venue's own site sends FrontendMarket, which is immediate."""

    tif: Literal["Alo", "Gtc", "Ioc", "FrontendMarket"]


class Trigger(msgspec.Struct):
    """A take profit or stop loss: sleeps until the mark price reaches `triggerPx`."""

    isMarket: bool
    triggerPx: Text
    tpsl: Literal["tp", "sl"]


class OrderType(msgspec.Struct, forbid_unknown_fields=True):
    """Exactly one of the two."""

    limit: Limit | None = None
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("an order is either limit or trigger")


class OrderWire(msgspec.Struct):
    """One order of an order action: asset, is buy, price, size, reduce only, type, client id."""

    a: int
    b: bool
    p: Text
    s: Text
    r: bool
    t: OrderType
    c: Text | None = None

    @property
    def tif(self) -> str:
        """Time in force; a trigger order gets its own when it wakes."""
        return self.t.limit.tif if self.t.limit is not None else "Gtc"


class OrderAction(msgspec.Struct, tag_field="type", tag="order"):
    """Place orders."""

    orders: list[OrderWire]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | dict[str, int]
    builder: dict[str, Any] | None = None


class CancelWire(msgspec.Struct):
    """One order to cancel, by the venue's id."""

    a: int
    o: Whole


class CancelAction(msgspec.Struct, tag_field="type", tag="cancel"):
    """Cancel by order id."""

    cancels: list[CancelWire]
    f: bool = False


class CloidWire(msgspec.Struct):
    """One order to cancel, by the client's id."""

    asset: int
    cloid: Text


class CancelByCloidAction(msgspec.Struct, tag_field="type", tag="cancelByCloid"):
    """Cancel by client order id."""

    cancels: list[CloidWire]
    f: bool = False


class ModifyWire(msgspec.Struct):
    """The order to replace, by either id, and the new one."""

    oid: Whole | Text
    order: OrderWire


class ModifyAction(msgspec.Struct, tag_field="type", tag="modify"):
    """Replace one order; `a`: also by one that may trade at once."""

    oid: Whole | Text
    order: OrderWire
    a: bool = False


class BatchModifyAction(msgspec.Struct, tag_field="type", tag="batchModify"):
    """Replace orders."""

    modifies: list[ModifyWire]
    a: bool = False


class ScheduleCancelAction(msgspec.Struct, tag_field="type", tag="scheduleCancel"):
    """Cancel everything at a time in milliseconds; without a time: not any more."""

    time: Whole | None = None


class UpdateLeverageAction(msgspec.Struct, tag_field="type", tag="updateLeverage"):
    """Leverage and margin mode of one market."""

    asset: int
    isCross: bool
    leverage: Whole


class UpdateIsolatedMarginAction(msgspec.Struct, tag_field="type", tag="updateIsolatedMargin"):
    """Move `ntli` 1e-6 USDC into (or, negative, out of) an isolated position."""

    asset: int
    isBuy: bool
    ntli: Annotated[int, Meta(ge=-(10**15), le=10**15)]


class NoopAction(msgspec.Struct, tag_field="type", tag="noop"):
    """Uses a nonce up, so that an action in flight with the same one is void."""


class SetReferrerAction(msgspec.Struct, tag_field="type", tag="setReferrer"):
    """Accepted and remembered; referrals cost and pay nothing here."""

    code: Name


class ReserveWeightAction(msgspec.Struct, tag_field="type", tag="reserveRequestWeight"):
    """Buy requests for money."""

    weight: Annotated[int, Meta(ge=1, le=10**9)]


class ApproveAgentAction(msgspec.Struct, tag_field="type", tag="approveAgent"):
    """Let another key trade for this account; signed by the account itself."""

    signatureChainId: Text
    hyperliquidChain: Name
    agentAddress: Text
    nonce: Whole
    agentName: Name | None = None


class ApproveBuilderFeeAction(msgspec.Struct, tag_field="type", tag="approveBuilderFee"):
    """Accepted and remembered; builders earn nothing here."""

    signatureChainId: Text
    hyperliquidChain: Name
    maxFeeRate: Name
    builder: Text
    nonce: Whole


class UsdClassTransferAction(msgspec.Struct, tag_field="type", tag="usdClassTransfer"):
    """Move USDC between the perpetuals account and the spot account."""

    signatureChainId: Text
    hyperliquidChain: Name
    amount: Annotated[str, Meta(max_length=80)]
    toPerp: bool
    nonce: Whole


OrderActions = OrderAction | ModifyAction | BatchModifyAction
CancelActions = CancelAction | CancelByCloidAction
UserSignedAction = ApproveAgentAction | ApproveBuilderFeeAction | UsdClassTransferAction
Action = (
    OrderAction
    | CancelAction
    | CancelByCloidAction
    | ModifyAction
    | BatchModifyAction
    | ScheduleCancelAction
    | UpdateLeverageAction
    | UpdateIsolatedMarginAction
    | NoopAction
    | SetReferrerAction
    | ReserveWeightAction
    | ApproveAgentAction
    | ApproveBuilderFeeAction
    | UsdClassTransferAction
)


class Envelope(msgspec.Struct):
    """Body of `/exchange` and payload of a posted action."""

    action: dict[str, Any]
    nonce: Whole
    signature: dict[str, Any]
    vaultAddress: Text | None = None
    expiresAfter: Whole | None = None


def action_of(raw: dict[str, Any]) -> Action:
    """Typed action; `msgspec.ValidationError` if it is none this exchange knows."""
    return msgspec.convert(raw, Action)


def items_of(action: Action) -> int:
    """How many orders or cancels an action carries: what it costs an address."""
    if isinstance(action, OrderAction):
        return max(len(action.orders), 1)
    if isinstance(action, CancelAction | CancelByCloidAction):
        return max(len(action.cancels), 1)
    return max(len(action.modifies), 1) if isinstance(action, BatchModifyAction) else 1


def new_orders_of(action: Action) -> Sequence[OrderWire]:
    """The orders an action would place."""
    if isinstance(action, OrderAction):
        return action.orders
    if isinstance(action, ModifyAction):
        return (action.order,)
    if isinstance(action, BatchModifyAction):
        return [modify.order for modify in action.modifies]
    return ()


def takes(action: Action) -> bool:
    """Whether an action has an order that may trade at once, and so goes after cancels."""
    return any(order.t.limit is None or order.t.limit.tif != "Alo" for order in new_orders_of(action))


def canonical(raw: dict[str, Any]) -> dict[str, Any]:
    """An order or cancel action as the venue itself would write it.

    The venue recovers the signer of an action whose keys came in another order, whose numbers carry
    needless zeros, or whose client id is in upper case. Other actions are returned as they are.
    """
    kind = raw.get("type")
    if kind == "order":
        body = {"type": kind, "orders": [_canonical_order(order) for order in raw["orders"]]}
        return body | {key: raw[key] for key in ("grouping", "builder") if key in raw}
    if kind in ("cancel", "cancelByCloid"):
        keys = ("a", "o") if kind == "cancel" else ("asset", "cloid")
        cancels = [{key: _lower(key, cancel[key]) for key in keys} for cancel in raw["cancels"]]
        return {"type": kind, "cancels": cancels} | ({"f": raw["f"]} if "f" in raw else {})
    return raw


def _canonical_order(order: dict[str, Any]) -> dict[str, Any]:
    wire = {key: order[key] for key in ("a", "b", "p", "s", "r")}
    wire["p"], wire["s"] = (_shortest(wire[key]) for key in ("p", "s"))
    kind = order["t"]
    if "trigger" in kind:
        trigger = {key: kind["trigger"][key] for key in ("isMarket", "triggerPx", "tpsl")}
        wire["t"] = {"trigger": trigger | {"triggerPx": _shortest(trigger["triggerPx"])}}
    else:
        wire["t"] = {"limit": {"tif": kind["limit"]["tif"]}}
    return wire | ({"c": _lower("cloid", order["c"])} if order.get("c") is not None else {})


def _lower(key: str, value: Any) -> Any:
    return value.lower() if key == "cloid" and isinstance(value, str) else value


def _shortest(text: str) -> str:
    whole, point, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + fraction if fraction else "")


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
