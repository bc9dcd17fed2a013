"""The local socket on which a user's own models speak: a JSON line in, a JSON line out.

It has a thread of its own, asleep unless somebody speaks, so that the duty cycle of alpha never waits for a
socket; what it accepts waits in an inbox for the boundary of a batch. A connection may send many lines, one
after the other; what it sends without reading the answers is not read on.
"""

import contextlib
import os
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from loguru import logger

from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.clock import Clock

SOCKET_FILE: Final = "signals.sock"
LINE_BYTES_MAX: Final = 4096
CONNECTIONS_MAX: Final = 16
WAITING_MAX: Final = 256  # accepted signals; alpha takes them ten times a second and more
REFUSED_PAUSE_S: Final = (
    0.01  # after a refusal: a client that floods must not take the interpreter from alpha
)


class SignalInbox:
    """Accepted signals on their way from the thread of the socket to the batches of alpha.

    Attributes
    ----------
    desk : ExternalDesk
        Judges the requests.
    """

    def __init__(self, desk: ExternalDesk, clock: Clock) -> None:
        self.desk = desk
        self._clock = clock
        self._lock = threading.Lock()  # connections judge one after the other; alpha never takes it
        self._waiting: deque[np.ndarray] = deque()

    def offer(self, line: bytes) -> dict[str, Any]:
        """Judge a request; the answer for its sender."""
        with self._lock:
            if len(line) > LINE_BYTES_MAX:
                return self.desk.refuse(f"a line is at most {LINE_BYTES_MAX} bytes")
            if len(self._waiting) >= WAITING_MAX:
                return {"ok": False, "detail": "alpha takes no signals at the moment; is the line running?"}
            answer, row = self.desk.judge(line, self._clock.now_ns())
            if row is not None:
                self._waiting.append(row)
            return answer

    def take(self) -> np.ndarray | None:
        """The oldest accepted signal, EXTERNAL_SIGNAL of shape (1,), or None."""
        return self._waiting.popleft() if self._waiting else None


class SignalSocket:
    """Listens in a thread that ends with the process.

    Parameters
    ----------
    path : Path
        Of the socket; only this user may speak there.
    inbox : SignalInbox
        Judges what is said.
    """

    def __init__(self, path: Path, inbox: SignalInbox) -> None:
        self._inbox = inbox
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)
        path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            self._server.bind(str(path))
        finally:
            os.umask(previous)
        self._server.listen(CONNECTIONS_MAX)

    def start(self) -> None:
        """Listen from now on."""
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def _listen(self) -> None:
        while True:
            self._slots.acquire()  # one too many waits until another leaves
            try:
                connection, _ = self._server.accept()
            except OSError as error:
                logger.error("signals are not heard any more: {}", error)
                return
            threading.Thread(target=self._serve, args=(connection,), name="signal", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
                while line := lines.readline(LINE_BYTES_MAX + 1):
                    answer = self._inbox.offer(line)
                    connection.sendall(msgspec.json.encode(answer) + b"\n")
                    if len(line) > LINE_BYTES_MAX:
                        return  # where the next line begins is not known
                    if not answer["ok"]:
                        time.sleep(REFUSED_PAUSE_S)
        finally:
            self._slots.release()
