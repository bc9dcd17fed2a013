"""A real line in its own processes, as a user starts it, for the integration tests."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.context import read_context, runtime_dir
from stages.control import ask

ROOT = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 240.0


class Line:
    """One `mmpipe run` in a folder of its own; `status` is what `mmpipe status --json` would print."""

    def __init__(self, folder: Path, name: str, arguments: list[str]) -> None:
        self.folder, self.name = folder, name
        self.json_file = folder / "run.json"
        self.stderr_file = folder / "stderr.txt"
        with self.stderr_file.open("wb") as stderr:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "mmpipe.cli", "run", "--config", str(ROOT / "pipeline.toml"),
                    "--instance", name, "--port", "0", "--headless",
                    "--json", str(self.json_file), *arguments,
                ],
                cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=stderr, stdout=stderr,
            )  # fmt: skip

    def reader(self) -> Any:
        """Attached to the cells of the running instance."""
        from mmpipe.dashboard.status import LineReader

        return LineReader(read_context(self.name))

    def await_ready(self) -> Any:
        """Wait until the line trades, and return a reader of its state."""
        self.await_true(lambda: "Ctrl-C stops" in self.stderr(), READY_TIMEOUT_S, "the line is up")
        return self.reader()

    def await_true(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Wait for a condition with a deadline; the run's own words are in the failure."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, (
                f"the line ended before: {what}\n{self.stderr()}\n{self.log()}"
            )
            assert time.monotonic() < deadline, (
                f"not within {timeout_s} s: {what}\n{self.stderr()}\n{self.log()}"
            )
            time.sleep(0.02)

    def stop(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """Stop as Ctrl-C does and return `run/1`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout_s)
        return json.loads(self.json_file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # JSON

    def wait(self, timeout_s: float) -> dict[str, Any]:
        """Wait for the end of a run with a duration and return `run/1`."""
        self.process.wait(timeout_s)
        assert self.process.returncode == 0, f"exit {self.process.returncode}\n{self.stderr()}\n{self.log()}"
        return json.loads(self.json_file.read_text(encoding="utf-8"))  # type: ignore[no-any-return]  # JSON

    def stderr(self) -> str:
        """What the command printed so far."""
        return self.stderr_file.read_text(encoding="utf-8", errors="replace")

    def log(self) -> str:
        """The run's log so far."""
        return "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in self.folder.glob("runs/*/mmpipe.log")
        )

    def ask_risk(self, command: str) -> dict[str, Any]:
        """One request to the risk daemon."""
        return ask(runtime_dir(self.name) / "risk.sock", {"command": command})

    def segments(self) -> list[str]:
        """Segments of this instance in /dev/shm."""
        return [path.name for path in Path("/dev/shm").glob(f"mmpipe.{os.getuid()}.{self.name}.*")]


@contextmanager
def running_line(folder: Path, name: str, *arguments: str) -> Iterator[Line]:
    """A line that is ended with the test, whatever happens to the test."""
    line = Line(folder, name, list(arguments))
    try:
        yield line
    finally:
        if line.process.poll() is None:
            line.process.send_signal(signal.SIGTERM)
            try:
                line.process.wait(60.0)
            except subprocess.TimeoutExpired:
                line.process.kill()
                line.process.wait(10.0)


def agree(status: dict[str, Any]) -> bool:
    """True when risk, venue, fills and journal hold the same position of every symbol."""
    return all(len(set(symbol["position"].values())) == 1 for symbol in status["symbols"].values())
