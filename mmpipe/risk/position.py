"""Risk's own account of every symbol, in integers, from its own session: nothing of execution is believed.

Fills are counted once by trade id. What the venue says of a position in a reconciliation replaces what the
fills add up to; equity counts from the first mark, so a position found at the start earns from then on.
"""

from typing import Final

import numpy as np

from mmpipe.enums import AnswerKind, Side
from mmpipe.units import CASH_PER_TICK_LOT

TIDS_MAX: Final = 200_000  # beyond it the older half is forgotten; a venue replays 2,000
OPENING: Final = frozenset({AnswerKind.RESTING, AnswerKind.OPEN_ORDER})
CLOSING: Final = frozenset(
    {AnswerKind.FILLED, AnswerKind.CANCELLED, AnswerKind.REJECTED, AnswerKind.NOT_FOUND}
)
SIDES: Final = frozenset({int(Side.BUY), int(Side.SELL)})


class SymbolAccount:
    """Position, cash and open orders of one symbol.

    Attributes
    ----------
    position_lots, cash, fills : int
        Signed lots; cash units received less paid since start, fees off; fills counted.
    mid_px : float
        Newest mid, 0 before the first.
    synced : bool
        Whether the venue has said what is held.
    orders, listed : set of int
        Venue ids of orders that may still fill; those named since the last reconciliation began.
    """

    def __init__(self) -> None:
        self.position_lots = self.cash = self.fills = 0
        self.mid_px = 0.0
        self.synced = False
        self.orders: set[int] = set()
        self.listed: set[int] = set()
        self._start_lots = self._claimed_lots = 0
        self._start_mid_px = 0.0
        self._tids: dict[int, None] = {}

    def on_fill(self, answer: np.void) -> bool:
        """Book a fill; False when its trade id was booked before."""
        tid = int(answer["tid"])
        if tid in self._tids:
            return False
        self._tids[tid] = None
        if len(self._tids) > TIDS_MAX:
            for old in list(self._tids)[: TIDS_MAX // 2]:
                del self._tids[old]
        side, lots, tick = int(answer["side"]), int(answer["qty_lots"]), int(answer["px_tick"])
        self.position_lots += side * lots
        self.cash -= side * lots * tick * CASH_PER_TICK_LOT + int(answer["fee_cash"])
        self.fills += 1
        return True

    def on_position(self, lots: int) -> None:
        """The venue's word on what is held; once synced, believed when it is said twice in a row.

        A single difference is a fill on its way: it was in the venue's account and not yet in our ears, or
        the other way round.
        """
        if not self.synced:
            self._start_lots = lots - self.position_lots
            self.position_lots = lots
        elif lots != self.position_lots and lots == self._claimed_lots:
            self.position_lots = lots
        self._claimed_lots = lots

    def mark(self, mid_px: float) -> None:
        """Take a mid; one that is not a positive number is ignored."""
        if not (0.0 < mid_px < np.inf):
            return
        if self._start_mid_px == 0.0:
            self._start_mid_px = mid_px
        self.mid_px = mid_px

    def notional_cash(self, tick_px: float) -> int:
        """|position| at the mid, cash units."""
        return abs(self.position_lots) * round(self.mid_px / tick_px) * CASH_PER_TICK_LOT

    def equity_cash(self, tick_px: float) -> int:
        """Change of account value since the first mark, cash units; 0 before it."""
        if self.mid_px == 0.0:
            return 0
        held = self.position_lots * round(self.mid_px / tick_px)
        started = self._start_lots * round(self._start_mid_px / tick_px)
        return self.cash + (held - started) * CASH_PER_TICK_LOT
