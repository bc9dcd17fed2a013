"""`mmpipe train`: recordings in, a hashed artefact and a report beside it out."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from loguru import logger

from mmpipe import config as configuration
from mmpipe.commands.evaluate import progress_bar
from mmpipe.commands.models import facts_of, print_facts
from mmpipe.config import Config
from mmpipe.enums import ModelKind, Venue
from mmpipe.errors import DataError, UsageError
from mmpipe.models.artefact import Artefact
from mmpipe.models.model_set import load_model_set
from mmpipe.recording.recorded import Recording
from mmpipe.training.dataset import Capture, capture, with_keys
from mmpipe.training.evaluate import OF_MARKET, OF_QUOTE, SHADOW_INTERVAL_MS
from mmpipe.training.market_sets import MarketSet, as_venue, leads_at_all, market_sets
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

    All of them are trained in two rounds: what those of a quote are shown holds what toxicity and regime say,
    so that the recordings are captured again with these in force.

    Parameters
    ----------
    options : TrainOptions
        `out` names the artefact, or for "all" the folder that receives `KIND.npz`.

    Raises
    ------
    UsageError
        No such model, a name that does not end in .npz, or a training library is missing.
    DataError
        A recording cannot be read, or not one model was written.
    """
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level}: {message}")
    targets = _targets(options)
    config = configuration.load(options.config)
    later = [kind for kind in targets if options.model == ALL and kind in OF_QUOTE]
    rounds = [kinds for kinds in ([kind for kind in targets if kind not in later], later) if kinds]
    written: dict[ModelKind, Artefact] = {}
    refused: dict[ModelKind, str] = {}
    with progress_bar() as bar:
        task = bar.add_task("", total=1.0)
        recorded = _recorded(options)
        for number, kinds in enumerate(rounds):

            def say(what: str, done: float, number: int = number) -> None:
                bar.update(task, completed=(number + done) / len(rounds), description=what)

            beside: dict[ModelKind, Artefact] = {
                kind: model for kind, model in written.items() if kind in OF_MARKET
            }
            sources, own = _sources(recorded, config, beside, say)
            for index, kind in enumerate(kinds):
                say(kind.name.lower(), 0.8 + 0.2 * index / len(kinds))
                try:
                    trained = train(kind, sources, own, options.seed, options.unjudged)
                except DataError as error:
                    refused[kind] = str(error)
                    continue
                trained = replace(trained, notes=(*trained.notes, *_circumstances(options, beside)))
                written[kind] = _write(trained, targets[kind], sources, own, options.seed)
    if not written:
        raise DataError("; ".join(refused.values()))
    _show(options, targets, written, refused)


def _circumstances(options: TrainOptions, beside: Mapping[ModelKind, Artefact]) -> list[str]:
    lead = [f"lead: {options.lead.name}"] if options.lead is not None else []
    return lead + [f"beside {kind.name.lower()} {model.sha256[:16]}" for kind, model in beside.items()]


def _show(
    options: TrainOptions,
    targets: Mapping[ModelKind, Path],
    written: Mapping[ModelKind, Artefact],
    refused: Mapping[ModelKind, str],
) -> None:
    models = [written[kind] for kind in targets if kind in written]
    kept = {kind: f"; {path} is of an earlier training" for kind, path in targets.items() if path.exists()}
    reasons = {_name(kind): refused[kind] + kept.get(kind, "") for kind in targets if kind in refused}
    if options.as_json:
        facts = [facts_of(artefact) for artefact in models]
        print(json.dumps({"schema": SCHEMA, "models": facts, "not_written": reasons}, indent=1))
        return
    for artefact in models:
        print_facts(artefact)
        print(f"  report {report_path(artefact.path)}")
    for name, why in reasons.items():
        print(f"{name}: not written: {why}")
    if options.model == ALL:
        names = ", ".join(_name(kind) for kind in targets if kind in written)
        missing = f"; not written: {', '.join(reasons)}" if reasons else ""
        print(f"{len(models)} of {len(targets)} written to {options.out}: {names}{missing}")


def _name(kind: ModelKind) -> str:
    return kind.name.lower().replace("_", "-")


def report_path(path: Path) -> Path:
    """The report beside an artefact."""
    return path.with_suffix(".html")


def _targets(options: TrainOptions) -> dict[ModelKind, Path]:
    names = {_name(kind): kind for kind in ModelKind}
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


def _recorded(options: TrainOptions) -> tuple[list[MarketSet], list[Recording]]:
    # The recordings, and the lead's; every maker's has to be led by it.
    markets = market_sets(options.data)
    if options.lead is None:
        return markets, []
    leading = market_sets([options.lead])
    for market in markets:
        if not any(leads_at_all(market, lead) for lead in leading):
            raise DataError(
                f"{options.lead}: not the same market at the same time as {market.name}; "
                "a lead is recorded beside its maker"
            )
    return markets, [as_venue(market.recording, Venue.LEAD) for market in leading]


def _sources(
    recorded: tuple[list[MarketSet], list[Recording]],
    config: Config,
    beside: Mapping[ModelKind, Artefact],
    say: Callable[[str, float], None],
) -> tuple[list[Capture], Config]:
    # What the features stage says of the recordings with the models of the configuration in force, and those
    # of an earlier round in place of them.
    markets, leads = recorded
    paths = {kind.name.lower(): str(artefact.path) for kind, artefact in beside.items()}
    chosen = load_model_set(msgspec.structs.replace(config.models, **paths))
    keys, heard_ms = {"features.shadow_interval_ms": SHADOW_INTERVAL_MS}, config.features.shadow_interval_ms
    found = []
    for index, market in enumerate(markets):
        own = with_keys(config, keys, len(market.recording.instruments))

        def progress(done: float, index: int = index, name: str = market.name) -> None:
            say(f"{name}: features", 0.8 * (index + done) / len(markets))

        found.append(capture(market.recording, leads, own, progress, chosen, heard_ms, listening=False))
    return found, own


def _write(trained: Trained, path: Path, sources: list[Capture], config: Config, seed: int) -> Artefact:
    path.parent.mkdir(parents=True, exist_ok=True)
    artefact = save_trained(path, trained, sources, config, seed)
    write_report(report_path(path), artefact)
    return artefact
