"""Small EVENT streams for the tests of recordings."""

import numpy as np

from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.recording.grid import instrument_of
from mmpipe.records import EVENT

MARKETS = [{"symbol": 0, "coin": "BTC", "lead": "BTCUSDT"}, {"symbol": 1, "coin": "ETH", "lead": "ETHUSDT"}]
INSTRUMENTS = np.concatenate(
    [
        instrument_of(np.array([100.5]), np.array([0.25]), 0),
        instrument_of(np.array([10.05]), np.array([0.25]), 1),
    ]
)


def some_events(count: int, first_seq: int = 1, step_ns: int = 1_000_000) -> np.ndarray:
    """Events of two markets with every field in use."""
    number = np.arange(count)
    rows = np.zeros(count, EVENT)
    rows["seq"] = first_seq + number
    rows["local_ts_ns"] = 1_000_000_000 + number * step_ns
    rows["exch_ts_ns"] = rows["local_ts_ns"] + 400_000
    rows["remote_seq"], rows["px_tick"] = 9_000 + number, 1_000 + number % 17
    rows["px"], rows["qty"] = rows["px_tick"] / 10.0, 0.25 * (1 + number % 5)
    rows["kind"], rows["side"] = EventKind.BBO, np.where(number % 2, -1, 1)
    rows["level"], rows["symbol"], rows["venue"] = number % 3, (number // 2) % 2, Venue.MAKER
    rows["flags"] = np.where(number % 2, EventFlag.LAST, 0)
    return rows
