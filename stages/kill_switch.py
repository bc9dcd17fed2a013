"""KILL as risk throws it: the latch on disk first, then the cell that execution reads before every send."""

import numpy as np
from loguru import logger

from mmpipe.clock import Clock
from mmpipe.enums import Reason
from mmpipe.records import KILL
from ringbuf import CellWriter
from stages.latch import Latch


class KillSwitch:
    """Thrown once, stays thrown; a restarted risk finds it as it was left."""

    def __init__(self, latch: Latch, cell: CellWriter, clock: Clock) -> None:
        self._latch, self._cell, self._clock = latch, cell, clock
        self._thrown = False

    @property
    def latched_reason(self) -> Reason:
        """What latched it in an earlier life; NONE when nothing did."""
        return Reason[self._latch.reason] if self._latch.reason else Reason.NONE

    def throw(self, reason: Reason) -> None:
        """Latch, tell everybody, and say it; a second time changes nothing."""
        if self._thrown or reason == Reason.NONE:
            return
        self._thrown = True
        if not self._latch.reason:
            self._latch.set(reason.name, self._clock.wall_ns())
        row = np.zeros(1, KILL)
        row["ts_ns"], row["latched"], row["reason"] = self._clock.now_ns(), 1, int(reason)
        self._cell.write(row)
        logger.critical("KILL latched: {}", reason.name)
