"""venue: the embedded exchange as a supervised process beside the line, with a control socket for faults."""

import asyncio
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from loguru import logger

from mmpipe.config import LogConfig
from mmpipe.errors import MmpipeError
from mmpipe.venue.sim.server import serve
from mmpipe.venue.sim.settings import VenueSettings
from ringbuf.jit import warm
from stages.control import ControlServer
from stages.process import die_with_parent, use_side_cores
from stages.telemetry import LogShipper

SOCKET = "venue.sock"


def process(
    settings: VenueSettings, folder: Path, log: LogConfig, answer: Connection, telemetry: Any
) -> None:
    """Serve until SIGTERM; sends `("ready", url)` or `("error", text, exit code)` once.

    Parameters
    ----------
    settings : VenueSettings
        Address, markets, accounts.
    folder : Path
        Where its control socket is made.
    log : LogConfig
        Level and rate of its log lines.
    answer : Connection
        Where the supervisor waits for the address.
    telemetry : queue or None
        The shared log queue.
    """
    die_with_parent()
    shipper = LogShipper("venue", log, telemetry)
    use_side_cores()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        warm(freeze=True)
        uvloop.run(_serve_until_told(settings, folder, answer))
    except MmpipeError as error:
        answer.send(("error", str(error), error.exit_code))
        sys.exit(error.exit_code)
    except Exception as error:
        logger.opt(exception=error).critical("venue died: {}", error)
        shipper.flush(0.5)
        sys.exit(1)


async def serve_with_control(
    settings: VenueSettings, folder: Path, announce: Callable[[str], None], stop: asyncio.Event
) -> None:
    """Serve until `stop`; faults are switched through a socket in `folder` (`mmpipe venue ctl`)."""
    control: list[asyncio.Task[None]] = []

    def ready(url: str, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        server = ControlServer(folder / SOCKET, ask)
        control.append(asyncio.create_task(server.run(stop), name="control"))
        announce(url)

    await serve(settings, ready, stop)
    await asyncio.gather(*control)


async def _serve_until_told(settings: VenueSettings, folder: Path, answer: Connection) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve_with_control(settings, folder, lambda url: answer.send(("ready", url)), stop)
