"""The reference reader: what the cells of a sheet say, in plain Python on expat.

It defines the meaning that faster readers have to agree with: each cell with its address, whether the file writes
that down or not, a kind letter and a text. Must not live here: which rows are a table (`table`). Standard library
only, Python 3.8 syntax.
"""

# ruff: noqa: B905, RUF007 (Python 3.8 knows neither `zip(strict=)` nor `pairwise`)
from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

from shp_core.limits import Limits
from shp_core.reading.cells import Cells, Content, Malformed
from shp_core.reading.markup import NAMES, expect_blank
from shp_core.reading.problem import MARKUP, Unreadable, limit_reached, shown
from shp_core.reading.strings import raw_text, rich_text

_WORKSHEET, _DATA, _ROW, _CELL, _VALUE, _FORMULA, _INLINE = (
    NAMES[local] for local in ("worksheet", "sheetData", "row", "c", "v", "f", "is")
)


class SheetRow(NamedTuple):
    """One row as the file writes it down; columns ascend.

    Args:
        number: the sheet's row number, from 1.
        hidden: whether the sheet hides it.
        columns: column numbers, from 1; cells that hold nothing may be among them.
        kinds: kind letters, one per column.
        texts: texts, one per column.
    """

    number: int
    hidden: bool
    columns: list[int]
    kinds: list[str]
    texts: list[str | None]


def sheet_rows(stream: Iterator[Any], part: str, cells: Cells, limits: Limits) -> Iterator[SheetRow]:
    """Read the rows of a sheet, in the order in which the file has them.

    Args:
        stream: events of the sheet's part (`markup.events`).
        part: the part's name, for messages.
        cells: what a cell's value means in this workbook.
        limits: `rows`, `columns` and `text_chars` are looked at.

    Raises:
        Unreadable: `invalid_markup`, `twin_address` or `limit_reached`.
    """
    if next(stream, None) is not _WORKSHEET:
        raise Unreadable(MARKUP, f"the part {shown(part)} is not a worksheet")
    next(stream)
    number, inside = 0, False
    reader = _RowReader(stream, part, cells, limits)
    for event in stream:
        if event is _ROW and inside:
            attributes = next(stream)
            number = _row_number(attributes.get("r"), number, part, limits)
            yield reader.row(number, attributes.get("hidden") in ("1", "true"))
        elif event is _DATA:
            inside = not inside
            if inside:
                next(stream)
        elif event is not _WORKSHEET:
            expect_blank(event, part)


def merged(rows: list[SheetRow], part: str) -> SheetRow:
    """One row from rows with the same number, cells sorted by their columns.

    Raises:
        Unreadable: `twin_address`, two cells stand in one column.
    """
    number = rows[0].number
    cells = sorted(chain.from_iterable(zip(row.columns, row.kinds, row.texts) for row in rows), key=lambda cell: cell[0])
    columns = [column for column, _, _ in cells]
    for left, right in zip(columns, columns[1:]):
        if left == right:
            address = f"{column_letters(left)}{number}"
            raise Unreadable("twin_address", f"two cells of {shown(part)} carry the address {address}", {"address": address})
    return SheetRow(number, any(row.hidden for row in rows), columns, [kind for _, kind, _ in cells], [text for *_, text in cells])


def column_letters(number: int) -> str:
    """The letters of a column number, from 1: A, …, Z, AA, … XFD."""
    letters = ""
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(65 + digit) + letters
    return letters


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _row_number(spelled: str | None, last: int, part: str, limits: Limits) -> int:
    if spelled is None:
        number = last + 1
    elif spelled.isascii() and spelled.isdigit() and spelled[0] != "0":
        number = int(spelled[:20])
    else:
        raise Unreadable(MARKUP, f"the part {shown(part)} has a row {shown(spelled)}")
    if number > limits.rows:
        raise limit_reached("rows", limits.rows, f"the part {shown(part)}")
    return number


_USUAL = 256
_LETTERS = [column_letters(number) for number in range(1, _USUAL + 1)]
"""Most cells stand in the column after the last one; comparing with its letters is faster than taking addresses apart."""


class _RowReader:
    """Reads the cells of one row after the other from a stream."""

    def __init__(self, stream: Iterator[Any], part: str, cells: Cells, limits: Limits) -> None:
        self._stream = stream
        self._part = part
        self._cells = cells
        self._limits = limits
        self._columns: dict[str, int] = {}
        self._usual = min(_USUAL, limits.columns)

    def row(self, number: int, hidden: bool) -> SheetRow:
        """Read up to the row's end; `number` is the row's own."""
        columns: list[int] = []
        kinds: list[str] = []
        texts: list[str | None] = []
        stream, content, meaning, usual = self._stream, self._content, self._cells.meaning, self._usual
        spelled, column, ascending = str(number), 0, True
        try:
            for event in stream:
                if event is _CELL:
                    attributes = next(stream)
                    address = attributes.get("r")
                    if column < usual and address == _LETTERS[column] + spelled:
                        column += 1
                    else:
                        last, column = column, self._column(address, spelled, column)
                        ascending = ascending and column > last
                    kind, text = meaning(attributes.get("t", "n"), attributes.get("s"), content())
                    columns.append(column)
                    kinds.append(kind)
                    texts.append(text)
                elif event is _ROW:
                    break
                else:
                    expect_blank(event, self._part)
        except Malformed as problem:
            where = f"{column_letters(column)}{number} of {shown(self._part)}"
            raise Unreadable(MARKUP, f"the cell {where} {problem}") from problem
        row = SheetRow(number, hidden, columns, kinds, texts)
        return row if ascending else merged([row], self._part)

    def _column(self, address: str | None, number: str, last: int) -> int:
        """The column of an address; a cell without one follows the last."""
        if address is None:
            return self._within(last + 1)
        if not address.endswith(number):
            raise Unreadable(MARKUP, f"the part {shown(self._part)} has a cell {shown(address)} in row {number}")
        letters = address[: -len(number)]
        return self._columns.get(letters) or self._new_column(letters, address)

    def _new_column(self, letters: str, address: str) -> int:
        if not (letters.isascii() and letters.isalpha() and letters.isupper()):
            raise Unreadable(MARKUP, f"the part {shown(self._part)} has a cell {shown(address)}")
        column = self._within(_column_number(letters[:8]))
        self._columns[letters] = column
        return column

    def _within(self, column: int) -> int:
        if column > self._limits.columns:
            raise limit_reached("columns", self._limits.columns, f"the part {shown(self._part)}")
        return column

    def _content(self) -> str | Content:
        """What the cell holds, up to its end; nine of ten are `<c><v>text</v></c>`, `_unusual` reads the others."""
        stream = self._stream
        event = next(stream)
        if event is not _VALUE:
            return self._unusual(event, None)
        next(stream)
        value, event = next(stream), next(stream)
        if value is _VALUE:
            value = ""
        elif event is _VALUE:
            event = next(stream)
        else:
            value = raw_text(chain((value, event), stream), _VALUE, self._part, self._limits)
            event = next(stream)
        return value if value and event is _CELL else self._unusual(event, value)

    def _unusual(self, event: Any, value: str | None) -> Content:
        stream, part, limits = self._stream, self._part, self._limits
        inline, formula = None, False
        while event is not _CELL:
            if event is _VALUE and value is None:
                next(stream)
                value = raw_text(stream, _VALUE, part, limits)
            elif event is _INLINE and inline is None:
                next(stream)
                inline = rich_text(stream, _INLINE, part, limits)
            elif event is _FORMULA and not formula:
                next(stream)
                raw_text(stream, _FORMULA, part, limits)
                formula = True
            else:
                expect_blank(event, part)
            event = next(stream)
        return Content(value, inline, formula)
