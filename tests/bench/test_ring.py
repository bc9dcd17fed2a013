"""The ring bench runs, checks its records, and judges what it measured."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import ring, ring_ours
from ringbuf import Consumer, Producer, Segment
from ringbuf.jit import JIT_ENABLED
from tests.ringbuf.memory import ROOT

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="measures compiled loops; the compiler is off")


def test_a_quick_run_measures_every_case_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = {path.name for path in Path("/dev/shm").glob("mmpipe-bench.*")}
    command = [
        sys.executable,
        "bench/ring.py",
        "--quick",
        "--rounds",
        "1",
        "--json",
        str(tmp_path / "ring.json"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, 1), done.stderr  # so little work need not meet the ratios
    report = json.loads((tmp_path / "ring.json").read_text())
    assert report["schema"] == "bench-ring/1"
    cases = {row["case"]: row for row in report["rows"]}
    for size in ring.SIZES:
        assert {f"compiled/{size}B/throughput", f"compiled/{size}B/round_trip"} <= set(cases)
        assert "faster_fifo" in cases[f"python/{size}B/round_trip"]["peers"]
    assert all(row["ours"]["p50"] > 0 for row in report["rows"])
    if shutil.which("c++"):
        assert cases["compiled/64B/throughput"]["ratio"]["cpp"] > 0
        assert {item["case"].split(" vs ")[0] for item in report["wanted"]} == {
            case for case, _, _ in ring.WANTED
        }
    assert {path.name for path in Path("/dev/shm").glob("mmpipe-bench.*")} == before


@pytest.mark.parametrize("word", [1, 7])
def test_a_wrong_record_is_counted(word: int) -> None:
    segment = Segment.local(ring_ours.record_dtype(64), ring_ours.SLOTS)
    Producer(segment), Consumer(segment)
    assert ring_ours.produce(segment.base, ring_ours.rows(64), 8, 1, 10) == 10
    ring_ours.table(segment)[4, word] += 1
    assert ring_ours.consume(segment.base, ring_ours.rows(64), 8, 1, 10) == 1


def test_a_missed_ratio_is_a_miss() -> None:
    case, peer, least = ring.WANTED[0]
    rows = [{"case": case, "ratio": {peer: least * 0.99}}]
    assert [item["ok"] for item in ring.judge(rows)] == [False]
    rows[0]["ratio"] = {peer: least}
    assert [item["ok"] for item in ring.judge(rows)] == [True]
