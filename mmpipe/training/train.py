"""One model fitted to the first part of recordings and judged on the second; what an artefact is made of.

What is saved is what was judged: fitted to the training parts alone, so that the figures beside it are its
own.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import ModelKind, Regime, Trigger
from mmpipe.errors import DataError
from mmpipe.features.regime import RATIO_MIN, ROOT_MINUTE, built_in_model
from mmpipe.models.artefact import FORMAT, Artefact, Header, save
from mmpipe.models.artefact_forms import answers
from mmpipe.models.model_inputs import FEATURE_NAMES, schema_hash
from mmpipe.models.trade_features import TOXICITY_INPUTS
from mmpipe.provenance import provenance
from mmpipe.training import judge
from mmpipe.training.dataset import TRAIN_SHARE, Capture, embargo_s
from mmpipe.training.fit_fill_survival import fit_fill_survival
from mmpipe.training.fit_queue_value import fit_queue_value
from mmpipe.training.fit_regime import fit_regime
from mmpipe.training.fit_toxicity import fit_toxicity, llr_against
from mmpipe.training.judge_state import report_microprice
from mmpipe.training.quote_rows import QuoteRows, joined
from mmpipe.training.value_rival import gain_over_models_in_force

GOLDEN_ROWS: Final = 32
REGIME_STEP_S: Final = 1.0

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model before it is a file.

    Attributes
    ----------
    kind, form : ModelKind, str
    names : tuple of str
        Inputs in order.
    arrays : mapping of str to ndarray
        As the form demands.
    golden_inputs : ndarray of float64, shape (m, inputs)
        Rows whose answers are kept.
    rows : int
        Labels it was fitted to.
    metrics : dict
        By recording, of the part it was not fitted to.
    weight : mapping of str to float
        How much each input counts.
    notes : tuple of str
        Choices made on the way.
    """

    kind: ModelKind
    form: str
    names: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    golden_inputs: np.ndarray
    rows: int
    metrics: Report
    weight: Mapping[str, float]
    notes: tuple[str, ...]


def train(
    kind: ModelKind, sources: Sequence[Capture], config: Config, seed: int, unjudged: bool = False
) -> Trained:
    """Fit a model to the first part of every recording, judge it on the second part of each.

    Parameters
    ----------
    kind : ModelKind
    sources : sequence of Capture
        At least one.
    config : Config
        They were captured with.
    seed : int
    unjudged : bool
        Take it although no recording had enough left to judge it on; a note says so.

    Raises
    ------
    DataError
        They hold too little of what the model learns from, or nothing to judge it on.
    """
    names = ", ".join(source.name for source in sources)
    try:
        trained = FITS[kind](sources, config, seed)
    except ValueError as error:
        raise DataError(f"{names}: {error}") from error
    why = why_unjudged(trained.metrics)
    if not why:
        return trained
    if not unjudged:
        span_s = sum(source.span_ns[1] - source.span_ns[0] for source in sources) / NS_PER_S
        raise DataError(
            f"{names}: {kind.name.lower()} would be judged on nothing: {why}; {span_s:.0f} s are recorded, "
            f"of which the last {1.0 - TRAIN_SHARE:.0%} less {embargo_s(config):g} s of each test; "
            "record longer, or say --unjudged"
        )
    return replace(trained, notes=(*trained.notes, f"never judged: {why}"))


def why_unjudged(metrics: Report) -> str:
    """Why no recording judged a model, in the words of each; "" when one did.

    Parameters
    ----------
    metrics : dict
        Of a `Trained`; figures that are not by recording (of the regimes) judge themselves.
    """
    reports = [report for report in metrics.values() if isinstance(report, dict)]
    reasons = [str(report["why_not"]) for report in reports if "why_not" in report]
    return ", ".join(dict.fromkeys(reasons)) if len(reasons) == len(reports) else ""


def save_trained(
    path: Path, trained: Trained, sources: Sequence[Capture], config: Config, seed: int
) -> Artefact:
    """Write the artefact; it is read back through every check.

    Raises
    ------
    ArtefactError
        It would be refused when loaded.
    """
    made = provenance()
    first_ns = min(source.span_ns[0] for source in sources)
    whole = trained.kind == ModelKind.MICROPRICE  # an estimate of the line's own, at the end of a recording
    last_ns = max(source.span_ns[1] if whole else cut_ns(source.span_ns) for source in sources)
    header = Header(
        kind=trained.kind.name.lower(),
        form=trained.form,
        format=FORMAT,
        feature_names=trained.names,
        schema_hash=schema_hash(trained.names),
        created_from=f"{made['version']} {made['git']}".strip(),
        data=tuple(source.name for source in sources),
        data_sha256=hashlib.sha256("".join(source.events_sha256 for source in sources).encode()).hexdigest(),
        train_range_ns=(first_ns, last_ns),
        rows=trained.rows,
        seed=seed,
        metrics=trained.metrics,
        settings={
            "notes": list(trained.notes),
            "weight": {name: round(value, 6) for name, value in trained.weight.items()},
            "train_share": TRAIN_SHARE,
            "maker_fee_bps": config.execution.maker_fee_bps,
            "edge_horizon_s": config.labels.horizon_s,
            "adverse_ticks": config.labels.adverse_ticks,
            "toxic_horizon_ms": config.labels.toxic_horizon_ms,
        },
    )
    golden = answers(trained.kind, trained.form, trained.arrays, trained.golden_inputs)
    return save(path, header, trained.arrays, trained.golden_inputs, golden)


def cut_ns(span_ns: tuple[int, int]) -> int:
    """Where the training part of a recording ends."""
    return int(span_ns[0] + TRAIN_SHARE * (span_ns[1] - span_ns[0]))


def _golden(inputs: np.ndarray) -> np.ndarray:
    rows = np.linspace(0, len(inputs) - 1, min(GOLDEN_ROWS, len(inputs))).astype(int)
    return np.ascontiguousarray(inputs[rows])


def _train_toxicity(sources: Sequence[Capture], config: Config, seed: int) -> Trained:
    parts = [judge.split_trades(source.trades, source.span_ns, config) for source in sources]
    rows = np.concatenate([train for train, _ in parts])
    rows = rows[np.argsort(rows["ts_ns"], kind="stable")]
    fitted, strength = fit_toxicity(rows["inputs"], rows["toxic"].astype(np.int64))
    against = llr_against(rows, config.labels.toxic_horizon_ms * NS_PER_MS)
    arrays = {
        "weights": fitted.weights, "means": fitted.means, "scales": fitted.scales,
        "bias": np.array([fitted.bias]), "prior_log_odds": np.array([fitted.prior_log_odds]),
        "llr_against": np.array([against]),
    }  # fmt: skip
    metrics = {
        source.name: {"toxic_train": int(train["toxic"].sum())} | judge.report_toxicity(fitted, test, seed)
        for source, (train, test) in zip(sources, parts, strict=True)
    }
    weight = dict(zip(TOXICITY_INPUTS, fitted.weights.tolist(), strict=True))
    notes = (f"prior of precision {strength:g}", f"{int(rows['toxic'].sum())} of {len(rows)} were toxic")
    return Trained(
        ModelKind.TOXICITY, "logistic", TOXICITY_INPUTS, arrays, _golden(rows["inputs"]), len(rows),
        metrics, weight, notes,
    )  # fmt: skip


def _train_fill_survival(sources: Sequence[Capture], config: Config, seed: int) -> Trained:
    parts = [judge.split_quotes(source.quotes, source.span_ns, config) for source in sources]
    rows = joined([train for train, _ in parts])
    fitted = fit_fill_survival(rows.inputs, rows.wait_s, rows.outcome)
    metrics = {
        source.name: judge.report_fill_survival(fitted, test, config, seed)
        for source, (_, test) in zip(sources, parts, strict=True)
    }
    weight = {name: fill for name, (fill, _) in fitted.effects.items()}
    return Trained(
        ModelKind.FILL_SURVIVAL, "hazards", FEATURE_NAMES, fitted.arrays, _golden(rows.inputs), len(rows),
        metrics, weight, fitted.notes,
    )  # fmt: skip


def _train_queue_value(sources: Sequence[Capture], config: Config, seed: int) -> Trained:
    parts = [judge.split_fills(source.quotes, source.span_ns, config) for source in sources]
    rows: QuoteRows = joined([train for train, _ in parts])
    gain = gain_over_models_in_force(rows, config.execution.maker_fee_bps, seed)
    if not gain.sure:
        raise ValueError(
            f"queue value: what {len(rows)} fills teach {gain} against what decides without it, along the "
            "training time; that is not beyond doubt, so nothing is written: record longer"
        )
    loss_bps = rows.loss_bps(config.execution.maker_fee_bps)
    fitted = fit_queue_value(rows.inputs, loss_bps, rows.joined_ns, rows.judged_ns, seed)
    metrics = {
        source.name: judge.report_queue_value(fitted, test, config, seed)
        for source, (_, test) in zip(sources, parts, strict=True)
    }
    return Trained(
        ModelKind.QUEUE_VALUE, fitted.form, FEATURE_NAMES, fitted.arrays, _golden(rows.inputs), len(rows),
        metrics, fitted.importance, (*fitted.notes, f"along the training time it {gain}"),
    )  # fmt: skip


def _train_microprice(sources: Sequence[Capture], config: Config, seed: int) -> Trained:
    # The line's own estimator at the end of a recording: the artefact spares a start its first minutes.
    table = max((source.microprice for source in sources), key=lambda found: found.updates)
    if not table.updates:
        raise ValueError("microprice: its table was never estimated; record longer")
    arrays = {"table_tick": table.table_tick, "step_tick": np.array([table.step_tick], dtype=np.int64)}
    notes = (
        f"{table.updates} estimates, {table.moves:.0f} moves of the mid, over the whole recording",
        "figures are of the line's own running estimate, which at each moment knew only the past",
    )
    names = tuple(f"state_{index}" for index in range(len(table.table_tick)))
    weight = dict(zip(names, table.table_tick.tolist(), strict=True))
    metrics = {source.name: report_microprice(source, config, seed) for source in sources}
    golden = np.zeros((1, len(names)))
    return Trained(
        ModelKind.MICROPRICE, "table", names, arrays, golden, int(table.moves), metrics, weight, notes
    )


def _train_regime(sources: Sequence[Capture], config: Config, seed: int) -> Trained:
    series = [_readings(source, config) for source in sources]
    longest = max(series, key=len)
    cut = int(TRAIN_SHARE * len(longest))
    degrees = config.features.regime_tail_degrees
    known = built_in_model(config.features)[0]
    # Quiet and normal are what this market makes of them; volatile and cascade keep their meaning.
    floors = np.array([-np.inf, -np.inf, known["means"][Regime.VOLATILE], known["means"][Regime.CASCADE]])
    fitted = fit_regime(longest[:cut], REGIME_STEP_S, degrees, floors, known["scales"], seed)
    arrays = {
        "means": fitted.means, "scales": fitted.scales, "dwell_s": fitted.dwell_s, "jump": fitted.jump,
        "degrees": np.array([float(degrees)]),
    }  # fmt: skip
    names = ("log_volatility_ratio",)
    metrics = {"log_likelihood": round(fitted.log_likelihood, 6)}
    weight = {f"mean_{index}": float(value) for index, value in enumerate(fitted.means)}
    notes = tuple(
        f"{name}: {np.round(array, 3).tolist()}"
        for name, array in (("means", fitted.means), ("scales", fitted.scales), ("dwell s", fitted.dwell_s))
    )
    golden = longest[:GOLDEN_ROWS, None]
    return Trained(ModelKind.REGIME, "states", names, arrays, golden, cut, metrics, weight, notes)


def _readings(source: Capture, config: Config) -> np.ndarray:
    # What the live filter would be shown, once per REGIME_STEP_S, of the first market.
    rows = source.snapshots
    rows = rows[(rows["trigger"] == Trigger.TIMER) & (rows["symbol"] == 0) & (rows["mid_px"] > 0.0)]
    step = max(int(REGIME_STEP_S * NS_PER_S / (config.feed.timer_ms * NS_PER_MS)), 1)
    ratio = rows["sigma_ewma_bps"][::step] * ROOT_MINUTE / config.priors.sigma_baseline_bps
    readings: np.ndarray = np.log(np.maximum(ratio, RATIO_MIN))
    return readings


FITS: Final[dict[ModelKind, Callable[[Sequence[Capture], Config, int], Trained]]] = {
    ModelKind.TOXICITY: _train_toxicity,
    ModelKind.QUEUE_VALUE: _train_queue_value,
    ModelKind.FILL_SURVIVAL: _train_fill_survival,
    ModelKind.MICROPRICE: _train_microprice,
    ModelKind.REGIME: _train_regime,
}
