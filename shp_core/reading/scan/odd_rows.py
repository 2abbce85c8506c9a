"""Rows that the kernel does not understand, read by the reference one by one, into the same grid.

A row with rich text, a comment or cells right of the table is none of the kernel's business, but the rows around it are.
Must not live here: what anything means (`shp_core.reading.reference`).
"""

from __future__ import annotations

from shp_core.limits import Limits
from shp_core.reading.cells import Cells
from shp_core.reading.markup import events
from shp_core.reading.reference import SheetRow, sheet_rows
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.grid import Grid
from shp_core.reading.scan.kernels.layout import ASIDE, BLANK, CELLS, INK, LAST_HELD, LAST_ROW, NOTHING, POSITION, ROWS
from shp_core.reading.scan.open_cells import OpenCells
from shp_core.reading.scan.windows import Window
from shp_core.reading.table import extra_text, first_text, holds_something, spread
from shp_core.reading.textrow import ERROR, SheetStats

_FEW, _SHARE = 100, 20
_START, _END = b"<row", b"</row>"


class OddRows:
    """Reads single rows of a sheet.

    A row is given to the reference with what stands before the rows around it, and behind a row with the number of the
    last one. If that is well-formed, the row begins and ends where it was cut out, because nothing is open there.

    Args:
        opening: the part's bytes up to the tag that begins the rows.
        part: its name, for messages.
        cells: the meaning of values in this workbook.
        limits: what the reference looks at.
        header: the header's row number.
        stats: extra cells are counted in it.
    """

    def __init__(self, opening: bytes, part: str, cells: Cells, limits: Limits, header: int, stats: SheetStats) -> None:
        self._opening = opening
        self._part = part
        self._cells = cells
        self._limits = limits
        self._header = header
        self._stats = stats
        self._count = 0

    def read(self, window: Window, grid: Grid, opened: OpenCells) -> None:
        """Read the row at the grid's position; go on behind it.

        Raises:
            Declined: there is no whole row, or too many of them are odd; the reference is faster then.
            Unreadable: there is something wrong with the row.
        """
        start = grid.state[POSITION]
        end = window.data.find(_END, start, window.size)
        self._count += 1
        if window.data[start : start + len(_START)] != _START or end < 0 or self._count > _FEW + grid.state[LAST_ROW] // _SHARE:
            raise Declined(f"something in or after row {grid.state[LAST_ROW]}")
        end += len(_END)
        found = self.rows(bytes(window.data[start:end]), grid.state[LAST_ROW])
        if len(found) != 1:
            raise Declined("a row that ends elsewhere")
        self._add(found[0], grid, opened)
        grid.state[POSITION] = end

    def rows(self, markup: bytes, last: int) -> list[SheetRow]:
        """What the reference reads in the markup of whole rows.

        Args:
            markup: the rows.
            last: number of the row before them, or 0.

        Raises:
            Unreadable: there is something wrong with them, or they are not whole.
            Malformed: a value is none.
        """
        before = f'<row r="{last}"/>'.encode() if last else b""
        pieces = iter([self._opening, before, markup, b"</sheetData></worksheet>"])
        rows = list(sheet_rows(events(pieces, self._part, self._limits), self._part, self._cells, self._limits))
        return rows[1:] if last else rows

    def _add(self, row: SheetRow, grid: Grid, opened: OpenCells) -> None:
        state = grid.state
        if row.number <= state[LAST_ROW]:
            raise Declined("rows that are out of order")
        state[LAST_ROW] = row.number
        state[CELLS] += len(row.columns) + 1
        if row.number > self._header and holds_something(row):
            self._place(row, grid, opened)
            state[LAST_HELD] = row.number
            state[ROWS] += 1

    def _place(self, row: SheetRow, grid: Grid, opened: OpenCells) -> None:
        """Write a row into the grid."""
        at = grid.state[ROWS]
        is_blank = first_text(row) is None
        grid.numbers[at], grid.hidden[at], grid.holds[at] = row.number, row.hidden, BLANK if is_blank else INK
        kinds, texts, extra = spread(row, grid.width)
        for cell, (kind, text) in enumerate(zip(kinds, texts, strict=True), at * grid.width):
            grid.put(cell, kind, *((NOTHING,) if text is None else (ASIDE, *opened.keep(text))))
        told = extra_text(extra)
        if told is not None and not is_blank:
            grid.extras[at] = told
            self._stats.extra_cells += len(extra)
            self._stats.cells += len(extra)
            self._stats.error_cells += sum(kind == ERROR for _, kind, _ in extra)
