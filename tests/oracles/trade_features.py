"""What an aggressor looks like, from the whole history each time: slow and obvious."""

import itertools
import math
from dataclasses import dataclass, field

from mmpipe.models.trade_features import (
    DIVERGENCE_CAP_BPS,
    FAST_S,
    FLOW_CAP,
    GAP_S_MIN,
    RUN_CAP,
    SLOW_S,
    STD_MIN,
    SURPRISE_CAP,
    SWEPT_CAP,
    USUAL_COUNT_MIN,
    USUAL_WEIGHT,
)


@dataclass
class Touch:
    ts_ns: int
    stamp: int
    bid_px: float
    ask_px: float
    bid_qty: float
    ask_qty: float
    bids_qty: float
    asks_qty: float


@dataclass
class Aggressor:
    ts_ns: int
    stamp: int
    side: int
    divergence_bps: float
    met: list[Touch]  # all touches he could have met, oldest first
    rows: list[tuple[float, float]] = field(default_factory=list)  # px, qty


class History:
    """Touches and aggressors since the beginning."""

    def __init__(self) -> None:
        self.touches: list[Touch] = []
        self.aggressors: list[Aggressor] = []

    def trade(self, ts_ns: int, stamp: int, side: int, px: float, qty: float, divergence_bps: float) -> None:
        last = self.aggressors[-1] if self.aggressors else None
        if last is None or not (last.side == side and last.stamp == stamp > 0):
            self.aggressors.append(Aggressor(ts_ns, stamp, side, divergence_bps, self._met(stamp)))
        self.aggressors[-1].rows.append((px, qty))

    def _met(self, stamp: int) -> list[Touch]:
        # Blocks, newest first; his own block and later ones are hidden where an earlier one is known.
        blocks: list[list[Touch]] = []
        for index, touch in enumerate(self.touches):
            if index and 0 < touch.stamp <= max(t.stamp for t in self.touches[:index]):
                blocks[-1].append(touch)
            else:
                blocks.append([touch])
        newest_stamp = max((t.stamp for t in self.touches), default=0)
        if stamp > 0 and newest_stamp >= stamp and len(blocks) > 1:
            blocks.pop()
        return [touch for block in blocks for touch in block]

    def inputs(self) -> list[float]:
        """Of the newest aggressor, by TOXICITY_INPUTS."""
        now, before = self.aggressors[-1], self.aggressors[:-1]
        out = [0.0] * 10
        run = 0
        for one in reversed(before):
            if one.side != now.side:
                break
            run += 1
        out[7] = min(float(run), RUN_CAP)
        out[9] = cap(now.side * now.divergence_bps, DIVERGENCE_CAP_BPS)
        for index, name in ((0, "size"), (1, "gap"), (5, "spread"), (6, "taken")):
            out[index] = self._surprise(name)
        touch = book_of(now)
        if touch is None:
            return out
        best = touch.ask_px if now.side > 0 else touch.bid_px
        out[8] = max(
            min(math.log1p(max(now.side * (px - best) / best * 1e4, 0.0)), SWEPT_CAP) for px, _ in now.rows
        )
        out[2] = now.side * (touch.bids_qty - touch.asks_qty) / (touch.bids_qty + touch.asks_qty)
        count, depth, _ = self._usual("book")
        if count >= USUAL_COUNT_MIN:
            out[3] = cap(now.side * flow(now.met, now.ts_ns, FAST_S) / math.exp(depth), FLOW_CAP)
            out[4] = cap(now.side * flow(now.met, now.ts_ns, SLOW_S) / math.exp(depth), FLOW_CAP)
        return out

    def _logs(self, name: str) -> list[float | None]:
        # Of every aggressor, oldest first.
        found: list[float | None] = []
        for index, one in enumerate(self.aggressors):
            touch = book_of(one)
            if name == "size":
                found.append(math.log(sum(qty for _, qty in one.rows)))
            elif name == "gap":
                found.append(gap(self.aggressors[index - 1], one) if index else None)
            elif touch is None:
                found.append(None)
            elif name == "spread":
                found.append(math.log((touch.ask_px - touch.bid_px) / touch.bid_px * 1e4))
            elif name == "taken":
                found.append(math.log(touch.asks_qty if one.side > 0 else touch.bids_qty))
            else:
                found.append(math.log((touch.bids_qty + touch.asks_qty) / 2.0))
        return found

    def _usual(self, name: str) -> tuple[int, float, float]:
        # Count, mean and variance of the aggressors before the newest, as one weighted sample.
        values = [value for value in self._logs(name)[:-1] if value is not None]
        weights: list[float] = []
        for index in range(len(values)):
            weight = max(USUAL_WEIGHT, 1.0 / (index + 1.0))
            weights = [(1.0 - weight) * other for other in weights] + [weight]
        mean = sum(w * x for w, x in zip(weights, values, strict=True))
        return len(values), mean, sum(w * (x - mean) ** 2 for w, x in zip(weights, values, strict=True))

    def _surprise(self, name: str) -> float:
        value = self._logs(name)[-1]
        count, mean, variance = self._usual(name)
        if value is None or count < USUAL_COUNT_MIN:
            return 0.0
        return cap((value - mean) / max(math.sqrt(variance), STD_MIN), SURPRISE_CAP)


def book_of(aggressor: Aggressor) -> Touch | None:
    """The book he met, if it was one."""
    touch = aggressor.met[-1] if aggressor.met else None
    if touch and 0.0 < touch.bid_px < touch.ask_px and touch.bids_qty > 0.0 and touch.asks_qty > 0.0:
        return touch
    return None


def gap(before: Aggressor, now: Aggressor) -> float:
    """Logarithm of the seconds between two aggressors."""
    stamped = before.stamp > 0 and now.stamp > 0
    elapsed_ns = now.stamp - before.stamp if stamped else now.ts_ns - before.ts_ns
    return math.log(max(elapsed_ns * 1e-9, GAP_S_MIN))


def flow(touches: list[Touch], ts_ns: int, halflife_s: float) -> float:
    """Order flow of every change of the touch, each faded from its own time."""
    total = 0.0
    for before, after in itertools.pairwise(touches):
        if not (before.bid_px > 0.0 and after.bid_px > 0.0):
            continue
        change = after.bid_qty if after.bid_px >= before.bid_px else 0.0
        change -= before.bid_qty if after.bid_px <= before.bid_px else 0.0
        change -= after.ask_qty if after.ask_px <= before.ask_px else 0.0
        change += before.ask_qty if after.ask_px >= before.ask_px else 0.0
        total += change * 0.5 ** ((ts_ns - after.ts_ns) * 1e-9 / halflife_s)
    return total


def cap(value: float, limit: float) -> float:
    """Within both signs of a limit."""
    return min(max(value, -limit), limit)
