"""A slow, obvious exchange: one list of orders, searched from the start every time."""

from dataclasses import dataclass, field


@dataclass
class Resting:
    number: int  # order of arrival
    account: int
    side: int
    tick: int
    lots: int
    reduce_only: bool


@dataclass
class Oracle:
    """Price-time priority, expire-maker self-trade prevention, reduce-only; fees in ppm."""

    accounts: int
    maker_ppm: int
    taker_ppm: int
    resting: list[Resting] = field(default_factory=list)
    fills: list[tuple[int, int, int, int]] = field(default_factory=list)  # maker, taker, tick, lots
    number: int = 0

    def __post_init__(self) -> None:
        self.position = [0] * self.accounts
        self.cash = [0] * self.accounts

    def best(self, side: int) -> Resting | None:
        candidates = [o for o in self.resting if o.side == side]
        return min(candidates, key=lambda o: (-side * o.tick, o.number), default=None)

    def submit(self, account: int, side: int, tick: int, lots: int, tif: str, reduce_only: bool) -> str:
        self.number += 1
        if reduce_only:
            lots = min(lots, -side * self.position[account])
            if lots <= 0:
                return "reduce_only_rejected"
        best = self.best(-side)
        crosses = best is not None and side * (tick - best.tick) >= 0
        if tif == "ALO" and crosses:
            return "alo_rejected"
        if tif == "IOC" and not crosses:
            return "ioc_rejected" if best is not None else "no_liquidity"
        asked = lots
        while lots > 0:
            maker = self.best(-side)
            if maker is None or side * (tick - maker.tick) < 0:
                break
            traded = min(lots, maker.lots)
            if maker.account == account:
                self.resting.remove(maker)
                continue
            if maker.reduce_only:
                traded = min(traded, -maker.side * self.position[maker.account])
                if traded <= 0:
                    self.resting.remove(maker)
                    continue
            self._trade(maker, account, side, traded)
            lots -= traded
            maker.lots -= traded
            if maker.lots == 0:
                self.resting.remove(maker)
        if lots == 0:
            return "filled"
        if tif == "IOC":
            return "canceled" if lots < asked else "ioc_rejected"
        self.resting.append(Resting(self.number, account, side, tick, lots, reduce_only))
        return "open"

    def _trade(self, maker: Resting, taker: int, side: int, lots: int) -> None:
        micro = maker.tick * lots
        fees = [(micro * ppm + 500_000) // 1_000_000 for ppm in (self.maker_ppm, self.taker_ppm)]
        self.position[taker] += side * lots
        self.position[maker.account] -= side * lots
        self.cash[taker] -= (side * micro + fees[1]) * 100
        self.cash[maker.account] -= (-side * micro + fees[0]) * 100
        self.cash[0] += sum(fees) * 100
        self.fills.append((maker.account, taker, maker.tick, lots))

    def cancel(self, number: int, account: int) -> bool:
        for order in self.resting:
            if order.number == number and order.account == account:
                self.resting.remove(order)
                return True
        return False

    def depth(self, side: int) -> list[tuple[int, int, int]]:
        ticks = sorted({o.tick for o in self.resting if o.side == side}, reverse=side > 0)
        rows = []
        for tick in ticks:
            level = [o.lots for o in self.resting if o.side == side and o.tick == tick]
            rows.append((tick, sum(level), len(level)))
        return rows
