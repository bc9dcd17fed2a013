"""The kernel behind `BinanceDecoder`: one frame of best quotes, trades, depth or a depth snapshot as rows.

A frame comes bare or wrapped as `{"stream": …, "data": …}` and is recognised by its body: the spot market's
best quotes carry neither type nor time. Ids order best quotes and trades per symbol; depth is numbered by
ranges, which `binance_depth` chains.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import Counter, EventKind, Side, StreamKind
from mmpipe.records import EVENT
from mmpipe.venue.decimal_scan import BAD, as_float, as_ticks, decimal, nearest_tick
from mmpipe.venue.frame_decoder import MESSAGE, NAMES, NOTHING_HEARD, TAPE, close, put, symbol_of
from mmpipe.venue.json_tape import (
    ARRAY,
    OBJECT,
    STRING,
    TOO_LONG,
    TRUE,
    integer,
    member,
    name_of,
    padded,
    read_tape,
    text_of,
)
from ringbuf.atomics import address_of
from ringbuf.jit import example, kernel

NS_PER_MS: Final = 1_000_000
TIME_MS_MAX: Final = 9_000_000_000_000
BEST, PRINT, AGGREGATE = range(3)  # numberings of a symbol
NUMBERINGS: Final = 3
NO_ID: Final = -1

_A: Final = name_of(b"a")
_AGGREGATE: Final = name_of(b"aggTrade")
_ASK_QTY: Final = name_of(b"A")
_ASKS: Final = name_of(b"asks")
_B: Final = name_of(b"b")
_BEST: Final = name_of(b"bookTicker")
_BID_QTY: Final = name_of(b"B")
_BIDS: Final = name_of(b"bids")
_BUYER_IS_MAKER: Final = name_of(b"m")
_DATA: Final = name_of(b"data")
_DIFF: Final = name_of(b"depthUpdate")
_ERROR: Final = name_of(b"error")
_EVENT: Final = name_of(b"e")
_EVENT_MS: Final = name_of(b"E")
_FIRST_ID: Final = name_of(b"U")
_ID: Final = name_of(b"id")
_LAST_ID: Final = name_of(b"u")
_LAST_UPDATE_ID: Final = name_of(b"lastUpdateId")
_PREVIOUS_ID: Final = name_of(b"pu")
_PRICE: Final = name_of(b"p")
_PRINT: Final = name_of(b"trade")
_QTY: Final = name_of(b"q")
_STREAM: Final = name_of(b"stream")
_SYMBOL: Final = name_of(b"s")
_SYMBOL_NAME: Final = name_of(b"symbol")
_TRADE_ID: Final = name_of(b"t")
_TRADE_MS: Final = name_of(b"T")

_MALFORMED: Final = -int(Counter.MALFORMED)
_BAD_NUMBER: Final = -int(Counter.BAD_NUMBER)
_OVERSIZED: Final = -int(Counter.OVERSIZED)
_OUT_OF_ORDER: Final = -int(Counter.OUT_OF_ORDER)
_DUPLICATE: Final = -int(Counter.DUPLICATES)
_CROSSED: Final = -int(Counter.CROSSED_BOOKS)
_REJECT: Final = -int(Counter.REJECTS)
_MISSED: Final = int(Counter.MISSED)
_STREAM_BBO: Final = int(StreamKind.BBO)
_STREAM_TRADES: Final = int(StreamKind.TRADES)
_STREAM_DEPTH: Final = int(StreamKind.DEPTH)
_KIND_BBO: Final = int(EventKind.BBO)
_KIND_TRADE: Final = int(EventKind.TRADE)
_KIND_CLEAR: Final = int(EventKind.BOOK_CLEAR)
_KIND_DELTA: Final = int(EventKind.BOOK_DELTA)
_BUY: Final = int(Side.BUY)
_SELL: Final = int(Side.SELL)


class Wire(NamedTuple):
    """All that is needed to judge a frame, but the frame.

    Attributes
    ----------
    tape : ndarray of TOKEN
        Room for the frame's tokens.
    names, decimals : ndarray, shape (symbols,)
        NAMES as the venue writes them; decimals of a tick.
    last_ids : ndarray of int64, shape (symbols, NUMBERINGS)
        Newest id of each numbering, NO_ID before the first; changed when the frame is used.
    message : ndarray of MESSAGE, shape (1,)
        Gets stream, symbol and the ids of a depth message.
    rows : ndarray of EVENT
        Written from index 0.
    """

    tape: np.ndarray
    names: np.ndarray
    decimals: np.ndarray
    last_ids: np.ndarray
    message: np.ndarray
    rows: np.ndarray


@kernel
def read_frame(frame: np.ndarray, wire: Wire, venue: int, counters: np.ndarray, local_ts_ns: int) -> int:
    """EVENT rows of one frame.

    Parameters
    ----------
    frame : ndarray of uint8
        The message, `padded`.
    wire : Wire
        What is known, and where the rows go.
    venue : int
        Venue of the rows.
    counters : ndarray of int64
        Aggregate trades known lost by their numbers are counted as MISSED.
    local_ts_ns : int
        Time of receipt.

    Returns
    -------
    int
        Number of rows, or minus the Counter of the refusal. Rows of depth are not yet chained.
    """
    text, tape = address_of(frame), wire.tape
    said = wire.message[0]
    said["stream"], said["last_id"], said["answer_id"] = NOTHING_HEARD, NO_ID, NO_ID
    count = read_tape(frame, tape)
    if count < 0 or tape[0]["kind"] != OBJECT:  # token 0 is what is missing: neither string nor number
        return _OVERSIZED if count == TOO_LONG else _MALFORMED
    if member(tape, 0, _ERROR) > 0:
        return _REJECT
    body = member(tape, 0, _DATA) if member(tape, 0, _STREAM) > 0 else 0
    if (member(tape, 0, _STREAM) > 0 and body == 0) or tape[body]["kind"] != OBJECT:
        return _MALFORMED
    event = text_of(text, tape[member(tape, body, _EVENT)])
    if event == _BEST or (event < 0 and member(tape, body, _BID_QTY) > 0):
        return _read_best(text, wire, body, venue, local_ts_ns)
    if event == _DIFF:
        return _read_diff(text, wire, body, venue, local_ts_ns)
    if event == _AGGREGATE:
        return _read_trade(text, wire, body, AGGREGATE, venue, counters, local_ts_ns)
    if event == _PRINT:
        return _read_trade(text, wire, body, PRINT, venue, counters, local_ts_ns)
    if member(tape, body, _LAST_UPDATE_ID) > 0:
        return _read_snapshot(text, wire, body, venue, local_ts_ns)
    if body > 0 or member(tape, 0, _ID) == 0:
        return _MALFORMED
    wire.message[0]["answer_id"] = integer(text, tape[member(tape, 0, _ID)])
    return 0


@kernel
def _begin(text: int, wire: Wire, body: int, stream: int, id_name: int) -> int:
    # Id of a message about one of our symbols; MALFORMED without.
    symbol = symbol_of(text, wire.tape[member(wire.tape, body, _SYMBOL)], wire.names)
    number = integer(text, wire.tape[member(wire.tape, body, id_name)])
    if symbol < 0 or number < 0:
        return _MALFORMED
    wire.message[0]["stream"], wire.message[0]["symbol"] = stream, symbol
    return number


@kernel
def _order(wire: Wire, numbering: int, number: int) -> int:
    # 0 when the message is the next of its numbering, or why it is not.
    last = wire.last_ids[wire.message[0]["symbol"], numbering]
    if number < last:
        return _OUT_OF_ORDER
    return _DUPLICATE if number == last else 0


@kernel
def _time_ms(text: int, wire: Wire, body: int, name: int) -> int:
    # A wall time; 0 where the venue sends none, MALFORMED where it is none.
    token = member(wire.tape, body, name)
    if token == 0:
        return 0
    time_ms = integer(text, wire.tape[token])
    return time_ms if time_ms < TIME_MS_MAX else _MALFORMED


@kernel
def _quote(text: int, wire: Wire, px: int, qty: int, at: int, side: int) -> int:
    # One side's price and quantity, to the nearest tick, into a row; 0 or the refusal.
    tape = wire.tape
    if px == 0 or qty == 0 or tape[px]["kind"] != STRING or tape[qty]["kind"] != STRING:
        return _MALFORMED
    digits, places = decimal(text, tape[px])
    qty_digits, qty_places = decimal(text, tape[qty])
    tick = nearest_tick(digits, places, wire.decimals[wire.message[0]["symbol"]])
    if not (digits > 0 and qty_digits > 0 and tick != BAD):
        return _BAD_NUMBER
    put(wire.rows[at], _KIND_BBO, side, tick, as_float(digits, places), as_float(qty_digits, qty_places), 0)
    return 0


@kernel
def _read_best(text: int, wire: Wire, body: int, venue: int, local_ts_ns: int) -> int:
    tape, rows = wire.tape, wire.rows
    number = _begin(text, wire, body, _STREAM_BBO, _LAST_ID)
    time_ms = _time_ms(text, wire, body, _TRADE_MS)
    if number < 0 or time_ms < 0:
        return _MALFORMED
    if len(rows) < 2:
        return _OVERSIZED
    refusal = _order(wire, BEST, number)
    if refusal == 0:
        refusal = _quote(text, wire, member(tape, body, _B), member(tape, body, _BID_QTY), 0, _BUY)
    if refusal == 0:
        refusal = _quote(text, wire, member(tape, body, _A), member(tape, body, _ASK_QTY), 1, _SELL)
    if refusal < 0:
        return refusal
    if not rows[0]["px"] < rows[1]["px"]:
        return _CROSSED
    symbol = wire.message[0]["symbol"]
    rows[0]["remote_seq"] = rows[1]["remote_seq"] = number
    wire.last_ids[symbol, BEST] = number
    return close(rows, 2, local_ts_ns, time_ms * NS_PER_MS, venue, symbol)


@kernel
def _read_trade(
    text: int, wire: Wire, body: int, numbering: int, venue: int, counters: np.ndarray, local_ts_ns: int
) -> int:
    tape, rows = wire.tape, wire.rows
    number = _begin(text, wire, body, _STREAM_TRADES, _A if numbering == AGGREGATE else _TRADE_ID)
    time_ms = _time_ms(text, wire, body, _TRADE_MS)
    maker = member(tape, body, _BUYER_IS_MAKER)
    if number < 0 or not time_ms > 0 or maker == 0 or not TRUE <= tape[maker]["kind"] <= TRUE + 1:
        return _MALFORMED
    if len(rows) < 1:
        return _OVERSIZED
    refusal = _order(wire, numbering, number)
    side = _SELL if tape[maker]["kind"] == TRUE else _BUY
    if refusal == 0:
        refusal = _quote(text, wire, member(tape, body, _PRICE), member(tape, body, _QTY), 0, side)
    if refusal < 0:
        return refusal
    symbol = wire.message[0]["symbol"]
    last = wire.last_ids[symbol, numbering]
    if numbering == AGGREGATE and last != NO_ID:
        counters[_MISSED] += number - last - 1  # aggregate trades are numbered without holes
    wire.last_ids[symbol, numbering] = number
    rows[0]["kind"], rows[0]["remote_seq"] = _KIND_TRADE, number
    return close(rows, 1, local_ts_ns, time_ms * NS_PER_MS, venue, symbol)


@kernel
def _read_diff(text: int, wire: Wire, body: int, venue: int, local_ts_ns: int) -> int:
    tape = wire.tape
    last_id = _begin(text, wire, body, _STREAM_DEPTH, _LAST_ID)
    first_id = integer(text, tape[member(tape, body, _FIRST_ID)])
    previous = member(tape, body, _PREVIOUS_ID)
    previous_id = integer(text, tape[previous]) if previous > 0 else NO_ID
    time_ms = _time_ms(text, wire, body, _TRADE_MS)
    if time_ms == 0:
        time_ms = _time_ms(text, wire, body, _EVENT_MS)
    if last_id < 0 or first_id < 0 or not time_ms > 0 or (previous > 0 and previous_id < 0):
        return _MALFORMED
    count = _read_levels(text, wire, member(tape, body, _B), 0, _BUY, last_id)
    if count >= 0:
        count = _read_levels(text, wire, member(tape, body, _A), count, _SELL, last_id)
    if count < 0:
        return count
    row = wire.message[0]
    row["first_id"], row["last_id"], row["previous_id"] = first_id, last_id, previous_id
    return close(wire.rows, count, local_ts_ns, time_ms * NS_PER_MS, venue, row["symbol"])


@kernel
def _read_snapshot(text: int, wire: Wire, body: int, venue: int, local_ts_ns: int) -> int:
    tape, name = wire.tape, member(wire.tape, body, _SYMBOL_NAME)
    symbol = symbol_of(text, tape[name], wire.names) if name > 0 else 0
    last_id = integer(text, tape[member(tape, body, _LAST_UPDATE_ID)])
    time_ms = _time_ms(text, wire, body, _TRADE_MS)
    if last_id < 0 or time_ms < 0 or symbol < 0 or (name == 0 and len(wire.names) != 1):
        return _MALFORMED
    if len(wire.rows) < 1:
        return _OVERSIZED
    row = wire.message[0]
    row["stream"], row["symbol"] = _STREAM_DEPTH, symbol
    put(wire.rows[0], _KIND_CLEAR, 0, 0, 0.0, 0.0, 0)
    wire.rows[0]["remote_seq"] = last_id
    count = _read_levels(text, wire, member(tape, body, _BIDS), 1, _BUY, last_id)
    if count >= 0:
        count = _read_levels(text, wire, member(tape, body, _ASKS), count, _SELL, last_id)
    if count < 0:
        return count
    row["first_id"], row["last_id"], row["previous_id"] = NO_ID, last_id, NO_ID
    return close(wire.rows, count, local_ts_ns, time_ms * NS_PER_MS, venue, symbol)


@kernel
def _read_levels(text: int, wire: Wire, side_token: int, count: int, side: int, last_id: int) -> int:
    # Rows of [["price","quantity"], …] from `count` on; returns their end, or the refusal.
    tape, rows = wire.tape, wire.rows
    if side_token == 0 or tape[side_token]["kind"] != ARRAY:
        return _MALFORMED
    decimals = wire.decimals[wire.message[0]["symbol"]]
    token = side_token + 1
    while token < tape[side_token]["next"]:
        px, qty = token + 1, token + 2
        pair = tape[token]["kind"] == ARRAY and tape[token]["next"] == token + 3
        if not pair or tape[px]["kind"] != STRING or tape[qty]["kind"] != STRING:
            return _MALFORMED
        if count == len(rows):
            return _OVERSIZED
        digits, places = decimal(text, tape[px])
        qty_digits, qty_places = decimal(text, tape[qty])
        tick = as_ticks(digits, places, decimals)
        if not (tick > 0 and qty_digits >= 0):
            return _BAD_NUMBER
        row, px_ = rows[count], as_float(digits, places)
        put(row, _KIND_DELTA, side, tick, px_, as_float(qty_digits, qty_places), 0)
        row["remote_seq"] = last_id
        count, token = count + 1, tape[token]["next"]
    return count


@example(read_frame)
def example_arguments() -> tuple[object, ...]:
    """What the kernel is compiled for."""
    wire = Wire(
        TAPE, np.zeros(1, NAMES), np.zeros(1, np.int64),
        np.zeros((1, NUMBERINGS), np.int64), np.zeros(1, MESSAGE), np.zeros(1, EVENT),
    )  # fmt: skip
    return padded(b"{}"), wire, 0, np.zeros(len(Counter), np.int64), 0
