"""Artefacts decide in the line, every stage shows by hash which, and a file that was replaced stops it."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from mmpipe.dashboard.models_view import models_view
from mmpipe.enums import Counter, ModelKind, StageId
from mmpipe.errors import ArtefactError
from mmpipe.models.model_set import models_id_of
from stages.local_line import LocalLine
from tests.line.simulated import SimulatedRun
from tests.mmpipe.models import made_models

pytestmark = pytest.mark.timeout(600)
SECONDS = 20.0


def losing(loss_bps: float) -> made_models.Arrays:
    """Trees by which every fill loses as much, wherever it is."""
    arrays = made_models.trees(1, 8, 1)
    arrays["thresholds"][:], arrays["leaves"][:] = np.inf, loss_bps / 8.0
    return arrays


@pytest.fixture(scope="module")
def built_in(tmp_path_factory: pytest.TempPathFactory) -> SimulatedRun:
    return SimulatedRun(tmp_path_factory.mktemp("built_in"), "thin", 11, SECONDS)


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("artefacts")
    made_models.write(folder / "value.npz", ModelKind.QUEUE_VALUE, "trees", losing(90.0))
    made_models.write(folder / "fill.npz", ModelKind.FILL_SURVIVAL, "hazards", made_models.hazards(1))
    return folder / "value.npz", folder / "fill.npz"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, artefacts: tuple[Path, Path]) -> SimulatedRun:
    return SimulatedRun(tmp_path_factory.mktemp("models"), "thin", 11, SECONDS, artefacts)


def view(run: SimulatedRun) -> dict[str, dict[str, object]]:
    return models_view(run.context, lambda name: run.line.cell(name)[0], 1)


def test_without_artefacts_heuristics_decide_and_say_so(built_in: SimulatedRun) -> None:
    assert built_in.line.counters()[StageId.EXECUTION, Counter.ORDERS] > 0
    for kind, said in view(built_in).items():
        asked = kind in ("queue_value", "fill_survival")
        assert said == {
            "sha256": None, "path": None, "decides": {"features": True, "execution": True if asked else None},
        }  # fmt: skip


def test_the_artefact_is_what_decides(run: SimulatedRun) -> None:
    # By this model every fill loses 90 bps, more than the collar is wide: nothing is worth quoting.
    assert run.line.counters()[StageId.EXECUTION, Counter.ORDERS] == 0
    rows = run.snapshots.rows()
    valid = rows[rows["book_valid"] == 1]
    expected = valid["spread_bps"] / 2.0 - 90.0 - run.context.config.execution.maker_fee_bps
    assert valid["bid_queue_value_bps"][-50:] == pytest.approx(expected[-50:], abs=20.1)  # a bias is learned
    assert (rows["models_id"] == models_id_of(run.context.models_sha256)).all()
    assert models_id_of(run.context.models_sha256) != 0


def test_status_shows_the_hash_that_decides(run: SimulatedRun, artefacts: tuple[Path, Path]) -> None:
    said = view(run)
    for kind, path in zip(("queue_value", "fill_survival"), artefacts, strict=True):
        assert said[kind]["sha256"] == run.context.models_sha256[kind]
        assert said[kind]["path"] == str(path)
        assert said[kind]["decides"] == {"features": True, "execution": True}
    assert said["toxicity"] == {
        "sha256": None, "path": None, "decides": {"features": True, "execution": None},
    }  # fmt: skip


def test_a_stage_that_decides_by_another_file_shows(run: SimulatedRun) -> None:
    told = msgspec.structs.replace(
        run.context, models_sha256={**run.context.models_sha256, "queue_value": "ab" * 32}
    )
    said = models_view(told, lambda name: run.line.cell(name)[0], 1)
    assert said["queue_value"]["decides"] == {"features": False, "execution": False}
    assert said["toxicity"]["decides"] == {"features": True, "execution": None}


def test_a_file_replaced_after_the_start_stops_the_stage(
    tmp_path: Path, run: SimulatedRun, artefacts: tuple[Path, Path]
) -> None:
    path = tmp_path / "value.npz"
    made_models.write(path, ModelKind.QUEUE_VALUE, "trees", losing(1.0))
    told = SimulatedRun(tmp_path / "run", "thin", 11, 1.0, [path]).context
    made_models.write(path, ModelKind.QUEUE_VALUE, "trees", losing(2.0))
    with pytest.raises(ArtefactError, match="the file was replaced"):
        LocalLine(told, run.line.learner._clock, run.exchange.execution_port, run.exchange.risk_port)


def test_what_is_known_of_the_touch_carries_its_uncertainty(built_in: SimulatedRun) -> None:
    rows = built_in.snapshots.rows()
    known = rows[rows["bid_queue_value_bps"] > -1e3]
    assert (known["bid_queue_value_std_bps"] > 0.0).all()
