"""Numbers on the wire: exact both ways, and only numbers."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.wire import (
    CancelAction,
    OrderAction,
    action_of,
    canonical,
    count_of,
    items_of,
    takes,
    text_of,
)
from tests.mmpipe.venue.sim.trader import order, place

UNITS = st.integers(0, 8).map(lambda digits: 10**digits)


@pytest.mark.parametrize(
    ("count", "units", "text"),
    [(837_670, 10, "83767.0"), (819, 100_000, "0.00819"), (-1, 100, "-0.01"), (5, 1, "5.0"), (0, 10, "0.0")],
)
def test_texts_look_like_the_venues(count: int, units: int, text: str) -> None:
    assert text_of(count, units) == text


@given(st.integers(-(10**15), 10**15), UNITS)
def test_texts_are_exact(count: int, units: int) -> None:
    text = text_of(count, units)
    assert Decimal(text) * units == count
    if count >= 0:
        assert count_of(text, units) == count


@given(st.text(max_size=12), UNITS)
def test_only_plain_decimals_are_numbers(text: str, units: int) -> None:
    count = count_of(text, units)
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and text[0] != "." and text[-1] != "."
    assert (count is None) == (not plain)


@pytest.mark.parametrize(("text", "count"), [("1.5", 15), ("1.50", 15), ("1.55", -1), ("1", 10), ("007", 70)])
def test_finer_than_the_unit_is_told_apart(text: str, count: int) -> None:
    assert count_of(text, 10) == count


@pytest.mark.parametrize("text", ["", ".", "1.", ".5", "+1", "-1", "1e3", "1_000", " 1", "nan", "١٢", "0x1"])
def test_what_is_not_a_number(text: str) -> None:
    assert count_of(text, 10) is None


def test_actions_are_typed_and_ordered_by_what_they_may_do() -> None:
    assert not takes(action_of(place(order("1", "1"), order("1", "1"))))
    assert takes(action_of(place(order("1", "1"), order("1", "1", tif="Ioc"))))
    cancel = action_of({"type": "cancel", "cancels": [{"a": 0, "o": 1}, {"a": 0, "o": 2}], "f": True})
    assert isinstance(cancel, CancelAction)
    assert not takes(cancel)
    assert items_of(cancel) == 2
    assert isinstance(action_of(place()), OrderAction)
    # A modify goes where its new order would go.
    assert takes(action_of({"type": "modify", "oid": 1, "order": order("1", "1", tif="Gtc")}))
    assert not takes(action_of({"type": "batchModify", "modifies": [{"oid": 1, "order": order("1", "1")}]}))


def test_canonical_form_is_what_the_venue_would_write() -> None:
    mine = place(order("100.50", "01.0", c="0x" + "AB" * 16))
    shuffled = {key: mine[key] for key in ("grouping", "orders", "type")}
    (wire,) = canonical(shuffled)["orders"]
    assert list(canonical(shuffled)) == ["type", "orders", "grouping"]
    assert (wire["p"], wire["s"], wire["c"]) == ("100.5", "1", "0x" + "ab" * 16)
    trigger = {"trigger": {"triggerPx": "99.0", "tpsl": "sl", "isMarket": True}}
    (wire,) = canonical(place(order("100", "1", t=trigger)))["orders"]
    assert list(wire["t"]["trigger"].items()) == [("isMarket", True), ("triggerPx", "99"), ("tpsl", "sl")]
    other = {"type": "noop"}
    assert canonical(other) is other


@pytest.mark.parametrize(
    "change",
    [
        {"a": "0"},
        {"a": 1.5},
        {"b": 1},
        {"p": 1.0},
        {"t": {"trigger": {}}},
        {"t": {}},
        {"r": None},
        {"c": "0x" * 99},
    ],
)
def test_wrong_types_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        action_of(place(order("1", "1") | change))
