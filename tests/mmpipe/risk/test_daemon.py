from pathlib import Path

import numpy as np
import pytest

from mmpipe import config as configuration
from mmpipe.enums import AnswerKind, CommandKind, Reason, ReportKind, StageId
from mmpipe.records import ANSWER, HEARTBEAT, INSTRUMENT, REPORT, SYMBOLS_MAX
from mmpipe.risk.daemon import RiskDaemon

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
MS = 1_000_000
START = 10_000 * MS


def daemon() -> RiskDaemon:
    instruments = np.zeros(2, INSTRUMENT)
    instruments["tick_px"], instruments["lot_qty"] = 0.1, 1e-5
    return RiskDaemon(CONFIG, instruments)


def answer(kind: AnswerKind, **fields: int) -> np.ndarray:
    row = np.zeros(1, ANSWER)
    row["kind"] = int(kind)
    row["symbol"] = SYMBOLS_MAX if kind in (AnswerKind.SYNCED, AnswerKind.DISCONNECTED) else 0
    for name, value in fields.items():
        row[name] = value
    return row


def report(position_lots: int, mid_px: float) -> np.ndarray:
    row = np.zeros(1, REPORT)
    row["kind"], row["position_lots"], row["mid_px"] = int(ReportKind.POSITION), position_lots, mid_px
    return row


def beats(now_ns: int, silent: tuple[StageId, ...] = ()) -> np.ndarray:
    rows = np.zeros(len(StageId), HEARTBEAT)
    rows["ts_ns"] = now_ns
    for stage in silent:
        rows["ts_ns"][stage] = now_ns - 2 * CONFIG.risk.heartbeat_timeout_ms * MS
    return rows


def synced() -> RiskDaemon:
    made = daemon()
    made.on_answers(answer(AnswerKind.POSITION), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    made.on_heartbeats(beats(START), START)
    made.on_reports(report(0, 100_000.0), START)
    return made


def test_no_lease_before_the_own_session_is_synced() -> None:
    made = daemon()
    decision = made.tick(START)
    assert decision.lease_expires_ts_ns == 0
    assert decision.commands["kind"].tolist() == [int(CommandKind.PAUSE)]
    assert decision.commands["reason"].tolist() == [int(Reason.VENUE_SESSION_LOST)]


def test_a_synced_daemon_leases_and_resumes_once() -> None:
    made = daemon()
    made.tick(START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    decision = made.tick(START + MS)
    assert decision.lease_expires_ts_ns == START + MS + CONFIG.risk.lease_ms * MS
    assert decision.commands["kind"].tolist() == [int(CommandKind.RESUME)]
    assert len(made.tick(START + 2 * MS).commands) == 0


def test_a_lost_session_ends_the_lease() -> None:
    made = synced()
    assert made.tick(START).lease_expires_ts_ns > 0
    made.on_answers(answer(AnswerKind.DISCONNECTED), START)
    assert made.tick(START + MS).lease_expires_ts_ns == 0


@pytest.mark.parametrize("stage", [StageId.FEED, StageId.FEATURES, StageId.ALPHA, StageId.EXECUTION])
def test_a_lost_stage_pauses_and_only_execution_makes_risk_cancel(stage: StageId) -> None:
    made = synced()
    made.on_answers(answer(AnswerKind.OPEN_ORDER, oid=7, side=1, qty_lots=5), START)
    made.tick(START)
    made.on_heartbeats(beats(START + MS, (stage,)), START + MS)
    decision = made.tick(START + MS)
    assert decision.commands["kind"].tolist() == [int(CommandKind.PAUSE)]
    assert decision.cancel_all == (stage == StageId.EXECUTION)
    assert decision.kill == Reason.NONE
    made.on_heartbeats(beats(START + 2 * MS), START + 2 * MS)
    assert made.tick(START + 2 * MS).commands["kind"].tolist() == [int(CommandKind.RESUME)]


def test_cancel_all_repeats_until_nothing_is_open_but_not_at_once() -> None:
    made = synced()
    made.on_answers(answer(AnswerKind.OPEN_ORDER, oid=7, side=1, qty_lots=5), START)
    made.kill(Reason.OPERATOR)
    assert made.tick(START).cancel_all
    assert not made.tick(START + 10 * MS).cancel_all
    assert made.tick(START + 1_100 * MS).cancel_all
    made.on_answers(answer(AnswerKind.CANCELLED, oid=7, side=1), START + 1_200 * MS)
    assert not made.tick(START + 3_000 * MS).cancel_all


def test_a_reconciliation_forgets_orders_the_venue_does_not_list() -> None:
    made = synced()
    made.on_answers(answer(AnswerKind.RESTING, oid=7, side=1, qty_lots=5), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)  # listed since the last reconciliation
    made.on_answers(answer(AnswerKind.SYNCED), START)
    made.tick(START)
    assert made.board(0)["open_orders"][0] == 0


@pytest.mark.parametrize(
    ("lots", "mid_px", "reason"),
    [(20_000, 100_000.0, Reason.LIMIT_POSITION), (9_000, 100_000.0, Reason.NONE)],
)
def test_a_position_over_the_limit_kills(lots: int, mid_px: float, reason: Reason) -> None:
    made = daemon()
    made.on_answers(answer(AnswerKind.POSITION, qty_lots=lots), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    made.on_reports(report(lots, mid_px), START)
    assert made.tick(START).kill == reason


def test_a_loss_over_the_limit_kills_and_the_first_reason_stays() -> None:
    made = synced()
    made.on_answers(answer(AnswerKind.FILL, tid=1, side=1, qty_lots=9_000, px_tick=1_000_000), START)
    made.on_reports(report(9_000, 100_000.0), START)
    assert made.tick(START).kill == Reason.NONE
    made.on_reports(report(9_000, 70_000.0), START)
    assert made.tick(START).kill == Reason.LIMIT_LOSS
    made.kill(Reason.OPERATOR)
    assert made.tick(START).kill == Reason.LIMIT_LOSS
    assert made.tick(START).lease_expires_ts_ns == 0


def test_positions_that_disagree_for_too_long_kill() -> None:
    made = synced()
    made.on_reports(report(5, 100_000.0), START)
    patience_ns = CONFIG.risk.mismatch_patience_ms * MS
    assert made.tick(START).kill == Reason.NONE
    assert made.tick(START + patience_ns).kill == Reason.NONE
    assert made.tick(START + patience_ns + MS).kill == Reason.POSITION_MISMATCH


def test_a_disagreement_that_ends_in_time_is_forgotten() -> None:
    made = synced()
    made.on_reports(report(5, 100_000.0), START)
    made.tick(START)
    made.on_answers(answer(AnswerKind.FILL, tid=1, side=1, qty_lots=5, px_tick=1_000_000), START)
    made.tick(START + 1_000 * MS)
    assert made.tick(START + 60_000 * MS).kill == Reason.NONE


def test_answers_nobody_can_use_are_counted() -> None:
    made = synced()
    made.on_answers(answer(AnswerKind.FILL, tid=1, side=0, qty_lots=5), START)
    made.on_answers(answer(AnswerKind.FILL, tid=2, side=1, qty_lots=-5), START)
    made.on_answers(answer(AnswerKind.RESTING, symbol=9), START)
    made.tick(START)
    assert made.board(0)["position_lots"][0] == 0
    from mmpipe.enums import Counter

    assert made.counters[Counter.BAD_NUMBER] == 3
