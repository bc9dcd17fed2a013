"""The maker venue over HTTP: `/info` and `/exchange`, with a bound on every wait and on every answer.

One error class says that a request has no usable answer; whether it took effect is then unknown. Nothing
is ever repeated here.
"""

import urllib.error
import urllib.request
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

from mmpipe.errors import VenueError

ANSWER_SIZE_MAX: Final = 16 << 20  # bytes; 2,000 fills are about 700 kB
_CHUNK_SIZE: Final = 1 << 16
_ERROR_TEXT_SIZE: Final = 200


class RestError(VenueError):
    """No usable answer: not reached, too late, too large, or a status other than 200."""


class RestClient:
    """Requests to one venue; use it with `async with`.

    Parameters
    ----------
    url : str
        Base URL without a trailing slash.
    timeout_s : float
        Bound on a whole request, connecting included.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s, sock_read=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout, headers={"Content-Type": "application/json"}
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def info(self, request: dict[str, Any]) -> bytes:
        """Body of the answer to an info request; `RestError` when there is none."""
        return await self._post("/info", msgspec.json.encode(request))

    async def exchange(self, body: bytes) -> bytes:
        """Body of the answer to a signed action; `RestError` leaves its outcome unknown."""
        return await self._post("/exchange", body)

    async def _post(self, path: str, body: bytes) -> bytes:
        where = f"POST {self._url}{path}"
        if self._session is None:
            raise RestError(f"{where}: the session is not open; use `async with`")
        try:
            async with self._session.post(self._url + path, data=body) as response:
                answer = bytearray()
                async for chunk in response.content.iter_chunked(_CHUNK_SIZE):
                    answer += chunk
                    if len(answer) > ANSWER_SIZE_MAX:
                        raise RestError(f"{where}: more than {ANSWER_SIZE_MAX} bytes; ask for less")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RestError(f"{where}: {error!r}; check venue.url and the network") from error
        if response.status != 200:
            text = bytes(answer[:_ERROR_TEXT_SIZE]).decode("utf-8", "replace")
            raise RestError(f"{where}: HTTP {response.status}: {text}")
        return bytes(answer)


def fetch_info(url: str, request: dict[str, Any], timeout_s: float) -> Any:
    """One info request without an event loop, for commands.

    Parameters
    ----------
    url : str
        Base URL of the venue.
    request : dict
        For instance `{"type": "meta"}`.
    timeout_s : float
        Bound on each wait for the socket.

    Returns
    -------
    object
        The decoded JSON.

    Raises
    ------
    RestError
        If there is no usable answer.
    """
    where = f"POST {url.rstrip('/')}/info"
    if not url.startswith(("http://", "https://")):
        raise RestError(f"{where}: not an http URL; correct venue.url")
    post = urllib.request.Request(
        url.rstrip("/") + "/info", msgspec.json.encode(request), {"Content-Type": "application/json"}
    )
    # No proxies from the environment: the embedded venue is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(post, timeout=timeout_s) as response:
            return msgspec.json.decode(response.read(ANSWER_SIZE_MAX))
    except (urllib.error.URLError, TimeoutError, OSError, RecursionError, ValueError) as error:
        raise RestError(f"{where}: {error!r}; check venue.url and that the venue runs") from error
