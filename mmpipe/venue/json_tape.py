"""JSON text as a flat tape of tokens: checked once from end to end, then walked without searching.

    {"a":[1,"x"]}   →   object  string  array  number  string
                        next=5  (key)   next=5            each token knows its text and what follows its value

A container is followed by what it holds, a key by its value; `next` of a token is the first token after its
value, so that a value nobody wants is passed over in one step. Only the structure is judged here: strings
stay as they are on the wire, numbers become integers or decimals where they are read. Text is ASCII, as all
market data is, and names are plain: another byte is damage.
Depth, tokens and length are bounded.

References
----------
RFC 8259. The idea of a tape: Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019.
"""

from typing import Final

import numpy as np

from ringbuf.jit import example, kernel

TOKENS_MAX: Final = 131_072  # of one message; the largest legal frame has about 90,000
DEPTH_MAX: Final = 48
MALFORMED: Final = -1
TOO_LONG: Final = -2

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
_TILDE: Final = 126
_BASE: Final = 257
_MASK: Final = (1 << 56) - 1
_ZERO: Final = 48
_NINE: Final = 57


def name_of(letters: bytes) -> int:
    """A name as the tape knows it: folded into 56 bits, one to one up to six letters."""
    name = 0
    for letter in letters:
        name = (name * _BASE + letter) & _MASK
    return name


def new_tape() -> np.ndarray:
    """Room for the tokens of one message, shape (TOKENS_MAX,), TOKEN."""
    return np.zeros(TOKENS_MAX, TOKEN)


@kernel
def read_tape(text: np.ndarray, tape: np.ndarray) -> int:
    """Tokenise one JSON value.

    Parameters
    ----------
    text : ndarray of uint8
        The whole message.
    tape : ndarray of TOKEN
        Filled from index 0; `tape[0]` is the message.

    Returns
    -------
    int
        Number of tokens; MALFORMED: not one JSON value, TOO_LONG: more tokens than the tape holds.
    """
    opened = 0  # token of the innermost open container + 1; while open, its `next` holds its parent
    in_object = False  # whether that container is an object
    depth = count = 0
    at = _space(text, 0)
    while True:
        if in_object:
            at = _key(text, at, tape, count)
            if at < 0:
                return at
            count += 1
        if count + 1 >= len(tape):
            return TOO_LONG
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
            if depth == DEPTH_MAX or at == len(text):
                return MALFORMED
            depth += 1
            token["next"], opened, in_object = opened, count, kind == OBJECT
            if text[at] != (_CLOSE_OBJECT if in_object else _CLOSE_ARRAY):
                continue
        # A value has ended: close what ends with it, or go on to the next one.
        while opened > 0:
            if at >= len(text):
                return MALFORMED
            byte = text[at]
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
            return count if at == len(text) else MALFORMED


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
def text_of(text: np.ndarray, tape: np.ndarray, token: int) -> int:
    """A string value folded as `name_of` folds; MALFORMED when it is no string, or `token` is 0."""
    if token == 0 or tape[token]["kind"] != STRING:
        return MALFORMED
    name = 0
    for at in range(tape[token]["start"], tape[token]["stop"]):
        name = (name * _BASE + int(text[at])) & _MASK
    return name


@kernel
def integer(text: np.ndarray, tape: np.ndarray, token: int) -> int:
    """A JSON integer >= 0 of at most 18 digits; MALFORMED for anything else, or when `token` is 0."""
    if token == 0 or tape[token]["kind"] != NUMBER:
        return MALFORMED
    start, stop = tape[token]["start"], tape[token]["stop"]
    if stop - start > 18 or (stop - start > 1 and text[start] == _ZERO):
        return MALFORMED
    value = 0
    for at in range(start, stop):
        digit = int(text[at]) - _ZERO
        if not 0 <= digit <= 9:
            return MALFORMED
        value = value * 10 + digit
    return value


@kernel
def _space(text: np.ndarray, at: int) -> int:
    while at < len(text) and (text[at] == 32 or text[at] == 10 or text[at] == 13 or text[at] == 9):
        at += 1
    return at


@kernel
def _key(text: np.ndarray, at: int, tape: np.ndarray, count: int) -> int:
    # Writes the token of a member's name; returns where its value begins, or MALFORMED or TOO_LONG.
    if at >= len(text) or text[at] != _QUOTE:
        return MALFORMED
    if count + 1 >= len(tape):
        return TOO_LONG
    start = stop = at + 1
    name = 0
    while stop < len(text) and text[stop] != _QUOTE:
        byte = int(text[stop])
        if byte < _SPACE or byte > _TILDE or byte == _BACKSLASH:
            return MALFORMED  # no name of ours needs an escape
        name = (name * _BASE + byte) & _MASK
        stop += 1
    token = tape[count]
    token["kind"], token["name"] = STRING, name
    token["start"], token["stop"], token["next"] = start, stop, count + 1
    at = _space(text, stop + 1)
    if at >= len(text) or text[at] != _COLON:
        return MALFORMED
    return _space(text, at + 1)


@kernel
def _value(text: np.ndarray, at: int) -> tuple[int, int]:
    # Kind and end of a scalar; a container ends behind its bracket.
    if at >= len(text):
        return NULL, MALFORMED
    first = text[at]
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
def _string(text: np.ndarray, at: int) -> int:
    # Behind the closing quote of the string that opens at `at`.
    at += 1
    while at < len(text):
        byte = text[at]
        if byte == _QUOTE:
            return at + 1
        if byte < _SPACE or byte > _TILDE:
            return MALFORMED
        at += 2 if byte == _BACKSLASH else 1
    return MALFORMED


@kernel
def _number(text: np.ndarray, at: int) -> int:
    # -? digits (. digits)? (e sign? digits)?
    if text[at] == _MINUS:
        at += 1
    whole = at
    at = _digits(text, at)
    if at == whole or (at - whole > 1 and text[whole] == _ZERO):
        return MALFORMED
    if at < len(text) and text[at] == 46:
        fraction = at + 1
        at = _digits(text, fraction)
        if at == fraction:
            return MALFORMED
    if at < len(text) and (text[at] == 101 or text[at] == 69):
        at += 1
        if at < len(text) and (text[at] == 43 or text[at] == _MINUS):
            at += 1
        exponent = at
        at = _digits(text, exponent)
        if at == exponent:
            return MALFORMED
    return at


@kernel
def _digits(text: np.ndarray, at: int) -> int:
    while at < len(text) and _ZERO <= text[at] <= _NINE:
        at += 1
    return at


@kernel
def _is_word(text: np.ndarray, at: int, word: bytes) -> bool:
    if at + len(word) > len(text):
        return False
    for index in range(len(word)):  # noqa: SIM110  (a generator does not compile)
        if text[at + index] != word[index]:
            return False
    return True


@example(read_tape)
def _read_tape_example() -> tuple[object, ...]:
    return np.frombuffer(b"{}", np.uint8), np.zeros(4, TOKEN)
