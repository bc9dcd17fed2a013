"""Random orders as fast as the matching kernel takes them: the storm that `venue.py` counts.

Twelve accounts place, cancel and trade in two markets: two thirds of the orders rest within a hundred ticks
of the middle, one third trades against what rests, and the books keep about a thousand orders.
"""

import numpy as np

from mmpipe.enums import Tif
from mmpipe.venue.sim.chance import CHANCE, uniform
from mmpipe.venue.sim.market import TAPE_MAX, Market, new_market
from mmpipe.venue.sim.matching import cancel, submit
from ringbuf.jit import kernel

EVENTS = 2_000_000
ACCOUNTS = 12
KEPT = 4_096  # orders remembered for a cancel
CENTRE = 1_000_000
WIDTH = 100
TAKER_SHARE = 0.35
ALO = int(Tif.ALO)
GTC = int(Tif.GTC)
IOC = int(Tif.IOC)
TAPE_ROOM = TAPE_MAX // 2


def new_storm(seed: int) -> tuple[Market, np.ndarray, np.ndarray]:
    """Market, chance and remembered orders."""
    chance = np.zeros(1, CHANCE)
    chance["key"] = seed
    return new_market(2, 2 + ACCOUNTS, 150, 450), chance, np.zeros(KEPT, np.int64)


@kernel
def storm(market: Market, chance: np.ndarray, oids: np.ndarray, events: int) -> int:
    """Place and cancel until at least `events` places, cancels and fills have happened.

    Returns
    -------
    int
        How many really happened.
    """
    head = market.header[0]
    happened = 0
    while happened < events:
        if head["fills"] > TAPE_ROOM or head["events"] > TAPE_ROOM:
            head["fills"] = 0
            head["events"] = 0
        at = int(uniform(chance) * KEPT)
        oid = oids[at]
        if oid != 0:
            cancel(market, market.orders[oid % market.orders.shape[0]]["account"], oid)
            oids[at] = 0
            happened += 1
            continue
        before = head["fills"]
        side = 1 if uniform(chance) < 0.5 else -1
        away = 1 + int(uniform(chance) * WIDTH)
        taking = uniform(chance) < TAKER_SHARE
        tick = CENTRE + side * 10 * (away if taking else -away)
        tif = ALO if uniform(chance) < 0.5 else GTC
        if taking:
            tif = IOC
        account = 2 + int(uniform(chance) * ACCOUNTS)
        symbol = 0 if uniform(chance) < 0.5 else 1
        submit(market, account, symbol, side, tick, 1 + int(uniform(chance) * 1_000), tif, 0)
        oids[at] = head["last_oid"]
        happened += 1 + head["fills"] - before
    return happened
