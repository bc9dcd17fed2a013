"""Log lines from many processes to one file, without ever making a stage wait.

A stage's loguru sink puts a finished line into a bounded queue of its own; a thread moves lines to the
shared `faster-fifo` queue, which the learner empties into `mmpipe.log`. A full queue, a reader that is
gone, or more lines a second than allowed cost lines, never time; what was lost is counted.
"""

import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import faster_fifo
from loguru import logger

from mmpipe.config import LogConfig

LINE = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {extra[stage]: <10} {message}"
LOCAL_LINES = 4096
TELEMETRY_BYTES = 1 << 20
PUT_TIMEOUT_S = 0.2
GET_TIMEOUT_S = 0.2


class LineQueue(Protocol):
    """The many-producer queue, as far as it is used here."""

    def put(self, item: bytes, *, timeout: float) -> None: ...

    def get_many(self, *, timeout: float) -> list[bytes]: ...


def telemetry_queue() -> Any:
    """The one many-producer queue of an instance; inherited by the supervisor's children."""
    return faster_fifo.Queue(max_size_bytes=TELEMETRY_BYTES)


class LogShipper:
    """Installs the process's only log sink; `dropped` counts what did not get through."""

    def __init__(self, stage: str, config: LogConfig, shared: LineQueue | None) -> None:
        self.dropped = 0
        self._shared = shared
        self._lines: queue.Queue[str] = queue.Queue(LOCAL_LINES)
        self._rate = config.lines_per_s_max
        self._second = 0
        self._in_second = 0
        logger.remove()
        logger.configure(extra={"stage": stage})
        logger.add(self._take, format=LINE, level=config.level, backtrace=False, diagnose=False)
        if shared is not None:
            threading.Thread(target=self._ship, name="log-shipper", daemon=True).start()

    def flush(self, timeout_s: float) -> None:
        """Wait until the lines taken so far have left this process, at most `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self._lines.empty() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _take(self, message: Any) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        if self._in_second > self._rate and message.record["level"].no < 40:
            self.dropped += 1
            return
        if self._shared is None:
            sys.stderr.write(str(message))
            return
        try:
            self._lines.put_nowait(str(message))
        except queue.Full:
            self.dropped += 1

    def _ship(self) -> None:
        assert self._shared is not None
        while True:
            line = self._lines.get()
            try:
                self._shared.put(line.encode(), timeout=PUT_TIMEOUT_S)
            except queue.Full:
                self.dropped += 1


class LogCollector:
    """The reading end: a thread of the learner that appends every line to the run's log file."""

    def __init__(self, shared: LineQueue, path: Path) -> None:
        self._shared = shared
        self._path = path
        threading.Thread(target=self._collect, name="log-collector", daemon=True).start()

    def _collect(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            while True:
                try:
                    lines = self._shared.get_many(timeout=GET_TIMEOUT_S)
                except queue.Empty:
                    continue
                file.write(b"".join(lines))
