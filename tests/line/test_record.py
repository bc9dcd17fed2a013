"""`mmpipe record` on real processes: the same events recorded, checked and replayed, whatever ends it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.folder import read
from mmpipe.records import EVENT
from ringbuf import Observer, Segment
from ringbuf.layout import KIND_RING
from stages import topology
from tests.line.line import ROOT, running_line

pytestmark = pytest.mark.timeout(420)
READY_S = 240.0


def command(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmpipe.cli", *words], cwd=folder, capture_output=True, text=True,
        timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with (folder / "stderr.txt").open("wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "mmpipe.cli", "record", "--config", str(ROOT / "pipeline.toml"), *words],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=stderr, stdout=stderr,
        )  # fmt: skip


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_S
    while not condition():
        words = (folder / "stderr.txt").read_text()
        assert process.poll() is None, words
        assert time.monotonic() < deadline, words
        time.sleep(0.02)


def attached(instance: str) -> Observer | None:
    try:
        return Observer(Segment.attach(topology.segment_prefix(instance) + "event", EVENT, KIND_RING))
    except Exception:
        return None


def witness(observer: Observer, process: subprocess.Popen[bytes]) -> np.ndarray:
    """What a third party saw in the ring while the recorder ran."""
    parts: list[np.ndarray] = []
    while process.poll() is None:
        rows, lapped = observer.poll(4_096)
        assert lapped == 0
        parts.append(rows)
        time.sleep(0.005)
    return np.concatenate(parts)


def sha_of(rows: np.ndarray) -> str:
    digest = EventHash()
    digest.update(rows)
    return digest.hexdigest()


def test_what_was_seen_live_is_what_is_recorded_checked_and_replayed(tmp_path: Path) -> None:
    out, report_file = tmp_path / "rec", tmp_path / "record.json"
    process = start(
        tmp_path,
        "--instance",
        "test-record",
        "--duration",
        "12",
        "--out",
        str(out),
        "--json",
        str(report_file),
    )
    try:
        found: list[Observer] = []
        until(lambda: bool(found) or _found(found, "test-record"), process, tmp_path)
        seen = witness(found[0], process)
        assert process.wait(30) == 0, (tmp_path / "stderr.txt").read_text()
    finally:
        _end(process)
    report = json.loads(report_file.read_text())
    assert (report["rows_lost"], report["feed_gaps"], report["feed_drops"]) == (0, 0, 0)
    assert report["rows"] > 3_000
    assert report["events_sha256"] == report["recorded_sha256"]
    recorded = read(out).events
    common = seen[(seen["seq"] >= recorded["seq"][0]) & (seen["seq"] <= recorded["seq"][-1])]
    assert len(common) > 0.9 * len(recorded)
    same = recorded[np.searchsorted(recorded["seq"], common["seq"])]
    assert sha_of(same) == sha_of(common)
    checked = command("data", "check", str(out), folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    replayed = command("replay", str(out), "--json", "--config", str(ROOT / "pipeline.toml"), folder=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    facts: dict[str, Any] = json.loads(replayed.stdout)
    assert facts["events_sha256"] == report["events_sha256"]
    assert facts["orders"] > 0
    assert not list(Path("/dev/shm").glob(f"mmpipe.{os.getuid()}.test-record.*"))
    again = command("record", "--out", str(out), "--config", str(ROOT / "pipeline.toml"), folder=tmp_path)
    assert again.returncode == 1
    assert "cannot be created" in again.stderr


def test_a_killed_recorder_loses_nothing_it_had_written(tmp_path: Path) -> None:
    out = tmp_path / "rec"
    process = start(tmp_path, "--instance", "test-record-kill", "--out", str(out))
    try:
        until(lambda: out.exists() and _bytes(out) > 300_000, process, tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    finally:
        _end(process)
    rows = read(out)
    assert len(rows.events) >= 300_000 // EVENT.itemsize * 0.9
    assert (np.diff(rows.events["seq"].astype(np.int64)) == 1).all()
    checked = command("data", "check", str(out), folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    # The feed and the venue of a recorder that was killed end with it; the next start removes its segments.
    deadline = time.monotonic() + 20
    while _children("test-record-kill") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _children("test-record-kill")
    after = command(
        "record", "--instance", "test-record-kill", "--duration", "1", "--out", str(tmp_path / "after"),
        "--config", str(ROOT / "pipeline.toml"), folder=tmp_path,
    )  # fmt: skip
    assert after.returncode == 0, after.stderr


def test_beside_a_running_line_it_listens_and_disturbs_nothing(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-record-beside") as line:
        line.await_ready()
        out = tmp_path / "rec"
        done = command(
            "record", "--instance", "test-record-beside", "--duration", "3", "--out", str(out),
            "--json", str(tmp_path / "record.json"), folder=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        refused = command("record", "--instance", "test-record-beside", "--seed", "3", folder=tmp_path)
        assert refused.returncode == 2
        status = line.stop()
        assert status["counters"]["ring_drops"] == 0
        assert status["exit"] == "ok"
    report = json.loads((tmp_path / "record.json").read_text())
    rows = read(out).events
    assert report["rows"] == len(rows) > 500
    assert int(rows["seq"][-1] - rows["seq"][0]) + 1 == len(rows) + report["rows_lost"]
    assert hashlib.sha256(b"").hexdigest() != report["events_sha256"]


def _found(found: list[Observer], instance: str) -> bool:
    observer = attached(instance)
    if observer is not None:
        found.append(observer)
    return bool(found)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.open"))


def _children(instance: str) -> list[int]:
    wanted = f"\0{instance}\0".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(60)
