"""One 0600 Unix socket per controllable process: a JSON line in, a JSON line out."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmpipe.errors import DeadlineError, NotRunningError

REQUEST_BYTES_MAX = 4096
ANSWER_BYTES_MAX = 1 << 20


class ControlServer:
    """Answers requests in the event loop of its process; a malformed one is answered, not obeyed."""

    def __init__(self, path: Path, on_request: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._path = path
        self._on_request = on_request

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        self._path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, str(self._path), limit=REQUEST_BYTES_MAX)
        finally:
            os.umask(previous)
        async with server:
            await stop.wait()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(5.0):
                try:
                    request = json.loads(await reader.readline())
                    answer = self._on_request(request if isinstance(request, dict) else {})
                except (ValueError, RecursionError):
                    answer = {"ok": False, "detail": "a request is one line of JSON"}
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()


def ask(path: Path, request: dict[str, str], timeout_s: float = 5.0) -> dict[str, Any]:
    """Send one request to a control socket and return its answer.

    Raises
    ------
    NotRunningError
        Nobody listens there.
    DeadlineError
        The process did not answer in time.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n") and len(answer) < ANSWER_BYTES_MAX:
                chunk = connection.recv(65_536)
                if not chunk:
                    break
                answer += chunk
    except TimeoutError as error:
        raise DeadlineError(
            f"{path.stem} did not answer within {timeout_s} s; see `mmpipe status`"
        ) from error
    except OSError as error:
        raise NotRunningError(f"nothing listens at {path}; is the pipeline running?") from error
    try:
        decoded: dict[str, Any] = json.loads(answer)
    except ValueError as error:
        raise DeadlineError(
            f"{path.stem} hung up in the middle of its answer; see `mmpipe status`"
        ) from error
    return decoded
