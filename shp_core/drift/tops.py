"""The first rows of every sheet of a delivery: enough to see what changed its shape.

Must not live here: what changed (`diagnose`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from shp_core.feeds.names import clean_header
from shp_core.proposing.header import Cell, Row

TOP_ROWS = 300


@dataclass(frozen=True)
class SheetTop:
    """The first rows of a sheet.

    Args:
        name: its name.
        rows: those that hold something, at most `TOP_ROWS`, ascending.
    """

    name: str
    rows: list[Row] = field(default_factory=list)

    def header(self, number: int) -> list[str]:
        """The texts of a row, blanks folded, as a list by column; empty if the row says nothing."""
        row = next((row for row in self.rows if row.number == number), None)
        spoken = row.spoken if row is not None else {}
        return [clean_header(spoken[column][1]) if column in spoken else "" for column in range(1, max(spoken, default=0) + 1)]

    def below(self, number: int, place: int) -> Iterator[Cell]:
        """The cells of a column below a row, those that are not blank.

        Args:
            number: the row.
            place: the column's 0-based position.
        """
        for row in self.rows:
            cell = row.spoken.get(place + 1) if row.number > number else None
            if cell is not None:
                yield cell


class Tops:
    """Collects the tops of all sheets; `hear` is told every cell."""

    def __init__(self) -> None:
        self._sheets: dict[str, SheetTop] = {}

    def hear(self, sheet: str, row: int, column: int, kind: str, text: str | None) -> None:
        """The next cell."""
        top = self._sheets.setdefault(sheet, SheetTop(sheet))
        if not top.rows or top.rows[-1].number != row:
            if len(top.rows) >= TOP_ROWS:
                return
            top.rows.append(Row(row))
        top.rows[-1].cells[column] = (kind, text)

    def of(self, visible: Collection[str]) -> list[SheetTop]:
        """The tops of the visible sheets, in the order of the workbook; blank ones too.

        Args:
            visible: their names.
        """
        return [self._sheets.get(name, SheetTop(name)) for name in visible]
