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

_PACKAGE = "shp_core.reading.scan.kernels"
PADDING = bytes(64)
"""Zero bytes behind whatever a kernel reads, as its driver puts them there."""


def _as_it_is(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return lambda function: function


@cache
def plain(name: str) -> ModuleType:
    """A module of kernels, not compiled.

    Args:
        name: such as `texts`.
    """
    kept = {found: module for found, module in sys.modules.items() if not found.startswith(_PACKAGE)}
    stand_in = SimpleNamespace(njit=_as_it_is, carray=lambda array, shape: array)
    with mock.patch.dict(sys.modules, {**kept, "numba": stand_in}, clear=True):
        return importlib.import_module(f"{_PACKAGE}.{name}")


def padded(text: str | bytes) -> bytes:
    """What a kernel reads: UTF-8 with zeros behind it."""
    return (text.encode() if isinstance(text, str) else text) + PADDING
