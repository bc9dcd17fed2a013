"""Asks the venues for their time now and then, so that skew is known and not guessed from delays."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec
from loguru import logger

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.enums import Venue
from stages.context import Context

TIMEOUT_S: Final = 5.0
PATHS: Final = {"usdm": "/fapi/v1/time", "spot": "/api/v3/time"}
_RETRY_S: Final = 5.0

OnAnswer = Callable[[Venue, int, int, int], None]


class _MakerTime(msgspec.Struct):
    time: int


class _LeadTime(msgspec.Struct):
    serverTime: int


class VenueTime:
    """The clocks of both venues over HTTP.

    Parameters
    ----------
    context : Context
        Addresses, and the time between two questions.
    on_answer : callable
        Gets venue and three wall times in ns: asked, heard, and what the venue said.
    clock : Clock
        The local wall clock.
    """

    def __init__(self, context: Context, on_answer: OnAnswer, clock: Clock) -> None:
        self._maker_url = context.feed_url.rstrip("/") + "/info"
        self._lead_url = context.lead_rest_url.rstrip("/") + PATHS[context.config.lead.market]
        self._interval_s = context.config.feed.venue_time_interval_s
        self._clock = clock
        self._on_answer = on_answer

    async def run(self, stop: asyncio.Event) -> None:
        """Ask both until `stop`."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            while not stop.is_set():
                answered = True
                for venue in Venue:
                    answered &= await self._ask(session, venue)
                await asyncio.sleep(self._interval_s if answered else min(_RETRY_S, self._interval_s))

    async def _ask(self, session: aiohttp.ClientSession, venue: Venue) -> bool:
        asked_ns = self._clock.wall_ns()
        try:
            if venue == Venue.MAKER:
                request = session.post(self._maker_url, json={"type": "exchangeStatus"})
            else:
                request = session.get(self._lead_url)
            async with request as response:
                body = await response.read()
            heard_ns = self._clock.wall_ns()
            if venue == Venue.MAKER:
                stamp_ms = msgspec.json.decode(body, type=_MakerTime).time
            else:
                stamp_ms = msgspec.json.decode(body, type=_LeadTime).serverTime
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            logger.warning("{} does not tell its time: {!r}; asking again", venue.name.lower(), error)
            return False
        self._on_answer(venue, asked_ns, heard_ns, stamp_ms * NS_PER_MS)
        return True
