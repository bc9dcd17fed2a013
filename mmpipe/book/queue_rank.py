"""How much rests ahead of an order in its price level, followed through trades and level changes.

The venue shows the quantity of a level, not its order. Trades at the price take from the front; any other
decrease is a cancel, which was ahead of us with the share that is ahead of us. A level without quantity is
unseen, not empty, as it would hold at least our own order; one that holds a virtual order alone is empty.

A venue tells trades and levels in messages of their own, and of one block either may come first. Nothing may
count twice:

    trade, then level    the trade waits until the level is stated anew, and explains what it lost
    level, then trade    the loss was taken for a cancel; the trade takes its part of it back, from the front,
                         and everything that came after it is followed anew

Which it is, the venue's own stamps say: a level stated at or after the time of a trade contains it. For that
the newest changes of the level are kept, and the place before the oldest of them:

    base ─ STEP ─ STEP ─ … ─ STEP ─ trades since ─▶ ahead_qty     a STEP: traded before it, cancelled with it

On Hyperliquid nine trades of ten come after the level they changed, half of them within 12 ms, 1 % more than
0.3 s later and then behind as many as seven statements. Where a venue stamps nothing, trades come first.

A venue does not tell when an order came to rest either; its answer may come before or after the level that
contains the order. From the moment it is sent, therefore, all the level shows is ahead of it, until the level
rises by exactly its size: then it is known who stood before. A larger rise may hold it (least ahead: it does,
most: it does not yet); some time after the answer the level contains it in any case.

Which cancels were ahead is never told, so the place is known within bounds and with a variance:

    least ahead   every cancel was ahead             most ahead   none was, while that is possible
    variance      a cancel of c is one order, ahead with probability p: c^2 p (1 - p), and what was
                  uncertain before shrinks with the queue

References
----------
Rigtorp, "Estimating order queue position" (2013): trades from the front, cancels in proportion.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

UNSEEN_STD: Final = 0.2886751345948129  # of a share that may be anything: sqrt(1 / 12)
STEPS_MAX: Final = 8  # changes of a level a trade may come behind; seven were recorded
ABSENT, POSSIBLE, SHOWN = range(3)  # our order in what the level shows
SETTLED_NS: Final = 500_000_000  # after the venue's answer every level that is stated contains the order
EARLY_NS: Final = 100_000_000  # a level that contains it comes no sooner before the answer
SIZE_TOLERANCE: Final = 1e-9  # of a sum of sizes: rounding, far below a lot
NEVER_NS: Final = 1 << 62

STEP = np.dtype(
    [
        ("exch_ts_ns", "i8"),  # of the statement, venue time; 0: none
        ("traded_qty", "f8"),  # left the front since the step before
        ("cancelled_qty", "f8"),  # what else left the level
        ("level_qty", "f8"),  # then
    ],
    align=True,
)
QUEUE = np.dtype(
    [
        ("order_id", "i8"),  # 0: no order
        ("tick", "i8"),
        ("ahead_qty", "f8"),  # resting before us, base units
        ("own_qty", "f8"),  # ours; 0: virtual
        ("own_shown", "i8"),  # whether the level contains it: ABSENT, POSSIBLE, SHOWN
        ("looked_ts_ns", "i8"),  # when the level was last stated while it was not SHOWN, monotonic
        ("expected_qty", "f8"),  # what the level would have held then without it
        ("settled_ts_ns", "i8"),  # from when on it does in any case
        ("level_qty", "f8"),  # of the level when last looked at
        ("waiting_qty", "f8"),  # traded at the price, and not yet seen to leave the level
        ("waiting_exch_ns", "i8"),  # venue time of the newest of it
        ("stated_exch_ns", "i8"),  # when the level was last stated, venue time
        ("joined_exch_ns", "i8"),  # of the level that was joined: what it contains we did not live through
        ("least_ahead_qty", "f8"),  # bounds of ahead_qty
        ("most_ahead_qty", "f8"),
        ("ahead_variance", "f8"),  # of ahead_qty, base units squared
        ("unseen", "i8"),  # 1: the book never showed the level since the order joined
        ("since_qty", "f8"),  # left the front since the newest step
        ("steps", "i8"),  # kept, oldest first
        ("base", "f8", (4,)),  # place before the oldest step: ahead, least, most, variance
        ("step", STEP, (STEPS_MAX,)),
    ],
    align=True,
)


@kernel
def join(
    queue: np.void,
    order_id: int,
    tick: int,
    own_qty: float,
    ahead_qty: float,
    level_qty: float,
    exch_ts_ns: int,
) -> None:
    """Start in a level that does not contain the order yet.

    Parameters
    ----------
    queue : QUEUE record
        Overwritten.
    order_id, tick : int
        Of the order.
    own_qty : float
        What the level will show of it, base units; 0: a virtual order.
    ahead_qty, level_qty : float
        Base units, ahead <= level. Negative: deeper than the book shows.
    exch_ts_ns : int
        Venue time of the level; 0: none.
    """
    queue["order_id"], queue["tick"], queue["own_qty"] = order_id, tick, own_qty
    queue["own_shown"] = ABSENT if own_qty > 0.0 else SHOWN
    queue["settled_ts_ns"], queue["looked_ts_ns"] = NEVER_NS, 0
    queue["ahead_qty"], queue["level_qty"] = max(ahead_qty, 0.0), max(level_qty, 0.0)
    queue["expected_qty"] = queue["level_qty"]
    queue["least_ahead_qty"] = queue["most_ahead_qty"] = queue["ahead_qty"]
    queue["waiting_qty"] = queue["ahead_variance"] = 0.0
    queue["waiting_exch_ns"] = 0
    queue["stated_exch_ns"] = queue["joined_exch_ns"] = exch_ts_ns
    queue["unseen"] = 1 if level_qty < 0.0 else 0
    _rebase(queue)


@kernel
def acknowledge(queue: np.void, ts_ns: int) -> None:
    """The venue has answered that the order rests; monotonic time of the answer."""
    queue["settled_ts_ns"] = ts_ns + SETTLED_NS
    if queue["own_shown"] == POSSIBLE and ts_ns - queue["looked_ts_ns"] > EARLY_NS:
        _place(queue, ABSENT, queue["level_qty"], 0.0)


@kernel
def on_trade(queue: np.void, side: int, tick: int, qty: float, exch_ts_ns: int) -> float:
    """A trade against orders of our side.

    Parameters
    ----------
    queue : QUEUE record
        Changed in place.
    side : int
        Ours: +1 bid, -1 ask.
    tick : int
        Of the trade.
    qty : float
        Base units.
    exch_ts_ns : int
        Venue time of the trade; 0: none.

    Returns
    -------
    float
        What got past all that was ahead, base units >= 0; infinite when it traded through our price.
    """
    if queue["order_id"] == 0 or side * (tick - queue["tick"]) > 0:
        return 0.0
    stamped = exch_ts_ns > 0
    if stamped and exch_ts_ns <= queue["joined_exch_ns"]:
        # It happened before, and the level shows it; but it may have hidden how much that level rose.
        if queue["own_shown"] != SHOWN and queue["looked_ts_ns"] > 0 and tick == queue["tick"]:
            if exch_ts_ns == queue["stated_exch_ns"]:
                queue["expected_qty"] = max(queue["expected_qty"] - qty, 0.0)
                if _is_ours(queue, queue["level_qty"] - queue["expected_qty"]):
                    _place(queue, SHOWN, queue["expected_qty"], 0.0)
        return 0.0
    if tick != queue["tick"]:
        queue["ahead_qty"] = queue["least_ahead_qty"] = queue["most_ahead_qty"] = 0.0
        queue["ahead_variance"] = 0.0
        queue["unseen"] = 0
        _rebase(queue)
        return np.inf
    if stamped and exch_ts_ns <= queue["stated_exch_ns"]:
        return _on_late_trade(queue, qty, exch_ts_ns)
    past_qty = max(qty - queue["ahead_qty"], 0.0)
    queue["since_qty"] += qty
    queue["waiting_qty"] += qty
    queue["waiting_exch_ns"] = max(queue["waiting_exch_ns"], exch_ts_ns)
    queue["ahead_qty"] = max(queue["ahead_qty"] - qty, 0.0)
    queue["least_ahead_qty"] = max(queue["least_ahead_qty"] - qty, 0.0)
    queue["most_ahead_qty"] = max(queue["most_ahead_qty"] - qty, 0.0)
    return past_qty


@kernel
def on_level(queue: np.void, level_qty: float, stated: bool, ts_ns: int, exch_ts_ns: int) -> None:
    """The level as the settled book shows it.

    Parameters
    ----------
    queue : QUEUE record
        Changed in place.
    level_qty : float
        At our price, base units; 0: nothing is there. Not for a level the book does not show.
    stated : bool
        This very message states the level; False: it is as it was stated before.
    ts_ns, exch_ts_ns : int
        Of the message: received, and the venue's time, 0: none.
    """
    if queue["order_id"] == 0:
        return
    if level_qty == 0.0 and queue["own_shown"] == SHOWN and queue["own_qty"] > 0.0:
        return  # it ended, and the report of it is on its way
    if queue["unseen"] == 1:
        if level_qty > 0.0:
            _first_seen(queue, level_qty, exch_ts_ns)
        return
    if level_qty == queue["level_qty"] and not stated:
        return
    expected_qty = max(queue["level_qty"] - queue["waiting_qty"], 0.0)
    dropped_qty = queue["level_qty"] - level_qty
    cancelled_qty = max(dropped_qty - queue["waiting_qty"], 0.0)
    queue["waiting_qty"] = max(queue["waiting_qty"] - max(dropped_qty, 0.0), 0.0)
    if 0 < queue["waiting_exch_ns"] <= exch_ts_ns:
        queue["waiting_qty"] = 0.0  # whatever was traded before is in what the level shows
    if dropped_qty != 0.0 or queue["since_qty"] > 0.0:
        _take_step(queue, cancelled_qty, level_qty, exch_ts_ns)
    queue["level_qty"] = level_qty
    queue["stated_exch_ns"] = max(queue["stated_exch_ns"], exch_ts_ns)
    if queue["own_shown"] != SHOWN:
        queue["expected_qty"], queue["looked_ts_ns"] = expected_qty, ts_ns
        _look_for_ours(queue, level_qty, ts_ns)


@kernel
def on_fill(queue: np.void, qty: float) -> None:
    """A part of our order, base units, was filled: nothing is ahead any more, for certain."""
    queue["own_qty"] = max(queue["own_qty"] - qty, 0.0)
    queue["ahead_qty"] = queue["least_ahead_qty"] = queue["most_ahead_qty"] = 0.0
    queue["ahead_variance"] = 0.0
    queue["unseen"] = 0
    _rebase(queue)


@kernel
def rank(queue: np.void, level_qty: float) -> float:
    """Share of the level ahead of our order, 0 to 1; -1 without an order, 1 while it is unseen."""
    if queue["order_id"] == 0:
        return -1.0
    if queue["unseen"] == 1:
        return 1.0
    total_qty = _total_qty(queue, level_qty)
    return min(queue["ahead_qty"] / total_qty, 1.0) if total_qty > 0.0 else 0.0


@kernel
def rank_std(queue: np.void, level_qty: float) -> float:
    """Standard deviation of `rank`, 0 to 0.5; 0 without an order.

    Notes
    -----
    At most half the distance of the bounds, which no distribution between them exceeds (Popoviciu 1935).
    """
    if queue["order_id"] == 0:
        return 0.0
    if queue["unseen"] == 1:
        return UNSEEN_STD
    half_qty = (queue["most_ahead_qty"] - queue["least_ahead_qty"]) / 2.0
    std_qty = min(np.sqrt(queue["ahead_variance"]), max(half_qty, 0.0))
    total_qty = _total_qty(queue, level_qty)
    return min(std_qty / total_qty, 0.5) if total_qty > 0.0 else 0.0


@kernel
def _total_qty(queue: np.void, level_qty: float) -> float:
    return max(level_qty, queue["ahead_qty"] + queue["own_qty"])


@kernel
def _first_seen(queue: np.void, level_qty: float, exch_ts_ns: int) -> None:
    queue["level_qty"], queue["unseen"], queue["waiting_qty"] = level_qty, 0, 0.0
    queue["stated_exch_ns"] = max(queue["stated_exch_ns"], exch_ts_ns)
    if queue["own_shown"] != SHOWN and queue["settled_ts_ns"] == NEVER_NS:
        _place(queue, ABSENT, level_qty, 0.0)
        return
    # All but ours may be ahead, or have come since: the worst is taken, and anything is possible.
    others_qty = max(level_qty - queue["own_qty"], 0.0)
    _place(queue, SHOWN, others_qty, 0.0)
    queue["least_ahead_qty"], queue["ahead_variance"] = 0.0, others_qty * others_qty / 12.0
    _rebase(queue)


@kernel
def _look_for_ours(queue: np.void, level_qty: float, ts_ns: int) -> None:
    # Is it in the level now, which would otherwise hold `expected_qty`?
    own_qty, expected_qty = queue["own_qty"], queue["expected_qty"]
    answered = queue["settled_ts_ns"] < NEVER_NS
    more_qty = level_qty - expected_qty - own_qty  # who joined with it
    before_qty = max(level_qty - own_qty, 0.0)  # if it is the last one
    if _is_ours(queue, level_qty - expected_qty):
        _place(queue, SHOWN, expected_qty, 0.0)
    elif _is_ours(queue, level_qty):
        _place(queue, SHOWN, 0.0, 0.0)  # alone there
    elif more_qty > 0.0 and (queue["own_shown"] == ABSENT or not answered):
        _place(queue, SHOWN if answered else POSSIBLE, expected_qty, more_qty)
    elif ts_ns >= queue["settled_ts_ns"]:
        if queue["own_shown"] == ABSENT:
            _place(queue, SHOWN, before_qty, 0.0)
        queue["own_shown"] = SHOWN
    elif queue["own_shown"] == ABSENT and answered:
        _place(queue, ABSENT, before_qty, level_qty - before_qty)
    elif queue["own_shown"] == ABSENT:
        _place(queue, ABSENT, level_qty, 0.0)


@kernel
def _is_ours(queue: np.void, qty: float) -> bool:
    return abs(qty - queue["own_qty"]) <= SIZE_TOLERANCE * (queue["level_qty"] + queue["own_qty"])


@kernel
def _place(queue: np.void, own_shown: int, least_qty: float, maybe_qty: float) -> None:
    # Behind `least_qty`, by what was stated last; `maybe_qty` is as likely before ours as behind it.
    queue["own_shown"], queue["ahead_qty"] = own_shown, least_qty + maybe_qty / 2.0
    queue["least_ahead_qty"], queue["most_ahead_qty"] = least_qty, least_qty + maybe_qty
    queue["ahead_variance"] = maybe_qty * maybe_qty / 4.0
    queue["joined_exch_ns"] = queue["stated_exch_ns"]
    _rebase(queue)


@kernel
def _rebase(queue: np.void) -> None:
    # The place is what it is now, whatever came before.
    queue["steps"], queue["since_qty"] = 0, 0.0
    queue["base"][0], queue["base"][1] = queue["ahead_qty"], queue["least_ahead_qty"]
    queue["base"][2], queue["base"][3] = queue["most_ahead_qty"], queue["ahead_variance"]


@kernel
def _take_step(queue: np.void, cancelled_qty: float, level_qty: float, exch_ts_ns: int) -> None:
    own_qty = queue["own_qty"] if queue["own_shown"] != ABSENT else 0.0
    if queue["steps"] == STEPS_MAX:
        base, first = queue["base"], queue["step"][0]
        base[0], base[1], base[2], base[3] = _moved((base[0], base[1], base[2], base[3]), first, own_qty)
        for index in range(STEPS_MAX - 1):
            queue["step"][index] = queue["step"][index + 1]
        queue["steps"] -= 1
    step = queue["step"][queue["steps"]]
    queue["steps"] += 1
    step["exch_ts_ns"], step["level_qty"], step["cancelled_qty"] = exch_ts_ns, level_qty, cancelled_qty
    step["traded_qty"] = 0.0  # … what was traded has left the place already
    place = (queue["ahead_qty"], queue["least_ahead_qty"], queue["most_ahead_qty"], queue["ahead_variance"])
    place = _moved(place, step, own_qty)
    queue["ahead_qty"], queue["least_ahead_qty"] = place[0], place[1]
    queue["most_ahead_qty"], queue["ahead_variance"] = place[2], place[3]
    step["traded_qty"], queue["since_qty"] = queue["since_qty"], 0.0


@kernel
def _on_late_trade(queue: np.void, qty: float, exch_ts_ns: int) -> float:
    # The first step at or after it has it, as a cancel if it was not made up for by those who joined.
    before_qty = _follow(queue)
    at = 0
    while at < queue["steps"] and queue["step"][at]["exch_ts_ns"] < exch_ts_ns:
        at += 1
    if at < queue["steps"]:
        step = queue["step"][at]
        step["cancelled_qty"] = max(step["cancelled_qty"] - qty, 0.0)
        step["traded_qty"] += qty
    else:
        queue["since_qty"] += qty
    return max(_follow(queue) - before_qty, 0.0)


@kernel
def _follow(queue: np.void) -> float:
    # The place from the base through all steps; what of the trades got past those ahead, base units.
    base, past_qty = queue["base"], 0.0
    own_qty = queue["own_qty"] if queue["own_shown"] != ABSENT else 0.0
    place = (base[0], base[1], base[2], base[3])
    for index in range(queue["steps"]):
        step = queue["step"][index]
        past_qty += max(step["traded_qty"] - place[0], 0.0)
        place = _moved(place, step, own_qty)
    since_qty = queue["since_qty"]
    past_qty += max(since_qty - place[0], 0.0)
    queue["ahead_qty"] = max(place[0] - since_qty, 0.0)
    queue["least_ahead_qty"] = max(place[1] - since_qty, 0.0)
    queue["most_ahead_qty"], queue["ahead_variance"] = max(place[2] - since_qty, 0.0), place[3]
    return past_qty


@kernel
def _moved(
    place: tuple[float, float, float, float], step: np.void, own_qty: float
) -> tuple[float, float, float, float]:
    # Place after a step: ahead, least, most, variance.
    traded_qty, cancelled_qty, level_qty = step["traded_qty"], step["cancelled_qty"], step["level_qty"]
    ahead_qty, least_qty = max(place[0] - traded_qty, 0.0), max(place[1] - traded_qty, 0.0)
    most_qty, variance = max(place[2] - traded_qty, 0.0), place[3]
    others_qty = level_qty + cancelled_qty - own_qty
    if cancelled_qty > 0.0 and others_qty > 0.0:
        share, left = min(ahead_qty / others_qty, 1.0), max(1.0 - cancelled_qty / others_qty, 0.0)
        variance = variance * left * left + cancelled_qty * cancelled_qty * share * (1.0 - share)
        ahead_qty = max(ahead_qty - cancelled_qty * share, 0.0)
        least_qty = max(least_qty - cancelled_qty, 0.0)
    room_qty = max(level_qty - own_qty, 0.0)
    return min(ahead_qty, room_qty), min(least_qty, room_qty), min(most_qty, room_qty), variance
