"""Messages in the shapes of both venues, made from a seed: for kinds no recording has, or without recordings.

quotes and books walk a tick at a time; ids and times go up as the venues' do
"""

import json
import random
from collections.abc import Iterator
from typing import Any

START_MS = 1_790_358_600_000
START_TICK = 1_050_550  # of 0.1
COIN, LEAD = "BTC", "BTCUSDT"


def frame(message: Any) -> bytes:
    """As the venues write: no spaces."""
    return json.dumps(message, separators=(",", ":")).encode()


class Walk:
    """A price that moves; everything else is drawn around it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.tick = START_TICK
        self.number = 5_123_107_832_006  # as long as the real ids
        self.time_ms = START_MS

    def step(self) -> None:
        """The next moment."""
        self.tick += self.draw.randint(-3, 3)
        self.time_ms += self.draw.randint(1, 200)
        self.number += self.draw.randint(1, 9)

    def px(self, away: int, places: int = 1) -> str:
        """The price so many ticks from the middle, below or above."""
        return f"{(self.tick + away) / 10:.{places}f}"

    def qty(self, places: int = 5) -> str:
        """A size, most of them small."""
        return f"{0.001 + self.draw.expovariate(1.0):.{places}f}"


def hyperliquid(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(kind, frame) of every Hyperliquid kind in turn, `count` of each."""
    walk = Walk(seed)
    for number in range(count):
        walk.step()
        for levels, kind in ((20, "l2Book"), (5, "l2Book_fast")):
            extra = {"fast": True} if kind == "l2Book_fast" else {}
            sides = [[_level(walk, side * (1 + i)) for i in range(levels)] for side in (-1, 1)]
            data = {"coin": COIN, "time": walk.time_ms, "levels": sides, **extra}
            yield kind, frame({"channel": "l2Book", "data": data})
        data = {"coin": COIN, "time": walk.time_ms, "bbo": [_level(walk, -1), _level(walk, 1)]}
        yield "bbo", frame({"channel": "bbo", "data": data})
        rows = [_trade(walk, number * 10 + i) for i in range(walk.draw.randint(1, 4))]
        yield "trades", frame({"channel": "trades", "data": rows})
        yield (
            "activeAssetCtx",
            frame({"channel": "activeAssetCtx", "data": {"coin": COIN, "ctx": _ctx(walk)}}),
        )


def binance(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(kind, frame) of a USD-M stream: a snapshot, then every kind in turn, `count` of each."""
    walk = Walk(seed)
    yield "snapshot", frame(snapshot(walk, 1_000))
    for number in range(count):
        previous = walk.number
        walk.step()
        best = {"u": walk.number, "s": LEAD, "b": walk.px(-1, 2), "B": walk.qty(3), "a": walk.px(1, 2)}
        times = {"T": walk.time_ms, "E": walk.time_ms + 1}
        yield "bookTicker", _wrapped("bookTicker", {"e": "bookTicker", **best, "A": walk.qty(3), **times})
        trade = {"a": number, "s": LEAD, "p": walk.px(1, 2), "q": walk.qty(3), "f": number, "l": number}
        trade = {"e": "aggTrade", "E": walk.time_ms + 1, **trade, "T": walk.time_ms, "m": number % 2 == 0}
        yield "aggTrade", _wrapped("aggTrade", trade)
        levels = 5 if number % 4 else 100
        sides = [[[walk.px(s * (1 + i), 2), walk.qty(3)] for i in range(levels)] for s in (-1, 1)]
        ids = {"s": LEAD, "U": previous, "u": walk.number, "pu": previous, "b": sides[0], "a": sides[1]}
        yield (
            "depth_small" if levels == 5 else "depth_large",
            _wrapped("depth@0ms", {"e": "depthUpdate", **times, **ids}),
        )


def spot(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(kind, frame) of spot best quotes: neither type nor time, zeros to eight places."""
    walk = Walk(seed)
    for _ in range(count):
        walk.step()
        best = {"u": walk.number, "s": LEAD, "b": walk.px(-1, 8), "B": walk.qty(8), "a": walk.px(1, 8)}
        yield "bookTicker_spot", _wrapped("bookTicker", {**best, "A": walk.qty(8)})


def snapshot(walk: Walk, levels: int) -> dict[str, Any]:
    """A REST depth snapshot."""
    sides = [[[walk.px(s * (1 + i), 2), walk.qty(3)] for i in range(levels)] for s in (-1, 1)]
    head = {"lastUpdateId": walk.number, "E": walk.time_ms, "T": walk.time_ms}
    return {**head, "bids": sides[0], "asks": sides[1]}


def _wrapped(stream: str, data: dict[str, Any]) -> bytes:
    return frame({"stream": f"{LEAD.lower()}@{stream}", "data": data})


def _level(walk: Walk, away: int) -> dict[str, Any]:
    return {"px": walk.px(away), "sz": walk.qty(), "n": walk.draw.randint(1, 30)}


def _trade(walk: Walk, tid: int) -> dict[str, Any]:
    users = [f"0x{walk.draw.getrandbits(160):040x}" for _ in range(2)]
    head = {"coin": COIN, "side": walk.draw.choice("AB"), "px": walk.px(1), "sz": walk.qty()}
    return {
        **head,
        "time": walk.time_ms,
        "hash": f"0x{walk.draw.getrandbits(256):064x}",
        "tid": tid,
        "users": users,
    }


def _ctx(walk: Walk) -> dict[str, Any]:
    px = walk.px(0)
    return {
        "funding": f"0.{walk.draw.randint(1, 9_999):010d}", "openInterest": "27353.17682",
        "prevDayPx": "76317.0", "dayNtlVlm": "1516669192.1953897476", "premium": "-0.0005927453",
        "oraclePx": px, "markPx": px, "midPx": px, "impactPxs": [walk.px(-1), walk.px(1)],
        "dayBaseVlm": "19707.77457",
    }  # fmt: skip
