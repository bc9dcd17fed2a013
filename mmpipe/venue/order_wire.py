"""Order intents as the maker venue's actions, and our order ids as its cloids. Exact: no float on the way.

An order is known to the venue by a cloid of 128 bit: a constant that says mmpipe, then our 64-bit order id.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from mmpipe.enums import IntentKind, Side, Tif
from mmpipe.units import PX_DECIMALS
from mmpipe.venue import decimal_text

BATCH_MAX: Final = 200  # items of one action the venue accepts
CLOID_PREFIX: Final = "6d6d706970650001"  # "mmpipe", version 1
_OURS: Final = re.compile(r"0x" + CLOID_PREFIX + r"([0-7][0-9a-f]{15})")
_TIFS: Final = {Tif.ALO: "Alo", Tif.GTC: "Gtc", Tif.IOC: "Ioc"}


class Request(NamedTuple):
    """One action and the intents it carries, in the order of its items."""

    action: dict[str, Any]
    intents: np.ndarray
    places: bool  # otherwise it cancels


def cloid_of(order_id: int) -> str:
    """The venue's name for our order `order_id`, 1 to 2^63 - 1."""
    if not 0 < order_id < 2**63:
        raise ValueError(f"order id {order_id} is not a positive 63-bit number")
    return f"0x{CLOID_PREFIX}{order_id:016x}"


def order_id_of(cloid: str | None) -> int:
    """Our order id in a cloid; 0 for an order this pipeline did not place."""
    match = _OURS.fullmatch(cloid.lower()) if cloid else None
    return int(match.group(1), 16) if match else 0


def requests_of(intents: np.ndarray, instruments: np.ndarray) -> list[Request]:
    """The fewest actions for `intents`: cancels, post-only orders, other orders, each of one kind.

    Post-only orders travel apart, because the venue ranks a whole batch by its most aggressive member.

    Parameters
    ----------
    intents : ndarray of INTENT
        PLACE and CANCEL rows. A cancel with an order id goes by cloid, one without by the venue's oid.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Asset indices and decimals.
    """
    places = intents["kind"] == int(IntentKind.PLACE)
    post_only = intents["tif"] == int(Tif.ALO)
    ours = intents["order_id"] != 0
    requests = [
        Request(_cancel_by_cloid(batch, instruments), batch, False)
        for batch in _batches(intents[~places & ours])
    ]
    requests += oid_cancels(intents[~places & ~ours], instruments)
    for rows in (intents[places & post_only], intents[places & ~post_only]):
        requests += [Request(_orders(batch, instruments), batch, True) for batch in _batches(rows)]
    return requests


def oid_cancels(intents: np.ndarray, instruments: np.ndarray) -> list[Request]:
    """Cancels by the venue's own ids, for orders whoever placed them."""
    return [Request(_cancel_by_oid(batch, instruments), batch, False) for batch in _batches(intents)]


def _batches(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BATCH_MAX):
        yield rows[start : start + BATCH_MAX].copy()


def _orders(intents: np.ndarray, instruments: np.ndarray) -> dict[str, Any]:
    # The key order is part of the signature.
    orders = []
    for index in range(len(intents)):
        row = intents[index]
        size_decimals = int(instruments["size_decimals"][row["symbol"]])
        orders.append(
            {
                "a": int(instruments["asset"][row["symbol"]]),
                "b": int(row["side"]) == int(Side.BUY),
                "p": decimal_text.wire(int(row["px_tick"]), PX_DECIMALS - size_decimals),
                "s": decimal_text.wire(int(row["qty_lots"]), size_decimals),
                "r": bool(row["reduce_only"]),
                "t": {"limit": {"tif": _TIFS[Tif(int(row["tif"]))]}},
                "c": cloid_of(int(row["order_id"])),
            }
        )
    return {"type": "order", "orders": orders, "grouping": "na"}


def _cancel_by_cloid(intents: np.ndarray, instruments: np.ndarray) -> dict[str, Any]:
    assets = instruments["asset"][intents["symbol"]].tolist()
    ids = intents["order_id"].tolist()
    cancels = [{"asset": a, "cloid": cloid_of(i)} for a, i in zip(assets, ids, strict=True)]
    return {"type": "cancelByCloid", "cancels": cancels, "f": True}


def _cancel_by_oid(intents: np.ndarray, instruments: np.ndarray) -> dict[str, Any]:
    assets = instruments["asset"][intents["symbol"]].tolist()
    cancels = [{"a": a, "o": o} for a, o in zip(assets, intents["oid"].tolist(), strict=True)]
    return {"type": "cancel", "cancels": cancels, "f": True}
