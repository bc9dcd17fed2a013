"""Replies and user messages as answers: what is proof, what is not, and exact numbers."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from mmpipe.enums import AnswerKind, Reason
from mmpipe.venue.answer_queue import Answer
from mmpipe.venue.order_answers import AnswerReader, FillMessage, OrderUpdate
from mmpipe.venue.order_wire import Request, cloid_of

from .frames import COINS, T0_MS, capture_path, instruments
from .test_order_wire import intent

READER = AnswerReader(COINS, instruments())
NOBODY = "User or API Wallet 0xc06d does not exist."


def request(count: int = 2, places: bool = True) -> Request:
    rows = np.concatenate([intent(order_id) for order_id in range(1, count + 1)])
    return Request({"type": "order"}, rows, places)


def statuses(*items: Any) -> bytes:
    return json.dumps(
        {"status": "ok", "response": {"type": "order", "data": {"statuses": list(items)}}}
    ).encode()


def kinds(answers: list[Answer]) -> list[AnswerKind]:
    return [answer.kind for answer in answers]


def test_each_item_answers_its_intent() -> None:
    body = statuses(
        {"resting": {"oid": 11, "cloid": "0x1"}},
        {"filled": {"totalSz": "0.005", "avgPx": "83757.05", "oid": 12}},
        {"error": "Post only order would have immediately matched, bbo was 1@2. asset=0"},
        {"error": "Order must have minimum value of $10. asset=0"},
        "waitingForTrigger",
    )
    answers = READER.replies(body, request(5))
    assert kinds(answers) == [
        AnswerKind.RESTING, AnswerKind.FILLED, AnswerKind.REJECTED, AnswerKind.REJECTED, AnswerKind.NO_ANSWER,
    ]  # fmt: skip
    assert [answer.order_id for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.oid for answer in answers[:2]] == [11, 12]
    assert [answer.qty_lots for answer in answers[:2]] == [1_000, 500]
    assert [answer.reason for answer in answers] == [
        Reason.NONE, Reason.NONE, Reason.VENUE_WOULD_CROSS, Reason.VENUE_REJECT, Reason.VENUE_NO_ANSWER,
    ]  # fmt: skip


def test_cancels() -> None:
    body = statuses(
        "success", {"error": "Order was never placed, already canceled, or filled. asset=0"}, {"error": "?"}
    )
    answers = READER.replies(body, request(3, places=False))
    assert kinds(answers) == [AnswerKind.CANCELLED, AnswerKind.CANCEL_REFUSED, AnswerKind.NO_ANSWER]
    assert answers[1].reason == Reason.VENUE_GONE


def test_one_error_for_a_batch_rejects_all_of_it() -> None:
    answers = READER.replies(statuses({"error": "Order has invalid price."}), request(3))
    assert kinds(answers) == [AnswerKind.REJECTED] * 3


def err(text: Any) -> bytes:
    return json.dumps({"status": "err", "response": text}).encode()


@pytest.mark.parametrize(
    "text",
    [
        NOBODY, "Unable to recover signer.", "Invalid nonce: duplicate nonce 5", "Action already expired",
        "Must deposit before performing actions. User: 0x0",
        "Too many cumulative requests sent (2 > 1) for …",
    ],
)  # fmt: skip
def test_documented_refusals_of_an_action_reject_its_orders_but_prove_nothing_about_cancels(
    text: str,
) -> None:
    assert kinds(READER.replies(err(text), request())) == [AnswerKind.REJECTED] * 2
    assert kinds(READER.replies(err(text), request(places=False))) == [AnswerKind.NO_ANSWER] * 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"[" * 100_000, b"\xff", b"<html>502</html>",
        err("internal error"), err(None), err({"a": 1}),
        b'{"status":"maybe","response":"x"}', b'{"status":"ok","response":{"type":"default"}}', statuses(),
        statuses({"resting": {"oid": 1}}), statuses({"resting": {"oid": 1}}, {"resting": {"oid": "2"}}),
        statuses({"resting": {"oid": 1}}, {"filled": {"totalSz": "nan", "oid": 2}}),
        statuses({"resting": {"oid": -1}}, {"resting": {"oid": 2}}),
        statuses({"resting": {"oid": 1}}, {"resting": {"oid": 2}}, {"resting": {"oid": 3}}),
    ],
)  # fmt: skip
def test_an_error_answer_is_not_a_rejection(body: bytes) -> None:
    for places in (True, False):
        answers = READER.replies(body, request(places=places))
        assert kinds(answers) == [AnswerKind.NO_ANSWER] * 2
        assert [answer.order_id for answer in answers] == [1, 2]


def update(status: str, **order: Any) -> OrderUpdate:
    body = {
        "coin": "BTC",
        "side": "A",
        "limitPx": "83000.1",
        "sz": "0.01",
        "oid": 5,
        "origSz": "0.03",
        "cloid": cloid_of(9),
    }
    message = {"order": {**body, **order}, "status": status, "statusTimestamp": T0_MS}
    return msgspec.convert(message, OrderUpdate)


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("open", AnswerKind.RESTING, Reason.NONE),
        ("filled", AnswerKind.FILLED, Reason.NONE),
        ("canceled", AnswerKind.CANCELLED, Reason.NONE),
        ("marginCanceled", AnswerKind.CANCELLED, Reason.NONE),
        ("scheduledCancel", AnswerKind.CANCELLED, Reason.NONE),
        ("rejected", AnswerKind.REJECTED, Reason.VENUE_REJECT),
        ("badAloPxRejected", AnswerKind.REJECTED, Reason.VENUE_WOULD_CROSS),
        ("iocCancelRejected", AnswerKind.REJECTED, Reason.VENUE_REJECT),
        ("somethingNew", AnswerKind.NO_ANSWER, Reason.VENUE_NO_ANSWER),
    ],
)
def test_statuses_of_an_order(status: str, kind: AnswerKind, reason: Reason) -> None:
    answer = READER.update(update(status))
    assert answer is not None
    assert (answer.kind, answer.reason) == (kind, reason)
    assert (answer.order_id, answer.oid, answer.side, answer.px_tick) == (9, 5, -1, 830_001)
    assert answer.qty_lots == (2_000 if kind == AnswerKind.FILLED else 1_000)
    assert answer.exch_ts_ns == T0_MS * 1_000_000


def fill(**changes: Any) -> FillMessage:
    body = {
        "coin": "ETH",
        "px": "4300.01",
        "sz": "0.0213",
        "side": "B",
        "time": T0_MS,
        "oid": 5,
        "tid": 77,
        "crossed": False,
    }
    return msgspec.convert({**body, "fee": "0.009997", "cloid": cloid_of(3), **changes}, FillMessage)


def test_a_fill_is_exact() -> None:
    answer = READER.fill(fill())
    assert answer == Answer(
        AnswerKind.FILL, symbol=1, side=1, order_id=3, oid=5, px_tick=430_001, qty_lots=213,
        exch_ts_ns=T0_MS * 1_000_000, tid=77, fee_cash=999_700, maker_fill=1,
    )  # fmt: skip


def test_rebates_are_negative_and_long_fees_are_rounded_not_lost() -> None:
    answer = READER.fill(fill(fee="-0.123456786", crossed=True, cloid=None))
    assert answer is not None
    assert (answer.fee_cash, answer.maker_fill, answer.order_id) == (-12_345_679, 0, 0)


@pytest.mark.parametrize("changes", [{"px": "4300.001"}, {"sz": "0.00001"}, {"sz": "nan"}, {"fee": "x"}])
def test_a_fill_that_is_no_fill_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"decimal|finer"):
        READER.fill(fill(**changes))


def test_other_coins_are_not_ours() -> None:
    assert READER.fill(fill(coin="DOGE")) is None
    assert READER.update(update("open", coin="DOGE")) is None


def test_positions_name_every_symbol() -> None:
    held = [
        {"type": "oneWay", "position": {"coin": coin, "szi": szi}}
        for coin, szi in (("ETH", "-4.5"), ("X", "1"))
    ]
    answers = READER.positions(json.dumps({"assetPositions": held}).encode())
    assert [(answer.symbol, answer.qty_lots) for answer in answers] == [(0, 0), (1, -45_000)]


def test_order_status() -> None:
    known = {"status": "order", "order": msgspec.to_builtins(update("canceled"))}
    assert READER.order_status(json.dumps(known).encode(), 9).kind == AnswerKind.CANCELLED
    unknown = READER.order_status(b'{"status":"unknownOid"}', 9)
    assert (unknown.kind, unknown.order_id) == (AnswerKind.NOT_FOUND, 9)
    for body, order_id in (
        (json.dumps(known).encode(), 8),
        (b'{"status":"order"}', 9),
        (b"null", 9),
        (b'{"status":"?"}', 9),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  msgspec's text or ours
            READER.order_status(body, order_id)


def test_recorded_answers_of_the_venue_are_read() -> None:
    answers, listed, newest_ms = READER.fills(
        capture_path("hl_fixtures", "nautilus", "http_user_fills_dust_conversion.json").read_bytes()
    )
    assert (answers, newest_ms) == ([], 1_782_526_679_879)
    assert listed > 1
    path = capture_path("hl_fixtures", "nautilus", "ws_user_fill_liquidation.json")
    (message,) = json.loads(Path(path).read_bytes())["data"]["fills"]
    answer = READER.fill(msgspec.convert(message, FillMessage))
    assert answer is not None
    assert (answer.px_tick, answer.qty_lots, answer.fee_cash, answer.tid) == (
        666_530,
        100,
        999_700,
        745210434703679,
    )
    state = capture_path("hl_fixtures", "nautilus", "http_clearinghouse_state_negative_total_raw_usd.json")
    assert [answer.qty_lots for answer in READER.positions(state.read_bytes())] == [0, 0]


def test_a_recorded_list_of_open_orders_is_read() -> None:
    text = capture_path(
        "hl_fixtures", "python_sdk", "cassettes", "info_test", "test_get_open_orders.yaml"
    ).read_text()
    body = text.split("string: '", 1)[1].split("'", 1)[0].encode()
    rows = instruments()[:1]
    rows["size_decimals"] = 1
    orders = AnswerReader(["MATIC"], rows).open_orders(body)
    assert orders[0] == Answer(
        AnswerKind.OPEN_ORDER, symbol=0, side=1, oid=62269971, px_tick=103_570, qty_lots=2_087
    )
