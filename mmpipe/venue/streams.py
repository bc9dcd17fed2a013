"""What is known of every stream and market: heard, silent, contradicted; and what to do about it.

    stream   NEVER ─▶ SYNCING ─▶ LIVE ⇄ STALE          one subscription: venue, symbol, kind
                         ▲         │ proof of a loss
                         └─ asked ─┴─▶ GAPPED
    market   LIVE while its touch is younger than its contract and nothing proves a loss

The *touch* of a market is confirmed by every message that states best prices; its cadence is learned over
all of them together, its limit is the market's contract: no quote stands on an older touch. The maker's
books come by the clock and its best quotes only when they change, so each checks the other: a book whose
touch differs from an older best quote proves that a best quote was lost, a hole in a book's rhythm that a
book was. A stream that is silent for too long, or proved wrong, is asked for anew; one that does not answer
costs its connection.

Everything here is a function of messages and times; sockets, records and boards are the feed stage's.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.boards import STREAM_KINDS
from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import FeedConfig
from mmpipe.enums import EventKind, FeedState, Side, StreamKind, Venue
from mmpipe.records import EVENT
from mmpipe.venue.cadence import CADENCE, LIMITS, beat, is_silent, pause
from ringbuf.jit import example, kernel

KINDS: Final = 6  # STREAM_KINDS
VENUES: Final = 2
UNANSWERED_MAX: Final = 2  # requests for a stream without an answer that cost the connection
DOUBLINGS_MAX: Final = 6  # of the time between two requests
ASK_INTERVAL_NS: Final = 1_000_000_000  # at least between two requests for a stream, doubled by each
RELIEF_NS: Final = 10_000_000_000
DOWN: Final = -1
AT_ONCE: Final = 0
SKIPPED_BEATS_MAX: Final = 4  # a longer hole in a rhythm is a change of it
HOLE: Final = 1.6  # beats without a message that prove one lost
MEMORY: Final = 256  # intervals a cadence is learned from; of a rhythm: 32
RHYTHM_MEMORY: Final = 32
RHYTHM_QUANTILE: Final = 0.9  # of so few intervals the highest quantiles are single accidents

RHYTHMS: Final = (StreamKind.BOOK_FAST, StreamKind.BOOK_FULL, StreamKind.CONTEXT, StreamKind.DEPTH)

ASK, DROP, SAY = 1, 2, 3  # Action.what: subscribe anew, give the connection up, publish the market's state

STREAM = np.dtype(
    [
        ("subscribed", "i8"),
        ("state", "i8"),  # FeedState
        ("messages", "i8"),
        ("missed", "i8"),  # messages proved lost
        ("asked_ts_ns", "i8"),  # when it was subscribed last, monotonic; DOWN: its connection is lost
        ("asked", "i8"),  # times it was subscribed anew
        ("unanswered", "i8"),  # … since its newest message
        ("patience", "i8"),  # doublings of the time to the next request; falls by one every RELIEF_NS
        ("patience_ts_ns", "i8"),  # when it was last raised: a connection in between changes nothing
        ("exch_ts_ns", "i8"),  # newest venue time of this connection; 0: none
    ],
    align=True,
)
MARKET = np.dtype(
    [
        ("state", "i8"),  # FeedState
        ("exch_ts_ns", "i8"),  # newest venue time of a message that stated best prices
        ("bid_tick", "i8"),  # newest best quotes of this connection; 0: none
        ("ask_tick", "i8"),
        ("contradicted_ts_ns", "i8"),  # when a book first disagreed with them; 0: it does not
        ("contradicted_exch_ns", "i8"),  # block time of that book
    ],
    align=True,
)
ACTION = np.dtype([("what", "i8"), ("venue", "i8"), ("symbol", "i8"), ("kind", "i8")], align=True)
RULES = np.dtype([("first_ns", "i8"), ("contradiction_ns", "i8")], align=True)

_NEVER: Final = int(FeedState.NEVER)
_SYNCING: Final = int(FeedState.SYNCING)
_LIVE: Final = int(FeedState.LIVE)
_STALE: Final = int(FeedState.STALE)
_GAPPED: Final = int(FeedState.GAPPED)
_MAKER: Final = int(Venue.MAKER)
_BBO: Final = int(StreamKind.BBO)
_FAST: Final = int(StreamKind.BOOK_FAST)
_FULL: Final = int(StreamKind.BOOK_FULL)
_CONTEXT: Final = int(StreamKind.CONTEXT)
_DEPTH: Final = int(StreamKind.DEPTH)
_KIND_BBO: Final = int(EventKind.BBO)
_KIND_DELTA: Final = int(EventKind.BOOK_DELTA)
_KIND_GAP: Final = int(EventKind.GAP)
_BUY: Final = int(Side.BUY)

assert len(StreamKind) == KINDS == STREAM_KINDS
assert len(Venue) == VENUES


class Streams(NamedTuple):
    """State of all streams and markets, arrays indexed by venue, symbol and kind."""

    streams: np.ndarray  # (VENUES, symbols, KINDS) STREAM
    cadences: np.ndarray  # (VENUES, symbols, KINDS) CADENCE
    limits: np.ndarray  # (VENUES, KINDS) LIMITS
    markets: np.ndarray  # (VENUES, symbols) MARKET
    touches: np.ndarray  # (VENUES, symbols) CADENCE of all messages that state best prices
    touch_limits: np.ndarray  # (VENUES,) LIMITS
    rules: np.ndarray  # (1,) RULES
    actions: np.ndarray  # (·,) ACTION, written by `judge`


def new_streams(symbols: int, subscribed: dict[Venue, tuple[StreamKind, ...]], feed: FeedConfig) -> Streams:
    """Nothing heard yet.

    Parameters
    ----------
    symbols : int
        Number of markets per venue.
    subscribed : dict
        The streams a venue is asked for.
    feed : FeedConfig
        Bounds.
    """
    limits: np.ndarray = np.repeat(touch_limits(feed)[:, np.newaxis], KINDS, axis=1)
    limits["max_ns"] = int(feed.silence_max_s * NS_PER_S)
    rhythms = [int(kind) for kind in RHYTHMS]
    limits["memory"][:, rhythms], limits["quantile"][:, rhythms] = RHYTHM_MEMORY, RHYTHM_QUANTILE
    rules = np.zeros(1, RULES)
    rules["first_ns"] = feed.first_message_timeout_ms * NS_PER_MS
    rules["contradiction_ns"] = feed.contradiction_ms * NS_PER_MS
    streams = np.zeros((VENUES, symbols, KINDS), STREAM)
    for venue, kinds in subscribed.items():
        streams["subscribed"][int(venue)][:, [int(kind) for kind in kinds]] = 1
    return Streams(
        streams, np.zeros((VENUES, symbols, KINDS), CADENCE), limits, np.zeros((VENUES, symbols), MARKET),
        np.zeros((VENUES, symbols), CADENCE), touch_limits(feed), rules,
        np.zeros(VENUES * symbols * (KINDS + 1), ACTION),
    )  # fmt: skip


def touch_limits(feed: FeedConfig) -> np.ndarray:
    """What the contract of a market's touch is made of, shape (VENUES,), LIMITS."""
    limits = np.zeros(VENUES, LIMITS)
    limits["quantile"], limits["ratio"] = feed.silence_quantile, feed.silence_ratio
    limits["min_ns"], limits["memory"] = feed.stale_min_ms * NS_PER_MS, MEMORY
    limits["max_ns"] = np.array([feed.maker_stale_max_ms, feed.lead_stale_max_ms]) * NS_PER_MS
    return limits


@kernel
def on_connection(table: Streams, venue: int, kinds: np.ndarray, state: int, ts_ns: int) -> None:
    """A connection was subscribed (SYNCING) or lost (GAPPED).

    Parameters
    ----------
    table : Streams
        Changed in place.
    venue, state : int
        Whose, and which FeedState.
    kinds : ndarray of bool, shape (KINDS,)
        The streams it carries.
    ts_ns : int
        Monotonic.
    """
    for symbol in range(table.streams.shape[1]):
        for kind in range(KINDS):
            stream = table.streams[venue, symbol, kind]
            if kinds[kind] and stream["subscribed"] == 1:
                stream["state"], stream["exch_ts_ns"], stream["unanswered"] = state, 0, 0
                stream["asked_ts_ns"] = ts_ns if state == _SYNCING else DOWN
                pause(table.cadences[venue, symbol, kind])
        market = table.markets[venue, symbol]
        if kinds[_BBO]:
            market["state"] = state
            market["bid_tick"] = market["ask_tick"] = market["contradicted_ts_ns"] = 0
            pause(table.touches[venue, symbol])


@kernel
def void_market(table: Streams, venue: int, symbol: int) -> None:
    """The book of a market turned out wrong: its streams are asked for at once, nothing is live before."""
    for kind in range(KINDS):
        stream = table.streams[venue, symbol, kind]
        books = kind == _DEPTH or kind == _FAST or kind == _FULL or (kind == _BBO and venue == _MAKER)
        if books and stream["subscribed"] == 1 and stream["asked_ts_ns"] != DOWN:
            stream["state"], stream["asked_ts_ns"] = _GAPPED, AT_ONCE
    table.markets[venue, symbol]["state"] = _SYNCING
    table.markets[venue, symbol]["contradicted_ts_ns"] = 0
    pause(table.touches[venue, symbol])


@kernel
def on_message(
    table: Streams, venue: int, symbol: int, kind: int, rows: np.ndarray, count: int, ts_ns: int
) -> tuple[int, bool]:
    """A frame was recognised.

    Parameters
    ----------
    table : Streams
        Changed in place.
    venue, symbol, kind : int
        Which stream.
    rows : ndarray of EVENT
        Its first `count` rows are what became of it; none when there was nothing new.
    ts_ns : int
        Time of receipt, monotonic.

    Returns
    -------
    missed : int
        Messages it proves lost.
    changed : bool
        The state of its market is another one from now on.
    """
    stream, market = table.streams[venue, symbol, kind], table.markets[venue, symbol]
    before = stream["state"]
    stream["messages"] += 1
    stream["unanswered"] = 0
    stream["state"] = _LIVE
    beat(table.cadences[venue, symbol, kind], ts_ns, table.limits[venue, kind])
    if count == 0 and kind == _DEPTH:
        stream["state"] = _SYNCING  # waits for its snapshot
    elif count > 0 and int(rows[0]["kind"]) == _KIND_GAP:
        stream["state"] = _GAPPED
    if stream["state"] != _LIVE and before == _LIVE:
        stream["asked_ts_ns"] = ts_ns
    if count == 0 or stream["state"] != _LIVE:
        return 0, False
    missed = _skipped(table, venue, symbol, kind, rows[0]["exch_ts_ns"])
    stream["missed"] += missed
    stream["exch_ts_ns"] = max(stream["exch_ts_ns"], rows[0]["exch_ts_ns"])
    if kind == _BBO:
        _take_quote(market, rows)
    elif kind == _FAST:  # on the same socket: nothing can be under way
        _compare(table, symbol, rows, count, ts_ns)
    elif kind != _FULL and kind != _DEPTH:
        return missed, False
    if 0 < rows[0]["exch_ts_ns"] < market["exch_ts_ns"]:
        return missed, False  # overtaken on the way: it confirms nothing
    market["exch_ts_ns"] = max(market["exch_ts_ns"], rows[0]["exch_ts_ns"])
    beat(table.touches[venue, symbol], ts_ns, table.touch_limits[venue])
    # A maker's market begins with a book, a lead's with best prices; once begun, both confirm it.
    begun = market["state"] == _LIVE or market["state"] == _STALE
    begins = kind == _FAST or kind == _FULL if venue == _MAKER else kind == _BBO
    return missed, (begun or begins) and _judge_market(table, venue, symbol, ts_ns)


@kernel
def judge(table: Streams, now_ns: int) -> int:
    """Judge all streams and markets by the clock.

    Parameters
    ----------
    table : Streams
        Changed in place; `actions` is written: ASK and DROP for streams, SAY for a market whose state is
        another one than before.
    now_ns : int
        Monotonic.

    Returns
    -------
    int
        Number of actions.
    """
    count = 0
    for venue in range(VENUES):
        for symbol in range(table.streams.shape[1]):
            _judge_quotes(table, venue, symbol, now_ns)
            for kind in range(KINDS):
                what = _judge_stream(table, venue, symbol, kind, now_ns)
                if what != 0:
                    _act(table.actions[count], what, venue, symbol, kind)
                    count += 1
            market = table.markets[venue, symbol]["state"]
            if (market == _LIVE or market == _STALE) and _judge_market(table, venue, symbol, now_ns):
                _act(table.actions[count], SAY, venue, symbol, _BBO)
                count += 1
    return count


@kernel
def _act(action: np.void, what: int, venue: int, symbol: int, kind: int) -> None:
    action["what"], action["venue"], action["symbol"], action["kind"] = what, venue, symbol, kind


@kernel
def _skipped(table: Streams, venue: int, symbol: int, kind: int, exch_ts_ns: int) -> int:
    # Beats of a rhythm that the venue's own times show were left out; FAST books alone come by the clock.
    before_ns = table.streams[venue, symbol, kind]["exch_ts_ns"]
    typical_ns = table.cadences[venue, symbol, kind]["typical_ns"]
    if kind != _FAST or before_ns == 0 or typical_ns == 0:
        return 0
    beats = (exch_ts_ns - before_ns) / typical_ns
    return int(beats + 0.5) - 1 if HOLE <= beats <= SKIPPED_BEATS_MAX else 0


@kernel
def _take_quote(market: np.void, rows: np.ndarray) -> None:
    market["bid_tick"], market["ask_tick"] = rows[0]["px_tick"], rows[1]["px_tick"]
    if rows[0]["exch_ts_ns"] >= market["contradicted_exch_ns"]:
        market["contradicted_ts_ns"] = 0


@kernel
def _compare(table: Streams, symbol: int, rows: np.ndarray, count: int, ts_ns: int) -> None:
    # A book as new as the best quotes, or newer, must have their prices.
    quotes, market = table.streams[_MAKER, symbol, _BBO], table.markets[_MAKER, symbol]
    if quotes["exch_ts_ns"] == 0 or rows[0]["exch_ts_ns"] < quotes["exch_ts_ns"]:
        return
    bid = ask = 0
    for at in range(1, count):
        if int(rows[at]["level"]) == 0 and int(rows[at]["kind"]) == _KIND_DELTA:
            if int(rows[at]["side"]) == _BUY:
                bid = rows[at]["px_tick"]
            else:
                ask = rows[at]["px_tick"]
    if bid == market["bid_tick"] and ask == market["ask_tick"]:
        market["contradicted_ts_ns"] = 0
    elif market["contradicted_ts_ns"] == 0:
        market["contradicted_ts_ns"], market["contradicted_exch_ns"] = ts_ns, rows[0]["exch_ts_ns"]


@kernel
def _judge_quotes(table: Streams, venue: int, symbol: int, now_ns: int) -> None:
    # The best quotes that would settle a contradiction did not come: they were lost.
    market, quotes = table.markets[venue, symbol], table.streams[venue, symbol, _BBO]
    since_ns = market["contradicted_ts_ns"]
    if since_ns > 0 and now_ns - since_ns > table.rules[0]["contradiction_ns"]:
        market["contradicted_ts_ns"] = 0
        quotes["state"], quotes["asked_ts_ns"] = _GAPPED, AT_ONCE
        quotes["missed"] += 1


@kernel
def _judge_stream(table: Streams, venue: int, symbol: int, kind: int, now_ns: int) -> int:
    stream, cadence = table.streams[venue, symbol, kind], table.cadences[venue, symbol, kind]
    if stream["subscribed"] == 0 or stream["state"] == _NEVER or stream["asked_ts_ns"] == DOWN:
        return 0  # its connection is down and comes back by itself
    if stream["state"] == _LIVE:
        if not is_silent(cadence, now_ns):
            return 0
        stream["state"] = _STALE
    since_ns = now_ns - stream["asked_ts_ns"]
    patience = max(stream["patience"] - (now_ns - stream["patience_ts_ns"]) // RELIEF_NS, 0)
    wait_ns = ASK_INTERVAL_NS << min(patience, DOUBLINGS_MAX)
    if stream["state"] == _SYNCING or stream["unanswered"] > 0:  # an answer is under way
        wait_ns = table.rules[0]["first_ns"] << min(stream["unanswered"], DOUBLINGS_MAX)
    if stream["asked_ts_ns"] != AT_ONCE and since_ns <= wait_ns:
        return 0
    stream["patience"], stream["patience_ts_ns"] = patience + 1, now_ns
    pause(cadence)  # what answers a request says nothing of the stream's own rhythm
    stream["asked_ts_ns"] = now_ns
    stream["asked"] += 1
    stream["unanswered"] += 1
    # Quotes and trades may have nothing to say; the maker's books and context answer every subscription.
    answers = venue == _MAKER and (kind == _FAST or kind == _FULL or kind == _CONTEXT)
    return DROP if answers and stream["unanswered"] > UNANSWERED_MAX else ASK


@kernel
def _judge_market(table: Streams, venue: int, symbol: int, now_ns: int) -> bool:
    # True when the state is another one from now on.
    market, quotes = table.markets[venue, symbol], table.streams[venue, symbol, _BBO]
    before = market["state"]
    fresh = not is_silent(table.touches[venue, symbol], now_ns) and quotes["state"] != _GAPPED
    market["state"] = _LIVE if fresh else _STALE
    return market["state"] != before


def _example_table() -> Streams:
    return Streams(
        np.zeros((VENUES, 1, KINDS), STREAM), np.zeros((VENUES, 1, KINDS), CADENCE),
        np.zeros((VENUES, KINDS), LIMITS), np.zeros((VENUES, 1), MARKET), np.zeros((VENUES, 1), CADENCE),
        np.zeros(VENUES, LIMITS), np.zeros(1, RULES), np.zeros(16, ACTION),
    )  # fmt: skip


@example(on_connection)
def _on_connection_example() -> tuple[object, ...]:
    return _example_table(), 0, np.zeros(KINDS, np.bool_), 0, 0


@example(void_market)
def _void_market_example() -> tuple[object, ...]:
    return _example_table(), 0, 0


@example(on_message)
def _on_message_example() -> tuple[object, ...]:
    return _example_table(), 0, 0, 0, np.zeros(2, EVENT), 0, 0


@example(judge)
def _judge_example() -> tuple[object, ...]:
    return _example_table(), 0
