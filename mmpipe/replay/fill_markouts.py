"""What became of the fills of a replay: how far the mid went on after each, and how many were adverse.

A fill is adverse when what it earned against the mid a few seconds later, its fee taken off, is below zero:
spread earned and move against it in one number. Fills whose horizon lies past the end are not judged.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.units import CASH_PER_TICK_LOT

MARKOUT_S: Final = 5.0
ROWS_PER_POLL: Final = 4_096
MID = np.dtype([("ts_ns", "i8"), ("symbol", "i8"), ("mid_px", "f8")], align=True)


class MidTape:
    """A stage that does no work: it keeps every mid that passes through the ring of snapshots.

    Parameters
    ----------
    poll : callable
        Returns SNAPSHOT rows, and how many were lost, as `ringbuf.Observer.poll` does.
    """

    def __init__(self, poll: Callable[[int], tuple[np.ndarray, int]]) -> None:
        self._poll = poll
        self._parts = [np.zeros(0, MID)]

    def poll(self) -> int:
        """Keep what passed; never any work, so that the line comes to rest."""
        rows, lapped = self._poll(ROWS_PER_POLL)
        assert lapped == 0, f"{lapped} snapshots passed unseen: poll between the stages"
        if len(rows):
            part = np.zeros(len(rows), MID)
            for name in ("ts_ns", "symbol", "mid_px"):
                part[name] = rows[name]
            self._parts.append(part)
        return 0

    def mids(self) -> np.ndarray:
        """MID rows in order of time; a mid of 0 says that there was no valid book."""
        return np.concatenate(self._parts)


def markouts_bps(fills: np.ndarray, mids: np.ndarray, instruments: np.ndarray) -> np.ndarray:
    """What each fill earned against the mid MARKOUT_S later, fee included.

    Parameters
    ----------
    fills : ndarray of ANSWER, shape (n,)
        FILL rows; `exch_ts_ns` on the clock of `mids`.
    mids : ndarray of MID
        As a MidTape kept them.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grids.

    Returns
    -------
    ndarray of float64, shape (n,)
        bps of the fill's price, > 0 earned; NaN past the end or without a book.
    """
    edges = np.full(len(fills), np.nan)
    for symbol in range(len(instruments)):
        tape, index = mids[mids["symbol"] == symbol], np.flatnonzero(fills["symbol"] == symbol)
        own = fills[index]
        due_ns = own["exch_ts_ns"] + int(MARKOUT_S * NS_PER_S)
        at = np.searchsorted(tape["ts_ns"], due_ns, side="right") - 1
        known = (at >= 0) & (due_ns <= (tape["ts_ns"][-1] if len(tape) else 0))
        later_px = np.where(known, tape["mid_px"][np.maximum(at, 0)] if len(tape) else 0.0, 0.0)
        px = own["px_tick"] * instruments[symbol]["tick_px"]
        fee_bps = own["fee_cash"] / (own["px_tick"] * own["qty_lots"] * CASH_PER_TICK_LOT) * 1e4
        earned_bps = own["side"] * (later_px - px) / px * 1e4 - fee_bps
        edges[index] = np.where(later_px > 0.0, earned_bps, np.nan)
    return edges


def adverse_share(edges_bps: np.ndarray) -> float | None:
    """Share of the fills judged that lost; None when none was."""
    judged = edges_bps[np.isfinite(edges_bps)]
    return float((judged < 0.0).mean()) if len(judged) else None
