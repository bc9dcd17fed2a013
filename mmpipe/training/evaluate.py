"""`evaluate/1`: every model on every recording, judged on time it was not fitted to, twice.

*As trained*: weights frozen, nothing of the second part used. *As the line runs it*: the same artefacts in
force in a capture with the learner beside it (`judge_line`). What `train` refuses
does not decide here either.

    capture ─▶ toxicity, regime ─ in force ─▶ capture ─▶ fill survival, queue value ─ in force ─▶ capture

so that the models of a quote are fitted to what those of the market will say beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import ModelKind
from mmpipe.errors import DataError
from mmpipe.models.model_set import ModelSet, load_model_set
from mmpipe.training import judge, judge_line
from mmpipe.training.dataset import Capture, capture, embargo_s, with_keys
from mmpipe.training.judge_state import report_microprice, report_regime
from mmpipe.training.lead_delay import lead_delay
from mmpipe.training.market_sets import COVER_SHARE, Lead, MarketSet, leads_at_all, leads_of
from mmpipe.training.side_by_side import side_by_side
from mmpipe.training.train import Trained, save_trained, train
from mmpipe.training.verdicts import verdicts_of

SCHEMA: Final = "evaluate/1"
SHADOW_INTERVAL_MS: Final = (
    250  # between virtual joins: four times as often as a line, whose market is longer
)
# The table of a trained microprice is of the whole recording, so it is not in force where that is judged.
OF_MARKET: Final = (ModelKind.TOXICITY, ModelKind.REGIME)
OF_QUOTE: Final = (ModelKind.FILL_SURVIVAL, ModelKind.QUEUE_VALUE)

Report = dict[str, Any]
Say = Callable[[str, float], None]  # what is being done, and the share of all that is done


def evaluate_sets(markets: Sequence[MarketSet], config: Config, seed: int, say: Say) -> Report:
    """Judge all models on all recordings.

    Parameters
    ----------
    markets : sequence of MarketSet
        Each is a set of its own; together they are searched for leads.
    config : Config
        Horizons and fees.
    seed : int
        Of bags and resampling.
    say : callable
        Told what is being done.

    Returns
    -------
    dict
        `sets` by name; `verdicts`: list of {set, model, criterion, ok, why, line_ok, line_why}; `passed` of
        `criteria` as trained and `line_passed` as the line runs it.
    """
    ready: list[str] = []

    def done(index: int) -> None:
        ready.append(markets[index].name)
        say(f"{', '.join(ready)}: judged", len(ready) / len(markets))

    found = side_by_side(_evaluate_part, [(*part, config, seed) for part in _parts(markets)], done)
    if found is None:
        found = []
        for index, (market, near) in enumerate(_parts(markets)):

            def progress(what: str, share: float, index: int = index, market: MarketSet = market) -> None:
                say(f"{market.name}: {what}", (index + share) / len(markets))

            found.append(evaluate_set(market, near, config, seed, progress))
    sets = {market.name: one for market, one in zip(markets, found, strict=True)}
    verdicts = [row for name, found in sets.items() for row in verdicts_of(name, found)]
    return {
        "sets": sets,
        "verdicts": verdicts,
        "criteria": len(verdicts),
        "passed": sum(row["ok"] for row in verdicts),
        "line_passed": sum(row["line_ok"] for row in verdicts),
        "ok": all(row["ok"] for row in verdicts),
    }


def _parts(markets: Sequence[MarketSet]) -> list[tuple[MarketSet, list[MarketSet]]]:
    # Each market with those that could lead it.
    return [
        (market, [other for other in markets if other is market or leads_at_all(market, other)])
        for market in markets
    ]


def _evaluate_part(part: tuple[MarketSet, list[MarketSet], Config, int]) -> Report:
    return evaluate_set(*part, lambda what, share: None)


def evaluate_set(
    market: MarketSet, markets: Sequence[MarketSet], config: Config, seed: int, say: Say
) -> Report:
    """Judge all models on one recording."""
    say("leads", 0.0)
    leads = leads_of(market, markets)
    inputs = [lead for lead in leads if lead.cover >= COVER_SHARE][:1]
    leading, heard_ms = [lead.recording() for lead in inputs], config.features.shadow_interval_ms
    keys = {"features.shadow_interval_ms": SHADOW_INTERVAL_MS}
    own = with_keys(config, keys, len(market.recording.instruments))

    def captured(first: float, chosen: ModelSet | None) -> Capture:
        def progress(done: float) -> None:
            say("features", first + 0.15 * done)

        return capture(market.recording, leading, own, progress, chosen, heard_ms, listening=chosen is None)

    bare = captured(0.0, None)
    trained: dict[ModelKind, Trained] = {}
    refused: dict[ModelKind, str] = {}
    _train(OF_MARKET, bare, own, seed, trained, refused)
    source = captured(0.2, _in_force(trained, bare, own, seed))
    say("models", 0.4)
    _train(OF_QUOTE, source, own, seed, trained, refused)
    chosen = _in_force(trained, source, own, seed)
    line = captured(0.7, chosen)
    say("verdicts", 0.9)
    first_ns, last_ns = bare.span_ns
    return {
        "span_s": round((last_ns - first_ns) / NS_PER_S, 3),
        "notes": list(market.notes),
        "split": {"train_share": 0.6, "embargo_s": embargo_s(own), "block_s": judge.BLOCK_S},
        "lead_input": inputs[0].market.name if inputs else None,
        "refused": {kind.name.lower(): why for kind, why in refused.items()},
        **_as_trained(trained, refused, source, own, seed),
        "microprice": report_microprice(bare, own, seed),
        "regime": {**report_regime(line, own, seed), "built_in": report_regime(bare, own, seed)},
        "lead_lag": _lead_lag(market, leads, inputs, bare, own),
        "line": {
            "toxicity": judge_line.line_toxicity(line, own, seed),
            "fill_survival": judge_line.line_fill_survival(line, chosen.models, own, seed),
            "queue_value": judge_line.line_queue_value(line, chosen.models, own, seed),
        },
    }


def _train(
    kinds: Sequence[ModelKind],
    source: Capture,
    config: Config,
    seed: int,
    trained: dict[ModelKind, Trained],
    refused: dict[ModelKind, str],
) -> None:
    # Adds what each kind came to: a model, or why there is none.
    for kind in kinds:
        try:
            trained[kind] = train(kind, [source], config, seed)
        except DataError as error:
            refused[kind] = str(error).removeprefix(f"{source.name}: ")


def _as_trained(
    trained: Mapping[ModelKind, Trained],
    refused: Mapping[ModelKind, str],
    source: Capture,
    config: Config,
    seed: int,
) -> Report:
    found: Report = {}
    for kind in (ModelKind.TOXICITY, ModelKind.FILL_SURVIVAL, ModelKind.QUEUE_VALUE):
        name = kind.name.lower()
        found[name] = trained[kind].metrics[source.name] if kind in trained else judge.silent(refused[kind])
    if ModelKind.QUEUE_VALUE in refused:
        test = judge.split_fills(source.quotes, source.span_ns, config)[1]
        found["queue_value"] = judge.report_queue_value(None, test, config, seed)
    return found


def _in_force(trained: Mapping[ModelKind, Trained], source: Capture, config: Config, seed: int) -> ModelSet:
    # As a line gets them: files that are written, read back and checked.
    with TemporaryDirectory(prefix="mmpipe-evaluate-") as folder:
        paths = {}
        for kind, model in trained.items():
            path = Path(folder) / f"{kind.name.lower()}.npz"
            save_trained(path, model, [source], config, seed)
            paths[kind.name.lower()] = str(path)
        return load_model_set(msgspec.structs.replace(config.models, **paths))


def _lead_lag(
    market: MarketSet, leads: list[Lead], inputs: list[Lead], source: Capture, config: Config
) -> Report:
    if not leads and not len(source.trace.ts_ns):
        return {"n": 0, "delay": None, "why_not": "no other recording leads this market"}
    if not leads:
        return lead_delay(source.trace)
    # The market that leads most, even if it was recorded for a part of the time only.
    best = max(leads, key=lambda lead: lead.found.lead_ms)
    if not inputs or best.market is not inputs[0].market:
        source = capture(market.recording, [best.recording()], config)
    return {
        "lead": best.market.name,
        "lead_ms": best.found.lead_ms,
        "correlation": round(best.found.correlation, 4),
        **lead_delay(source.trace),
    }
