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


def test_a_disagreement_is_looked_at_every_second() -> None:
    made = synced()
    assert made.tick(START + INTERVAL_NS).reconcile
    assert not made.tick(START + INTERVAL_NS + 2_000_000_000).reconcile
    made._differs_since_ns[0] = START  # what a report of another position does
    made._believed[0], made._heard[0] = 1, True
    looks = [made.tick(START + INTERVAL_NS + ms * 1_000_000).reconcile for ms in range(2_100, 5_000, 100)]
    assert looks[0]
    assert 2 <= sum(looks) <= 3


def test_an_unknown_kind_of_answer_is_counted() -> None:
    made = synced()
    row = answer(AnswerKind.FILL)
    row["kind"] = 99
    made.on_answers(row, START)
    assert made.counters[Counter.BAD_NUMBER] == 1
