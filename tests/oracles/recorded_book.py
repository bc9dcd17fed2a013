"""The book of a normalised file at any row, kept in two dictionaries: slow and obvious."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

SNAPSHOT, DELTA = 0, 1


def books_at(path: Path, times: np.ndarray) -> Iterator[tuple[int, dict[int, float], dict[int, float]]]:
    """Bids and asks, price in ticks of 1e-6 -> quantity, after the last depth message received by each time.

    The snapshot's first row of a new message clears; a delta states a quantity and 0 deletes.
    """
    with np.load(path) as archive:
        depth = archive["type"] <= DELTA
        columns = [archive[name][depth] for name in ("ts_local", "type", "side", "px", "qty", "msg")]
    ts_local, kind, side, px, qty, message = columns
    px_micro = np.rint(px * 1e6).astype(np.int64).tolist()
    stops = np.searchsorted(ts_local, times, side="right").tolist()
    kinds, sides, qtys, messages = kind.tolist(), side.tolist(), qty.tolist(), message.tolist()
    books: dict[int, dict[int, float]] = {1: {}, -1: {}}
    row, before = 0, -1
    for at, stop in zip(times.tolist(), stops, strict=True):
        while row < stop:
            if kinds[row] == SNAPSHOT and messages[row] != before:
                books = {1: {}, -1: {}}
            before = messages[row]
            if qtys[row] > 0.0:
                books[sides[row]][px_micro[row]] = qtys[row]
            else:
                books[sides[row]].pop(px_micro[row], None)
            row += 1
        yield at, books[1], books[-1]
