"""The embedded exchange serving on a free port of this machine, in a thread with a loop of its own."""

import asyncio
import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Any

from mmpipe.venue.sim.server import serve
from tests.mmpipe.venue.sim.trader import settings

DEADLINE_S = 120.0


class RunningVenue:
    """Use with `with`; `url` is where it listens."""

    def __init__(self, **changes: Any) -> None:
        self._settings = settings(**changes)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="venue")
        self._error: BaseException | None = None

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await serve(self._settings, self._announce, self._stop)
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    def _announce(self, url: str, ask: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.url = url
        self._ask = ask
        self._ready.set()

    def __enter__(self) -> "RunningVenue":
        self._thread.start()
        assert self._ready.wait(DEADLINE_S), "the venue did not start"
        if self._error is not None:
            raise self._error
        return self

    def control(self, **request: Any) -> dict[str, Any]:
        """What an operator's request answers, asked in the venue's own loop."""

        async def ask() -> dict[str, Any]:
            return self._ask(request)

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(DEADLINE_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "the venue did not stop"
        assert self._error is None, self._error


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = 60.0) -> Any:
    """The first true value of `condition`, looked at again and again until the deadline."""
    end = monotonic() + deadline_s
    pause = threading.Event()
    while monotonic() < end:
        value = condition()
        if value:
            return value
        pause.wait(0.01)
    raise AssertionError(f"not within {deadline_s} s: {what}")
