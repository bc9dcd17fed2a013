"""`mmpipe evaluate --scenario NAME`: the models against simulated markets whose truth is known."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmpipe import config as configuration
from mmpipe.errors import UsageError
from mmpipe.training.scenario_report import observe_all, scenario_report
from mmpipe.venue.sim.scenarios import load_scenario


def evaluate_scenarios(
    scenarios: Sequence[str],
    seeds: int,
    seconds: float,
    profile: str,
    config_path: Path,
    json_path: Path | None,
) -> dict[str, Any]:
    """Measure scenarios over seeds 1 to `seeds`, print the table and return `evaluate-scenarios/1`.

    Parameters
    ----------
    scenarios : sequence of str
        As `mmpipe venue --list` names them.
    seeds : int
        Markets of each, at least 1.
    seconds : float
        Length of each market.
    profile : str
        Delays of the venue; empty: as configured.
    config_path : Path
        Symbols, thresholds, priors.
    json_path : Path or None
        Where the report goes as well.

    Raises
    ------
    UsageError
        No seed, an unknown scenario or profile, or a length out of range.
    """
    if seeds < 1:
        raise UsageError(f"--seeds {seeds}: give at least 1")
    for name in scenarios:
        load_scenario(name)
    config = configuration.load(config_path)
    profile = profile or config.venue.profile
    markets = observe_all(scenarios, range(1, seeds + 1), seconds, profile, config)
    console = Console(stderr=True)
    seen = list(track(markets, "simulating", total=len(scenarios) * seeds, console=console, transient=True))
    facts = {"scenarios": list(scenarios), "seeds": seeds, "seconds": seconds, "profile": profile}
    report = scenario_report(seen, facts)
    if json_path is not None:
        json_path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _print(report)
    return report


def _print(report: dict[str, Any]) -> None:
    names = ", ".join(report["scenarios"])
    table = Table(title=f"{names}: {report['seeds']} seeds of {report['seconds']:g} s, {report['profile']}")
    for column in ("measure", "target", "value", "95 % interval", "n", "", "why"):
        table.add_column(column, overflow="fold")
    for row in report["rows"]:
        low, high = map(_number, row["interval"])
        word = "pass" if row["ok"] else "FAIL"
        table.add_row(
            row["measure"], row["target"], _number(row["value"]), f"{low} to {high}", str(row["n"]), word,
            row["why"],
        )  # fmt: skip
    Console().print(table)


def _number(value: float | None) -> str:
    return "never" if value is None else f"{value:.4g}"
