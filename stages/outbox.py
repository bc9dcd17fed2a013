"""Rows that must reach a ring in order and without loss, kept while the ring is full."""

from collections import deque

import numpy as np

from ringbuf import Producer


class Outbox:
    """A lossless way into one ring; `waiting` is how a stage knows that it must stop making more."""

    def __init__(self, ring: Producer) -> None:
        self.ring = ring
        self._rows: deque[np.ndarray] = deque()

    @property
    def waiting(self) -> bool:
        """True while rows are held back because the ring is full."""
        return bool(self._rows)

    def offer(self, rows: np.ndarray) -> None:
        """Publish `rows` after everything offered before; what does not fit is copied and kept."""
        if len(rows) == 0:
            return
        accepted = 0 if self._rows else self.ring.push(rows)
        if accepted < len(rows):
            self._rows.append(rows[accepted:].copy())

    def flush(self) -> bool:
        """Publish what was kept, as far as there is room; True when nothing is left."""
        while self._rows:
            rows = self._rows.popleft()
            accepted = self.ring.push(rows)
            if accepted < len(rows):
                self._rows.appendleft(rows[accepted:])
                return False
        return True
