"""Books rebuilt from raw files are those of the normalised ones, level by level, at random times.

The kernel keeps LEVELS_MAX levels a side: a full side lets its worst level go for a better one and takes no
worse one, and a level it let go is unknown until the venue states it again. Those levels are followed one by
one and taken from the oracle's book; all others must be equal, and no others may be there. Best quotes are
left out on both sides.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from mmpipe.book.l2 import BOOK, LEVELS_MAX, is_valid
from mmpipe.enums import EventKind, Venue
from mmpipe.recording.hyperliquid_csv import load_hyperliquid_csv
from mmpipe.recording.raw_frames import load_frames
from mmpipe.recording.rebuild import TOUCH, rebuild
from mmpipe.recording.recorded import Recording
from tests.oracles.recorded_book import books_at

DATA = Path(os.environ.get("MMPIPE_DATA", "../shared/data"))
pytestmark = pytest.mark.skipif(
    not (DATA / "norm").is_dir(), reason=f"no recorded market data at {DATA} (set MMPIPE_DATA)"
)
MICRO = 1_000_000
LEVELS_SEEN = 20  # nothing in the line looks below


class Kept:
    """The kernel's book, row by row, and the levels it had no room for."""

    def __init__(self, depth: np.ndarray) -> None:
        self.book = np.zeros(1, BOOK)
        self.forgotten: tuple[set[int], set[int]] = (set(), set())
        self._depth, self._row = depth, 0
        self._touches, self._counts = np.zeros(1, TOUCH), np.array([0, -1])
        self._keys = (depth["side"] * depth["px_tick"]).tolist()
        self._sides = np.where(depth["side"] > 0, 0, 1).tolist()
        self._clears = (depth["kind"] == EventKind.BOOK_CLEAR).tolist()
        self._gone = (depth["qty"] == 0.0).tolist()

    def advance(self, stop: int) -> None:
        """Apply the rows before `stop`."""
        counts, keys = self.book["count"][0], self.book["key"][0]
        for row in range(self._row, stop):
            side, key = self._sides[row], self._keys[row]
            if self._clears[row]:
                self.forgotten = (set(), set())
            else:
                self.forgotten[side].discard(key)
                if counts[side] == LEVELS_MAX and not self._gone[row]:
                    at = int(keys[side].searchsorted(key))
                    if at == LEVELS_MAX or keys[side, at] != key:
                        # A full side lets its worst level go for a better one, and takes no worse one.
                        self.forgotten[side].add(key if at == 0 else int(keys[side, 0]))
            rebuild(self.book, self._depth[row : row + 1], self._touches, self._counts)
        self._row = max(self._row, stop)

    @property
    def crossed(self) -> int:
        """Times the book crossed."""
        return int(self._counts[0])


def compare(recording: Recording, normalised: Path, count: int, seed: int, share: float) -> tuple[int, int]:
    events = recording.events
    depth = events[np.isin(events["kind"], (EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA))]
    ticks = int(recording.instruments["ticks_per_unit"][0])
    times = depth["local_ts_ns"]
    start_ns = int(times[depth["kind"] == EventKind.BOOK_CLEAR][0])
    end_ns = start_ns + int(share * (int(times[-1]) - start_ns)) + 1
    looks = np.sort(np.random.default_rng(seed).integers(start_ns, end_ns, count))
    kept, levels, seen_forgotten = Kept(depth), 0, 0
    for at_ns, bids, asks in books_at(normalised, looks):
        kept.advance(int(np.searchsorted(times, at_ns, side="right")))
        assert is_valid(kept.book[0])
        for side, sign, want in ((0, 1, bids), (1, -1, asks)):
            size = int(kept.book["count"][0, side])
            keys, qtys = kept.book["key"][0, side, :size], kept.book["qty"][0, side, :size]
            got = dict(zip(keys.tolist(), qtys.tolist(), strict=True))
            stated = {sign * (px * ticks // MICRO): qty for px, qty in want.items()}
            expected = {key: qty for key, qty in stated.items() if key not in kept.forgotten[side]}
            assert got == expected, f"{recording.name} at {at_ns}, side {sign}"
            best = sorted(stated, reverse=True)[:LEVELS_SEEN]
            seen_forgotten += any(key in kept.forgotten[side] for key in best)
            levels += len(got)
    assert kept.crossed == 0
    return levels, seen_forgotten


def binance(names: list[str], normalised: str, count: int, share: float) -> tuple[int, int]:
    paths = [DATA / "binance_20240808_3venue" / f"{name}.gz" for name in names]
    recording = load_frames(paths, 0, Venue.LEAD)
    return compare(recording, DATA / "norm" / f"{normalised}.npz", count, 7, share)


def hyperliquid(coin: str, count: int) -> tuple[int, int]:
    recording = load_hyperliquid_csv(DATA / "hl_4coin_20250904", coin, 0, Venue.MAKER)
    # Times of the normalised file are cut to microseconds.
    recording.events["local_ts_ns"] = recording.events["local_ts_ns"] // 1_000 * 1_000
    return compare(recording, DATA / "norm" / f"hl_{coin}_20250904.npz", count, 8, 1.0)


def test_books_of_raw_usdm_are_those_of_its_normalised_file() -> None:
    levels, seen_forgotten = binance(["usdm_btcusdt_20240808"], "binance_usdm_BTC_20240808", 200, 0.3)
    assert levels > 200 * 2 * 400
    assert seen_forgotten == 0


def test_books_of_a_hyperliquid_set_are_those_of_its_normalised_file() -> None:
    assert hyperliquid("BTC", 200) == (200 * 2 * 20, 0)


@pytest.mark.long
@pytest.mark.parametrize(
    ("names", "normalised", "sides"),
    [
        (["usdm_btcusdt_20240808"], "binance_usdm_BTC_20240808", 3),
        (["spot_btcusdt_20240808", "spot_btcusdt_20240809"], "binance_spot_BTC_20240808+09", 45),
        (["cm_btcusd_perp_20240808", "cm_btcusd_perp_20240809"], "binance_cm_BTC_20240808+09", 6),
    ],
)
def test_a_thousand_books_of_each_binance_market(names: list[str], normalised: str, sides: int) -> None:
    levels, seen_forgotten = binance(names, normalised, 1_000, 1.0)
    assert levels > 1_000 * 2 * 400
    # A fast move lays bare what had been let go: so many of two thousand sides miss one of their best levels.
    assert seen_forgotten == sides


@pytest.mark.long
@pytest.mark.parametrize("coin", ["BTC", "ETH", "SOL"])
def test_a_thousand_books_of_each_hyperliquid_coin(coin: str) -> None:
    assert hyperliquid(coin, 1_000) == (1_000 * 2 * 20, 0)
