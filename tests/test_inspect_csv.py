"""`shp inspect` on CSV files: nobody says how they are spelled, so their bytes do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shp_core.limits import Limits
from shp_core.reading.csvguess import guess
from shp_ops.inspect import inspect
from tests.support.csvs import csv_file
from tests.support.workbooks import written

ROWS = "Größe;Preis\r\nä;1,5\r\nß;2,5\r\n"


def looked(*paths: Path, limits: Limits | None = None) -> list[dict[str, Any]]:
    """The documents of files."""
    return [found.document for found in inspect(paths, limits or Limits())]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_the_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    """A sound file would be shown as refused, or as one column of garbled text."""
    (found,) = looked(csv_file(tmp_path / "a.csv", ROWS, encoding))
    assert found["verdict"] == "ok"
    assert found["sheets"] == [
        {
            "name": "csv",
            "hidden": False,
            "rows": 3,
            "cells": 6,
            "error_cells": 0,
            "csv": {"delimiter": ";", "encoding": encoding, "quote": '"'},
        }
    ]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb, c\n1\t2, 3\n4\t5\n", "\t"),
        ("a|b\n", "|"),
        ('a;b\n"1;2;3";4\n', ";"),
        ("title\n\na,b,c\n1,2,3\n4,5,6\n", ","),
        ("a;b\n1;2,5\n3;4,5\n5;6,5;7\n", ";"),
        ("alone\n1\n2\n", ","),
        ("Name, first\nAnn\n", ","),
    ],
)
def test_the_delimiter_is_found_out(tmp_path: Path, text: str, delimiter: str) -> None:
    """Every file would look like one column."""
    assert guess(csv_file(tmp_path / "a.csv", text), Limits()).delimiter == delimiter


def test_a_byte_far_down_decides_about_the_encoding(tmp_path: Path) -> None:
    """A file that is UTF-8 but for its end would be refused, though another encoding reads it."""
    many = b"a;b\n" * 600_000
    assert guess(csv_file(tmp_path / "a.csv", many + "ä;ö\n".encode()), Limits()).encoding == "utf-8"
    assert guess(csv_file(tmp_path / "a.csv", many + b"\xe4;\xf6\n"), Limits()).encoding == "cp1252"
    assert guess(csv_file(tmp_path / "a.csv", b"\x81\n" + many + b"\xe4;\xf6\n"), Limits()).encoding == "iso-8859-1"
    assert guess(csv_file(tmp_path / "a.csv", b"a;b\n\xc3"), Limits()).encoding == "cp1252"


def test_csv_files_and_workbooks_side_by_side(tmp_path: Path) -> None:
    """A folder of both could not be looked at in one go, or one would be read as the other."""
    book = written(tmp_path / "a.xlsx", [("a",), (1,)])
    disguised = tmp_path / "b.csv"
    disguised.write_bytes(book.read_bytes())
    plain = csv_file(tmp_path / "c.CSV", ROWS)
    notes = csv_file(tmp_path / "d.txt", ROWS)
    blank = csv_file(tmp_path / "e.csv", b"")
    broken = csv_file(tmp_path / "f.csv", 'a;b\n1;"x\n')
    found = looked(book, disguised, plain, notes, blank, broken)
    assert [document["code"] for document in found] == [None, "not_a_csv_file", None, "not_a_workbook", "empty_file", "unclosed_quote"]
    assert ["csv" in sheet for document in (found[0], found[2]) for sheet in document["sheets"]] == [False, True]


def test_the_cells_of_a_csv_file(tmp_path: Path) -> None:
    """What a reader makes of a file could not be seen."""
    path = csv_file(tmp_path / "a.csv", f'a;b\n\n"x;y";\n{"z" * 20};1\n')
    (found,) = [
        [json.loads(line) for line in inspected.cells.read_text().splitlines()]
        for inspected in inspect([path], Limits(text_chars=10), cells=True)
        if inspected.cells
    ]
    assert [(cell["row"], cell["column"], cell["kind"], cell["text"]) for cell in found] == [
        (1, 1, "s", "a"),
        (1, 2, "s", "b"),
        (3, 1, "s", "x;y"),
        (4, 1, "x", "z" * 10),
        (4, 2, "s", "1"),
    ]
