"""The bench harness: pairs that fail are noticed, ratios point the right way, the file has its form."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench import harness


def test_a_child_returns_its_answer_from_its_core_and_a_failed_one_is_noticed() -> None:
    core = harness.two_cores()[1]
    assert harness.in_child(lambda: sorted(os.sched_getaffinity(0)), core)() == [core]

    def fail() -> None:
        raise ValueError("its check failed")

    with pytest.raises(RuntimeError, match="check failed"):
        harness.in_child(fail, core)()


def test_contestants_take_turns() -> None:
    order: list[str] = []
    contestants = [(name, lambda name=name: order.append(name)) for name in ("ours", "peer")]
    assert set(harness.interleave(contestants, 2, lambda text: None)) == {"ours", "peer"}
    assert order == ["ours", "peer", "ours", "peer"]


@pytest.mark.parametrize(
    ("unit", "ours", "peer"), [("ns", 50.0, 100.0), ("M/s", 20.0, 10.0), ("1/s", 2.0, 1.0)]
)
def test_a_ratio_above_one_means_that_we_are_faster(unit: str, ours: float, peer: float) -> None:
    made = [harness.percentiles([value], unit) for value in (ours, peer)]
    assert harness.speed_ratio(*made) == 2.0
    assert harness.row("case", made[0], {"peer": made[1]})["ratio"] == {"peer": 2.0}


def test_rounds_are_summarised_by_their_medians() -> None:
    rounds: list[dict[str, Any]] = [
        {"p50": value, "p99": 2 * value, "unit": "ns"} for value in (9.0, 1.0, 2.0)
    ]
    assert harness.median_over_rounds(rounds) == {"p50": 2.0, "p99": 4.0, "unit": "ns"}


def test_the_file_has_the_promised_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harness.report(
        "ring", 3, [harness.row("a", harness.percentiles([1.0], "ns"), {})], tmp_path / "f.json", budget=[]
    )
    written = json.loads((tmp_path / "f.json").read_text())
    assert written["schema"] == "bench-ring/1"
    assert {"version", "git", "machine", "rounds", "rows", "budget"} <= set(written)
    assert "3 rounds" in capsys.readouterr().out
