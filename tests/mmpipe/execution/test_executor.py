"""The executor as its stage uses it: what it sends, what it believes, and when it keeps still."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.enums import (
    AnswerKind,
    CommandKind,
    Counter,
    FeedState,
    IntentKind,
    Reason,
    ReportKind,
    Tif,
    Trigger,
)
from mmpipe.execution.executor import Executor
from mmpipe.records import ANSWER, COMMAND, FORECAST, INSTRUMENT, SYMBOLS_MAX

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
MS = 1_000_000
START = 1_000_000 * MS
TICK_PX, LOT_QTY, STEP = 0.1, 1e-5, 10  # BTC: ticks of 0.1, a step of 1.0
BID_TICK, ASK_TICK = 999_700, 1_000_300  # 6 bps wide around 100,000
FOREVER = START + 10**15


def instruments() -> np.ndarray:
    rows = np.zeros(1, INSTRUMENT)
    rows["size_decimals"], rows["ticks_per_unit"], rows["tick_px"], rows["lot_qty"] = 5, 10, TICK_PX, LOT_QTY
    rows["min_notional_cash"] = 10 * 10**8
    return rows


def forecast(now_ns: int, **fields: float) -> np.ndarray:
    row = np.zeros(1, FORECAST)
    snapshot = row["snapshot"]
    mid_px = (BID_TICK + ASK_TICK) / 2 * TICK_PX
    values: dict[str, float] = {
        "ts_ns": now_ns, "cause_ts_ns": now_ns, "cause_seq": 3, "trigger": int(Trigger.BBO), "book_valid": 1,
        "maker_feed": int(FeedState.LIVE), "lead_feed": int(FeedState.LIVE), "book_limit_ns": 1_000 * MS,
        "best_bid_tick": BID_TICK, "best_ask_tick": ASK_TICK,
        "best_bid_px": BID_TICK * TICK_PX, "best_ask_px": ASK_TICK * TICK_PX, "mid_px": mid_px,
        "spread_bps": (ASK_TICK - BID_TICK) * TICK_PX / mid_px * 1e4, "microprice_px": mid_px,
        "sigma_ewma_bps": 0.3, "sigma_1m_bps": 3.0, "buy_intensity_per_s": 2.0, "sell_intensity_per_s": 2.0,
        "bid_queue_rank": -1.0, "ask_queue_rank": -1.0,
        "bid_queue_value_bps": 1.0, "ask_queue_value_bps": 1.0,
        "toxic_buy_prob": 0.01, "toxic_sell_prob": 0.01,
    }  # fmt: skip
    snapshot["bid_depth_qty"], snapshot["ask_depth_qty"] = 1.0, 1.0
    row["ts_ns"], row["cause_ts_ns"], row["seq"] = now_ns, now_ns, 11
    row["alpha_std_bps"], row["p_edge_bid"], row["p_edge_ask"] = 0.5, 0.9, 0.9
    for name, value in {**values, **fields}.items():
        if name in (snapshot.dtype.names or ()):
            snapshot[name] = value
        else:
            row[name] = value
    return row


def answer(kind: AnswerKind, **fields: int) -> np.ndarray:
    row = np.zeros(1, ANSWER)
    row["kind"] = int(kind)
    row["symbol"] = SYMBOLS_MAX if kind in (AnswerKind.SYNCED, AnswerKind.DISCONNECTED) else 0
    for name, value in fields.items():
        row[name] = value
    return row


def ready(position_lots: int = 0) -> Executor:
    made = Executor(CONFIG, instruments(), 1)
    made.on_gate(False, FOREVER)
    made.on_answers(answer(AnswerKind.POSITION, qty_lots=position_lots), START)
    made.on_answers(answer(AnswerKind.SYNCED), START)
    made.reports()
    return made


def places(intents: np.ndarray) -> np.ndarray:
    return intents[intents["kind"] == int(IntentKind.PLACE)]


def quoting() -> tuple[Executor, np.ndarray]:
    made = ready()
    made.on_forecast(forecast(START), START)
    sent = places(made.intents())
    for index, row in enumerate(sent):
        made.on_answers(resting(row, 100 + index), START + MS)
    return made, sent


def resting(intent: np.void, oid: int) -> np.ndarray:
    return answer(
        AnswerKind.RESTING, order_id=int(intent["order_id"]), oid=oid, side=int(intent["side"]),
        px_tick=int(intent["px_tick"]), qty_lots=int(intent["qty_lots"]),
    )  # fmt: skip


def fill(intent: np.void, tid: int, lots: int) -> np.ndarray:
    return answer(
        AnswerKind.FILL, order_id=int(intent["order_id"]), oid=1, tid=tid, side=int(intent["side"]),
        px_tick=int(intent["px_tick"]), qty_lots=lots, fee_cash=100, maker_fill=1,
    )  # fmt: skip


def test_a_good_market_is_quoted_on_both_sides_post_only() -> None:
    _, sent = quoting()
    assert sorted(sent["side"].tolist()) == [-1, 1]
    assert set(sent["tif"].tolist()) == {int(Tif.ALO)}
    bid, ask = sent[sent["side"] == 1][0], sent[sent["side"] == -1][0]
    assert BID_TICK - 100 <= bid["px_tick"] < ask["px_tick"] <= ASK_TICK + 100
    assert (sent["px_tick"] % STEP == 0).all()
    assert (sent["queue_value_bps"] > 0).all()
    assert (sent["qty_lots"] > 0).all()
    assert len(set(sent["order_id"].tolist())) == len(sent)


def test_nothing_moves_while_nothing_changes() -> None:
    made, _ = quoting()
    for step in range(1, 20):
        now_ns = START + step * 50 * MS
        made.on_forecast(forecast(now_ns), now_ns)
        made.on_timer(now_ns)
    assert len(made.intents()) == 0


@pytest.mark.parametrize(
    ("close", "reason"),
    [
        (lambda made: made.on_gate(True, FOREVER), Reason.KILLED),
        (lambda made: made.on_gate(False, START), Reason.NO_LEASE),
        (lambda made: made.on_backpressure(True), Reason.REPORT_RING_FULL),
        (lambda made: made.begin_stop(), Reason.STOPPING),
        (lambda made: made.on_answers(answer(AnswerKind.DISCONNECTED), START), Reason.NOT_RECONCILED),
    ],
)
def test_a_closed_gate_places_nothing_and_says_why(close: object, reason: Reason) -> None:
    made = ready()
    close(made)  # type: ignore[operator]  # a lambda of the table
    made.on_forecast(forecast(START), START)
    made.on_timer(START)
    assert len(places(made.intents())) == 0
    assert made.block_reason(START) == reason
    assert made.board(0)["bid_reason"][0] == int(reason)


def test_an_executor_that_was_never_reconciled_places_nothing() -> None:
    made = Executor(CONFIG, instruments(), 1)
    made.on_gate(False, FOREVER)
    made.on_forecast(forecast(START), START)
    assert len(made.intents()) == 0


@pytest.mark.parametrize("close", ["kill", "lease", "pause", "stop"])
def test_a_gate_that_closes_cancels_what_rests(close: str) -> None:
    made, sent = quoting()
    now_ns = START + 10 * MS
    if close == "kill":
        made.on_gate(True, FOREVER)
    elif close == "lease":
        made.on_gate(False, now_ns)
    elif close == "stop":
        made.begin_stop()
    else:
        command = np.zeros(1, COMMAND)
        command["kind"], command["reason"] = int(CommandKind.PAUSE), int(Reason.HEARTBEAT_LOST)
        made.on_command(command)
    made.on_timer(now_ns)
    intents = made.intents()
    assert (intents["kind"] == int(IntentKind.CANCEL)).all()
    assert sorted(intents["order_id"].tolist()) == sorted(sent["order_id"].tolist())
    assert not made.stopped
    for row in sent:
        made.on_answers(
            answer(AnswerKind.CANCELLED, order_id=int(row["order_id"]), side=int(row["side"])), now_ns
        )
    assert made.stopped == (close == "stop")


def test_an_old_judgement_is_not_rested_on() -> None:
    made, sent = quoting()
    now_ns = START + (CONFIG.execution.forecast_age_max_ms + 1) * MS
    made.on_timer(now_ns)
    assert sorted(made.intents()["order_id"].tolist()) == sorted(sent["order_id"].tolist())
    assert made.board(0)["bid_reason"][0] == int(Reason.FORECAST_OLD)


FLOATS = (
    "mid_px", "spread_bps", "sigma_ewma_bps", "sigma_1m_bps", "alpha_bps", "alpha_std_bps",
    "lead_lag_skew_bps",
    "buy_intensity_per_s", "sell_intensity_per_s", "toxic_buy_prob", "toxic_sell_prob",
)  # fmt: skip


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", FLOATS)
def test_a_number_that_is_none_never_leads_to_an_order(field: str, bad: float) -> None:
    made = ready()
    made.on_forecast(forecast(START, **{field: bad}), START)
    poisoned = {
        "buy_intensity_per_s": -1,
        "toxic_buy_prob": -1,
        "sell_intensity_per_s": 1,
        "toxic_sell_prob": 1,
    }
    sides = places(made.intents())["side"].tolist()
    assert sides == [] or (field in poisoned and poisoned[field] not in sides)


@pytest.mark.parametrize("field", ["book_valid", "maker_feed"])
def test_an_invalid_book_or_a_feed_that_is_not_live_is_not_quoted(field: str) -> None:
    made = ready()
    made.on_forecast(forecast(START, **{field: 0}), START)
    assert len(made.intents()) == 0


def test_a_touch_older_than_its_contract_is_not_quoted_however_fresh_the_judgement() -> None:
    for age_ms, late_ms, quoted in ((900, 100, True), (900, 101, False), (1_001, 0, False), (0, 300, True)):
        made = ready()
        made.on_forecast(forecast(START, book_age_ns=age_ms * MS), START + late_ms * MS)
        assert (len(places(made.intents())) > 0) == quoted, (age_ms, late_ms)
    made = ready()
    made.on_forecast(forecast(START, book_limit_ns=0), START + 1)
    assert len(made.intents()) == 0
    assert made.board(0)["bid_reason"][0] == Reason.MAKER_FEED_NOT_LIVE


def test_a_fill_moves_the_position_once_and_tells_everybody() -> None:
    made, sent = quoting()
    made.reports()
    bid = sent[sent["side"] == 1][0]
    for _ in range(2):
        made.on_answers(fill(bid, 77, 4), START + 2 * MS)
    board = made.board(0)
    assert board["position_lots"][0] == board["position_journal_lots"][0] == 4
    reports, contexts = made.reports(), made.fill_contexts()
    fills = reports[reports["kind"] == int(ReportKind.FILL)]
    assert fills["tid"].tolist() == [77]
    assert fills["position_lots"].tolist() == [4]
    assert contexts["tid"].tolist() == [77]
    assert contexts["snapshot"]["mid_px"][0] == pytest.approx(100_000.0)
    assert made.counters[Counter.DUPLICATES] == 1


def test_no_answer_keeps_the_exposure_until_a_query_proves_its_end() -> None:
    made = ready()
    made.on_forecast(forecast(START), START)
    sent = places(made.intents())
    for row in sent:
        made.on_answers(answer(AnswerKind.NO_ANSWER, order_id=int(row["order_id"])), START + MS)
    assert sorted(made.unknown_order_ids(START + 2 * MS).tolist()) == sorted(sent["order_id"].tolist())
    assert len(made.unknown_order_ids(START + 3 * MS)) == 0
    assert made.board(0)["open_orders"][0] == len(sent)
    made.on_forecast(forecast(START + 4 * MS), START + 4 * MS)
    assert len(places(made.intents())) == 0
    for row in sent:  # the request may still be on its way: "not found" proves nothing yet
        made.on_answers(answer(AnswerKind.NOT_FOUND, order_id=int(row["order_id"])), START + 5 * MS)
    assert made.board(0)["open_orders"][0] == len(sent)
    later_ns = START + 60_000 * MS
    assert sorted(made.unknown_order_ids(later_ns).tolist()) == sorted(sent["order_id"].tolist())
    for row in sent:
        made.on_answers(answer(AnswerKind.NOT_FOUND, order_id=int(row["order_id"])), later_ns)
    assert made.board(0)["open_orders"][0] == 0


def test_the_last_gate_lets_cancels_pass_and_takes_places_back() -> None:
    made = ready()
    made.on_forecast(forecast(START), START)
    intents = made.intents()
    cancel = intents[:1].copy()
    cancel["kind"] = int(IntentKind.CANCEL)
    made.on_gate(True, FOREVER)
    allowed = made.still_allowed(np.concatenate([intents, cancel]), START)
    assert allowed["kind"].tolist() == [int(IntentKind.CANCEL)]
    assert made.board(0)["open_orders"][0] == 0
    rejects = [row for row in made.reports() if row["kind"] == int(ReportKind.REJECT)]
    assert {int(row["reason"]) for row in rejects} == {int(Reason.KILLED)}


def test_a_restart_knows_its_position_and_cancels_what_it_cannot_judge() -> None:
    _, sent = quoting()
    bid = sent[sent["side"] == 1][0]
    again = Executor(CONFIG, instruments(), 2)
    again.restore([sent, fill(bid, 5, 3)])
    assert again.board(0)["position_journal_lots"][0] == 3
    assert sorted(again.unknown_order_ids(START).tolist()) == sorted(sent["order_id"].tolist())
    again.on_gate(False, FOREVER)
    again.on_answers(answer(AnswerKind.POSITION, qty_lots=3), START)
    again.on_answers(answer(AnswerKind.SYNCED), START)
    again.on_timer(START)
    assert set(again.intents()["kind"].tolist()) == {int(IntentKind.CANCEL)}
    assert again.board(0)["position_lots"][0] == 3
    again.on_forecast(forecast(START), START)
    placed = places(again.intents())
    assert all(int(order_id) >> 32 == 2 for order_id in placed["order_id"])


def test_equity_is_the_sum_of_its_parts() -> None:
    made, sent = quoting()
    for tid, row in enumerate(sent, 1):
        made.on_answers(fill(row, tid, 3 + tid), START + tid * MS)
    for step in range(1, 30):
        now_ns = START + step * 100 * MS
        made.on_forecast(forecast(now_ns, best_bid_tick=BID_TICK + step * 10), now_ns)
        board = made.board(0)[0]
        parts = ("spread_cash", "adverse_cash", "inventory_cash", "fees_cash", "funding_cash")
        assert sum(int(board[part]) for part in parts) == int(board["equity_cash"])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["forecast", "timer", "rest", "fill", "cancelled", "refused", "silence", "reject", "again"]
        ),
        st.integers(0, 7),
        st.integers(1, 400),
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(STEPS)
def test_any_interleaving_keeps_the_books_and_the_limit(steps: list[tuple[str, int, int]]) -> None:
    # The venue's truth beside the executor's: what it was sent, what it filled.
    made, now_ns, tid = ready(), START, 0
    orders: dict[int, dict[str, int]] = {}
    position = 0
    max_lots = int(CONFIG.risk.position_usdc_max / 100_000.0 / LOT_QTY)
    trades: list[np.ndarray] = []
    for step, pick, elapsed_ms in steps:
        now_ns += elapsed_ms * MS
        live = [order_id for order_id, order in orders.items() if order["left"] > 0]
        chosen = live[pick % len(live)] if live else 0
        order = orders.get(chosen)
        if step == "forecast":
            made.on_forecast(forecast(now_ns), now_ns)
        elif step == "timer":
            made.on_timer(now_ns)
        elif step == "again" and trades:
            made.on_answers(trades[pick % len(trades)], now_ns)
        elif order is not None:
            row = {
                "order_id": chosen,
                "oid": chosen & 0xFFFF,
                "side": order["side"],
                "px_tick": order["tick"],
            }
            if step == "fill":
                tid += 1
                lots = min(order["left"], 1 + pick * 100)
                order["left"] -= lots
                position += order["side"] * lots
                trades.append(answer(AnswerKind.FILL, tid=tid, qty_lots=lots, maker_fill=1, **row))
                made.on_answers(trades[-1], now_ns)
            elif step == "rest":
                made.on_answers(answer(AnswerKind.RESTING, qty_lots=order["left"], **row), now_ns)
            elif step == "cancelled":
                left, order["left"] = order["left"], 0
                made.on_answers(answer(AnswerKind.CANCELLED, qty_lots=left, **row), now_ns)
            elif step == "refused":
                made.on_answers(answer(AnswerKind.CANCEL_REFUSED, **row), now_ns)
            elif step == "silence":
                made.on_answers(answer(AnswerKind.NO_ANSWER, **row), now_ns)
            elif step == "reject" and order["left"] == order["qty"]:
                order["left"] = 0
                made.on_answers(answer(AnswerKind.REJECTED, **row), now_ns)
        for intent in places(made.intents()):
            orders[int(intent["order_id"])] = {
                "side": int(intent["side"]), "left": int(intent["qty_lots"]), "qty": int(intent["qty_lots"]),
                "tick": int(intent["px_tick"]),
            }  # fmt: skip
        buys = sum(order["left"] for order in orders.values() if order["side"] > 0)
        sells = sum(order["left"] for order in orders.values() if order["side"] < 0)
        assert position + buys <= max_lots
        assert position - sells >= -max_lots
        assert made.board(0)["position_lots"][0] == position
    assert len({int(order_id) for order_id in orders}) == len(orders)
