"""The bench of the wire: answers are checked and can be wrong, the file has its form, floods lose nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench import wire, wire_flood, wire_plan
from bench.wire_messages import Corpus, corpora
from bench.wire_peers import PlainHyperliquid
from mmpipe.records import EVENT
from ringbuf.jit import JIT_ENABLED

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="measures compiled code; the compiler is off")

KINDS = {
    "l2Book", "l2Book_fast", "bbo", "trades", "activeAssetCtx", "bookTicker", "bookTicker_spot", "aggTrade",
    "depth_small", "depth_large", "snapshot",
}  # fmt: skip
ALL_ROWS = 1 << 19  # slots for every row: on a machine full of tests a reader may not get its turn in time
PEERS = {"json_parse", "json_rows", "orjson_parse", "orjson_rows"}


@pytest.fixture(scope="module")
def made() -> list[Corpus]:
    return corpora(20, is_real=False)


def test_a_short_run_measures_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "wire.json"
    assert wire.main(["--only", "decode", "--rounds", "1", "--frames", "1500", "--json", str(path)]) in (0, 1)
    report = json.loads(path.read_text())
    assert report["schema"] == "bench-wire/1"
    rows = {row["case"]: row for row in report["rows"]}
    assert set(rows) == {f"wire/{kind}{end}" for kind in KINDS for end in ("", "/ring")}
    assert {item["case"] for item in report["budget"]} == {f"wire/{kind}" for kind in KINDS}
    for kind in KINDS:
        row = rows[f"wire/{kind}"]
        assert set(row["peers"]) == set(row["ratio"]) == PEERS
        assert row["ours"]["unit"] == "us"
        assert 0.0 < row["ours"]["p50"] <= row["ours"]["p99"]
        assert row["bytes"] > 50
        assert row["origin"]


def test_made_messages_of_every_kind_give_the_peers_rows(made: list[Corpus]) -> None:
    for corpus in made:
        wire.check(corpus)
    assert {kind for corpus in made for kind, _ in corpus.frames if kind} == KINDS


def test_a_wrong_row_of_a_peer_is_a_wrong_answer(made: list[Corpus], monkeypatch: pytest.MonkeyPatch) -> None:
    maker = next(corpus for corpus in made if corpus.name == "hl_made")
    wire.check(maker)
    monkeypatch.setattr(PlainHyperliquid, "_context", lambda self, data: [])
    with pytest.raises(wire.WrongAnswer, match="hl_made, message 4"):
        wire.check(maker)


def test_a_message_without_rows_is_a_wrong_answer(made: list[Corpus]) -> None:
    maker = next(corpus for corpus in made if corpus.name == "hl_made")
    twice = maker._replace(frames=[maker.frames[0], maker.frames[0]])
    with pytest.raises(wire.WrongAnswer, match="message 1"):
        wire.check(twice)


def test_a_budget_is_kept_missed_or_absent() -> None:
    good = {"case": "wire/l2Book", "ours": {"p50": 1.0, "p99": 2.0}}
    assert [item["ok"] for item in wire.judge([good])] == [True]
    for bad in ({"p50": 1e9, "p99": 2.0}, {"p50": 1.0, "p99": float("nan")}):
        assert [item["ok"] for item in wire.judge([{**good, "ours": bad}])] == [False]
    assert wire.judge([{**good, "case": "wire/flood"}]) == []


def test_a_flood_over_real_sockets_arrives_whole() -> None:
    row = wire_flood.flood(2.0, 5_000, is_real=False, slots=ALL_ROWS)
    assert row["case"] == "wire/flood"
    assert row["sent"] == row["received"] == 10_000
    assert row["rows"] > row["received"]
    assert row["gaps"] == row["dropped"] == 0
    assert 0.0 < row["ours"]["p50"] <= row["ours"]["p99"] <= row["ours"]["max"]
    assert 0.0 < row["received_us"]["p50"] <= row["received_us"]["max"]


def test_a_burst_arrives_whole() -> None:
    row = wire_flood.burst(50.0, is_real=False, slots=ALL_ROWS)
    assert row["sent"] == row["received"] > 10_000
    assert row["gaps"] == row["dropped"] == 0


def test_a_burst_is_merged_by_time_and_comes_in_bursts() -> None:
    slow, fast = wire_plan.burst(1.0, is_real=False), wire_plan.burst(50.0, is_real=False)
    gaps_ns = np.diff(slow.due_ns)
    assert (gaps_ns >= 0).all()
    assert np.quantile(gaps_ns, 0.999) > 20 * np.median(gaps_ns)
    assert abs(slow.due_ns - fast.due_ns * 50).max() <= 50
    for line in (0, 1):  # neither waits for the other's end
        assert np.flatnonzero(slow.order == line)[0] < np.flatnonzero(slow.order == 1 - line)[-1]


def drained_of(plan: wire_plan.Plan) -> tuple[wire_flood.Taken, wire_flood.Drained]:
    rows, digest, refused = wire_flood._expected(plan)
    times = [np.arange(1, len(line.frames) + 1) for line in plan.lines]
    taken = wire_flood.Taken(times, True, 0, 0, refused, 0, 1.0, 1.0)
    return taken, wire_flood.Drained(rows, digest, True, np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_a_digest_does_not_depend_on_the_batches() -> None:
    rows = np.zeros(100, EVENT)
    rows["remote_seq"] = 1_790_358_600_000_000_000 + np.arange(100)  # a few of them are more than a word
    rows["px_tick"] = np.arange(100)
    one_by_one = 0
    for row in range(100):
        one_by_one = wire_flood.digest_of(rows[row : row + 1], one_by_one)
    assert wire_flood.digest_of(rows) == one_by_one
    rows["px_tick"][50] += 1
    assert wire_flood.digest_of(rows) != one_by_one


def test_whatever_is_lost_is_said() -> None:
    plan = wire_plan.flood(500, 1_000, is_real=False)
    taken, drained = drained_of(plan)
    wire_flood._check(plan, taken, drained)
    unseen = [times.copy() for times in taken.received_ns]
    unseen[0][-1] = 0
    losses = [
        ("messages received 499, should be 500", taken._replace(received_ns=unseen), drained),
        ("text unchanged", taken._replace(unchanged=False), drained),
        ("gaps 1", taken._replace(gaps=1), drained),
        ("events dropped 3", taken._replace(dropped=3), drained),
        ("refused", taken._replace(refused=taken.refused + 1), drained),
        ("reconnects 1", taken._replace(reconnects=1), drained),
        ("rows read", taken, drained._replace(rows=drained.rows - 1)),
        ("digest", taken, drained._replace(digest=drained.digest + 1)),
        ("in order False", taken, drained._replace(in_order=False)),
    ]
    for text, was_taken, was_drained in losses:
        with pytest.raises(wire_flood.Lost, match=text):
            wire_flood._check(plan, was_taken, was_drained)


def test_a_plan_is_the_same_for_sender_and_receiver_and_keeps_its_pace() -> None:
    one, other = (wire_plan.flood(1_000, 4_000, is_real=False) for _ in range(2))
    assert [line.frames for line in one.lines] == [line.frames for line in other.lines]
    assert (one.order == other.order).all()
    assert one.due_ns[-1] == 999 * 250_000
    assert np.bincount(one.order).tolist() == [len(line.frames) for line in one.lines]
    half = np.bincount(one.order[:500]) / np.bincount(one.order)
    assert (abs(half - 0.5) < 0.1).all()  # mixed, not one after the other
