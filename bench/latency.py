"""The budget table: every stage's work, every hop, tick to order, and what an idle line costs.

compute   frames decoded and engines called one event at a time, without waiting
chain     a record through five processes with nothing to do, bare and through the stages' loops
line      the real line against the embedded exchange, in the settings this machine can bear out
idle      processor time of five stages that only watch

python bench/latency.py [--json FILE] [--rounds N] [--seconds S]
"""

import argparse
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import harness, latency_chain, latency_compute, latency_line
from bench.latency_chain import Chain

INTERVALS = {"1ms": (1e-3, 1_500), "50us": (50e-6, 6_000)}
BUDGETS = Path(__file__).with_name("budgets.toml")

Summary = dict[str, Any]


def compute(rounds: int) -> tuple[dict[str, Summary], dict[str, int]]:
    """Work of each kind, µs, and heap blocks taken by each engine's kernel."""
    market = latency_compute.capture()
    times_us, messages = latency_compute.decode_frames(market)
    cases = {f"feed_{name}": harness.percentiles(values, "us") for name, values in times_us.items()}
    cases |= latency_compute.decisions(market, messages, rounds)
    taken = latency_compute.allocations(market, messages)
    return {f"compute.{name}": summary for name, summary in cases.items()}, taken


def chain(rounds: int) -> dict[str, Summary]:
    """Hops of an empty chain under `auto`, and on separate cores, which is why `auto` shares one."""
    latency_chain.compile_all()
    cores = os.sched_getaffinity(0)
    shared = len(cores) <= latency_chain.HOPS + 1
    works = {"bare": latency_chain.bare, "loops": latency_chain.stage_loops}
    results: dict[str, list[Summary]] = {}
    for _ in range(rounds):
        for setting, strategy, one_core in (("auto", "auto", shared), ("spread", "park", False)):
            for name, work in works.items():
                for interval, (interval_s, count) in INTERVALS.items():
                    os.sched_setaffinity(0, cores)
                    summary = Chain(strategy, one_core).measure(work, interval_s, count)
                    results.setdefault(f"chain.{name}_{setting}_{interval}", []).append(summary)
    os.sched_setaffinity(0, cores)
    return {case: harness.median_over_rounds(values) for case, values in results.items()}


def line(duration_s: float) -> dict[str, Summary]:
    """Every stage of the real line, in each setting; the waiting stands beside the work."""
    cases: dict[str, Summary] = {}
    for setting, (cores, changes) in latency_line.settings().items():
        status = latency_line.busy_line(setting, cores, changes, duration_s)
        for name in latency_line.STAGES:
            stage = status["stages"][name]
            cases[f"line.{name}@{setting}"] = {**stage["work_us"], "unit": "us", "wait_us": stage["wait_us"]}
        cases[f"line.tick_to_order@{setting}"] = {**status["tick_to_order_us"], "unit": "us"}
    return cases


def judge(cases: dict[str, Summary]) -> list[dict[str, Any]]:
    """Each measured case beside its budget; NaN is over every budget."""
    budgets = tomllib.loads(BUDGETS.read_text(encoding="utf-8"))
    judged = []
    for case, summary in cases.items():
        section, _, name = case.partition("@")[0].partition(".")
        limit = budgets.get(section, {}).get(name)
        if limit is None:
            continue
        ok = summary["p50"] <= limit["p50_us"] and summary["p99"] <= limit["p99_us"]
        judged.append(
            {
                "case": case,
                "p50_us": summary["p50"],
                "p99_us": summary["p99"],
                "limit_p50_us": limit["p50_us"],
                "limit_p99_us": limit["p99_us"],
                "ok": bool(ok),
            }
        )
    return judged


def cannot_bear_out() -> list[str]:
    """What this machine cannot measure, and why."""
    cores = len(os.sched_getaffinity(0))
    if cores > len(latency_line.STAGES):
        return []
    return [f"spin: {cores} cores are fewer than five stages and one to spare; they would starve each other"]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 if a budget was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write bench-latency/1 to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each line trades")
    options = parser.parse_args(arguments)
    cases, taken = compute(options.rounds)
    print("compute measured", flush=True)
    cases |= chain(options.rounds)
    print("chain measured", flush=True)
    idle, wakeups = latency_line.idle_line(options.seconds / 2)
    print("idle line measured", flush=True)
    cases |= line(options.seconds)
    judged = {item["case"]: item for item in judge(cases)}
    for case, summary in cases.items():
        limit, item = "", judged.get(case)
        if item:
            verdict = "ok" if item["ok"] else "OVER"
            limit = f"  ≤ {item['limit_p50_us']:g} / {item['limit_p99_us']:g} {verdict}"
        more = f"  waited p50 {summary['wait_us']['p50']:,.0f}" if "wait_us" in summary else ""
        more += f"  {summary['cpu']:.2f} cores" if "cpu" in summary else ""
        print(f"{case:32s} p50 {summary['p50']:>9,.1f} µs  p99 {summary['p99']:>9,.1f} µs{more}{limit}")
    idle_limit = tomllib.loads(BUDGETS.read_text(encoding="utf-8"))["idle"]["cpu_percent"]
    idle_ok = sum(idle.values()) <= idle_limit
    verdict = "ok" if idle_ok else "OVER"
    print(f"idle line: {sum(idle.values()):.1f} % of one core (≤ {idle_limit:g} {verdict}) {idle}")
    print(f"idle line: {sum(wakeups.values()):.0f} wake-ups a second {wakeups}")
    print(f"heap blocks taken in {latency_compute.ALLOCATION_ROUNDS:,} calls of each kernel: {taken}")
    for text in cannot_bear_out():
        print(f"not measured here: {text}")
    rows = [harness.row(case, summary, {}) for case, summary in cases.items()]
    harness.report(
        "latency", options.rounds, rows, options.json, budget=list(judged.values()), allocations=taken,
        idle={"cpu_percent": idle, "wakeups_per_s": wakeups, "limit": idle_limit, "ok": idle_ok},
        not_measured=cannot_bear_out(),
    )  # fmt: skip
    good = idle_ok and not any(taken.values()) and all(item["ok"] for item in judged.values())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
