"""Nothing is merely built: every ring carries, every loop learns, every feature varies and is used.

Unplug one ring, one learning loop or one feature in the code and a test here turns red; `docs/wiring.md`
says which.
"""

from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import Counter, Mode, Param, StageId
from mmpipe.learning.engine import LOOPS
from mmpipe.records import FORECAST, SNAPSHOT
from stages import topology
from tests.line.simulated import SimulatedRun

pytestmark = pytest.mark.timeout(300)
SECONDS = 90.0
# What a market without own trading, funding changes, gaps or artefacts does not move.
CONSTANT_SNAPSHOT = {
    "seq",
    "symbol",
    "book_generation",
    "funding_rate_8h",
    "models_id",
    "pad",
    "toxicity_pad",
}
# Nor does a thin market hold informed flow: tests/mmpipe/models/test_model_board.py sees it in a cascade.
CONSTANT_SNAPSHOT |= {"toxicity"}
CONSTANT_FORECAST = {"seq", "symbol", "pad_symbol", "pad", "snapshot"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SimulatedRun:
    return SimulatedRun(tmp_path_factory.mktemp("wiring"), "thin", 11, SECONDS)


@pytest.mark.parametrize("ring", [ring.name for ring in topology.RINGS])
def test_every_ring_carries_records_that_are_all_consumed(run: SimulatedRun, ring: str) -> None:
    spec = next(spec for spec in topology.RINGS if spec.name == ring)
    producer = run.line.ports[spec.writer].outputs[ring]
    consumer = run.line.ports[spec.reader].inputs[ring]
    assert producer.head > 0, f"{spec.writer.name} never wrote {ring}"
    assert consumer.backlog == 0, f"{spec.reader.name} does not read {ring}"


# `kill` is written only by a kill; tests/line/test_run.py throws it. feed has its own process.
CELLS = [cell for cell in topology.CELLS if cell.writer != StageId.FEED and cell.name != "kill"]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_every_cell_is_written(run: SimulatedRun, cell: topology.CellSpec) -> None:
    name = f"{cell.name}.0" if cell.per_symbol else cell.name
    assert run.line.cell(name)["ts_ns"][0] > 0


@pytest.mark.parametrize("loop", LOOPS)
def test_every_learning_loop_has_inputs_and_updates(run: SimulatedRun, loop: str) -> None:
    state = run.line.learner.loops()[loop]
    assert state["inputs"] > 0
    assert state["updates"] > 0


def test_virtual_and_own_fills_reach_the_database_with_their_markouts(run: SimulatedRun) -> None:
    database = run.line.learner._database
    means = database.select("SELECT fills, edge_bps, markout_60000ms FROM markouts WHERE level = 0")
    assert sum(fills for fills, _, _ in means) > 10
    assert all(edge is not None and markout is not None for _, edge, markout in means)
    ours = database.select("SELECT COUNT(*) FROM fill_markouts NATURAL JOIN fills WHERE edge_bps IS NOT NULL")
    assert ours[0][0] > 0
    board = run.line.cell("model_board.0")
    assert board["markouts_waiting"][0] > 0
    assert board["markouts_lost"][0] == 0


@pytest.mark.parametrize("stage", [StageId.FEATURES, StageId.ALPHA, StageId.EXECUTION])
def test_every_consumer_applies_parameters(run: SimulatedRun, stage: StageId) -> None:
    assert run.line.counters()[stage, Counter.PARAMS_APPLIED] >= len(Param)


@pytest.mark.parametrize("field", [name for name in SNAPSHOT.names or () if name not in CONSTANT_SNAPSHOT])
def test_every_feature_of_a_snapshot_varies_and_is_finite(run: SimulatedRun, field: str) -> None:
    values = run.snapshots.rows()[field]
    assert np.isfinite(values.astype(np.float64)).all()
    assert len(np.unique(values, axis=0)) > 1, f"{field} never changes: is it computed?"


@pytest.mark.parametrize("field", [name for name in FORECAST.names or () if name not in CONSTANT_FORECAST])
def test_every_field_of_a_forecast_varies_and_is_finite(run: SimulatedRun, field: str) -> None:
    values = run.forecasts.rows()[field]
    assert np.isfinite(values.astype(np.float64)).all()
    assert len(np.unique(values, axis=0)) > 1, f"{field} never changes: is it computed?"


def test_the_line_trades_and_everybody_holds_the_same_position(run: SimulatedRun) -> None:
    counters = run.line.counters()
    assert counters[StageId.EXECUTION, Counter.ORDERS] > 0
    assert counters[StageId.EXECUTION, Counter.FILLS] > 0
    board, risk = run.line.cell("board.0"), run.line.cell("risk_board.0")
    venue = int(run.exchange.position_lots[0])
    assert board["position_lots"][0] == board["position_journal_lots"][0] == risk["position_lots"][0] == venue


def test_equity_is_the_sum_of_its_parts_to_the_unit(run: SimulatedRun) -> None:
    board = run.line.cell("board.0")[0]
    parts = ("spread_cash", "adverse_cash", "inventory_cash", "fees_cash", "funding_cash")
    assert sum(int(board[part]) for part in parts) == int(board["equity_cash"])


def test_more_than_one_mode_is_used(run: SimulatedRun) -> None:
    mode_ns = run.line.cell("board.0")["mode_ns"][0]
    assert mode_ns[Mode.MAKER] > 0
    assert (mode_ns > 0).sum() >= 2


def test_the_same_market_gives_the_same_bytes(tmp_path: Path) -> None:
    first = SimulatedRun(tmp_path / "a", "thin", 5, 20.0)
    second = SimulatedRun(tmp_path / "b", "thin", 5, 20.0)
    assert first.forecasts.rows().tobytes() == second.forecasts.rows().tobytes()
    assert first.exchange.fills().tobytes() == second.exchange.fills().tobytes()
    for mine, theirs in zip(first.line.state(), second.line.state(), strict=True):
        assert mine.tobytes() == theirs.tobytes()
