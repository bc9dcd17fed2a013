"""The touch of the rebuilt book is that of a dictionary of levels, and a crossed book is seen."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import EventFlag, EventKind
from mmpipe.recording.rebuild import rebuilt
from mmpipe.records import EVENT

LEVEL = st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 3))
MESSAGES = st.lists(st.lists(LEVEL, min_size=1, max_size=5), max_size=30)


def depth(messages: list[list[tuple[bool, int, int]]]) -> np.ndarray:
    # Bids on ticks 100 to 109, asks on 105 to 114: they can cross.
    rows = []
    for at, levels in enumerate([[(True, 0, 1), (False, 9, 1)], *messages]):
        if at == 0:
            rows.append((1, EventKind.BOOK_CLEAR, 0, 0, 0.0, 0))
        for bid, offset, qty in levels:
            rows.append(
                (at + 1, EventKind.BOOK_DELTA, 1 if bid else -1, (100 if bid else 105) + offset, qty, 0)
            )
        rows[-1] = (*rows[-1][:5], int(EventFlag.LAST))
    made = np.zeros(len(rows), EVENT)
    for row, (ts, kind, side, tick, qty, flags) in zip(made, rows, strict=True):
        row["local_ts_ns"] = row["exch_ts_ns"] = ts
        row["kind"], row["side"], row["px_tick"] = kind, side, tick
        row["px"], row["qty"], row["flags"] = tick / 10.0, qty, flags
    return made


def oracle(rows: np.ndarray) -> tuple[list[tuple[int, int, int]], int]:
    levels: dict[tuple[int, int], float] = {}
    touches, crossings, was_crossed = [], 0, False
    for row in rows:
        if row["kind"] == EventKind.BOOK_CLEAR:
            levels.clear()
        else:
            levels.pop((int(row["side"]), int(row["px_tick"])), None)
            if row["qty"] > 0.0:
                levels[int(row["side"]), int(row["px_tick"])] = float(row["qty"])
        if not row["flags"] & EventFlag.LAST:
            continue
        bids = [tick for side, tick in levels if side > 0]
        asks = [tick for side, tick in levels if side < 0]
        crossed = bool(bids and asks and max(bids) >= min(asks))
        crossings += crossed and not was_crossed
        was_crossed = crossed
        if bids and asks and not crossed:
            touches.append((int(row["local_ts_ns"]), max(bids), min(asks)))
    return touches, crossings


@given(MESSAGES)
@settings(max_examples=40)
def test_touches_and_crossings_are_those_of_a_dictionary(
    messages: list[list[tuple[bool, int, int]]],
) -> None:
    rows = depth(messages)
    touches, crossings, first = rebuilt(rows)
    want, want_crossings = oracle(rows)
    assert touches.tolist() == want
    assert crossings == want_crossings
    assert (first >= 0) == (crossings > 0)


def test_a_removed_update_shows_as_a_crossed_book() -> None:
    rows = depth([[(False, 0, 1)], [(False, 0, 0)], [(True, 5, 1)]])
    assert rebuilt(rows)[1:] == (0, -1)
    without = np.delete(rows, 4)
    touches, crossings, first = rebuilt(without)
    assert (len(touches), crossings, first) == (2, 1, 4)


def test_a_row_that_cannot_be_is_counted() -> None:
    rows = depth([[(True, 1, 1)]])
    rows["px"][-1] = np.nan
    assert rebuilt(rows)[1:] == (1, len(rows) - 1)
