"""Which stream a frame belongs to, which fault strikes it, and damage that no decoder lets pass."""

from collections.abc import Callable

import numpy as np
import pytest

from mmpipe.clock import VirtualClock
from mmpipe.errors import UsageError
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.proxy_faults import DURATION_MAX_MS, KINDS, TIMED, Fault, FaultPlan, stream_of

from . import frames

DAMAGED = 300


@pytest.mark.parametrize(
    ("frame", "stream"),
    [
        (frames.bbo(coin="ETH"), "bbo:ETH"),
        (frames.book(), "l2Book:BTC"),
        (frames.book(fast=True), "l2Book.fast:BTC"),
        (frames.book(fast=False), "l2Book:BTC"),
        (frames.trades(frames.trade(1), frames.trade(2)), "trades:BTC"),
        (frames.trades(), "trades"),
        (frames.funding(), "activeAssetCtx:BTC"),
        (b'{"channel":"candle","data":{"s":"SOL","i":"1m"}}', "candle:SOL"),
        (b'{"channel":"pong"}', "pong"),
        (b'{"channel":"error","data":"Already subscribed"}', "error"),
        (b'{"channel":"subscriptionResponse","data":{"method":"subscribe"}}', "subscriptionResponse"),
        (b'{"channel":"userFills","data":{"user":"0x","fills":[{"coin":"BTC"}]}}', "userFills"),
        (frames.wrapped(frames.ticker(), "bookTicker"), "btcusdt@bookTicker"),
        (frames.wrapped({"e": "depthUpdate"}, "depth@100ms"), "btcusdt@depth@100ms"),
        (frames.frame(frames.ticker()), ""),
        (b'{"result":null,"id":1}', ""),
        (b'{"channel":7}', ""),
        (b'{"channel":"bbo","data":{"coin":7}}', "bbo"),
        (b"", ""),
        (b"[" * 100_000, ""),
        (b"\xff\xfe", ""),
    ],
)
def test_stream_of_a_frame(frame: bytes, stream: str) -> None:
    assert stream_of(frame) == stream


def plan_of(*faults: Fault) -> FaultPlan:
    plan = FaultPlan(7, VirtualClock(5))
    for fault in faults:
        plan.schedule(fault)
    return plan


def struck(plan: FaultPlan, path: str = "/ws", stream: str = "bbo:BTC", is_held: bool = False) -> str | None:
    fault = plan.strike(path, stream, is_held)
    return None if fault is None else fault.kind


def test_faults_strike_in_the_order_of_their_scheduling_and_as_often_as_told() -> None:
    plan = plan_of(Fault("drop", "bbo:BTC", 2), Fault("duplicate"), Fault("corrupt", "trades:BTC"))
    assert [struck(plan) for _ in range(4)] == ["drop", "drop", "duplicate", None]
    assert plan.is_waiting
    assert struck(plan, stream="trades:BTC") == "corrupt"
    assert not plan.is_waiting
    assert plan.injected == {
        ("drop", "bbo:BTC"): 2,
        ("duplicate", "bbo:BTC"): 1,
        ("corrupt", "trades:BTC"): 1,
    }
    assert plan.history[2] == (5, "duplicate", "bbo:BTC")


def test_who_lets_a_held_frame_go_is_not_held_himself() -> None:
    plan = plan_of(Fault("reorder"), Fault("drop"))
    assert struck(plan, is_held=True) == "drop"
    assert struck(plan, is_held=True) is None
    assert struck(plan) == "reorder"


def test_a_path_is_the_beginning_of_the_socket_s() -> None:
    plan = plan_of(Fault("drop", path="/public"))
    assert struck(plan, "/ws") is None
    assert struck(plan, "/public/stream") == "drop"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("flood"), "'flood' does not exist"),
        (Fault("drop", count=0), "count = 0"),
        (Fault("drop", duration_ms=-1), "duration_ms = -1"),
        (Fault("reorder", duration_ms=DURATION_MAX_MS + 1), "duration_ms"),
        *((Fault(kind), f"{kind}: duration_ms = 0: must be within 1") for kind in sorted(TIMED)),
    ],
)
def test_what_cannot_be_scheduled(fault: Fault, text: str) -> None:
    plan = plan_of()
    with pytest.raises(UsageError, match=text):
        plan.schedule(fault)
    assert not plan.is_waiting


def test_every_timed_kind_is_a_kind() -> None:
    assert set(KINDS) > TIMED


def hyperliquid() -> HyperliquidDecoder:
    return HyperliquidDecoder(frames.COINS, frames.instruments())


def binance() -> BinanceDecoder:
    return BinanceDecoder(frames.LEADS, frames.instruments())


@pytest.mark.parametrize(
    ("decoder", "frame"),
    [
        (hyperliquid, frames.bbo()),
        (hyperliquid, frames.book(5, fast=True)),
        (hyperliquid, frames.book(20)),
        (hyperliquid, frames.trades(frames.trade(1), frames.trade(2))),
        (hyperliquid, frames.funding()),
        (binance, frames.wrapped(frames.ticker(), "bookTicker")),
        (binance, frames.wrapped(frames.aggregate_trade(), "aggTrade")),
        (binance, frames.wrapped(frames.print_(), "trade")),
        (binance, frames.wrapped(frames.depth_update(1, 9, 0), "depth@100ms")),
        (binance, frames.wrapped(frames.depth_update(1, 9, None), "depth@100ms")),
    ],
)
def test_no_decoder_takes_a_damaged_frame_for_a_good_one(
    decoder: Callable[[], HyperliquidDecoder | BinanceDecoder], frame: bytes
) -> None:
    plan, rows = plan_of(), frames.out_rows()
    good = decoder()
    assert good.decode(frame, 1, rows) or stream_of(frame).endswith("depth@100ms")
    assert not good.counters.any()
    for _ in range(DAMAGED):
        wrong, reader = plan.damaged(frame, "x"), decoder()
        assert reader.decode(wrong, 1, rows) == 0, plan.damages[-1]
        assert np.sum(reader.counters) == 1, plan.damages[-1]


def test_damage_comes_in_every_manner_and_from_the_seed() -> None:
    texts = []
    for _ in range(2):
        plan = plan_of()
        wrong = [plan.damaged(frames.bbo(), "bbo:BTC") for _ in range(DAMAGED)]
        texts.append((wrong, plan.damages))
    assert texts[0] == texts[1]
    said = " ".join(text for _, _, text in plan.damages)
    for manner in ("truncated to", "flipped", "which no UTF-8 has", "'NaN'", "'1e400'", "'-1'", "'-83757.0'"):
        assert manner in said
    assert all(stamp == 5 and stream == "bbo:BTC" for stamp, stream, _ in plan.damages)


@pytest.mark.parametrize("frame", [b"", b"x", b"{}", b'"', b'{"channel":"pong"}'])
def test_whatever_a_frame_is_damage_changes_it(frame: bytes) -> None:
    plan = plan_of()
    assert all(plan.damaged(frame, "") != frame or not frame for _ in range(DAMAGED))
