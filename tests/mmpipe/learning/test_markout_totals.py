"""Means over what was seen, blocks that do not overlap, refusal of another program's sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.learning.markout_totals import BlockMean, MarkoutTotals, fill_markouts_row
from mmpipe.records import LABEL, MARKOUTS


def _label(markouts: list[float], edge_bps: float, predicted_bps: float = 1.0, side: int = 1) -> np.void:
    row = np.zeros(1, LABEL)
    row["markouts_bps"], row["side"] = markouts, side
    row["realized_edge_bps"], row["predicted_edge_bps"] = edge_bps, predicted_bps
    return row[0]


def test_what_is_nan_counts_for_nothing() -> None:
    totals = MarkoutTotals()
    totals.add(_label([2.0] * (MARKOUTS - 1) + [np.nan], np.nan, predicted_bps=9.0))
    totals.add(_label([4.0] * MARKOUTS, 1.0))
    row = totals.rows()[0].columns
    assert (row["fills"], row["markout_100ms"], row["markout_60000ms"]) == (2, 3.0, 4.0)
    assert (row["edges"], row["edge_bps"], row["predicted_edge_bps"]) == (1, 1.0, 1.0)
    assert totals.rows() == []


def test_sides_are_rows_of_their_own() -> None:
    totals = MarkoutTotals()
    totals.add(_label([1.0] * MARKOUTS, 1.0, side=1))
    totals.add(_label([1.0] * MARKOUTS, 1.0, side=-1))
    assert [row.columns["side"] for row in totals.rows()] == [-1, 1]


def test_a_mid_nobody_saw_is_null_in_the_row_of_our_fill() -> None:
    row = fill_markouts_row(_label([np.nan] * MARKOUTS, np.nan))
    assert (row.columns["edge_bps"], row.columns["markout_100ms"]) == (None, None)


def test_sums_of_another_program_are_refused() -> None:
    totals = MarkoutTotals()
    for counts in ([1], [1] * 10):
        with pytest.raises(ValueError, match="expected"):
            totals.restore([{"key": [0, 1, 0, 0], "counts": counts, "sums": [np.nan] * len(counts)}])


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-5, 5)), min_size=1, max_size=40))
def test_blocks_do_not_overlap_and_hold_every_value_once(steps: list[tuple[int, int]]) -> None:
    blocks, now_ns, means, parts = BlockMean(10), 1, [], []
    for wait_ns, value in steps:
        now_ns += wait_ns
        if not parts or now_ns - parts[-1][0][0] >= 10:
            parts.append([])
        parts[-1].append((now_ns, value))
        mean = blocks.add(value, now_ns)
        means += [] if mean is None else [mean]
    assert means == [sum(value for _, value in part) / len(part) for part in parts[:-1]]
