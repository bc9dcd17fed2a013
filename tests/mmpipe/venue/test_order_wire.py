"""Intents on the wire: ids, exact strings, batches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.enums import IntentKind, Side, Tif
from mmpipe.records import INTENT
from mmpipe.venue.order_wire import BATCH_MAX, cloid_of, oid_cancels, order_id_of, requests_of

from .frames import instruments


def intent(order_id: int = 1, kind: IntentKind = IntentKind.PLACE, **fields: int) -> np.ndarray:
    row = np.zeros(1, INTENT)
    values = {"kind": kind, "order_id": order_id, "side": 1, "px_tick": 837_570, "qty_lots": 1_000, **fields}
    for name, value in values.items():
        row[name] = int(value)
    return row


@given(st.integers(1, 2**63 - 1))
def test_an_order_id_survives_as_cloid(order_id: int) -> None:
    cloid = cloid_of(order_id)
    assert len(cloid) == 34
    assert order_id_of(cloid) == order_id
    assert order_id_of(cloid.upper().replace("0X", "0x")) == order_id


@pytest.mark.parametrize(
    "cloid", [None, "", "0x" + "0" * 32, "0x" + "f" * 32, cloid_of(5)[2:], cloid_of(5) + "0", "x"]
)
def test_foreign_cloids_are_nobody(cloid: str | None) -> None:
    assert order_id_of(cloid) == 0


@pytest.mark.parametrize("order_id", [0, -1, 2**63])
def test_an_order_id_that_has_no_cloid_is_refused(order_id: int) -> None:
    with pytest.raises(ValueError, match="63-bit"):
        cloid_of(order_id)


def test_the_wire_of_an_order_in_the_signed_key_order() -> None:
    (request,) = requests_of(intent(7), instruments())
    assert list(request.action) == ["type", "orders", "grouping"]
    (order,) = request.action["orders"]
    assert list(order) == ["a", "b", "p", "s", "r", "t", "c"]
    assert order == {
        "a": 0, "b": True, "p": "83757", "s": "0.01", "r": False,
        "t": {"limit": {"tif": "Alo"}}, "c": cloid_of(7),
    }  # fmt: skip


def test_asset_side_tif_and_reduce_only_come_from_the_intent() -> None:
    row = intent(symbol=1, side=Side.SELL, tif=Tif.IOC, reduce_only=1, px_tick=430_001, qty_lots=12_345)
    (order,) = requests_of(row, instruments())[0].action["orders"]
    assert (order["a"], order["b"], order["p"], order["s"], order["r"]) == (
        2,
        False,
        "4300.01",
        "1.2345",
        True,
    )
    assert order["t"] == {"limit": {"tif": "Ioc"}}


def test_cancels_post_only_and_others_travel_apart_and_in_this_order() -> None:
    rows = np.concatenate(
        [
            intent(1), intent(2, tif=Tif.IOC), intent(3), intent(4, tif=Tif.GTC),
            intent(5, IntentKind.CANCEL), intent(0, IntentKind.CANCEL, oid=99, symbol=1),
            intent(6, IntentKind.CANCEL),
        ]
    )  # fmt: skip
    requests = requests_of(rows, instruments())
    assert [request.action["type"] for request in requests] == ["cancelByCloid", "cancel", "order", "order"]
    assert [request.intents["order_id"].tolist() for request in requests] == [[5, 6], [0], [1, 3], [2, 4]]
    assert [request.places for request in requests] == [False, False, True, True]
    assert requests[0].action["cancels"] == [{"asset": 0, "cloid": cloid_of(i)} for i in (5, 6)]
    assert requests[1].action["cancels"] == [{"a": 2, "o": 99}]
    assert all(request.action["f"] is True for request in requests[:2])


def test_a_batch_is_bounded() -> None:
    rows = np.repeat(intent(1, IntentKind.CANCEL), BATCH_MAX + 1)
    assert [len(request.intents) for request in requests_of(rows, instruments())] == [BATCH_MAX, 1]
    assert [len(request.intents) for request in oid_cancels(rows, instruments())] == [BATCH_MAX, 1]
    assert requests_of(rows[:0], instruments()) == []
