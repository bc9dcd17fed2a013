"""One order book of one symbol, kept level by level in arrays that never grow.

    key      side x tick: ascending keys end with the best on both sides, so the touch moves at the cheap end
    index 0  bids   deepest .......... best = count - 1
    index 1  asks   deepest .......... best = count - 1

Levels are found by binary search. A message may pass through a crossed state; `judge` decides at its LAST
row. The best quote (BBO) arrives on a stream of its own: the touch moves, better levels vanish, and book rows
older than it cannot bring them back; a whole message that begins a book anew and is older than the book is
passed over. Which of two rows is newer is said by the venue's sequence, or by its
time where it numbers nothing. The book keeps LEVELS_MAX per side and drops the deepest beyond; it knows
nothing of trades and of our orders.
"""

from typing import Final

import numpy as np

from mmpipe.enums import EventFlag, EventKind
from ringbuf.jit import kernel

LEVELS_MAX: Final = 512  # per side; nothing here looks below the 20th
NO_KEY: Final = -(1 << 62)  # deeper than every level

BOOK = np.dtype(
    [
        ("count", "i8", (2,)),  # levels per side
        ("key", "i8", (2, LEVELS_MAX)),
        ("qty", "f8", (2, LEVELS_MAX)),  # base units
        ("ts_ns", "i8", (2, LEVELS_MAX)),  # monotonic, last time the venue stated the level
        ("touch_key", "i8", (2,)),  # of the newest BBO; NO_KEY: it said the side is empty
        ("touch_qty", "f8", (2,)),
        ("touch_stamp", "i8", (2,)),  # 0: no BBO yet
        ("shown_key", "i8", (2,)),  # last level of the FAST message under way; -NO_KEY: none yet
        ("stamp", "i8"),  # of the newest book row
        ("exch_ts_ns", "i8"),  # of the newest row, venue wall clock
        ("message_ts_ns", "i8"),  # of the newest row, monotonic; 0: never
        ("generation", "i8"),  # BOOK_CLEARs that started a book from nothing
        ("started", "i8"),  # 1: a BOOK_CLEAR came, and no GAP since
        ("dirty", "i8"),  # 1: inside a message
        ("skipping", "i8"),  # 1: inside a message that is older than the book
        ("crossed", "i8"),  # 1: bid >= ask at the last LAST; quarantined until it uncrosses
    ],
    align=True,
)

_CLEAR: Final = int(EventKind.BOOK_CLEAR)
_DELTA: Final = int(EventKind.BOOK_DELTA)
_BBO: Final = int(EventKind.BBO)
_GAP: Final = int(EventKind.GAP)
_LAST: Final = int(EventFlag.LAST)
_FAST: Final = int(EventFlag.FAST)


@kernel
def apply(book: np.void, event: np.void) -> bool:
    """Apply one BOOK_CLEAR, BOOK_DELTA, BBO or GAP.

    Parameters
    ----------
    book : BOOK record
        Changed in place; not valid until `judge` saw the end of the message.
    event : EVENT record
        Of one of the four kinds.

    Returns
    -------
    bool
        False when the row cannot be (another kind, no side, a price or quantity not finite or of the wrong
        sign): nothing changed.
    """
    kind, side, qty, tick = int(event["kind"]), int(event["side"]), event["qty"], event["px_tick"]
    if kind == _GAP:
        _void(book)
        return True
    stamp = event["remote_seq"] if event["remote_seq"] > 0 else event["exch_ts_ns"]
    fast = (int(event["flags"]) & _FAST) != 0
    if kind == _CLEAR:
        # Several streams show one book: what was overtaken on the way would take it back.
        book["skipping"] = 1 if book["started"] == 1 and stamp < book["stamp"] else 0
        if book["skipping"] == 1:
            return True
        _begin(book, stamp, event["local_ts_ns"], fast)
    elif kind in (_DELTA, _BBO):
        empty = kind == _BBO and qty == 0.0
        priced = 0 < tick < -NO_KEY and 0.0 < event["px"] < np.inf
        if not ((side == 1 or side == -1) and 0.0 <= qty < np.inf and (priced or empty)):
            return False
        index = 0 if side > 0 else 1
        key = NO_KEY if empty else side * tick
        if kind == _DELTA and book["skipping"] == 1:
            return True
        if kind == _BBO:
            _move_touch(book, index, key, qty, stamp, event["local_ts_ns"])
        else:
            _change_level(book, index, key, qty, stamp, event["local_ts_ns"], fast)
    else:
        return False
    book["dirty"] = 1
    book["exch_ts_ns"] = max(book["exch_ts_ns"], event["exch_ts_ns"])
    book["message_ts_ns"] = event["local_ts_ns"]
    return True


@kernel
def judge(book: np.void, event: np.void) -> bool:
    """At the LAST row of a message: True when the book is crossed or locked from this message on.

    A crossed book stays as it is, not valid, until later rows uncross it.
    """
    if (int(event["flags"]) & _LAST) == 0:
        return False
    book["dirty"] = book["skipping"] = 0
    book["shown_key"][0] = book["shown_key"][1] = -NO_KEY
    crossed = 0
    if book["count"][0] > 0 and book["count"][1] > 0 and best_tick(book, 1) >= best_tick(book, -1):
        crossed = 1
    began = crossed == 1 and book["crossed"] == 0
    book["crossed"] = crossed
    return began


@kernel
def is_valid(book: np.void) -> bool:
    """True between messages of a started book that is two-sided and not crossed."""
    settled = book["started"] == 1 and book["dirty"] == 0 and book["crossed"] == 0
    return settled and book["count"][0] > 0 and book["count"][1] > 0


@kernel
def best_tick(book: np.void, side: int) -> int:
    """Tick of the best level of a side (+1 bid, -1 ask), which must not be empty."""
    index = 0 if side > 0 else 1
    return side * book["key"][index, book["count"][index] - 1]


@kernel
def qty_at(book: np.void, side: int, tick: int) -> float:
    """Quantity at a price of a side, base units; 0 where the book shows none."""
    index = 0 if side > 0 else 1
    at = _find(book, index, side * tick)
    if at < book["count"][index] and book["key"][index, at] == side * tick:
        return book["qty"][index, at]
    return 0.0


@kernel
def level_at(book: np.void, side: int, tick: int) -> tuple[float, int]:
    """Quantity at a price of a side, and when the venue last stated it (monotonic ns).

    Nothing at a price before the deepest level shown is an empty price, (0, 0). What lies deeper is unseen,
    not empty, (-1, 0); and so are prices right behind a best quote that is newer than all levels: it may have
    passed them.
    """
    qty, stated_ns, _ = level_near(book, side, tick, 0)
    return qty, stated_ns


@kernel
def level_near(book: np.void, side: int, tick: int, behind: int) -> tuple[float, int, int]:
    """`level_at` for one who looks again and again, and how many levels behind the best it was found.

    Where it was found last, `behind`, it mostly still is: comparing one price costs less than the branches of
    a search that go another way each time.
    """
    index, key = 0 if side > 0 else 1, side * tick
    count = book["count"][index]
    at = count - 1 - behind
    if not (0 <= at < count and book["key"][index, at] == key):
        at = _find(book, index, key)
    if at < count and book["key"][index, at] == key:
        return book["qty"][index, at], book["ts_ns"][index, at], count - 1 - at
    passed = at == count - 1 and book["touch_stamp"][index] > book["stamp"]
    return (-1.0, 0, behind) if at == 0 or passed else (0.0, 0, behind)


@kernel
def _void(book: np.void) -> None:
    for index in range(2):
        book["count"][index] = book["touch_stamp"][index] = 0
    book["stamp"] = book["started"] = book["dirty"] = book["crossed"] = book["skipping"] = 0


@kernel
def _begin(book: np.void, stamp: int, ts_ns: int, fast: bool) -> None:
    book["shown_key"][0] = book["shown_key"][1] = -NO_KEY
    if fast and book["started"] == 1:
        book["stamp"] = max(stamp, book["stamp"])
        return
    book["stamp"] = stamp
    if book["started"] == 0:
        book["generation"] += 1
        book["started"] = 1
    for index in range(2):
        book["count"][index] = 0
        # A snapshot that is older than the best quote we hold does not take that quote away.
        if book["touch_stamp"][index] > stamp and book["touch_qty"][index] > 0.0:
            _set_level(book, index, book["touch_key"][index], book["touch_qty"][index], ts_ns)


@kernel
def _change_level(
    book: np.void, index: int, key: int, qty: float, stamp: int, ts_ns: int, fast: bool
) -> None:
    if book["started"] == 0:
        return
    book["stamp"] = max(stamp, book["stamp"])
    other = 1 - index
    older = stamp < book["touch_stamp"][index]
    if older and key >= book["touch_key"][index]:
        return
    # Nor may it cross what is newer on the other side.
    if stamp < book["touch_stamp"][other] and key + book["touch_key"][other] >= 0:
        return
    if fast:
        last = _find(book, index, book["shown_key"][index])
        if older:
            last = min(last, _find(book, index, book["touch_key"][index]))
        _remove(book, index, _find(book, index, key + 1), last)
        book["shown_key"][index] = key
    _set_level(book, index, key, qty, ts_ns)


@kernel
def _move_touch(book: np.void, index: int, key: int, qty: float, stamp: int, ts_ns: int) -> None:
    if stamp < book["touch_stamp"][index] or stamp < book["stamp"]:
        return
    book["touch_key"][index], book["touch_qty"][index] = key, qty
    book["touch_stamp"][index] = stamp
    if book["started"] == 0:
        return
    book["count"][index] = _find(book, index, key + 1)
    if key == NO_KEY:
        return
    _set_level(book, index, key, qty, ts_ns)
    # What the other side still holds at or through this price is a remainder from before.
    other = 1 - index
    book["count"][other] = _find(book, other, -key)


@kernel
def _set_level(book: np.void, index: int, key: int, qty: float, ts_ns: int) -> None:
    at = _find(book, index, key)
    known = at < book["count"][index] and book["key"][index, at] == key
    if qty == 0.0:
        if known:
            _remove(book, index, at, at + 1)
        return
    if not known:
        if book["count"][index] == LEVELS_MAX:
            if at == 0:
                return
            _remove(book, index, 0, 1)
            at -= 1
        _make_room(book, index, at)
    book["key"][index, at] = key
    book["qty"][index, at] = qty
    book["ts_ns"][index, at] = ts_ns


@kernel
def _find(book: np.void, index: int, key: int) -> int:
    # Position of the first level with a key >= `key`.
    keys = book["key"]
    low, high = 0, book["count"][index]
    while low < high:
        middle = (low + high) >> 1
        if keys[index, middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _make_room(book: np.void, index: int, at: int) -> None:
    keys, qtys, times = book["key"], book["qty"], book["ts_ns"]
    for level in range(book["count"][index], at, -1):
        keys[index, level] = keys[index, level - 1]
        qtys[index, level] = qtys[index, level - 1]
        times[index, level] = times[index, level - 1]
    book["count"][index] += 1


@kernel
def _remove(book: np.void, index: int, first: int, last: int) -> None:
    gone = last - first
    if gone <= 0:
        return
    keys, qtys, times = book["key"], book["qty"], book["ts_ns"]
    count = book["count"][index] - gone
    for level in range(first, count):
        keys[index, level] = keys[index, level + gone]
        qtys[index, level] = qtys[index, level + gone]
        times[index, level] = times[index, level + gone]
    book["count"][index] = count
