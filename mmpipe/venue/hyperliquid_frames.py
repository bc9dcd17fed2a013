"""The kernel behind `HyperliquidDecoder`: one frame of `l2Book`, `bbo`, `trades` or `activeAssetCtx` as rows.

A message is read from its tape in whatever order the venue writes its members, judged whole, and only then
remembered: block time and content per stream, ids of trades.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import Counter, EventFlag, EventKind, Side, StreamKind, Venue
from mmpipe.records import EVENT
from mmpipe.risk.seen_trades import SEEN, first_sight
from mmpipe.venue import hyperliquid_names as wire_names
from mmpipe.venue.decimal_scan import as_float, as_ticks, decimal, signed_decimal
from mmpipe.venue.frame_decoder import MESSAGE, NAMES, NOTHING_HEARD, TAPE, close, put, symbol_of
from mmpipe.venue.json_tape import (
    ARRAY,
    NULL,
    OBJECT,
    STRING,
    TOO_LONG,
    TRUE,
    integer,
    member,
    padded,
    read_tape,
    text_of,
)
from ringbuf.atomics import address_of
from ringbuf.jit import example, kernel

NS_PER_MS: Final = 1_000_000
HOUR_MS: Final = 3_600_000
FUNDING_HOURS: Final = 8  # the venue pays hourly, rates are compared per eight hours
FUNDING_RATE_MAX: Final = 0.04  # the venue's cap per hour
LEVELS_MAX: Final = 256  # EVENT.level is one byte; the venue shows 20
TIME_MS_MAX: Final = 9_000_000_000_000
TID_MAX: Final = 1 << 56
STREAMS: Final = 6  # len(StreamKind)

STREAM = np.dtype(  # per symbol and StreamKind
    [
        ("newest_ms", "i8"),  # block time of the newest message of this connection; 0: none
        ("content", "i8"),  # what it said, folded
        ("live_from_ms", "i8"),  # TRADES: what is older is history; 0: no message yet
        ("arriving_ms", "i8"),  # TRADES: newest block time of the message under way
    ],
    align=True,
)

_MALFORMED: Final = -int(Counter.MALFORMED)
_BAD_NUMBER: Final = -int(Counter.BAD_NUMBER)
_OVERSIZED: Final = -int(Counter.OVERSIZED)
_OUT_OF_ORDER: Final = -int(Counter.OUT_OF_ORDER)
_DUPLICATE: Final = -int(Counter.DUPLICATES)
_CROSSED: Final = -int(Counter.CROSSED_BOOKS)
_REJECT: Final = -int(Counter.REJECTS)
_LATE_TRADES: Final = int(Counter.OUT_OF_ORDER)
_SEEN_TRADES: Final = int(Counter.DUPLICATES)
_REPLAYED: Final = int(Counter.REPLAYED)
_BBO: Final = int(StreamKind.BBO)
_TRADES: Final = int(StreamKind.TRADES)
_BOOK_FAST: Final = int(StreamKind.BOOK_FAST)
_BOOK_FULL: Final = int(StreamKind.BOOK_FULL)
_CONTEXT: Final = int(StreamKind.CONTEXT)
_KIND_BBO: Final = int(EventKind.BBO)
_KIND_TRADE: Final = int(EventKind.TRADE)
_KIND_CLEAR: Final = int(EventKind.BOOK_CLEAR)
_KIND_DELTA: Final = int(EventKind.BOOK_DELTA)
_KIND_FUNDING: Final = int(EventKind.FUNDING)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)
_FAST: Final = int(EventFlag.FAST)
_LAST: Final = int(EventFlag.LAST)
_HISTORY: Final = int(EventFlag.HISTORY)
_MAKER: Final = int(Venue.MAKER)
_FOLD: Final = (1 << 48) - 1

assert len(StreamKind) == STREAMS


class Wire(NamedTuple):
    """All that is needed to judge a frame, but the frame.

    Attributes
    ----------
    tape : ndarray of TOKEN
        Room for the frame's tokens.
    names, decimals : ndarray, shape (symbols,)
        Of the configured coins: NAMES, decimals of a tick.
    streams : ndarray of STREAM, shape (symbols, STREAMS)
        What was heard so far; changed when the frame is used.
    message : ndarray of MESSAGE, shape (1,)
        Gets stream and symbol.
    rows : ndarray of EVENT
        Written from index 0.
    """

    tape: np.ndarray
    names: np.ndarray
    decimals: np.ndarray
    streams: np.ndarray
    message: np.ndarray
    rows: np.ndarray


@kernel
def read_frame(
    frame: np.ndarray, wire: Wire, seen: np.ndarray, counters: np.ndarray, local_ts_ns: int
) -> int:
    """EVENT rows of one frame.

    Parameters
    ----------
    frame : ndarray of uint8
        The message, `padded`.
    wire : Wire
        What is known, and where the rows go.
    seen : ndarray of SEEN, shape (1,)
        Trade ids known; changed when the frame is used.
    counters : ndarray of int64
        Trades dropped as repeated or late are counted.
    local_ts_ns : int
        Time of receipt.

    Returns
    -------
    int
        Number of rows, or minus the Counter of the refusal.
    """
    tape = wire.tape
    wire.message[0]["stream"] = NOTHING_HEARD
    count, text = read_tape(frame, tape), address_of(frame)
    if count < 0 or tape[0]["kind"] != OBJECT:  # token 0 is what is missing: neither string nor number
        return _OVERSIZED if count == TOO_LONG else _MALFORMED
    channel = text_of(text, tape[member(tape, 0, wire_names.CHANNEL)])
    data = member(tape, 0, wire_names.DATA)
    if channel == wire_names.BBO:
        return _read_bbo(text, wire, data, local_ts_ns)
    if channel == wire_names.TRADES:
        count = _read_trades(text, wire, data, local_ts_ns)
        return count if count < 0 else _new_trades(wire.rows, count, wire.streams, seen, counters)
    if channel == wire_names.L2BOOK:
        return _read_book(text, wire, data, local_ts_ns)
    if channel == wire_names.ACTIVEASSETCTX:
        return _read_context(text, wire, data, local_ts_ns)
    if channel == wire_names.ERROR:
        return _REJECT
    if channel == wire_names.SUBSCRIPTIONRESPONSE:
        return _begin_stream(text, wire, data)
    return 0 if channel == wire_names.PONG else _MALFORMED


@kernel
def _begin_stream(text: int, wire: Wire, data: int) -> int:
    # A subscription is confirmed: its stream begins anew, what comes next may be older or a replay.
    tape = wire.tape
    wanted = member(tape, data, wire_names.SUBSCRIPTION)
    if text_of(text, tape[member(tape, data, wire_names.METHOD)]) != wire_names.SUBSCRIBE:
        return 0
    symbol = symbol_of(text, tape[member(tape, wanted, wire_names.COIN)], wire.names)
    kind = text_of(text, tape[member(tape, wanted, wire_names.TYPE)])
    if symbol >= 0 and kind == wire_names.BBO:
        _forget(wire.streams[symbol, _BBO])
    elif symbol >= 0 and kind == wire_names.TRADES:
        _forget(wire.streams[symbol, _TRADES])
    elif symbol >= 0 and kind == wire_names.L2BOOK:
        fast = tape[member(tape, wanted, wire_names.FAST)]["kind"] == TRUE
        _forget(wire.streams[symbol, _BOOK_FAST if fast else _BOOK_FULL])
    return 0


@kernel
def _forget(stream: np.void) -> None:
    stream["newest_ms"] = stream["content"] = stream["live_from_ms"] = stream["arriving_ms"] = 0


@kernel
def _begin(text: int, wire: Wire, data: int, stream: int) -> int:
    # Block time of a message about one of our coins; MALFORMED without.
    symbol = symbol_of(text, wire.tape[member(wire.tape, data, wire_names.COIN)], wire.names)
    time_ms = integer(text, wire.tape[member(wire.tape, data, wire_names.TIME)])
    if symbol < 0 or not 0 < time_ms < TIME_MS_MAX:
        return _MALFORMED
    wire.message[0]["stream"], wire.message[0]["symbol"] = stream, symbol
    return time_ms


@kernel
def _accept(wire: Wire, count: int, time_ms: int, local_ts_ns: int) -> int:
    # Judges the order of a message of one stream by its block time, and closes its rows.
    symbol = wire.message[0]["symbol"]
    stream = wire.streams[symbol, wire.message[0]["stream"]]
    content = 0
    for at in range(count):
        row = wire.rows[at]
        content = (content * 31 + (row["px_tick"] & _FOLD) * 7 + int(row["qty"] * 1e6)) & _FOLD
    if time_ms < stream["newest_ms"]:
        return _OUT_OF_ORDER
    if time_ms == stream["newest_ms"] and content == stream["content"]:
        return _DUPLICATE
    stream["newest_ms"], stream["content"] = time_ms, content
    return close(wire.rows, count, local_ts_ns, time_ms * NS_PER_MS, _MAKER, symbol)


@kernel
def _level(text: int, tape: np.ndarray, token: int, decimals: int, row: np.void) -> int:
    # Price and size of {"px","sz"} into a row; 0 or the refusal. No `Wire` here: handing one on counts its
    # arrays, which takes longer than the level.
    px, sz = tape[member(tape, token, wire_names.PX)], tape[member(tape, token, wire_names.SZ)]
    if px["kind"] != STRING or sz["kind"] != STRING:
        return _MALFORMED
    digits, places = decimal(text, px)
    tick = as_ticks(digits, places, decimals)
    qty_digits, qty_places = decimal(text, sz)
    if not (tick > 0 and qty_digits > 0):
        return _BAD_NUMBER
    put(row, _KIND_DELTA, 0, tick, as_float(digits, places), as_float(qty_digits, qty_places), 0)
    return 0


@kernel
def _read_bbo(text: int, wire: Wire, data: int, local_ts_ns: int) -> int:
    tape, rows = wire.tape, wire.rows
    sides = member(tape, data, wire_names.BBO)
    if sides == 0 or tape[sides]["kind"] != ARRAY:
        return _MALFORMED
    time_ms = _begin(text, wire, data, _BBO)
    if time_ms < 0:
        return time_ms
    if len(rows) < 2:
        return _OVERSIZED
    decimals = wire.decimals[wire.message[0]["symbol"]]
    token = sides + 1
    for index in range(2):
        if token >= tape[sides]["next"]:
            return _MALFORMED
        if tape[token]["kind"] == NULL:
            put(rows[index], _KIND_BBO, 0, 0, 0.0, 0.0, 0)
        else:
            refusal = _level(text, tape, token, decimals, rows[index])
            if refusal < 0:
                return refusal
        rows[index]["kind"], rows[index]["side"] = _KIND_BBO, _BUY if index == 0 else _SELL
        token = tape[token]["next"]
    if token != tape[sides]["next"]:
        return _MALFORMED
    bid, ask = rows[0]["px_tick"], rows[1]["px_tick"]
    if bid > 0 and ask > 0 and not bid < ask:
        return _CROSSED
    return _accept(wire, 2, time_ms, local_ts_ns)


@kernel
def _read_book(text: int, wire: Wire, data: int, local_ts_ns: int) -> int:
    tape, rows = wire.tape, wire.rows
    sides, fast = member(tape, data, wire_names.LEVELS), member(tape, data, wire_names.FAST)
    if sides == 0 or tape[sides]["kind"] != ARRAY:
        return _MALFORMED
    kind = _BOOK_FAST if fast > 0 and tape[fast]["kind"] == TRUE else _BOOK_FULL
    time_ms = _begin(text, wire, data, kind)
    if time_ms < 0:
        return time_ms
    if len(rows) < 1:
        return _OVERSIZED
    put(rows[0], _KIND_CLEAR, 0, 0, 0.0, 0.0, 0)
    asks = tape[sides + 1]["next"]
    if sides + 1 == tape[sides]["next"] or asks == tape[sides]["next"]:
        return _MALFORMED
    bids_end = _read_levels(text, wire, sides + 1, 1, _BUY)
    count = _read_levels(text, wire, asks, bids_end, _SELL) if bids_end > 0 else bids_end
    if count < 0:
        return count
    if tape[asks]["next"] != tape[sides]["next"]:
        return _MALFORMED
    if 1 < bids_end < count and not rows[1]["px_tick"] < rows[bids_end]["px_tick"]:
        return _CROSSED
    if kind == _BOOK_FAST:
        for at in range(count):
            rows[at]["flags"] = _FAST
    return _accept(wire, count, time_ms, local_ts_ns)


@kernel
def _read_levels(text: int, wire: Wire, side_token: int, count: int, side: int) -> int:
    # Rows of one side from `count` on; returns their end, or the refusal.
    tape, rows = wire.tape, wire.rows
    if tape[side_token]["kind"] != ARRAY:
        return _MALFORMED
    decimals = wire.decimals[wire.message[0]["symbol"]]
    token, level = side_token + 1, 0
    while token < tape[side_token]["next"]:
        if level == LEVELS_MAX or count == len(rows):
            return _OVERSIZED
        refusal = _level(text, tape, token, decimals, rows[count])
        if refusal < 0:
            return refusal
        if level > 0 and not side * (rows[count - 1]["px_tick"] - rows[count]["px_tick"]) > 0:
            return _CROSSED  # levels must leave the touch
        rows[count]["side"], rows[count]["level"] = side, level
        count, level, token = count + 1, level + 1, tape[token]["next"]
    return count


@kernel
def _read_trades(text: int, wire: Wire, data: int, local_ts_ns: int) -> int:
    # All trades of the message as rows, complete but for what depends on earlier messages.
    tape = wire.tape
    if data == 0 or tape[data]["kind"] != ARRAY:
        return _MALFORMED
    count, token = 0, data + 1
    while token < tape[data]["next"]:
        time_ms = _begin(text, wire, token, _TRADES)
        tid = integer(text, tape[member(tape, token, wire_names.TID)])
        side = text_of(text, tape[member(tape, token, wire_names.SIDE)])
        if time_ms < 0 or not 0 <= tid < TID_MAX or not (side == wire_names.A or side == wire_names.B):
            return _MALFORMED
        if count == len(wire.rows):
            return _OVERSIZED
        refusal = _level(text, tape, token, wire.decimals[wire.message[0]["symbol"]], wire.rows[count])
        if refusal < 0:
            return refusal
        row = wire.rows[count]
        row["kind"], row["remote_seq"] = _KIND_TRADE, tid
        row["side"] = _BUY if side == wire_names.B else _SELL
        row["seq"], row["local_ts_ns"], row["exch_ts_ns"] = 0, local_ts_ns, time_ms * NS_PER_MS
        row["venue"], row["symbol"] = _MAKER, wire.message[0]["symbol"]
        count, token = count + 1, tape[token]["next"]
    return count


@kernel
def _new_trades(
    rows: np.ndarray, count: int, streams: np.ndarray, seen: np.ndarray, counters: np.ndarray
) -> int:
    # Keeps the trades that were not seen before; flags the replay of a new subscription as history.
    kept = 0
    for at in range(count):
        row = rows[at]
        stream = streams[row["symbol"], _TRADES]
        time_ms = row["exch_ts_ns"] // NS_PER_MS
        history = stream["live_from_ms"] == 0 or time_ms < stream["live_from_ms"]
        stream["arriving_ms"] = max(stream["arriving_ms"], time_ms)
        if not first_sight(seen, row["symbol"], row["remote_seq"] + 1):
            counters[_REPLAYED if history else _SEEN_TRADES] += 1
        elif not history and time_ms < stream["newest_ms"]:
            counters[_LATE_TRADES] += 1
        else:
            row["flags"] = _HISTORY if history else 0
            if kept < at:
                rows[kept] = row
            kept += 1
    for symbol in range(len(streams)):
        stream = streams[symbol, _TRADES]
        if stream["arriving_ms"] > 0:
            stream["newest_ms"] = max(stream["newest_ms"], stream["arriving_ms"])
            if stream["live_from_ms"] == 0:
                stream["live_from_ms"] = stream["arriving_ms"]
            stream["arriving_ms"] = 0
    if kept > 0:
        rows[kept - 1]["flags"] |= _LAST
    return kept


@kernel
def _read_context(text: int, wire: Wire, data: int, local_ts_ns: int) -> int:
    tape = wire.tape
    symbol = symbol_of(text, tape[member(tape, data, wire_names.COIN)], wire.names)
    context = member(tape, data, wire_names.CTX)
    token = member(tape, context, wire_names.FUNDING) if context > 0 else 0
    if symbol < 0 or token == 0 or tape[token]["kind"] != STRING:
        return _MALFORMED
    if len(wire.rows) < 1:
        return _OVERSIZED
    digits, places, sign = signed_decimal(text, tape[token])
    rate = sign * as_float(digits, places)
    if digits < 0 or not abs(rate) <= FUNDING_RATE_MAX:
        return _BAD_NUMBER
    # The message carries no time; before any other message the settlement is unknown and 0.
    newest_ms = 0
    for index in range(len(wire.streams)):
        for stream in range(STREAMS):
            newest_ms = max(newest_ms, wire.streams[index, stream]["newest_ms"])
    next_ms = (newest_ms // HOUR_MS + 1) * HOUR_MS if newest_ms > 0 else 0
    wire.message[0]["stream"], wire.message[0]["symbol"] = _CONTEXT, symbol
    put(wire.rows[0], _KIND_FUNDING, 0, 0, rate * FUNDING_HOURS, 0.0, 0)
    wire.rows[0]["remote_seq"] = next_ms * NS_PER_MS
    return close(wire.rows, 1, local_ts_ns, 0, _MAKER, symbol)


@example(read_frame)
def example_arguments() -> tuple[object, ...]:
    """What the kernel is compiled for."""
    wire = Wire(
        TAPE, np.zeros(1, NAMES), np.zeros(1, np.int64),
        np.zeros((1, STREAMS), STREAM), np.zeros(1, MESSAGE), np.zeros(1, EVENT),
    )  # fmt: skip
    return padded(b"{}"), wire, np.zeros(1, SEEN), np.zeros(len(Counter), np.int64), 0
