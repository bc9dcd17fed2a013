"""A session that is up and says nothing gives no lease; an answer nobody knows stops nobody."""

from mmpipe.enums import AnswerKind, CommandKind, Counter, Reason
from tests.mmpipe.risk.test_daemon import CONFIG, START, answer, synced

INTERVAL_NS = int(CONFIG.risk.reconcile_interval_s * 1e9)


def test_a_silent_session_loses_the_lease_and_gets_it_back() -> None:
    made = synced()
    assert made.tick(START + 2 * INTERVAL_NS).lease_expires_ts_ns > 0
    late_ns = START + 60 * INTERVAL_NS
    decision = made.tick(late_ns)
    assert decision.lease_expires_ts_ns == 0
    assert decision.commands["kind"].tolist() == [int(CommandKind.PAUSE)]
    assert decision.commands["reason"].tolist() == [int(Reason.VENUE_SESSION_LOST)]
    made.on_answers(answer(AnswerKind.SYNCED), late_ns)
    assert made.tick(late_ns).lease_expires_ts_ns > late_ns


def test_an_unknown_kind_of_answer_is_counted() -> None:
    made = synced()
    row = answer(AnswerKind.FILL)
    row["kind"] = 99
    made.on_answers(row, START)
    assert made.counters[Counter.BAD_NUMBER] == 1
