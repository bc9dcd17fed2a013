"""The folder of a replay goes with the replay; what a killed one left goes with the next start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from mmpipe.replay.scratch import PREFIX, remove_orphans, scratch_folder
from ringbuf.liveness import pid_space, process_start_time

ROOT = Path(__file__).resolve().parents[3]


def test_it_is_there_and_then_it_is_not() -> None:
    with scratch_folder() as path:
        folder = Path(path)
        (folder / "journal").write_bytes(b"x")
        assert remove_orphans() == []  # a living one's
        assert folder.is_dir()
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed_and_nothing_else() -> None:
    script = (
        "import time\nfrom mmpipe.replay.scratch import scratch_folder\n"
        "with scratch_folder() as path:\n    print(path, flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    pid = os.getpid()
    start = process_start_time(pid)
    assert start is not None
    kept = [
        left.parent / f"{PREFIX}{pid_space()}-{pid}-{start}-alive",
        left.parent / f"{PREFIX}{pid_space() + 1}-{process.pid}-1-elsewhere",  # of another pid namespace
        left.parent / f"{PREFIX}unknown-{pid}",
    ]
    reused = left.parent / f"{PREFIX}{pid_space()}-{pid}-{start - 1}-reused"  # the pid is now another's
    try:
        for folder in (*kept, reused):
            folder.mkdir()
        assert left.name not in remove_orphans()
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        reused.mkdir(exist_ok=True)
        removed = remove_orphans()
        assert {left.name, reused.name} <= set(removed)
        assert not left.exists()
        assert all(folder.is_dir() for folder in kept)
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()
        for folder in (*kept, reused):
            if folder.exists():
                folder.rmdir()
