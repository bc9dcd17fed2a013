"""The digest of a stream of EVENT rows: two streams with the same digest are the same market, row by row.

`seq` is left out, because the ring that carries a stream numbers it: what a line recorded and what a replay
of it published agree whatever number either began with.
"""

import hashlib
from typing import Final

import numpy as np

from mmpipe.records import EVENT

WORDS: Final = EVENT.itemsize // 8
PIECE_ROWS: Final = 8_192  # half a MiB: who hashes beside a consumer never holds the interpreter for long

assert (EVENT.names or ("",))[0] == "seq"


class EventHash:
    """SHA-256 over EVENT rows in order, `seq` zeroed."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, rows: np.ndarray) -> None:
        """Add rows.

        Parameters
        ----------
        rows : ndarray of EVENT, shape (n,)
            Left as they are; how a stream is cut into calls does not matter.
        """
        assert rows.dtype == EVENT, f"rows of {rows.dtype} are no EVENT rows"
        for start in range(0, len(rows), PIECE_ROWS):
            piece = np.ascontiguousarray(rows[start : start + PIECE_ROWS])
            words = piece.view(np.int64).reshape(-1, WORDS).copy()
            words[:, 0] = 0  # seq
            self._digest.update(words.data)

    def hexdigest(self) -> str:
        """64 hexadecimal digits for the rows so far; more may follow."""
        return self._digest.hexdigest()
