"""The ledger against a slow venue whose messages arrive late, twice and in any order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.enums import AnswerKind, Counter, IntentKind, OrderStatus, ReportKind
from mmpipe.execution.answers import apply_answers
from mmpipe.execution.orders import (
    OUTGOING,
    REPORTS,
    exposed_lots,
    forget_settled,
    new_ledger,
    worst_case,
)
from mmpipe.execution.upkeep import restore_intents
from mmpipe.records import ANSWER, INSTRUMENT, INTENT, SYMBOLS_MAX
from mmpipe.risk.limits import EXPOSURE
from mmpipe.units import CASH_PER_TICK_LOT
from tests.oracles.orders import Venue, cash_of

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
MS = 1_000_000
NOW = 10**12
LATE = NOW + 3_600_000 * MS
TICK, LOTS = 1_000_000, 100
FINAL = {int(OrderStatus.FILLED), int(OrderStatus.CANCELLED), int(OrderStatus.REJECTED)}


def a_ledger(
    *orders: tuple[int, int], status: OrderStatus = OrderStatus.INTENT
) -> tuple[np.ndarray, np.ndarray]:
    """A reconciled ledger that holds `(order_id, side)` orders of LOTS at TICK."""
    instruments = np.zeros(1, INSTRUMENT)
    instruments["tick_px"], instruments["lot_qty"], instruments["ticks_per_unit"] = 0.1, 1e-5, 10
    ledger, out = new_ledger(CONFIG, instruments, 1), np.zeros(1, OUTGOING)
    intents = np.zeros(len(orders), INTENT)
    for row, (order_id, side) in zip(intents, orders, strict=True):
        row["kind"], row["order_id"], row["side"] = int(IntentKind.PLACE), order_id, side
        row["px_tick"], row["qty_lots"], row["ts_ns"], row["mid_px"] = TICK, LOTS, NOW, 100_000.0
    restore_intents(ledger, intents)
    live = ledger[0]["orders"]["status"] != int(OrderStatus.FREE)
    ledger[0]["orders"]["status"][live] = int(status)
    ledger[0]["orders"]["cancel_wanted"] = 0
    ledger[0]["session"]["syncs"] = ledger[0]["session"]["synced"] = 1
    return ledger, out


def tell(ledger: np.ndarray, out: np.ndarray, kind: AnswerKind, now_ns: int = NOW, **fields: int) -> None:
    row = np.zeros(1, ANSWER)
    row["kind"] = int(kind)
    row["symbol"] = SYMBOLS_MAX if kind in (AnswerKind.SYNCED, AnswerKind.DISCONNECTED) else 0
    for name, value in fields.items():
        row[name] = value
    assert apply_answers(row, 0, ledger, out, now_ns) == 1


def status_of(ledger: np.ndarray, order_id: int) -> OrderStatus:
    return OrderStatus(int(ledger[0]["orders"]["status"][ledger[0]["orders"]["order_id"] == order_id][0]))


def exposure_of(ledger: np.ndarray) -> np.void:
    row = np.zeros(1, EXPOSURE)
    worst_case(ledger[0], 0, 1, 0, row)
    return row[0]


def fill(tid: int, order_id: int = 1, side: int = 1, lots: int = 10) -> dict[str, int]:
    return {"tid": tid, "order_id": order_id, "side": side, "qty_lots": lots, "px_tick": TICK}


def test_a_cancel_answered_before_the_fill_keeps_the_lots_it_lost_the_race_to() -> None:
    ledger, out = a_ledger((1, 1), status=OrderStatus.CANCELLING)
    tell(ledger, out, AnswerKind.CANCELLED, order_id=1, qty_lots=70)
    assert status_of(ledger, 1) == OrderStatus.CANCELLED
    assert exposure_of(ledger)["buy_lots"] == 30
    tell(ledger, out, AnswerKind.FILL, **fill(9, lots=30))
    assert exposure_of(ledger)["buy_lots"] == 0
    assert ledger[0]["accounts"]["position_lots"][0] == 30
    assert status_of(ledger, 1) == OrderStatus.CANCELLED


def test_a_cancel_that_does_not_say_what_was_filled_frees_nothing_at_once() -> None:
    ledger, out = a_ledger((1, 1), status=OrderStatus.CANCELLING)
    tell(ledger, out, AnswerKind.CANCELLED, order_id=1)
    assert exposure_of(ledger)["buy_lots"] == LOTS


def test_a_fill_before_the_ack_counts() -> None:
    ledger, out = a_ledger((1, 1))
    tell(ledger, out, AnswerKind.FILL, **fill(1, lots=40))
    exposure = exposure_of(ledger)
    assert (exposure["position_lots"], exposure["buy_lots"]) == (40, 60)
    tell(ledger, out, AnswerKind.RESTING, order_id=1, oid=5)
    assert status_of(ledger, 1) == OrderStatus.RESTING
    assert exposure_of(ledger)["buy_lots"] == 60


@pytest.mark.parametrize("kind", [AnswerKind.NO_ANSWER, AnswerKind.CANCEL_REFUSED])
def test_what_proves_nothing_makes_a_cancel_unknown_and_keeps_its_exposure(kind: AnswerKind) -> None:
    ledger, out = a_ledger((1, -1), status=OrderStatus.CANCELLING)
    tell(ledger, out, kind, order_id=1)
    assert status_of(ledger, 1) == OrderStatus.UNKNOWN
    assert exposure_of(ledger)["sell_lots"] == LOTS


def test_an_error_that_was_executed_all_the_same_is_live_again() -> None:
    ledger, out = a_ledger((1, 1))
    tell(ledger, out, AnswerKind.REJECTED, order_id=1)
    assert exposure_of(ledger)["buy_lots"] == 0
    tell(ledger, out, AnswerKind.FILL, **fill(3, lots=10))
    assert status_of(ledger, 1) == OrderStatus.UNKNOWN
    assert exposure_of(ledger)["buy_lots"] == LOTS - 10
    assert ledger[0]["accounts"]["position_lots"][0] == 10


def test_a_rejected_order_that_rests_is_cancelled() -> None:
    ledger, out = a_ledger((1, 1))
    tell(ledger, out, AnswerKind.REJECTED, order_id=1)
    tell(ledger, out, AnswerKind.RESTING, order_id=1, oid=5)
    assert status_of(ledger, 1) == OrderStatus.RESTING
    assert ledger[0]["orders"]["cancel_wanted"].sum() == 1


def test_an_order_nobody_knows_is_adopted_and_shall_go() -> None:
    ledger, out = a_ledger()
    tell(ledger, out, AnswerKind.OPEN_ORDER, oid=44, side=-1, qty_lots=7, px_tick=TICK)
    assert exposure_of(ledger)["sell_lots"] == 7
    assert ledger[0]["orders"]["cancel_wanted"].sum() == 1


def test_a_lost_session_leaves_nothing_in_flight_believed() -> None:
    ledger, out = a_ledger((1, 1))
    tell(ledger, out, AnswerKind.DISCONNECTED)
    assert not ledger[0]["session"]["synced"]
    assert status_of(ledger, 1) == OrderStatus.UNKNOWN


def test_a_resting_order_the_venue_does_not_list_is_doubted_not_dropped() -> None:
    ledger, out = a_ledger((1, 1), status=OrderStatus.RESTING)
    tell(ledger, out, AnswerKind.SYNCED)
    assert status_of(ledger, 1) == OrderStatus.UNKNOWN
    assert exposure_of(ledger)["buy_lots"] == LOTS


def test_another_position_is_believed_when_it_is_said_twice() -> None:
    ledger, out = a_ledger()
    for synced in (0, 1):
        tell(ledger, out, AnswerKind.POSITION, qty_lots=-25)
        tell(ledger, out, AnswerKind.SYNCED)
        assert ledger[0]["session"]["synced"] == synced
        assert ledger[0]["accounts"]["position_lots"][0] == -25 * synced


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": AnswerKind.FILL, **fill(1), "symbol": 3},
        {"kind": AnswerKind.FILL, **fill(1), "qty_lots": -5},
        {"kind": AnswerKind.FILL, **fill(1), "qty_lots": 1 << 50},
        {"kind": AnswerKind.FILL, **fill(1), "side": 0},
        {"kind": AnswerKind.FILL, **fill(0)},
        {"kind": AnswerKind.FILL, **fill(1), "px_tick": 0},
        {"kind": 99, "order_id": 1},
    ],
)
def test_an_answer_nobody_can_use_is_counted_and_changes_nothing(fields: dict[str, int]) -> None:
    ledger, out = a_ledger((1, 1))
    before = ledger[0]["orders"].copy(), ledger[0]["accounts"].copy()
    row = np.zeros(1, ANSWER)
    for name, value in fields.items():
        row[name] = value
    assert apply_answers(row, 0, ledger, out, NOW) == 1
    assert ledger[0]["counters"][Counter.BAD_NUMBER] == 1
    assert (ledger[0]["orders"] == before[0]).all()
    assert (ledger[0]["accounts"] == before[1]).all()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "cancel", "bare cancel", "rest", "refuse", "silence", "deliver", "repeat"]),
        st.integers(0, 3),
        st.integers(1, 60),
        st.integers(0, 9),
    ),
    max_size=60,
)
SIDES = {1: 1, 2: -1, 3: 1, 4: -1}


@settings(max_examples=300)
@given(STEPS)
def test_any_order_of_messages_counts_each_trade_once_and_never_less_than_the_venue_may_do(
    steps: list[tuple[str, int, int, int]],
) -> None:
    ledger, out = a_ledger(*SIDES.items())
    venue, told = Venue(), []
    waiting: list[tuple[AnswerKind, dict[str, int]]] = []
    for order_id, side in SIDES.items():
        venue.accept(order_id, side, TICK, LOTS)

    def deliver(number: int) -> None:
        kind, fields = waiting.pop(number % len(waiting))
        told.append((kind, fields))
        tell(ledger, out, kind, **fields)

    for step, pick, lots, number in steps:
        order_id = pick + 1
        if step == "fill" and (trade := venue.fill(order_id, lots)):
            fields = fill(trade.tid, order_id, trade.side, trade.lots) | {"fee_cash": trade.fee}
            waiting.append((AnswerKind.FILL, fields))
        elif step in ("cancel", "bare cancel") and (left := venue.cancel(order_id)):
            said = left if step == "cancel" else 0
            waiting.append((AnswerKind.CANCELLED, {"order_id": order_id, "qty_lots": said}))
        elif step == "rest":
            waiting.append((AnswerKind.RESTING, {"order_id": order_id, "oid": order_id}))
        elif step == "refuse":
            waiting.append((AnswerKind.CANCEL_REFUSED, {"order_id": order_id}))
        elif step == "silence":
            waiting.append((AnswerKind.NO_ANSWER, {"order_id": order_id}))
        elif step == "deliver" and waiting:
            deliver(number)
        elif step == "repeat" and told:
            kind, fields = told[number % len(told)]
            if kind == AnswerKind.FILL:
                tell(ledger, out, kind, **fields)
        check(ledger, venue, told)
        out[0]["counts"][:] = 0
    while waiting:
        deliver(0)
        check(ledger, venue, told)
        out[0]["counts"][:] = 0
    account = ledger[0]["accounts"][0]
    assert account["position_lots"] == account["fold_lots"] == venue.position
    assert account["cash"] == cash_of(venue.trades, CASH_PER_TICK_LOT)


def check(ledger: np.ndarray, venue: Venue, told: list[tuple[AnswerKind, dict[str, int]]]) -> None:
    known = {fields["tid"]: fields for kind, fields in told if kind == AnswerKind.FILL}
    position = sum(fields["side"] * fields["qty_lots"] for fields in known.values())
    exposure = exposure_of(ledger)
    assert exposure["position_lots"] == position
    # The ledger's worst case is never better than what the venue could still do, or has done in secret.
    assert position + exposure["buy_lots"] >= venue.worst(1)
    assert exposure["sell_lots"] - position >= venue.worst(-1)
    for order in ledger[0]["orders"][ledger[0]["orders"]["status"] != int(OrderStatus.FREE)]:
        assert 0 <= order["filled_lots"] <= order["qty_lots"]
        assert 0 <= exposed_lots(order) <= order["qty_lots"]
    # Every scan goes by the active slots: none that still counts may be missing, whatever was forgotten.
    forget_settled(ledger[0])
    active = ledger[0]["active"][: ledger[0]["active_count"]].tolist()
    counting = [slot for slot, order in enumerate(ledger[0]["orders"]) if exposed_lots(order) > 0]
    assert active == sorted(set(active))
    assert set(counting) <= set(active)


def test_a_final_status_stays_and_late_fills_only_add() -> None:
    ledger, out = a_ledger((1, 1), status=OrderStatus.RESTING)
    tell(ledger, out, AnswerKind.CANCELLED, order_id=1, qty_lots=60)
    for kind in (AnswerKind.RESTING, AnswerKind.NO_ANSWER, AnswerKind.CANCEL_REFUSED, AnswerKind.NOT_FOUND):
        tell(ledger, out, kind, LATE, order_id=1)
        assert int(status_of(ledger, 1)) in FINAL
    tell(ledger, out, AnswerKind.FILL, LATE, **fill(1, lots=40))
    assert status_of(ledger, 1) == OrderStatus.CANCELLED
    assert ledger[0]["accounts"]["position_lots"][0] == 40


def test_an_order_that_was_given_up_counts_again_when_the_venue_says_that_it_rests() -> None:
    ledger, out = a_ledger((1, 1), (2, -1))
    tell(ledger, out, AnswerKind.REJECTED, order_id=1)
    forget_settled(ledger[0])
    assert ledger[0]["active"][: ledger[0]["active_count"]].tolist() == [1]
    assert exposure_of(ledger)["buy_lots"] == 0
    tell(ledger, out, AnswerKind.RESTING, order_id=1, oid=7)
    assert ledger[0]["active"][: ledger[0]["active_count"]].tolist() == [0, 1]
    assert exposure_of(ledger)["buy_lots"] == LOTS


def test_an_order_that_was_given_up_counts_again_when_it_is_listed_or_filled() -> None:
    told = ((AnswerKind.OPEN_ORDER, fill(0, lots=LOTS)), (AnswerKind.FILL, fill(7, lots=30)))
    for (kind, fields), left in zip(told, (LOTS, LOTS - 30), strict=True):
        ledger, out = a_ledger((1, 1))
        tell(ledger, out, AnswerKind.REJECTED, order_id=1)
        forget_settled(ledger[0])
        tell(ledger, out, kind, **fields)
        assert exposure_of(ledger)["buy_lots"] == left


def test_an_order_of_which_only_part_may_rest_is_over_when_it_is_filled() -> None:
    ledger, out = a_ledger((1, 1))
    ledger[0]["orders"]["tif"] = 2
    tell(ledger, out, AnswerKind.FILLED, order_id=1, qty_lots=30)
    assert exposure_of(ledger)["buy_lots"] == 30
    tell(ledger, out, AnswerKind.FILL, **fill(1, lots=30))
    assert exposure_of(ledger)["buy_lots"] == 0
    kinds = out[0]["reports"]["kind"][: out[0]["counts"][REPORTS]].tolist()
    assert kinds == [int(ReportKind.FILL)]
