"""`mmpipe config check` opens the models it names, and says what `run` would say."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from mmpipe import config as configuration
from mmpipe.commands.config import check_config
from mmpipe.config import Config
from mmpipe.enums import ModelKind
from mmpipe.errors import ArtefactError
from mmpipe.models.artefact import content_sha256
from stages.supervisor import Supervisor
from tests.mmpipe.models import made_models

ROOT = Path(__file__).resolve().parents[3]
VALUE = ModelKind.QUEUE_VALUE


def naming(folder: Path, kind: str, model: Path) -> Path:
    head, _, rest = (ROOT / "pipeline.toml").read_text(encoding="utf-8").partition("\n[models]\n")
    path = folder / "pipeline.toml"
    models = rest.replace(f'{kind} = ""', f'{kind} = "{model}"', 1)
    path.write_text(f"{head}\n[models]\n{models}", encoding="utf-8")
    return path


def changed_header(path: Path, **changes: object) -> None:
    with np.load(path) as file:
        entries = {name: file[name] for name in file.files if name != "sha256"}
    header = {**msgspec.json.decode(entries["header"].tobytes()), **changes}
    entries["header"] = np.frombuffer(msgspec.json.encode(header), np.uint8)
    digest = np.frombuffer(bytes.fromhex(content_sha256(entries)), np.uint8)
    np.savez(path, **{**entries, "sha256": digest})  # type: ignore[arg-type]  # arrays by name


def refused_by_run(config: Config) -> ArtefactError:
    with pytest.raises(ArtefactError) as found:
        Supervisor(config).start()
    return found.value


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "No such file"),
        ("other kind", "is of kind queue_value, named as models.toxicity"),
        ("other inputs", "schema"),
        ("damaged", "not an artefact"),
        ("a folder", "Is a directory"),
    ],
)
def test_a_model_that_may_not_decide_is_refused_in_the_words_of_run(
    tmp_path: Path, runtime_base: Path, case: str, words: str
) -> None:
    model = tmp_path / "value.npz"
    made_models.write(model, VALUE, "linear", made_models.linear(1))
    check_config(naming(tmp_path, "queue_value", model))
    if case == "missing":
        model.unlink()
    elif case == "other inputs":
        changed_header(model, schema_hash="0" * 16)
    elif case == "damaged":
        model.write_bytes(model.read_bytes()[:1000])
    elif case == "a folder":
        model = tmp_path
    path = naming(tmp_path, "toxicity" if case == "other kind" else "queue_value", model)
    with pytest.raises(ArtefactError, match=words) as found:
        check_config(path)
    said = refused_by_run(configuration.load(path))
    assert (str(said), said.exit_code) == (str(found.value), 7)
