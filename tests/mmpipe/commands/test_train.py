"""`mmpipe train`: a refused model leaves the rest; those of a quote are fitted beside those of the market."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mmpipe.cli import app
from mmpipe.commands import train as command
from mmpipe.config import Config
from mmpipe.enums import ModelKind
from mmpipe.errors import DataError
from mmpipe.models.artefact import load
from mmpipe.models.model_inputs import FEATURE_NAMES
from mmpipe.models.model_set import ModelSet
from mmpipe.recording.recorded import Recording
from mmpipe.training.dataset import Capture
from mmpipe.training.train import Trained
from tests.mmpipe.models import made_models

ROOT = Path(__file__).resolve().parents[3]
MARKET = Path(os.environ.get("MMPIPE_DATA", "../shared/data")) / "norm" / "hl_SOL_20250904.npz"
real = pytest.mark.skipif(not MARKET.is_file(), reason=f"{MARKET} is absent: set MMPIPE_DATA")


WRITTEN = (ModelKind.FILL_SURVIVAL, ModelKind.REGIME)


def made(kind: ModelKind, *_: object) -> Trained:
    """Two kinds are fitted, the others refused."""
    if kind not in WRITTEN:
        raise DataError(f"{kind.name.lower()}: too little")
    if kind == ModelKind.REGIME:
        arrays = {
            "means": np.log([0.5, 1.0, 2.0, 5.0]), "scales": np.full(4, 0.5), "dwell_s": np.full(4, 20.0),
            "jump": (1.0 - np.eye(4)) / 3.0, "degrees": np.array([6.0]),
        }  # fmt: skip
        return Trained(
            kind, "states", ("ratio",), arrays, np.zeros((1, 1)), 9, {"gain": 0.1}, {}, ("a note",)
        )
    rows = made_models.rows(1, 4)
    return Trained(kind, "hazards", FEATURE_NAMES, made_models.hazards(1), rows, 9, {"gain": 0.1}, {}, ())


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half a minute of a market, of which `made` is said to be fitted."""
    with np.load(MARKET) as file:
        count = len(file["px"])
        arrays = {name: file[name] for name in file.files}
    arrays = {name: array[:3000] if array.shape == (count,) else array for name, array in arrays.items()}
    np.savez(tmp_path / "short.npz", **arrays)  # type: ignore[arg-type]  # arrays by name
    monkeypatch.setattr(command, "train", made)
    return tmp_path / "short.npz"


def words(data: Path, out: Path, *more: str) -> list[str]:
    return ["train", "all", str(data), "--out", str(out), "--config", str(ROOT / "pipeline.toml"), *more]


@real
def test_a_refused_model_does_not_take_the_others_with_it(short: Path, tmp_path: Path) -> None:
    out = tmp_path / "models"
    out.mkdir()
    (out / "toxicity.npz").write_bytes(b"of yesterday")
    result = CliRunner().invoke(app, words(short, out))
    assert result.exit_code == 0, result.exception
    lines = result.output.splitlines()
    assert lines[-4:] == [
        f"toxicity: not written: toxicity: too little; {out / 'toxicity.npz'} is of an earlier training",
        "queue-value: not written: queue_value: too little",
        "microprice: not written: microprice: too little",
        f"2 of 5 written to {out}: fill-survival, regime; not written: toxicity, queue-value, microprice",
    ]
    assert sorted(path.stem for path in out.glob("*.npz")) == ["fill-survival", "regime", "toxicity"]
    facts = json.loads(CliRunner().invoke(app, words(short, out, "--json")).stdout)
    assert [model["kind"] for model in facts["models"]] == ["fill_survival", "regime"]
    assert list(facts["not_written"]) == ["toxicity", "queue-value", "microprice"]


@real
def test_models_of_a_quote_are_fitted_beside_those_of_the_market(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_force, capture = [], command.capture

    def seen(recording: Recording, leads: list[Recording], own: Config, say: object, chosen: ModelSet,
             *more: object, **keys: object) -> Capture:  # fmt: skip
        in_force.append(chosen.sha256)
        return capture(recording, leads, own, say, chosen, *more, **keys)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "capture", seen)
    assert CliRunner().invoke(app, words(short, tmp_path / "models")).exit_code == 0
    regime, fill = (load(tmp_path / "models" / f"{name}.npz") for name in ("regime", "fill-survival"))
    assert in_force == [{}, {"regime": regime.sha256}]
    assert regime.header.settings["notes"] == ["a note"]
    assert fill.header.settings["notes"] == [f"beside regime {regime.sha256[:16]}"]


@real
def test_where_nothing_is_written_the_command_fails(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "train", lambda kind, *_: made(ModelKind.TOXICITY))
    for name, count in (("all", 5), ("regime", 1)):
        out = str(tmp_path / ("models" if name == "all" else "regime.npz"))
        arguments = ["train", name, str(short), "--out", out, "--config", str(ROOT / "pipeline.toml")]
        error = CliRunner().invoke(app, arguments).exception
        assert isinstance(error, DataError)
        assert str(error).count("too little") == count
