"""The latency bench: the chain hands every record on in order, budgets are judged so that NaN fails."""

import os
import tomllib

import numpy as np
import pytest

from bench import latency, latency_chain, latency_line
from ringbuf.jit import JIT_ENABLED
from tests.ringbuf.memory import ROOT

compiled_only = pytest.mark.skipif(not JIT_ENABLED, reason="forks compiled loops; the compiler is off")


@compiled_only
@pytest.mark.parametrize("work", [latency_chain.bare, latency_chain.stage_loops])
@pytest.mark.parametrize("strategy", ["yield", "park"])
def test_records_pass_through_five_processes(work: object, strategy: str) -> None:
    latency_chain.compile_all()
    cores = os.sched_getaffinity(0)
    try:
        summary = latency_chain.Chain(strategy, one_core=True).measure(work, 1e-3, 200)  # type: ignore[arg-type]
    finally:
        os.sched_setaffinity(0, cores)
    assert 0.0 < summary["p50"] < 1e6
    assert summary["p99"] >= summary["p50"]


def test_every_budget_has_both_limits_and_a_known_section() -> None:
    budgets = tomllib.loads(latency.BUDGETS.read_text(encoding="utf-8"))
    assert set(budgets) == {"idle", "compute", "chain", "line", "wire", "model", "decision"}
    for section in ("compute", "chain", "line", "wire", "model", "decision"):
        for limit in budgets[section].values():
            assert 0.0 < limit["p50_us"] <= limit["p99_us"]
    assert set(latency_line.STAGES) < set(budgets["line"])


@pytest.mark.parametrize(
    ("over_p50", "over_p99", "ok"),
    [(0.0, 0.0, True), (0.1, 0.0, False), (-1.0, 0.1, False), (np.nan, -1.0, False)],
)
def test_a_budget_is_kept_at_both_percentiles_or_not_at_all(
    over_p50: float, over_p99: float, ok: bool
) -> None:
    limit = tomllib.loads(latency.BUDGETS.read_text(encoding="utf-8"))["compute"]["event_to_intent"]
    measured = {"p50": limit["p50_us"] + over_p50, "p99": limit["p99_us"] + over_p99}
    judged = latency.judge({"compute.event_to_intent@auto": measured, "compute.none": {"p50": 0.0}})
    assert [item["ok"] for item in judged] == [ok]


def test_a_changed_configuration_names_keys_that_exist() -> None:
    text = (ROOT / "pipeline.toml").read_text(encoding="utf-8")
    still = tomllib.loads(latency_line.changed(text, latency_line.STILL))
    assert still["venue"]["scenario"] == "still"
    with pytest.raises(KeyError, match="colour"):
        latency_line.changed(text, {"colour": "1"})
