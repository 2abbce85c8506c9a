"""From a private copy to the text rows of one of its tables: gate, package, reference reader, table.

The one place that puts the reading modules together, in whatever process. The fast reader stands beside it (`scan.tables`).
Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shp_core.limits import Limits
from shp_core.reading.cells import Cells
from shp_core.reading.container import Container
from shp_core.reading.gate import open_container, verify
from shp_core.reading.markup import events
from shp_core.reading.order import RowOrder, in_order
from shp_core.reading.package import Sheet, Workbook, read_package
from shp_core.reading.problem import Unreadable, shown
from shp_core.reading.reference import SheetRow, sheet_rows
from shp_core.reading.strings import shared_strings
from shp_core.reading.table import Table
from shp_core.reading.textrow import SheetSpec, SheetStats


@contextmanager
def open_table(path: Path, spec: SheetSpec, limits: Limits) -> Iterator[Table]:
    """Open a table of a workbook; every part's checksum is verified before the first row.

    Args:
        path: the private copy.
        spec: which table.
        limits: what is accepted.

    Yields:
        The table: header, rows (lazily), counts.

    Raises:
        Unreadable: the workbook is refused, with a code; also while its rows are read.
        OSError: the copy cannot be read.
    """
    with open_container(path, limits) as container:
        yield read_table(container, read_package(container, limits), spec, limits)


def read_table(container: Container, workbook: Workbook, spec: SheetSpec, limits: Limits) -> Table:
    """The table of an open workbook, as the reference reads it; every part's checksum is verified before the first row.

    Args:
        container: the open workbook.
        workbook: what it consists of.
        spec: which table.
        limits: what is accepted.

    Raises:
        Unreadable: as `open_table`.
    """
    sheet = workbook.find(spec.sheet)
    order = RowOrder()
    verify(container, limits, {sheet.part: order} if sheet else None)
    if sheet is None:
        raise _sheet_missing(spec, workbook)
    rows = in_order(_rows(container, workbook, sheet, limits), order.certain, sheet.part, limits)
    return Table(rows, spec, SheetStats(sheet.name, sheet.hidden), limits)


def _rows(container: Container, workbook: Workbook, sheet: Sheet, limits: Limits) -> Iterator[SheetRow]:
    strings = shared_strings(container, workbook.strings, limits) if workbook.strings else []
    cells = Cells(strings, workbook.dated, workbook.date1904, limits)
    return sheet_rows(events(container.pieces(sheet.part), sheet.part, limits), sheet.part, cells, limits)


def _sheet_missing(spec: SheetSpec, workbook: Workbook) -> Unreadable:
    names = [shown(sheet.name) + (" (hidden)" if sheet.hidden else "") for sheet in workbook.sheets[:20]]
    wanted = f"named {shown(spec.sheet)}" if isinstance(spec.sheet, str) else f"at position {spec.sheet} among the visible ones"
    return Unreadable("sheet_missing", f"there is no sheet {wanted}; there are: {', '.join(names)}", {"sheets": len(workbook.sheets)})
