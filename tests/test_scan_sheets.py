"""Whole sheets looked into by the scan: the same counts and cells as the reference's, or left to it."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings

from shp_core.limits import Limits
from shp_core.reading.problem import Unreadable
from shp_core.reading.scan import sheets as fast_sheets
from shp_core.reading.sheets import SheetCount, read_sheets
from shp_core.reading.textrow import ABSENT
from shp_ops.inspect import inspect
from tests.support.scans import kernels
from tests.support.workbooks import RawSheet, RawWorkbook, header_row, raw, text_row, written
from tests.test_reading_mutations import mutated
from tests.test_reading_witness import sample_rows
from tests.test_scan_properties import FORMATS, QUICK, STRINGS, spliced
from tests.test_scan_properties import sheets as markup_of_sheets

Told = tuple[list[SheetCount], list[tuple[Any, ...]]] | str


def looked(path: Path, limits: Limits | None = None, *, fast: bool, cells: bool = True) -> tuple[Told, int]:
    """Counts and cells of a workbook, or the code of its refusal; and how many sheets the scan read."""
    heard: list[tuple[Any, ...]] = []
    by_scan: list[bool] = []

    def hear(sheet: Any, row: Any) -> None:
        heard.extend((sheet.name, row.number, *cell) for cell in zip(row.columns, row.kinds, row.texts, strict=True) if cell[1] != ABSENT)

    def scan(container: Any, workbook: Any, sheet: Any, hear: Any) -> SheetCount | None:
        found = fast_sheets.count_sheet(container, workbook, sheet, limits or Limits(), kernels(), hear)
        by_scan.append(found is not None)
        return found

    with mock.patch.object(fast_sheets, "FROM_BYTES", 0):
        try:
            counts = list(read_sheets(path, limits or Limits(), hear if cells else None, scan if fast else None))
        except Unreadable as problem:
            return problem.code, sum(by_scan)
    return (counts, heard), sum(by_scan)


def both(path: Path, limits: Limits | None = None) -> tuple[Told, int]:
    """What is told of a workbook, which must be the same with the scan and without; and how many sheets the scan read."""
    slow, _ = looked(path, limits, fast=False)
    quick, by_scan = looked(path, limits, fast=True)
    assert quick == slow
    if not isinstance(slow, str):
        assert looked(path, limits, fast=True, cells=False)[0] == (slow[0], [])
    return quick, by_scan


ROWS = header_row("a", "b") + text_row(2, "x", "y") + '<row r="3"><c><v>1</v></c><c t="e"><v>#N/A</v></c></row>'


@pytest.mark.parametrize(
    ("rows", "by_scan"),
    [
        (ROWS, 1),
        (text_row(5, "a", "b") + text_row(6, "x", "y"), 1),
        ("".join(f'<row r="{n}"><c r="B{n}"><v>{n}</v></c><c r="D{n}"><f>A1</f></c></row>' for n in range(1, 9)), 1),
        (text_row(1, "title") + "".join(text_row(n, *"abcdef") for n in range(2, 400)), 1),
        (ROWS + text_row(4, *"abcdefgh"), 1),
        (ROWS + text_row(5, "a"), 0),
        (ROWS + text_row(4, " ") + text_row(5, "a"), 0),
        (text_row(1, " ") + text_row(2, "a"), 0),
        (text_row(3, "a") + text_row(2, "b"), 0),
        ("", 0),
        ('<row r="1"><c s="1"/></row>', 0),
    ],
)
def test_sheets_of_all_sorts(tmp_path: Path, rows: str, by_scan: int) -> None:
    """Looking into a large file would show other counts than into a small one."""
    assert both(raw(tmp_path / "w.xlsx", rows))[1] == by_scan


def test_hidden_sheets_and_small_ones_beside_each_other(tmp_path: Path) -> None:
    """A sheet would be left out, or counted under another's name."""
    book = RawWorkbook([RawSheet(ROWS, name="one"), RawSheet(ROWS, name="two", state="hidden"), RawSheet(text_row(2, " "), name="three")])
    (counts, cells), by_scan = both(book.write(tmp_path / "w.xlsx"))  # type: ignore[misc]
    assert [(count.name, count.hidden, count.rows) for count in counts] == [("one", False, 3), ("two", True, 3), ("three", False, 0)]
    assert (len(cells), by_scan) == (13, 2)


def test_limits_are_the_same(tmp_path: Path) -> None:
    """A limit would be reached in small files only."""
    path = raw(tmp_path / "w.xlsx", ROWS + text_row(4, "x" * 50))
    for limits in (Limits(rows=3), Limits(columns=1), Limits(text_chars=10), Limits(table_cells=2), Limits(batch_rows=1)):
        both(path, limits)


@given(rows=markup_of_sheets())
@settings(QUICK, max_examples=150)
def test_markup_in_many_spellings(tmp_path: Path, rows: str) -> None:
    """A spelling that is understood differently would change counts without anybody noticing."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:x="urn:x"'
    markup = f'<?xml version="1.0"?><worksheet {main}><sheetData>{rows}</sheetData></worksheet>'
    both(RawWorkbook(strings=STRINGS, formats=FORMATS, parts={"xl/worksheets/sheet1.xml": markup}).write(tmp_path / "w.xlsx"))


def test_damaged_bytes(tmp_path: Path) -> None:
    """A damaged file would be refused by its size only."""
    chance = random.Random(7)
    with zipfile.ZipFile(written(tmp_path / "whole.xlsx", [list("abcdef"), *sample_rows(12)])) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    outcomes = set()
    for _ in range(120):
        name = chance.choice(["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
        content = mutated(parts[name], chance) if chance.random() < 0.5 else spliced(parts[name], chance)
        with zipfile.ZipFile(tmp_path / "w.xlsx", "w") as archive:
            for other, old in parts.items():
                archive.writestr(other, content if other == name else old)
        told, by_scan = both(tmp_path / "w.xlsx")
        outcomes.add((isinstance(told, str), by_scan))
    assert outcomes >= {(True, 0), (False, 1)}


def test_a_large_file_in_the_real_process(tmp_path: Path) -> None:
    """What the scan needs would be missing where it is needed, or cells would be told twice."""
    rows = "".join(f'<row r="{n}">{f"<c><v>{n}.25</v></c>" * 10}</row>' for n in range(1, 20_001))
    small, large = raw(tmp_path / "small.xlsx", ROWS), raw(tmp_path / "large.xlsx", rows, stored=True)
    assert large.stat().st_size > fast_sheets.FROM_BYTES
    expected = {"name": "Sheet1", "hidden": False, "rows": 20_000, "cells": 200_000, "error_cells": 0}
    for path, told in zip([large, small, large], inspect([large, small, large], Limits(), workers=1), strict=True):
        assert (told.document["sheets"][0] == expected) == (path == large)
    for told in inspect([large], Limits(), cells=True):
        assert told.cells is not None
        lines = told.cells.read_text().splitlines()
        assert (len(lines), len(set(lines))) == (200_000, 200_000)
