"""Which row of a sheet is the header, and which sheet is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shp_core.reading.textrow import TEXT

Cell = tuple[str, str | None]
"""Kind letter and text."""


@dataclass(frozen=True)
class Row:
    """A row of a sample.

    Args:
        number: row number of the sheet, from 1.
        cells: cells that hold something, by column number from 1.
    """

    number: int
    cells: dict[int, Cell] = field(default_factory=dict)

    @property
    def spoken(self) -> dict[int, Cell]:
        """The cells that are not blank."""
        return {column: cell for column, cell in self.cells.items() if not is_blank(cell)}


def is_blank(cell: Cell) -> bool:
    """Whether a cell says nothing."""
    kind, text = cell
    return kind == TEXT and not (text or "").strip()


def find_header(rows: Sequence[Row]) -> int | None:
    """The row number of the header: the first row about as wide as the table, of texts that differ.

    A title above a table is narrower than it is, a row of values has numbers or repeats itself. If no row is one, the
    widest is taken.

    Args:
        rows: the first rows of a sheet.

    Returns:
        None if no row says anything.
    """
    spoken = [row for row in rows if row.spoken]
    if not spoken:
        return None
    wide = [row for row in spoken if 2 * len(row.spoken) >= max(len(other.spoken) for other in spoken)]
    return next((row.number for row in wide if _is_of_names(row)), wide[0].number)


def _is_of_names(row: Row) -> bool:
    cells = list(row.spoken.values())
    texts = [" ".join((text or "").split()) for kind, text in cells if kind == TEXT]
    return 2 * len(texts) > len(cells) and 2 * len(set(texts)) > len(texts)
