"""The format's real limits, on the good side: the largest legal workbooks are read, every cell of them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shp_core.limits import Limits
from shp_core.reading.reference import column_letters
from shp_core.reading.textrow import SheetSpec
from shp_ops.inspect import inspect
from shp_resources.intake import private_copy
from shp_resources.reader import WorkbookReader
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row

ROWS, COLUMNS, SHEETS, ENTRIES = 1_048_576, 16_384, 5_000, 10_000
GOOD = header_row("a") + text_row(2, "x")


def with_sheet(path: Path, pieces: Iterator[str]) -> Path:
    """A workbook whose sheet is written piece by piece."""
    markup = RawWorkbook().sheet_markup(RawSheet("|")).split("|")
    RawWorkbook(parts={"xl/worksheets/sheet1.xml": None}).write(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        sheet.write(markup[0].encode())
        for piece in pieces:
            sheet.write(piece.encode())
        sheet.write(markup[1].encode())
    return path


def test_ten_thousand_entries_and_all_columns(tmp_path: Path) -> None:
    """A workbook with many pictures, or with a column for every quarter of an hour, would be refused."""
    pictures = {f"xl/media/{number}.png": "x" for number in range(ENTRIES)}
    many = raw(tmp_path / "many.xlsx", GOOD, stored=True, parts=pictures)
    cells = "".join(f'<c r="{column_letters(column)}1"><v>{column}</v></c>' for column in range(1, COLUMNS + 1))
    wide = raw(tmp_path / "wide.xlsx", f'<row r="1">{cells}</row><row r="1048576"><c r="XFD1048576"><v>7</v></c></row>')
    counts = [inspected.document["sheets"][0]["cells"] for inspected in inspect([many, wide], Limits())]
    assert counts == [2, COLUMNS + 1]


@pytest.mark.slow
def test_every_row_that_a_sheet_can_have(tmp_path: Path) -> None:
    """The largest legal export would be refused, or its last rows lost."""
    rows = (f'<row r="{number}"><c r="A{number}"><v>{number}</v></c></row>' for number in range(1, ROWS + 1))
    copied = private_copy(with_sheet(tmp_path / "long.xlsx", rows), tmp_path / "store", Limits())
    with WorkbookReader(Limits()).open(copied.path, SheetSpec()) as batches:
        total, count = 0, 0
        for batch in batches:
            total += sum(map(int, batch.column("c1").to_pylist()))
            count += batch.num_rows
    assert (count, total) == (ROWS - 1, ROWS * (ROWS + 1) // 2 - 1)


@pytest.mark.slow
def test_five_thousand_sheets(tmp_path: Path) -> None:
    """A workbook with a sheet for every shop would be refused, or a shop overlooked."""
    sheets = [RawSheet(header_row(f"{number}"), name=f"shop {number}") for number in range(SHEETS)]
    (found,) = inspect([RawWorkbook(sheets).write(tmp_path / "w.xlsx")], Limits())
    assert [(sheet["name"], sheet["cells"]) for sheet in found.document["sheets"]] == [(f"shop {number}", 1) for number in range(SHEETS)]


@pytest.mark.slow
def test_all_columns_in_many_rows(tmp_path: Path) -> None:
    """A wide table would not fit into the memory of its reader."""
    row = "".join("<c><v>1</v></c>" for _ in range(COLUMNS))
    path = with_sheet(tmp_path / "wide.xlsx", (f"<row>{row}</row>" for _ in range(100)))
    with WorkbookReader(Limits()).open(path, SheetSpec()) as batches:
        assert sum(batch.num_rows for batch in batches) == 99
    assert batches.stats.cells == 99 * COLUMNS
