"""A sample, cell by cell: sheets, their headers, evidence for every column, and which columns may be keys.

Must not live here: what follows from it (`decide`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import combinations

from shp_core.feeds.names import clean_header
from shp_core.proposing.evidence import Evidence
from shp_core.proposing.header import Cell, Row, find_header, is_blank
from shp_core.reading.textrow import NUMBER, TEXT

_TOP_ROWS = 40
_MOST_ROWS_FOR_KEYS = 1_048_576
_MOST_COLUMNS_FOR_PAIRS = 12


class SheetSample:
    """One sheet of a sample; fed with its cells in order.

    Attributes:
        name: the sheet's name.
        cells: how many cells were seen.
        header: row number of the header, None if the sheet is blank.
        headers: the header's texts, blanks folded, by column number.
        rows: rows below the header.
        columns: evidence by column number; columns without a header among them, if they hold anything.

    Args:
        name: the sheet's name.
        header: row number of the header, if it is known.
    """

    def __init__(self, name: str, header: int | None = None) -> None:
        self.name = name
        self.cells = self.rows = 0
        self.header = header
        self.headers: dict[int, str] = {}
        self.columns: dict[int, Evidence] = {}
        self._top: list[Row] | None = []
        self._row = Row(0)
        self._keys = _Keys()

    def hear(self, row: int, column: int, kind: str, text: str | None) -> None:
        """The next cell."""
        self.cells += 1
        if row != self._row.number:
            self._end_row()
            self._row = Row(row)
        self._row.cells[column] = (kind, text)

    def end(self) -> None:
        """There are no more cells."""
        self._end_row()
        self._row = Row(0)
        self._decide()

    def _end_row(self) -> None:
        if self._top is None:
            self._take(self._row)
        elif self._row.cells:
            self._top.append(self._row)
            if len(self._top) >= _TOP_ROWS:
                self._decide()

    def _decide(self) -> None:
        """Find the header among the first rows, and take what lies below it."""
        rows, self._top = self._top or [], None
        if self.header is None:
            self.header = find_header(rows)
        for row in rows:
            self._take(row)

    def _take(self, row: Row) -> None:
        if self.header is None or row.number < self.header or not row.spoken:
            return
        if row.number == self.header:
            self.headers = {column: clean_header(text) for column, (_, text) in row.spoken.items()}
            return
        self.rows += 1
        spoken = row.spoken
        for column, (kind, text) in spoken.items():
            if column not in self.columns:
                self.columns[column] = Evidence()
            self.columns[column].see(kind, text or "")
        self._keys.take(spoken, self.headers)

    def key_candidates(self) -> list[tuple[int, ...]]:
        """Columns, or pairs of columns where there is none, that are never blank and tell all rows apart; leftmost first."""
        return self._keys.found(self.rows)


class _Keys:
    """Remembers the cells of columns as numbers, as long as a column may still be part of a key."""

    def __init__(self) -> None:
        self._seen: dict[int, array[int]] | None = None

    def take(self, cells: dict[int, Cell], headers: dict[int, str]) -> None:
        """The next row."""
        if self._seen is None:
            self._seen = {column: array("q") for column, header in headers.items() if header}
        for column in list(self._seen):
            cell = cells.get(column)
            if cell is None or is_blank(cell) or cell[0] not in (TEXT, NUMBER) or len(self._seen[column]) >= _MOST_ROWS_FOR_KEYS:
                del self._seen[column]
            else:
                self._seen[column].append(hash(cell))

    def found(self, rows: int) -> list[tuple[int, ...]]:
        """The candidates."""
        seen = self._seen or {}
        singles: list[tuple[int, ...]] = [(column,) for column, marks in seen.items() if len(set(marks)) == rows]
        return singles or list(self._pairs(seen, rows))

    def _pairs(self, seen: dict[int, array[int]], rows: int) -> Iterator[tuple[int, ...]]:
        for pair in combinations(list(seen)[:_MOST_COLUMNS_FOR_PAIRS], 2):
            left, right = (seen[column] for column in pair)
            if len(set(zip(left, right, strict=True))) == rows:
                yield pair


class Sample:
    """All sheets of a sample; `hear` is told every cell.

    Attributes:
        sheets: by name, in the order of the workbook.

    Args:
        header: row number of the header, if a person says so.
    """

    def __init__(self, header: int | None = None) -> None:
        self._header = header
        self.sheets: dict[str, SheetSample] = {}

    def hear(self, sheet: str, row: int, column: int, kind: str, text: str | None) -> None:
        """The next cell."""
        if sheet not in self.sheets:
            self.sheets[sheet] = SheetSample(sheet, self._header)
        self.sheets[sheet].hear(row, column, kind, text)

    def end(self) -> None:
        """There are no more cells."""
        for sheet in self.sheets.values():
            sheet.end()
