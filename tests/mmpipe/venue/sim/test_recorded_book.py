"""The level array equals a dict, stays sorted, and drops the deepest when full."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.recorded_book import LEVELS_MAX, new_book, quantity_at, set_quantity, side_index


@given(st.lists(st.tuples(st.integers(-30, 30), st.integers(0, 5)), max_size=200))
def test_levels_equal_a_dict(changes: list[tuple[int, int]]) -> None:
    levels, sides = new_book(1)
    oracle: dict[int, float] = {}
    for key, qty in changes:
        before = set_quantity(levels[0, 0], sides[0, 0:1], key, float(qty))
        assert before == oracle.pop(key, 0.0)
        if qty:
            oracle[key] = float(qty)
        count = int(sides[0, 0]["count"])
        assert dict(zip(levels[0, 0]["key"][:count], levels[0, 0]["qty"][:count], strict=True)) == oracle
        assert list(levels[0, 0]["key"][:count]) == sorted(oracle)
    for key in range(-30, 31):
        assert quantity_at(levels[0, 0], int(sides[0, 0]["count"]), key) == oracle.get(key, 0.0)


def test_a_full_side_loses_its_deepest_level() -> None:
    levels, sides = new_book(1)
    for key in range(10, 10 + LEVELS_MAX):
        set_quantity(levels[0, 0], sides[0, 0:1], key, 1.0)
    assert set_quantity(levels[0, 0], sides[0, 0:1], 5, 1.0) == 0.0
    assert levels[0, 0]["key"][0] == 10
    set_quantity(levels[0, 0], sides[0, 0:1], 10**6, 2.0)
    keys = levels[0, 0]["key"]
    assert (sides[0, 0]["count"], keys[0], keys[-1]) == (LEVELS_MAX, 11, 10**6)
    assert (np.diff(keys) > 0).all()


def test_bids_are_the_first_side() -> None:
    assert (side_index(1), side_index(-1)) == (0, 1)
