"""The lead market over HTTP: order books and time of USD-M futures and of spot, with Binance's errors."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.lead_views import SPOT, USDM, Dialect

USDM_LIMITS: Final = ("5", "10", "20", "50", "100", "500", "1000")
USDM_LIMIT: Final = "500"  # when none is given
SPOT_LIMIT: Final = "100"
SPOT_LIMIT_MAX: Final = 5_000  # more is asked in vain, not an error
_DIGITS_MAX: Final = 9
_encode = msgspec.json.Encoder().encode


class LeadDoor:
    """Requests of clients of the lead market.

    Parameters
    ----------
    feed : LeadFeed
        Keeps the books.
    now_ms : callable
        The venue's clock.
    """

    def __init__(self, feed: LeadFeed, now_ms: Callable[[], int]) -> None:
        self._feed = feed
        self._now_ms = now_ms

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        return [
            web.get("/fapi/v1/depth", self._usdm_depth),
            web.get("/fapi/v1/time", self._time),
            web.get("/lead-spot/api/v3/depth", self._spot_depth),
            web.get("/lead-spot/api/v3/time", self._time),
        ]

    async def _usdm_depth(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", USDM_LIMIT)
        return await self._depth(request, USDM, int(limit) if limit in USDM_LIMITS else 0)

    async def _spot_depth(self, request: web.Request) -> web.Response:
        limit = request.query.get("limit", SPOT_LIMIT)
        plain = limit.isascii() and limit.isdigit() and len(limit) <= _DIGITS_MAX
        return await self._depth(request, SPOT, min(int(limit), SPOT_LIMIT_MAX) if plain else 0)

    async def _depth(self, request: web.Request, dialect: Dialect, limit: int) -> web.Response:
        symbol = request.query.get("symbol", "")
        if not symbol:
            text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            return _refused(-1102, text)
        if limit <= 0:
            return _refused(-1130, "Data sent for parameter 'limit' is not valid.")
        try:
            return _json(await self._feed.snapshot(dialect, symbol, limit))
        except KeyError:
            return _refused(-1121, "Invalid symbol.")

    async def _time(self, _: web.Request) -> web.Response:
        return _json({"serverTime": self._now_ms()})


def _refused(code: int, text: str) -> web.Response:
    return _json({"code": code, "msg": text}, 400)


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=_encode(answer), status=status, content_type="application/json")
