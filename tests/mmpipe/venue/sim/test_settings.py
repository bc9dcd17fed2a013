"""What the exchange may be started with, and the demo keys."""

from typing import Any

import msgspec
import pytest

from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.settings import VenueSettings, demo_agents, demo_keys
from tests.mmpipe.venue.sim.trader import settings


def test_demo_keys_are_three_and_the_same_everywhere() -> None:
    keys = demo_keys()
    assert keys == demo_keys()
    assert len(set(keys)) == 3
    assert address_of(keys.master) == "0x5dab984de0de7a744b34a896b3526d80b582f959"
    assert demo_agents() == {
        address_of(keys.execution): address_of(keys.master),
        address_of(keys.risk): address_of(keys.master),
    }


@pytest.mark.parametrize(
    "change",
    [{"port": 70_000}, {"seed": -1}, {"profile": {"block_ms": 0}}, {"deposit_usdc": 0.0}, {"coins": "BTC"}],
)
def test_values_out_of_range_are_refused(change: dict[str, Any]) -> None:
    raw = msgspec.to_builtins(settings()) | change
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, VenueSettings)
