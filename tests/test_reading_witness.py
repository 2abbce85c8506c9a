"""Two witnesses that share no code with the reader: openpyxl reads, XlsxWriter writes."""

from __future__ import annotations

import os
import random
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from shp_core.reading.numbers import number_text
from tests.support.workbooks import read, written

CI_EXAMPLES = 300
EXAMPLES = int(os.environ.get("SHP_FUZZ_EXAMPLES", CI_EXAMPLES))
"""Workbooks written and read; `make fuzz` asks for more, and for other ones every time."""

DATED = st.dates(min_value=date(1900, 3, 1), max_value=date(9999, 12, 31))
MOMENTS = st.datetimes(min_value=datetime(1900, 3, 1), max_value=datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff\r"), max_size=40)
VALUES = st.one_of(st.none(), st.booleans(), st.floats(-1e300, 1e300), st.integers(-(10**14), 10**14), DATED, MOMENTS, TEXTS)


def meant(value: Any) -> tuple[str, str | None]:
    """Kind and text that a Python value should arrive as, thought anew and not with the reader's code."""
    if value is None:
        return "-", None
    if isinstance(value, bool):
        return "b", "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return "d", value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return "d", value.isoformat()
    if isinstance(value, str):
        return "s", value
    return "n", number_text(f"{value:.16G}")  # the digits that XlsxWriter writes


@given(rows=st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=1, max_size=6), inline=st.booleans(), date1904=st.booleans())
@settings(max_examples=EXAMPLES, derandomize=EXAMPLES == CI_EXAMPLES, deadline=None)
def test_whatever_is_written_is_read(tmp_path: Path, rows: list[list[Any]], inline: bool, date1904: bool) -> None:
    """Some text, number or date that nobody thought of would arrive changed."""
    options = {"constant_memory": inline, "default_date_format": "", "date_1904": date1904}
    if date1904:
        rows = [[None if isinstance(value, date) and value.year < 1904 else value for value in row] for row in rows]
    path = written(tmp_path / "w.xlsx", [["a", "b", "c", "d"], *rows], **options)
    found = {row.row: list(zip(row.kinds, row.texts, strict=True)) for row in read(path)[1]}
    expected = {number: [meant(value) for value in row] for number, row in enumerate(rows, 2)}
    assert found == {number: row for number, row in expected.items() if any(kind != "-" and (text or "").strip() for kind, text in row)}


def sample_rows(count: int) -> list[list[Any]]:
    """Rows of every type, the same on every machine."""
    chance = random.Random(7)
    words = ["Chad", "  padded ", "Ünïcode 🙈", "line\nbreak", "00123", "<&>", "=1+1", "2024-01-05"]
    return [
        [
            chance.randrange(10**9),
            round(chance.uniform(-1e6, 1e6), 2),
            chance.choice(words),
            date.fromordinal(chance.randrange(696_000, 750_000)),
            datetime(2024, 1, 1, chance.randrange(24), chance.randrange(60), chance.randrange(60)),
            chance.choice([True, False, None]),
        ]
        for _ in range(count)
    ]


def as_openpyxl_reads(path: Path) -> list[list[tuple[str, str | None]]]:
    """The cells below the header, read by openpyxl."""
    sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    return [[witnessed(cell) for cell in row] for row in sheet.iter_rows(min_row=2)]


def witnessed(cell: Any) -> tuple[str, str | None]:
    """Kind and text of a cell as openpyxl sees it."""
    if cell.data_type == "e":
        return "e", cell.value
    if isinstance(cell.value, datetime) and cell.value.time() == time():
        return "d", cell.value.date().isoformat()
    if isinstance(cell.value, datetime):
        return "d", cell.value.isoformat(" ")
    if isinstance(cell.value, float):
        return "n", number_text(repr(cell.value))
    if isinstance(cell.value, int) and not isinstance(cell.value, bool):
        return "n", str(cell.value)
    return meant(cell.value)


@pytest.mark.parametrize("options", [{}, {"constant_memory": True}, {"date_1904": True}], ids=["shared", "inline", "1904"])
def test_openpyxl_reads_the_same_from_xlsxwriter(tmp_path: Path, options: dict[str, bool]) -> None:
    """Both our reader and our tests could misread a workbook in the same way."""
    path = written(tmp_path / "w.xlsx", [list("abcdef"), *sample_rows(200)], **options)
    found = [list(zip(row.kinds, row.texts, strict=True)) for row in read(path)[1]]
    assert found == as_openpyxl_reads(path)


@pytest.mark.parametrize("write_only", [False, True])
@pytest.mark.parametrize("iso_dates", [False, True])
def test_openpyxl_reads_the_same_from_openpyxl(tmp_path: Path, write_only: bool, iso_dates: bool) -> None:
    """Workbooks that Python programs send would be read otherwise than their senders read them."""
    book = openpyxl.Workbook(write_only=write_only, iso_dates=iso_dates)
    sheet = book.create_sheet("Data", 0)
    for row in [list("abcdef"), *sample_rows(200)]:
        sheet.append(["'=1+1" if value == "=1+1" else value for value in row])
    path = tmp_path / "w.xlsx"
    book.save(path)
    found = [list(zip(row.kinds, row.texts, strict=True)) for row in read(path)[1]]
    assert found == as_openpyxl_reads(path)


def test_formulas_of_both_writers(tmp_path: Path) -> None:
    """A formula that was never calculated would be read as blank or as zero."""
    path = tmp_path / "w.xlsx"
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append(["=1+1", "#REF!"])
    book.save(path)
    assert [(row.kinds, row.texts) for row in read(path)[1]] == [("fe", (None, "#REF!"))]
    writer = xlsxwriter.Workbook(path)
    sheet = writer.add_worksheet()
    sheet.write_row(0, 0, ["a", "b", "c", "d"])
    sheet.write_formula(1, 0, "=1+1", None, 2)
    sheet.write_formula(1, 1, '="x"', None, "x")
    sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    sheet.write_formula(1, 3, "=TRUE()", None, True)
    writer.close()
    assert [(row.kinds, row.texts) for row in read(path)[1]] == [("nseb", ("2", "x", "#DIV/0!", "TRUE"))]


def test_what_xlsxwriter_writes_besides_cells_changes_nothing(tmp_path: Path) -> None:
    """A comment, a filter, a chart or a rule in a workbook would disturb the rows."""
    path = tmp_path / "w.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Data")
    sheet.write_row(0, 0, ["a", "b"])
    sheet.write_row(1, 0, ["x", 1])
    sheet.write_rich_string(2, 0, book.add_format({"bold": True}), "bold", " and plain")
    sheet.write_url(3, 0, "https://example.com", string="link")
    sheet.write_comment("A2", "<!DOCTYPE of a comment>")
    sheet.autofilter("A1:B4")
    sheet.freeze_panes(1, 0)
    sheet.conditional_format("B2:B4", {"type": "data_bar", "data_bar_2010": True})
    sheet.data_validation("B2", {"validate": "list", "source": ["1", "2"]})
    sheet.merge_range("D2:E3", "merged")
    sheet.set_row(1, None, None, {"hidden": True})
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=Data!$B$2:$B$4"})
    sheet.insert_chart("G2", chart)
    book.add_chartsheet("Chart")
    book.add_worksheet("Other").write(0, 0, "other")
    book.close()
    header, rows, stats = read(path)
    assert header == ("a", "b")
    assert [row.texts for row in rows] == [("x", "1"), ("bold and plain", None), ("link", None)]
    assert (stats.hidden_rows, stats.extra_cells) == (1, 1)
    assert read(path, sheet=2)[0] == ("other",)
