"""20,000 mutated frames per venue: nothing crashes, nothing wrong comes out, nothing is lost uncounted."""

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mmpipe.enums import Counter, EventFlag, EventKind
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.frame_decoder import FrameDecoder
from mmpipe.venue.hyperliquid import GREETING, HyperliquidDecoder
from tests.oracles.binance import Binance
from tests.oracles.hyperliquid import Hyperliquid

from . import frames

MUTATIONS = 20_000
TOKENS = [
    b"nan", b"NaN", b"inf", b"-", b"1e400", b"1e9", b"_", b'"', b"{", b"}", b"[", b"]", b",", b":",
    b"null", b"true", b"0", b"0.0", b"99999999999999999999", b"-1", b" ", b"\\u0661", "١٢٣".encode(), b"\xff",
    b"\x00", b'"":', b"[[[[[[",
]  # fmt: skip
PX_KINDS = (EventKind.TRADE, EventKind.BOOK_DELTA)

HYPERLIQUID = [
    frames.bbo(), frames.bbo(bid=None), frames.book(20), frames.book(5, fast=True), frames.funding(),
    frames.trades(frames.trade(1), frames.trade(2), frames.trade(3, coin="ETH", px="4300.01")),
    frames.frame({"channel": "pong"}), frames.frame({"channel": "error", "data": "x"}),
    frames.frame({"channel": "subscriptionResponse", "data": {"method": "subscribe"}}),
]  # fmt: skip
BINANCE = [
    frames.frame(frames.ticker()), frames.wrapped(frames.ticker(11), "bookTicker"),
    frames.wrapped(frames.aggregate_trade(), "aggTrade"), frames.frame(frames.print_()),
    frames.frame({"result": None, "id": 1}), frames.frame({"error": {"code": 2}, "id": 1}),
    frames.snapshot(20), frames.depth(11, 20, 10), frames.depth(21, 30, 20), frames.depth(21, 30, None),
]  # fmt: skip
ORACLES: list[tuple[Callable[[], Any], Callable[[], Any], list[bytes]]] = [
    (
        lambda: HyperliquidDecoder(frames.COINS, frames.instruments()),
        lambda: Hyperliquid(frames.COINS, frames.instruments()),
        HYPERLIQUID,
    ),
    (
        lambda: BinanceDecoder(["BTCUSDT"], frames.instruments()[:1]),
        lambda: Binance(["BTCUSDT"], frames.instruments()[:1]),
        BINANCE,
    ),
]
SOURCES: list[tuple[Callable[[], FrameDecoder], list[bytes]]] = [
    (lambda: HyperliquidDecoder(frames.COINS, frames.instruments()), HYPERLIQUID),
    (lambda: BinanceDecoder(["BTCUSDT"], frames.instruments()[:1]), BINANCE),
]


def mutate(draw: random.Random, data: bytes) -> bytes:
    body = bytearray(data)
    if draw.randrange(2):  # still JSON: one digit becomes another sign of a number
        found = re.compile(rb"[0-9]").search(body, draw.randrange(len(body)))
        body[found.start() if found else 0] = draw.choice(b"0123456789.-e_")
        return bytes(body)
    for _ in range(draw.randint(1, 3)):
        at, length = draw.randrange(len(body) + 1), draw.randint(0, 6)
        match draw.randrange(4):
            case 0:
                body[at : at + length] = draw.choice(TOKENS)
            case 1:
                del body[at : at + length]
            case 2:
                body[at:at] = body[draw.randrange(len(body) + 1) :][:length]
            case _:
                body[at : at + 1] = bytes([draw.randrange(256)])
        if not body:
            break
    return bytes(body)


def check_rows(rows: np.ndarray) -> None:
    assert np.isfinite(rows["px"]).all()
    assert np.isfinite(rows["qty"]).all()
    assert (rows["qty"] >= 0).all()
    priced = rows[np.isin(rows["kind"], PX_KINDS) | ((rows["kind"] == EventKind.BBO) & (rows["qty"] > 0))]
    assert (priced["px"] > 0).all()
    assert (rows["qty"][rows["kind"] == EventKind.TRADE] > 0).all()
    assert (rows["exch_ts_ns"] >= 0).all()
    last = rows["flags"] & EventFlag.LAST
    assert not last[:-1].any()
    assert last[-1:].all()


@pytest.mark.parametrize(("build", "samples"), SOURCES, ids=["hyperliquid", "binance"])
def test_mutated_frames(build: Callable[[], FrameDecoder], samples: list[bytes]) -> None:
    draw = random.Random(20_251_010)
    out = frames.out_rows()
    used = refused = 0
    for number in range(MUTATIONS):
        if number % 10 == 0:
            decoder = build()
        before = int(decoder.counters.sum())
        count = decoder.decode(mutate(draw, draw.choice(samples)), number, out)
        counted = int(decoder.counters.sum()) - before
        check_rows(out[:count])
        used += count > 0
        refused += counted > 0 and count == 0
    assert used > MUTATIONS // 20
    assert refused > MUTATIONS // 4


@pytest.mark.parametrize(("build", "oracle", "samples"), ORACLES, ids=["hyperliquid", "binance"])
def test_the_kernel_reads_what_the_slow_decoder_reads(
    build: Callable[[], Any], oracle: Callable[[], Any], samples: list[bytes]
) -> None:
    # They may disagree about damage in a part that nobody uses, and about which of two reasons comes first.
    draw = random.Random(13)
    out, expected = frames.out_rows(), frames.out_rows()
    equal = alone = missed = 0
    for number in range(MUTATIONS):
        if number % 10 == 0:
            kernel, slow = build(), oracle()
        data = mutate(draw, draw.choice(samples)) if draw.random() < 0.7 else draw.choice(samples)
        before, slow_before = kernel.counters.copy(), slow.counters.copy()
        count, slow_count = kernel.decode(data, number, out), slow.decode(data, number, expected)
        refused = np.flatnonzero(kernel.counters - before)
        if count and slow_count:
            assert count == slow_count, data
            assert (out[:count] == expected[:count]).all(), data
            assert (kernel.counters - before == slow.counters - slow_before).all(), data
            equal += 1
        elif count:
            assert np.flatnonzero(slow.counters - slow_before).tolist() == [Counter.MALFORMED], data
            alone += 1
        elif slow_count:
            assert set(refused.tolist()) <= {Counter.MALFORMED, Counter.BAD_NUMBER}, data
            missed += 1
        if bool(count) != bool(slow_count) or len(refused) != bool(slow.counters.sum() - slow_before.sum()):
            kernel, slow = build(), oracle()
    assert equal > MUTATIONS // 10
    assert alone + missed < MUTATIONS // 50


@pytest.mark.parametrize(("build", "samples"), SOURCES, ids=["hyperliquid", "binance"])
def test_every_frame_that_carries_market_data_gives_rows_or_a_count(
    build: Callable[[], FrameDecoder], samples: list[bytes]
) -> None:
    # Without the frames that are silent by rule: control messages, and diffs that wait for a snapshot.
    silent = (b"pong", b"subscriptionResponse", b'"result"', b"depthUpdate")
    loud = [sample for sample in samples if not any(word in sample for word in silent)]
    draw = random.Random(7)
    out = frames.out_rows()
    for number in range(MUTATIONS):
        decoder = build()
        data = mutate(draw, draw.choice(loud))
        count = decoder.decode(data, number, out)
        quiet_by_rule = b'"data":[]' in data or b'"id"' in data
        assert count or decoder.counters.sum() == 1 or quiet_by_rule, data


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assume(data != GREETING and not data.startswith(b'{"'))  # Hypothesis knows our constants
    for build, _ in SOURCES:
        decoder = build()
        count = decoder.decode(data, 1, frames.out_rows(8))
        assert count == 0
        assert decoder.counters.sum() == 1
