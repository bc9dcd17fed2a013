"""The numbers that describe one recorded market.

Every number has one definition, found by reproducing published ones from the same data:

- trades in one second: bins of one second counted from the first trade;
- the touch: best quotes where the market sends them, otherwise the rebuilt book at the end of each message;
- spread: over messages, not over time, in the market's own ticks (the decimals its prices need);
- return in one second: logarithm of the mid, on a grid of one second from the first touch;
- local - exchange: over trades and depth, because Binance's spot quotes carry no venue time;
- hole: nothing of the market for HOLE_NS.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import EventFlag, EventKind, Side
from mmpipe.recording.grid import decimals
from mmpipe.recording.market_rows import repeated_trades
from mmpipe.recording.rebuild import rebuilt
from mmpipe.units import BPS

# The longest silence of the recorded markets without a reconnect is 2.3 s (Hyperliquid) and 0.35 s (Binance);
# the shortest one with a reconnect is 17.5 s. Trades alone may be silent for minutes: no hole there.
HOLE_NS: Final = 5 * NS_PER_S
NUMBERED_SHARE: Final = 0.9  # of trade ids that go up by one: the venue numbers its trades
MARKET_KINDS: Final = (EventKind.TRADE, EventKind.BOOK_DELTA, EventKind.BBO, EventKind.FUNDING)
QUOTING_KINDS: Final = (EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA, EventKind.BBO)


@dataclass(frozen=True, slots=True)
class Touches:
    """Best quotes over time: receive times (ns) and prices, from BBO messages or the rebuilt book."""

    source: str
    ts_ns: np.ndarray
    bid_px: np.ndarray
    ask_px: np.ndarray

    @property
    def mid_px(self) -> np.ndarray:
        """Mid prices."""
        return (self.bid_px + self.ask_px) / 2.0


@dataclass(frozen=True, slots=True)
class Hole:
    """Silence of a market: where it begins (receive time, ns) and how long it lasts."""

    after_ts_ns: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MarketStatistics:
    """What `describe` finds; None where the data cannot say.

    Attributes
    ----------
    rows : int
        Market data: trades, levels, quotes, funding.
    seconds : float
        First to last receive time.
    trades, trades_per_s, trades_in_1s_max : int, float, int
        How many, mean rate, most in one second.
    bbo_messages, mid_changes : int
        Best-quote messages; how often the mid of the touch moved.
    spread_ticks : tuple of float or None
        50th, 90th and 99th percentile.
    tick_px : float
        The market's own tick.
    return_1s_std_bps : float or None
        Standard deviation.
    lag_ms : tuple of float or None
        Local - exchange: median, 99th percentile, maximum.
    gaps, crossed_books, repeated_books, repeated_trades : int
        GAP rows; times the rebuilt book crossed; books and trades told twice.
    first_crossed_ts_ns : int
        Receive time of the first crossed book; 0 when there is none.
    trade_id_holes : tuple of (int, int)
        First and last id of each jump of a venue that numbers its trades.
    holes : tuple of Hole
        Silences.
    silence_s_max : float
        The longest time without a row.
    """

    rows: int
    seconds: float
    trades: int
    trades_per_s: float
    trades_in_1s_max: int
    bbo_messages: int
    touch_source: str
    mid_changes: int
    spread_ticks: tuple[float, ...] | None
    tick_px: float
    return_1s_std_bps: float | None
    lag_ms: tuple[float, ...] | None
    gaps: int
    crossed_books: int
    repeated_books: int
    repeated_trades: int
    first_crossed_ts_ns: int
    trade_id_holes: tuple[tuple[int, int], ...]
    holes: tuple[Hole, ...]
    silence_s_max: float


def describe(rows: np.ndarray, tick_px: float, wall_offset_ns: int | None) -> MarketStatistics:
    """Statistics of one market.

    Parameters
    ----------
    rows : ndarray of EVENT, shape (n,)
        Of one venue and symbol, in order.
    tick_px : float
        Price of one `px_tick`, > 0.
    wall_offset_ns : int or None
        What turns receive times into wall time, ns; None when it is not known.
    """
    kind = rows["kind"]
    data = rows[np.isin(kind, MARKET_KINDS)]
    times = data["local_ts_ns"]
    seconds = float(times[-1] - times[0]) / NS_PER_S if len(times) else 0.0
    trades = data[data["kind"] == EventKind.TRADE]
    touches, crossed, first_crossed_ns = touches_of(rows, tick_px)
    own_tick = 10.0 ** -decimals(np.concatenate((touches.bid_px, touches.ask_px, trades["px"])))
    spread = np.rint((touches.ask_px - touches.bid_px) / own_tick)
    silences = np.diff(times)
    quoting = bool(np.isin(kind, QUOTING_KINDS).any())
    long = np.flatnonzero(silences > HOLE_NS) if quoting else np.zeros(0, np.int64)
    return MarketStatistics(
        rows=len(data),
        seconds=seconds,
        trades=len(trades),
        trades_per_s=len(trades) / seconds if seconds > 0.0 else 0.0,
        trades_in_1s_max=_most_in_one_second(trades["local_ts_ns"]),
        bbo_messages=int(((kind == EventKind.BBO) & (rows["side"] == Side.BUY)).sum()),
        touch_source=touches.source,
        mid_changes=int((np.diff(touches.mid_px) != 0.0).sum()),
        spread_ticks=_percentiles(spread, (50, 90, 99)),
        tick_px=own_tick,
        return_1s_std_bps=_return_std(touches),
        lag_ms=_lags(data, wall_offset_ns),
        gaps=int((kind == EventKind.GAP).sum()),
        crossed_books=crossed,
        repeated_books=repeated_books(rows),
        repeated_trades=int(repeated_trades(trades).sum()),
        first_crossed_ts_ns=first_crossed_ns,
        trade_id_holes=trade_id_holes(trades),
        holes=tuple(Hole(int(times[at]), float(silences[at]) / NS_PER_S) for at in long),
        silence_s_max=float(silences.max()) / NS_PER_S if len(silences) else 0.0,
    )


def touches_of(rows: np.ndarray, tick_px: float) -> tuple[Touches, int, int]:
    """Best quotes over time, how often the book rebuilt from depth crossed, and when first (0: never).

    A quote that is crossed or locked counts as a crossed book too.
    """
    book, crossed, first = rebuilt(rows)
    first_ns = int(rows["local_ts_ns"][first]) if crossed else 0
    best = rows[rows["kind"] == EventKind.BBO]
    bids, asks = best[best["side"] == Side.BUY], best[best["side"] == Side.SELL]
    if len(bids) and len(bids) == len(asks):
        full = (bids["qty"] > 0.0) & (asks["qty"] > 0.0)
        bids, asks = bids[full], asks[full]
        locked = np.flatnonzero(~(bids["px"] < asks["px"]))
        if len(locked):
            crossed += len(locked)
            locked_ns = int(bids["local_ts_ns"][locked[0]])
            first_ns = min(first_ns or locked_ns, locked_ns)
        return Touches("bbo", bids["local_ts_ns"], bids["px"], asks["px"]), crossed, first_ns
    touches = Touches("book", book["ts_ns"], book["bid_tick"] * tick_px, book["ask_tick"] * tick_px)
    return touches, crossed, first_ns


def repeated_books(rows: np.ndarray) -> int:
    """Whole books with the venue time and the levels of the one before."""
    full = rows[(rows["flags"] & EventFlag.FAST == 0)]
    depth = full[np.isin(full["kind"], (EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA))]
    starts = np.flatnonzero(depth["kind"] == EventKind.BOOK_CLEAR)
    ends = np.append(np.flatnonzero(depth["flags"] & EventFlag.LAST) + 1, len(depth))
    stops = ends[np.searchsorted(ends, starts, side="right")]
    exch = depth["exch_ts_ns"][starts]
    count = 0
    for at in (np.flatnonzero((np.diff(exch) == 0) & (exch[1:] > 0)) + 1).tolist():
        before, book = depth[starts[at - 1] : stops[at - 1]], depth[starts[at] : stops[at]]
        count += len(before) == len(book) and all(
            np.array_equal(before[name], book[name]) for name in ("side", "px", "qty")
        )
    return count


def trade_id_holes(trades: np.ndarray) -> tuple[tuple[int, int], ...]:
    """First and last missing id of each jump of a venue that numbers its trades; otherwise nothing."""
    ids = trades["remote_seq"]
    steps = np.diff(ids)
    if not len(steps) or not (steps == 1).mean() >= NUMBERED_SHARE:
        return ()
    return tuple((int(ids[at]) + 1, int(ids[at + 1]) - 1) for at in np.flatnonzero(steps > 1))


def _most_in_one_second(times: np.ndarray) -> int:
    return int(np.bincount((times - times[0]) // NS_PER_S).max()) if len(times) else 0


def _percentiles(values: np.ndarray, shares: tuple[int, ...]) -> tuple[float, ...] | None:
    return tuple(float(value) for value in np.percentile(values, shares)) if len(values) else None


def _return_std(touches: Touches) -> float | None:
    times = touches.ts_ns
    if len(times) < 2 or not times[-1] - times[0] > 2 * NS_PER_S:
        return None
    grid = np.arange(times[0], times[-1], NS_PER_S)
    mids = touches.mid_px[np.searchsorted(times, grid, side="right") - 1]
    return float(np.diff(np.log(mids)).std() / BPS)


def _lags(data: np.ndarray, wall_offset_ns: int | None) -> tuple[float, ...] | None:
    timed = data[(data["kind"] != EventKind.BBO) & (data["exch_ts_ns"] > 0)]
    if wall_offset_ns is None or not len(timed):
        return None
    lag_ms = (timed["local_ts_ns"] + wall_offset_ns - timed["exch_ts_ns"]) / NS_PER_MS
    return (float(np.median(lag_ms)), float(np.percentile(lag_ms, 99)), float(lag_ms.max()))
