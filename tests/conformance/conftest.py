"""One running exchange per module, and the official SDK's clients of its demo account."""

from collections.abc import Iterator

import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

from mmpipe.venue.sim.settings import demo_keys
from tests.conformance.parties import ME
from tests.mmpipe.venue.sim.running import RunningVenue


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    with RunningVenue(scenario="thin") as running:
        yield running.url


@pytest.fixture(scope="module")
def info(venue: str) -> Info:
    return Info(venue, skip_ws=True)


@pytest.fixture(scope="module")
def exchange(venue: str) -> Exchange:
    return Exchange(Account.from_key(demo_keys().execution), venue, account_address=ME)


@pytest.fixture(scope="module")
def master(venue: str) -> Exchange:
    """The account's own key: what an API wallet may not sign."""
    return Exchange(Account.from_key(demo_keys().master), venue)
