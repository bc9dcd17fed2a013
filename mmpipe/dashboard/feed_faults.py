"""What a feed drill injects, one fault at a time, and by which counts feed must have seen it.

A fault is worth injecting where it can be told: the venue numbers nothing, so a best quote that is lost and
followed by another is healed before anybody could know. Every row names the streams on which its fault leaves
a trace, and the trace.
"""

import random
from collections import Counter as Tally
from typing import Final, NamedTuple

from mmpipe.config import SymbolConfig
from mmpipe.enums import Counter
from mmpipe.venue.proxy_faults import Fault

REFUSED: Final = (Counter.MALFORMED, Counter.OVERSIZED, Counter.BAD_NUMBER, Counter.CROSSED_BOOKS)
ASKED_BOOK: Final = "asked for the fast book"
ASKED_DEPTH: Final = "asked for the lead's depth"
REST_S: Final = 0.8  # after a fault, so that its trace is its own
LONG_REST_S: Final = 3.0  # after what costs a connection or a subscription

BBO, FAST = "bbo:{coin}", "l2Book.fast:{coin}"
TICKER, TRADES, DEPTH = "{lead}@bookTicker", "{lead}@aggTrade", "{lead}@depth@100ms"


class Row(NamedTuple):
    """One fault and its trace: counter or name, and by how much."""

    kind: str
    stream: str
    duration_ms: int
    trace: dict[str, int]


TABLE: Final = (
    Row("drop", FAST, 0, {"MISSED": 1}),
    Row("drop", DEPTH, 0, {"GAPS": 1}),
    Row("drop", TRADES, 0, {"MISSED": 1}),
    Row("duplicate", BBO, 0, {"DUPLICATES": 1}),
    Row("duplicate", FAST, 0, {"DUPLICATES": 1}),
    Row("duplicate", TICKER, 0, {"DUPLICATES": 1}),
    Row("duplicate", TRADES, 0, {"DUPLICATES": 1}),
    Row("duplicate", DEPTH, 0, {"OUT_OF_ORDER": 1}),
    Row("reorder", BBO, 0, {"OUT_OF_ORDER": 1}),
    Row("reorder", TICKER, 0, {"OUT_OF_ORDER": 1}),
    Row("reorder", DEPTH, 0, {"GAPS": 1}),
    Row("corrupt", BBO, 0, {"REFUSED": 1}),
    Row("corrupt", FAST, 0, {"REFUSED": 1, "MISSED": 1}),
    Row("corrupt", TICKER, 0, {"REFUSED": 1}),
    Row("corrupt", DEPTH, 0, {"REFUSED": 1, "GAPS": 1}),
    Row("delay", FAST, 400, {"LATE": 1}),
    Row("delay", TICKER, 400, {"LATE": 1}),
    Row("stall", FAST, 1_200, {ASKED_BOOK: 1}),
    Row("stall", DEPTH, 1_200, {ASKED_DEPTH: 1}),
    Row("half_open", FAST, 1_500, {ASKED_BOOK: 0, "LATE": 1}),  # every coin's book is asked for
    Row("reset", BBO, 0, {"RECONNECTS": 1}),
    Row("reset", TICKER, 0, {"RECONNECTS": 1}),
    Row("oversize", BBO, 0, {"RECONNECTS": 1}),
    Row("slice", FAST, 150, {}),
)


class FaultScript:
    """Deals the table in a seeded order, again and again, and adds up the traces.

    Attributes
    ----------
    expected : Counter of str
        What feed must have counted for everything dealt so far.
    dealt : Counter of str
        Faults dealt, by kind and stream.
    """

    def __init__(self, symbols: tuple[SymbolConfig, ...], seed: int) -> None:
        self._symbols = symbols
        self._draw = random.Random(seed)
        self._hand: list[Row] = []
        self.expected: Tally[str] = Tally()
        self.dealt: Tally[str] = Tally()

    def deal(self) -> tuple[Fault, float]:
        """The next fault, and seconds to rest after it."""
        if not self._hand:
            self._hand = self._draw.sample(TABLE, len(TABLE))
        row = self._hand.pop()
        symbol = self._draw.choice(self._symbols)
        stream = row.stream.format(coin=symbol.coin, lead=symbol.lead.lower())
        self.expected.update(row.trace)
        if row.kind == "half_open":
            self.expected[ASKED_BOOK] += len(self._symbols)
        self.dealt[f"{row.kind} {stream}"] += 1
        lasting = row.duration_ms > 1_000 or row.kind in ("reset", "oversize")
        return Fault(row.kind, stream, 1, row.duration_ms), LONG_REST_S if lasting else REST_S
