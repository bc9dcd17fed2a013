"""The report of a training: one HTML file beside the artefact, with plots that need no network.

Reliability (what was said against what came, with intervals), skill against the base rate and the
heuristic, and how much each input counts; a lift curve for the queue value would need the rows, so its
means by model stand instead.
"""

import html
import json
from pathlib import Path
from typing import Any

from mmpipe.models.artefact import Artefact
from mmpipe.training.needs import require

INPUTS_SHOWN = 20


def write_report(path: Path, artefact: Artefact) -> None:
    """Write the report of an artefact.

    Parameters
    ----------
    path : Path
        Of the HTML file; replaced.
    artefact : Artefact
        Its header holds every figure that is shown.

    Raises
    ------
    UsageError
        plotly is not installed.
    """
    graphs = require("plotly.graph_objects")
    header = artefact.header
    figures = []
    for name, scores in header.metrics.items():
        if isinstance(scores, dict):
            figures += _reliabilities(graphs, name, scores)
    if header.metrics and all(isinstance(scores, dict) for scores in header.metrics.values()):
        figures.append(_rivals(graphs, header.metrics))
    figures.append(_weights(graphs, header.settings.get("weight", {})))
    parts = [
        figure.to_html(full_html=False, include_plotlyjs=index == 0)
        for index, figure in enumerate(figure for figure in figures if figure is not None)
    ]
    title = f"{header.kind}, {header.form}, {artefact.sha256[:16]}"
    told = {"data": header.data, "settings": header.settings, "metrics": header.metrics}
    facts = json.dumps(told, indent=1)
    path.write_text(
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<body style='font-family:sans-serif;max-width:60em;margin:auto'><h1>{html.escape(title)}</h1>"
        f"<p>{header.rows} labels of {html.escape(', '.join(header.data))}; every figure is of "
        f"the part it was not fitted to.</p>{''.join(parts)}<pre>{html.escape(facts)}</pre></body>\n",
        encoding="utf-8",
    )


def _reliabilities(graphs: Any, name: str, scores: dict[str, Any]) -> list[Any]:
    found = []
    for label, part in scores.items():
        if label == "reliability":
            found.append(_reliability(graphs, name, part))
        elif isinstance(part, dict) and isinstance(part.get("reliability"), list):
            found.append(_reliability(graphs, f"{name}, {label} s", part["reliability"]))
    return found


def _reliability(graphs: Any, title: str, rows: list[dict[str, Any]]) -> Any:
    said, came = [row["predicted"] for row in rows], [row["observed"] for row in rows]
    figure = graphs.Figure()
    figure.add_scatter(
        x=said,
        y=came,
        mode="markers+lines",
        name="came",
        text=[f"{row['total']} of them" for row in rows],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [row["high"] - row["observed"] for row in rows],
            "arrayminus": [row["observed"] - row["low"] for row in rows],
        },
    )
    top = max([*said, *came, 1e-9])
    figure.add_scatter(x=[0, top], y=[0, top], mode="lines", name="as said", line={"dash": "dot"})
    return figure.update_layout(
        title=f"Reliability: {title}", xaxis_title="said", yaxis_title="came", height=420
    )


def _rivals(graphs: Any, metrics: dict[str, Any]) -> Any:
    # Error of the model beside its rivals': Brier where there is one, rmse otherwise.
    labels, ours, heuristic, base = [], [], [], []
    for name, scores in metrics.items():
        parts = {"": scores, **{key: part for key, part in scores.items() if isinstance(part, dict)}}
        for label, part in parts.items():
            if "heuristic" not in part or not part.get("n"):
                continue
            key = "brier" if "brier" in part else "rmse"
            labels.append(f"{name} {label}".strip())
            ours.append(part[key])
            heuristic.append(part["heuristic"].get(key))
            base.append(part.get("brier_base"))
    if not labels:
        return None
    figure = graphs.Figure()
    for name, values in (("model", ours), ("heuristic", heuristic), ("base rate", base)):
        figure.add_bar(x=labels, y=values, name=name)
    return figure.update_layout(title="Error, smaller is better (Brier, or rmse in bps)", height=420)


def _weights(graphs: Any, weight: dict[str, float]) -> Any:
    if not weight:
        return None
    largest = sorted(weight.items(), key=lambda item: abs(item[1]))[-INPUTS_SHOWN:]
    figure = graphs.Figure()
    figure.add_bar(x=[value for _, value in largest], y=[name for name, _ in largest], orientation="h")
    return figure.update_layout(title="How much each input counts", height=520)
