"""venue: the embedded exchange as a supervised process beside the line."""

import asyncio
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from loguru import logger

from mmpipe.config import LogConfig
from mmpipe.errors import MmpipeError
from mmpipe.venue.sim.server import serve
from mmpipe.venue.sim.settings import VenueSettings
from ringbuf.jit import warm
from stages.process import die_with_parent, use_side_cores
from stages.telemetry import LogShipper


def process(settings: VenueSettings, log: LogConfig, answer: Connection, telemetry: Any) -> None:
    """Serve until SIGTERM; sends `("ready", url)` or `("error", text, exit code)` once.

    Parameters
    ----------
    settings : VenueSettings
        Address, markets, accounts.
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
        uvloop.run(_serve_until_told(settings, answer))
    except MmpipeError as error:
        answer.send(("error", str(error), error.exit_code))
        sys.exit(error.exit_code)
    except Exception as error:
        logger.opt(exception=error).critical("venue died: {}", error)
        shipper.flush(0.5)
        sys.exit(1)


async def _serve_until_told(settings: VenueSettings, answer: Connection) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(settings, lambda url: answer.send(("ready", url)), stop)
