"""What kernels are told of a table and its limits, as the row of integers that they read.

Must not live here: what they make of it.
"""

from __future__ import annotations

import ctypes
from typing import Any

from shp_core.limits import Limits
from shp_core.reading.scan.kernels import layout


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
    """The facts, in the order of `kernels.layout`.

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
    told = (ctypes.c_int64 * layout.FACTS)()
    told[layout.WIDTH], told[layout.MAX_ROWS], told[layout.HEADER] = width, most_rows, header
    told[layout.ROW_LIMIT], told[layout.COLUMN_LIMIT] = limits.rows, limits.columns
    told[layout.TEXT_CHARS], told[layout.TOKEN_BYTES] = limits.text_chars, limits.token_bytes
    told[layout.DATED], told[layout.STRINGS], told[layout.PREFIXES] = dated, strings, prefixes
    told[layout.DATE1904] = date1904
    return told
