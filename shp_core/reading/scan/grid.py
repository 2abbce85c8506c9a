"""The grid that the row kernel fills: some rows of the table, a place for each cell.

Must not live here: what is done with it (`open_cells`, `columns`).
"""

from __future__ import annotations

import ctypes
from typing import Any

from shp_core.reading.scan.kernels.layout import LENGTH, LONGEST, NAMES, OPEN, ROWS, SCRATCHED, SOURCE, START, STATE

_MOST_CELLS = 1 << 18


class Grid:
    """Memory for some rows of a table; each attribute is an array with one entry per cell or per row.

    Attributes:
        rows: rows it has room for.
        kinds: kind letter of a cell, as a byte.
        texts: where its text is (`layout.START`); see `put`.
        numbers: sheet row number of a row.
        hidden: whether the sheet hides it.
        holds: what it holds.
        open_cells, open_types, open_styles: the cells that are left open; their place in the grid, type and style.
        extras: by row of the grid, its cells right of the table, as `TextRow.extra` has them; few rows have any.
        scratch: texts that stand nowhere as they are.
        state: the kernel's state.

    Args:
        width: columns of the table.
        most_rows: rows of a batch.
        scratch: bytes of the scratch; those of a window suffice, for no text is longer than the markup it comes from.
    """

    def __init__(self, width: int, most_rows: int, scratch: int) -> None:
        self.width = width
        self.rows = max(1, min(most_rows, _MOST_CELLS // width))
        cells = self.rows * width
        self.kinds, self.open_types = ((ctypes.c_uint8 * cells)() for _ in range(2))
        self.open_cells, self.open_styles = ((ctypes.c_int32 * cells)() for _ in range(2))
        self.texts = (ctypes.c_int64 * cells)()
        self.numbers = (ctypes.c_int32 * self.rows)()
        self.hidden, self.holds = ((ctypes.c_uint8 * self.rows)() for _ in range(2))
        self.extras: dict[int, str] = {}
        self.scratch = (ctypes.c_char * scratch)()  # unlike a bytearray it takes no memory before it is used
        self.scratch_at = ctypes.addressof(self.scratch)
        self.state = (ctypes.c_int64 * STATE)()
        self._names = (ctypes.c_int64 * NAMES)()

    def places(self) -> list[int]:
        """What `scan_rows` takes of it, in its order."""
        cells = addresses(self.kinds, self.texts, self.numbers, self.hidden, self.holds)
        opened = addresses(self.open_cells, self.open_types, self.open_styles)
        return [*cells, *opened, self.scratch_at, len(self.scratch), *addresses(self._names)]

    def put(self, cell: int, kind: str, source: int, start: int = 0, length: int = 0) -> None:
        """Say what a cell is.

        Args:
            cell: its place in the grid.
            kind: its kind letter.
            source: where its text lies, one of `kernels.layout`.
            start: where it begins there.
            length: its bytes.
        """
        self.kinds[cell], self.texts[cell] = ord(kind), start << START | length << LENGTH | source

    def text_of(self, cell: int) -> tuple[int, int, int]:
        """Where a cell's text lies, where it begins there, and its bytes."""
        place = self.texts[cell]
        return place & SOURCE, place >> START, place >> LENGTH & LONGEST

    @property
    def is_full(self) -> bool:
        """Whether no row fits in any more."""
        return self.filled == self.rows

    @property
    def filled(self) -> int:
        """Rows it holds."""
        return int(self.state[ROWS])

    def clear(self) -> None:
        """Make room for new rows."""
        self.state[ROWS] = self.state[OPEN] = self.state[SCRATCHED] = 0
        self.extras.clear()


def addresses(*arrays: Any) -> list[int]:
    """Where arrays lie in memory."""
    return [ctypes.addressof(array) for array in arrays]


def address_of(data: bytearray) -> int:
    """Where a byte array lies in memory, as long as it keeps its length."""
    return ctypes.addressof((ctypes.c_char * len(data)).from_buffer(data))
