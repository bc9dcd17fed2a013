"""ANSWER rows in the order of their arrival, until their reader takes them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmpipe.clock import Clock
from mmpipe.enums import AnswerKind, Reason, Side
from mmpipe.records import ANSWER, SYMBOLS_MAX


class Answer(NamedTuple):
    """One ANSWER row before it is stamped; the fields as in the record."""

    kind: AnswerKind
    symbol: int = SYMBOLS_MAX
    side: int = int(Side.NONE)
    order_id: int = 0
    oid: int = 0
    px_tick: int = 0
    qty_lots: int = 0
    exch_ts_ns: int = 0
    tid: int = 0
    fee_cash: int = 0
    reason: Reason = Reason.NONE
    maker_fill: int = 0


class AnswerQueue:
    """Stamps answers with time and order of arrival and wakes their reader.

    Parameters
    ----------
    clock : Clock
        Of the receive time.
    wake : callable
        Called for every answer.
    """

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._waiting: list[tuple[int, int, Answer]] = []
        self._count = 0

    def put(self, answer: Answer) -> None:
        """Append one answer."""
        self._count += 1
        self._waiting.append((self._count, self._clock.now_ns(), answer))
        self._wake()

    def take(self) -> np.ndarray:
        """All answers since the last call, ANSWER rows, shape (n,)."""
        waiting, self._waiting = self._waiting, []
        rows = np.zeros(len(waiting), ANSWER)
        if waiting:
            seqs, stamps, answers = zip(*waiting, strict=True)
            rows["seq"], rows["ts_ns"] = seqs, stamps
            for name, column in zip(Answer._fields, zip(*answers, strict=True), strict=True):
                rows[name] = column
        return rows
