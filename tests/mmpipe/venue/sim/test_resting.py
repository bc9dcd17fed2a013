"""Levels and their queues after any sequence of orders: links, sums and order agree."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.market import Market, new_market
from mmpipe.venue.sim.matching import cancel, submit

STEPS = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(90, 110), st.integers(1, 5), st.integers(0, 30)),
    max_size=60,
)


def check_side(market: Market, index: int) -> int:
    levels = market.levels[0, index, : market.level_counts[0, index]]
    keys = levels["key"].tolist()
    assert keys == sorted(set(keys))
    total = 0
    for level in levels:
        slots, slot = [], int(level["head"])
        while slot != codes.NO_SLOT:
            slots.append(slot)
            slot = int(market.orders["next"][slot])
        assert slots[-1] == level["tail"]
        assert len(slots) == level["orders"] > 0
        assert market.orders["lots"][slots].sum() == level["lots"]
        assert market.orders["prev"][slots].tolist() == [codes.NO_SLOT, *slots[:-1]]
        oids = market.orders["oid"][slots].tolist()
        assert oids == sorted(oids)  # first in, first out
        total += len(slots)
    return total


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_links_and_sums_agree(steps: list[Any]) -> None:
    market = new_market(1, 3, 0, 0)
    oids: list[int] = []
    for i, (side, tick, lots, victim) in enumerate(steps):
        if victim < len(oids) and i % 3 == 0:
            cancel(market, 1 + victim % 2, oids[victim])
        submit(market, 1 + len(oids) % 2, 0, side, tick, lots, 1, 0)
        oids.append(int(market.header["last_oid"][0]))
        resting = check_side(market, 0) + check_side(market, 1)
        assert resting == (market.orders["oid"] != 0).sum()
