"""`mmpipe venue`: the embedded exchange alone."""

import asyncio
import signal
from pathlib import Path

import uvloop

from mmpipe import config as configuration
from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.server import serve
from mmpipe.venue.sim.settings import VenueSettings, demo_keys
from ringbuf.jit import warm
from stages.preflight import embedded_settings


def run_venue(config_path: Path, scenario: str, seed: int, port: int) -> None:
    """Serve the configured markets until Ctrl-C; prints the URL and the demo keys.

    Raises
    ------
    MmpipeError
        Wrong configuration, unknown scenario, or a port in use.
    """
    overrides: dict[str, object] = {"venue.kind": "embedded", "venue.mode": "paper"}
    if scenario:
        overrides["venue.scenario"] = scenario
    if seed >= 0:
        overrides["venue.seed"] = seed
    if port >= 0:
        overrides["venue.port"] = port
    settings, _, _ = embedded_settings(configuration.load(config_path, overrides))
    assert settings is not None, "an embedded venue has settings"
    warm(freeze=True)
    uvloop.run(_serve(settings))


async def _serve(settings: VenueSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keys = demo_keys()

    def announce(url: str) -> None:
        print(f"{url}   scenario {settings.scenario}, seed {settings.seed}", flush=True)
        print(f"demo account {address_of(keys.master)}, key 0x{keys.master.hex()} (worthless)", flush=True)

    await serve(settings, announce, stop)
