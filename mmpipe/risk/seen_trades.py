"""Which trade ids were counted already: an exact set of bounded memory, in two generations.

Each generation is an open-addressed table that is used until it is half full; then the older one is cleared
and takes over. The newest `REMEMBERED_MIN` ids are therefore always known, many more than a venue replays
after a reconnect (2,000 fills). An id older than two generations would be counted again.
"""

from typing import Final

import numpy as np

from mmpipe.records import SYMBOLS_MAX
from ringbuf.jit import example, kernel

TABLE_SLOTS: Final = 65_536  # a power of two
REMEMBERED_MIN: Final = TABLE_SLOTS // 2
_SYMBOLS: Final = 64
_MIX: Final = 0x9E3779B1  # odd; spreads consecutive ids over the table (Knuth's multiplicative hash)
_FOLD: Final = (1 << 31) - 1  # compiled products must not overflow

assert _SYMBOLS == SYMBOLS_MAX

SEEN = np.dtype([("keys", "i8", (2, TABLE_SLOTS)), ("count", "i8"), ("current", "i8")], align=True)


@kernel
def first_sight(seen: np.ndarray, symbol: int, tid: int) -> bool:
    """Remember a trade id; True when it was not known.

    Parameters
    ----------
    seen : (1,) SEEN
        The set, changed in place.
    symbol : int
        Index of the symbol, 0 to 63: ids are unique per market.
    tid : int
        The venue's trade id, > 0.
    """
    key = int(tid) * _SYMBOLS + int(symbol)
    table = seen[0]["keys"]
    current = int(seen[0]["current"])
    if _find(table[1 - current], key) < 0:
        return False
    slot = _find(table[current], key)
    if slot < 0:
        return False
    table[current, slot] = key
    seen[0]["count"] += 1
    if seen[0]["count"] >= REMEMBERED_MIN:
        current = 1 - current
        table[current, :] = 0
        seen[0]["current"] = current
        seen[0]["count"] = 0
    return True


@kernel
def _find(keys: np.ndarray, key: int) -> int:
    # The free slot where the key belongs, or -1 when it is in the table.
    slot = ((((key >> 31) ^ key) & _FOLD) * _MIX >> 20) & (TABLE_SLOTS - 1)
    while keys[slot] != 0:
        if keys[slot] == key:
            return -1
        slot = (slot + 1) & (TABLE_SLOTS - 1)
    return slot


@example(first_sight)
def _first_sight_example() -> tuple[object, ...]:
    return np.zeros(1, SEEN), 0, 1
