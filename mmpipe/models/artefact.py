"""A trained model as one file: flat arrays and a header in an npz, identified by what they say.

    header    kind, form, names of the inputs with their hash, where it comes from, how it did
    arrays    by name, of the dtype and number of dimensions their form demands
    golden    rows of inputs and the outputs the trainer computed for them
    sha256    over header and arrays in canonical order: the artefact's identity, whatever the zip says

An artefact is checked whenever it is read: hash, kind, form, inputs, shapes, finite numbers, what its form
promises (monotony, a sound tree), and that this machine computes the golden outputs to 1e-9. What fails is an
ArtefactError that names the file and what is wrong. Nothing is unpickled.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from mmpipe import interrupts
from mmpipe.enums import ModelKind
from mmpipe.errors import ArtefactError, DataError
from mmpipe.models.artefact_forms import FORMS, golden_error, refusal
from mmpipe.models.model_inputs import schema_hash

FORMAT: Final = 1
SIZE_MAX: Final = 64 << 20  # bytes; the largest model of the decision path takes less than one
GOLDEN_TOLERANCE: Final = 1e-9
ZIP_MAGIC: Final = b"PK\x03\x04"
_RESERVED: Final = ("header", "sha256", "golden_inputs", "golden_outputs")


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of an artefact besides its arrays.

    Attributes
    ----------
    kind, form : str
        Name of a ModelKind in lower case; name of a form of it.
    format : int
        Of the file.
    feature_names : tuple of str
        Inputs in order; `schema_hash` is theirs.
    created_from : str
        Version of the sources that trained it.
    data : tuple of str
        Recordings it was fitted to, by name; `data_sha256` is over their events.
    train_range_ns : tuple of int
        First and last event, wall or monotonic ns as recorded.
    rows : int
        Labels it was fitted to.
    seed : int
    metrics : mapping
        Of the part it was not fitted to, beside the base rate and the heuristic.
    settings : mapping
        Choices of the fit, and the labels' configuration.
    """

    kind: str
    form: str
    format: int
    feature_names: tuple[str, ...]
    schema_hash: str
    created_from: str
    data: tuple[str, ...]
    data_sha256: str
    train_range_ns: tuple[int, int]
    rows: int
    seed: int
    metrics: dict[str, Any]
    settings: dict[str, Any]


class Artefact(NamedTuple):
    """One that was checked.

    Attributes
    ----------
    kind : ModelKind
    header : Header
    arrays : dict of str to ndarray
        By name, as its form demands.
    golden_inputs, golden_outputs : ndarray of float64, shape (n, inputs), (n, outputs)
    sha256 : str
        64 hexadecimal digits.
    path : Path
    """

    kind: ModelKind
    header: Header
    arrays: dict[str, np.ndarray]
    golden_inputs: np.ndarray
    golden_outputs: np.ndarray
    sha256: str
    path: Path


def save(
    path: Path, header: Header, arrays: Mapping[str, np.ndarray], golden_inputs: np.ndarray,
    golden_outputs: np.ndarray,
) -> Artefact:  # fmt: skip
    """Write an artefact, in whole or not at all, and read it back through every check.

    Parameters
    ----------
    path : Path
        Ends in `.npz`; an existing file is replaced.
    header : Header
    arrays : mapping of str to ndarray
        As the form demands.
    golden_inputs, golden_outputs : ndarray of float64
        What the trainer's own library computes for some rows.

    Raises
    ------
    ArtefactError
        It would be refused when loaded.
    DataError
        It cannot be written.
    """
    entries = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    entries["golden_inputs"] = np.ascontiguousarray(golden_inputs, np.float64)
    entries["golden_outputs"] = np.ascontiguousarray(golden_outputs, np.float64)
    entries["header"] = np.frombuffer(msgspec.json.encode(header, order="sorted"), np.uint8)
    digest = np.frombuffer(bytes.fromhex(content_sha256(entries)), np.uint8)
    memory = io.BytesIO()
    everything: dict[str, Any] = {**entries, "sha256": digest}
    np.savez(memory, **everything)
    check(_decoded(memory.getvalue(), path), path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with interrupts.held():
            try:
                temporary.write_bytes(memory.getvalue())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}; nothing was changed") from error
    return load(path)


def load(path: Path) -> Artefact:
    """Read and check an artefact.

    Raises
    ------
    ArtefactError
        It cannot be read, or may not decide; the message names file and reason.
    """
    try:
        if path.stat().st_size > SIZE_MAX:
            raise ArtefactError(f"{path}: {path.stat().st_size} bytes, more than {SIZE_MAX}; is it a model?")
        content = path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path}: {error.strerror}; name a file that `mmpipe train` wrote") from error
    artefact = _decoded(content, path)
    check(artefact, path)
    return artefact


def header_of(path: Path) -> Header:
    """The header of an artefact that was checked in whole."""
    return load(path).header


def check(artefact: Artefact, path: Path) -> None:
    """Refuse what may not decide: inputs, form, numbers, promises, golden rows.

    Raises
    ------
    ArtefactError
        Names file and reason.
    """
    header = artefact.header
    spec = FORMS.get((artefact.kind, header.form))
    if spec is None:
        known = ", ".join(form for kind, form in FORMS if kind == artefact.kind)
        raise ArtefactError(f"{path}: {header.kind} has no form '{header.form}'; known: {known}")
    if header.schema_hash != schema_hash(header.feature_names):
        raise ArtefactError(f"{path}: schema hash {header.schema_hash} is not that of its own input names")
    if spec.names and tuple(header.feature_names) != spec.names:
        wrong = [
            f"{theirs} for {ours}"
            for theirs, ours in zip(header.feature_names, spec.names, strict=False)
            if theirs != ours
        ] or [f"{len(header.feature_names)} instead of {len(spec.names)}"]
        raise ArtefactError(
            f"{path}: schema {header.schema_hash}, this version has {schema_hash(spec.names)} "
            f"(inputs: {'; '.join(wrong[:3])}); train it anew"
        )
    reason = refusal(spec, artefact.arrays, len(header.feature_names))
    if reason:
        raise ArtefactError(f"{path}: {reason}")
    _check_golden(artefact, path)


def _check_golden(artefact: Artefact, path: Path) -> None:
    inputs, outputs = artefact.golden_inputs, artefact.golden_outputs
    rows = len(inputs)
    if not (rows > 0 and inputs.shape == (rows, len(artefact.header.feature_names)) and outputs.ndim == 2):
        raise ArtefactError(f"{path}: golden rows of shape {inputs.shape} and {outputs.shape}")
    if not (np.isfinite(inputs).all() and np.isfinite(outputs).all() and len(outputs) == rows):
        raise ArtefactError(f"{path}: golden rows hold numbers that are none")
    spec = FORMS[artefact.kind, artefact.header.form]
    error = golden_error(spec, artefact.kind, artefact.header.form, artefact.arrays, inputs, outputs)
    if not error <= GOLDEN_TOLERANCE:
        raise ArtefactError(
            f"{path}: golden rows differ by {error:.3g}, more than {GOLDEN_TOLERANCE:g}: "
            "what it says here is not what it said where it was trained"
        )


def content_sha256(entries: Mapping[str, np.ndarray]) -> str:
    """Digest over names, dtypes, shapes and bytes of the entries, sorted by name; `sha256` is left out."""
    digest = hashlib.sha256()
    for name in sorted(set(entries) - {"sha256"}):
        array = np.ascontiguousarray(entries[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _decoded(content: bytes, path: Path) -> Artefact:
    if not content.startswith(ZIP_MAGIC):  # numpy would take it for a pickle, and say how to open it unsafely
        raise ArtefactError(f"{path}: not an artefact of `mmpipe train`: no npz file, or not the whole of it")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            entries = {name: file[name] for name in file.files}
        missing = [name for name in _RESERVED if name not in entries]
        if missing:
            raise ArtefactError(
                f"{path}: holds no {', '.join(missing)}; is it an artefact of `mmpipe train`?"
            )
        said, found = entries["sha256"].tobytes().hex(), content_sha256(entries)
        if said != found:
            raise ArtefactError(f"{path}: hash {found[:16]}… where {said[:16]}… is written: it was changed")
        header = msgspec.json.decode(entries["header"].tobytes(), type=Header)
        kind = ModelKind[header.kind.upper()]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise ArtefactError(f"{path}: not an artefact of `mmpipe train`: {error}") from error
    except KeyError as error:
        known = ", ".join(kind.name.lower() for kind in ModelKind)
        raise ArtefactError(f"{path}: kind {error} is not one of {known}") from error
    if header.format != FORMAT:
        raise ArtefactError(f"{path}: format {header.format}, this version reads {FORMAT}; train it anew")
    arrays = {name: array for name, array in entries.items() if name not in _RESERVED}
    return Artefact(kind, header, arrays, entries["golden_inputs"], entries["golden_outputs"], found, path)
