"""What all kernels share: how they are compiled, and classes of bytes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])

numba: Any = importlib.import_module("numba")  # its annotations do not know all of its options
carray = numba.carray
"""An array over memory from outside."""

integer: Any = np.int64
"""Makes a signed number of 64 bits of another one."""

OPTIONS = {"boundscheck": True, "error_model": "numpy", "nogil": True}
"""Of every kernel. An index beyond its array ends the kernel with a status instead of reading other memory."""


def inner(function: _Function) -> _Function:
    """A function that only kernels call; it is compiled into each of them, which doubles their speed.

    References are not counted: all arrays come from outside.
    """
    compiled: _Function = numba.njit(_nrt=False, forceinline=True, **OPTIONS)(function)
    return compiled


PLAIN, STOP, AMPERSAND, UNDERSCORE, GREATER, HIGH, CONTROL = range(7)


def _classes() -> Any:
    table = np.full(256, PLAIN, np.uint8)
    table[:32] = CONTROL
    table[[9, 10]] = PLAIN
    table[[0, ord("<")]] = STOP
    table[ord("&")], table[ord("_")], table[ord(">")] = AMPERSAND, UNDERSCORE, GREATER
    table[128:] = HIGH
    return table


CLASS = _classes()
"""What a byte is in a text. A carriage return is a control character here: XML would make a line feed of it."""

NAME_START, NAME_NEXT, SPACE = 1, 2, 4


def _markup_classes() -> Any:
    table = np.zeros(256, np.uint8)
    letters = [*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1), ord("_")]
    table[letters] = NAME_START | NAME_NEXT
    table[[*range(ord("0"), ord("9") + 1), ord("-"), ord(".")]] = NAME_NEXT
    table[[9, 10, 13, 32]] = SPACE
    return table


MARKUP = _markup_classes()
"""What a byte is in a tag: may begin a name, may go on in one, is white space."""
