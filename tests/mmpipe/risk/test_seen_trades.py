import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.risk.seen_trades import REMEMBERED_MIN, SEEN, first_sight


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(1, 40)), max_size=300))
def test_it_is_a_set_of_symbol_and_id(sights: list[tuple[int, int]]) -> None:
    seen, known = np.zeros(1, SEEN), set()
    for symbol, tid in sights:
        assert first_sight(seen, symbol, tid) == ((symbol, tid) not in known)
        known.add((symbol, tid))


def test_ids_as_large_as_the_venue_gives_them_are_told_apart() -> None:
    seen = np.zeros(1, SEEN)
    large = 118_906_512_037_719
    assert first_sight(seen, 0, large)
    assert first_sight(seen, 0, large + 1)
    assert first_sight(seen, 1, large)
    assert not first_sight(seen, 0, large)


def test_the_newest_ids_are_known_however_many_there_were() -> None:
    seen = np.zeros(1, SEEN)
    last = 3 * REMEMBERED_MIN + 17
    for tid in range(1, last + 1):
        assert first_sight(seen, 0, tid)
    for tid in range(last - REMEMBERED_MIN + 1, last + 1, 97):
        assert not first_sight(seen, 0, tid)
