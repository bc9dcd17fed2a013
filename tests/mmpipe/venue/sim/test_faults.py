"""Faults begin, strike and end as they were asked to, and the ledger remembers."""

from typing import Any

import pytest

from mmpipe.errors import UsageError
from mmpipe.venue.sim.faults import FAULTS, Faults


def running(kind: str, **parameters: Any) -> Faults:
    faults = Faults(7)
    faults.tick(1_000)
    faults.start(kind, parameters)
    return faults


def test_fault_ends_after_its_time() -> None:
    faults = running("silent", channel="bbo", for_s=5)
    assert faults.strikes("silent", "bbo", "BTC")
    assert not faults.strikes("silent", "trades", "BTC")
    faults.tick(5_999)
    assert faults.strikes("silent", "bbo", "BTC")
    faults.tick(6_000)
    assert not faults.strikes("silent", "bbo", "BTC")
    assert [row["on"] for row in faults.ledger] == [True, False]


def test_fault_ends_after_its_count() -> None:
    faults = running("answer_lost", count=2)
    assert [bool(faults.strikes("answer_lost")) for _ in range(4)] == [True, True, False, False]
    faults.tick(1_001)
    assert not faults.any_on


def test_probability_is_a_share_and_the_same_for_a_seed() -> None:
    struck = [[bool(f.strikes("answer_lost")) for _ in range(2_000)]
              for f in (running("answer_lost", probability=0.3) for _ in range(2))]  # fmt: skip
    assert struck[0] == struck[1]
    assert 0.26 < sum(struck[0]) / 2_000 < 0.34


def test_stop_ends_one_kind_or_all() -> None:
    faults = running("answer_lost")
    faults.start("garbage", {})
    assert faults.stop("garbage") == 1
    assert faults.any_on
    assert faults.stop("") == 1
    assert not faults.any_on


def test_every_fault_can_be_started() -> None:
    needs = {"ms": 50, "channel": "bbo"}
    for kind, (_, allowed) in FAULTS.items():
        faults = running(kind, **{key: value for key, value in needs.items() if key in allowed})
        assert [row["fault"] for row in faults.view()] == [kind]


@pytest.mark.parametrize(
    ("kind", "parameters", "match"),
    [
        ("nope", {}, "choose one of: error_executed"),
        ("silent", {}, "give channel"),
        ("answer_late", {}, "give ms"),
        ("answer_late", {"ms": 1e12}, "ms = .*: must be a number within"),
        ("answer_late", {"ms": float("nan")}, "must be a number"),
        ("answer_late", {"ms": "5"}, "must be a number"),
        ("answer_late", {"ms": True}, "must be a number"),
        ("answer_lost", {"coin": "BTC"}, "coin unknown; it takes"),
        ("answer_lost", {"probability": 1.1}, "probability"),
        ("answer_lost", {"count": 0}, "count"),
        ("answer_lost", {"for_s": -1}, "for_s"),
        ("silent", {"channel": 7}, "texts"),
    ],
)
def test_what_cannot_be_started(kind: str, parameters: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        running(kind, **parameters)
