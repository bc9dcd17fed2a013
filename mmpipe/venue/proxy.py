"""A proxy between feed and venue that knows what it passes, and gets it wrong when told to.

Without faults it is transparent: requests, answers, frames in both directions, refusals and close codes pass
as they are. What can go wrong, and to which frames, is in `proxy_faults`; how, in `proxy_tunnel`.

    proxy = ChaosProxy("http://127.0.0.1:8765", seed=7, clock=MonotonicClock())
    await proxy.start("127.0.0.1", 0)
    proxy.schedule(Fault("drop", "bbo:BTC", count=3))        # a client of proxy.url misses three quotes
    await proxy.close()
"""

import errno
from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp import web
from loguru import logger

from mmpipe.clock import Clock
from mmpipe.errors import PreflightError
from mmpipe.venue.proxy_faults import Fault, FaultPlan
from mmpipe.venue.proxy_tunnel import Client, Tunnel, Venue

OVERSIZE_BYTES: Final = (16 << 20) + 1  # more than any `feed.message_size_max`
BODY_SIZE_MAX: Final = 64 << 20
CONNECT_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 0.5
# Headers that speak of one connection and not of the message; each side has its own.
_OWN: Final = frozenset(
    {"connection", "keep-alive", "upgrade", "host", "te", "trailer", "transfer-encoding", "content-length",
     "proxy-connection", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions",
     "sec-websocket-accept", "sec-websocket-protocol"}
)  # fmt: skip


class ChaosProxy:
    """Stands between clients and one venue.

    Parameters
    ----------
    upstream : str
        URL of the venue, `http://host:port`.
    seed : int
        Of what is left to chance: how frames are damaged.
    clock : Clock
        Stamps the history and measures what lasts.
    oversize_bytes : int
        What an oversized frame is padded to; more than the client takes.

    Attributes
    ----------
    url : str
        Where clients connect instead; empty before `start`.
    """

    def __init__(self, upstream: str, seed: int, clock: Clock, oversize_bytes: int = OVERSIZE_BYTES) -> None:
        self._upstream = upstream.rstrip("/")
        self._clock = clock
        self._oversize_bytes = oversize_bytes
        self._plan = FaultPlan(seed, clock)
        self._tunnels: dict[Tunnel, None] = {}
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def injected(self) -> dict[tuple[str, str], int]:
        """Frames struck so far, by (kind, stream)."""
        return dict(self._plan.injected)

    @property
    def history(self) -> list[tuple[int, str, str]]:
        """Each strike as (ts_ns, kind, stream), in their order; monotonic time."""
        return list(self._plan.history)

    @property
    def damages(self) -> list[tuple[int, str, str]]:
        """What each `corrupt` did, as (ts_ns, stream, text)."""
        return list(self._plan.damages)

    def schedule(self, fault: Fault) -> None:
        """Let a fault strike the next matching frames; raises `UsageError` if there is no such fault."""
        self._plan.schedule(fault)

    def idle(self) -> bool:
        """Whether every scheduled fault has struck and none is still going on."""
        return not self._plan.is_waiting and all(tunnel.is_quiet for tunnel in self._tunnels)

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 is any free one.

        Raises
        ------
        PreflightError
            If the port cannot be listened on.
        """
        self._session = aiohttp.ClientSession(
            self._upstream,
            # A connection per request: what the venue cuts is then the one the client sees cut.
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=BODY_SIZE_MAX)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_TIMEOUT_S)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.close()
            used = error.errno == errno.EADDRINUSE
            reason = "is in use; give another port" if used else f"cannot be listened on: {error.strerror}"
            raise PreflightError(f"proxy: {host}:{port} {reason}") from error
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Cut every connection and stop listening."""
        for tunnel in list(self._tunnels):
            tunnel.cut()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None, "requests come after the start"
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._tunnel(request, self._session)
            return await self._pass(request, self._session)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The venue hung up or is not there: so do we, since an answer would be ours.
            logger.warning("proxy: {} {}: {!r}", request.method, self._upstream + request.raw_path, error)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)

    async def _pass(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        body = await request.read() if request.can_read_body else None
        async with session.request(
            request.method,
            request.rel_url,
            headers=_shared(request.headers),
            data=body,
            allow_redirects=False,
        ) as answer:
            return web.Response(
                status=answer.status,
                reason=answer.reason,
                headers=_shared(answer.headers),
                body=await answer.read(),
            )

    async def _tunnel(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        protocols = [
            p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if p.strip()
        ]
        try:
            venue = await session.ws_connect(
                request.rel_url,
                protocols=protocols, headers=_shared(request.headers), autoclose=False, autoping=False,
                max_msg_size=0, decode_text=False, timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )  # fmt: skip
        except aiohttp.WSServerHandshakeError as refusal:
            return web.Response(status=refusal.status, headers=_shared(refusal.headers or {}))
        try:
            return await self._join(request, venue)
        finally:
            await venue.close()

    async def _join(self, request: web.Request, venue: Venue) -> Client:
        client: Client = web.WebSocketResponse(
            protocols=[venue.protocol] if venue.protocol else (), autoclose=False, autoping=False,
            compress=False, max_msg_size=0, decode_text=False, timeout=CLOSE_TIMEOUT_S,
        )  # fmt: skip
        await client.prepare(request)
        if request.transport is None:
            raise ConnectionResetError("the client is gone")
        tunnel = Tunnel(
            client, request.transport, venue, request.path, self._plan, self._clock, self._oversize_bytes
        )
        self._tunnels[tunnel] = None
        try:
            await tunnel.run()
        finally:
            del self._tunnels[tunnel]
        return client


def _shared(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in _OWN]
