"""The exchange without sockets: who may act, what is refused and how, and that money is conserved."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.errors import UsageError
from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.hyperliquid_signing import Signer
from mmpipe.venue.sim.order_checks import GONE
from mmpipe.venue.sim.settings import demo_vaults
from mmpipe.venue.sim.wire import Envelope
from tests.mmpipe.venue.sim.trader import KEYS, MASTER, Trader, cancel, order, place

CLOID = "0x00000000000000000000000000000007"
DEPOSIT_CASH = 100_000 * CASH_PER_USDC
STRANGER = bytes(31) + b"\x07"


@pytest.fixture(scope="module")
def shared() -> Trader:
    return Trader()


def error(text: str) -> list[dict[str, str]]:
    return [{"error": f"{text} asset=0"}]


def test_post_only_rests_and_is_found_by_both_ids(shared: Trader) -> None:
    bid, _ = shared.touch()
    (item,) = shared.act(place(order(str(bid - 500), "0.001", c=CLOID)))
    oid = item["resting"]["oid"]
    assert item == {"resting": {"oid": oid, "cloid": CLOID}}
    assert shared.account.open[oid].cloid == CLOID
    assert shared.account.oid_of_cloid[CLOID] == oid
    by_cloid = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
    assert shared.act(by_cloid) == ["success"]
    assert shared.act(by_cloid) == error(GONE)
    assert shared.account.order(oid).status == "canceled"


def test_cancel_says_success_once_and_is_bound_to_the_asset(shared: Trader) -> None:
    bid, _ = shared.touch()
    oid = shared.act(place(order(str(bid - 500), "0.001")))[0]["resting"]["oid"]
    assert shared.act(cancel(oid, 1)) == [{"error": f"{GONE} asset=1"}]
    assert shared.act(cancel(oid)) == ["success"]
    assert shared.act(cancel(oid)) == error(GONE)


def test_crossing_post_only_is_refused_with_the_bbo() -> None:
    trader = Trader()
    bid, ask = trader.touch()
    # Post-only orders come before the crowd's block, so the quoted bbo is the one seen now.
    items = trader.act(place(order(str(ask), "0.001", c=CLOID)))
    text = f"Post only order would have immediately matched, bbo was {bid}.0@{ask}.0."
    assert items == error(text)
    assert trader.account.order(trader.account.oid_of_cloid[CLOID]).status == "badAloPxRejected"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"p": "99999.5"}, "Price must be divisible by tick size."),
        ({"p": "99999.123"}, "Price must be divisible by tick size."),
        ({"p": "nan"}, "Order has invalid price."),
        ({"p": "1e5"}, "Order has invalid price."),
        ({"p": "-1"}, "Order has invalid price."),
        ({"p": "0"}, "Order has invalid price."),
        ({"p": "٩٩٩٩٩"}, "Order has invalid price."),
        ({"s": "0.000001"}, "Order has invalid size."),
        ({"s": "inf"}, "Order has invalid size."),
        ({"s": "999999999999999"}, "Order has invalid size."),
        ({"s": "0"}, "Order has zero size."),
        ({"s": "0.00009"}, "Order must have minimum value of $10."),
        ({"p": "10000"}, "Order price cannot be more than 80% away from the reference price"),
        ({"p": "500000"}, "Order price cannot be more than 80% away from the reference price"),
        ({"s": "25"}, "Insufficient margin to place order."),
        ({"r": True}, "Reduce only order would increase position."),
        ({"t": {"limit": {"tif": "Ioc"}}}, "Order could not immediately match against any resting orders."),
        ({"c": "0x7"}, "Invalid cloid."),
        ({"c": CLOID[:-1]}, "Invalid cloid."),
    ],
)
def test_refusals_word_for_word(shared: Trader, change: dict[str, Any], text: str) -> None:
    before = shared.exchange.state.market.cash.copy()
    assert shared.act(place(order("99000", "0.001") | change)) == error(text)
    assert not shared.account.open
    assert shared.exchange.state.market.standings["lots"][shared.account.index].tolist() == [0, 0]
    assert shared.exchange.state.market.cash[shared.account.index] == before[shared.account.index]


def test_one_bad_order_does_not_spoil_the_batch(shared: Trader) -> None:
    items = shared.act(place(order("99000", "0.001"), order("99000", "0"), order("98000", "0.001")))
    assert ["resting" in items[0], "error" in items[1], "resting" in items[2]] == [True, True, True]
    for oid in list(shared.account.open):
        assert shared.act(cancel(oid)) == ["success"]


def test_duplicate_cloid_is_refused(shared: Trader) -> None:
    cloid = "0x" + "ab" * 16
    (item,) = shared.act(place(order("99000", "0.001", c=cloid)))
    assert shared.act(place(order("99000", "0.001", c=cloid))) == error(f"Duplicate cloid {cloid}.")
    assert shared.account.oid_of_cloid[cloid] == item["resting"]["oid"]
    shared.act(cancel(item["resting"]["oid"]))


def test_taker_is_filled_with_average_price_fee_and_entry() -> None:
    trader = Trader()
    _, ask = trader.touch()
    (item,) = trader.act(place(order(str(ask + 50), "0.01", tif="Ioc")))
    assert item["filled"]["totalSz"] == "0.01"
    (fill, *_) = fills = list(trader.account.fills)
    assert sum(f.lots for f in fills) == 1_000
    assert all(f.crossed and f.side == 1 for f in fills)
    assert fill.fee_cash == (fill.tick * fill.lots * 450 + 500_000) // 1_000_000 * 100
    standing = trader.exchange.state.market.standings[trader.account.index, 0]
    assert standing["entry_notional"] == sum(f.tick * f.lots for f in fills)
    bid, _ = trader.touch()
    trader.act(place(order(str(bid - 50), "0.02", tif="Ioc", b=False, r=True)))
    assert trader.exchange.state.market.standings["lots"][trader.account.index, 0] == 0
    paid = sum(f.closed_cash - f.fee_cash for f in trader.account.fills)
    assert trader.exchange.state.market.cash[trader.account.index] - DEPOSIT_CASH == paid


def test_own_order_is_cancelled_rather_than_traded_with() -> None:
    trader = Trader()
    while trader.touch()[1] - trader.touch()[0] < 2:
        trader.run(1)
    inside = str(trader.touch()[0] + 1)
    first, second = order(inside, "0.001"), order(inside, "0.001", tif="Ioc", b=False)
    # Both in one block, so that nobody else gets in between: post-only first, then the taker.
    trader.enqueue(place(first))
    trader.enqueue(place(second))
    trader.run(1)
    oid = trader.answers[0]["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert trader.account.order(oid).status == "selfTradeCanceled"
    assert MASTER not in trader.makers


def test_post_only_before_cancels_before_takers_in_one_block() -> None:
    trader = Trader()
    bid, ask = trader.touch()
    trader.enqueue(place(order(str(ask + 50), "0.001", tif="Ioc")))
    trader.enqueue({"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]})
    trader.enqueue(place(order(str(bid - 500), "0.001", c=CLOID)))
    trader.run(1)
    taken, cancelled, placed = (answer["response"]["data"]["statuses"][0] for answer in trader.answers)
    assert "filled" in taken
    assert "resting" in placed
    assert cancelled == "success"  # the order sent after it was already there


def refused(trader: Trader, envelope: Envelope) -> Any:
    return trader.exchange.admit(envelope, trader.ts_ms, trader.answers.append)


def test_unknown_signer_is_named_and_changes_nothing(shared: Trader) -> None:
    envelope = shared.envelope(place(order("99000", "0.001")))
    stranger = Signer(STRANGER, False)
    envelope.signature = stranger.sign(envelope.action, envelope.nonce, None)
    text = f"User or API Wallet {stranger.address} does not exist."
    assert refused(shared, envelope) == {"status": "err", "response": text}


@pytest.mark.parametrize("mainnet", [True, False])
@pytest.mark.parametrize("key", [KEYS.master, KEYS.execution, KEYS.risk])
def test_master_and_agents_sign_for_either_net(shared: Trader, mainnet: bool, key: bytes) -> None:
    envelope = shared.envelope(cancel(1))
    envelope.signature = Signer(key, mainnet).sign(envelope.action, envelope.nonce, None)
    assert refused(shared, envelope) is None
    shared.run(1)
    shared.answers.clear()


def test_changed_action_is_not_the_signed_one(shared: Trader) -> None:
    envelope = shared.envelope(place(order("99000", "0.001")))
    envelope.action["orders"][0]["s"] = "9"
    assert refused(shared, envelope)["response"].endswith("does not exist.")
    envelope.signature = {"r": "0x0", "s": "0x0", "v": 27}
    assert refused(shared, envelope)["response"] == "Unable to recover signer."


def test_nonces_are_used_once_per_signer(shared: Trader) -> None:
    envelope = shared.envelope(cancel(1))
    assert refused(shared, envelope) is None
    text = f"Invalid nonce: duplicate nonce {envelope.nonce}"
    assert refused(shared, envelope) == {"status": "err", "response": text}
    envelope.signature = Signer(KEYS.risk, False).sign(envelope.action, envelope.nonce, None)
    assert refused(shared, envelope) is None
    shared.run(1)
    shared.answers.clear()


def test_expired_action_is_refused(shared: Trader) -> None:
    expected = {"status": "err", "response": "Action already expired"}
    assert shared.act(place(order("99000", "0.001")), shared.ts_ms - 1) == expected
    assert not shared.account.open


@pytest.mark.parametrize(
    "action", [{"type": "withdraw3"}, {"type": "order"}, {}, {"type": "cancel", "cancels": 1}]
)
def test_unknown_action_cannot_be_read(shared: Trader, action: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        refused(shared, shared.envelope(action))


def test_too_many_items_are_refused(shared: Trader) -> None:
    action = {"type": "cancel", "cancels": [{"a": 0, "o": 1}] * 201}
    text = "Signed action over weight limit of 200."
    assert refused(shared, shared.envelope(action)) == {"status": "err", "response": text}


def test_unknown_scenario_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="cascade, dead-feed"):
        Trader(scenario="storm")


def test_same_seed_same_market_and_another_seed_another() -> None:
    first, second, other = Trader(), Trader(), Trader(seed=8)
    action = place(order("99990", "0.01", tif="Gtc"))
    for trader in (first, second, other):
        trader.act(action)
        trader.run(200)
    assert first.exchange.state_hash() == second.exchange.state_hash()
    assert first.exchange.state_hash() != other.exchange.state_hash()


def test_every_block_has_a_time_of_its_own() -> None:
    trader = Trader()
    last = trader.exchange.state.ts_ms
    for ts_ms, taken_ms in ((last - 1_000, last + 1), (last + 1, last + 2), (last + 50, last + 50)):
        trader.exchange.run_block(ts_ms)
        assert trader.exchange.state.ts_ms == taken_ms


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["Alo", "Gtc", "Ioc"]),
        st.booleans(),
        st.integers(-30, 30),
        st.integers(1, 300),
        st.booleans(),
        st.integers(0, 1),
    ),
    max_size=15,
)


@settings(max_examples=15, deadline=None)
@given(STEPS)
def test_money_and_positions_are_conserved_whatever_is_traded(steps: list[Any]) -> None:
    trader = Trader()
    market = trader.exchange.state.market
    for tif, buys, offset, size, reduce_only, asset in steps:
        tick = trader.exchange.state.mark_tick(asset) // 10 + offset
        px = str(tick) if asset == 0 else f"{tick // 10}.{tick % 10}"
        wire = order(px, f"{size / 1000:.3f}", tif=tif, b=buys, r=reduce_only, a=asset)
        trader.act(place(wire))
        assert (market.standings["lots"].sum(axis=0) == 0).all()
        assert market.cash.sum() == 2 * DEPOSIT_CASH  # master and vault
        resting = {int(oid) for oid in market.orders["oid"][market.orders["account"] == trader.account.index]}
        assert set(trader.account.open) == resting - {0}
    index = trader.account.index
    booked = sum(f.closed_cash - f.fee_cash for f in trader.account.fills)
    open_cash = -sum(
        int(entry) * (1 if lots > 0 else -1) * 100
        for entry, lots in market.standings[["entry_notional", "lots"]][index].tolist()
        if lots
    )
    assert market.cash[index] == DEPOSIT_CASH + booked + open_cash
    assert trader.exchange.state.accounts.keys() == {MASTER, *demo_vaults()}
