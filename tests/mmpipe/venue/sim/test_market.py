"""The arrays of an empty market, and that literals in kernels agree with them."""

from mmpipe.units import CASH_PER_TICK_LOT
from mmpipe.venue.sim import (
    crowd,
    flow,
    holders,
    lead,
    ledger,
    margin,
    market,
    pricing,
    queue_reactive,
    resting,
    views,
)


def test_every_slot_is_free_once() -> None:
    fresh = market.new_market(2, 3, 150, 450)
    seen, slot = [], int(fresh.header["free_slot"][0])
    while slot != market.NO_SLOT:
        seen.append(slot)
        slot = int(fresh.orders["next"][slot])
    assert seen == list(range(market.ORDERS_MAX))
    assert fresh.standings.shape == (3, 2)


def test_kernel_literals_are_the_declared_numbers() -> None:
    assert resting.LEVELS_LIMIT == market.LEVELS_MAX
    assert ledger.CASH_PER_NOTIONAL == margin.CASH_PER_NOTIONAL == CASH_PER_TICK_LOT
    assert pricing.CASH_PER_NOTIONAL == views.CASH_PER_NOTIONAL == CASH_PER_TICK_LOT
    assert flow.HISTORY == lead.HISTORY == crowd.HISTORY
    assert lead.LEAD_TRADES == crowd.LEAD_TRADES
    for name in ("LEVELS", "PLACES", "DEEP", "MAKERS"):
        assert getattr(queue_reactive, name) == getattr(crowd, name)
    assert (holders.HOLDERS, holders.LABELS) == (crowd.HOLDERS, crowd.LABELS)
    assert holders.CASH_PER_NOTIONAL == CASH_PER_TICK_LOT
    assert market.TAPE_MAX >= market.TAPE_RESERVE + 2 * market.ORDERS_MAX
