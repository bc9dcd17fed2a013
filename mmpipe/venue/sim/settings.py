"""What the embedded exchange is started with, and the keys that work when nothing is configured."""

import hashlib
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.profiles import Profile


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One embedded exchange.

    Attributes
    ----------
    host, port : str, int
        Where it listens; port 0 is any free one.
    scenario, seed : str, int
        Its market; the same pair is the same market until somebody trades.
    coins, leads : tuple of str
        Markets, in the order of their asset index, and their names at the lead venue.
    profile : Profile
        Cadences, delays and limits.
    deposit_usdc : float
        On every account.
    accounts : tuple of str
        Master addresses.
    agents : dict
        Address of an API wallet to the master address it trades for.
    vaults : dict
        Address of a vault to the master address that leads it.
    """

    host: str
    port: Annotated[int, Meta(ge=0, le=65_535)]
    scenario: str
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    coins: tuple[str, ...]
    leads: tuple[str, ...]
    profile: Profile
    deposit_usdc: Annotated[float, Meta(gt=0.0, le=1e9)]
    accounts: tuple[str, ...]
    agents: dict[str, str]
    vaults: dict[str, str] = {}

    def with_accounts(self, addresses: tuple[str, ...]) -> "VenueSettings":
        """The same exchange with more accounts."""
        return msgspec.structs.replace(self, accounts=self.accounts + addresses)


class DemoKeys(NamedTuple):
    """Private keys of the demo account and its two API wallets. Public knowledge, worth nothing."""

    master: bytes
    execution: bytes
    risk: bytes


_DEMO_TEXT: Final = b"mmpipe demo key, public and worthless: "


def demo_keys() -> DemoKeys:
    """The same three keys on every machine; never use them where there is money."""
    return DemoKeys(
        *(hashlib.sha256(_DEMO_TEXT + name).digest() for name in (b"master", b"execution", b"risk"))
    )


def demo_agents() -> dict[str, str]:
    """`VenueSettings.agents` of the demo account: both API wallets trade for the master."""
    keys = demo_keys()
    master = address_of(keys.master)
    return {address_of(keys.execution): master, address_of(keys.risk): master}


def demo_vaults() -> dict[str, str]:
    """`VenueSettings.vaults` of the demo account: one vault that it leads."""
    vault = hashlib.sha256(_DEMO_TEXT + b"vault").digest()
    return {address_of(vault): address_of(demo_keys().master)}
