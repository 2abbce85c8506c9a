"""What kernels are told of a table and its limits, as the row of integers that they read.

Must not live here: what they make of it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from shp_core.limits import Limits


def facts(
    limits: Limits,
    *,
    width: int = 0,
    most_rows: int = 0,
    header: int = 0,
    dated: int = 0,
    strings: int = 0,
    date1904: bool = False,
    prefixes: int = 0,
) -> Any:
    """The facts, in the order of `kernels.rows`.

    Args:
        limits: `rows`, `columns`, `text_chars` and `token_bytes` are told.
        width: columns of the header.
        most_rows: rows of the grid.
        header: the header's row number.
        dated: length of the table of dated styles.
        strings: number of shared strings.
        date1904: whether serials count from 1904.
        prefixes: length of the declared prefixes.
    """
    bounds = (limits.rows, limits.columns, limits.text_chars, limits.token_bytes)
    numbers = (width, most_rows, header, *bounds, dated, strings, date1904, prefixes)
    return (ctypes.c_int64 * len(numbers))(*map(int, numbers))
