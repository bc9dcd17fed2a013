"""What every reader of recorded data returns: EVENT rows, their markets, and what was found on the way."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmpipe.recording.manifest import Gap, Market


class Finding(NamedTuple):
    """Something a reader noticed: a `problem` of the recorder or the file, otherwise a note; where; what."""

    problem: bool
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of one or more markets.

    Attributes
    ----------
    name : str
        What the file says it is.
    events : ndarray of EVENT, shape (n,)
        In order of `local_ts_ns`, messages closed by LAST.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grids; read off the data where the source states none.
    row_count : int
        Rows in the source.
    repeated_count, reordered_count : int
        Trades dropped because their id was seen before; rows whose receive time went back.
    markets : tuple of Market
        Names; empty where the source has none.
    findings : tuple of Finding
        What a check reports.
    repeated_books : int
        Books dropped because the venue sent the same one again.
    numbered : bool
        The rows are a line's own: `seq`, TIMER and STATUS are in them.
    events_sha256 : str
        Digest the source states; empty where it states none.
    gaps : tuple of Gap
        Rows that were lost while recording.
    wall_offset_ns : int or None
        What makes wall time of receive times, ns; 0 where they are wall time, None where it is not known.
    """

    name: str
    events: np.ndarray
    instruments: np.ndarray
    row_count: int
    repeated_count: int
    reordered_count: int
    markets: tuple[Market, ...] = ()
    findings: tuple[Finding, ...] = ()
    repeated_books: int = 0
    numbered: bool = False
    events_sha256: str = ""
    gaps: tuple[Gap, ...] = ()
    wall_offset_ns: int | None = 0


def make_monotone(rows: np.ndarray) -> int:
    """Never let the receive time go back; returns how many rows did.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        `local_ts_ns` is changed in place.
    """
    times = rows["local_ts_ns"]
    reached = np.maximum.accumulate(times)
    reordered_count = int((times < reached).sum())
    rows["local_ts_ns"] = reached
    return reordered_count
