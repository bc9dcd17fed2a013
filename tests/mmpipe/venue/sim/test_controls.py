"""What an operator and a scenario make a running exchange do."""

from typing import Any

import pytest

from mmpipe.errors import ConfigError
from mmpipe.venue.sim.controls import Cadence, Controls, check_script
from mmpipe.venue.sim.faults import Faults
from tests.mmpipe.venue.sim.trader import Trader

NEW = "0x" + "c" * 40


class World:
    def __init__(self, events: tuple[dict[str, Any], ...] = ()) -> None:
        self.trader = Trader()
        state = self.trader.exchange.state
        object.__setattr__(state.scenario, "events", events)
        self.state = state
        self.faults = Faults(7)
        self.cadence = Cadence(100, 500)
        self.controls = Controls(self.trader.exchange, self.faults, self.cadence)

    def ask(self, do: str, **parameters: Any) -> dict[str, Any]:
        return self.controls.answer({"do": do} | parameters)


def test_scenario_is_played_at_its_times() -> None:
    world = World(
        (
            {"at_s": 2.0, "do": "post_only", "for_s": 3.0},
            {"at_s": 1.0, "do": "silent", "channel": "bbo", "for_s": 1.5},
            {"at_s": 4.0, "do": "delist", "coin": "ETH"},
            {"at_s": 5.0, "do": "book_interval", "fast_ms": 5_400, "for_s": 1.0},
        )
    )
    seen = []
    for tenth in range(80):
        world.controls.tick(1_000_000 + 100 * tenth, attended=True)
        seen.append(
            (
                bool(world.faults.holds("silent")),
                world.state.post_only,
                bool(world.state.market.prices["delisted"][1]),
                world.cadence.fast_ms,
            )
        )
    when = [[i for i, row in enumerate(seen) if row[k]] for k in range(3)]
    assert (when[0][0], when[0][-1]) == (10, 24)
    assert (when[1][0], when[1][-1]) == (20, 49)
    assert (when[2][0], when[2][-1]) == (40, 79)
    assert [i for i, row in enumerate(seen) if row[3] == 5_400] == list(range(50, 60))


def test_the_script_waits_for_somebody_to_see_it() -> None:
    world = World(({"at_s": 1.0, "do": "post_only"},))
    for tenth in range(60):
        world.controls.tick(1_000_000 + 100 * tenth, attended=tenth >= 30)
        assert world.state.post_only == (tenth >= 40)


def test_operator_switches_by_hand_with_texts() -> None:
    world = World()
    assert world.ask("answer_late", ms="50", for_s="10") == {"ok": True}
    assert world.ask("status")["faults"][0]["fault"] == "answer_late"
    assert world.ask("clear", kind="answer_late") == {"ok": True, "ended": 1}
    assert world.ask("post_only") == {"ok": True}
    assert world.state.post_only
    assert world.ask("post_only", on="false") == {"ok": True}
    assert not world.state.post_only
    assert world.ask("delist", coin="ETH") == {"ok": True}
    assert world.ask("status")["delisted"] == ["ETH"]
    assert [row["fault"] for row in world.ask("ledger")["ledger"]] == [
        "answer_late", "answer_late", "post_only", "post_only", "delist"
    ]  # fmt: skip


def test_deposit_opens_an_account_that_can_trade() -> None:
    world = World()
    assert world.ask("deposit", address=NEW, usdc="250.5") == {"ok": True}
    assert world.ask("deposit", address=NEW.upper().replace("0X", "0x"), usdc=100) == {"ok": True}
    account = world.state.accounts[NEW]
    assert world.state.market.cash[account.index] == 35_050_000_000
    assert world.state.signers.find(NEW, 0) is not None
    world.trader.run(1)  # conservation is asserted


def test_there_is_room_for_so_many_accounts() -> None:
    world = World()
    answers = [world.ask("deposit", address=f"0x{i:040x}", usdc=1)["ok"] for i in range(1_000, 1_040)]
    assert answers == [True] * 32 + [False] * 8


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        ({}, "choose one of"),
        ({"do": "explode"}, "'explode' does not exist; choose one of: post_only"),
        ({"do": "silent"}, "give channel"),
        ({"do": "delist", "coin": "DOGE"}, "choose one of: BTC, ETH"),
        ({"do": "delist"}, "choose one of: BTC, ETH"),
        ({"do": "post_only", "ms": "5"}, "ms unknown"),
        ({"do": "book_interval", "fast_ms": "0"}, "fast_ms = 0: must be"),
        ({"do": "book_interval", "fast_ms": "nan"}, "must be"),
        ({"do": "deposit", "address": "me", "usdc": "5"}, "give 0x and 40 digits"),
        ({"do": "deposit", "address": NEW, "usdc": "-5"}, "0 to 1e9"),
        ({"do": "deposit", "address": NEW, "usdc": "lots"}, "must be a number"),
        ({"do": "deposit", "address": NEW}, "must be a number"),
    ],
)
def test_a_wrong_request_is_answered_and_changes_nothing(request_: dict[str, Any], match: str) -> None:
    world = World()
    before = world.trader.exchange.state_hash()
    answer = world.controls.answer(request_)
    assert answer["ok"] is False
    assert match in answer["detail"]
    assert world.trader.exchange.state_hash() == before


@pytest.mark.parametrize(
    "event",
    [
        {"at_s": 1.0, "do": "nope"},
        {"at_s": 1.0, "do": "silent"},
        {"at_s": 1.0, "do": "delist", "coin": "DOGE"},
        {"at_s": 1.0, "do": "post_only", "for": 5},
    ],
)
def test_a_scenario_that_asks_for_the_impossible_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"scenario mine, event at 1.0 s: "):
        check_script("mine", [event], {"BTC": 0})
