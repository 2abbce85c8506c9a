"""Every worksheet of a workbook, cell by cell, hidden ones too: what a file says, before any feed has a say.

Lives here: the walk over all sheets, and their counts. Must not live here: tables (`table`), and which reader is
fastest; this is the plain reference. Standard library only, Python 3.8 syntax.
"""

# ruff: noqa: B905 (Python 3.8 knows no `zip(strict=)`)
from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Optional

from shp_core.limits import Limits
from shp_core.reading.cells import Cells
from shp_core.reading.container import Container
from shp_core.reading.csvrows import SHEET, csv_rows
from shp_core.reading.gate import check_size, open_container, verify
from shp_core.reading.markup import events
from shp_core.reading.order import RowOrder, in_order
from shp_core.reading.package import Sheet, Workbook, read_package
from shp_core.reading.reference import SheetRow, sheet_rows
from shp_core.reading.strings import shared_strings
from shp_core.reading.textrow import ABSENT, ERROR, TEXT, CsvForm


class SheetCount(NamedTuple):
    """What one sheet holds.

    Args:
        name: its name.
        hidden: whether it is hidden.
        rows: rows with a cell that is not blank.
        cells: cells that hold something (every kind but `-`).
        error_cells: those of kind `e`.
    """

    name: str
    hidden: bool
    rows: int
    cells: int
    error_cells: int


Hear = Callable[[Sheet, SheetRow], object]
Fast = Callable[[Container, Workbook, Sheet, Optional[Hear]], Optional[SheetCount]]


def read_sheets(path: Path, limits: Limits, hear: Hear | None = None, fast: Fast | None = None) -> Iterator[SheetCount]:
    """Read every worksheet of a workbook, in the order of the tabs.

    Args:
        path: the private copy.
        limits: what is accepted.
        hear: who wants to see the rows, with their blank cells.
        fast: who may read a sheet faster and knows exactly what is read here; None is its answer where it does not.

    Yields:
        The counts of one sheet after the other; they and the rows are provisional until the iteration has ended.

    Raises:
        Unreadable: the workbook is refused, with a code.
        OSError: the copy cannot be read.
    """
    with open_container(path, limits) as container:
        workbook = read_package(container, limits)
        orders = {sheet.part: RowOrder() for sheet in workbook.sheets}
        verify(container, limits, dict(orders))
        cells: Cells | None = None
        for sheet in workbook.sheets:
            count = fast(container, workbook, sheet, hear) if fast is not None else None
            if count is None:
                cells = cells or _cells(container, workbook, limits)
                stream = events(container.pieces(sheet.part), sheet.part, limits)
                rows = sheet_rows(stream, sheet.part, cells, limits)
                count = _count(sheet, in_order(rows, orders[sheet.part].certain, sheet.part, limits), hear)
            yield count


def read_tops(path: Path, limits: Limits, hear: Hear, top: int) -> Iterator[SheetCount]:
    """Read the first rows of every worksheet of a workbook, as `read_sheets` reads them, and no more.

    Args:
        path: the private copy of a workbook that was read before.
        limits: what is accepted.
        hear: who wants to see the rows.
        top: so many rows of each sheet that hold something.

    Yields:
        The counts of what was read of one sheet after the other.

    Raises:
        Unreadable: the workbook is refused, with a code.
        OSError: the copy cannot be read.
    """
    with open_container(path, limits) as container:
        workbook = read_package(container, limits)
        cells = _cells(container, workbook, limits)
        for sheet in workbook.sheets:
            rows = sheet_rows(events(container.pieces(sheet.part), sheet.part, limits), sheet.part, cells, limits)
            yield _count(sheet, islice(filter(_says_something, rows), top), hear)


def read_csv_sheet(path: Path, form: CsvForm, limits: Limits, hear: Hear | None = None, top: int | None = None) -> SheetCount:
    """Read a CSV file as the one sheet that it is; nothing is known of its header, so no row is ragged.

    Args:
        path: the private copy.
        form: how it is spelled.
        limits: what is accepted.
        hear: who wants to see the rows.
        top: no more than so many rows that hold something; None: all.

    Raises:
        Unreadable: the file is refused, with a code.
        OSError: the copy cannot be read.
    """
    check_size(path, limits)
    with path.open("rb") as file:
        rows = csv_rows(file, form, None, limits)
        return _count(Sheet(SHEET, False, ""), rows if top is None else islice(filter(_says_something, rows), top), hear)


def _cells(container: Container, workbook: Workbook, limits: Limits) -> Cells:
    strings = shared_strings(container, workbook.strings, limits) if workbook.strings else []
    return Cells(strings, workbook.dated, workbook.date1904, limits)


def _count(sheet: Sheet, rows: Iterator[SheetRow], hear: Hear | None) -> SheetCount:
    spoken = cells = errors = 0
    for row in rows:
        spoken += _says_something(row)
        cells += len(row.kinds) - row.kinds.count(ABSENT)
        errors += row.kinds.count(ERROR)
        if hear is not None:
            hear(sheet, row)
    return SheetCount(sheet.name, sheet.hidden, spoken, cells, errors)


def _says_something(row: SheetRow) -> bool:
    """Whether a cell is not blank; white space alone is blank, zero and errors are not."""
    return any(kind not in (TEXT, ABSENT) or (kind == TEXT and text and not text.isspace()) for kind, text in zip(row.kinds, row.texts))
