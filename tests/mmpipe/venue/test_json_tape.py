"""The tape of a JSON text: a worked example, the standard library as oracle, bounds and refusals."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.json_tape import (
    ARRAY,
    DEPTH_MAX,
    FALSE,
    MALFORMED,
    NULL,
    NUMBER,
    OBJECT,
    STRING,
    TOKEN,
    TOO_LONG,
    TRUE,
    integer,
    member,
    name_of,
    new_tape,
    padded,
    read_tape,
    text_of,
)
from ringbuf.atomics import address_of

TAPE = new_tape()


def read(text: bytes, tape: np.ndarray = TAPE) -> int:
    return read_tape(padded(text), tape)


def value_at(text: bytes, token: int) -> Any:
    # What the tape says, put together again.
    kind, start, stop, end = (int(TAPE[token][name]) for name in ("kind", "start", "stop", "next"))
    if kind == OBJECT:
        found: dict[str, Any] = {}
        at = token + 1
        while at < end:
            assert TAPE["kind"][at] == STRING
            found[text[TAPE["start"][at] : TAPE["stop"][at]].decode()] = value_at(text, at + 1)
            at = int(TAPE["next"][at + 1])
        return found
    if kind == ARRAY:
        items, at = [], token + 1
        while at < end:
            items.append(value_at(text, at))
            at = int(TAPE["next"][at])
        return items
    if kind == STRING:
        return json.loads(text[start - 1 : stop + 1])
    return {TRUE: True, FALSE: False, NULL: None}[kind] if kind != NUMBER else json.loads(text[start:stop])


def test_a_worked_tape() -> None:
    text = b'{"a":[1,"x"],"px":null}'
    assert read(text) == 7
    assert TAPE["kind"][:7].tolist() == [OBJECT, STRING, ARRAY, NUMBER, STRING, STRING, NULL]
    assert TAPE["next"][:7].tolist() == [7, 2, 5, 4, 5, 6, 7]
    assert member(TAPE, 0, name_of(b"px")) == 6
    assert member(TAPE, 0, name_of(b"a")) == 2
    assert member(TAPE, 0, name_of(b"p")) == 0
    assert member(TAPE, 2, name_of(b"a")) == 0
    raw = padded(text)
    assert integer(address_of(raw), TAPE[3]) == 1
    assert text_of(address_of(raw), TAPE[4]) == name_of(b"x")
    assert [text_of(address_of(raw), TAPE[token]) for token in (0, 3)] == [MALFORMED] * 2
    assert [integer(address_of(raw), TAPE[token]) for token in (0, 4, 6)] == [MALFORMED] * 3


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126, blacklist_characters='"\\'), max_size=9)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain, inner, max_size=4),
    max_leaves=25,
)


@given(values, st.sampled_from([None, 1]))
def test_it_holds_what_the_text_says(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent).encode()
    count = read(text)
    assert count > 0
    assert TAPE["next"][0] == count
    assert value_at(text, 0) == value


@given(values, st.data())
def test_damage_is_found_where_the_standard_library_finds_it(value: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.sampled_from([b"", b",", b"}", b"]", b'"', b"0", b":"])
    )
    try:
        json.loads(bytes(text), strict=True)
        sound = True
    except ValueError:
        sound = False
    if sound:
        assert read(bytes(text)) != 0
    elif b"\\" not in text and b"Infinity" not in text:  # escapes are not judged
        assert read(bytes(text)) == MALFORMED


BROKEN = [
    b"", b" ", b"{", b"[1,]", b'{"a":1,}', b'{"a"}', b"nul", b"01", b"1.", b"-", b"1e", b'"a',
    '["é"]'.encode(), b'["\x7f"]', b'{"a":1}x', b"[1 2]", b'{"a\\u0041":1}', b"\xff", b'"\x01"', b"NaN",
    b'["\\', b'["\\"', b'{"a', b'{"a":', b"[tru", b"-", b"[1", b'{"eight_by', b'["eight_by', b"{}\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_refusals(text: bytes) -> None:
    assert read(text) == MALFORMED


@pytest.mark.parametrize("zeros", [0, 1, 8, 15])
def test_a_text_without_its_padding_is_refused(zeros: int) -> None:
    assert read_tape(np.frombuffer(b'{"a":1}' + bytes(zeros), np.uint8), TAPE) == MALFORMED
    assert read_tape(np.zeros(zeros, np.uint8), TAPE) == MALFORMED


def test_depth_and_tokens_are_bounded() -> None:
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert read(deepest) == DEPTH_MAX
    assert read(b"[" + deepest + b"]") == MALFORMED
    assert read(b"[" * 1_000_000) == MALFORMED
    assert read(b"[" + b"1," * 9 + b"1]", np.zeros(12, TOKEN)) == 11
    assert read(b"[" + b"1," * 9 + b"1]", np.zeros(11, TOKEN)) == TOO_LONG
    assert read(b'{"a":1,"b":2}', np.zeros(5, TOKEN)) == TOO_LONG


INTEGERS = [
    (b"0", 0), (b"999999999999999999", 10**18 - 1), (b"1000000000000000000", -1),
    (b"-1", -1), (b"1.0", -1), (b"1e3", -1), (b'"1"', -1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), INTEGERS)
def test_integers_of_the_venues(text: bytes, value: int) -> None:
    body = b"[" + text + b"]"
    assert read(body) == 2
    text = padded(body)
    assert integer(address_of(text), TAPE[1]) == value


@given(st.binary(max_size=8), st.binary(max_size=8))
def test_names_are_told_apart(one: bytes, other: bytes) -> None:
    if one.strip(b"\x00") and other.strip(b"\x00"):
        assert (name_of(one) == name_of(other)) == (one.rstrip(b"\x00") == other.rstrip(b"\x00"))


@given(st.binary(min_size=9, max_size=30), st.data())
def test_one_changed_letter_of_a_long_name_is_seen(name: bytes, data: st.DataObject) -> None:
    other = bytearray(name)
    at = data.draw(st.integers(0, len(name) - 1))
    other[at] ^= data.draw(st.integers(1, 255))
    assert name_of(bytes(other)) != name_of(name)
    text = b'["' + bytes(33 + byte % 90 if byte % 90 not in (1, 59) else 65 for byte in name) + b'"]'
    body = padded(text)
    assert read_tape(body, TAPE) == 2
    assert text_of(address_of(body), TAPE[1]) == name_of(text[2:-2])
