"""The scan's kernels as plain Python: the same source, not compiled, so that each function can be asked by itself.

Bytes come in as `bytes` (their items are Python's integers, which never overflow), what is written goes to a `bytearray`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

_PACKAGE = "shp_core.reading.scan.kernels"
PADDING = bytes(64)
"""Zero bytes behind whatever a kernel reads, as its driver puts them there."""


def _as_it_is(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return np.errstate(over="ignore")  # words of 64 bits may overflow, as they do in native code


def _load(array: bytes, at: int) -> Any:
    return np.uint64(int.from_bytes(array[at : at + 8], "little"))


def _store(array: bytearray, at: int, word: Any) -> None:
    array[at : at + 8] = int(word).to_bytes(8, "little")


def _zeros_below(word: Any) -> int:
    return (int(word) & -int(word)).bit_length() - 1 if word else 64


_INSTRUCTIONS = {"load": _load, "store": _store, "zeros_below": _zeros_below}


@cache
def plain(name: str) -> ModuleType:
    """A module of kernels, not compiled.

    Args:
        name: such as `texts`.
    """
    kept = {found: module for found, module in sys.modules.items() if not found.startswith(_PACKAGE)}
    intrinsic = SimpleNamespace(intrinsic=lambda function: _INSTRUCTIONS[function.__name__])
    stand_in = SimpleNamespace(njit=_as_it_is, carray=lambda array, shape: array, extending=intrinsic)
    with mock.patch.dict(sys.modules, {**kept, "numba": stand_in}, clear=True):
        return importlib.import_module(f"{_PACKAGE}.{name}")


class Bytes(bytes):
    """Bytes that know their shape, as arrays do."""

    @property
    def shape(self) -> tuple[int]:
        """Their number."""
        return (len(self),)


class Room(bytearray):
    """The same to write to."""

    @property
    def shape(self) -> tuple[int]:
        """Their number."""
        return (len(self),)


class Numbers(list[int]):
    """Numbers of which a part takes one for all, as arrays do."""

    def __setitem__(self, place: object, value: object) -> None:
        if isinstance(place, slice):
            value = [value] * len(self)
        super().__setitem__(place, value)  # type: ignore[index, assignment]


def padded(text: str | bytes) -> Bytes:
    """What a kernel reads: UTF-8 with zeros behind it."""
    return Bytes((text.encode() if isinstance(text, str) else text) + PADDING)
