"""The words between reading and everything after it: which sheet, a text row, what was counted.

Must not live here: how any of it comes about. Standard library only, Python 3.8 syntax.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

TEXT, NUMBER, DATE, BOOLEAN, ERROR, FORMULA, ABSENT = "s", "n", "d", "b", "e", "f", "-"
CUT, RAGGED = "x", "r"
"""A text that was cut off because no cell may hold so much; any cell of a row that has not as many cells as the header."""
KINDS = TEXT + NUMBER + DATE + BOOLEAN + ERROR + FORMULA + ABSENT + CUT + RAGGED

HEADER_KEY = b"shp.header"
"""Key of the Arrow schema's metadata under which the header stands, as a JSON list of texts."""


@dataclass(frozen=True)
class CsvForm:
    """How a CSV file is spelled.

    Args:
        delimiter: the character between fields.
        encoding: one of `csvtext.ENCODINGS`.
        quote: the character around fields that hold a delimiter or a line break, doubled inside them; "": none.
        short_rows: what a row with fewer fields than the header is: "reject", or "blank" at its end.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'
    short_rows: str = "reject"


@dataclass(frozen=True)
class SheetSpec:
    """Which table of a workbook is meant, or how a CSV file, which is one table, is spelled.

    Args:
        sheet: position among the visible worksheets, from 1; or a sheet's exact name, even if it is hidden.
        header: sheet row of the header, from 1.
        until: None reads to the end of the sheet; "blank" ends the table at the first blank row; another text ends
            it at the row whose first non-blank cell says so (that row is not part of the table).
        csv: the form of a CSV file; None: the file is a workbook.
    """

    sheet: int | str = 1
    header: int = 1
    until: str | None = None
    csv: CsvForm | None = None

    @classmethod
    def of(cls, told: dict[str, Any]) -> SheetSpec:
        """From the form in which it travels to the reading process (`dataclasses.asdict`)."""
        form = told.get("csv")
        return cls(**{**told, "csv": CsvForm(**form) if form else None})


class TextRow(NamedTuple):
    """One row as the workbook says it.

    Args:
        row: the sheet's row number, from 1.
        kinds: one letter per column of the header (`KINDS`).
        texts: one text per column of the header; None for `-` and `f`.
        extra: cells right of the header's width, as a JSON list of `[column number, kind, text]`; normally None.
    """

    row: int
    kinds: str
    texts: tuple[str | None, ...]
    extra: str | None = None


@dataclass
class SheetStats:
    """What was counted while a table was read; complete when the sheet has been read to its end.

    Args:
        sheet: name of the sheet.
        hidden: whether the sheet is hidden.
        rows: text rows.
        blank: rows inside the table without a non-blank cell, up to the last row in which any cell holds something;
            rows that the file leaves out count like rows it writes down, so saving a workbook anew changes nothing.
        after_end: rows with a non-blank cell after the end that `until` set.
        before_header: rows with a non-blank cell above the header.
        cells: cells in text rows that hold something (every kind but `-`), `extra` included.
        extra_cells: those right of the header's width.
        error_cells: those of kind `e`.
        hidden_rows: text rows that the sheet hides; they are read like the others.
        ended_at: row that ended the table because of `until`, or None.
    """

    sheet: str
    hidden: bool = False
    rows: int = 0
    blank: int = 0
    after_end: int = 0
    before_header: int = 0
    cells: int = 0
    extra_cells: int = 0
    error_cells: int = 0
    hidden_rows: int = 0
    ended_at: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form in which the counts leave the reading process."""
        return asdict(self)
