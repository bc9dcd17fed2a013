"""The models in force: which artefacts the configuration names, read, checked, and known by their hashes.

Every process reads the files itself and must find the bytes the supervisor found: the hashes travel in the
run's context. What is in force shows in SNAPSHOT, BOARD and MODEL_BOARD as the first eight bytes of a hash.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmpipe.config import ModelsConfig
from mmpipe.enums import ModelKind, Part
from mmpipe.errors import ArtefactError, UsageError
from mmpipe.models.artefact import Artefact, load
from mmpipe.models.weights import built_in_models, with_arrays


class ModelSet(NamedTuple):
    """What decides, for one stage: the scratch in `models` is its own.

    Attributes
    ----------
    models : (1,) MODELS
        Numbers of the kernels that value a place, and the hashes of all artefacts.
    artefacts : dict of ModelKind to Artefact
        Those in force; a kind that is not there is built in.
    without : Part
        What does not decide, for a comparison; see `ablation.less`.
    """

    models: np.ndarray
    artefacts: dict[ModelKind, Artefact]
    without: Part = Part(0)

    @property
    def sha256(self) -> dict[str, str]:
        """Hash of each artefact, by name of its kind."""
        return {kind.name.lower(): artefact.sha256 for kind, artefact in sorted(self.artefacts.items())}


def load_model_set(paths: ModelsConfig, expected: Mapping[str, str] | None = None) -> ModelSet:
    """Read what the configuration names.

    Parameters
    ----------
    paths : ModelsConfig
        Path of each kind; empty: built in.
    expected : mapping of str to str, optional
        Hashes by kind that the files must have; None: whatever they have.

    Raises
    ------
    ArtefactError
        A file cannot be read, may not decide, is of another kind, or is not the one expected.
    """
    models, artefacts = built_in_models(), {}
    for kind in ModelKind:
        name = kind.name.lower()
        if not getattr(paths, name):
            continue
        artefact = load(Path(getattr(paths, name)))
        if artefact.kind != kind:
            raise ArtefactError(f"{artefact.path}: is of kind {artefact.header.kind}, named as models.{name}")
        if expected is not None and artefact.sha256 != expected.get(name):
            raise ArtefactError(
                f"{artefact.path}: hash {artefact.sha256[:16]}…, but this run began with "
                f"{str(expected.get(name))[:16]}…: the file was replaced; start the run again"
            )
        artefacts[kind] = artefact
        if kind in (ModelKind.QUEUE_VALUE, ModelKind.FILL_SURVIVAL):
            models = with_arrays(models, kind, artefact.header.form, artefact.arrays)
    chosen = ModelSet(models, artefacts)
    models["models_id"], models["artefact_ids"] = models_id_of(chosen.sha256), ids_of(chosen.sha256)
    return chosen


def paths_by_kind(files: Iterable[Path]) -> dict[str, str]:
    """Configuration keys of artefacts named on a command line, each under the kind its header says.

    Raises
    ------
    ArtefactError
        A file may not decide.
    UsageError
        Two are of one kind.
    """
    overrides: dict[str, str] = {}
    for path in files:
        key = f"models.{load(path).header.kind}"
        if key in overrides:
            raise UsageError(f"--model {path}: {overrides[key]} is of the same kind; one of each can decide")
        overrides[key] = str(path.resolve())
    return overrides


def ids_of(hashes: Mapping[str, str]) -> np.ndarray:
    """First eight bytes of each hash, int64 by ModelKind; 0 for a kind that is not there."""
    return np.array([_first_bytes(hashes.get(kind.name.lower(), "")) for kind in ModelKind], np.int64)


def models_id_of(hashes: Mapping[str, str]) -> int:
    """First eight bytes of the digest over all hashes, as int64; 0 when there is none."""
    if not hashes:
        return 0
    lines = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    return _first_bytes(hashlib.sha256(lines.encode()).hexdigest())


def _first_bytes(digest: str) -> int:
    return int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True) if digest else 0
