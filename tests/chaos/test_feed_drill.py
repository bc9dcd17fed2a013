"""`mmpipe drill feed`: a minute of every fault a feed can meet, ten in the long proofs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmpipe.dashboard.feed_faults import TABLE
from tests.line.line import ROOT


def drill(folder: Path, seconds: int, seed: int) -> dict[str, Any]:
    """The case `feed` of a drill that passed."""
    file = folder / "drill.json"
    done = subprocess.run(
        [sys.executable, "-m", "mmpipe.cli", "drill", "feed", "--config", str(ROOT / "pipeline.toml"),
         "--instance", f"test-drill-{seed}", "--duration", str(seconds), "--seed", str(seed),
         "--json", str(file)],
        cwd=folder, capture_output=True, text=True, timeout=seconds + 360, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(file.read_text())
    assert report["schema"] == "drill/1"
    case: dict[str, Any] = report["cases"]["feed"]
    assert case["ok"]
    assert case["failures"] == []
    assert (case["quotes_on_old_touch"], case["wrong_books"]) == (0, 0)
    assert case["quotes"] > 20
    assert case["books"] > 1_000
    assert case["books_not_compared"] < case["books"] / 50
    assert case["quotes_without_forecast"] == case["records_missed_by_the_witness"] == 0
    for name, count in case["counts"].items():
        surplus = count["seen"] - count["injected"]
        assert 0 <= surplus <= (count["own_at_most"] if name in ("MISSED", "LATE") else 0), name
    return case


@pytest.mark.timeout(500)
def test_a_minute_of_every_fault(tmp_path: Path) -> None:
    case = drill(tmp_path, 60, 7)
    kinds = {name.split()[0] for name in case["injected"]}
    assert kinds == {row.kind for row in TABLE}


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_ten_minutes_of_every_fault(tmp_path: Path) -> None:
    case = drill(tmp_path, 600, 11)
    assert sum(case["injected"].values()) > 250
