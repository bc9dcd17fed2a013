"""An artefact comes back as it was written, by the same hash, or is refused by name."""

import resource
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mmpipe.enums import ModelKind
from mmpipe.errors import ArtefactError, DataError, PreflightError
from mmpipe.features.microprice import STATES, mirror
from mmpipe.models import artefact as artefacts
from mmpipe.models.artefact import load, save
from mmpipe.models.artefact_forms import FORMS, answers
from mmpipe.models.model_inputs import AHEAD, FEATURE_NAMES, INPUTS, RANK
from mmpipe.models.toxicity import LLR_AGAINST
from mmpipe.models.trade_features import TOXICITY_INPUTS
from tests.mmpipe.models import made_models

VALUE, SURVIVAL = ModelKind.QUEUE_VALUE, ModelKind.FILL_SURVIVAL


def made(kind: ModelKind, form: str) -> made_models.Arrays:
    if kind == ModelKind.TOXICITY:
        ones = np.ones(len(TOXICITY_INPUTS))
        numbers = {"bias": -1.0, "prior_log_odds": -2.0, "llr_against": -0.5}
        return {"weights": ones, "means": 0.0 * ones, "scales": ones} | {
            name: np.array([number]) for name, number in numbers.items()
        }
    if kind == ModelKind.MICROPRICE:
        table = np.arange(float(STATES))
        return {
            "table_tick": table - table[[mirror(index) for index in range(STATES)]],
            "step_tick": np.array([1]),
        }
    if kind == ModelKind.REGIME:
        return {
            "means": np.log([0.5, 1.0, 2.0, 5.0]), "scales": np.full(4, 0.5), "dwell_s": np.full(4, 20.0),
            "jump": (1.0 - np.eye(4)) / 3.0, "degrees": np.array([6.0]),
        }  # fmt: skip
    arrays: made_models.Arrays = getattr(made_models, form)(1)
    return arrays


@pytest.mark.parametrize(("kind", "form"), list(FORMS))
def test_what_is_written_comes_back_under_the_same_hash(tmp_path: Path, kind: ModelKind, form: str) -> None:
    arrays = made(kind, form)
    written = made_models.write(tmp_path / "a.npz", kind, form, arrays)
    again = made_models.write(tmp_path / "b.npz", kind, form, arrays)
    back = load(tmp_path / "a.npz")
    assert back.kind == kind
    assert back.sha256 == written.sha256 == again.sha256
    assert back.header == written.header
    for name, array in arrays.items():
        assert back.arrays[name].tobytes() == array.tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_every_byte_of_the_content_counts(tmp_path: Path) -> None:
    arrays = made(VALUE, "linear")
    first = made_models.write(tmp_path / "a.npz", VALUE, "linear", arrays)
    arrays["coefs"][3] = np.nextafter(arrays["coefs"][3], 1.0)
    assert made_models.write(tmp_path / "a.npz", VALUE, "linear", arrays).sha256 != first.sha256
    other_seed = made_models.write(tmp_path / "a.npz", VALUE, "linear", made(VALUE, "linear"), seed=4)
    assert other_seed.sha256 != first.sha256


def _tampered(path: Path, **changed: np.ndarray) -> None:
    with np.load(path) as file:
        entries = {name: file[name] for name in file.files}
    np.savez(path, **{**entries, **changed})


def test_a_changed_number_is_refused_although_the_zip_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    arrays = made(VALUE, "trees")
    made_models.write(path, VALUE, "trees", arrays)
    arrays["leaves"][3, 5] += 1.0
    _tampered(path, leaves=arrays["leaves"])
    with pytest.raises(ArtefactError, match="was changed"):
        load(path)


def test_arrays_that_say_something_else_than_where_they_were_trained_are_refused(tmp_path: Path) -> None:
    arrays, inputs = made(SURVIVAL, "hazards"), made_models.rows(7, 5)
    outputs = answers(SURVIVAL, "hazards", arrays, inputs)
    header = made_models.header(SURVIVAL, "hazards")
    save(tmp_path / "a.npz", header, arrays, inputs, outputs + 0.9e-9)
    with pytest.raises(ArtefactError, match="golden rows differ by"):
        save(tmp_path / "b.npz", header, arrays, inputs, outputs + 1e-6)
    with pytest.raises(ArtefactError, match="golden rows differ"):
        save(tmp_path / "b.npz", header, arrays, inputs, outputs[:, :2])
    with pytest.raises(ArtefactError, match="golden rows of shape"):
        save(tmp_path / "b.npz", header, arrays, inputs[:0], outputs[:0])
    with pytest.raises(ArtefactError, match="numbers that are none"):
        save(tmp_path / "b.npz", header, arrays, inputs, outputs * np.nan)
    assert not (tmp_path / "b.npz").exists()


def test_other_inputs_are_refused_by_schema_and_name(tmp_path: Path) -> None:
    names = ("depth", *FEATURE_NAMES[1:])
    with pytest.raises(ArtefactError, match=r"schema [0-9a-f]{16}, this version .*depth for depth_bps"):
        made_models.write(
            tmp_path / "a.npz", VALUE, "linear", made(VALUE, "linear"), feature_names=names,
            schema_hash=artefacts.schema_hash(names),
        )  # fmt: skip
    with pytest.raises(ArtefactError, match="not that of its own input names"):
        made_models.write(tmp_path / "a.npz", VALUE, "linear", made(VALUE, "linear"), schema_hash="0" * 16)


@pytest.mark.parametrize(
    ("header", "match"),
    [({"kind": "tarot"}, "kind 'TAROT' is not one of"), ({"form": "forest"}, "has no form 'forest'"),
     ({"format": 2}, "format 2, this version reads 1"), ({"kind": "fill_survival"}, "has no form 'linear'")],
)  # fmt: skip
def test_other_kinds_forms_and_formats_are_refused(
    tmp_path: Path, header: dict[str, object], match: str
) -> None:
    wrong = msgspec.structs.replace(made_models.header(VALUE, "linear"), **header)
    with pytest.raises(ArtefactError, match=match):
        save(tmp_path / "a.npz", wrong, made(VALUE, "linear"), made_models.rows(7, 5), np.zeros((5, 2)))


def _linear(name: str, value: object) -> made_models.Arrays:
    return {**made(VALUE, "linear"), name: value}  # type: ignore[dict-item]


def _trees(**changed: np.ndarray) -> made_models.Arrays:
    return {**made(VALUE, "trees"), **changed}


def _rising(feature: int) -> made_models.Arrays:
    arrays = made(VALUE, "trees")
    arrays["features"][4, 0], arrays["thresholds"][4, 0] = feature, 0.5
    arrays["thresholds"][4, 1:] = np.inf
    arrays["leaves"][4, :16], arrays["leaves"][4, 16:] = 1.0, 0.5  # the back of the queue loses less
    return arrays


PAIRS = made(VALUE, "linear")["pairs"]
ASKS_BEYOND = np.full((20, 31), INPUTS, np.uint8)
REFUSED = {
    "not a number": (VALUE, "linear", _linear("coefs", np.full(45, np.nan)), "coefs holds numbers"),
    "of another type": (VALUE, "linear", _linear("coefs", np.ones(45, np.float32)), "coefs is float32"),
    "of another size": (VALUE, "linear", _linear("coefs", np.ones(44)), "coefs has shape"),
    "too many": (VALUE, "linear", _linear("more", np.ones(3)), "arrays .*'more'.* instead of"),
    "scale 0": (VALUE, "linear", _linear("scale", np.zeros(INPUTS)), "scale must be > 0"),
    "a pair of places": (VALUE, "linear", _linear("pairs", PAIRS * 0 + RANK + 1),
                         "not linear in the queue"),
    "an input that is not there": (VALUE, "linear", _linear("pairs", PAIRS + 30), "outside 0 to 36"),
    "loss that falls with rank": (VALUE, "trees", _rising(RANK), "tree 4 falls with queue_rank"),
    "loss that falls with what is ahead": (VALUE, "trees", _rising(AHEAD), "tree 4 falls with log_ahead"),
    "deeper trees": (VALUE, "trees", _trees(thresholds=np.ones((20, 63))), "thresholds has shape"),
    "uneven bags": (VALUE, "trees", _trees(bags=np.array([3])), "20 trees in 3 bags"),
    "a node that asks beyond": (VALUE, "trees", _trees(features=ASKS_BEYOND), "input 36"),
    "a threshold of -inf": (VALUE, "trees", _trees(thresholds=np.full((20, 31), -np.inf)), "thresholds hold"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_breaks_the_promise_of_its_form_is_refused(tmp_path: Path, case: str) -> None:
    kind, form, arrays, match = REFUSED[case]
    outputs = np.zeros((5, 2))
    with pytest.raises(ArtefactError, match=match):
        save(tmp_path / "a.npz", made_models.header(kind, form), arrays, made_models.rows(7, 5), outputs)


@pytest.mark.parametrize(
    ("name", "index", "value", "match"),
    [("fill_coefs", RANK, 0.1, "must be <= 0"), ("fill_coefs", AHEAD, 1e-9, "must be <= 0"),
     ("adverse_coefs", RANK, -0.1, "must be 0"), ("ends_s", 6, 9.0, "rise from above 0 to inf"),
     ("ends_s", 2, 0.1, "rise from above 0 to inf"), ("low", 5, 3.0, "low must be <= high"),
     ("fill_gains", 3, 0.0, "fill_gains must be > 0"), ("adverse_gains", 3, 11.0, "and <= 10"),
     ("fill_log", 0, -np.inf, "fill_log holds numbers that are none")],
)  # fmt: skip
def test_hazards_that_would_not_be_monotone_are_refused(
    tmp_path: Path, name: str, index: int, value: float, match: str
) -> None:
    arrays = made(SURVIVAL, "hazards")
    arrays[name][index] = value
    header = made_models.header(SURVIVAL, "hazards")
    with pytest.raises(ArtefactError, match=match):
        save(tmp_path / "a.npz", header, arrays, made_models.rows(7, 5), np.zeros((5, 3)))


def test_monotone_trees_that_ask_for_the_queue_are_accepted(tmp_path: Path) -> None:
    arrays = _rising(RANK)
    arrays["leaves"][4, :16], arrays["leaves"][4, 16:] = 0.5, 1.0
    assert made_models.write(tmp_path / "a.npz", VALUE, "trees", arrays).kind == VALUE


@pytest.mark.parametrize(
    ("kind", "name", "index", "value", "match"),
    [(ModelKind.TOXICITY, "scales", 0, 0.0, "scales"), (ModelKind.TOXICITY, "llr_against", 0, 0.1, "against"),
     (ModelKind.MICROPRICE, "table_tick", 0, 9.0, "odd"), (ModelKind.MICROPRICE, "step_tick", 0, 0, "step"),
     (ModelKind.REGIME, "means", 1, -5.0, "rise from"), (ModelKind.REGIME, "dwell_s", 1, 0.0, "dwell_s"),
     (ModelKind.REGIME, "jump", (0, 1), 0.9, "probabilities"), (ModelKind.REGIME, "jump", (0, 0), 0.0, "")],
)  # fmt: skip
def test_other_kinds_keep_promises_too(
    tmp_path: Path, kind: ModelKind, name: str, index: object, value: float, match: str
) -> None:
    form = next(form for known, form in FORMS if known == kind)
    arrays = made(kind, form)
    arrays[name][index] = value  # type: ignore[index]
    if not match:
        made_models.write(tmp_path / "a.npz", kind, form, arrays)
        return
    inputs = made_models.rows(7, 5)
    if kind == ModelKind.TOXICITY:
        inputs = inputs[:, : len(TOXICITY_INPUTS)]
    with pytest.raises(ArtefactError, match=match):
        save(tmp_path / "a.npz", made_models.header(kind, form), arrays, inputs, np.zeros((5, 1)))


def test_what_is_no_artefact_is_refused(tmp_path: Path) -> None:
    missing, text, other = tmp_path / "no.npz", tmp_path / "text.npz", tmp_path / "other.npz"
    text.write_text("not a zip")
    np.savez(other, a=np.ones(3))
    with pytest.raises(ArtefactError, match="No such file"):
        load(missing)
    with pytest.raises(ArtefactError, match="no npz file"):
        load(text)
    with pytest.raises(ArtefactError, match="holds no header"):
        load(other)
    np.savez(other, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ArtefactError, match="not an artefact"):
        load(other)
    assert issubclass(ArtefactError, PreflightError)  # a run with it does not begin
    assert LLR_AGAINST == 2


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    made_models.write(path, VALUE, "linear", made(VALUE, "linear"))
    monkeypatch.setattr(artefacts, "SIZE_MAX", 1_000)
    with pytest.raises(ArtefactError, match="more than 1000"):
        load(path)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    first = made_models.write(path, VALUE, "linear", made(VALUE, "linear"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match="cannot be written: File too large; nothing was changed"):
            made_models.write(path, VALUE, "linear", made(VALUE, "linear"), seed=9)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load(path).sha256 == first.sha256
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
