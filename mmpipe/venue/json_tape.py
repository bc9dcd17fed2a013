"""JSON text as a flat tape of tokens: checked once from end to end, then walked without searching.

    {"a":[1,"x"]}   →   object  string  array  number  string
                        next=5  (key)   next=5            each token knows its text and what follows its value

A container is followed by what it holds, a key by its value; `next` of a token is the first token after its
value, so that a value nobody wants is passed over in one step. Only the structure is judged here: strings
stay as they are on the wire, numbers become integers or decimals where they are read. Text is ASCII, as all
market data is, and names are plain: another byte is damage.
Depth, tokens and length are bounded. Behind the message stand zero bytes, which end whatever is being
read and let strings be read by eight bytes without asking where the text ends; a text goes by its address.

References
----------
RFC 8259. The idea of a tape: Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019.
"""

from typing import Final

import numpy as np

from ringbuf.atomics import address_of
from ringbuf.byte_words import (
    WORD_BYTES,
    byte_at,
    first_marked,
    marks_below,
    marks_from,
    marks_of,
    marks_of_no_digit,
    shift_left,
    word_at,
)
from ringbuf.jit import example, kernel

TOKENS_MAX: Final = 131_072  # of one message; the largest legal frame has about 90,000
DEPTH_MAX: Final = 48
MALFORMED: Final = -1
TOO_LONG: Final = -2
PADDING: Final = bytes(16)  # a word from the first of them, or from behind an escape that the text ends in

OBJECT: Final = 1
ARRAY: Final = 2
STRING: Final = 3
NUMBER: Final = 4
TRUE: Final = 5
FALSE: Final = 6
NULL: Final = 7

TOKEN = np.dtype(
    [
        ("start", "i4"),  # of the text; of a string: after its quote
        ("stop", "i4"),  # behind the text; of a string: its closing quote
        ("next", "i4"),  # first token after this value
        ("kind", "i4"),
        ("name", "i8"),  # of a key: its letters folded, see `name_of`
    ],
    align=True,
)

_QUOTE: Final = 34
_BACKSLASH: Final = 92
_COMMA: Final = 44
_COLON: Final = 58
_OPEN_OBJECT: Final = 123
_CLOSE_OBJECT: Final = 125
_OPEN_ARRAY: Final = 91
_CLOSE_ARRAY: Final = 93
_MINUS: Final = 45
_SPACE: Final = 32
_DELETE: Final = 127
_FOLD_BITS: Final = 5
_FOLD_MASK: Final = (1 << _FOLD_BITS) - 1
_ZERO: Final = 48
_NINE: Final = 57
_PADDING_SIZE: Final = 16
_BYTE: Final = np.dtype("u1")

assert len(PADDING) == _PADDING_SIZE


@kernel
def _fold(name: int, word: int) -> int:
    # Turned, not shifted: no bit of an earlier word is lost.
    return shift_left(name, _FOLD_BITS) ^ (name >> (64 - _FOLD_BITS) & _FOLD_MASK) ^ word


def name_of(letters: bytes) -> int:
    """A name as the tape knows it: its words of eight letters folded into one, one to one up to eight and
    for names that differ in one word."""
    name = 0
    for at in range(0, len(letters), WORD_BYTES):
        word = int.from_bytes(letters[at : at + WORD_BYTES], "little", signed=at + WORD_BYTES <= len(letters))
        name = int(_fold(name, word))
    return name


def padded(message: bytes) -> np.ndarray:
    """A message as kernels read it, uint8: its bytes and `PADDING`."""
    return np.frombuffer(message + PADDING, _BYTE)


def new_tape() -> np.ndarray:
    """Room for the tokens of one message, shape (TOKENS_MAX,), TOKEN."""
    return np.zeros(TOKENS_MAX, TOKEN)


@kernel
def read_tape(padded_text: np.ndarray, tape: np.ndarray) -> int:
    """Tokenise one JSON value.

    Parameters
    ----------
    padded_text : ndarray of uint8
        The whole message, `padded`.
    tape : ndarray of TOKEN
        Filled from index 0; `tape[0]` is the message.

    Returns
    -------
    int
        Number of tokens; MALFORMED: not one JSON value, or not padded; TOO_LONG: too many for the tape.
    """
    text, end = address_of(padded_text), len(padded_text) - _PADDING_SIZE
    if end < 0 or word_at(text, end) != 0 or word_at(text, end + 8) != 0:
        return MALFORMED
    opened = 0  # token of the innermost open container + 1; while open, its `next` holds its parent
    in_object = False  # whether that container is an object
    depth = count = 0
    at = _space(text, 0)
    while True:
        if count + 1 + in_object >= len(tape):
            return TOO_LONG
        if in_object:
            at = _key(text, at, tape[count])
            count += 1
            tape[count - 1]["next"] = count
        kind, stop = _value(text, at)
        if stop < 0:
            return MALFORMED
        token = tape[count]
        count += 1
        token["kind"], token["start"], token["stop"], token["next"] = kind, at, stop, count
        at = _space(text, stop)
        if kind == STRING:
            token["start"] += 1
            token["stop"] -= 1
        elif kind <= ARRAY:
            if depth == DEPTH_MAX:
                return MALFORMED
            depth += 1
            token["next"], opened, in_object = opened, count, kind == OBJECT
            if byte_at(text, at) != (_CLOSE_OBJECT if in_object else _CLOSE_ARRAY):
                continue
        # A value has ended: close what ends with it, or go on to the next one.
        while opened > 0:
            byte = byte_at(text, at)
            at = _space(text, at + 1)
            if byte == _COMMA:
                break
            if byte != (_CLOSE_OBJECT if in_object else _CLOSE_ARRAY):
                return MALFORMED
            holder = tape[opened - 1]
            opened, depth = holder["next"], depth - 1
            holder["next"] = count
            in_object = opened > 0 and tape[opened - 1]["kind"] == OBJECT
        if opened == 0:
            return count if at == end else MALFORMED


@kernel
def member(tape: np.ndarray, holder: int, name: int) -> int:
    """Token of a member's value; 0 when the object has none of that name, or `holder` is no object.

    Parameters
    ----------
    tape : ndarray of TOKEN
        As read.
    holder : int
        Token of the object.
    name : int
        `name_of` the member.
    """
    if tape[holder]["kind"] != OBJECT:
        return 0
    at, end = holder + 1, tape[holder]["next"]
    while at < end:
        if tape[at]["name"] == name:
            return at + 1
        at = tape[at + 1]["next"]
    return 0


@kernel
def text_of(text: int, token: np.void) -> int:
    """A string value folded as `name_of` folds; MALFORMED when it is no string."""
    if token["kind"] != STRING:
        return MALFORMED
    name, at, stop = 0, int(token["start"]), int(token["stop"])
    while stop - at >= WORD_BYTES:
        name, at = _fold(name, word_at(text, at)), at + WORD_BYTES
    return _fold(name, _first_bytes(word_at(text, at), stop - at)) if at < stop else name


@kernel
def integer(text: int, token: np.void) -> int:
    """A JSON integer >= 0 of at most 18 digits; MALFORMED for anything else."""
    if token["kind"] != NUMBER:
        return MALFORMED
    start, stop = int(token["start"]), int(token["stop"])
    if stop - start > 18 or (stop - start > 1 and byte_at(text, start) == _ZERO):
        return MALFORMED
    value = 0
    for at in range(start, stop):
        digit = byte_at(text, at) - _ZERO
        if not 0 <= digit <= 9:
            return MALFORMED
        value = value * 10 + digit
    return value


@kernel
def _first_bytes(word: int, count: int) -> int:
    # The first 0 to 7 bytes of a word.
    return word & ((1 << (8 * count)) - 1)


@kernel
def _space(text: int, at: int) -> int:
    byte = byte_at(text, at)
    while byte <= _SPACE and (byte == _SPACE or byte == 10 or byte == 13 or byte == 9):
        at += 1
        byte = byte_at(text, at)
    return at


@kernel
def _marks(word: int) -> int:
    # What ends a run of plain text: a quote, an escape, or a byte that does not belong there.
    ends = marks_of(word, _QUOTE) | marks_of(word, _BACKSLASH)
    return ends | marks_below(word, _SPACE) | marks_from(word, _DELETE)


@kernel
def _key(text: int, at: int, token: np.void) -> int:
    # Writes the token of a member's name; returns where its value begins, or MALFORMED.
    if byte_at(text, at) != _QUOTE:
        return MALFORMED
    stop, name, size = at + 1, 0, WORD_BYTES
    while size == WORD_BYTES:
        word = word_at(text, stop)
        size = first_marked(_marks(word))
        if size > 0:
            name = _fold(name, word if size == WORD_BYTES else _first_bytes(word, size))
        stop += size
    if byte_at(text, stop) != _QUOTE:
        return MALFORMED  # no name of ours needs an escape
    token["kind"], token["name"], token["start"], token["stop"] = STRING, name, at + 1, stop
    at = _space(text, stop + 1)
    return _space(text, at + 1) if byte_at(text, at) == _COLON else MALFORMED


@kernel
def _value(text: int, at: int) -> tuple[int, int]:
    # Kind and end of a scalar; a container ends behind its bracket. Nothing begins at MALFORMED.
    if at < 0:
        return NULL, MALFORMED
    first = byte_at(text, at)
    if first == _QUOTE:
        return STRING, _string(text, at)
    if first == _OPEN_OBJECT:
        return OBJECT, at + 1
    if first == _OPEN_ARRAY:
        return ARRAY, at + 1
    if first == _MINUS or _ZERO <= first <= _NINE:
        return NUMBER, _number(text, at)
    if _is_word(text, at, b"true"):
        return TRUE, at + 4
    if _is_word(text, at, b"false"):
        return FALSE, at + 5
    if _is_word(text, at, b"null"):
        return NULL, at + 4
    return NULL, MALFORMED


@kernel
def _string(text: int, at: int) -> int:
    # Behind the closing quote of the string that opens at `at`.
    at += 1
    while True:
        size = first_marked(_marks(word_at(text, at)))
        at += size
        if size < WORD_BYTES:
            if byte_at(text, at) == _QUOTE:
                return at + 1
            if byte_at(text, at) != _BACKSLASH or byte_at(text, at + 1) == 0:
                return MALFORMED
            at += 2


@kernel
def _number(text: int, at: int) -> int:
    # -? digits (. digits)? (e sign? digits)?
    if byte_at(text, at) == _MINUS:
        at += 1
    whole = at
    at = _digits(text, at)
    if at == whole or (at - whole > 1 and byte_at(text, whole) == _ZERO):
        return MALFORMED
    if byte_at(text, at) == 46:
        fraction = at + 1
        at = _digits(text, fraction)
        if at == fraction:
            return MALFORMED
    if byte_at(text, at) == 101 or byte_at(text, at) == 69:
        at += 1
        if byte_at(text, at) == 43 or byte_at(text, at) == _MINUS:
            at += 1
        exponent = at
        at = _digits(text, exponent)
        if at == exponent:
            return MALFORMED
    return at


@kernel
def _digits(text: int, at: int) -> int:
    size = WORD_BYTES
    while size == WORD_BYTES:
        size = first_marked(marks_of_no_digit(word_at(text, at)))
        at += size
    return at


@kernel
def _is_word(text: int, at: int, word: bytes) -> bool:
    for index in range(len(word)):  # noqa: SIM110  (a generator does not compile)
        if byte_at(text, at + index) != word[index]:
            return False
    return True


@example(read_tape)
def _read_tape_example() -> tuple[object, ...]:
    return padded(b"{}"), np.zeros(4, TOKEN)
