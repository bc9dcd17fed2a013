"""Eight bytes of a text at a time, for kernels that look for a byte or read digits.

A text is given by its address: an array handed from kernel to kernel is counted each time, and that takes
longer than reading a number. Whoever has the array holds it meanwhile, and sees to it that the bytes are
there. A word holds its first byte lowest. A *mark* is the highest bit of a byte: the lowest mark of a word
says where the first byte is that was looked for; marks above it may be wrong, because a difference borrows
from the byte above. Sums and shifts wrap around here, which numba's own must not.

The Python bodies are what runs without the compiler.

References
----------
Lamport, "Multiple byte processing with full-word instructions", 1975.
"""

import ctypes
from typing import Any

from llvmlite import ir
from numba.core import types

from ringbuf.atomics import lowered
from ringbuf.jit import kernel

WORD_BYTES = 8
ONES = 0x0101010101010101
MARKS = -0x7F7F7F7F7F7F7F80  # 0x8080808080808080 as a signed word
_BITS = 64
_DIGIT_ZEROS = 0x3030303030303030
_ABOVE_NINE = 0x7676767676767676  # carries into the mark of what is above 9
_DIGITS, _PAIRS, _FOURS = 0x000F000F000F000F, 0x0000007F0000007F, 0x3FFF  # every second of each


def _load(bits: int) -> Any:
    def emit(builder: Any, values: Any) -> Any:
        kind, word = ir.IntType(bits), ir.IntType(_BITS)
        pointer = builder.inttoptr(builder.add(*values), kind.as_pointer())
        return builder.zext(builder.load(pointer, align=1, typ=kind), word)

    return emit


def _trailing(builder: Any, values: Any) -> Any:
    return builder.cttz(values[0], ir.Constant(ir.IntType(1), 0))


def _leading(builder: Any, values: Any) -> Any:
    return builder.ctlz(values[0], ir.Constant(ir.IntType(1), 0))


@lowered(_load(_BITS), types.int64, types.int64, types.int64)
def word_at(text: int, at: int) -> int:
    """Bytes `at` to `at` + 7 of the text at an address."""
    return ctypes.c_int64.from_address(int(text) + int(at)).value


@lowered(_load(8), types.int64, types.int64, types.int64)
def byte_at(text: int, at: int) -> int:
    """Byte `at` of the text at an address, 0 to 255."""
    return ctypes.c_uint8.from_address(int(text) + int(at)).value


@lowered(_trailing, types.int64, types.int64)
def _trailing_zeros(word: int) -> int:
    return _BITS if word == 0 else (int(word) & -int(word)).bit_length() - 1


@lowered(_leading, types.int64, types.int64)
def _leading_zeros(word: int) -> int:
    return _BITS - (int(word) % (1 << _BITS)).bit_length()


@lowered(lambda builder, values: builder.add(*values), types.int64, types.int64, types.int64)
def _sum(word: int, other: int) -> int:
    return ctypes.c_int64(int(word) + int(other)).value


@lowered(lambda builder, values: builder.sub(*values), types.int64, types.int64, types.int64)
def _difference(word: int, other: int) -> int:
    return ctypes.c_int64(int(word) - int(other)).value


@lowered(lambda builder, values: builder.shl(*values), types.int64, types.int64, types.int64)
def shift_left(word: int, bits: int) -> int:
    """The word moved up by 0 to 63 bits; what leaves it is gone."""
    return ctypes.c_int64(int(word) << int(bits)).value


@kernel
def first_marked(marks: int) -> int:
    """Index of the lowest byte with a mark, 0 to 7; 8 when none has."""
    return _trailing_zeros(marks) >> 3


@kernel
def marks_of(word: int, byte: int) -> int:
    """Marks where the word has this byte, 0 to 127."""
    other = word ^ (ONES * byte)
    return _difference(other, ONES) & ~other & MARKS


@kernel
def marks_below(word: int, limit: int) -> int:
    """Marks where a byte is below `limit`, 1 to 127."""
    return _difference(word, ONES * limit) & ~word & MARKS


@kernel
def marks_from(word: int, limit: int) -> int:
    """Marks where a byte is `limit` or above, 1 to 127."""
    return (_sum(word, ONES * (128 - limit)) | word) & MARKS


@kernel
def marks_of_no_digit(word: int) -> int:
    """Marks where a byte is no ASCII digit."""
    digits = word ^ _DIGIT_ZEROS
    return (_sum(digits, _ABOVE_NINE) | digits) & MARKS


@kernel
def right_aligned_digits(word: int, count: int) -> int:
    """The first `count` bytes, 1 to 8, as digits 0 to 9 at the upper end; below them zeros."""
    return shift_left(word ^ _DIGIT_ZEROS, _BITS - 8 * count)


@kernel
def are_digits(digits: int) -> bool:
    """Whether all of `right_aligned_digits` were digits."""
    return (_sum(digits, _ABOVE_NINE) | digits) & MARKS == 0


@kernel
def trailing_zero_digits(digits: int) -> int:
    """How many of `right_aligned_digits` at the end are 0; 8 when all are."""
    return _leading_zeros(digits) >> 3


@kernel
def number_of(digits: int) -> int:
    """Value of `right_aligned_digits`, 0 to 99,999,999."""
    # Neighbours are joined three times: digits to pairs, pairs to fours, fours to the number.
    pairs = (digits & _DIGITS) * 10 + ((digits >> 8) & _DIGITS)
    fours = (pairs & _PAIRS) * 100 + ((pairs >> 16) & _PAIRS)
    return (fours & _FOURS) * 10_000 + ((fours >> 32) & _FOURS)
