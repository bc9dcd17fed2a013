"""The book of the lead market behind its best quotes, and the numbers its changes are known by.

    touch     bid_tick │ ask_tick          as `lead.quote_lead` wrote them
    behind    multiples of `step` beyond the touch, LEVELS - 1 on each side

    window    first_id … update_id         the changes one diff will carry; it ends each WINDOW_MS,
              last_id = end of the window before              unless nothing changed in it

A level keeps its price while the touch wanders between two steps, and its size is drawn anew now and then,
so that there is something to tell in most blocks. Numbers are skipped as where many symbols share them. The
chances are drawn from a stream of their own: the maker market is the same with this book and without.
"""

import math
from typing import Final, NamedTuple

import numpy as np

from mmpipe.venue.sim.chance import CHANCE, lognormal, uniform
from mmpipe.venue.sim.crowd import PHASE, Crowd, new_crowd
from ringbuf.jit import example, kernel

LEVELS: Final = 20  # per side, the touch included
WINDOW_MS: Final = 100
CHANGES_MAX: Final = 1_024  # of one window and symbol; a fuller one ends early
BLOCK_CHANGES_MAX: Final = 160  # every level of both sides gone, come and redrawn
STEP_BPS: Final = 0.5  # between the levels behind the touch
CHURN_PER_S: Final = 3.0  # per level: about two changes in a block of 20 ms
BEHIND_USDC: Final = 100_000.0  # median at a level behind the touch
SIZE_SPREAD: Final = 0.8  # standard deviation of the logarithm of a size
SKIP_MAX: Final = 3  # a change is numbered 1 to this above the one before
KEY_OFFSET: Final = 1 << 31  # above every seed: a stream no market draws from
ELAPSED_MAX_MS: Final = 200  # a window in which nothing changed does not shorten those after it

LEAD_BOOK = np.dtype(
    [
        ("tick", "i8", (2, LEVELS)),  # bids, asks; from the touch away; 0: no book yet
        ("lots", "i8", (2, LEVELS)),
        ("old_tick", "i8", (2, LEVELS)),  # before the touch moved: room to work in
        ("old_lots", "i8", (2, LEVELS)),
        ("step", "i8"),  # ticks
        ("quote_id", "i8"),  # update of the quote that the touch was taken from
        ("touch_id", "i8"),  # change that moved the touch last
        ("moved", "i8"),  # the touch, in this block
        ("update_id", "i8"),  # of the newest change
        ("first_id", "i8"),  # of the first change of the window
        ("last_id", "i8"),  # of the last change of the window before
        ("changes", "i8"),  # in the window
        ("elapsed_ms", "i8"),  # of the window
        ("ended", "i8"),  # the window, with this block
    ],
    align=True,
)

LEAD_CHANGE = np.dtype([("side", "i8"), ("tick", "i8"), ("lots", "i8")], align=True)  # side 0: bids


class LeadDepth(NamedTuple):
    """The books of all symbols and the changes of their windows."""

    chance: np.ndarray  # (1,) CHANCE
    books: np.ndarray  # (symbols,) LEAD_BOOK
    changes: np.ndarray  # (symbols, CHANGES_MAX) LEAD_CHANGE


def new_depth(seed: int, symbols: int) -> LeadDepth:
    """Books without levels, until the first quotes.

    Parameters
    ----------
    seed : int
        Of the market; the same seed and the same quotes are the same book.
    symbols : int
        Markets.
    """
    depth = LeadDepth(
        np.zeros(1, CHANCE), np.zeros(symbols, LEAD_BOOK), np.zeros((symbols, CHANGES_MAX), LEAD_CHANGE)
    )
    depth.chance["key"] = seed + KEY_OFFSET
    return depth


@kernel
def deepen(depth: LeadDepth, crowd: Crowd, block_ms: int) -> None:
    """Follow the quotes of one block, redraw sizes, and end windows that are over.

    Parameters
    ----------
    depth : LeadDepth
        Changed in place.
    crowd : Crowd
        Its lead quotes are read.
    block_ms : int
        Length of the block, > 0.
    """
    for symbol in range(depth.books.shape[0]):
        book = depth.books[symbol]
        if book["ended"] == 1:
            book["ended"] = 0
            book["changes"] = 0
            book["last_id"] = book["update_id"]
            book["elapsed_ms"] -= WINDOW_MS
        book["moved"] = 0
        if crowd.lead[symbol]["update_id"] != book["quote_id"]:
            _follow(depth, crowd, symbol)
        if book["quote_id"] == 0:
            continue
        _churn(depth, crowd, symbol, block_ms)
        book["elapsed_ms"] = min(book["elapsed_ms"] + block_ms, ELAPSED_MAX_MS)
        full = book["changes"] > CHANGES_MAX - BLOCK_CHANGES_MAX
        if book["changes"] > 0 and (full or book["elapsed_ms"] >= WINDOW_MS):
            book["ended"] = 1
            book["elapsed_ms"] = max(book["elapsed_ms"], WINDOW_MS)


@kernel
def _follow(depth: LeadDepth, crowd: Crowd, symbol: int) -> None:
    # Both sides around the new touch: what stands at a price already stays, what has no place goes.
    book = depth.books[symbol]
    quote = crowd.lead[symbol]
    if book["step"] == 0:
        book["step"] = max(1, math.floor(quote["bid_tick"] * STEP_BPS * 1e-4))
    old_tick, old_lots = book["old_tick"], book["old_lots"]
    old_tick[:] = book["tick"]
    old_lots[:] = book["lots"]
    for side in range(2):
        touch = quote["bid_tick"] if side == 0 else quote["ask_tick"]
        inner = (touch - 1) // book["step"] if side == 0 else touch // book["step"] + 1
        away = -1 if side == 0 else 1
        for rank in range(LEVELS):
            tick = touch if rank == 0 else (inner + away * (rank - 1)) * book["step"]
            at = _rank_of(old_tick[side], tick)
            if rank == 0:
                lots = quote["bid_lots"] if side == 0 else quote["ask_lots"]
            elif at >= 0:
                lots = old_lots[side, at]
            else:
                lots = _behind_lots(depth, crowd, symbol)
            book["tick"][side, rank] = tick
            book["lots"][side, rank] = lots
            if at < 0 or old_lots[side, at] != lots:
                _change(depth, symbol, side, tick, lots)
        for rank in range(LEVELS):
            if old_tick[side, rank] != 0 and _rank_of(book["tick"][side], old_tick[side, rank]) < 0:
                _change(depth, symbol, side, old_tick[side, rank], 0)
    book["quote_id"] = quote["update_id"]
    book["touch_id"] = book["update_id"]
    book["moved"] = 1


@kernel
def _churn(depth: LeadDepth, crowd: Crowd, symbol: int, block_ms: int) -> None:
    book = depth.books[symbol]
    redrawn_prob = 1.0 - math.exp(-CHURN_PER_S * block_ms * 1e-3)
    for side in range(2):
        for rank in range(1, LEVELS):
            if uniform(depth.chance) < redrawn_prob:
                book["lots"][side, rank] = _behind_lots(depth, crowd, symbol)
                _change(depth, symbol, side, book["tick"][side, rank], book["lots"][side, rank])


@kernel
def _rank_of(ticks: np.ndarray, tick: int) -> int:
    for rank in range(ticks.shape[0]):
        if ticks[rank] == tick:
            return rank
    return -1


@kernel
def _behind_lots(depth: LeadDepth, crowd: Crowd, symbol: int) -> int:
    usdc = lognormal(depth.chance, BEHIND_USDC, SIZE_SPREAD)
    return math.floor(usdc * crowd.symbols[symbol]["lots_per_usdc"]) + 1


@kernel
def _change(depth: LeadDepth, symbol: int, side: int, tick: int, lots: int) -> None:
    book = depth.books[symbol]
    book["update_id"] += 1 + math.floor(SKIP_MAX * uniform(depth.chance))
    if book["changes"] == 0:
        book["first_id"] = book["update_id"]
    row = depth.changes[symbol, book["changes"]]
    row["side"] = side
    row["tick"] = tick
    row["lots"] = lots
    book["changes"] += 1


@example(deepen)
def _deepen_example() -> tuple[object, ...]:
    crowd = new_crowd(0, 20, np.zeros(1, PHASE), np.array([[1_000_000.0, 10.0, 100_000.0]]))
    return (new_depth(0, 1), crowd, 20)
