import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.records import SNAPSHOT
from stages.newest import newest_per_symbol


@given(st.lists(st.integers(0, 3), max_size=12))
def test_the_last_of_each_symbol_in_order_of_arrival(symbols: list[int]) -> None:
    rows = np.zeros(len(symbols), SNAPSHOT)
    rows["symbol"], rows["seq"] = symbols, np.arange(len(symbols))
    newest = newest_per_symbol(rows)
    expected = sorted({symbol: index for index, symbol in enumerate(symbols)}.values())
    assert newest["seq"].tolist() == expected
