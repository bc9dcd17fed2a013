"""Snapshots of a made market, for the tests of alpha."""

import numpy as np

from mmpipe.enums import FeedState, Trigger
from mmpipe.records import SNAPSHOT

MS = 1_000_000
S = 1_000_000_000


def snapshot(**fields: float) -> np.ndarray:
    """One sound TIMER snapshot of both markets at 100,000."""
    row = np.zeros(1, SNAPSHOT)
    row["seq"], row["ts_ns"], row["cause_ts_ns"] = 7, 5, 4
    row["book_valid"], row["trigger"] = 1, int(Trigger.TIMER)
    row["mid_px"] = row["microprice_px"] = 100_000.0
    row["best_bid_tick"], row["best_ask_tick"], row["spread_bps"] = 999_900, 1_000_100, 2.0
    row["lead_feed"], row["lead_mid_px"] = int(FeedState.LIVE), 100_000.0
    row["bid_depth_qty"], row["ask_depth_qty"] = 1.0, 1.0
    for name, value in fields.items():
        row[name] = value
    return row


class Pair:
    """A lead and a maker that are moved by hand; every move is one snapshot, 10 ms after the last."""

    def __init__(self) -> None:
        self.lead_bps = self.maker_bps = 0.0
        self.ts_ns = S

    def moved(self, lead: float = 0.0, maker: float = 0.0, after_ms: int = 10, **fields: float) -> np.ndarray:
        """Move by bps and look."""
        self.lead_bps += lead
        self.maker_bps += maker
        self.ts_ns += after_ms * MS
        usual = {
            "ts_ns": self.ts_ns,
            "mid_px": 100_000.0 * (1.0 + self.maker_bps * 1e-4),
            "microprice_px": 100_000.0 * (1.0 + self.maker_bps * 1e-4),
            "lead_mid_px": 100_000.0 * (1.0 + self.lead_bps * 1e-4),
            "lead_divergence_bps": self.lead_bps - self.maker_bps,
            "trigger": int(Trigger.BBO),
        }
        return snapshot(**{**usual, **fields})
