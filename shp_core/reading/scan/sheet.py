"""A sheet's rows, from its bytes to Arrow batches.

Lives here: the loop over windows and grids. Must not live here: which reader reads a sheet (`shp_core.reading.scan.tables`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from shp_core.limits import KIB, Limits
from shp_core.reading.batches import batch_schema
from shp_core.reading.cells import Cells, Malformed
from shp_core.reading.container import Container
from shp_core.reading.markup import NAMES, events
from shp_core.reading.order import in_order
from shp_core.reading.package import Sheet, Workbook
from shp_core.reading.problem import Unreadable
from shp_core.reading.reference import SheetRow, sheet_rows
from shp_core.reading.scan.columns import Columns
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.facts import facts
from shp_core.reading.scan.frame import Frame
from shp_core.reading.scan.grid import Grid
from shp_core.reading.scan.kernels.layout import CELLS, END, LAST_HELD, MORE, POSITION, UNKNOWN
from shp_core.reading.scan.library import KernelFailed, Library
from shp_core.reading.scan.odd_rows import OddRows
from shp_core.reading.scan.open_cells import OpenCells
from shp_core.reading.scan.spot_checks import SpotChecks
from shp_core.reading.scan.strings import read_strings
from shp_core.reading.scan.windows import WINDOW, Window
from shp_core.reading.table import Table
from shp_core.reading.textrow import SheetSpec, SheetStats

DECLINES = (Declined, Unreadable, Malformed, KernelFailed, MemoryError)
"""Whatever goes wrong in a scan: the reference reads the sheet and tells what is wrong with it, if anything is."""

_TOP_PIECE = 4 * KIB


class SheetScan:
    """One sheet, scanned; iterate once.

    Iterating raises one of `DECLINES` where the scan does not know on. What it gave before is right, if rows do not
    turn out to be out of order; counts are complete at the end.

    Attributes:
        header: the header's texts.
        schema: of the batches.
        stats: what was counted.

    Args:
        container: the open workbook; its other parts are verified.
        workbook: what reading the sheet needs to know of it.
        sheet: the sheet.
        spec: where its table begins; `until` must be None.
        limits: what is accepted.
        library: the kernels.
        scratch: descriptor of an empty file for what would take too much memory, or None.
        width: columns that the table has at least, though its header may be narrower.

    Raises:
        DECLINES: the sheet is not for it.
    """

    def __init__(
        self,
        container: Container,
        workbook: Workbook,
        sheet: Sheet,
        spec: SheetSpec,
        limits: Limits,
        library: Library,
        scratch: int | None = None,
        width: int = 0,
    ) -> None:
        self._part = sheet.part
        self._container = container
        self._limits = limits
        self._library = library
        self._date1904 = workbook.date1904
        self._strings = read_strings(container, workbook.strings, limits, library, scratch)
        self._cells = Cells(self._strings, workbook.dated, workbook.date1904, limits)
        self._dated = _dated_table(workbook.dated)
        self._top = self._read_top(spec, SheetStats(sheet.name, sheet.hidden))
        self._header_row = spec.header
        self.header = self._top.header + ("",) * (width - len(self._top.header))
        self.schema = batch_schema(self.header)
        self.stats = self._top.stats
        self._grid = Grid(len(self.header), limits.batch_rows, WINDOW)

    def _read_top(self, spec: SheetSpec, stats: SheetStats) -> Table:
        """The reference reads the beginning, up to the header."""
        return Table(in_order(self.by_reference(), True, self._part, self._limits), spec, stats, self._limits)

    def by_reference(self) -> Iterator[SheetRow]:
        """The rows from the top, as the reference reads them."""
        stream = events(_smaller(self._container.pieces(self._part)), self._part, self._limits)
        return sheet_rows(stream, self._part, self._cells, self._limits)

    @property
    def cells_seen(self) -> int:
        """Cells and rows so far, as `order.in_order` counts them."""
        return int(self._grid.state[CELLS])

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The batches; when the iteration has ended, the part's size and CRC are verified.

        Raises:
            DECLINES: the scan does not know on.
            Disagreement: the reference reads a row otherwise.
        """
        window = Window(self._container.pieces(self._part))
        frame = Frame(window, b"sheetData", (NAMES["worksheet"], NAMES["sheetData"]), self._part, self._limits)
        grid, opened = self._grid, OpenCells(self._cells)
        odd = OddRows(frame.opening, self._part, self._cells, self._limits, self._header_row, self.stats)
        spots = SpotChecks(odd, grid, self._header_row, self._part)
        columns = Columns(grid, self.schema, self.stats, self._limits, self._library, self._strings)
        grid.state[POSITION], grid.state[LAST_HELD] = frame.start, self._header_row
        status = MORE
        while status != END:
            spots.aim(window, self.stats.rows)
            status = self._scan(window, frame.prefixes)
            if status == UNKNOWN:
                odd.read(window, grid, opened)
                if not grid.is_full:
                    continue
            opened.settle(grid, window)
            yield from spots.checked(columns.batches(window, opened.texts))
            self._check_cells()
            grid.clear()
            opened.clear()
            self._strings.drop()
            if status == MORE:
                self._go_on(window)
        spots.end()
        frame.close(window.rest(grid.state[POSITION]))
        self.stats.blank = grid.state[LAST_HELD] - self._header_row - self.stats.rows

    def _scan(self, window: Window, prefixes: bytes) -> int:
        """Fill the grid."""
        grid, known = self._grid, self._facts(prefixes)
        status: int = self._library.scan_rows(
            *(window.address, window.size, window.cut(b"row"), ctypes.addressof(grid.state), ctypes.addressof(known)),
            *(self._dated, prefixes, self._strings.starts_at, self._strings.ink, *grid.places()),
        )
        return status

    def _facts(self, prefixes: bytes) -> Any:
        return facts(
            self._limits,
            width=self._grid.width,
            most_rows=self._grid.rows,
            header=self._header_row,
            dated=len(self._dated),
            strings=len(self._strings),
            date1904=self._date1904,
            prefixes=len(prefixes),
        )

    def _go_on(self, window: Window) -> None:
        state = self._grid.state
        if not window.advance(state[POSITION]):
            raise Declined("a row that ends nowhere, or is longer than a window")
        state[POSITION] = 0

    def _check_cells(self) -> None:
        if self.stats.rows * self._grid.width > self._limits.table_cells:
            raise Declined("too many cells")


def _smaller(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A header is read without the thousand cells that follow it in the same piece."""
    for piece in pieces:
        for start in range(0, len(piece), _TOP_PIECE):
            yield piece[start : start + _TOP_PIECE]


def _dated_table(dated: dict[str, str]) -> bytes:
    """By style number, whether its format shows a date."""
    table = bytearray(max(map(int, dated), default=-1) + 1)
    for style in dated:
        table[int(style)] = 1
    return bytes(table)
