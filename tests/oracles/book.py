"""An order book of two dicts: slow, obvious, and ordered by stamps alone."""

from dataclasses import dataclass, field


@dataclass
class Book:
    levels: dict[int, dict[int, float]] = field(default_factory=lambda: {1: {}, -1: {}})
    touch: dict[int, tuple[int, int, float]] = field(default_factory=dict)  # side: stamp, tick, qty
    stamp: int = 0
    started: bool = False
    skipping: bool = False

    def gap(self) -> None:
        self.levels, self.touch, self.stamp, self.started = {1: {}, -1: {}}, {}, 0, False
        self.skipping = False

    def clear(self, stamp: int) -> None:
        self.skipping = self.started and stamp < self.stamp
        if self.skipping:
            return
        self.stamp, self.started = stamp, True
        self.levels = {1: {}, -1: {}}
        for side, (when, tick, qty) in self.touch.items():
            if when > stamp and qty > 0:
                self.levels[side][tick] = qty

    def delta(self, stamp: int, side: int, tick: int, qty: float) -> None:
        if not self.started or self.skipping:
            return
        self.stamp = max(self.stamp, stamp)
        for of, (when, best, best_qty) in self.touch.items():
            if stamp >= when:
                continue
            if of == side and (best_qty == 0 or side * tick >= side * best):
                return
            if of != side and best_qty > 0 and side * tick >= side * best:
                return
        self.levels[side].pop(tick, None)
        if qty > 0:
            self.levels[side][tick] = qty

    def bbo(self, stamp: int, side: int, tick: int, qty: float) -> None:
        if stamp < self.stamp or stamp < self.touch.get(side, (0, 0, 0.0))[0]:
            return
        self.touch[side] = (stamp, tick, qty)
        if not self.started:
            return
        if qty == 0:
            self.levels[side] = {}
            return
        self.levels[side] = {t: q for t, q in self.levels[side].items() if side * t <= side * tick}
        self.levels[side][tick] = qty
        self.levels[-side] = {t: q for t, q in self.levels[-side].items() if side * t > side * tick}

    def side(self, side: int) -> list[tuple[int, float]]:
        return sorted(self.levels[side].items(), key=lambda level: -side * level[0])

    def valid(self) -> bool:
        bids, asks = self.levels[1], self.levels[-1]
        return self.started and bool(bids) and bool(asks) and max(bids) < min(asks)
