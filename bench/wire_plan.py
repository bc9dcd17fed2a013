"""What is sent through the sockets, and when: a flood at an even rate, a burst as it was recorded.

A plan is made from recordings or a seed alone, so that sender and receiver, two processes, make the same one.
"""

import json
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np

from bench import wire_messages, wire_synthetic
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.frame_decoder import FrameDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder

NS_PER_S = 1_000_000_000
MAKER_EVERY = 25  # of the flood's messages one is the maker's, as a line of one symbol hears them
FLOODED = (
    "usdm",
    "usdm",
    "usdm",
    "spot",
    "cm",
)  # one market several times: as many symbols of its busiest kind
HISTORY_MS = 120_000
Stamped = tuple[int, bytes]


class Line(NamedTuple):
    """One connection: what comes over it, and what reads it."""

    frames: list[bytes]
    decoder: Callable[[], FrameDecoder]


class Plan(NamedTuple):
    """Who sends what when.

    Attributes
    ----------
    lines : list of Line
        The connections.
    order : ndarray of uint8, shape (n,)
        Line of each message; the messages of a line go out in their order.
    due_ns : ndarray of int64, shape (n,)
        When, from the beginning; never goes back.
    """

    lines: list[Line]
    order: np.ndarray
    due_ns: np.ndarray


def flood(count: int, rate: int, is_real: bool | None = None) -> Plan:
    """So many messages at an even rate over a handful of connections, mixed as they were recorded.

    Raises
    ------
    ValueError
        The recordings hold fewer.
    """
    makers = max(1, count // MAKER_EVERY)
    if is_real is False or not wire_messages.DATA.is_dir():
        lines = [
            _lead("BTCUSDT", [frame for _, frame in wire_synthetic.binance(count // 6 + 1, seed)])
            for seed in (1, 2)
        ]
        lines.append(_maker([frame for _, frame in islice(wire_synthetic.hyperliquid(makers, 3), makers)]))
    else:
        maker = list(islice(maker_frames(), makers))
        share = -(-(count - makers) // len(FLOODED))
        lines = [
            _lead(wire_messages.NAMES[name], [f for _, f in islice(wire_messages.recording(name), share)])
            for name in FLOODED
        ]
        lines.append(_maker(maker))
    found = sum(len(line.frames) for line in lines)
    if found < count:
        raise ValueError(f"{count:,} messages wanted, the recordings hold {found:,}: ask for fewer")
    # Every line is spread evenly over the whole, so that they end together.
    at = np.concatenate([(np.arange(len(line.frames)) + 0.5) / len(line.frames) for line in lines])
    order = np.repeat(np.arange(len(lines), dtype=np.uint8), [len(line.frames) for line in lines])
    order = order[np.argsort(at, kind="stable")][:count]
    return _cut(Plan(lines, order, np.arange(count, dtype=np.int64) * NS_PER_S // rate))


def burst(speed: float, is_real: bool | None = None, made: int = 3_000) -> Plan:
    """Three recorded markets of one host, merged by its clock, so many times as fast."""
    if is_real is False or not wire_messages.DATA.is_dir():
        names = ["BTCUSDT"] * 2
        stamped = [_at_random(wire_synthetic.binance(made, seed), seed) for seed in (1, 2)]
    else:
        names = [wire_messages.NAMES[name] for name in wire_messages.CAPTURES]
        stamped = [list(wire_messages.recording(name)) for name in wire_messages.CAPTURES]
    times = np.concatenate([np.array([at for at, _ in frames], np.int64) for frames in stamped])
    order = np.repeat(np.arange(len(names), dtype=np.uint8), [len(frames) for frames in stamped])
    by_time = np.argsort(times, kind="stable")
    due_ns = ((times[by_time] - times.min()) / speed).astype(np.int64)
    lines = [_lead(name, [f for _, f in frames]) for name, frames in zip(names, stamped, strict=True)]
    return Plan(lines, order[by_time], due_ns)


def maker_frames() -> Iterator[bytes]:
    """The maker's recorded messages over and over, each round with later times and new trade ids."""
    recorded = [json.loads(frame) for _, frame in wire_messages.maker_recording()]
    for number, message in enumerate(cycle(recorded)):
        passed = number // len(recorded)
        data = message["data"]
        parts = [data] if isinstance(data, dict) else data
        for part in parts if passed else ():
            if "time" in part:
                part["time"] += HISTORY_MS
            if "tid" in part:
                part["tid"] += 1_000_003
        yield wire_synthetic.frame(message)


def _cut(plan: Plan) -> Plan:
    # Lines without what the order does not reach.
    used = np.bincount(plan.order, minlength=len(plan.lines))
    lines = [line._replace(frames=line.frames[:n]) for line, n in zip(plan.lines, used.tolist(), strict=True)]
    return plan._replace(lines=lines)


def _at_random(frames: Iterator[tuple[str, bytes]], seed: int) -> list[Stamped]:
    # Local times with bursts: most messages follow within a millisecond, a few after a tenth of a second.
    draw = np.random.default_rng(seed)
    listed = [frame for _, frame in frames]
    gaps_ns = np.where(draw.random(len(listed)) < 0.97, 1_000_000, 100_000_000) * draw.random(len(listed))
    return list(zip(np.cumsum(gaps_ns).astype(np.int64).tolist(), listed, strict=True))


def _lead(name: str, frames: list[bytes]) -> Line:
    return Line(frames, lambda: BinanceDecoder([name], wire_messages.instrument(2)))


def _maker(frames: list[bytes]) -> Line:
    grid = wire_messages.instrument(wire_messages.BTC_DECIMALS)
    return Line(frames, lambda: HyperliquidDecoder([wire_synthetic.COIN], grid))
