"""The local socket on which a user's own models speak: a JSON line in, a JSON line out.

It has a thread of its own, asleep unless somebody speaks, so that the duty cycle of alpha never waits for a
socket; what it accepts waits in an inbox for the boundary of a batch. The thread takes one line of each
connection in turn, and pauses between turns: whoever sends fast, slowly, half a line, or without reading the
answers gets his own share of it and nobody else's. A connection that has nothing valid to say gives way when
there is no room for another.
"""

import os
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from loguru import logger

from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.clock import Clock
from mmpipe.enums import SignalRefusal

SOCKET_FILE: Final = "signals.sock"
LINE_BYTES_MAX: Final = 4096
CONNECTIONS_MAX: Final = 16
BACKLOG: Final = 128  # connections that wait for a turn; beyond it the system refuses them
WAITING_MAX: Final = 256  # accepted signals; alpha takes them ten times a second and more
IDLE_S: Final = 60.0  # without a valid line, after which a connection gives way to a new one
TURN_PAUSE_S: Final = 0.001  # between turns: a flood must not take the interpreter from alpha
REFUSED_PAUSE_S: Final = 0.01  # of a connection after a refusal, and of new ones after one was turned away
BROKEN_PAUSE_S: Final = 1.0  # before the next try when the system has no connection to give


class SignalInbox:
    """Accepted signals on their way from the thread of the socket to the batches of alpha.

    Attributes
    ----------
    desk : ExternalDesk
        Judges the requests; that thread is the only one that asks it.
    """

    def __init__(self, desk: ExternalDesk, clock: Clock) -> None:
        self.desk = desk
        self._clock = clock
        self._waiting: deque[np.ndarray] = deque()

    def offer(self, line: bytes) -> dict[str, Any]:
        """Judge a request; the answer for its sender."""
        if len(line) > LINE_BYTES_MAX:
            return self.desk.refuse(SignalRefusal.TOO_LONG, f"a line is at most {LINE_BYTES_MAX} bytes")
        if len(self._waiting) >= WAITING_MAX:
            return self.desk.refuse(
                SignalRefusal.NOT_TAKEN, "alpha takes no signals at the moment; is the line running?"
            )
        answer, row = self.desk.judge(line, self._clock.now_ns())
        if row is not None:
            self._waiting.append(row)
        return answer

    def take(self) -> np.ndarray | None:
        """The oldest accepted signal, EXTERNAL_SIGNAL of shape (1,), or None."""
        return self._waiting.popleft() if self._waiting else None


class _Connection:
    # One that speaks: what came and is not judged yet, what it has not read yet, when it was last sensible.
    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self.channel = channel
        self.heard = bytearray()
        self.unsent = b""
        self.last_s = time.monotonic()  # of its last valid line; before one, of its beginning
        self.sensible = False
        self.ended = False  # it says no more
        self.rests_until_s = 0.0

    def line(self) -> bytes:
        # The next line, whole, the last one of all, or too long to go on; empty: not yet.
        end = self.heard.find(b"\n") + 1
        if not end and (self.ended or len(self.heard) > LINE_BYTES_MAX):
            end = len(self.heard)
        found = bytes(self.heard[:end])
        del self.heard[:end]
        return found

    @property
    def may_speak(self) -> bool:
        return not self.unsent and (b"\n" in self.heard or self.ended or len(self.heard) > LINE_BYTES_MAX)

    def receive(self) -> None:
        part = self.channel.recv(LINE_BYTES_MAX + 1 - len(self.heard))
        self.heard += part
        self.ended = not part

    def answer(self, answer: dict[str, Any]) -> None:
        self.unsent += msgspec.json.encode(answer) + b"\n"
        self.send()

    def send(self) -> None:
        with suppress(BlockingIOError):  # its answers are not read: it is not heard until they are
            self.unsent = self.unsent[self.channel.send(self.unsent) :]


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
        self._connections: list[_Connection] = []
        self._deaf_until_s = 0.0  # to new connections
        path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        previous = os.umask(0o177)
        try:
            self._server.bind(str(path))
        finally:
            os.umask(previous)
        self._server.setblocking(False)
        self._server.listen(BACKLOG)

    def start(self) -> None:
        """Listen from now on."""
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def _listen(self) -> None:
        while True:
            ready = self._wait()
            now_s = time.monotonic()
            if self._server in ready:
                self._accept(now_s)
            for connection in list(self._connections):
                try:
                    self._serve(connection, connection.channel in ready, now_s)
                except OSError:
                    self._leave(connection)
            time.sleep(TURN_PAUSE_S)

    def _wait(self) -> set[Any]:
        # Sleep until there is something to do, and return the channels that are ready.
        now_s, wake_s = time.monotonic(), float("inf")
        with selectors.PollSelector() as waiting:
            if self._deaf_until_s > now_s:
                wake_s = self._deaf_until_s
            else:
                waiting.register(self._server, selectors.EVENT_READ)
            for connection in self._connections:
                if connection.rests_until_s > now_s:
                    wake_s = min(wake_s, connection.rests_until_s)
                elif connection.unsent:
                    waiting.register(connection.channel, selectors.EVENT_WRITE)
                elif connection.may_speak:
                    wake_s = now_s
                else:
                    waiting.register(connection.channel, selectors.EVENT_READ)
            timeout_s = None if wake_s == float("inf") else wake_s - now_s
            return {key.fileobj for key, _ in waiting.select(timeout_s)}

    def _accept(self, now_s: float) -> None:
        try:
            connection = _Connection(self._server.accept()[0])
        except BlockingIOError:
            return  # it left again
        except OSError as error:
            logger.error("signals: no new connection can be made: {}", error)
            self._deaf_until_s = now_s + BROKEN_PAUSE_S
            return
        if len(self._connections) >= CONNECTIONS_MAX:
            self._deaf_until_s = now_s + REFUSED_PAUSE_S
            if not self._make_room(now_s):
                text = f"{CONNECTIONS_MAX} connections are open and in use; share one of them"
                self._turn_away(connection, SignalRefusal.TOO_MANY_CONNECTIONS, text)
                return
        self._connections.append(connection)

    def _make_room(self, now_s: float) -> bool:
        # Those who never said anything valid go first, the oldest of them; then who was last heard long ago.
        first = min(self._connections, key=lambda one: (one.sensible, one.last_s))
        if first.sensible and now_s - first.last_s <= IDLE_S:
            return False
        self._connections.remove(first)
        self._turn_away(first, SignalRefusal.GAVE_WAY, "this connection was idle and gave way to another")
        return True

    def _turn_away(self, connection: _Connection, reason: SignalRefusal, text: str) -> None:
        answer = self._inbox.desk.refuse(reason, text)
        with suppress(OSError):  # it does not listen
            connection.answer(answer)
        connection.channel.close()

    def _serve(self, connection: _Connection, ready: bool, now_s: float) -> None:
        if connection.rests_until_s > now_s:
            return
        if connection.unsent:
            if ready:
                connection.send()
            return
        if ready:
            connection.receive()
        line = connection.line()
        if line:
            answer = self._inbox.offer(line)
            if answer["ok"]:
                connection.sensible, connection.last_s = True, now_s
            else:
                connection.rests_until_s = now_s + REFUSED_PAUSE_S
            connection.answer(answer)
        if len(line) > LINE_BYTES_MAX or (connection.ended and not connection.heard):
            self._leave(connection)  # where the next line begins is not known, or there is none

    def _leave(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        connection.channel.close()
