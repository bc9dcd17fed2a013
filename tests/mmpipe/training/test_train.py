"""From a recorded market to an artefact: labels joined, fitted, judged on the rest, read back."""

import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mmpipe import config as configuration
from mmpipe.cli import app
from mmpipe.enums import LabelKind, ModelKind, Outcome
from mmpipe.errors import DataError, UsageError
from mmpipe.models.artefact import load
from mmpipe.training import judge
from mmpipe.training import train as train_module
from mmpipe.training.dataset import Capture, capture, split_by_time, with_keys
from mmpipe.training.market_sets import market_sets
from mmpipe.training.needs import require
from mmpipe.training.report import write_report
from mmpipe.training.train import cut_ns, save_trained, train, why_unjudged
from mmpipe.training.value_rival import Gain

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data")) / "norm"
MARKET = DATA / "hl_SOL_20250904.npz"
CONFIG = configuration.load(ROOT / "pipeline.toml")
real = pytest.mark.skipif(not MARKET.is_file(), reason=f"{MARKET} is absent: set MMPIPE_DATA")


@pytest.fixture(scope="module")
def source() -> Capture:
    market = market_sets([MARKET])[0]
    return capture(market.recording, [], with_keys(CONFIG, {}, 1))


@real
def test_rows_of_a_recorded_market_are_joined_with_what_was_known_then(source: Capture) -> None:
    rows = source.quotes
    joins = source.labels[source.labels["kind"] == LabelKind.SHADOW_QUOTE]
    assert len(rows) == len(joins) > 5_000
    assert np.isfinite(rows.inputs).all()
    assert (np.diff(rows.joined_ns) >= 0).all()
    judged = rows.judged()
    assert (judged.outcome == Outcome.FILLED).all()
    assert len(judged) > 0.95 * (rows.outcome == Outcome.FILLED).sum()
    # What a model saw is what stood in the SNAPSHOT of the join, not later.
    known = source.snapshots_of(joins["cause_seq"])
    assert (known["ts_ns"] == joins["cause_ts_ns"]).all()
    assert len(source.trades) > 1_000


@real
def test_nothing_that_trains_resolves_after_the_cut_and_nothing_that_tests_begins_before(
    source: Capture,
) -> None:
    cut = cut_ns(source.span_ns)
    train_part, test_part = judge.split_fills(source.quotes, source.span_ns, CONFIG)
    assert train_part.judged_ns.max() <= cut < test_part.joined_ns.min()
    embargo_s = CONFIG.features.shadow_horizon_ms / 1e3 + CONFIG.labels.horizon_s
    assert test_part.joined_ns.min() >= cut + embargo_s * 1e9
    assert len(train_part) > len(test_part) > 500


@real
def test_a_queue_value_that_is_not_surely_better_is_refused(
    source: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "gain_over_models_in_force", lambda *_: Gain(1.0, 0.5, -0.5, 1.5))
    with pytest.raises(DataError, match=r"saves .* against what decides without it.*nothing is written"):
        train(ModelKind.QUEUE_VALUE, [source], source.config, 1)


@real
def test_every_model_becomes_an_artefact_that_reads_back(
    source: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half an hour is too short for a queue value to be surely better; here it is taken for that.
    monkeypatch.setattr(train_module, "gain_over_models_in_force", lambda *_: Gain(1.0, 1.0, 0.5, 1.5))
    for kind in ModelKind:
        trained = train(kind, [source], source.config, 1)
        path = tmp_path / f"{kind.name.lower()}.npz"
        artefact = save_trained(path, trained, [source], source.config, 1)
        assert artefact.kind == kind
        assert load(path).sha256 == artefact.sha256
        write_report(path.with_suffix(".html"), artefact)
        report = path.with_suffix(".html").read_text(encoding="utf-8")
        assert artefact.sha256[:16] in report
        assert ("Reliability: " in report) == (kind in (ModelKind.TOXICITY, ModelKind.FILL_SURVIVAL))
        assert artefact.header.data == ("hl_SOL_20250904",)
        shown = CliRunner().invoke(app, ["models", "show", str(path)])
        assert shown.exit_code == 0, shown.exception
        assert artefact.sha256 in shown.output
        whole = kind == ModelKind.MICROPRICE
        assert (artefact.header.train_range_ns[1] == source.span_ns[1]) == whole
    again = train(ModelKind.FILL_SURVIVAL, [source], source.config, 1)
    first = load(tmp_path / "fill_survival.npz")
    assert (first.arrays["fill_coefs"] == again.arrays["fill_coefs"]).all()
    scores = first.header.metrics["hl_SOL_20250904"]["1"]
    assert scores["skill"] > 0.05
    assert scores["brier"] < scores["brier_base"] < scores["heuristic"]["brier"]
    words = {"fill_survival": "heuristic", "microprice": "saved on the mid"}
    for name, word in words.items():
        assert word in CliRunner().invoke(app, ["models", "show", str(tmp_path / f"{name}.npz")]).output
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK no model")
    listed = CliRunner().invoke(app, ["models", "list", str(tmp_path)]).output
    assert "damaged.npz: REFUSED" in listed
    assert listed.count("REFUSED") == 1


@real
def test_what_nothing_is_left_to_judge_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    # 33 s: enough fills to fit, and 44 virtual quotes where 50 are needed to judge.
    with np.load(MARKET) as file:
        count = len(file["px"])
        short = {
            name: file[name][:3000] if file[name].shape == (count,) else file[name] for name in file.files
        }
    np.savez(tmp_path / "short.npz", **short)  # type: ignore[arg-type]  # arrays by name
    out = tmp_path / "made" / "fill.npz"
    words = ["train", "fill-survival", str(tmp_path / "short.npz"), "--out", str(out)]
    words += ["--config", str(ROOT / "pipeline.toml")]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, DataError)
    assert "44 virtual quotes in the test part, 50 are needed; 33 s are recorded" in str(error)
    assert "--unjudged" in str(error)
    assert not out.parent.exists()
    assert CliRunner().invoke(app, [*words, "--unjudged"]).exit_code == 0
    assert any("never judged: 44" in note for note in load(out).header.settings["notes"])
    for twice in ([tmp_path / "short.npz"] * 2, [tmp_path, tmp_path / "short.npz"]):
        with pytest.raises(DataError, match="named twice"):
            market_sets(twice)


def test_one_recording_that_judges_is_enough() -> None:
    silent, judged = {"n": 0, "why_not": "few"}, {"n": 60, "skill": 0.1}
    assert why_unjudged({"a": silent, "b": silent}) == "few"
    assert why_unjudged({"a": silent, "b": judged}) == ""
    assert why_unjudged({"log_likelihood": 0.5}) == ""


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    words = [
        "train",
        "toxicity",
        str(tmp_path / "absent.npz"),
        "--config",
        str(ROOT / "pipeline.toml"),
        "--out",
    ]
    for out, why in ((tmp_path / "file" / "m.npz", "is no folder"), (tmp_path, "ends in .npz")):
        error = CliRunner().invoke(app, [*words, str(out)]).exception
        assert isinstance(error, UsageError)
        assert why in str(error)


def test_the_split_is_by_time_with_nothing_in_between() -> None:
    begin = np.arange(0, 100, 10) * 1_000_000_000
    parts = split_by_time(begin, begin + 15_000_000_000, (0, 100_000_000_000), 10.0, share=0.5)
    assert parts.cut_ns == 50_000_000_000
    assert np.flatnonzero(parts.train).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(parts.test).tolist() == [6, 7, 8, 9]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pip install 'mmpipe\[train\]'"):
        require("no_such_library")
    with pytest.raises(UsageError, match="no recording there"):
        market_sets([tmp_path])
    with pytest.raises(DataError, match="no such file"):
        market_sets([tmp_path / "absent.npz"])
    arguments = ["train", "prices", str(tmp_path), "--out", "x.npz", "--config", str(ROOT / "pipeline.toml")]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UsageError)
    assert "fill-survival" in str(error)
