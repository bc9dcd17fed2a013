"""`mmpipe models`: what lies in a folder of artefacts, and what one of them is."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from mmpipe.errors import ArtefactError, UsageError
from mmpipe.models.artefact import Artefact, load

SCHEMA_LIST: Final = "models-list/1"
SCHEMA_SHOW: Final = "models-show/1"
WIDE: Final = 200


def list_models(folder: Path, as_json: bool) -> None:
    """Print one line per artefact of a folder; what may not decide is listed with the reason.

    Raises
    ------
    UsageError
        There is no such folder.
    """
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"{folder}: not a folder; `mmpipe models show {folder}` looks at one artefact")
        raise UsageError(f"{folder}: no such folder; `mmpipe train … --out {folder}/NAME.npz` makes one")
    rows = [_row(path) for path in sorted(folder.glob("*.npz"))]
    if as_json:
        print(json.dumps({"schema": SCHEMA_LIST, "folder": str(folder), "models": rows}, indent=1))
        return
    for row in rows:
        if row["error"]:
            print(f"{row['path']}: REFUSED: {row['error']}")
        else:
            print(f"{row['path']}: {row['kind']} {row['form']} {row['sha256'][:16]}, {row['rows']} labels")
    if not rows:
        print(f"{folder}: no artefacts")


def show_model(path: Path, as_json: bool) -> None:
    """Check one artefact and print header and figures.

    Raises
    ------
    ArtefactError
        It cannot be read, or may not decide.
    """
    artefact = load(path)
    if as_json:
        print(json.dumps({"schema": SCHEMA_SHOW, **facts_of(artefact)}, indent=1))
    else:
        print_facts(artefact)


def facts_of(artefact: Artefact) -> dict[str, Any]:
    """What is known of an artefact, as JSON."""
    header = artefact.header
    return {
        "path": str(artefact.path),
        "sha256": artefact.sha256,
        "kind": header.kind,
        "form": header.form,
        "schema_hash": header.schema_hash,
        "inputs": list(header.feature_names),
        "created_from": header.created_from,
        "data": list(header.data),
        "data_sha256": header.data_sha256,
        "train_range_ns": list(header.train_range_ns),
        "rows": header.rows,
        "seed": header.seed,
        "settings": header.settings,
        "metrics": header.metrics,
    }


def print_facts(artefact: Artefact) -> None:
    """Header, and figures of the part it was not fitted to, beside base rate and heuristic."""
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False)
    header = artefact.header
    span_s = (header.train_range_ns[1] - header.train_range_ns[0]) / 1e9
    console.print(f"{artefact.path}: {header.kind}, {header.form}", soft_wrap=True)
    console.print(f"  sha256 {artefact.sha256}, schema {header.schema_hash}, from {header.created_from}")
    about = f"{header.rows} labels, {span_s:.0f} s, seed {header.seed}"
    console.print(f"  trained on {', '.join(header.data)}: {about}", soft_wrap=True)
    for note in header.settings.get("notes", ()):
        console.print(f"  {note}", soft_wrap=True)
    for name, figures in header.metrics.items():
        if not isinstance(figures, dict):
            console.print(f"  {name} {figures}")
            continue
        for label, scores in _figures(figures):
            console.print(f"  {name} {label}: {_text(scores)}", soft_wrap=True)


def _figures(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    # Survival has one set of scores per horizon, the others one.
    horizons = [(f"{key} s", value) for key, value in figures.items() if _is_number(key)]
    return horizons or [("on the rest", figures)]


def _is_number(key: str) -> bool:
    return key.replace(".", "", 1).isdigit()


def _text(scores: dict[str, Any]) -> str:
    if "why_not" in scores:
        return str(scores["why_not"])
    beside = scores.get("heuristic", {})
    if "brier" in scores:
        text = f"n {scores['n']}, Brier {scores['brier']} (base rate {scores['brier_base']}"
        text += f", heuristic {beside.get('brier')}), skill {scores['skill']} {scores['skill_interval']}, "
        return (
            f"{text}log-loss {scores['log_loss']} (heuristic {beside.get('log_loss')}), ECE {scores['ece']}"
        )
    if "weighted_mid" in scores:
        saved = ", ".join(
            f"on the {name.replace('_', ' ')} {scores[name]['skill']} {scores[name]['interval']}"
            for name in ("mid", "weighted_mid")
        )
        return f"n {scores['n']}, squared error after {scores['horizon_s']:g} s saved {saved}"
    text = f"n {scores['n']}, rank correlation {scores['rank_corr']} {scores['interval']}"
    text += f" (heuristic {beside.get('rank_corr')})" if beside else ""
    return f"{text}, rmse {scores['rmse']} bps (heuristic {beside.get('rmse')})"


def _row(path: Path) -> dict[str, Any]:
    try:
        return {**facts_of(load(path)), "error": None}
    except ArtefactError as error:
        return {"path": str(path), "error": str(error)}
