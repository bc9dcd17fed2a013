"""What is in force is what was named, by hash; anything else is refused."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from mmpipe import config as configuration
from mmpipe.config import Config, ModelsConfig
from mmpipe.enums import ModelKind
from mmpipe.errors import ArtefactError, UsageError
from mmpipe.execution.executor import Executor
from mmpipe.models.model_set import ids_of, load_model_set, models_id_of, paths_by_kind
from mmpipe.models.snapshot_engine import SnapshotEngine
from tests.mmpipe.execution.test_executor import instruments
from tests.mmpipe.models import made_models

NONE = ModelsConfig(toxicity="", queue_value="", fill_survival="", microprice="", regime="")


def named(**paths: Path) -> ModelsConfig:
    return msgspec.structs.replace(NONE, **{kind: str(path) for kind, path in paths.items()})


@pytest.fixture
def value_path(tmp_path: Path) -> Path:
    made_models.write(tmp_path / "value.npz", ModelKind.QUEUE_VALUE, "trees", made_models.trees(1))
    return tmp_path / "value.npz"


@pytest.fixture
def survival_path(tmp_path: Path) -> Path:
    made_models.write(tmp_path / "fill.npz", ModelKind.FILL_SURVIVAL, "hazards", made_models.hazards(1))
    return tmp_path / "fill.npz"


def test_nothing_named_is_all_built_in() -> None:
    chosen = load_model_set(NONE)
    assert chosen.artefacts == {}
    assert chosen.sha256 == {}
    assert int(chosen.models["models_id"][0]) == 0
    assert not chosen.models["artefact_ids"].any()


def test_the_hashes_are_what_the_boards_show(value_path: Path, survival_path: Path) -> None:
    chosen = load_model_set(named(queue_value=value_path, fill_survival=survival_path))
    assert set(chosen.sha256) == {"queue_value", "fill_survival"}
    first = int.from_bytes(bytes.fromhex(chosen.sha256["queue_value"][:16]), "big", signed=True)
    ids = chosen.models["artefact_ids"][0]
    assert ids[ModelKind.QUEUE_VALUE] == first
    assert (ids != 0).tolist() == [False, True, True, False, False]
    assert int(chosen.models["models_id"][0]) == models_id_of(chosen.sha256) != 0
    alone = load_model_set(named(queue_value=value_path))
    assert int(alone.models["models_id"][0]) != int(chosen.models["models_id"][0])
    assert ids_of(alone.sha256)[ModelKind.QUEUE_VALUE] == first


def test_a_file_under_the_wrong_key_or_replaced_is_refused(value_path: Path, survival_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"is of kind queue_value, named as models\.fill_survival"):
        load_model_set(named(fill_survival=value_path))
    before = load_model_set(named(queue_value=value_path)).sha256
    assert load_model_set(named(queue_value=value_path), before).sha256 == before
    made_models.write(value_path, ModelKind.QUEUE_VALUE, "trees", made_models.trees(2))
    with pytest.raises(ArtefactError, match="the file was replaced"):
        load_model_set(named(queue_value=value_path), before)
    with pytest.raises(ArtefactError, match="the file was replaced"):
        load_model_set(named(fill_survival=survival_path), {})


def test_the_header_says_which_key_a_file_is_for(value_path: Path, survival_path: Path) -> None:
    assert paths_by_kind([value_path, survival_path]) == {
        "models.queue_value": str(value_path), "models.fill_survival": str(survival_path),
    }  # fmt: skip
    with pytest.raises(UsageError, match="of the same kind"):
        paths_by_kind([value_path, value_path])


def test_engines_take_what_the_configuration_names(value_path: Path) -> None:
    overrides = paths_by_kind([value_path])
    config: Config = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml", overrides)
    expected = load_model_set(config.models)
    board = SnapshotEngine(config, instruments()).model_board(0)
    assert board["models_id"] == expected.models["models_id"]
    assert np.array_equal(board["artefact_ids"], expected.models["artefact_ids"])
    executor = Executor(config, instruments(), 1)
    assert executor.board(0)["models_id"] == expected.models["models_id"]
