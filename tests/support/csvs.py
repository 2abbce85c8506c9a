"""CSV files from text, and what the reader says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shp_core.limits import Limits
from shp_core.reading.csvrows import open_csv
from shp_core.reading.problem import Unreadable
from shp_core.reading.textrow import CsvForm, SheetSpec, SheetStats, TextRow

FORM: dict[str, Any] = {"delimiter": ";"}
"""As a German Excel spells it, but for the encoding."""


def csv_file(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    """A file with this content, line breaks as they are."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read_csv(path: Path, limits: Limits | None = None, header: int = 1, until: str | None = None, **form: Any) -> Read:
    """Header, text rows and counts."""
    spec = SheetSpec(header=header, until=until, csv=CsvForm(**{**FORM, **form}))
    with open_csv(path, spec, limits or Limits()) as table:
        rows = list(table)
        return table.header, rows, table.stats


Read = tuple[tuple[str, ...], list[TextRow], SheetStats]


def refused_csv(path: Path, limits: Limits | None = None, **spec: Any) -> Unreadable:
    """Why it is refused."""
    try:
        header, rows, _ = read_csv(path, limits, **spec)
    except Unreadable as problem:
        return problem
    raise AssertionError(f"not refused: {header}, {len(rows)} rows")


def cells_of(rows: list[TextRow]) -> list[tuple[int, str, tuple[str | None, ...]]]:
    """Number, kinds and texts of rows."""
    return [(row.row, row.kinds, row.texts) for row in rows]
