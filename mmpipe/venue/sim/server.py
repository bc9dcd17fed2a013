"""The embedded exchange on one port: POST /info and /exchange, GET /ws, and the lead market beside it.

Bad input is answered and never changes state. One task runs the blocks; requests wait for the block that
processed them.
"""

import asyncio
import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock
from mmpipe.errors import PreflightError
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.http_door import HttpDoor
from mmpipe.venue.sim.lead_door import LeadDoor
from mmpipe.venue.sim.lead_feed import ROUTES
from mmpipe.venue.sim.publisher import Publisher
from mmpipe.venue.sim.settings import VenueSettings, demo_keys
from mmpipe.venue.sim.socket_door import SocketDoor

__all__ = ["VenueSettings", "demo_keys", "serve"]

MESSAGE_SIZE_MAX: Final = 1 << 20
OPENING_MS: Final = 10_000  # of market that is over before anybody can connect
LATE_BLOCKS_MAX: Final = 10  # a longer pause of the process is not caught up with
SERIAL_EPOCH_S: Final = 1_700_000_000
SERIALS_PER_S: Final = 1_000  # more orders than this per second never happen

Ask = Callable[[dict[str, Any]], dict[str, Any]]


async def serve(settings: VenueSettings, ready: Callable[[str, Ask], None], stop: asyncio.Event) -> None:
    """Run the exchange until `stop` is set.

    Parameters
    ----------
    settings : VenueSettings
        Checked by its types.
    ready : callable
        Called once, when requests are answered, with the URL and with a function that does what an operator
        asks (see `Controls.answer`).
    stop : Event
        Set to end.

    Raises
    ------
    PreflightError
        If the port cannot be listened on.
    UsageError, ConfigError
        If there is no such scenario, or it asks for what this exchange cannot do.
    """
    venue = _Venue(settings, MonotonicClock())
    venue.open_market()
    runner = web.AppRunner(venue.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    blocks = asyncio.create_task(venue.run_blocks(), name="blocks")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        ready(await _listen(runner, settings), venue.controls.answer)
        await asyncio.wait((blocks, stopped), return_when=asyncio.FIRST_COMPLETED)
        if blocks.done():
            blocks.result()
    finally:
        blocks.cancel()
        stopped.cancel()
        venue.sockets.hang_up()
        await runner.cleanup()
        with suppress(asyncio.CancelledError):
            await blocks


async def _listen(runner: web.AppRunner, settings: VenueSettings) -> str:
    site = web.TCPSite(runner, settings.host, settings.port)
    where = f"{settings.host}:{settings.port}"
    try:
        await site.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"venue: {where} is in use; stop what listens there or set venue.port"
        else:
            text = f"venue: cannot listen on {where}: {error.strerror}; check venue.host"
        raise PreflightError(text) from error
    return f"http://{settings.host}:{runner.addresses[0][1]}"


class _Venue:
    def __init__(self, settings: VenueSettings, clock: Clock) -> None:
        first_serial = (clock.wall_ns() // NS_PER_S - SERIAL_EPOCH_S) * SERIALS_PER_S
        self._clock = clock
        self._profile = settings.profile
        self._exchange = Exchange(settings, first_serial)
        self._publisher = publisher = Publisher(self._exchange)
        self.controls = publisher.controls
        self._http = HttpDoor(
            publisher.desk,
            self._exchange,
            publisher.delivery,
            publisher.faults,
            publisher.clients,
            self.now_ms,
        )
        self.sockets = SocketDoor(
            publisher.desk, self._http, publisher.subscriptions, publisher.lead, publisher.topics,
            publisher.faults, publisher.clients, clock,
        )  # fmt: skip

    def now_ms(self) -> int:
        # The venue's clock, which a fault may have skewed.
        skew = self._publisher.faults.holds("clock_skew")
        return self._clock.wall_ns() // NS_PER_MS + (skew.ms if skew is not None else 0)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MESSAGE_SIZE_MAX)
        app.router.add_post("/info", self._http.info)
        app.router.add_post("/exchange", self._http.action)
        app.router.add_get("/ws", self.sockets.maker)
        for route in ROUTES:
            app.router.add_get(f"/{route}/stream", self.sockets.lead)
        app.router.add_routes(LeadDoor(self._publisher.lead, self.now_ms).routes())
        return app

    def open_market(self) -> None:
        # A client of the first second finds a book and a history of trades, and kernels that are compiled.
        for age_ms in range(OPENING_MS, 0, -self._profile.block_ms):
            self._publisher.publish(self._exchange.run_block(self.now_ms() - age_ms))

    async def run_blocks(self) -> None:
        block_ns = self._profile.block_ms * NS_PER_MS
        due_ns = self._clock.now_ns()
        self._publisher.begin_turns(due_ns)
        while True:
            due_ns += block_ns
            late_ns = self._clock.now_ns() - due_ns
            if late_ns > LATE_BLOCKS_MAX * block_ns:
                due_ns += late_ns
            await asyncio.sleep(max(-late_ns, 0) / NS_PER_S)
            now_ms = self.now_ms()
            self.controls.tick(now_ms, self.sockets.attended)
            result = self._exchange.run_block(now_ms)
            self._publisher.delivery.begin_block()
            for done, answer in result.answers:
                done(answer)
            self._publisher.publish(result)
            self._publisher.publish_slow(due_ns)
            self.sockets.care()
