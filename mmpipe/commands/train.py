"""`mmpipe train`: recordings in, a hashed artefact and a report beside it out."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loguru import logger

from mmpipe import config as configuration
from mmpipe.commands.evaluate import progress_bar
from mmpipe.commands.models import facts_of, print_facts
from mmpipe.config import Config
from mmpipe.enums import ModelKind, Venue
from mmpipe.errors import DataError, UsageError
from mmpipe.models.artefact import Artefact
from mmpipe.training.dataset import Capture, capture, with_keys
from mmpipe.training.evaluate import SHADOW_INTERVAL_MS
from mmpipe.training.market_sets import as_venue, leads_at_all, market_sets
from mmpipe.training.report import write_report
from mmpipe.training.train import Trained, save_trained, train

SCHEMA = "train/1"
ALL = "all"


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What the command line asks for."""

    model: str
    data: tuple[Path, ...]
    out: Path
    config: Path
    lead: Path | None
    seed: int
    as_json: bool
    unjudged: bool = False


def train_models(options: TrainOptions) -> None:
    """Train one kind of model, or all of them, and write artefacts and reports.

    Parameters
    ----------
    options : TrainOptions
        `out` names the artefact, or for "all" the folder that receives `KIND.npz`.

    Raises
    ------
    UsageError
        No such model, a name that does not end in .npz, or a training library is missing.
    DataError
        A recording cannot be read, or holds too little to learn from or to judge by.
    """
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level}: {message}")
    targets = _targets(options)
    config = configuration.load(options.config)
    with progress_bar() as bar:
        task = bar.add_task("", total=1.0)
        sources, own = _sources(
            options, config, lambda what, done: bar.update(task, completed=0.6 * done, description=what)
        )
        written, refused = [], []
        for index, (kind, path) in enumerate(targets.items()):
            bar.update(task, completed=0.6 + 0.4 * index / len(targets), description=kind.name.lower())
            try:
                trained = train(kind, sources, own, options.seed, options.unjudged)
            except DataError as error:
                refused.append(str(error))
                continue
            if options.lead is not None:
                trained = replace(trained, notes=(*trained.notes, f"lead: {options.lead.name}"))
            written.append(_write(trained, path, sources, own, options.seed))
    if options.as_json:
        facts = [facts_of(artefact) for artefact in written]
        print(json.dumps({"schema": SCHEMA, "models": facts}, indent=1))
    else:
        for artefact in written:
            print_facts(artefact)
            print(f"  report {report_path(artefact.path)}")
    if refused:
        raise DataError("; ".join(refused))


def report_path(path: Path) -> Path:
    """The report beside an artefact."""
    return path.with_suffix(".html")


def _targets(options: TrainOptions) -> dict[ModelKind, Path]:
    names = {kind.name.lower().replace("_", "-"): kind for kind in ModelKind}
    if options.model == ALL:
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"--out {options.out}: is a file; name a folder")
        return {kind: options.out / f"{name}.npz" for name, kind in names.items()}
    if options.model not in names:
        raise UsageError(f"no model '{options.model}'; there are {', '.join(names)} and {ALL}")
    if options.out.suffix != ".npz":
        raise UsageError(f"--out {options.out}: name a file that ends in .npz")
    if options.out.is_dir():
        raise UsageError(f"--out {options.out}: is a folder; name a file")
    return {names[options.model]: options.out}


def _sources(options: TrainOptions, config: Config, say: Any) -> tuple[list[Capture], Config]:
    markets = market_sets(options.data)
    leads = []
    if options.lead is not None:
        leading = market_sets([options.lead])
        leads = [as_venue(market.recording, Venue.LEAD) for market in leading]
        for market in markets:
            if not any(leads_at_all(market, lead) for lead in leading):
                raise DataError(
                    f"{options.lead}: not the same market at the same time as {market.name}; "
                    "a lead is recorded beside its maker"
                )
    found = []
    for index, market in enumerate(markets):
        keys = {"features.shadow_interval_ms": SHADOW_INTERVAL_MS}
        own = with_keys(config, keys, len(market.recording.instruments))

        def progress(done: float, index: int = index, name: str = market.name) -> None:
            say(f"{name}: features", (index + done) / len(markets))

        found.append(capture(market.recording, leads, own, progress))
    return found, own


def _write(trained: Trained, path: Path, sources: list[Capture], config: Config, seed: int) -> Artefact:
    path.parent.mkdir(parents=True, exist_ok=True)
    artefact = save_trained(path, trained, sources, config, seed)
    write_report(report_path(path), artefact)
    return artefact
