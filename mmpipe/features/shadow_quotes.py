"""Quotes that exist only in the books: labels without being in the market.

A virtual order of a stated size joins a level and is followed like a real one until one of these:

    FILLED     trades took what was ahead and then all of it; or a trade went through its price, or the other
               side's best reached it, which no order could have survived there
    ADVERSE    the best of its own side moved a stated number of steps away: left behind
    HORIZON    neither, for as long as it waits
    CANCELLED  the book was lost: what became of it cannot be known (censored)

A part of it being filled is no outcome. Its place in the queue is followed by `queue_rank` as that of a real
order; a level deeper than what is shown is unseen, not empty.
"""

from typing import Final

import numpy as np

from mmpipe.book import l2, queue_rank
from mmpipe.book.queue_rank import QUEUE
from mmpipe.enums import LabelKind, Outcome
from mmpipe.features import markouts
from mmpipe.features.label_row import carry_join, start_label
from mmpipe.features.mid_path import mid_at
from ringbuf.jit import kernel

SHADOWS_MAX: Final = 192  # per symbol: six joins a second for half a minute

SHADOW = np.dtype(
    [
        # What every trade and book asks for comes first: 40 quotes stay in the nearest cache.
        ("outcome", "i8"),  # Outcome; WAITING while it rests
        ("side", "i8"),
        ("tick", "i8"),
        ("step", "i8"),  # ticks between two prices the venue accepts there
        ("behind", "i8"),  # levels behind the best when last looked at
        ("own_qty", "f8"),  # not yet filled, base units
        ("queue", QUEUE),  # its own size is not in the level
        ("ended_ts_ns", "i8"),
        ("joined_ts_ns", "i8"),
        ("cause_seq", "i8"),
        ("level", "i8"),  # steps before the best at the join
        ("toxicity", "i8"),  # at the join, as all that follows
        ("regime", "i8"),
        ("mid_px", "f8"),
        ("depth_bps", "f8"),
        ("queue_rank", "f8"),
        ("ahead_qty", "f8"),
        ("predicted_edge_bps", "f8"),
        ("predicted_std_bps", "f8"),
        ("predicted_fill_prob", "f8"),
        ("fill_factor", "f8"),
    ],
    align=True,
)
SHADOW_ENDS = np.dtype(
    [
        ("resting", "i8"),  # slots in use, from index 0, oldest first
        ("rounds", "i8"),  # times all levels were joined
        ("lost", "i8"),  # joins without room
    ],
    align=True,
)

_SHADOW_QUOTE: Final = int(LabelKind.SHADOW_QUOTE)
_WAITING: Final = int(Outcome.WAITING)
_FILLED: Final = int(Outcome.FILLED)
_ADVERSE: Final = int(Outcome.ADVERSE)
_HORIZON: Final = int(Outcome.HORIZON)
_CANCELLED: Final = int(Outcome.CANCELLED)


@kernel
def join(ends: np.void, shadows: np.ndarray, book: np.void, side: int, tick: int, ahead_share: float) -> int:
    """Put a virtual order into a level; the caller fills in what was predicted.

    Parameters
    ----------
    ends, shadows : SHADOW_ENDS record, (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    book : BOOK record
        Valid.
    side, tick : int
        Of the order; the level must be shown or lie before the best.
    ahead_share : float
        Of what the level shows, 0 front to 1 back.

    Returns
    -------
    int
        Its index, -1 when there is no room.
    """
    index = ends["resting"]
    if index == len(shadows):
        ends["lost"] += 1
        return -1
    ends["resting"] += 1
    shadow = shadows[index]
    level_qty, _ = l2.level_at(book, side, tick)
    ahead_qty = ahead_share * level_qty
    queue_rank.join(shadow["queue"], 1, tick, 0.0, ahead_qty, level_qty, book["exch_ts_ns"])
    shadow["ahead_qty"] = shadow["queue"]["ahead_qty"]
    shadow["queue_rank"] = ahead_share if level_qty > 0.0 else 0.0
    shadow["side"], shadow["tick"], shadow["outcome"], shadow["ended_ts_ns"] = side, tick, _WAITING, 0
    shadow["behind"] = 0
    return index


@kernel
def on_trade(
    ends: np.void, shadows: np.ndarray, ts_ns: int, exch_ts_ns: int, side: int, tick: int, qty: float
) -> None:
    """A trade by an aggressor of `side` at `tick`.

    Parameters
    ----------
    ends, shadows : SHADOW_ENDS record, (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    ts_ns, exch_ts_ns : int
        When it was received, and the venue's time; 0: none.
    side, tick : int
        Of the aggressor, and of the trade.
    qty : float
        Base units, > 0.
    """
    for index in range(ends["resting"]):
        shadow = shadows[index]
        own = shadow["side"]
        if own == side or own * (shadow["tick"] - tick) < 0 or shadow["outcome"] != _WAITING:
            continue
        past_qty = queue_rank.on_trade(shadow["queue"], own, tick, qty, exch_ts_ns)
        if past_qty > 0.0:
            shadow["own_qty"] -= past_qty
            if not shadow["own_qty"] > 0.0:
                shadow["outcome"], shadow["ended_ts_ns"] = _FILLED, ts_ns


@kernel
def on_book(
    ends: np.void, shadows: np.ndarray, book: np.void, ts_ns: int, exch_ts_ns: int, adverse_steps: int
) -> None:
    """The book after a message.

    Parameters
    ----------
    ends, shadows : SHADOW_ENDS record, (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    book : BOOK record
        Valid.
    ts_ns, exch_ts_ns : int
        Of the message: received, and the venue's time, 0: none.
    adverse_steps : int
        How far the best may move away before a quote counts as left behind, in steps of its price.
    """
    if ends["resting"] == 0:
        return
    bid_tick, ask_tick = l2.best_tick(book, 1), l2.best_tick(book, -1)
    for index in range(ends["resting"]):
        shadow = shadows[index]
        if shadow["outcome"] != _WAITING:
            continue
        side, tick = shadow["side"], shadow["tick"]
        best, other = (bid_tick, ask_tick) if side > 0 else (ask_tick, bid_tick)
        if side * (other - tick) <= 0:
            shadow["outcome"], shadow["ended_ts_ns"] = _FILLED, ts_ns
        elif side * (best - tick) >= adverse_steps * shadow["step"]:
            shadow["outcome"], shadow["ended_ts_ns"] = _ADVERSE, ts_ns
        else:
            level_qty, stated_ns, behind = l2.level_near(book, side, tick, shadow["behind"])
            shadow["behind"] = behind
            if level_qty >= 0.0:
                queue_rank.on_level(shadow["queue"], level_qty, stated_ns == ts_ns, ts_ns, exch_ts_ns)


@kernel
def censor(ends: np.void, shadows: np.ndarray, ts_ns: int) -> None:
    """The book is lost: nobody knows what becomes of the quotes that rest."""
    for index in range(ends["resting"]):
        if shadows[index]["outcome"] == _WAITING:
            shadows[index]["outcome"], shadows[index]["ended_ts_ns"] = _CANCELLED, ts_ns


@kernel
def harvest(
    ends: np.void,
    shadows: np.ndarray,
    fill_ends: np.void,
    fills: np.ndarray,
    path: np.void,
    ts_ns: int,
    horizon_ns: int,
    fee_bps: float,
    symbol: int,
    labels: np.ndarray,
    count: int,
) -> int:
    """Hand filled quotes to the markouts, turn the others that ended into LABELs, and close the ranks.

    Parameters
    ----------
    ends, shadows : SHADOW_ENDS record, (SHADOWS_MAX,) SHADOW
        Of one symbol, changed in place.
    fill_ends, fills : FILL_ENDS record, (FILLS_MAX,) FILL
        Where the filled ones go on waiting.
    path : MID_PATH record
        Of the symbol, known up to `ts_ns`.
    ts_ns : int
        Now.
    horizon_ns : int
        How long a quote waits.
    fee_bps : float
        Of a passive fill.
    symbol : int
        Index for the label.
    labels : (n,) LABEL
        Written from `count` on; what finds no room waits.
    count : int
        Labels already in `labels`.

    Returns
    -------
    int
        Labels now in `labels`.
    """
    kept = 0
    for index in range(ends["resting"]):
        shadow = shadows[index]
        over_ns = shadow["joined_ts_ns"] + horizon_ns
        ended_ns = ts_ns if shadow["outcome"] == _WAITING else shadow["ended_ts_ns"]
        if ended_ns > over_ns or (ended_ns == over_ns and shadow["outcome"] == _WAITING):
            shadow["outcome"], shadow["ended_ts_ns"] = _HORIZON, over_ns
        if shadow["outcome"] == _FILLED:
            _hand_over(fills[markouts.append(fill_ends, fills)], shadow, fee_bps)
        elif shadow["outcome"] != _WAITING and count < len(labels):
            _write(labels[count], shadow, symbol, ts_ns, mid_at(path, shadow["ended_ts_ns"]))
            count += 1
        else:
            if kept < index:
                shadows[kept] = shadow
            kept += 1
    ends["resting"] = kept
    return count


@kernel
def _hand_over(fill: np.void, shadow: np.void, fee_bps: float) -> None:
    fill["filled_ts_ns"], fill["decided_ts_ns"] = shadow["ended_ts_ns"], shadow["joined_ts_ns"]
    fill["cause_seq"], fill["virtual"], fill["fee_bps"] = shadow["cause_seq"], 1, fee_bps
    fill["side"] = shadow["side"]
    carry_join(fill, shadow)


@kernel
def _write(label: np.void, shadow: np.void, symbol: int, ts_ns: int, end_px: float) -> None:
    # Of one that was not filled; the move is 0 where the mid at its end was not seen.
    start_label(label, _SHADOW_QUOTE, symbol, shadow["side"], ts_ns)
    label["cause_seq"], label["cause_ts_ns"] = shadow["cause_seq"], shadow["joined_ts_ns"]
    label["wait_ns"] = label["horizon_ns"] = shadow["ended_ts_ns"] - shadow["joined_ts_ns"]
    label["outcome"] = shadow["outcome"]
    carry_join(label, shadow)
    if end_px > 0.0:
        label["move_bps"] = (end_px - shadow["mid_px"]) / shadow["mid_px"] * 1e4
