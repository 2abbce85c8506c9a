"""A whole sheet looked into by the scan, for those who have no table in mind: its counts, and its rows if they are wanted.

Gives exactly what the reference gives (`shp_core.reading.sheets`), or nothing. Must not live here: how a sheet is scanned
(`sheet`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

import pyarrow as pa

from shp_core.limits import MIB, Limits
from shp_core.reading.cells import Cells
from shp_core.reading.container import Container
from shp_core.reading.markup import events
from shp_core.reading.package import Sheet, Workbook
from shp_core.reading.reference import SheetRow, sheet_rows
from shp_core.reading.scan.declined import Declined
from shp_core.reading.scan.library import Library
from shp_core.reading.scan.sheet import DECLINES, SheetScan
from shp_core.reading.sheets import SheetCount
from shp_core.reading.table import holds_something
from shp_core.reading.textrow import ABSENT, ERROR, SheetSpec

FROM_BYTES = MIB
"""Inflated size of a sheet from which a second look at its beginning is worth it."""

_TOP_ROWS = 50


def count_sheet(
    container: Container,
    workbook: Workbook,
    sheet: Sheet,
    limits: Limits,
    library: Library,
    hear: Callable[[Sheet, SheetRow], object] | None = None,
) -> SheetCount | None:
    """Count what a sheet holds, and tell its rows.

    Args:
        container: the open workbook; all of its parts are verified.
        workbook: what it consists of.
        sheet: the sheet.
        limits: what is accepted.
        library: the kernels.
        hear: who wants to see the rows; nobody hears any if the sheet is left to the reference.

    Returns:
        None if the sheet is left to the reference: it is small, has blank rows, or is none that the scan knows.
    """
    if container.part(sheet.part).size < FROM_BYTES:
        return None
    try:
        look = _Look(container, workbook, sheet, limits, library)
        count = look.count()
        for row in look.rows() if hear is not None else ():
            hear(sheet, row)  # type: ignore[misc]
    except DECLINES:
        return None
    return count


class _Look:
    """One sheet; its first row that holds something stands in for a header."""

    def __init__(self, container: Container, workbook: Workbook, sheet: Sheet, limits: Limits, library: Library) -> None:
        self._sheet = sheet
        self._parts = container, workbook, sheet
        self._scan_with = limits, library
        self._first, self._width = _top(container, workbook, sheet, limits)

    def _scan(self) -> SheetScan:
        return SheetScan(*self._parts, SheetSpec(header=self._first), *self._scan_with, width=self._width)

    def count(self) -> SheetCount:
        """The counts; the whole sheet is read for them, so that nothing is told of a sheet that is declined in the end."""
        scan = self._scan()
        first = _row_of(scan, self._first)
        for _ in scan:
            pass
        stats = scan.stats
        if stats.blank or stats.before_header:
            raise Declined("blank rows, whose cells count here")
        cells, errors = len(first.kinds) - first.kinds.count(ABSENT), first.kinds.count(ERROR)
        return SheetCount(self._sheet.name, self._sheet.hidden, stats.rows + 1, stats.cells + cells, stats.error_cells + errors)

    def rows(self) -> Iterator[SheetRow]:
        """All rows that hold something."""
        scan = self._scan()
        yield _row_of(scan, self._first)
        for batch in scan:
            yield from _rows(batch)


def _row_of(scan: SheetScan, number: int) -> SheetRow:
    return next(row for row in scan.by_reference() if row.number == number)


def _rows(batch: pa.RecordBatch) -> Iterator[SheetRow]:
    numbers, kinds, *columns, extras = (column.to_pylist() for column in batch.columns)
    places = list(range(1, len(columns) + 1))
    for number, letters, extra, *texts in zip(numbers, kinds, extras, *columns, strict=True):
        further = json.loads(extra) if extra else []
        yield SheetRow(
            number,
            False,
            places + [column for column, _, _ in further],
            [*letters, *(kind for _, kind, _ in further)],
            [*texts, *(text for *_, text in further)],
        )


def _top(container: Container, workbook: Workbook, sheet: Sheet, limits: Limits) -> tuple[int, int]:
    """Number of the first row that holds something, and how many columns the first rows have."""
    cells = Cells(_AnyText(), workbook.dated, workbook.date1904, limits)
    rows = sheet_rows(events(container.pieces(sheet.part), sheet.part, limits), sheet.part, cells, limits)
    held = list(islice(filter(holds_something, rows), _TOP_ROWS))
    if not held:
        raise Declined("a sheet without cells")
    return held[0].number, max(column for row in held for column, kind in zip(row.columns, row.kinds, strict=True) if kind != ABSENT)


class _AnyText(Sequence[str]):
    """Stands in for shared strings where only their places matter; should one be blank, the scan declines the sheet."""

    def __len__(self) -> int:
        return 1 << 31

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: Any) -> Any:
        """Some text."""
        return "x"
