"""Eight bytes at a time: a comparison, a copy or a number where a loop would take eight steps.

Lives here: the few instructions that Python has no words for, each behind a check of its own bounds, and what is made of
them. Must not live here: what the bytes mean.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from shp_core.reading.scan.kernels.base import inner, integer, numba

_ir: Any = importlib.import_module("llvmlite.ir")
_WORD = _ir.IntType(64)

_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_ZEROS = np.uint64(0x3030_3030_3030_3030)  # eight times the digit 0
_BEYOND_NINE = np.uint64(0x7676_7676_7676_7676)
_HIGH_BITS = np.uint64(0x8080_8080_8080_8080)
_EACH_ONE, _BLANKS = np.uint64(0x0101_0101_0101_0101), np.uint64(0x2020_2020_2020_2020)
_BRACKETS, _BETWEEN_BRACKETS = np.uint64(0x3E3E_3E3E_3E3E_3E3E), np.uint64(0x0202_0202_0202_0202)
_AMPERSANDS, _UNDERSCORES = np.uint64(0x2626_2626_2626_2626), np.uint64(0x5F5F_5F5F_5F5F_5F5F)
_EVERY_FOURTH = np.uint64(0x0000_00FF_0000_00FF)
_TEN, _BYTE, _TWO_BYTES, _HALF = np.uint64(10), np.uint64(8), np.uint64(16), np.uint64(32)
_HUNDREDS, _ONES = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))


def as_word(text: bytes) -> Any:
    """Up to eight bytes as a number, the first one lowest."""
    return np.uint64(int.from_bytes(text, "little"))


@numba.extending.intrinsic
def load(context: Any, array: Any, at: Any) -> Any:
    """The eight bytes at a position of an array, unchecked."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(target, builder, signature, arguments), align=1)

    return numba.types.uint64(array, numba.types.int64), generate


@numba.extending.intrinsic
def store(context: Any, array: Any, at: Any, word: Any) -> Any:
    """Write eight bytes to a position of an array, unchecked."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _pointer(target, builder, signature, arguments), align=1)
        return target.get_dummy_value()

    return numba.types.void(array, numba.types.int64, numba.types.uint64), generate


@numba.extending.intrinsic
def zeros_below(context: Any, word: Any) -> Any:
    """How many of the lowest bits of a word are zero; 64 if all are."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], _ir.Constant(_ir.IntType(1), 0))

    return numba.types.int64(numba.types.uint64), generate


def _pointer(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    data = target.make_array(signature.args[0])(target, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), _WORD.as_pointer())


@inner
def eight(b: Any, at: int) -> Any:
    """The eight bytes at a position, the first one lowest; zeros if they are not all there."""
    if at < 0 or at > b.shape[0] - 8:
        return np.uint64(0)
    return load(b, at)


@inner
def lowest(word: Any, count: int) -> Any:
    """Its first bytes, one to eight of them, and zeros."""
    return word & (_ALL >> np.uint64(64 - 8 * count))


@inner
def digits_in(word: Any) -> int:
    """With how many digits its bytes begin."""
    found = word ^ _ZEROS
    return zeros_below((found + _BEYOND_NINE | found) & _HIGH_BITS) >> 3


@inner
def value_of(word: Any, count: int) -> int:
    """The number that its first bytes spell, one to eight digits."""
    pairs = (word ^ _ZEROS) << np.uint64(64 - 8 * count)
    pairs = pairs * _TEN + (pairs >> _BYTE)
    first, second = pairs & _EVERY_FOURTH, (pairs >> _TWO_BYTES) & _EVERY_FOURTH
    return integer((first * _HUNDREDS + second * _ONES) >> _HALF)


@inner
def ordinary(word: Any) -> int:
    """With how many bytes it begins that mean nothing in a text: printable ASCII but `<`, `>`, `&` and `_`."""
    brackets = (word | _BETWEEN_BRACKETS) ^ _BRACKETS
    other = zero_bytes(brackets) | zero_bytes(word ^ _AMPERSANDS) | zero_bytes(word ^ _UNDERSCORES)
    return zeros_below(other | (((word - _BLANKS) & ~word | word) & _HIGH_BITS)) >> 3


@inner
def zero_bytes(word: Any) -> Any:
    """The highest bit of the first byte that is zero; behind it there may be others."""
    return (word - _EACH_ONE) & ~word & _HIGH_BITS


@inner
def copy(source: Any, start: int, to: Any, at: int, length: int) -> None:
    """Copy bytes; up to fifteen behind them may be written, too, where there is room."""
    room = start >= 0 and at >= 0 and start + length + 16 <= source.shape[0] and at + length + 16 <= to.shape[0]
    if not room:
        for k in range(length):
            to[at + k] = source[start + k]
        return
    done = 0
    while done < length:
        store(to, at + done, load(source, start + done))
        store(to, at + done + 8, load(source, start + done + 8))
        done += 16
