"""While a position is held, its exit is the last order to be given up."""

import numpy as np
import pytest

from mmpipe.enums import AnswerKind, CommandKind, IntentKind, Reason
from mmpipe.execution.executor import Executor
from mmpipe.records import COMMAND
from tests.mmpipe.execution.test_executor import (
    CONFIG,
    FOREVER,
    MS,
    START,
    answer,
    forecast,
    places,
    ready,
    resting,
)

HELD = 4_000  # lots, half of the inventory that may be held


def holding(side: int) -> Executor:
    made = ready(side * HELD)
    made.on_forecast(forecast(START), START)
    for index, row in enumerate(places(made.intents())):
        made.on_answers(resting(row, 100 + index), START + MS)
    return made


def cancelled_sides(made: Executor) -> list[int]:
    intents = made.intents()
    assert (intents["kind"] == int(IntentKind.CANCEL)).all()
    return sorted(intents["side"].tolist())


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("cause", ["pause", "old judgement", "no book", "session lost"])
def test_the_exit_outlives_whatever_takes_the_other_quote_away(side: int, cause: str) -> None:
    made, now_ns = holding(side), START + 200 * MS
    if cause == "pause":
        command = np.zeros(1, COMMAND)
        command["kind"], command["reason"] = int(CommandKind.PAUSE), int(Reason.HEARTBEAT_LOST)
        made.on_command(command)
    elif cause == "old judgement":
        now_ns = START + (CONFIG.execution.forecast_age_max_ms + 1) * MS
    elif cause == "no book":
        made.on_forecast(forecast(now_ns, book_valid=0), now_ns)
    else:
        made.on_answers(answer(AnswerKind.DISCONNECTED), now_ns)
        made.on_forecast(forecast(now_ns, book_valid=0), now_ns)
    made.on_timer(now_ns)
    assert cancelled_sides(made) == [side]


@pytest.mark.parametrize("cause", ["kill", "lease", "stop"])
def test_what_risk_owns_has_no_exit_of_ours(cause: str) -> None:
    made, now_ns = holding(1), START + 10 * MS
    if cause == "stop":
        made.begin_stop()
    else:
        made.on_gate(cause == "kill", FOREVER if cause == "kill" else now_ns)
    made.on_timer(now_ns)
    assert cancelled_sides(made) == [-1, 1]


def test_an_order_larger_than_the_position_is_no_exit() -> None:
    made = ready(100)
    made.on_forecast(forecast(START), START)
    for index, row in enumerate(places(made.intents())):
        made.on_answers(resting(row, 100 + index), START + MS)
    made.on_timer(START + (CONFIG.execution.forecast_age_max_ms + 1) * MS)
    assert cancelled_sides(made) == [-1, 1]


def test_a_position_in_doubt_is_asked_about_until_it_agrees() -> None:
    made = ready()
    assert not made.wants_reconciliation(START)
    made.on_answers(answer(AnswerKind.DISCONNECTED), START)
    made.on_answers(answer(AnswerKind.POSITION, qty_lots=100), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    assert made.block_reason(START) == Reason.NOT_RECONCILED
    assert made.wants_reconciliation(START)
    assert not made.wants_reconciliation(START + 500 * MS)
    assert made.wants_reconciliation(START + 1_000 * MS)
    fields = {"tid": 5, "side": 1, "qty_lots": 100, "px_tick": 1_000_000, "oid": 9}
    made.on_answers(answer(AnswerKind.FILL, **fields), START)
    made.on_answers(answer(AnswerKind.POSITION, qty_lots=100), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    assert made.block_reason(START) == Reason.NONE
    assert not made.wants_reconciliation(START + 9_000 * MS)


def test_a_position_found_before_any_price_and_then_traded_is_no_broken_invariant() -> None:
    made = ready(50)
    made.on_answers(answer(AnswerKind.FILL, tid=1, oid=7, side=-1, qty_lots=50, px_tick=1_000_000), START)
    board = made.board(0)
    assert (board["position_lots"][0], board["equity_cash"][0]) == (0, 0)
