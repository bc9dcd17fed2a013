"""One signal at any moment of a real command: one line, the documented code, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmpipe.replay.scratch import PREFIX
from tests.line.line import ROOT
from tests.mmpipe.recording.made import hyperliquid_csv

pytestmark = [pytest.mark.timeout(420), pytest.mark.usefixtures("runtime_base")]

CONFIG = str(ROOT / "pipeline.toml")
NAME = "test-cut"
DEADLINE_S = 240.0
MOMENTS = ("imports", "starting", "venue", "segments", "risk", "stages")


class Command:
    """A command in a process group of its own, as a terminal starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._runtime = Path(os.environ["XDG_RUNTIME_DIR"])
        self._said = folder / "said.txt"
        with self._said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mmpipe.cli", *arguments], cwd=folder, stdout=out, stderr=out,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )  # fmt: skip

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for a moment of the start, or for the end of the process."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition() and self.process.poll() is None:
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.005)

    def said(self) -> str:
        """Everything so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def interrupt(self, number: int) -> int:
        """Signal the whole group as a terminal does, and once more while it ends; its exit code."""
        for _ in range(2):
            os.killpg(self.process.pid, number)
            time.sleep(0.02)  # two at once would be one
        return self.process.wait(60.0)

    def alive(self) -> list[str]:
        """Processes of the group that still run."""
        return pgrep("-s", self.process.pid)

    def left(self) -> list[str]:
        """Shared memory and sockets it should have taken with it."""
        memory = [
            path.name for path in Path("/dev/shm").iterdir()
            if path.name.startswith(f"mmpipe.{os.getuid()}.{NAME}.")
            or (path.name.startswith(PREFIX) and f"-{self.process.pid}-" in path.name)
        ]  # fmt: skip
        files = [path for path in self._runtime.rglob("*") if not path.is_dir()]
        return memory + [path.name for path in files if path.name != "lock"]

    def end(self) -> None:
        """Whatever the test made of it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30.0)

    def assert_gone(self) -> None:
        """No process, no segment, no socket, no traceback."""
        deadline = time.monotonic() + 10.0
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.alive() == []
        assert self.left() == []
        assert "Traceback" not in self.said(), self.said()


def pgrep(of: str, pid: int) -> list[str]:
    found = subprocess.run(["pgrep", of, str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.split()


def children(pid: int) -> int:
    return len(pgrep("-P", pid))


def scratch(pid: int) -> list[Path]:
    return [path for path in Path("/dev/shm").glob(f"{PREFIX}*") if f"-{pid}-" in path.name]


def segments() -> list[Path]:
    return list(Path("/dev/shm").glob(f"mmpipe.{os.getuid()}.{NAME}.*"))


def moments() -> list[Any]:
    """Every moment with one of the two signals, with the other among the long proofs."""
    both = signal.SIGINT, signal.SIGTERM
    return [
        pytest.param(moment, number, marks=() if index % 2 == which else pytest.mark.long)
        for index, moment in enumerate(MOMENTS)
        for which, number in enumerate(both)
    ]


@pytest.mark.parametrize(("moment", "number"), moments())
def test_a_start_that_is_cut_short_sends_nothing_and_leaves_nothing(
    tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    command = Command(tmp_path, "run", "--config", CONFIG, "--instance", NAME, "--port", "0", "--headless")
    pid = command.process.pid
    reached = {
        "imports": lambda: (Path(f"/proc/{pid}/maps")).read_text().find("numba") >= 0,
        "starting": lambda: "starting" in command.said(),
        "venue": lambda: children(pid) >= 2,  # with the tracker of shared memory
        "segments": segments,
        "risk": lambda: children(pid) >= 3,
        "stages": lambda: children(pid) >= 7,
    }[moment]
    try:
        command.wait_for(reached)
        code = command.interrupt(number)
        command.assert_gone()
        assert code == 130, command.said()
        assert command.said().splitlines()[-1].startswith(f"mmpipe: ended by {number.name}")
        assert not list(tmp_path.glob("runs/*/*.journal"))
    finally:
        command.end()


def test_a_line_that_is_up_ends_in_order_however_often_it_is_told(tmp_path: Path) -> None:
    command = Command(tmp_path, "run", "--config", CONFIG, "--instance", NAME, "--port", "0", "--headless")
    try:
        command.wait_for(lambda: "Ctrl-C stops" in command.said())
        assert command.interrupt(signal.SIGINT) == 0, command.said()
        command.assert_gone()
        assert "open orders at the venue: 0" in command.said()
    finally:
        command.end()


def test_a_replay_ends_with_a_line_and_after_sigkill_with_the_next_start(tmp_path: Path) -> None:
    hyperliquid_csv(tmp_path / "hl", "BTC")

    command = Command(tmp_path, "replay", str(tmp_path / "hl"), "--config", CONFIG, "--compare")
    try:
        command.wait_for(lambda: scratch(command.process.pid))
        assert command.interrupt(signal.SIGTERM) == 130, command.said()
        command.assert_gone()
        assert command.said().strip().splitlines()[-1] == "mmpipe: ended by SIGTERM"
    finally:
        command.end()
    command = Command(tmp_path, "replay", str(tmp_path / "hl"), "--config", CONFIG, "--compare")
    try:
        command.wait_for(lambda: scratch(command.process.pid))
        command.process.kill()
        command.process.wait(30.0)
        assert scratch(command.process.pid)
        again = Command(tmp_path, "replay", str(tmp_path / "hl"), "--config", CONFIG)
        again.wait_for(lambda: False)
        assert again.process.returncode == 0, again.said()
        assert not scratch(command.process.pid)
    finally:
        command.end()


@pytest.mark.parametrize("working", [False, True])
@pytest.mark.parametrize(("words", "says"), [("record", "recording BTC"), ("venue --port 0", "demo account")])
def test_what_runs_until_ctrl_c_ends_with_130_before_it_works_and_with_0_after(
    tmp_path: Path, words: str, says: str, working: bool
) -> None:
    command = Command(tmp_path, *words.split(), "--config", CONFIG, "--instance", NAME)
    maps = Path(f"/proc/{command.process.pid}/maps")
    try:
        command.wait_for(lambda: says in command.said() if working else "uvloop" in maps.read_text())
        assert command.interrupt(signal.SIGINT) == (0 if working else 130), command.said()
        command.assert_gone()
    finally:
        command.end()
