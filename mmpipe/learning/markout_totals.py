"""Markouts as the database keeps them: means per kind of quote for virtual fills, a row for each of ours.

Virtual fills come at several a second for ever, so their table is of bounded size: one row per symbol, side,
level and toxicity, with the number of fills and the mean at every horizon so far. What they say about the
queue value is a mean of its own: fills within one horizon share most of their path, so all fills of a horizon
are one observation (`BlockMean`).
"""

from typing import Any, Final

import numpy as np

from mmpipe.learning.outcomes import Row
from mmpipe.records import MARKOUT_HORIZONS_S, MARKOUTS

COLUMNS: Final = tuple(f"markout_{round(horizon_s * 1e3)}ms" for horizon_s in MARKOUT_HORIZONS_S)
KEY: Final = ("symbol", "side", "level", "toxicity")
EDGE: Final = MARKOUTS  # after the markouts
PREDICTED: Final = MARKOUTS + 1
VALUES: Final = MARKOUTS + 2

Key = tuple[int, int, int, int]


class MarkoutTotals:
    """Counts and sums of virtual fills by `KEY`."""

    def __init__(self) -> None:
        self._counts: dict[Key, np.ndarray] = {}
        self._sums: dict[Key, np.ndarray] = {}
        self._changed: set[Key] = set()

    def add(self, label: np.void) -> None:
        """One SHADOW_MARKOUTS label; what is NaN in it counts for nothing."""
        symbol, side, level, toxicity = (int(label[name]) for name in KEY)
        key = (symbol, side, level, toxicity)
        numbers = (label["realized_edge_bps"], label["predicted_edge_bps"])
        values = np.concatenate((label["markouts_bps"].astype(np.float64), numbers))
        seen = np.isfinite(values)
        if not seen[EDGE]:
            seen[PREDICTED] = False  # the two means stand beside each other: they are of the same fills
        self._counts.setdefault(key, np.zeros(VALUES, np.int64))[:] += seen
        self._sums.setdefault(key, np.zeros(VALUES))[:] += np.where(seen, values, 0.0)
        self._changed.add(key)

    def rows(self) -> list[Row]:
        """Rows of table `markouts` that changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return [self._row(key) for key in changed]

    def state(self) -> list[dict[str, Any]]:
        """Everything as plain numbers, for `restore`."""
        return [
            {"key": list(key), "counts": counts.tolist(), "sums": self._sums[key].tolist()}
            for key, counts in self._counts.items()
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over `state()`.

        Raises
        ------
        ValueError
            Other horizons, or sums that are not finite: delete the database.
        """
        for part in state:
            key, counts, sums = tuple(part["key"]), np.array(part["counts"]), np.array(part["sums"], float)
            sound = len(key) == len(KEY) and counts.shape == sums.shape == (VALUES,)
            if not (sound and np.isfinite(sums).all()):
                raise ValueError(f"markouts at {MARKOUTS} horizons by {KEY} expected, not {part}")
            self._counts[key], self._sums[key] = counts, sums

    def _row(self, key: Key) -> Row:
        counts, sums = self._counts[key], self._sums[key]
        means = [total / count if count else None for total, count in zip(sums, counts, strict=True)]
        return Row(
            "markouts",
            {
                **dict(zip(KEY, key, strict=True)),
                "fills": int(counts[0]),
                "edges": int(counts[EDGE]),
                "edge_bps": means[EDGE],
                "predicted_edge_bps": means[PREDICTED],
                **dict(zip(COLUMNS, means[:MARKOUTS], strict=True)),
            },
        )


def fill_markouts_row(label: np.void) -> Row:
    """A FILL_MARKOUTS label as a row of table `fill_markouts`; NULL where nobody could see the mid."""
    numbers = (float(label["realized_edge_bps"]), *label["markouts_bps"].tolist())
    values = (value if np.isfinite(value) else None for value in numbers)
    key = {"symbol": int(label["symbol"]), "tid": int(label["cause_seq"]), "side": int(label["side"])}
    return Row("fill_markouts", {**key, **dict(zip(("edge_bps", *COLUMNS), values, strict=True))})


class BlockMean:
    """Means over blocks of time that do not overlap, of values that come in order of time.

    Parameters
    ----------
    block_ns : int
        Length of a block, which begins with its first value.
    """

    def __init__(self, block_ns: int) -> None:
        self._block_ns = block_ns
        self._start_ns = 0
        self._sum = 0.0
        self._count = 0

    def add(self, value: float, ts_ns: int) -> float | None:
        """Take a value; the mean of the block before when this one begins another, None otherwise."""
        mean = None
        if self._count and ts_ns - self._start_ns >= self._block_ns:
            mean = self._sum / self._count
            self._sum, self._count = 0.0, 0
        if not self._count:
            self._start_ns = ts_ns
        self._sum += value
        self._count += 1
        return mean
