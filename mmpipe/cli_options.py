"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from mmpipe.errors import UsageError


def writable(path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before the work is done, not after it."""
    if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
        raise UsageError(f"--json {path}: its folder is missing or cannot be written; name another file")
    return path


def creatable(path: Path) -> Path:
    """Refuse what cannot be made, whatever of its folders there is yet, before the work is done."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise UsageError(f"--out {path}: {there} is no folder, or cannot be written; name another place")
    return path


def json_file(what: str) -> Any:
    """The option that names the file a report goes to."""
    return typer.Option("--json", callback=writable, help=f"write {what} to this file")


ConfigOption = Annotated[Path, typer.Option("--config", help="the configuration file")]
InstanceOption = Annotated[str, typer.Option("--instance", help="name of the pipeline")]
JsonFlag = Annotated[bool, typer.Option("--json", help="print JSON")]
SourcesArgument = Annotated[
    list[Path], typer.Argument(help="files of one market in order, or a folder of Hyperliquid CSV files")
]
OutOption = Annotated[Path, typer.Option("--out", help="the new folder")]
TrainOutOption = Annotated[
    Path, typer.Option("--out", callback=creatable, help="the artefact, .npz; for `all` a folder")
]
ModelOption = Annotated[
    list[Path] | None,
    typer.Option("--model", help="an artefact of `mmpipe train` that decides; repeatable, one of a kind"),
]
LeadOption = Annotated[
    list[Path] | None, typer.Option("--lead", help="the lead's recording, any format; may be repeated")
]
