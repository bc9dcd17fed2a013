"""Depth snapshots of the lead over HTTP: one for each book whose diffs wait for it, with a bounded rate.

Binance counts a snapshot of 500 levels as 10 of 2,400 a minute (spot 25 of 6,000), and answers with a state
that may lie before the first buffered diff; then the next one is asked for, later and later.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
from loguru import logger

from mmpipe.clock import Clock
from mmpipe.venue.binance import BinanceDecoder
from stages.feed_links import FeedLink

PATHS: Final = {"usdm": "/fapi/v1/depth", "spot": "/api/v3/depth"}
LEVELS: Final = 500  # the book keeps 512 a side
TIMEOUT_S: Final = 5.0
LOOK_INTERVAL_S: Final = 0.1
WAIT_MIN_S: Final = 0.2  # between two snapshots, of all symbols
WAIT_MAX_S: Final = 10.0


class LeadDepth:
    """Asks for snapshots until no book waits.

    Parameters
    ----------
    url : str
        Base address of the lead's HTTP interface.
    market : str
        usdm or spot.
    link : FeedLink
        Its decoder knows which books wait.
    on_snapshot : callable
        Gets link, symbol, body and time of receipt; the caller hands it to the decoder and publishes.
    clock : Clock
        Stamps answers.
    """

    def __init__(
        self,
        url: str,
        market: str,
        link: FeedLink,
        on_snapshot: Callable[[FeedLink, int, bytes, int], None],
        clock: Clock,
    ) -> None:
        self._url = url.rstrip("/") + PATHS[market]
        self._link = link
        self._names = link.names
        assert isinstance(link.decoder, BinanceDecoder)
        self._decoder = link.decoder
        self._on_snapshot = on_snapshot
        self._clock = clock
        self._failures = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Look for waiting books until `stop`."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not stop.is_set():
                waiting = [
                    symbol for symbol in range(len(self._names)) if self._decoder.has_waiting_diffs(symbol)
                ]
                for symbol in waiting:
                    await self._fetch(session, symbol)
                    await asyncio.sleep(min(WAIT_MIN_S * 2**self._failures, WAIT_MAX_S))
                await asyncio.sleep(LOOK_INTERVAL_S)

    async def _fetch(self, session: aiohttp.ClientSession, symbol: int) -> None:
        name = self._names[symbol]
        query = {"symbol": name, "limit": str(LEVELS)}
        try:
            async with session.get(self._url, params=query) as response:
                body = await response.read()
                if response.status != 200:
                    raise aiohttp.ClientError(
                        f"HTTP {response.status}: {body[:200].decode(errors='replace')}"
                    )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.warning("{}: no depth snapshot of {}: {!r}; asking again", self._url, name, error)
            self._failures = min(self._failures + 1, 10)
            return
        self._on_snapshot(self._link, symbol, body, self._clock.now_ns())
        self._failures = min(self._failures + 1, 10) if self._decoder.needs_snapshot(symbol) else 0
