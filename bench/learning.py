"""The learners and models against simulations whose truth is known.

    python bench/learning.py [--json FILE] [--scale SHARE] [--seed N]

Every group is a module with a function that returns rows (case, value, interval, n, ok); add one to GROUPS.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.table import Table

from bench import harness, learning_alpha, learning_models, learning_toxicity
from mmpipe.config import Config, load, settings_row

Rows = list[dict[str, Any]]
GROUPS: dict[str, Callable[[Config, float, int], Rows]] = {
    "toxicity": lambda config, scale, seed: learning_toxicity.rows(
        settings_row(config.toxicity), scale, seed
    ),
    "models": lambda config, scale, seed: learning_models.rows(scale, seed),
    "alpha": lambda config, scale, seed: learning_alpha.rows(scale, seed),
}


def run(config: Config, scale: float, seed: int) -> Rows:
    """The rows of all groups."""
    return [row for group in GROUPS.values() for row in group(config, scale, seed)]


def show(rows: Rows) -> None:
    """Print the report for people."""
    table = Table("case", "value", "interval", "n", "")
    for row in rows:
        low, high = row["interval"]
        sign = "ok" if row["ok"] else "MISSED"
        table.add_row(row["case"], f"{row['value']:.4g}", f"{low:.4g} to {high:.4g}", f"{row['n']:,}", sign)
    Console(width=110).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full samples")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    options = parser.parse_args()
    config = load(Path(__file__).resolve().parent.parent / "pipeline.toml")
    rows = run(config, options.scale, options.seed)
    show(rows)
    harness.report("learning", 1, rows, options.json, seed=options.seed)
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
