"""Honest defects for one sample workbook: what each cell says instead, and the reason code it must be given.

Lives here: data, and applying it to rows of cells. Must not live here: judging; the codes are the platform's own names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.cells import Cell, ErrorCell
from benchmarks.sales import HEADER


@dataclass(frozen=True)
class Defect:
    """A cell that breaks the contract.

    Args:
        row: sheet row, the header being row 1.
        column: header of the column.
        cell: what the cell says.
        code: the reason the row must be rejected for.
    """

    row: int
    column: str
    cell: Cell
    code: str


@dataclass(frozen=True)
class Repeat:
    """A row that is replaced by a copy of another one (but for the index column).

    Args:
        row: sheet row of the copy.
        of: sheet row of the original.
    """

    row: int
    of: int


DEFECTS: Sequence[Defect] = (
    Defect(43, "Order Date", "2/30/2014", "invalid_date"),
    Defect(97, "Ship Date", "31/12/2014", "invalid_date"),
    Defect(158, "Order Date", "to be confirmed", "invalid_date"),
    Defect(201, "Order Date", datetime(2014, 3, 5, 14, 30), "time_in_date"),
    Defect(260, "Order Date", None, "missing_value"),
    Defect(333, "Units Sold", -12, "below_min"),
    Defect(334, "Units Sold", -1, "below_min"),
    Defect(410, "Units Sold", "12 pcs", "invalid_integer"),
    Defect(477, "Units Sold", ErrorCell("=NA()", "#N/A"), "error_cell"),
    Defect(612, "Total Revenue", "see invoice", "invalid_number"),
    Defect(613, "Total Cost", "n.a.", "invalid_number"),
    Defect(700, "Country", None, "missing_value"),
    Defect(701, "Country", "   ", "missing_value"),
    Defect(845, "Total Profit", ErrorCell("=1/0", "#DIV/0!"), "error_cell"),
    Defect(903, "Unit Price", "€651.21", "wrong_currency"),
    Defect(950, "Total Revenue", "£12,400.00", "wrong_currency"),
    Defect(1024, "Unit Price", 651.2134, "too_precise"),
    Defect(1100, "Total Cost", "$1,234.567", "too_precise"),
    Defect(1300, "Order ID", None, "missing_value"),
    # two things wrong in one row: both reasons are given
    Defect(1500, "Country", None, "missing_value"),
    Defect(1500, "Units Sold", -400, "below_min"),
)
"""Cells that break the contract."""

REPEATS: Sequence[Repeat] = (Repeat(302, of=301), Repeat(1702, of=501))
"""Rows sent twice: the copy is counted `duplicate`, the original stays."""

CLASHES: Sequence[tuple[int, ...]] = ((1200, 1201), (150, 1800, 1999))
"""Groups of different rows that carry one Order ID, the first row's: all of them are `duplicate_key`."""


def spoil(rows: list[list[Cell]]) -> None:
    """Put the defects into the rows, in place.

    Args:
        rows: the cells from sheet row 1 on, header included.
    """
    for repeat in REPEATS:
        rows[repeat.row - 1][1:] = rows[repeat.of - 1][1:]
    for first, *others in CLASHES:
        for row in others:
            _set(rows, row, "Order ID", rows[first - 1][HEADER.index("Order ID")])
    for defect in DEFECTS:
        _set(rows, defect.row, defect.column, defect.cell)


def rejects() -> dict[int, dict[str, list[str]]]:
    """What must be rejected: by sheet row, the reason codes by column."""
    found: dict[int, dict[str, list[str]]] = {}
    for defect in DEFECTS:
        found.setdefault(defect.row, {}).setdefault(defect.column, []).append(defect.code)
    for row in (row for clash in CLASHES for row in clash):
        found[row] = {"Order ID": ["duplicate_key"]}
    return dict(sorted(found.items()))


def duplicates() -> list[int]:
    """Sheet rows that must be counted `duplicate`."""
    return sorted(repeat.row for repeat in REPEATS)


def _set(rows: list[list[Cell]], row: int, column: str, cell: Cell) -> None:
    rows[row - 1][HEADER.index(column)] = cell
