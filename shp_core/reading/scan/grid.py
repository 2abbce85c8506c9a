"""The grid that the row kernel fills: some rows of the table, a place for each cell.

Must not live here: what is done with it (`open_cells`, `columns`).
"""

from __future__ import annotations

import ctypes
from typing import Any

from shp_core.reading.scan.status import OPEN, ROWS

_MOST_CELLS = 1 << 18


class Grid:
    """Memory for some rows of a table; each attribute is an array with one entry per cell or per row.

    Attributes:
        rows: rows it has room for.
        kinds: kind letter of a cell, as a byte.
        sources: where its text lies.
        starts: where its text begins there.
        lengths: bytes of its text.
        numbers: sheet row number of a row.
        hidden: whether the sheet hides it.
        holds: what it holds.
        open_cells, open_types, open_styles: the cells that are left open; their place in the grid, type and style.
        state: the kernel's state.

    Args:
        width: columns of the table.
        most_rows: rows of a batch.
    """

    def __init__(self, width: int, most_rows: int) -> None:
        self.width = width
        self.rows = max(1, min(most_rows, _MOST_CELLS // width))
        cells = self.rows * width
        self.kinds, self.sources, self.open_types = ((ctypes.c_uint8 * cells)() for _ in range(3))
        self.starts, self.lengths, self.open_cells, self.open_styles = ((ctypes.c_int32 * cells)() for _ in range(4))
        self.numbers = (ctypes.c_int32 * self.rows)()
        self.hidden, self.holds = ((ctypes.c_uint8 * self.rows)() for _ in range(2))
        self.state = (ctypes.c_int64 * 6)()
        self._names = (ctypes.c_int64 * 64)()

    def places(self) -> list[int]:
        """Addresses of its arrays, in the order in which `scan_rows` takes them."""
        return addresses(
            *(self.kinds, self.sources, self.starts, self.lengths, self.numbers, self.hidden, self.holds),
            *(self.open_cells, self.open_types, self.open_styles, self._names),
        )

    @property
    def filled(self) -> int:
        """Rows it holds."""
        return int(self.state[ROWS])

    def clear(self) -> None:
        """Make room for new rows."""
        self.state[ROWS] = self.state[OPEN] = 0


def addresses(*arrays: Any) -> list[int]:
    """Where arrays lie in memory."""
    return [ctypes.addressof(array) for array in arrays]
