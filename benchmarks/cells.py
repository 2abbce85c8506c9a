"""Cells as plain Python values, and the one place that writes them into a workbook.

A cell is text (`str`), a number (`int`, `float`), a date cell (`date`, `datetime`), an error (`ErrorCell`) or absent (`None`).
Must not live here: what the rows mean; see `sales` and `stock`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import xlsxwriter

MADE_AT = datetime(2026, 11, 20)
"""The creation date in every workbook's properties: the same values give the same bytes."""


@dataclass(frozen=True)
class ErrorCell:
    """A formula whose stored value is an error, such as `#N/A`."""

    formula: str
    value: str


Cell: TypeAlias = str | int | float | date | datetime | ErrorCell | None
Row: TypeAlias = Sequence[Cell]


class Strings(StrEnum):
    """Where a workbook keeps its texts."""

    SHARED = "shared"
    INLINE = "inline"


@dataclass(frozen=True)
class Look:
    """How a workbook is stored and shown; never what it says.

    Args:
        strings: texts in the shared table (Excel's way) or beside each cell (a streaming writer's way).
        date_format: number format of date cells.
        number_format: number format of cells with a fraction; None leaves them "General".
        epoch_1904: count days from 1904, as workbooks born on old Macs do.
    """

    strings: Strings = Strings.SHARED
    date_format: str = "m/d/yyyy"
    number_format: str | None = None
    epoch_1904: bool = False


@dataclass(frozen=True)
class Sheet:
    """One sheet.

    Args:
        name: its tab.
        rows: from row 1 on; a row without cells stays blank.
        hidden: whether the tab is hidden.
        widths: column widths in characters, from the left.
    """

    name: str
    rows: Iterable[Row]
    hidden: bool = False
    widths: Sequence[int] = field(default=())


def write_book(path: Path, sheets: Sequence[Sheet], look: Look) -> None:
    """Write a workbook; rows are consumed once, in order.

    Args:
        path: where to; an existing file is overwritten.
        sheets: in tab order; the first visible one is the active one.
        look: how it is stored.
    """
    options = {"constant_memory": look.strings is Strings.INLINE, "date_1904": look.epoch_1904, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": MADE_AT})
        formats = _Formats(book, look)
        for sheet in sheets:
            _write_sheet(book, sheet, formats)
        next(s for s in book.worksheets() if not s.hidden).activate()


def repack(path: Path) -> None:
    """Rewrite a workbook's zip container so that its bytes depend on its parts only, not on clock, umask or time zone."""
    with zipfile.ZipFile(path) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.compress_type = 0, zipfile.ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=9)


class _Formats:
    """The formats of one workbook."""

    def __init__(self, book: Any, look: Look) -> None:
        self.date = book.add_format({"num_format": look.date_format})
        self.moment = book.add_format({"num_format": f"{look.date_format} h:mm"})
        self.fraction = book.add_format({"num_format": look.number_format}) if look.number_format else None


def _write_sheet(book: Any, sheet: Sheet, formats: _Formats) -> None:
    target = book.add_worksheet(sheet.name)
    for column, width in enumerate(sheet.widths):
        target.set_column(column, column, width)
    if sheet.hidden:
        target.hide()
    writers = _writers(target, formats)
    for row_number, row in enumerate(sheet.rows):
        for column, cell in enumerate(row):
            if cell is not None:
                writers[type(cell)](row_number, column, cell)


def _writers(target: Any, formats: _Formats) -> dict[type, Callable[[int, int, Any], object]]:
    def error(row: int, column: int, cell: ErrorCell) -> None:
        target.write_formula(row, column, cell.formula, None, cell.value)

    return {
        str: target.write_string,
        int: target.write_number,
        float: lambda row, column, cell: target.write_number(row, column, cell, formats.fraction),
        date: lambda row, column, cell: target.write_datetime(row, column, cell, formats.date),
        datetime: lambda row, column, cell: target.write_datetime(row, column, cell, formats.moment),
        ErrorCell: error,
    }
