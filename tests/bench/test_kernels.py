"""The kernel bench: every kernel is checked against its source, timed, and a wrong answer is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import kernels
from bench.kernel_arguments import Call, Row, changed, copied
from mmpipe.alpha.target import edge_prob
from mmpipe.records import EVENT
from ringbuf.jit import JIT_ENABLED, kernel

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="compares compiled code with its source")


@kernel
def slow_sum(values: np.ndarray) -> float:
    """A chain of additions: each waits for the one before."""
    total = 0.0
    for index in range(len(values)):
        total += values[index]
    return total


@kernel
def count_up(values: np.ndarray) -> None:
    """Changes its argument."""
    values[0] += 1.0


def call_of(fn: object, *arguments: object) -> Call:
    before = tuple(copied(argument) for argument in arguments)
    result = fn.py_func(*arguments)  # type: ignore[attr-defined]
    return Call(before, copied(result), tuple(map(changed, before, arguments)))


def test_a_chain_of_a_thousand_additions_takes_a_thousand_times_some_cycles() -> None:
    timer = kernels.Timer(9)
    short, long = (  # the least of nine: a busy machine only adds
        np.min(timer.in_jit_ns(slow_sum, call_of(slow_sum, np.ones(count)))) for count in (1_000, 4_000)
    )
    assert 200.0 < short < 20_000.0  # an addition takes 2 to 5 cycles: not hoisted, not left out
    assert 2.0 < long / short < 8.0


def test_a_kernel_that_changes_its_arguments_is_called_once_on_each_copy() -> None:
    call = call_of(count_up, np.zeros(3))
    assert call.after[0][0] == 1.0
    kernels.check("count_up", count_up, call)
    assert all(value >= 0.0 for value in kernels.Timer(2).in_jit_ns(count_up, call))
    assert call.arguments[0][0] == 0.0


def test_a_wrong_answer_is_named() -> None:
    call = call_of(edge_prob, 1.0, 0.5, 1, 1.0)
    kernels.check("edge_prob", edge_prob, call)
    with pytest.raises(kernels.WrongAnswer, match="edge_prob"):
        kernels.check("edge_prob", edge_prob, call._replace(result=call.result + 1e-6))
    changing = call_of(count_up, np.zeros(3))
    with pytest.raises(kernels.WrongAnswer, match="count_up"):
        kernels.check("count_up", count_up, changing._replace(after=(np.array([2.0, 0.0, 0.0]),)))


def test_a_record_is_kept_as_a_row_of_its_own() -> None:
    rows = np.zeros(2, EVENT)
    kept = copied(rows[1])
    rows["px"] = 5.0
    assert isinstance(kept, Row)
    assert kept.array["px"][0] == 0.0
    after = changed(kept, rows[1])
    assert after.array["px"][0] == 5.0
    assert changed(kept, np.zeros(1, EVENT)[0]) is None


def test_the_file_holds_both_ways_of_calling(tmp_path: Path) -> None:
    path = tmp_path / "kernels.json"
    assert kernels.main(["--only", "mmpipe.alpha.target", "--rounds", "1", "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert report["schema"] == "bench-kernels/1"
    rows = {row["case"]: row for row in report["rows"]}
    row = rows["kernel/mmpipe.alpha.target.edge_prob"]
    assert row["ours"]["unit"] == row["python"]["unit"] == "ns"
    assert 0.0 <= row["ours"]["p50"] < row["python"]["p50"]
