"""What is looked up before the first process of the line starts: keys, account, markets."""

from typing import Any, NamedTuple

import msgspec
import numpy as np

from mmpipe import config as configuration
from mmpipe.config import Config, LeadConfig
from mmpipe.errors import PreflightError
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.rest import fetch_info
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.settings import VenueSettings, demo_agents, demo_keys, demo_vaults

INFO_TIMEOUT_S = 10.0
BPS_PER_UNIT = 1e4


class RunKeys(NamedTuple):
    """Keys of this run; empty where the process reads its own key file."""

    execution: str
    risk: str
    account: str


def embedded_settings(config: Config, trades: bool) -> tuple[VenueSettings | None, str, RunKeys]:
    """Settings of the embedded venue, or None for a real one, with the URL and keys of the run.

    Parameters
    ----------
    config : Config
        Of the run.
    trades : bool
        False: only market data is wanted, which takes no keys.

    Raises
    ------
    PreflightError
        A real venue without account or key files.
    """
    venue = config.venue
    if venue.kind == "hyperliquid" and not trades:
        return None, venue.url, RunKeys("", "", "")
    if venue.kind == "hyperliquid":
        for key in ("account", "execution_key_file", "risk_key_file"):
            if not getattr(venue, key):
                raise PreflightError(f"venue.{key} is empty: venue.kind = 'hyperliquid' needs it")
        if venue.execution_key_file == venue.risk_key_file:
            raise PreflightError("venue.risk_key_file must be another API wallet: nonces are counted per key")
        return None, venue.url, RunKeys("", "", venue.account)
    keys = demo_keys()
    master = address_of(keys.master)
    settings = VenueSettings(
        host=venue.host,
        port=venue.port,
        scenario=venue.scenario,
        seed=venue.seed,
        coins=tuple(symbol.coin for symbol in config.symbol),
        leads=tuple(symbol.lead for symbol in config.symbol),
        profile=load_profile(venue.profile),
        deposit_usdc=venue.deposit_usdc,
        accounts=(master,),
        agents=demo_agents(),
        vaults=demo_vaults(),
    )
    return settings, "", RunKeys(keys.execution.hex(), keys.risk.hex(), master)


def venue_instruments(config: Config, venue_url: str) -> np.ndarray:
    """INSTRUMENT rows of the configured coins, as the venue describes them.

    Raises
    ------
    PreflightError
        The venue does not answer, or does not list a coin.
    """
    meta: Any = fetch_info(venue_url, {"type": "meta"}, INFO_TIMEOUT_S)
    return parse_meta(meta, [symbol.coin for symbol in config.symbol])


def with_venue_fees(config: Config, venue_url: str, account: str) -> Config:
    """The configuration with the fees the venue really takes; as configured where it says none.

    Raises
    ------
    ConfigError
        A fee is outside what the configuration allows.
    """
    fees: Any = fetch_info(venue_url, {"type": "userFees", "user": account}, INFO_TIMEOUT_S)
    tree = msgspec.to_builtins(config)
    for key, rate in (("maker_fee_bps", "userAddRate"), ("taker_fee_bps", "userCrossRate")):
        if isinstance(fees, dict) and rate in fees:
            tree["execution"][key] = round(float(fees[rate]) * BPS_PER_UNIT, 6)
    return configuration.check(tree, f"{venue_url} userFees")


def lead_addresses(lead: LeadConfig, venue_url: str) -> tuple[str, str, str]:
    """Addresses of the lead: best quotes and depth, trades, HTTP; the embedded one's where it plays."""
    if lead.kind != "embedded":
        return lead.public_url, lead.market_url, lead.rest_url
    websocket = "ws" + venue_url.removeprefix("http")
    if lead.market == "spot":
        stream = f"{websocket}/lead-spot/stream"
        return stream, stream, f"{venue_url}/lead-spot"
    return f"{websocket}/public/stream", f"{websocket}/market/stream", venue_url
