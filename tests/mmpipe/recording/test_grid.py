"""The grid is read off prices and sizes."""

import numpy as np
import pytest

from mmpipe.enums import EventKind
from mmpipe.recording.grid import decimals, finest_instrument, instrument_of, put_on_grid
from mmpipe.records import EVENT


def test_grid_is_the_venues_where_data_is_the_venues() -> None:
    # Hyperliquid BTC: szDecimals 5, so tick 0.1. Prices finer than the sizes allow win over sizes.
    row = instrument_of(np.array([110_000.0]), np.array([1e-5, 0.3]), 1)
    assert (row["size_decimals"][0], row["ticks_per_unit"][0], row["symbol"][0]) == (5, 10, 1)
    assert instrument_of(np.array([60_000.01]), np.array([1e-5]), 0)["size_decimals"][0] == 4
    with pytest.raises(ValueError, match="7 decimals"):
        instrument_of(np.array([0.0000001]), np.array([1.0]), 0)


def test_rows_are_put_on_their_grid() -> None:
    rows = np.zeros(3, EVENT)
    rows["kind"], rows["px"], rows["qty"] = EventKind.BBO, [100.1, 0.0, 99.9], [0.001, 0.0, 2.0]
    assert put_on_grid(rows, 2)["ticks_per_unit"][0] == 1_000
    assert rows["px_tick"].tolist() == [100_100, 0, 99_900]
    assert finest_instrument(2)["tick_px"][0] == 1e-6
    rows["kind"][2], rows["px"][2] = EventKind.FUNDING, 0.000123456789
    assert put_on_grid(rows, 2)["ticks_per_unit"][0] == 1_000
    assert rows["px_tick"].tolist() == [100_100, 0, 0]
    rows["px"][0] = 1e-7
    with pytest.raises(ValueError, match="7 decimals"):
        put_on_grid(rows, 2)


def test_decimals_are_those_of_the_texts() -> None:
    assert decimals(np.array([109_755.0, 1.0])) == 0
    assert decimals(np.array([61_837.63, 0.1])) == 2
    assert decimals(np.zeros(0)) == 0
    assert decimals(np.array([np.pi])) == 12
