"""The matching kernels against a slow oracle, and what must hold whatever is sent."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import Tif
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.market import DEPTH, Market, new_market
from mmpipe.venue.sim.matching import best_tick, cancel, depth, process, submit
from tests.oracles.matching import Oracle

ALO, GTC, IOC = int(Tif.ALO), int(Tif.GTC), int(Tif.IOC)
ACCOUNTS = 4
STATUS = {
    "open": codes.OPEN,
    "filled": codes.FILLED,
    "canceled": codes.CANCELED,
    "alo_rejected": codes.BAD_ALO_REJECTED,
    "ioc_rejected": codes.IOC_REJECTED,
    "no_liquidity": codes.NO_LIQUIDITY_REJECTED,
    "reduce_only_rejected": codes.REDUCE_ONLY_REJECTED,
}


def fills_of(market: Market) -> list[tuple[int, int, int, int]]:
    rows = market.fills[: int(market.header["fills"][0])]
    return rows[["maker_account", "taker_account", "tick", "lots"]].tolist()


def depth_of(market: Market, symbol: int, side: int) -> list[tuple[int, int, int]]:
    rows = np.zeros(100, DEPTH)
    return rows[: depth(market, symbol, side, rows)].tolist()


def last_oid(market: Market) -> int:
    return int(market.header["last_oid"][0])


def test_older_order_and_better_price_first_at_the_makers_price() -> None:
    market = new_market(1, ACCOUNTS, 150, 450)
    submit(market, 1, 0, -1, 1_000_010, 5, ALO, 0)
    submit(market, 2, 0, -1, 1_000_000, 3, ALO, 0)
    submit(market, 3, 0, -1, 1_000_000, 4, ALO, 0)
    assert submit(market, 0, 0, 1, 1_000_010, 8, IOC, 0) == codes.FILLED
    assert fills_of(market) == [(2, 0, 1_000_000, 3), (3, 0, 1_000_000, 4), (1, 0, 1_000_010, 1)]
    assert depth_of(market, 0, -1) == [(1_000_010, 4, 1)]


def test_fees_of_one_trade_to_the_micro_dollar() -> None:
    market = new_market(1, ACCOUNTS, 150, 450)
    submit(market, 1, 0, -1, 1_000_430, 1_000, ALO, 0)  # 0.01 BTC at 100043.0: 1000.43 USDC
    submit(market, 2, 0, 1, 1_000_430, 1_000, IOC, 0)
    assert market.fills["taker_fee"][0] == 45_019_400  # 0.450194 USDC
    assert market.fills["maker_fee"][0] == 15_006_500  # 0.1500645 rounded half up
    assert market.cash.tolist() == [
        60_025_900,
        100_043_000_000 - 15_006_500,
        -100_043_000_000 - 45_019_400,
        0,
    ]


PLACES = st.tuples(
    st.just("place"),
    st.integers(1, ACCOUNTS - 1),
    st.sampled_from([1, -1]),
    st.integers(95, 105),
    st.integers(1, 9),
    st.sampled_from(["ALO", "GTC", "IOC"]),
    st.booleans(),
)
CANCELS = st.tuples(st.just("cancel"), st.integers(0, 60), st.integers(1, ACCOUNTS - 1))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PLACES, PLACES, CANCELS), max_size=60))
def test_equals_the_oracle(steps: list[Any]) -> None:
    market = new_market(1, ACCOUNTS, 150, 450)
    oracle = Oracle(ACCOUNTS, 150, 450)
    oids: list[int] = []
    for step in steps:
        if step[0] == "cancel":
            number, account = step[1], step[2]
            oid = oids[number - 1] if 0 < number <= len(oids) else 0
            assert (cancel(market, account, oid) == codes.CANCELED) == oracle.cancel(number, account)
        else:
            _, account, side, tick, lots, tif, reduce_only = step
            status = submit(market, account, 0, side, tick, lots, int(Tif[tif]), int(reduce_only))
            oids.append(last_oid(market))
            assert status == STATUS[oracle.submit(account, side, tick, lots, tif, reduce_only)]
        for side in (1, -1):
            assert depth_of(market, 0, side) == oracle.depth(side)
        bid, ask = best_tick(market, 0, 1), best_tick(market, 0, -1)
        assert bid == 0 or ask == 0 or bid < ask
    assert fills_of(market) == oracle.fills
    assert market.standings["lots"][:, 0].tolist() == oracle.position
    assert market.cash.tolist() == oracle.cash
    assert market.standings["lots"].sum() == 0
    assert market.cash.sum() == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(PLACES, max_size=40))
def test_tape_tells_every_order_once_to_its_end(steps: list[Any]) -> None:
    market = new_market(1, ACCOUNTS, 150, 450)
    for _, account, side, tick, lots, tif, reduce_only in steps:
        submit(market, account, 0, side, tick, lots, int(Tif[tif]), int(reduce_only))
    events = market.events[: int(market.header["events"][0])]
    live = {int(row["oid"]) for row in events if row["status"] == codes.OPEN}
    ended = [int(row["oid"]) for row in events if row["status"] != codes.OPEN]
    assert len(ended) == len(set(ended))
    resting = {int(oid) for oid in market.orders["oid"] if oid}
    assert live - set(ended) == resting


def test_symbols_do_not_meet() -> None:
    market = new_market(2, ACCOUNTS, 0, 0)
    submit(market, 1, 0, -1, 100, 5, ALO, 0)
    assert submit(market, 2, 1, 1, 100, 5, GTC, 0) == codes.OPEN
    assert best_tick(market, 0, -1) == best_tick(market, 1, 1) == 100


def test_reduce_only_rests_and_is_cancelled_when_nothing_is_left_to_reduce() -> None:
    market = new_market(1, ACCOUNTS, 0, 0)
    submit(market, 2, 0, -1, 100, 5, ALO, 0)
    submit(market, 1, 0, 1, 100, 5, IOC, 0)  # account 1 is long 5
    submit(market, 1, 0, -1, 110, 5, ALO, 1)
    submit(market, 3, 0, 1, 90, 5, ALO, 0)
    submit(market, 1, 0, -1, 90, 5, IOC, 0)  # flat by another order
    assert submit(market, 2, 0, 1, 110, 2, IOC, 0) == codes.IOC_REJECTED
    assert market.events["status"][int(market.header["events"][0]) - 1] == codes.REDUCE_ONLY_CANCELED
    assert best_tick(market, 0, -1) == 0


def test_cancel_of_somebody_elses_or_a_reused_slot_is_refused() -> None:
    market = new_market(1, ACCOUNTS, 0, 0)
    submit(market, 1, 0, 1, 100, 5, ALO, 0)
    first = last_oid(market)
    assert cancel(market, 2, first) == codes.UNKNOWN_ORDER
    assert cancel(market, 1, first) == codes.CANCELED
    submit(market, 1, 0, 1, 100, 5, ALO, 0)
    assert last_oid(market) % codes.ORDERS_MAX == first % codes.ORDERS_MAX
    assert cancel(market, 1, first) == codes.UNKNOWN_ORDER
    for oid in (0, -1, 2**62):
        assert cancel(market, 1, oid) == codes.UNKNOWN_ORDER


def test_a_full_table_refuses_and_recovers() -> None:
    market = new_market(1, ACCOUNTS, 0, 0)
    for i in range(codes.ORDERS_MAX):
        market.header["events"] = 0
        assert submit(market, 1, 0, 1, 100 + i % 50, 1, ALO, 0) == codes.OPEN
    assert submit(market, 1, 0, 1, 100, 1, ALO, 0) == codes.NO_ROOM_REJECTED
    assert cancel(market, 1, int(market.orders["oid"][7])) == codes.CANCELED
    assert submit(market, 1, 0, 1, 100, 1, ALO, 0) == codes.OPEN


def test_too_many_levels_are_refused() -> None:
    market = new_market(1, ACCOUNTS, 0, 0)
    for i in range(codes.LEVELS_MAX):
        assert submit(market, 1, 0, 1, 100 + i, 1, ALO, 0) == codes.OPEN
    assert submit(market, 1, 0, 1, 99, 1, ALO, 0) == codes.NO_ROOM_REJECTED
    assert submit(market, 1, 0, 1, 100, 1, ALO, 0) == codes.OPEN


@pytest.mark.parametrize("kind", [codes.PLACE, codes.CANCELED])
def test_process_writes_outcomes(kind: int) -> None:
    market = new_market(1, ACCOUNTS, 0, 0)
    submit(market, 2, 0, -1, 100, 5, ALO, 0)
    rows = np.zeros(1, codes.REQUEST)
    rows["kind"], rows["account"], rows["side"], rows["tick"], rows["lots"] = kind, 1, 1, 101, 7
    rows["tif"] = GTC
    process(market, rows, 1)
    if kind == codes.PLACE:
        assert rows[["status", "filled_lots", "filled_notional"]].tolist() == [(codes.OPEN, 5, 500)]
        assert rows["oid"][0] == last_oid(market)
    else:
        assert rows["status"][0] == codes.UNKNOWN_ORDER
