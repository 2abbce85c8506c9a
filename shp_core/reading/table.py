"""From the rows of a sheet to the text rows of one table: header, end, blanks, width.

Must not live here: cells and markup (`reference`), and what a column means. Standard library only, Python 3.8 syntax.
"""

# ruff: noqa: B905 (Python 3.8 knows no `zip(strict=)`)
from __future__ import annotations

import json
from collections.abc import Iterator

from shp_core.limits import Limits
from shp_core.reading.problem import Unreadable, limit_reached
from shp_core.reading.reference import SheetRow
from shp_core.reading.textrow import ABSENT, CUT, ERROR, RAGGED, TEXT, SheetSpec, SheetStats, TextRow

_BLANK = "blank"


class Table:
    """The text rows of one table; iterate once.

    Args:
        rows: rows of the sheet, their numbers ascending.
        spec: where the table begins and ends.
        stats: the sheet's name and visibility; counted further while the rows are read.
        limits: `table_cells` is looked at.

    Raises:
        Unreadable: `header_missing`, or whatever reading the rows up to the header finds.
    """

    def __init__(self, rows: Iterator[SheetRow], spec: SheetSpec, stats: SheetStats, limits: Limits) -> None:
        self._rows = rows
        self._spec = spec
        self._limits = limits
        self.stats = stats
        self.header = self._read_header()
        self._columns = list(range(1, len(self.header) + 1))

    def _read_header(self) -> tuple[str, ...]:
        for row in self._rows:
            if row.number > self._spec.header:
                break
            if first_text(row) is None:
                continue
            if row.number == self._spec.header:
                if CUT in row.kinds:
                    raise limit_reached("text_chars", self._limits.text_chars, f"the header in row {row.number}")
                return _header(row)
            self.stats.before_header += 1
        raise Unreadable("header_missing", f"row {self._spec.header}, where the header should be, is blank", {"row": self._spec.header})

    def __iter__(self) -> Iterator[TextRow]:
        """The rows of the table, to the end of the sheet: what follows the table's end is counted."""
        last, stats, until = self._spec.header, self.stats, self._spec.until
        for row in self._rows:
            first = first_text(row)
            if first is None and not holds_something(row):
                continue
            if until is not None:
                self._end_before(row, first, last, until)
            if stats.ended_at is None:
                stats.blank += row.number - last - 1 + (first is None)
                if first is not None:
                    yield self._text_row(row)
            elif first is not None and row.number > stats.ended_at:
                stats.after_end += 1
            last = row.number

    def _end_before(self, row: SheetRow, first: str | None, last: int, until: str) -> None:
        """Notice the table's end at or before this row."""
        if self.stats.ended_at is not None:
            return
        if until == _BLANK:
            if row.number > last + 1 or first is None:
                self.stats.ended_at = last + 1
        elif first is not None and first.strip() == until.strip():
            self.stats.blank += row.number - last - 1
            self.stats.ended_at = row.number

    def _text_row(self, row: SheetRow) -> TextRow:
        width, extra = len(self._columns), None
        if row.columns == self._columns:
            kinds, texts = "".join(row.kinds), tuple(row.texts)
        else:
            kinds, texts, extra = self._spread(row, width)
        self._count(row, width, kinds)
        return TextRow(row.number, kinds, texts, extra)

    def _spread(self, row: SheetRow, width: int) -> tuple[str, tuple[str | None, ...], str | None]:
        kinds, texts, extra = spread(row, width)
        self.stats.extra_cells += len(extra)
        return "".join(kinds), tuple(texts), extra_text(extra)

    def _count(self, row: SheetRow, width: int, kinds: str) -> None:
        stats = self.stats
        stats.rows += 1
        stats.cells += len(row.kinds) - row.kinds.count(ABSENT)
        stats.error_cells += row.kinds.count(ERROR)
        stats.hidden_rows += row.hidden
        if stats.rows * width > self._limits.table_cells:
            raise limit_reached("table_cells", self._limits.table_cells, f"{stats.rows} rows of {width} columns")


def spread(row: SheetRow, width: int) -> tuple[list[str], list[str | None], list[list[int | str | None]]]:
    """Put cells into their columns; what lies right of the header is extra.

    Returns:
        Kinds and texts by column, and the extra cells: column number, kind, text.
    """
    kinds = [ABSENT] * width
    texts: list[str | None] = [None] * width
    extra: list[list[int | str | None]] = []
    for column, kind, text in zip(row.columns, row.kinds, row.texts):
        if column <= width:
            kinds[column - 1], texts[column - 1] = kind, text
        elif kind != ABSENT:
            extra.append([column, kind, text])
    return kinds, texts, extra


def extra_text(extra: list[list[int | str | None]]) -> str | None:
    """Extra cells as `TextRow.extra` has them."""
    return json.dumps(extra, ensure_ascii=False) if extra else None


def _header(row: SheetRow) -> tuple[str, ...]:
    """The header's texts, up to the last one that is not blank; columns without a header are called ""."""
    texts = {column: text or "" for column, text in zip(row.columns, row.texts)}
    width = max(column for column, text in texts.items() if text.strip() or column == row.columns[0])
    return tuple(texts.get(column, "") for column in range(1, width + 1))


def first_text(row: SheetRow) -> str | None:
    """The text of the first cell that is not blank ("" for a formula without a value), or None."""
    for kind, text in zip(row.kinds, row.texts):
        if kind == TEXT:
            if text and not text.isspace():
                return text
        elif kind != ABSENT and (text or kind != RAGGED):
            return text or ""
    return None


def holds_something(row: SheetRow) -> bool:
    """Whether a row has a cell that holds something, be it blank."""
    return row.kinds.count(ABSENT) < len(row.kinds)
