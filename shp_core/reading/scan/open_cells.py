"""Cells that the kernel leaves open: the reference's own functions say what they mean.

Must not live here: what a value means (`shp_core.reading.cells`).
"""

from __future__ import annotations

from typing import Any

from shp_core.reading.cells import Cells
from shp_core.reading.scan.grid import Grid
from shp_core.reading.scan.kernels.layout import ASIDE, INK, OPEN, SCRATCH, TYPES, UNSURE
from shp_core.reading.scan.windows import Window
from shp_core.reading.textrow import TEXT

_MOST_BYTES = 1 << 20
_MOST_KNOWN = 1 << 15


class OpenCells:
    """Finds out what open cells mean, and keeps their texts beside the window.

    Attributes:
        texts: the texts; entries of a grid point into them until `clear` is called.

    Args:
        cells: the meaning of values in this workbook.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self.texts = bytearray()
        self._known: dict[tuple[int, int, bytes], tuple[str, str, int, int]] = {}

    def settle(self, grid: Grid, window: Window) -> None:
        """Settle all open cells of a grid.

        Raises:
            Malformed: a value is none; the reference says so better.
            Unreadable: a limit is reached.
        """
        count = grid.state[OPEN]
        for cell, kind, style in zip(grid.open_cells[:count], grid.open_types[:count], grid.open_styles[:count], strict=True):
            source, start, length = grid.text_of(cell)
            data: Any = grid.scratch if source == SCRATCH else window.data
            key = (kind, style, bytes(data[start : start + length]))
            letter, text, at, length = self._known.get(key) or self._learn(key)
            grid.put(cell, letter, ASIDE, at, length)
            row = cell // grid.width
            if grid.holds[row] == UNSURE and (letter != TEXT or (text and not text.isspace())):
                grid.holds[row] = INK

    def _learn(self, key: tuple[int, int, bytes]) -> tuple[str, str, int, int]:
        kind, style, spelled = key
        letter, text = self._cells.meaning(TYPES[kind], str(style), spelled.decode())
        assert text is not None  # only cells without a value have no text, and those are never open
        found = letter, text, *self.keep(text)
        if len(self._known) < _MOST_KNOWN:
            self._known[key] = found
        return found

    def keep(self, text: str) -> tuple[int, int]:
        """Keep a text; where it begins and how many bytes it has."""
        stored = text.encode()
        start = len(self.texts)
        self.texts += stored
        return start, len(stored)

    def clear(self) -> None:
        """Forget the texts if they have become many; no grid may point to them."""
        if len(self.texts) > _MOST_BYTES or len(self._known) == _MOST_KNOWN:
            self.texts, self._known = bytearray(), {}
