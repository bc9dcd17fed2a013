"""The door: signers, both ways of hashing, vaults, sizes, nonces and budgets."""

from typing import Any

import pytest

from mmpipe.venue.hyperliquid_signing import Signer, sign_l1_action
from mmpipe.venue.sim.accounts import Answer
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.settings import demo_vaults
from mmpipe.venue.sim.wire import Envelope
from tests.mmpipe.venue.sim.trader import KEYS, MASTER, WALL_MS, Trader, cancel, furnished, order, place

(VAULT,) = demo_vaults()


def admit(
    trader: Trader, action: dict[str, Any], signed: dict[str, Any] | None = None, **more: Any
) -> Answer | None:
    """Send `action` with a signature over `signed` (or itself)."""
    trader.nonce += 1
    vault, expires = more.get("vault"), more.get("expires")
    signature = sign_l1_action(
        KEYS.execution, signed or action, trader.nonce, vault, expires, more.get("mainnet", False)
    )
    envelope = Envelope(action, trader.nonce, signature, more.get("shown", vault), expires)
    return trader.exchange.admit(envelope, trader.ts_ms, trader.answers.append)


@pytest.fixture(scope="module")
def trader() -> Trader:
    return furnished()


@pytest.mark.parametrize("mainnet", [True, False])
def test_both_nets_may_sign(trader: Trader, mainnet: bool) -> None:
    assert admit(trader, place(order("90000", "0.001")), mainnet=mainnet) is None


def test_the_signer_is_found_in_the_venues_own_order_of_keys(trader: Trader) -> None:
    canonical = place(order("90000.5", "0.001", c="0x" + "ab" * 16))
    wire = canonical["orders"][0]
    sent_wire = {key: wire[key] for key in reversed(wire)} | {"p": "90000.50", "c": "0x" + "AB" * 16}
    sent = {"grouping": "na", "orders": [sent_wire], "type": "order"}
    assert admit(trader, sent, canonical) is None
    other = place(order("90000.6", "0.001", c="0x" + "ab" * 16))
    refused = admit(trader, sent, other)
    assert refused is not None
    assert "does not exist" in refused["response"]


@pytest.mark.parametrize("shown", ["0x{}", "{}", "0X{}"])
def test_a_vault_with_and_without_its_prefix(trader: Trader, shown: str) -> None:
    text = shown.format(VAULT[2:])
    refused = admit(trader, place(order("90000", "0.001")), vault=VAULT, shown=text)
    assert refused is None if text[:2] != "0X" else refused is not None


def test_an_action_carries_at_most_two_hundred(trader: Trader) -> None:
    many = {"type": "cancel", "cancels": [{"a": 0, "o": 1}] * 201}
    assert admit(trader, many) == {"status": "err", "response": "Signed action over weight limit of 200."}
    assert admit(trader, {"type": "cancel", "cancels": [{"a": 0, "o": 1}] * 200}) is None


def test_a_refused_signer_uses_no_nonce_up(trader: Trader) -> None:
    trader.nonce += 1
    action = place(order("90000", "0.001"))
    wrong = Signer(bytes(31) + b"\x05", False).sign(action, trader.nonce, None)
    right = trader.signer.sign(action, trader.nonce, None)
    for signature, expected in ((wrong, False), (right, True), (right, False)):
        envelope = Envelope(action, trader.nonce, signature, None, None)
        assert (trader.exchange.admit(envelope, trader.ts_ms, trader.answers.append) is None) == expected


def test_an_expired_action_costs_five_times(trader: Trader) -> None:
    before = trader.account.requests
    refused = admit(trader, place(order("90000", "0.001")), expires=trader.ts_ms - 1)
    assert refused == {"status": "err", "response": "Action already expired"}
    assert trader.account.requests == before + 5


def test_actions_wait_as_long_as_the_profile_says_and_takers_longer() -> None:
    trader = furnished(profile=load_profile("hyperliquid"))
    bid, ask = trader.touch()
    trader.run(1)
    start = trader.ts_ms
    for action in (place(order(str(ask + 5), "0.001", tif="Ioc")), place(order(str(bid - 500), "0.001"))):
        assert admit(trader, action) is None
    seen: dict[str, int] = {}
    while len(seen) < 2:
        trader.run(1)
        while trader.answers:
            (item,) = trader.answers.pop(0)["response"]["data"]["statuses"]
            seen[next(iter(item))] = trader.ts_ms - start
    assert 165 <= seen["resting"] < 165 + 20
    assert 165 + 360 <= seen["filled"] < 165 + 360 + 20


def test_cancels_go_before_orders_that_may_trade() -> None:
    # Ours rests; in one block come an order that would take it and its own cancel: the cancel wins.
    trader = furnished()
    bid, _ = trader.touch()
    oid = trader.act(place(order(str(bid + 1), "0.001")))[0]["resting"]["oid"]
    taker = Signer(KEYS.risk, False)
    action = place(order(str(bid + 1), "0.001", b=False, tif="Ioc"))
    trader.nonce += 1
    envelope = Envelope(action, trader.nonce, taker.sign(action, trader.nonce, None), None, None)
    assert trader.exchange.admit(envelope, trader.ts_ms, trader.answers.append) is None
    trader.enqueue(cancel(oid))
    trader.run(1)
    taken, cancelled = (answer["response"]["data"]["statuses"][0] for answer in trader.answers)
    assert cancelled == "success"
    assert "could not immediately match" in taken["error"]
    assert trader.account.address == MASTER
    assert trader.ts_ms > WALL_MS
