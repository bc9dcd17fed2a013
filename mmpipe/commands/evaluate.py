"""`mmpipe evaluate`: models judged on recorded markets, never on what they were fitted to."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmpipe import config as configuration
from mmpipe.provenance import provenance
from mmpipe.training.evaluate import SCHEMA, evaluate_sets
from mmpipe.training.market_sets import market_sets
from mmpipe.training.verdicts import HORIZONS, between

WIDE = 200  # of a table that is not on a terminal


def evaluate_paths(paths: list[Path], config_path: Path, seed: int, json_file: Path | None) -> None:
    """Judge all models on the recordings that paths hold, print tables and verdicts.

    Parameters
    ----------
    paths : list of Path
        Recordings, npz files, or folders of them.
    config_path : Path
        Horizons, fees and priors.
    seed : int
        Of bags and resampling.
    json_file : Path or None
        Receives `evaluate/1`.

    Raises
    ------
    UsageError, DataError
        There is no recording, or one cannot be read.
    """
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level}: {message}")
    config = configuration.load(config_path)
    markets = market_sets(paths)
    start_s = time.perf_counter()
    with progress_bar() as bar:
        task = bar.add_task("", total=1.0)
        found = evaluate_sets(
            markets, config, seed, lambda what, done: bar.update(task, completed=done, description=what)
        )
    wall_s = round(time.perf_counter() - start_s, 3)
    report = {"schema": SCHEMA, **provenance(), "seed": seed, "wall_s": wall_s, **found}
    _show(report)
    if json_file is not None:
        json_file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def progress_bar() -> Progress:
    """The bar of long work, on the error stream."""
    columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True)


def _show(report: dict[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False)
    table = Table(box=None, pad_edge=True)
    for column in (
        "set",
        "model",
        "n",
        "rate",
        "base",
        "as trained",
        "ECE",
        "as the line runs it",
        "ECE",
        "noise",
    ):
        table.add_column(column, justify="left" if column in ("set", "model") else "right")
    for name, found in report["sets"].items():
        line = found["line"]
        table.add_row(name, "toxicity", *_cells(found["toxicity"], line["toxicity"]))
        for horizon in HORIZONS:
            scores, running = (
                part.get(horizon, part) for part in (found["fill_survival"], line["fill_survival"])
            )
            table.add_row(name, f"fill {horizon} s", *_cells(scores, running))
    console.print(table)
    for name, found in report["sets"].items():
        value = found["queue_value"]
        console.print(f"{name}: queue value {_value_text(value)}", soft_wrap=True)
        console.print(f"  as the line runs it {_value_text(found['line']['queue_value'])}", soft_wrap=True)
        if "rank_corr" in value:
            console.print(f"  heuristic {_value_text(value['heuristic'])}", soft_wrap=True)
        console.print(f"  lead: {_lead_text(found['lead_lag'])}", soft_wrap=True)
    for row in report["verdicts"]:
        words = " ".join("pass" if row[key] else "FAIL" for key in ("ok", "line_ok"))
        line = "" if row["line_why"] == row["why"] else f" | line: {row['line_why']}"
        console.print(
            f"{words} {row['set']} {row['model']}: {row['criterion']}: {row['why']}{line}", soft_wrap=True
        )
    console.print(
        f"{report['passed']} of {report['criteria']} as trained, "
        f"{report['line_passed']} of {report['criteria']} as the line runs it, {report['wall_s']:.0f} s"
    )


def _cells(scores: dict[str, Any], running: dict[str, Any]) -> tuple[str, ...]:
    if not scores.get("n"):
        return ("0", str(scores.get("why_not")), *[""] * 6)
    noise = scores["ece_noise"]
    return (
        str(scores["n"]),
        f"{scores['rate']:.4f}",
        f"{scores['brier_base']:.5f}",
        *_skill_cells(scores),
        *_skill_cells(running),
        f"{noise[0]:.3f}" if noise else "-",
    )


def _skill_cells(scores: dict[str, Any]) -> tuple[str, str]:
    if not scores.get("n"):
        return "-", "-"
    skill = "-" if scores["skill"] is None else f"{scores['skill']:+.3f}"
    return f"{skill}{between(scores['skill_interval'])}", f"{scores['ece']:.3f}"


def _value_text(value: dict[str, Any]) -> str:
    if value.get("rank_corr") is None:
        return str(value.get("why_not", "says the same everywhere"))
    where = f"rank correlation {value['rank_corr']:+.3f}{between(value['interval'])}"
    return f"{where}, rmse {value['rmse']:.3f} bps, n {value['n']}"


def _lead_text(lead: dict[str, Any]) -> str:
    if "why_not" in lead:
        return str(lead["why_not"])
    return (
        f"{lead.get('lead', 'its own')}, {lead['n']} moves, signal {lead['signal_ms']} ms, "
        f"3-sigma {lead['threshold_ms']} ms, earlier by {lead['earlier_ms']} ms"
    )
