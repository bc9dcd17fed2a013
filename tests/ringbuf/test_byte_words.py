"""Bytes found and digits read by words: a worked word, the slow search as oracle, the edges of a byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringbuf.atomics import address_of
from ringbuf.byte_words import (
    are_digits,
    byte_at,
    first_marked,
    marks_below,
    marks_from,
    marks_of,
    marks_of_no_digit,
    number_of,
    right_aligned_digits,
    shift_left,
    trailing_zero_digits,
    word_at,
)
from ringbuf.jit import kernel

EDGES = [0, 1, 0x1F, 0x20, 0x22, 0x2F, 0x30, 0x39, 0x3A, 0x5C, 0x7E, 0x7F, 0x80, 0x81, 0xA2, 0xDC, 0xFE, 0xFF]
words = st.lists(st.sampled_from(EDGES) | st.integers(0, 255), min_size=8, max_size=8).map(bytes)


def word_of(text: bytes) -> int:
    return int.from_bytes(text, "little", signed=True)


def first(text: bytes, wanted: set[int]) -> int:
    return next((at for at, byte in enumerate(text) if byte in wanted), 8)


def test_a_worked_word() -> None:
    text = np.frombuffer(b'x83757.0"', np.uint8)
    word, byte = loaded(text, 1)
    assert byte == ord("8")
    assert word == word_of(b'83757.0"')
    assert first_marked(marks_of(word, ord("."))) == 5
    digits = right_aligned_digits(word, 5)
    assert are_digits(digits)
    assert number_of(digits) == 83_757
    assert not are_digits(right_aligned_digits(word, 6))
    assert first_marked(0) == 8


@kernel
def loaded(text: np.ndarray, at: int) -> tuple[int, int]:
    """Word and byte at an index."""
    return word_at(address_of(text), at), byte_at(address_of(text), at)


@kernel
def shifted(word: int, bits: int) -> int:
    """As a kernel does it."""
    return shift_left(word, bits)


@given(words, st.sampled_from(EDGES[:12]))
def test_the_first_byte_is_found_where_a_slow_search_finds_it(text: bytes, byte: int) -> None:
    assert first_marked(marks_of(word_of(text), byte)) == first(text, {byte})
    assert first_marked(marks_of_no_digit(word_of(text))) == first(text, set(range(256)) - set(b"0123456789"))


@given(words, st.integers(1, 127))
def test_limits_are_exact(text: bytes, limit: int) -> None:
    assert first_marked(marks_below(word_of(text), limit)) == first(text, set(range(limit)))
    assert first_marked(marks_from(word_of(text), limit)) == first(text, set(range(limit, 256)))


@given(st.from_regex(r"[0-9]{1,8}", fullmatch=True), st.binary(min_size=8, max_size=8))
def test_digits_are_read_whatever_follows(text: str, rest: bytes) -> None:
    digits = right_aligned_digits(word_of((text.encode() + rest)[:8]), len(text))
    assert are_digits(digits)
    assert number_of(digits) == int(text)
    zeros = len(text) - len(text.rstrip("0"))
    assert trailing_zero_digits(digits) == (zeros if int(text) else 8)


@given(words, st.integers(1, 8))
def test_what_is_no_digit_is_seen_in_every_place(text: bytes, count: int) -> None:
    assert are_digits(right_aligned_digits(word_of(text), count)) == text[:count].isdigit()


@pytest.mark.parametrize("bits", [0, 1, 7, 63])
def test_a_shift_drops_what_leaves_the_word(bits: int) -> None:
    word = word_of(b"\x01\xff\x80\x7f\x00\xaa\x55\xc3")
    assert shifted(word, bits) % (1 << 64) == (word << bits) % (1 << 64)
