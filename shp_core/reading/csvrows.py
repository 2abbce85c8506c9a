"""The rows of a CSV file: fields by the feed's delimiter and quote, strictly, as rows of a sheet.

Every cell is a text and an empty field is an absent cell; what a text means is the contract's business. Rows are
numbered as a spreadsheet program shows them: a row of several lines is one, blank lines count. Must not live here:
bytes (`csvtext`), tables (`table`). Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

import csv
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator

from shp_core.limits import Limits
from shp_core.reading.csvtext import Lines
from shp_core.reading.gate import check_size
from shp_core.reading.problem import Unreadable, limit_reached, shown
from shp_core.reading.reference import SheetRow
from shp_core.reading.table import Table
from shp_core.reading.textrow import ABSENT, CUT, RAGGED, TEXT, CsvForm, SheetSpec, SheetStats

SHEET = "csv"
"""What the one table of a CSV file is called where a sheet's name is shown."""

DELIMITERS = (";", ",", "\t", "|")
"""The usual ones, for what may have been meant."""

_BLANK_AT_THE_END = "blank"


@contextmanager
def open_csv(path: Path, spec: SheetSpec, limits: Limits) -> Iterator[Table]:
    """Open a CSV file as a table.

    Args:
        path: the private copy.
        spec: header, end and form; `csv` is set.
        limits: what is accepted.

    Yields:
        The table: header, rows (lazily), counts.

    Raises:
        Unreadable: the file is refused, with a code; also while its rows are read.
        OSError: the copy cannot be read.
    """
    assert spec.csv is not None
    check_size(path, limits)
    with path.open("rb") as file:
        yield Table(csv_rows(file, spec.csv, spec.header, limits), spec, SheetStats(SHEET), limits)


def csv_rows(file: BinaryIO, form: CsvForm, header: int | None, limits: Limits) -> Iterator[SheetRow]:
    """The rows of a CSV file that hold a field, their numbers ascending.

    Args:
        file: the open file, at its beginning.
        form: how it is spelled.
        header: number of the header's row, with which rows below must agree in their number of fields; None: no row must.
        limits: `record_chars`, `csv_rows`, `columns` and `text_chars` are looked at.

    Raises:
        Unreadable: `not_a_csv_file`, `undecodable_text`, `nul_character`, `unclosed_quote`, `misplaced_quote`,
            `wrong_delimiter` or `limit_reached`.
    """
    lines = Lines(file, form, limits)
    csv.field_size_limit(limits.record_chars + 1)
    shape = _Shape(form, limits)
    for fields in _records(lines, form, header):
        if lines.row == header:
            shape.width = len(fields)
            if shape.width == 1:
                _check_delimiter(lines, form)
        if fields:
            yield shape.row(lines, fields)


def _records(lines: Lines, form: CsvForm, header: int | None) -> Iterator[list[str]]:
    """The fields of every row, none of a blank line."""
    reader = csv.reader(
        lines,
        delimiter=form.delimiter,
        quotechar=form.quote or None,
        quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        lines.begin()
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if lines.row == header:
                _check_delimiter(lines, form)
            raise _quotes(str(error), lines) from None
        if fields is None:
            return
        yield fields


def _quotes(problem: str, lines: Lines) -> Unreadable:
    details = {"row": lines.row}
    if problem == "unexpected end of data":
        return Unreadable("unclosed_quote", f"a quote that opens in row {lines.row} is not closed up to the end of the file", details)
    return Unreadable("misplaced_quote", f"a quote closes in row {lines.row}, and something else than a delimiter follows", details)


def _check_delimiter(lines: Lines, form: CsvForm) -> None:
    """A header line without the delimiter, but with another one, was written with that one."""
    parts = lines.first.split(form.quote)[::2] if form.quote else [lines.first]
    found = [char for char in (form.delimiter, *DELIMITERS) if any(char in part for part in parts)]
    if found and found[0] != form.delimiter:
        message = f"the header in row {lines.row} has no delimiter {shown(form.delimiter)}, but {shown(found[0])}"
        raise Unreadable("wrong_delimiter", message, {"row": lines.row, "found": found[0]})


class _Shape:
    """Makes rows of a sheet from fields.

    Attributes:
        width: how many fields the header has; None before it is known.
    """

    def __init__(self, form: CsvForm, limits: Limits) -> None:
        self._form = form
        self._limits = limits
        self._columns: list[int] = []
        self._kinds: list[str] = []
        self.width: int | None = None

    def row(self, lines: Lines, fields: list[str]) -> SheetRow:
        """One row; `lines` stands at its end."""
        count = len(fields)
        if count > self._limits.columns:
            raise limit_reached("columns", self._limits.columns, f"row {lines.row}")
        if count != len(self._columns):
            self._columns, self._kinds = list(range(1, count + 1)), [TEXT] * count
        if self.width is not None and count != self.width and self._is_ragged(fields):
            return self._ragged(lines.row, fields, self.width)
        if all(fields) and lines.chars <= self._limits.text_chars:
            return SheetRow(lines.row, False, self._columns, self._kinds, list(fields))
        texts = self._cut(fields)
        return SheetRow(lines.row, False, self._columns, [self._kind(text) for text in fields], [text or None for text in texts])

    def _is_ragged(self, fields: list[str]) -> bool:
        """Whether nobody knows which field belongs to which column; fields that all are blank belong anywhere."""
        if self.width is not None and len(fields) < self.width and self._form.short_rows == _BLANK_AT_THE_END:
            return False
        return any(text and not text.isspace() for text in fields)

    def _ragged(self, number: int, fields: list[str], width: int) -> SheetRow:
        """Every cell of the table is marked, and every further one that holds something."""
        size = max(len(fields), width)
        texts = [text or None for text in self._cut(fields)] + [None] * (size - len(fields))
        kinds = [RAGGED if text or place < width else ABSENT for place, text in enumerate(texts)]
        return SheetRow(number, False, list(range(1, size + 1)), kinds, texts)

    def _kind(self, text: str) -> str:
        if not text:
            return ABSENT
        return CUT if len(text) > self._limits.text_chars else TEXT

    def _cut(self, fields: list[str]) -> list[str]:
        return [text[: self._limits.text_chars] for text in fields]
