"""The lead market's book: around its quotes, told change by change, unknown to the maker market."""

import numpy as np
import pytest

from mmpipe.venue.sim.lead_book import (
    BLOCK_CHANGES_MAX,
    CHANGES_MAX,
    LEVELS,
    SKIP_MAX,
    WINDOW_MS,
    LeadDepth,
    deepen,
    new_depth,
)
from tests.mmpipe.venue.sim.test_flow import BLOCK_MS, COINS, PER_S
from tests.mmpipe.venue.sim.test_flow import World as Flow


class World:
    """A market with its lead's book, and a reader who knows nothing but the changes."""

    def __init__(self, scenario: str = "thin", seed: int = 7, block_ms: int = BLOCK_MS) -> None:
        self.flow = Flow(scenario, seed, block_ms)
        self.block_ms = block_ms
        self.depth = new_depth(seed, len(COINS))
        self.told: list[dict[tuple[int, int], int]] = [{} for _ in COINS]

    def step(self) -> LeadDepth:
        self.flow.step()
        deepen(self.depth, self.flow.crowd, self.block_ms)
        for symbol, book in enumerate(self.depth.books):
            if book["ended"]:
                self._hear(symbol, self.depth.changes[symbol, : int(book["changes"])])
        return self.depth

    def _hear(self, symbol: int, changes: np.ndarray) -> None:
        for side, tick, lots in changes.tolist():
            if lots:
                self.told[symbol][side, tick] = lots
            else:
                del self.told[symbol][side, tick]  # what is removed was there


def levels(book: np.void) -> dict[tuple[int, int], int]:
    return {
        (side, tick): lots
        for side in range(2)
        for tick, lots in zip(book["tick"][side].tolist(), book["lots"][side].tolist(), strict=True)
    }


def test_book_stands_around_the_quotes() -> None:
    world = World()
    for _ in range(20 * PER_S):
        depth = world.step()
        for quote, book in zip(world.flow.crowd.lead, depth.books, strict=True):
            bids, asks = book["tick"]
            assert (bids[0], asks[0]) == (quote["bid_tick"], quote["ask_tick"])
            assert (book["lots"][0, 0], book["lots"][1, 0]) == (quote["bid_lots"], quote["ask_lots"])
            assert (np.diff(bids) < 0).all()
            assert (np.diff(asks) > 0).all()
            assert (book["lots"] > 0).all()
            assert (book["tick"][:, 1:] % book["step"] == 0).all()
            assert abs(bids[-1] / bids[0] - 1.0) * 1e4 == pytest.approx((LEVELS - 1) * 0.5, abs=1.0)


def test_changes_alone_make_the_same_book() -> None:
    world = World("volatile")
    windows = 0
    for _ in range(30 * PER_S):
        for symbol, book in enumerate(world.step().books):
            if book["ended"]:
                windows += 1
                assert world.told[symbol] == levels(book)
    assert windows > 2 * 30 * 9


@pytest.mark.parametrize("block_ms", [1, 20, 70, 1_000])
def test_windows_follow_one_another_and_most_have_something_to_tell(block_ms: int) -> None:
    world = World(block_ms=block_ms)
    last_id, windows, blocks = 0, 0, 20_000 // block_ms
    for _ in range(blocks):
        book = world.step().books[0]
        if book["ended"]:
            windows += 1
            assert book["last_id"] == last_id < book["first_id"] <= book["update_id"]
            assert book["changes"] <= CHANGES_MAX
            assert book["update_id"] - book["first_id"] <= SKIP_MAX * (book["changes"] - 1)
            assert book["first_id"] - last_id <= SKIP_MAX
            last_id = int(book["update_id"])
    at_most = min(blocks, blocks * block_ms // WINDOW_MS)
    assert 0.95 * at_most <= windows <= at_most + 1


def test_sizes_change_without_the_price() -> None:
    world = World("still")
    world.step()
    touch_id = world.depth.books[0]["touch_id"]
    told, quiet = 0, 0
    for _ in range(20 * PER_S):
        before = world.depth.books[0]["update_id"]
        book = world.step().books[0]
        assert book["touch_id"] == touch_id
        told += bool(book["update_id"] > before)
        quiet += bool(book["update_id"] == before)
    assert told > 4 * quiet > 0


def test_touch_is_numbered_by_the_change_that_moved_it() -> None:
    world = World("volatile")
    touch_id, quote_id, moves = 0, 0, 0
    for _ in range(10 * PER_S):
        book = world.step().books[1]
        assert bool(book["moved"]) == (world.flow.crowd.lead[1]["update_id"] != quote_id)
        assert bool(book["moved"]) == bool(book["touch_id"] > touch_id)
        touch_id, quote_id = book["touch_id"], world.flow.crowd.lead[1]["update_id"]
        moves += int(book["moved"])
    assert moves > 5 * PER_S


def test_a_full_window_ends_early() -> None:
    world = World("volatile", block_ms=1)
    world.step()
    world.depth.books["changes"] = CHANGES_MAX - BLOCK_CHANGES_MAX
    for _ in range(10):
        world.flow.step()
        deepen(world.depth, world.flow.crowd, 1)
        if world.depth.books[0]["ended"]:
            break
    assert world.depth.books[0]["ended"] == 1
    assert world.depth.books[0]["elapsed_ms"] == WINDOW_MS


def test_same_seed_same_book_and_another_one_not() -> None:
    worlds = [World(seed=7), World(seed=7), World(seed=8)]
    for world in worlds:
        for _ in range(PER_S):
            world.step()
    first, same, other = (world.depth.books.tobytes() for world in worlds)
    assert first == same != other


def test_maker_market_knows_nothing_of_it() -> None:
    world, alone = World(), Flow("thin")
    for _ in range(5 * PER_S):
        world.step()
        alone.step()
    for mine, theirs in (*zip(world.flow.market, alone.market, strict=True),
                         *zip(world.flow.crowd, alone.crowd, strict=True)):  # fmt: skip
        assert mine.tobytes() == theirs.tobytes()
