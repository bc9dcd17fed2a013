"""What a user's own models may say, and how long it counts."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.alpha import external_signals
from mmpipe.alpha.external_signals import KEPT_NS, MODELS_MAX, ExternalDesk
from mmpipe.enums import SignalRefusal
from mmpipe.records import EXTERNAL_SIGNAL

S = 1_000_000_000
GOOD = {"model_id": "mine", "symbol": "ETH", "direction": 1, "confidence": 0.8, "horizon_ms": 2000}


def desk(per_s_max: float = 10.0) -> ExternalDesk:
    return ExternalDesk(["BTC", "ETH"], per_s_max)


def said(to: ExternalDesk, now_ns: int = S, **changes: object) -> tuple[dict[str, object], np.ndarray | None]:
    return to.judge(json.dumps({**GOOD, **changes}).encode(), now_ns)


def test_a_signal_becomes_a_record_and_gets_a_number() -> None:
    made = desk()
    answer, row = said(made)
    assert answer == {"ok": True, "prediction_id": 1}
    assert row is not None
    assert row.dtype == EXTERNAL_SIGNAL
    found = {
        name: row[name][0] for name in ("ts_ns", "symbol", "model", "direction", "confidence", "horizon_ns")
    }
    assert found == {
        "ts_ns": S, "symbol": 1, "model": 0, "direction": 1.0, "confidence": 0.8, "horizon_ns": 2 * S,
    }  # fmt: skip
    assert said(made, prediction_id=77)[0]["prediction_id"] == 77
    assert said(made)[0]["prediction_id"] == 78
    assert (made.accepted_count, made.refused.sum()) == (3, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"symbol": "DOGE"}, "known: ['BTC', 'ETH']"),
        ({"direction": 1.5}, "$.direction"),
        ({"confidence": -0.1}, "$.confidence"),
        ({"confidence": "high"}, "$.confidence"),
        ({"horizon_ms": 1}, "$.horizon_ms"),
        ({"model_id": ""}, "$.model_id"),
        ({"model_id": "a b"}, "$.model_id"),
        ({"prediction_id": 0}, "$.prediction_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_refused_by_name(changes: dict[str, object], words: str) -> None:
    made = desk()
    answer, row = said(made, **changes)
    assert row is None
    assert answer["ok"] is False
    assert words in str(answer["detail"])
    assert made.refused.sum() == 1


@given(st.binary(max_size=300))
def test_bytes_that_mean_nothing_are_answered(line: bytes) -> None:
    answer, row = desk().judge(line, S)
    assert row is None
    assert answer["ok"] is False


@pytest.mark.parametrize(
    "line", [b'{"direction": NaN}', b"[]", b"[" * 4000, b"1e999", b'{"model_id": "\xff\xfe"}', b"\0"]
)
def test_numbers_that_are_none_and_depth_are_answered(line: bytes) -> None:
    assert desk().judge(line, S)[0]["ok"] is False


def test_each_model_has_its_own_rate() -> None:
    made = desk(per_s_max=5.0)
    taken = [said(made, S + step)[0]["ok"] for step in range(8)]
    assert taken == [True] * 5 + [False] * 3
    assert said(made, S, model_id="other")[0]["ok"]
    assert said(made, S + S // 5 + 10)[0]["ok"]  # a fifth of a second later there is one more
    assert not said(made, S + S // 5 + 11)[0]["ok"]


def test_no_more_models_than_there_is_room_for() -> None:
    made = desk()
    answers = [said(made, model_id=f"m{index}")[0]["ok"] for index in range(MODELS_MAX + 1)]
    assert answers == [True] * MODELS_MAX + [False]
    assert said(made, model_id="m0")[0]["ok"]


def test_a_model_long_over_gives_its_place_to_a_new_one() -> None:
    made = desk()
    for index in range(MODELS_MAX):
        assert said(made, S + index, model_id=f"m{index}")[0]["ok"]
    over = S + 2 * S + KEPT_NS  # the horizon of the first, and what it is kept beyond
    assert not said(made, over - 1, model_id="new")[0]["ok"]
    answer, row = said(made, over, model_id="new")
    assert answer["ok"]
    assert row is not None
    assert row["model"][0] == 0
    # Whose place it was comes back like any other new one: there is none yet.
    assert said(made, over, model_id="m0")[0]["reason"] == "too_many_models"
    assert made.refused[SignalRefusal.TOO_MANY_MODELS] == 2


def in_force(*signals: dict[str, object]) -> np.ndarray:
    made, table = desk(), np.zeros((2, MODELS_MAX), EXTERNAL_SIGNAL)
    for signal in signals:
        row = said(made, **signal)[1]
        assert row is not None
        external_signals.take(table, row)
    return table[1]


def test_the_expected_move_is_that_share_of_the_usual_one_and_fades() -> None:
    table = in_force({"confidence": 0.775, "horizon_ms": 2000})
    # Half of the way from 0.55 to 1, of E|move| = 4 bps * sqrt(2/pi) over one second.
    full = 0.5 * 4.0 * math.sqrt(2.0 / math.pi)
    for age_s, share in ((0.0, 1.0), (0.5, 0.75), (1.5, 0.25), (2.0, 0.0), (9.0, 0.0)):
        found = external_signals.move_bps(table, S + int(age_s * S), 1.0, 4.0, 0.55)
        assert found == pytest.approx(full * share)
    assert external_signals.move_bps(table, S - 5, 1.0, 4.0, 0.55) == pytest.approx(full)


def test_unsure_models_say_nothing_and_the_newest_word_counts() -> None:
    assert external_signals.move_bps(in_force({"confidence": 0.55}), S, 1.0, 4.0, 0.55) == 0.0
    up, down = {"direction": 1.0}, {"direction": -1.0}
    assert external_signals.move_bps(in_force(up, down), S, 1.0, 4.0, 0.55) < 0.0
    assert external_signals.move_bps(in_force(up, {**down, "model_id": "b"}), S, 1.0, 4.0, 0.55) == 0.0
    assert external_signals.move_bps(np.zeros(MODELS_MAX, EXTERNAL_SIGNAL), S, 1.0, 4.0, 0.55) == 0.0
