"""The real line in its own processes: what each stage works, tick to order, and what watching costs."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("feed", "features", "alpha", "execution", "risk")
UP_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 60.0
SETTLE_S = 6.0
# A market in which nothing happens, and a feed that does not mind.
STILL = {
    "scenario": '"still"',
    "maker_stale_max_ms": "60000",
    "lead_stale_max_ms": "60000",
    "stale_min_ms": "60000",
    "first_message_timeout_ms": "60000",
}


class BenchLine:
    """`mmpipe run` on some cores with some keys of the configuration changed; ends when the block is left."""

    def __init__(self, name: str, cores: set[int], changes: dict[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.json_file = Path(self._folder.name) / "run.json"
        config = Path(self._folder.name) / "pipeline.toml"
        config.write_text(
            changed((ROOT / "pipeline.toml").read_text(encoding="utf-8"), changes), encoding="utf-8"
        )
        self._words = Path(self._folder.name) / "stderr.txt"
        command = [
            sys.executable, "-m", "mmpipe.cli", "run", "--config", str(config), "--instance", name,
            "--port", "0", "--headless", "--json", str(self.json_file),
        ]  # fmt: skip
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(
                command, cwd=self._folder.name, stdout=words, stderr=words,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )  # fmt: skip
        self._name = name

    def __enter__(self) -> "BenchLine":
        deadline_s = time.monotonic() + UP_TIMEOUT_S
        while "Ctrl-C stops" not in self.words():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the line did not come up:\n{self.words()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=STOP_TIMEOUT_S)
        self._folder.cleanup()

    def words(self) -> str:
        """What it printed so far."""
        return self._words.read_text(encoding="utf-8", errors="replace")

    def status(self) -> dict[str, Any]:
        """`mmpipe status --json`."""
        command = [sys.executable, "-m", "mmpipe.cli", "status", "--instance", self._name, "--json"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60, env=environment
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def changed(text: str, changes: dict[str, str]) -> str:
    """The configuration with some values replaced, by the name of the key."""
    for key, value in changes.items():
        text, count = re.subn(rf"(?m)^({key} = )[^#\n]*", rf"\g<1>{value} ", text)
        if count == 0:
            raise KeyError(f"pipeline.toml has no key {key}")
    return text


def settings() -> dict[str, tuple[set[int], dict[str, str]]]:
    """The settings this machine can bear out: name to cores and changes of the configuration."""
    cores = sorted(os.sched_getaffinity(0))
    made: dict[str, tuple[set[int], dict[str, str]]] = {"one_core": (set(cores[-2:]), {"idle": '"park"'})}
    made["auto"] = (set(cores), {"idle": '"auto"'})
    if len(cores) > len(STAGES):
        made["spin"] = (set(cores), {"idle": '"spin"'})
    return made


def busy_line(name: str, cores: set[int], changes: dict[str, str], duration_s: float) -> dict[str, Any]:
    """Trade for a while; the line's own report."""
    with BenchLine(f"bench-{name.replace('_', '-')}", cores, changes) as line:
        time.sleep(duration_s)
        status = line.status()
    if status["counters"]["orders"] == 0:
        raise RuntimeError(f"{name}: the line placed no order in {duration_s} s")
    return status


def idle_line(duration_s: float) -> tuple[dict[str, float], dict[str, float]]:
    """Of each stage while nothing happens: processor time, percent of one core, and wake-ups per second."""
    with BenchLine("bench-idle", set(os.sched_getaffinity(0)), STILL) as line:
        time.sleep(SETTLE_S)
        before = line.status()
        processes = {name: psutil.Process(before["stages"][name]["pid"]) for name in STAGES}
        begin_s, used = time.monotonic(), {name: _used_s(process) for name, process in processes.items()}
        woken = {name: process.num_ctx_switches().voluntary for name, process in processes.items()}
        time.sleep(duration_s)
        wall_s = time.monotonic() - begin_s
        percent = {
            name: 100 * (_used_s(process) - used[name]) / wall_s for name, process in processes.items()
        }
        wakeups = {
            name: (process.num_ctx_switches().voluntary - woken[name]) / wall_s
            for name, process in processes.items()
        }
        after = line.status()
    made = after["counters"]["events"] - before["counters"]["events"]
    if made < 5 * duration_s:
        raise RuntimeError(f"only {made} events in {duration_s} s: the timer does not run")
    return _rounded(percent), _rounded(wakeups)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _used_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
